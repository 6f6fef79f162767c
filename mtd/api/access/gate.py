"""Who a caller is, found by what it shows; and for which tenant it works."""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Sequence
from dataclasses import replace

from mtd.api import metrics
from mtd.api.access.interfaces import Credentials, Tenants, Verifier
from mtd.core.errors import Forbidden, Unauthenticated
from mtd.model.device import DEFAULT_TENANT_ID
from mtd.model.principal import CallerKind, Principal, Role
from mtd.model.tenant import Tenant

logger = logging.getLogger(__name__)


class NoTenants:
    """Knows the first tenant only, by its id."""

    async def tenant_id(self, tenant: str) -> str | None:
        """Return the id."""
        return DEFAULT_TENANT_ID if tenant in ("default", DEFAULT_TENANT_ID) else None

    async def tenant(self, tenant_id: str) -> Tenant | None:
        """Return a tenant; who is known to belong to one is believed."""
        return Tenant(tenant_id, "default" if tenant_id == DEFAULT_TENANT_ID else tenant_id, enabled=True)


class Gate:
    """See `Gatekeeper`. The first verifier that knows the kind of proof decides.

    ``trust_loopback``: who calls from this machine and shows nothing is its operator. A call that a proxy
    passed on never is. ``home``: the tenant of who belongs to none and says for none.
    """

    def __init__(
        self,
        verifiers: Sequence[Verifier] = (),
        tenants: Tenants | None = None,
        *,
        trust_loopback: bool,
        home: str = DEFAULT_TENANT_ID,
    ) -> None:
        self._verifiers = list(verifiers)
        self._tenants: Tenants = tenants or NoTenants()
        self._trust_loopback = trust_loopback
        self._home = home

    async def admit(self, credentials: Credentials) -> Principal:
        """Return who calls, and for which tenant; a caller of unknown kind if it shows nothing."""
        caller = await self._who(credentials)
        if caller.crosses_tenants and caller.tenant_id == DEFAULT_TENANT_ID:
            caller = replace(caller, tenant_id=self._home)
        if caller.kind is not CallerKind.UNKNOWN and not caller.crosses_tenants:
            await self._refuse_disabled(caller)
        if not credentials.tenant:
            return caller
        wanted = await self._tenants.tenant_id(credentials.tenant)
        if wanted is not None and wanted == caller.tenant_id:
            return caller
        if caller.kind is CallerKind.UNKNOWN:
            return caller
        if not caller.crosses_tenants:
            # The same words for a tenant that isn't there: nobody learns by trying which there are.
            raise _forbidden(caller, f"{caller} may not work for the tenant {credentials.tenant[:100]!r}")
        if wanted is None:
            error = _forbidden(caller, f"there is no tenant {credentials.tenant[:100]!r}")
            error.hint = "`mtd tenant list` tells which there are"
            raise error
        return replace(caller, tenant_id=wanted)

    async def _refuse_disabled(self, caller: Principal) -> None:
        tenant = await self._tenants.tenant(caller.tenant_id)
        if tenant is None or not tenant.enabled:
            raise _forbidden(caller, f"{caller} belongs to a tenant that is switched off, or not served here")

    async def _who(self, credentials: Credentials) -> Principal:
        for verifier in self._verifiers:
            try:
                caller = await verifier.verify(credentials)
            except Unauthenticated:
                metrics.ACCESS_REFUSED.labels(reason="proof").inc()
                raise
            if caller is not None:
                return caller
        if credentials.bearer or credentials.session:
            metrics.ACCESS_REFUSED.labels(reason="proof").inc()
            raise Unauthenticated("the token isn't one that mtd gave out, or it is no longer good")
        here = is_loopback(credentials.peer) and not credentials.forwarded
        # Who shows a certificate, if only that of another CA, isn't somebody who shows nothing.
        if self._trust_loopback and here and credentials.certificate is None:
            return Principal(CallerKind.LOCAL, "", self._home, Role.SUPER_ADMIN, credentials.peer)
        return Principal(CallerKind.UNKNOWN, "", self._home, None, credentials.peer, "", frozenset())


def _forbidden(caller: Principal, text: str) -> Forbidden:
    metrics.ACCESS_REFUSED.labels(reason="tenant").inc()
    error = Forbidden(text)
    error.claimed = caller
    return error


def is_loopback(peer: str) -> bool:
    """Return whether a peer, an address with or without a port, can only be on this machine."""
    if peer.startswith("unix:"):
        return True
    address = peer.removeprefix("ipv4:").removeprefix("ipv6:")
    host = address[1 : address.index("]")] if address.startswith("[") and "]" in address else address
    if host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
