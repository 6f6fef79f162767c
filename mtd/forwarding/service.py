"""The forwarder: reaches a hub, keeps at it, and tells the log what it may forget."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import random
from typing import TYPE_CHECKING, Any

from mtd.client import MtdClientError
from mtd.core.backoff import Backoff
from mtd.core.clock import SYSTEM_CLOCK, Clock
from mtd.core.errors import MtdError
from mtd.core.service import TaskGroup
from mtd.eventlog.errors import LogDamaged
from mtd.forwarding import metrics
from mtd.forwarding.ages import Ages
from mtd.forwarding.connection import Connection
from mtd.forwarding.hub_events import HubEvents
from mtd.forwarding.interfaces import Backlog, ForwardingStatus, HubDoors, LaneStatus, Telling
from mtd.forwarding.lanes import LaneBook
from mtd.forwarding.marks import Marks
from mtd.forwarding.pace import Pace

if TYPE_CHECKING:
    from mtd.client.copying import Opened
    from mtd.forwarding.config import ForwardConfig

logger = logging.getLogger(__name__)

PIN = "forwarder"
_WATCH_S = 1.0
_LOOK_S = 0.02
_RETRY_S = 1.0
_MOST_WAIT_S = 300.0
_REDECLARE_S = 30.0
_SHUT_OUT = frozenset({"UNAUTHENTICATED", "PERMISSION_DENIED"})
_SHUT_OUT_S = 30.0  # somebody has to do something about it, and each try is audited
_NEXT_HUB = frozenset({"UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED", "UNAUTHENTICATED", "UNIMPLEMENTED"})


class Forwarder:
    """Copies a log to a hub. ``home``: the tenant of the collector itself; ``name``: what the collector is called."""

    def __init__(
        self,
        log: Any,
        hubs: HubDoors,
        telling: Telling,
        config: ForwardConfig,
        *,
        name: str,
        home: str,
        version: str,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._log = log
        self._hubs = hubs
        self._telling = telling
        self._config = config
        self._home = home
        self._version = version
        self._clock = clock
        self._tasks = TaskGroup("forwarding")
        self._marks = Marks()
        self._book = LaneBook()
        self._ages = Ages(log, self._marks, clock)
        self._events = HubEvents(name, config.lost_after_s, telling.record_event, clock)
        self._backoff = Backoff(first_s=config.retry_first_s, cap_s=config.retry_cap_s)
        self._rng = random.Random()  # noqa: S311 - spreads load
        self._paces = (Pace(config.backfill_bytes_per_s, clock), Pace(config.backfill_events_per_s, clock))
        self._connection: Connection | None = None
        self._hub_version = ""
        self._since_us = 0
        self._last_push_us = 0
        self._redeclared_at, self._redeclare_at = -math.inf, math.inf
        self.failure = "it has not been tried yet"
        """Why the hub takes nothing; empty while it does."""

    async def start(self) -> None:
        """Begin; the log is open. What no hub has said that it has is kept from now on."""
        stats = self._log.stats()
        self._book = LaneBook(stats.first_seq, stats.last_seq)
        self._marks.note(self._clock.monotonic(), stats.last_seq)
        self._log.pin(PIN, max(stats.first_seq - 1, stats.consumers.get(PIN, 0)))
        self._since_us = self._clock.now_us()
        self._events.begin()
        for name, work in (("follow", self._follow()), ("hub", self._reach()), ("watch", self._watch())):
            self._tasks.spawn(name, work)

    async def stop(self, within_s: float = 0.0) -> None:
        """End. Until then, for a bounded time, the hub is given what is new."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._until_sent(self._log.stats().last_seq)
        await self._tasks.stop()
        metrics.CONNECTED.set(0)

    async def _until_sent(self, position: int) -> None:
        """Wait until the live lane has brought all up to a position, while there is a hub."""
        while (  # noqa: ASYNC110 - once, at the end
            self._connection is not None and self._book.stored.next_missing(self._book.live_from) <= position
        ):
            await asyncio.sleep(_LOOK_S)

    @property
    def connected(self) -> bool:
        """Whether a hub takes what comes."""
        return not self.failure

    def backlog(self) -> Backlog:
        """Return what the hub doesn't have yet."""
        return Backlog(self._book.depth, self._ages.seconds(self._book.oldest_missing, self._book.last))

    def status(self) -> ForwardingStatus:
        """Return how forwarding is."""
        book = self._book
        backlog = self.backlog()
        live_missing = book.stored.next_missing(max(book.first, book.live_from))
        live = LaneStatus(book.live.next, book.live_depth, self._ages.seconds(live_missing, book.last))
        behind = backlog.events - live.events
        now_us = self._clock.now_us()
        return ForwardingStatus(
            log_id=self._log.log_id,
            hub=self._hubs.current.target,
            hub_version=self._hub_version,
            connected=self.connected,
            since_us=self._since_us,
            failure=self.failure,
            first_seq=book.first,
            last_seq=book.last,
            kept_from=book.unpinned + 1,
            stored_seq=book.oldest_missing - 1,
            unprojected=book.unprojected,
            buffer_events=backlog.events,
            oldest_unsent_us=now_us - round(backlog.seconds * 1e6) if backlog.events else 0,
            last_push_us=self._last_push_us,
            live=live,
            backfill=LaneStatus(book.backfill.next, behind, backlog.seconds if behind else 0.0),
        )

    # -- the log -----------------------------------------------------------------------

    async def _follow(self) -> None:
        """Notice what is appended."""
        while True:
            try:
                async with contextlib.aclosing(self._log.subscribe(self._book.last)) as batches:
                    async for batch in batches:
                        self._grown(batch.last_seq)
            except LogDamaged as damaged:
                self._grown(damaged.last_seq)
            except MtdError as error:
                logger.warning("the log can't be followed now: %s", error)
            await asyncio.sleep(_RETRY_S)

    def _grown(self, last: int) -> None:
        self._book.grown(self._log.stats().first_seq, last)
        self._marks.note(self._clock.monotonic(), last)
        if self._connection is not None:
            self._connection.wake()

    # -- the hub -----------------------------------------------------------------------

    async def _reach(self) -> None:
        """Have a connection, again whenever it breaks."""
        while True:
            client = self._hubs.current
            wait_s = 0.0
            try:
                await self._connect(client)
            except MtdClientError as error:
                self._failed(str(error))
                wait_s = told_wait_s(error)
                metrics.CONNECTS.labels(result=_result_of(error)).inc()
                if error.code in _NEXT_HUB:
                    self._hubs.failed(client)
            except MtdError as error:
                self._failed(str(error))
                metrics.CONNECTS.labels(result="unreachable").inc()
                self._hubs.failed(client)
            except Exception as error:
                logger.exception("forwarding failed, by an error of mtd")
                self._failed(f"an error of mtd: {error!r}")
                metrics.CONNECTS.labels(result="failed").inc()
            # Those that were sent away together don't come back together.
            spread = 1.0 + 0.3 * self._rng.random()
            await asyncio.sleep(max(self._backoff.next_delay(), wait_s * spread))

    async def _connect(self, client: Any) -> None:
        self._connection = connection = Connection(
            client,
            self._log,
            self._book,
            self._marks,
            self._config,
            home=self._home,
            version=self._version,
            paces=self._paces,
            clock=self._clock,
        )
        connection.on_gap = self._gap
        connection.on_opened = self._opened
        connection.on_ack = self._acked
        try:
            await connection.run()
        finally:
            self._connection = None

    def _gap(self) -> None:
        """Live events go ahead of older ones: have their layouts told anew, but not each time that a line flaps."""
        self._redeclare_at = max(self._clock.monotonic(), self._redeclared_at + _REDECLARE_S)
        self._redeclare_if_due()

    def _redeclare_if_due(self) -> None:
        now = self._clock.monotonic()
        if now >= self._redeclare_at:
            self._redeclared_at, self._redeclare_at = now, math.inf
            self._telling.tell_again(self.backlog().seconds + _REDECLARE_S)

    def _opened(self, opened: Opened) -> None:
        metrics.CONNECTS.labels(result="ok").inc()
        metrics.CONNECTED.set(1)
        self.failure, self._hub_version, self._since_us = "", opened.version, self._clock.now_us()
        target = self._hubs.current.target
        logger.info("the hub %s takes events: %d of the log are still to be sent", target, self._book.depth)
        self._events.back(target, self._book.depth)
        if self._book.depth == 0:
            self._backoff.reset()
        self._let_go()

    def _acked(self) -> None:
        self._backoff.reset()
        self._last_push_us = self._clock.now_us()
        metrics.LAST_PUSH.set(self._last_push_us / 1e6)

    def _failed(self, reason: str) -> None:
        if not self.failure:
            self._since_us = self._clock.now_us()
            logger.warning("the hub takes nothing any more: %s", reason)
        elif reason != self.failure:
            logger.info("the hub still takes nothing: %s", reason)
        self.failure = reason
        metrics.CONNECTED.set(0)

    # -- watching ------------------------------------------------------------------------

    async def _watch(self) -> None:
        """Publish where forwarding stands, and let the log go where the hub's database has the events."""
        while True:
            self._book.grown(self._log.stats().first_seq, self._book.last)
            self._let_go()
            self._redeclare_if_due()
            await self._ages.look(self._book.oldest_missing, self._book.last)
            self._measure()
            if self.failure:
                self._events.lost(self.failure, self._book.depth)
            await asyncio.sleep(_WATCH_S)

    def _let_go(self) -> None:
        self._log.pin(PIN, self._book.unpinned)

    def _measure(self) -> None:
        status = self.status()
        for name, lane in (("live", status.live), ("backfill", status.backfill)):
            metrics.LAG_EVENTS.labels(lane=name).set(lane.events)
            metrics.LAG_SECONDS.labels(lane=name).set(lane.seconds)
        metrics.UNPROJECTED.set(status.unprojected)
        metrics.POSITION.set(status.kept_from - 1)


def told_wait_s(error: MtdClientError) -> float:
    """Return how long to wait at least before the hub is called again."""
    if error.code in _SHUT_OUT:
        return max(error.retry_after_s, _SHUT_OUT_S)
    return min(_MOST_WAIT_S, error.retry_after_s)


def _result_of(error: MtdClientError) -> str:
    if error.code == "RESOURCE_EXHAUSTED" or error.retry_after_s:
        return "busy"
    return "unreachable" if error.is_retryable else "refused"
