"""What callers show, and those who look at it."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Protocol

from mtd.model.audit import AuditEntry
from mtd.model.principal import Principal
from mtd.model.tenant import Tenant


@dataclass(frozen=True, slots=True, repr=False)
class Certificate:
    """The certificate of a connection, as the TLS handshake found it good."""

    pem: bytes


@dataclass(frozen=True, slots=True, repr=False)
class Credentials:
    """What a caller shows, all of it unproved; a certificate was checked against the CA of the door.

    ``tenant`` is the tenant that it says it works for, by name or id; ``forwarded``: a proxy passed the call
    on, so that ``peer`` is the proxy.
    """

    peer: str
    bearer: str = ""
    session: str = ""
    certificate: Certificate | None = None
    tenant: str = ""
    forwarded: bool = False

    def __repr__(self) -> str:
        return f"Credentials(peer={self.peer!r})"  # never what they prove


class Verifier(Protocol):
    """Knows one kind of proof."""

    async def verify(self, credentials: Credentials) -> Principal | None:
        """Return who it is; None if nothing of this kind was shown. Raises Unauthenticated for a bad proof."""


class Tenants(Protocol):
    """Knows the tenants."""

    async def tenant_id(self, tenant: str) -> str | None:
        """Return the id of a tenant by its name or id; None if there is none."""

    async def tenant(self, tenant_id: str) -> Tenant | None:
        """Return a tenant by its id; None if there is none."""


class Gatekeeper(Protocol):
    """Lets callers in."""

    async def admit(self, credentials: Credentials) -> Principal:
        """Return who calls, and for which tenant. Raises Unauthenticated, Forbidden, Retryable."""


class Auditor(Protocol):
    """Writes the audit log."""

    def ready(self) -> None:
        """Raise Retryable while nothing can be written: what is to be audited must not be done then."""

    def record(self, entry: AuditEntry) -> Awaitable[None]:
        """Take an entry; it is durable when what is returned is done, whether or not anybody waits for it."""
