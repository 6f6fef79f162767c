"""The live channel: the viewers, and what is read for all of them while someone looks."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from mtd.api.console import metrics
from mtd.api.console.cards import Card, Cards
from mtd.api.console.events import EventTail
from mtd.api.console.fleet import Fleet
from mtd.api.console.own import OwnState
from mtd.api.console.trends import Trends
from mtd.api.console.viewer import Viewer, hello_parts
from mtd.api.console.world import World
from mtd.core.clock import SYSTEM_CLOCK, Clock
from mtd.core.errors import MtdError
from mtd.core.service import TaskGroup
from mtd.model.device import DEFAULT_TENANT_ID
from mtd.model.metric import Tier

if TYPE_CHECKING:
    from mtd.api.console.config import ConsoleConfig
    from mtd.api.console.parts import ConsoleParts

logger = logging.getLogger(__name__)

OWN_LOOK_S = 0.5
FAILURE_PAUSE_S = 1.0
FLEET_GAP_S = 1.0
FLEET_ANYWAY_S = 60.0
"""The list is read again after so long even if nobody said that it changed: someone may have used SQL."""


class Live:
    """Everything live of one tenant. ``start`` when the hub has its values; ``stop`` says bye."""

    def __init__(
        self,
        parts: ConsoleParts,
        config: ConsoleConfig,
        clock: Clock = SYSTEM_CLOCK,
        tenant_id: str = DEFAULT_TENANT_ID,
    ) -> None:
        self._backend = parts.backend
        self._config = config
        self._tenant_id = tenant_id
        self._viewers: dict[Viewer, Callable[[str], None]] = {}
        self._tasks = TaskGroup("api.console")
        self._following: asyncio.Task[None] | None = None
        self._stale = asyncio.Event()
        self._stale.set()
        self._someone = asyncio.Event()
        cards = Cards(parts.hub, tenant_id, self._tasks)
        cards.on_added = self._card_added
        cards.on_gone = self._card_gone
        trends = Trends(cards, clock, parts.intervals_s)
        self.world = World(
            clock,
            hello_parts(parts.process.version),
            cards,
            Fleet(
                lambda device_id: _last_seen(cards, device_id), lambda: parts.intervals_s().get(Tier.T0.value)
            ),
            EventTail(parts.telemetry, parts.feeds, tenant_id),
            trends,
            OwnState(parts.process, trends.cpu_pct, clock, tenant_id),
        )
        self.closed = False
        self.empty_since = clock.monotonic()
        """Since when nobody looks, by the monotonic clock, if nobody does."""

    def start(self) -> None:
        """Begin to follow what changes."""
        self._keep("fleet", self._follow_fleet)
        self._keep("trends", self.world.trends.follow)
        self._keep("samples", self.world.own.follow)
        self._keep("self", self._tell_own)

    async def stop(self, reason: str) -> None:
        """Say bye to all and end."""
        self.closed = True
        for close in list(self._viewers.values()):
            close(reason)
        self.world.cards.close()
        await self._tasks.stop()

    def changed(self) -> None:
        """Something was committed that may change the list of devices."""
        self._stale.set()

    @property
    def viewers(self) -> int:
        """How many consoles look."""
        return len(self._viewers)

    def join(self, viewer: Viewer, close: Callable[[str], None]) -> None:
        """Take in a viewer; ``close`` says bye to it."""
        self._viewers[viewer] = close
        metrics.VIEWERS.inc()
        self._someone.set()
        if self._following is None:
            self._following = self._keep("events", self.world.events.follow)

    def leave(self, viewer: Viewer) -> None:
        """Let a viewer go."""
        viewer.leave()
        if self._viewers.pop(viewer, None) is not None:
            metrics.VIEWERS.dec()
        if not self._viewers:
            self._someone.clear()
            self.empty_since = self.world.clock.monotonic()

    def _keep(self, what: str, follow: Callable[[], Awaitable[None]]) -> asyncio.Task[None]:
        """Follow something in the background: an error of ours must not let the consoles fall silent."""

        async def kept() -> None:
            while True:
                try:
                    await follow()
                    return
                except Exception:
                    metrics.READ_FAILURES.labels(what=what).inc()
                    logger.exception("consoles aren't told of %s at the moment, by an error of mtd", what)
                await asyncio.sleep(FAILURE_PAUSE_S)

        return self._tasks.spawn(what, kept())

    def _card_added(self, card: Card) -> None:
        for viewer in self._viewers:
            viewer.card_added(card)

    def _card_gone(self, card: Card) -> None:
        for viewer in self._viewers:
            viewer.card_gone(card)
        self.world.trends.forget(card)

    async def _tell_own(self) -> None:
        """Make the text of mtd's own state while someone wants it."""
        while True:
            if any(viewer.view.self_ for viewer in self._viewers):
                await self.world.own.refresh()
            await asyncio.sleep(OWN_LOOK_S)

    async def _follow_fleet(self) -> None:
        """Read the list when it may have changed, at most once a second, and only while someone looks."""
        while True:
            await self._someone.wait()
            try:
                async with asyncio.timeout(FLEET_ANYWAY_S):
                    await self._stale.wait()
            except TimeoutError:
                logger.debug("reading the list of devices although nothing was said to have changed")
            self._stale.clear()
            try:
                async with asyncio.timeout(self._config.deadline_s):
                    rows = await self._backend.fleet(self._tenant_id)
                await self.world.fleet.take(rows)
            except (MtdError, TimeoutError) as error:
                metrics.READ_FAILURES.labels(what="fleet").inc()
                logger.warning("the list of devices can't be read for consoles, trying again: %s", error)
                self._stale.set()
            await asyncio.sleep(FLEET_GAP_S)


def _last_seen(cards: Cards, device_id: str) -> int | None:
    card = cards.get(device_id)
    if card is None:
        return None
    return max((group.newest.collected_at_us for group in card.groups.values()), default=None)
