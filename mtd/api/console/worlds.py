"""A live channel for each tenant that somebody looks at, and none for the others."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from typing import TYPE_CHECKING

from mtd.api.console.live import Live
from mtd.core.clock import SYSTEM_CLOCK, Clock
from mtd.core.errors import Retryable
from mtd.core.service import TaskGroup
from mtd.model.device import DEFAULT_TENANT_ID

if TYPE_CHECKING:
    from mtd.api.console.config import ConsoleConfig
    from mtd.api.console.own import OwnState
    from mtd.api.console.parts import ConsoleParts

logger = logging.getLogger(__name__)

SWEEP_S = 10.0


class TooManyWorlds(Retryable):
    """Consoles of as many tenants are open as are allowed."""

    hint = "raise console.max_tenants, or close a console of another tenant"


class Worlds:
    """Makes the live channel of a tenant when it is first looked at, and drops it some time after the last look.

    That of the first tenant is there from the beginning: with one tenant, its trends are there whenever one looks.
    Bound: ``console.max_tenants``; who looks at one more makes way for nobody, unless one is without viewers.
    """

    def __init__(
        self,
        parts: ConsoleParts,
        config: ConsoleConfig,
        clock: Clock = SYSTEM_CLOCK,
        home: str = DEFAULT_TENANT_ID,
    ) -> None:
        self._parts = parts
        self._config = config
        self._clock = clock
        self._home = home
        self._lives: dict[str, Live] = {}
        self._tasks = TaskGroup("api.worlds")
        self.closed = False

    def start(self) -> None:
        """Begin with the first tenant."""
        self.of(self._home)
        self._tasks.spawn("sweep", self._sweep())

    async def stop(self, reason: str = "the daemon stops or starts again") -> None:
        """Say bye to all and end."""
        self.closed = True
        await self._tasks.stop()
        await asyncio.gather(*(live.stop(reason) for live in self._lives.values()))

    def of(self, tenant_id: str) -> Live:
        """Return the live channel of a tenant. Raises TooManyWorlds."""
        live = self._lives.get(tenant_id)
        if live is None:
            if len(self._lives) >= self._config.max_tenants:
                self._make_room()
            live = self._lives[tenant_id] = Live(self._parts, self._config, self._clock, tenant_id)
            live.start()
        return live

    def own(self, tenant_id: str) -> OwnState:
        """Return mtd's state as one tenant sees it."""
        return self.of(tenant_id).world.own

    @property
    def full(self) -> bool:
        """Whether as many consoles are open as are allowed."""
        return self.viewers >= self._config.max_viewers

    @property
    def viewers(self) -> int:
        """How many consoles are open."""
        return sum(live.viewers for live in self._lives.values())

    @property
    def tenants(self) -> Collection[str]:
        """The tenants whose channels are there."""
        return self._lives.keys()

    def changed(self, tenants: Collection[str] | None = None) -> None:
        """Something was committed that may change the lists of devices: of these tenants, or of all."""
        for tenant_id, live in self._lives.items():
            if tenants is None or tenant_id in tenants:
                live.changed()

    def _make_room(self) -> None:
        idle = [(live.empty_since, one) for one, live in self._lives.items() if self._is_idle(one, live)]
        if not idle:
            raise TooManyWorlds(f"consoles of {len(self._lives)} tenants are open, as many as are allowed")
        self._drop(min(idle)[1])

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_S)
            self.sweep()

    def sweep(self) -> None:
        """Drop what nobody looked at for a while."""
        before = self._clock.monotonic() - self._config.tenant_linger_s
        for tenant_id, live in list(self._lives.items()):
            if self._is_idle(tenant_id, live) and live.empty_since < before:
                self._drop(tenant_id)

    def _is_idle(self, tenant_id: str, live: Live) -> bool:
        return tenant_id != self._home and live.viewers == 0

    def _drop(self, tenant_id: str) -> None:
        logger.debug("nobody looks at tenant %s any more", tenant_id)
        live = self._lives.pop(tenant_id)
        self._tasks.spawn("drop", live.stop("nobody looks any more"))
