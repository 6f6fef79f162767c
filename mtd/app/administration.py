"""Behind the doors of administration: tenants, users and tokens."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mtd.api.access.rules import Rule
from mtd.api.admin_interfaces import QuotaUse
from mtd.api.grpc.admin.parts import tenant_part, token_part, user_part
from mtd.api.grpc.server import ServicePart
from mtd.core.clock import SYSTEM_CLOCK, Clock
from mtd.core.errors import Forbidden, NotFound, Refused
from mtd.model.tenant import Quota, Quotas
from mtd.security.attempts import Attempts

if TYPE_CHECKING:
    from mtd.app.tenancy import Tenancy
    from mtd.security.passwords import Passwords
    from mtd.storage.stores.tenants import TenantRecord
    from mtd.storage.stores.users import NewUser, UserRecord, UserStore

OTHER_SCOPES = ("ingest.write", "metrics.read", "console.read")
"""Scopes of doors that aren't gRPC."""

_MINUTE_S = 60.0

Meter = Callable[[str], Awaitable[tuple[float | None, str]]]
"""Tells how much of a quota a tenant uses, None if nobody knows, and what has to be said about it."""


def known_scopes(rules: Collection[Rule]) -> frozenset[str]:
    """Return the scopes that there are: those that methods ask for, and those of other doors."""
    return frozenset({rule.scope for rule in rules if rule.scope}) | frozenset(OTHER_SCOPES)


class TenantAdmin:
    """See `TenantBackend`. ``meters`` tell how much of each quota is used; one without isn't known."""

    def __init__(self, tenancy: Tenancy, meters: Mapping[Quota, Meter]) -> None:
        self._tenancy = tenancy
        self._store = tenancy.tenants
        self._meters = meters

    async def create(self, name: str, quotas: Quotas) -> TenantRecord:
        """Add a tenant, ready to be used."""
        record = await self._store.create(name, quotas)
        await self._tenancy.welcome_new()
        return record

    async def get(self, tenant: str) -> TenantRecord:
        """Return a tenant by its name or id."""
        return await self._store.get(tenant)

    async def list(self, after_name: str, limit: int) -> Sequence[TenantRecord]:
        """Return tenants by name, behind a name."""
        return await self._store.list(after_name=after_name, limit=limit)

    async def update(
        self, tenant: str, mask: Collection[str], name: str, enabled: bool, quotas: Quotas, revision: int
    ) -> TenantRecord:
        """Change what the mask names."""
        return await self._store.update(
            tenant, mask, name=name, enabled=enabled, quotas=quotas, revision=revision
        )

    async def usage(self, tenant_id: str, quotas: Quotas) -> Sequence[QuotaUse]:
        """Return how much of each quota a tenant uses."""
        found = []
        for quota in Quota:
            meter = self._meters.get(quota)
            used, note = (None, "") if meter is None else await meter(tenant_id)
            found.append(QuotaUse(quota, quotas.of(quota), used, note))
        return found


class UserAdmin:
    """See `UserBackend`."""

    def __init__(self, store: UserStore, passwords: Passwords, attempts: Attempts) -> None:
        self._store = store
        self._passwords = passwords
        self._attempts = attempts

    async def create(self, tenant_id: str, new: NewUser, password: str) -> UserRecord:
        """Add a user."""
        return await self._store.create(
            tenant_id, new, await self._passwords.hash(password) if password else ""
        )

    async def get(self, tenant_id: str, user: str) -> UserRecord:
        """Return a user by its name or id."""
        return await self._store.get(tenant_id, user)

    async def list(self, tenant_id: str, after_name: str, limit: int) -> Sequence[UserRecord]:
        """Return users by name, behind a name."""
        return await self._store.list(tenant_id, after_name=after_name, limit=limit)

    async def update(
        self, tenant_id: str, user_id: str, changes: Mapping[str, Any], revision: int
    ) -> UserRecord:
        """Change a user."""
        return await self._store.update(tenant_id, user_id, dict(changes), revision=revision)

    async def delete(self, tenant_id: str, user_id: str) -> None:
        """Remove a user."""
        await self._store.delete(tenant_id, user_id)

    async def set_password(self, tenant_id: str, user_id: str, password: str) -> None:
        """Give a user another password."""
        await self._store.set_password(tenant_id, user_id, await self._passwords.hash(password))

    async def change_password(self, user_id: str, old: str, new: str) -> None:
        """Let a user change its own password. Who guesses the old one has to wait."""
        self._passwords.check_choice(new)
        login = await self._store.by_id(user_id)
        if login is None:
            raise NotFound("you are no user any more")
        if not login.password_hash:
            raise Refused("you have no password here: an identity provider says who you are")
        self._attempts.check(user_id)
        if not await self._passwords.verify(login.password_hash, old):
            self._attempts.failed(user_id)
            wrong = Forbidden("old_password isn't your password")
            wrong.hint = "an admin of your tenant can set it without the old one"
            raise wrong
        self._attempts.succeeded(user_id)
        await self._store.set_password(
            login.user.tenant_id, login.user.user_id, await self._passwords.hash(new)
        )


def admin_parts(
    tenancy: Tenancy,
    users: UserStore,
    passwords: Passwords,
    scopes: Collection[str],
    meters: Mapping[Quota, Meter],
    failures_per_minute: int,
    clock: Clock = SYSTEM_CLOCK,
) -> list[ServicePart]:
    """Return the services of tenants, users and tokens."""
    attempts = Attempts("passwords", failures_per_minute, _MINUTE_S, clock)
    return [
        tenant_part(TenantAdmin(tenancy, meters)),
        user_part(UserAdmin(users, passwords, attempts), tenancy.directory),
        token_part(tenancy.tokens, scopes, clock),
    ]
