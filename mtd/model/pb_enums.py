"""The words of the model beside their numbers in the protocol.

Both directions are total: each word has a number, and a number without a word
(0, or one that a newer peer sent) reads as the given fallback.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from typing import Generic, TypeVar, cast

from mtd.model.credentials import Purpose
from mtd.model.device import (
    DeviceStatus,
    InterfaceNaming,
    Outcome,
    Severity,
    SnmpAuth,
    SnmpPriv,
    SnmpVersion,
    TlsMode,
    Way,
)
from mtd.model.metric import Kind, Lane, Tier
from mtd.model.polled import PollResult
from mtd.model.sighting import FoundBy
from mtd.pb.common.v1 import device_pb2, discovery_pb2, series_pb2
from mtd.pb.inventory.v1 import credential_service_pb2

Word = TypeVar("Word", bound=enum.StrEnum)
Number = TypeVar("Number", bound=int)


class EnumMap(Generic[Word, Number]):
    """Words of one enumeration and their numbers, matched by name.

    ``DeviceStatus.UP`` belongs to ``DEVICE_STATUS_UP``. A word without a number
    fails at import, so that neither side can grow alone.
    """

    def __init__(self, words: type[Word], numbers: Iterable[tuple[str, int]], prefix: str) -> None:
        by_name = dict(numbers)
        # The generated stubs give each enumeration a type of its own, its numbers none.
        self._to = {word: cast("Number", by_name[prefix + word.name]) for word in words}
        self._from: dict[int, Word] = {number: word for word, number in self._to.items()}

    def to_pb(self, word: Word) -> Number:
        """Return the number of a word."""
        return self._to[word]

    @property
    def words(self) -> Iterable[Word]:
        """All words."""
        return self._to

    def knows(self, number: int) -> bool:
        """Whether a number has a word."""
        return number in self._from

    def from_pb(self, number: int, fallback: Word) -> Word:
        """Return the word of a number, or the fallback if it has none."""
        return self._from.get(number, fallback)


OUTCOME: EnumMap[Outcome, device_pb2.Outcome] = EnumMap(Outcome, device_pb2.Outcome.items(), "OUTCOME_")
STATUS: EnumMap[DeviceStatus, device_pb2.DeviceStatus] = EnumMap(
    # The protocol's zero is the model's "unknown".
    DeviceStatus,
    [*device_pb2.DeviceStatus.items(), ("DEVICE_STATUS_UNKNOWN", 0)],
    "DEVICE_STATUS_",
)
SEVERITY: EnumMap[Severity, device_pb2.Severity] = EnumMap(Severity, device_pb2.Severity.items(), "SEVERITY_")
TLS_MODE: EnumMap[TlsMode, device_pb2.TlsMode] = EnumMap(TlsMode, device_pb2.TlsMode.items(), "TLS_MODE_")
NAMING: EnumMap[InterfaceNaming, device_pb2.InterfaceNaming] = EnumMap(
    InterfaceNaming, device_pb2.InterfaceNaming.items(), "INTERFACE_NAMING_"
)
WAY: EnumMap[Way, device_pb2.Way] = EnumMap(Way, device_pb2.Way.items(), "WAY_")
SNMP_VERSION: EnumMap[SnmpVersion, device_pb2.SnmpVersion] = EnumMap(
    SnmpVersion, device_pb2.SnmpVersion.items(), "SNMP_VERSION_"
)
SNMP_AUTH: EnumMap[SnmpAuth, device_pb2.SnmpAuth] = EnumMap(
    SnmpAuth, device_pb2.SnmpAuth.items(), "SNMP_AUTH_"
)
SNMP_PRIV: EnumMap[SnmpPriv, device_pb2.SnmpPriv] = EnumMap(
    SnmpPriv, device_pb2.SnmpPriv.items(), "SNMP_PRIV_"
)
KIND: EnumMap[Kind, device_pb2.MetricKind] = EnumMap(Kind, device_pb2.MetricKind.items(), "METRIC_KIND_")
TIER: EnumMap[Tier, device_pb2.Tier] = EnumMap(Tier, device_pb2.Tier.items(), "TIER_")
POLL_RESULT: EnumMap[PollResult, device_pb2.PollResult] = EnumMap(
    PollResult, device_pb2.PollResult.items(), "POLL_RESULT_"
)
FOUND_BY: EnumMap[FoundBy, discovery_pb2.FoundBy] = EnumMap(
    FoundBy, discovery_pb2.FoundBy.items(), "FOUND_BY_"
)
LANE: EnumMap[Lane, series_pb2.Lane] = EnumMap(Lane, series_pb2.Lane.items(), "LANE_")
CREDENTIAL_PURPOSE: EnumMap[Purpose, credential_service_pb2.CredentialPurpose] = EnumMap(
    Purpose, credential_service_pb2.CredentialPurpose.items(), "CREDENTIAL_PURPOSE_"
)
