"""Tenants, users and tokens of the daemon, joined: what the gate asks, and the services that change it."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from mtd.api.access.rules import rules_of
from mtd.api.access.running import RunningCalls
from mtd.api.grpc.server import DESCRIPTORS, ServicePart
from mtd.api.login.config import LoginMode
from mtd.app.administration import Meter, admin_parts, known_scopes
from mtd.app.quota_metrics import keep_measuring
from mtd.app.tenancy import Tenancy
from mtd.core.service import TaskGroup
from mtd.model.tenant import Quota, Tenant
from mtd.security.passwords import Passwords
from mtd.storage.retention import raw_days_of
from mtd.storage.stores.catalogue import CatalogueStore
from mtd.storage.stores.users import UserStore

if TYPE_CHECKING:
    from mtd.app.config import Settings
    from mtd.model.catalogue import Catalogue
    from mtd.storage.pool import Database

logger = logging.getLogger(__name__)


class Identity:
    """Made before the doors, which take ``tenancy.gate`` and ``parts`` from it.

    ``meters`` tell how much of a quota is used: others add theirs.
    """

    def __init__(
        self,
        doors: Database,
        writer: Database,
        settings: Settings,
        catalogue: Catalogue,
        running: RunningCalls | None = None,
        sole: str = "",
    ) -> None:
        self._settings = settings
        self._catalogue = catalogue
        self._stored = CatalogueStore(writer)
        self.tenancy = Tenancy(doors, writer, settings.security, self._welcome, running=running, sole=sole)
        self.users = UserStore(doors, writer)
        self.passwords = Passwords(settings.security.passwords)
        self._tasks = TaskGroup("app.identity")
        self.meters: dict[Quota, Meter] = {
            Quota.DEVICES: lambda tenant_id: self._counted(tenant_id, Quota.DEVICES),
            Quota.COLLECTORS: lambda tenant_id: self._counted(tenant_id, Quota.COLLECTORS),
            Quota.INGEST_POINTS_PER_S: _sent,
            Quota.RETENTION_DAYS: self._retention,
        }

    async def start(self) -> None:
        """Prepare all tenants, and follow changes."""
        await self.tenancy.start()
        await self.tell_if_locked_out()
        self._tasks.spawn("quotas", keep_measuring(self.tenancy.quotas))

    async def tell_if_locked_out(self) -> None:
        """Say so where nobody could change anything, and how to get in; an identity provider may still send somebody."""
        settings = self._settings
        trusted = settings.security.trust_loopback or settings.login.mode is LoginMode.OIDC
        if not trusted and not await self.users.has_super_admin():
            logger.warning(
                "nobody may administrate this mtd: there is no super-admin, and security.trust_loopback is false; set"
                " it to true, start again, run `mtd user add NAME --super-admin`, and set it back (docs/tenants.md)"
            )

    async def stop(self) -> None:
        """Follow nothing any more."""
        await self._tasks.stop()
        await self.tenancy.stop()
        self.passwords.stop()

    def parts(self) -> list[ServicePart]:
        """Return the services of tenants, users and tokens."""
        return admin_parts(
            self.tenancy,
            self.users,
            self.passwords,
            known_scopes(rules_of(DESCRIPTORS).values()),
            self.meters,
            self._settings.security.failures_per_minute,
        )

    def limit(self, quota: Quota) -> Callable[[str], Awaitable[int | None]]:
        """Return what tells the limit of a tenant, by its id; None: there is none."""

        async def limit_of(tenant_id: str) -> int | None:
            return (await self.tenancy.book.limits(tenant_id)).of(quota)

        return limit_of

    async def _welcome(self, tenant: Tenant) -> None:
        """Give a tenant the metric catalogue: its values can be named then."""
        catalogue = self._catalogue
        metrics = [(metric, catalogue.collector_of(metric.key)) for metric in catalogue]
        await self._stored.put(
            catalogue.version, metrics, tenant_id=tenant.tenant_id, labels=catalogue.labels
        )

    async def _counted(self, tenant_id: str, quota: Quota) -> tuple[float | None, str]:
        return await self.tenancy.quotas.used(tenant_id, quota), ""

    async def _retention(self, tenant_id: str) -> tuple[float | None, str]:
        """Return for how many days a tenant's values are kept: the configuration says it, and the quota holds it down."""
        tenant = await self.tenancy.directory.tenant(tenant_id)
        days = raw_days_of(self._settings.database.retention, tenant_id, tenant.name if tenant else "")
        limit = await self.limit(Quota.RETENTION_DAYS)(tenant_id)
        if limit is None or days <= limit:
            return days, ""
        return days, (
            f"values are stored for {days} days and shown for {limit}: to drop them then, give the tenant a class"
            f" with raw_days = {limit} in database.retention.classes"
        )


async def _sent(tenant_id: str) -> tuple[float | None, str]:
    return None, "kept at the ingest door: what it refuses is in mtd_ingest_push_limited_total"
