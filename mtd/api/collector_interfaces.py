"""What stands behind the doors of collectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from mtd.model.collector import Collector, Invitation, IssuedCertificate
from mtd.model.principal import Principal


class CollectorBackend(Protocol):
    """Looks after the collectors of a tenant. Raises NotFound for one that the tenant doesn't have."""

    async def invite(self, tenant_id: str, collector: str, life_s: float, by: str) -> Invitation:
        """Make a token for a collector, known or new. ``life_s`` 0: as usual. Raises Refused, QuotaExceeded."""

    async def get(self, tenant_id: str, collector: str) -> Collector:
        """Return a collector by its name or id."""

    async def list(self, tenant_id: str, after_name: str, limit: int) -> Sequence[Collector]:
        """Return collectors by name, at most ``limit`` behind a name."""

    async def disable(self, tenant_id: str, collector: str) -> Collector:
        """Shut a collector out."""

    async def enable(self, tenant_id: str, collector: str) -> Collector:
        """Let a collector in again."""

    async def revoke(self, tenant_id: str, collector: str, serial: str, reason: str) -> tuple[Collector, int]:
        """End a certificate, or all and the tokens that weren't used; return how many."""

    async def serve(self, tenant_id: str, collector: str, tenants: Sequence[str]) -> Collector:
        """Set which tenants a collector serves beside its own, by names or ids."""

    async def with_served(self, collectors: Sequence[Collector]) -> Sequence[Collector]:
        """Return collectors together with the tenants that they serve: for those who may see other tenants."""


class EnrollmentBackend(Protocol):
    """Gives certificates to collectors."""

    async def enrol(self, token: str, request: bytes, peer: str) -> IssuedCertificate:
        """Return a certificate for a token. Raises Unauthenticated, Refused, QuotaExceeded (too many attempts)."""

    async def renew(self, caller: Principal, request: bytes) -> IssuedCertificate:
        """Return the next certificate of a collector. Raises Refused."""
