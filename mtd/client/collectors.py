"""Collectors and their certificates: give what a function here returns to a client.

invitation = client.ask(collectors.invite("edge-1"))
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from mtd.client.requests import Call
from mtd.client.values import word
from mtd.pb.admin.v1 import collector_service_pb2 as pb
from mtd.pb.ingest.v1 import enrollment_service_pb2 as enrollment_pb

COLLECTORS = "collectors"
ENROLLMENT = "enrollment"


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate of a collector. ``revoked_at`` is None if it wasn't revoked."""

    serial: str
    fingerprint_sha256: str
    issued_at: dt.datetime
    expires_at: dt.datetime
    revoked_at: dt.datetime | None
    revoke_reason: str


@dataclass(frozen=True, slots=True)
class Collector:
    """A collector. ``state``: invited, active or disabled. Certificates that expired aren't among them."""

    id: str
    name: str
    state: str
    created_at: dt.datetime
    created_by: str
    enrolled_at: dt.datetime | None
    last_seen_at: dt.datetime | None
    last_seen_peer: str
    certificates: Sequence[Certificate]
    served_tenant_ids: Sequence[str]


@dataclass(frozen=True, slots=True)
class Collectors:
    """A page of collectors; an empty token ends the list."""

    collectors: Sequence[Collector]
    next_page_token: str


@dataclass(frozen=True, slots=True)
class Invitation:
    """A token with which a collector may enrol, once. It can't be read again."""

    token: str = field(repr=False)
    expires_at: dt.datetime
    collector: Collector


@dataclass(frozen=True, slots=True)
class Issued:
    """What a collector gets when it enrols or renews."""

    certificate_chain: bytes
    authorities: bytes
    collector_id: str
    collector_name: str
    tenant_ids: Sequence[str]
    expires_at: dt.datetime
    collector_port: int


def invite(collector: str, *, life_s: int = 0) -> Call[Invitation]:
    """Build CreateEnrollmentToken."""
    request = pb.CreateEnrollmentTokenRequest(collector=collector, life_seconds=life_s)
    return Call(
        COLLECTORS,
        "CreateEnrollmentToken",
        request,
        lambda answer: Invitation(answer.token, _time(answer.expire_time), _collector(answer.collector)),
    )


def page(*, page_size: int = 0, page_token: str = "") -> Call[Collectors]:
    """Build ListCollectors."""
    request = pb.ListCollectorsRequest(page_size=page_size, page_token=page_token)
    return Call(
        COLLECTORS,
        "ListCollectors",
        request,
        lambda answer: Collectors(tuple(map(_collector, answer.collectors)), answer.next_page_token),
    )


def get(collector: str) -> Call[Collector]:
    """Build GetCollector."""
    return _of_one("GetCollector", pb.GetCollectorRequest(collector=collector))


def disable(collector: str) -> Call[Collector]:
    """Build DisableCollector."""
    return _of_one("DisableCollector", pb.DisableCollectorRequest(collector=collector))


def enable(collector: str) -> Call[Collector]:
    """Build EnableCollector."""
    return _of_one("EnableCollector", pb.EnableCollectorRequest(collector=collector))


def serve(collector: str, tenants: Sequence[str]) -> Call[Collector]:
    """Build SetServedTenants."""
    return _of_one("SetServedTenants", pb.SetServedTenantsRequest(collector=collector, tenants=tenants))


def revoke(collector: str, serial: str = "", reason: str = "") -> Call[int]:
    """Build RevokeCollector; the answer is how many certificates and tokens ended."""
    request = pb.RevokeCollectorRequest(collector=collector, serial=serial, reason=reason)
    return Call(COLLECTORS, "RevokeCollector", request, lambda answer: int(answer.revoked))


def enroll(token: str, certificate_request: bytes) -> Call[Issued]:
    """Build Enroll: for a client that knows the hub's CA, and shows nothing."""
    request = enrollment_pb.EnrollRequest(enrollment_token=token, certificate_request=certificate_request)
    return Call(ENROLLMENT, "Enroll", request, lambda answer: _issued(answer.issued))


def renew(certificate_request: bytes) -> Call[Issued]:
    """Build RenewCertificate: for a client that shows the certificate that it has."""
    request = enrollment_pb.RenewCertificateRequest(certificate_request=certificate_request)
    return Call(ENROLLMENT, "RenewCertificate", request, lambda answer: _issued(answer.issued))


def _of_one(method: str, request: object) -> Call[Collector]:
    return Call(COLLECTORS, method, request, lambda answer: _collector(answer.collector))


def _collector(message: pb.Collector) -> Collector:
    return Collector(
        message.id,
        message.name,
        word(pb.CollectorState, message.state, "COLLECTOR_STATE_"),
        _time(message.create_time),
        message.created_by,
        _if_told(message, "enroll_time"),
        _if_told(message, "last_seen_time"),
        message.last_seen_peer,
        tuple(map(_certificate, message.certificates)),
        tuple(message.served_tenant_ids),
    )


def _certificate(message: pb.Certificate) -> Certificate:
    return Certificate(
        message.serial,
        message.fingerprint_sha256,
        _time(message.issue_time),
        _time(message.expire_time),
        _if_told(message, "revoke_time"),
        message.revoke_reason,
    )


def _issued(message: enrollment_pb.IssuedCertificate) -> Issued:
    return Issued(
        message.certificate_chain,
        message.authorities,
        message.collector_id,
        message.collector_name,
        tuple(message.tenant_ids),
        _time(message.expire_time),
        message.collector_port,
    )


def _if_told(message: Any, name: str) -> dt.datetime | None:
    return _time(getattr(message, name)) if message.HasField(name) else None


def _time(stamp: Timestamp) -> dt.datetime:
    return stamp.ToDatetime(dt.UTC)
