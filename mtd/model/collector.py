"""Collectors, as those see them who look after them: who they are, and what they prove it with."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass


class CollectorState(enum.StrEnum):
    """How a collector stands."""

    INVITED = "invited"
    ACTIVE = "active"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class CollectorCertificate:
    """A certificate of a collector. ``revoked_us``: None if it wasn't."""

    fingerprint: bytes
    serial: str
    authority: bytes
    issued_us: int
    not_after_us: int
    revoked_us: int | None = None
    revoked_reason: str = ""


@dataclass(frozen=True, slots=True)
class Collector:
    """A collector. ``served``: tenants beside its own. Certificates that expired aren't among them."""

    tenant_id: str
    collector_id: str
    name: str
    state: CollectorState
    created_us: int
    created_by: str
    enrolled_us: int | None = None
    last_seen_us: int | None = None
    last_seen_peer: str = ""
    certificates: Sequence[CollectorCertificate] = ()
    served: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class IssuedCertificate:
    """What a collector gets when it enrols or renews. ``collector_port``: 0 if it is the port that was called."""

    chain: bytes
    authorities: bytes
    collector_id: str
    collector_name: str
    tenant_ids: Sequence[str]
    not_after_us: int
    collector_port: int = 0


@dataclass(frozen=True, slots=True)
class Invitation:
    """A token with which a collector may enrol. ``token`` is a secret."""

    token: str
    expires_us: int
    collector: Collector

    def __repr__(self) -> str:
        return f"Invitation({self.collector.name!r})"
