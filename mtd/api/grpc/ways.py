"""Ways to a device in messages of the protocol."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mtd.model.device import SnmpAuth, SnmpPriv, SnmpVersion, TlsMode, Way
from mtd.model.pb_enums import SNMP_AUTH, SNMP_PRIV, SNMP_VERSION, TLS_MODE, WAY, EnumMap
from mtd.pb.inventory.v1 import inventory_service_pb2 as pb
from mtd.queries.records import DeviceView
from mtd.storage.stores.device_settings import SNMP_PORT, DeviceSettings, Secret, Secrets

FINGERPRINT = re.compile(r"[0-9a-f]{64}")


def way_settings(given: pb.DeviceSettings) -> dict[str, Any]:
    """Return the settings of ways, by the names of `DeviceSettings`."""
    tls_mode = given.rest_tls_mode
    return {
        "ways": tuple(WAY.from_pb(number, Way.API) for number in given.ways),
        "rest_port": given.rest_port,
        "rest_tls_mode": TLS_MODE.from_pb(tls_mode, TlsMode.VERIFY) if tls_mode else None,
        "rest_tls_fingerprint": normal_fingerprint(given.rest_tls_fingerprint),
        "snmp_version": SNMP_VERSION.from_pb(given.snmp_version, SnmpVersion.V2C)
        if given.snmp_version
        else None,
        "snmp_port": given.snmp_port or SNMP_PORT,
        "snmp_username": given.snmp_username,
        "snmp_auth": SNMP_AUTH.from_pb(given.snmp_auth, SnmpAuth.NONE),
        "snmp_priv": SNMP_PRIV.from_pb(given.snmp_priv, SnmpPriv.NONE),
    }


def way_problems(given: pb.DeviceSettings) -> Mapping[str, str]:
    """Return what is wrong with numbers that the inventory has no words for, by field."""
    return {
        "ways": _problem(given.ways, WAY),
        "rest_tls_mode": _problem(_if_set(given.rest_tls_mode), TLS_MODE),
        "rest_tls_fingerprint": fingerprint_problem(normal_fingerprint(given.rest_tls_fingerprint)),
        "snmp_version": _problem(_if_set(given.snmp_version), SNMP_VERSION),
        "snmp_auth": _problem(_if_set(given.snmp_auth), SNMP_AUTH),
        "snmp_priv": _problem(_if_set(given.snmp_priv), SNMP_PRIV),
    }


def _if_set(number: int) -> Sequence[int]:
    return (number,) if number else ()


def _problem(numbers: Iterable[int], words: EnumMap[Any, Any]) -> str:
    if all(map(words.knows, numbers)):
        return ""
    return f"there are {', '.join(words.words)}"


def secrets_of(given: pb.DeviceSecrets) -> Secrets:
    """Return the secrets that are given."""
    return {secret: getattr(given, secret.value) for secret in Secret if given.HasField(secret.value)}


def put_way_settings(settings: DeviceSettings, into: pb.DeviceSettings) -> None:
    """Write the settings of ways into a message."""
    into.ways.extend(WAY.to_pb(way) for way in settings.ways)
    into.rest_port = settings.rest_port
    if settings.rest_tls_mode is not None:
        into.rest_tls_mode = TLS_MODE.to_pb(settings.rest_tls_mode)
    into.rest_tls_fingerprint = settings.rest_tls_fingerprint
    if settings.snmp_version is not None:
        into.snmp_version = SNMP_VERSION.to_pb(settings.snmp_version)
    into.snmp_port = settings.snmp_port
    into.snmp_username = settings.snmp_username
    into.snmp_auth = SNMP_AUTH.to_pb(settings.snmp_auth)
    into.snmp_priv = SNMP_PRIV.to_pb(settings.snmp_priv)


def put_way_states(view: DeviceView, into: pb.Device) -> None:
    """Write how the ways to a device stand into a message."""
    for state in view.ways:
        into.ways.add(way=WAY.to_pb(state.way), state=state.standing.value, detail=state.detail)


def normal_fingerprint(text: str) -> str:
    """Return a fingerprint as lower-case digits."""
    return text.replace(":", "").strip().lower()


def fingerprint_problem(fingerprint: str) -> str:
    """Return what is wrong with a fingerprint; nothing with an empty one."""
    if fingerprint and not FINGERPRINT.fullmatch(fingerprint):
        return "a SHA-256 fingerprint has 64 hexadecimal digits"
    return ""
