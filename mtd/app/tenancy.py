"""Who may use this mtd, and for how much: tenants, tokens and quotas as the doors ask for them.

All of it is remembered for a while, and forgotten at once when PostgreSQL tells that something changed, whoever
changed it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from mtd.api.access.gate import Gate
from mtd.api.access.interfaces import Verifier
from mtd.api.access.running import RunningCalls
from mtd.app.remembering import Remembered
from mtd.app.token_verifier import TokenVerifier
from mtd.core.clock import SYSTEM_CLOCK, Clock
from mtd.core.errors import AlreadyExists, MtdError, NotFound
from mtd.core.service import TaskGroup
from mtd.model.device import DEFAULT_TENANT_ID
from mtd.model.tenant import Quotas, Tenant
from mtd.security.attempts import Attempts
from mtd.storage.stores.quotas import QuotaStore
from mtd.storage.stores.tenants import CHANNEL, TenantStore
from mtd.storage.stores.tokens import TokenStore

if TYPE_CHECKING:
    from mtd.security.config import SecurityConfig
    from mtd.storage.pool import Database, Listening

logger = logging.getLogger(__name__)

_KEPT_S = 10.0
_MOST = 10_000
_RETRY_S = 5.0
_MINUTE_S = 60.0
_ALL = ""

Forget = Callable[[], None]
Welcome = Callable[[Tenant], Awaitable[None]]


class TenantDirectory:
    """See `Tenants`: all tenants, read at once. ``sole``: the id of the only one that is served, if it is one only."""

    def __init__(self, store: TenantStore, clock: Clock = SYSTEM_CLOCK, sole: str = "") -> None:
        self._store = store
        self._sole = sole
        self._kept: Remembered[str, Mapping[str, Tenant]] = Remembered(_KEPT_S, 1, clock)

    async def tenant_id(self, tenant: str) -> str | None:
        """Return the id of a tenant by its name or id; None if there is none."""
        known = await self._known()
        found = known.get(tenant)
        if found is None:
            found = next((one for one in known.values() if one.name == tenant), None)
        return None if found is None else found.tenant_id

    async def tenant(self, tenant_id: str) -> Tenant | None:
        """Return a tenant by its id; None if there is none."""
        return (await self._known()).get(tenant_id)

    async def all(self) -> Sequence[Tenant]:
        """Return all tenants."""
        return list((await self._known()).values())

    def forget(self) -> None:
        """Read them again when they are asked for."""
        self._kept.forget()

    async def _known(self) -> Mapping[str, Tenant]:
        return await self._kept.get(_ALL, self._read)

    async def _read(self) -> Mapping[str, Tenant]:
        return {
            tenant.tenant_id: tenant
            for tenant in await self._store.directory()
            if self._sole in ("", tenant.tenant_id)
        }


class QuotaBook:
    """What each tenant may use."""

    def __init__(self, store: QuotaStore, clock: Clock = SYSTEM_CLOCK) -> None:
        self._store = store
        self._kept: Remembered[str, Quotas] = Remembered(_KEPT_S, _MOST, clock)

    async def limits(self, tenant_id: str) -> Quotas:
        """Return what a tenant may use. Raises StorageUnavailable if that can't be read."""
        return await self._kept.get(tenant_id, lambda: self._store.limits(tenant_id))

    def forget(self) -> None:
        """Read them again when they are asked for."""
        self._kept.forget()


class Tenancy:
    """The tenants, quotas and tokens of this process, and what drops them when they change.

    ``verifiers`` are asked in their order who a caller is: others add theirs before the doors open. Calls in
    ``running`` end with the tokens of their callers. ``welcome`` is called once for each tenant, at the start and when
    one is new, until it succeeds. ``sole``: the id of the only tenant that this process serves; the others are as if
    they weren't there.
    """

    def __init__(
        self,
        doors: Database,
        writer: Database,
        config: SecurityConfig,
        welcome: Welcome,
        clock: Clock = SYSTEM_CLOCK,
        *,
        running: RunningCalls | None = None,
        sole: str = "",
    ) -> None:
        self._writer = writer
        self.sole = sole
        self._welcome = welcome
        self.tenants = TenantStore(writer)
        self.tokens = TokenStore(doors, writer)
        self.quotas = QuotaStore(writer)
        self.directory = TenantDirectory(self.tenants, clock, sole)
        self.book = QuotaBook(self.quotas, clock)
        attempts = Attempts("tokens", config.failures_per_minute, _MINUTE_S, clock)
        self.home = sole or DEFAULT_TENANT_ID
        """The tenant that callers work for who belong to none and name none."""
        self._bearers = TokenVerifier(
            self.tokens, self.directory, attempts, running or RunningCalls(), clock, home=self.home
        )
        self.verifiers: list[Verifier] = [self._bearers]
        self.forgetful: list[Forget] = [self.directory.forget, self.book.forget, self._bearers.forget]
        self._trust_loopback = config.trust_loopback
        self._welcomed: set[str] = set()
        self._welcoming = asyncio.Lock()
        self._changed = asyncio.Event()
        self._tasks = TaskGroup("app.tenancy")
        self._listening: Listening | None = None

    @property
    def gate(self) -> Gate:
        """The gate of all doors. Verifiers that are added later don't pass it: take it when all are there."""
        return Gate(self.verifiers, self.directory, trust_loopback=self._trust_loopback, home=self.home)

    def serves(self, tenant_id: str) -> bool:
        """Return whether this process serves a tenant."""
        return self.sole in ("", tenant_id)

    async def start(self) -> None:
        """Welcome the tenants that there are, and follow changes."""
        await self._welcome_new()
        self._listening = await self._writer.listen(CHANNEL, self._on_change)
        await self._bearers.start()
        self._tasks.spawn("welcome", self._keep_welcoming())

    async def stop(self) -> None:
        """Follow nothing any more."""
        if self._listening is not None:
            await self._listening.stop()
        await self._tasks.stop()
        await self._bearers.stop()

    def _on_change(self, payload: str | None) -> None:
        # Seldom enough to forget all: which token a change is about matters less than to miss none.
        for forget in self.forgetful:
            forget()
        if payload is None or payload.startswith("tenant "):
            self._changed.set()

    async def _keep_welcoming(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                await self._welcome_new()
            except MtdError as error:
                logger.warning("a new tenant can't be prepared yet: %s", error)
                await asyncio.sleep(_RETRY_S)
                self._changed.set()

    async def shut_tenants(self) -> Collection[str]:
        """Return the ids of tenants that are switched off, as of now."""
        return {tenant.tenant_id for tenant in await self.tenants.directory() if not tenant.enabled}

    async def welcome_new(self) -> None:
        """Welcome tenants that are new, now; what fails is tried again in the background."""
        self.directory.forget()
        try:
            await self._welcome_new()
        except MtdError as error:
            logger.warning("a new tenant can't be prepared yet: %s", error)
            self._changed.set()

    async def _welcome_new(self) -> None:
        async with self._welcoming:
            for tenant in await self.directory.all():
                if tenant.tenant_id not in self._welcomed:
                    await self._welcome(tenant)
                    self._welcomed.add(tenant.tenant_id)


async def sole_tenant(name: str, tenants: TenantStore) -> str:
    """Return the id of the only tenant that is to be served, made if there is none of its name; empty for all."""
    if not name:
        return ""
    while True:
        try:
            return (await tenants.get(name)).tenant_id
        except NotFound:
            logger.info("there is no tenant %s yet: it is made", name)
        with contextlib.suppress(AlreadyExists):  # another process was quicker
            return (await tenants.create(name)).tenant_id
