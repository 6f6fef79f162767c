"""Events for operators: the stored ones, then new ones, without gaps or doubles.

What a stream sends comes from the database, in the order of positions, and
nowhere else. A commit only wakes the feed of its tenant, which reads what is
new once for all streams and keeps the newest in memory. A stream that is up to
date takes them from there; one that fell behind reads the database by itself.
"""

from __future__ import annotations

import asyncio
import logging
from bisect import bisect_right
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

from mtd.api import metrics
from mtd.api.config import GrpcConfig
from mtd.api.errors import PositionBeyondEnd, StreamsClosed, TooManyStreams
from mtd.api.grpc.globs import Globs
from mtd.api.interfaces import TelemetryBackend
from mtd.core.queues import Policy, declare
from mtd.core.service import TaskGroup
from mtd.model.device import Severity
from mtd.queries.records import StoredEvent

logger = logging.getLogger(__name__)

T = TypeVar("T")

RANKS = {severity: rank for rank, severity in enumerate(Severity)}

FAILURE_PAUSE_S = 1.0


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events a stream wants."""

    patterns: tuple[str, ...]
    devices: Globs
    min_severity: Severity

    def wants(self, event: StoredEvent) -> bool:
        """Return whether an event is selected."""
        return RANKS[event.severity] >= RANKS[self.min_severity] and self.devices.matches(
            event.device_name, event.device_id
        )


TAIL = declare(
    "api.event_tail",
    "events",
    Policy.DROP_OLDEST,
    "The newest events of a tenant in memory, for streams of events. Who is further behind reads the database.",
    limited_by="grpc.event_tail",
)


class Feed:
    """The newest events of one tenant. Bound: ``event_tail``; policy: the oldest leave."""

    def __init__(self, telemetry: TelemetryBackend, tenant_id: str, config: GrpcConfig) -> None:
        self.readers = 0
        self.task: asyncio.Task[None] | None = None
        self.position = 0  # all events up to here are read
        self._telemetry = telemetry
        self._tenant_id = tenant_id
        self._config = config
        self._tail: list[StoredEvent] = []
        TAIL.watch(self, lambda one: len(one._tail), lambda one: one._config.event_tail)
        self._floor = 0  # all events behind this and up to position are in the tail
        self._dirty = asyncio.Event()
        self._changed = asyncio.Event()

    async def start(self) -> None:
        """Begin behind what is stored now."""
        self.position = self._floor = await self.bounded(self._telemetry.event_position(self._tenant_id))

    def wake(self) -> None:
        """There may be new events."""
        self._dirty.set()

    def after(self, position: int) -> Sequence[StoredEvent] | None:
        """Return the events behind a position, None if memory doesn't reach back that far."""
        if position < self._floor:
            return None
        start = bisect_right(self._tail, position, key=lambda event: event.position)
        return self._tail[start:]

    async def wait(self, position: int) -> None:
        """Wait until something was read behind a position."""
        while self.position <= position:
            changed = self._changed
            await changed.wait()

    async def follow(self) -> None:
        """Read what is new whenever something was committed. Runs as long as the feed has readers."""
        while True:
            await self._dirty.wait()
            self._dirty.clear()
            try:
                await self._read()
            except Exception:  # whatever it is, streams must not fall silent for it
                metrics.EVENT_READ_FAILURES.inc()
                logger.warning("new events can't be read, trying again", exc_info=True)
                self._dirty.set()
                await asyncio.sleep(FAILURE_PAUSE_S)
            await asyncio.sleep(self._config.event_read_interval_s)

    async def page(self, after: int, wanted: EventFilter) -> Sequence[StoredEvent]:
        """Read a page from the database for one stream."""
        return await self.bounded(
            self._telemetry.events_after(
                self._tenant_id, after, self._config.event_page, wanted.patterns, wanted.min_severity
            )
        )

    async def end(self) -> int:
        """Return the position behind all that is stored now."""
        return await self.bounded(self._telemetry.event_position(self._tenant_id))

    async def bounded(self, answer: Awaitable[T]) -> T:
        """Wait for the database, but not for ever."""
        async with asyncio.timeout(self._config.backend_deadline_s):
            return await answer

    async def _read(self) -> None:
        full = True
        while full:
            page = await self.bounded(
                self._telemetry.events_after(
                    self._tenant_id, self.position, self._config.event_page, (), Severity.INFO
                )
            )
            full = len(page) >= self._config.event_page
            if page:
                self._append(page)

    def _append(self, page: Sequence[StoredEvent]) -> None:
        self._tail.extend(page)
        self.position = page[-1].position
        surplus = len(self._tail) - self._config.event_tail
        if surplus > 0:
            self._floor = self._tail[surplus - 1].position
            del self._tail[:surplus]
        metrics.EVENT_TAIL.set(len(self._tail))
        self._changed.set()
        self._changed = asyncio.Event()


class EventFeeds:
    """The feeds of the tenants that someone reads; streams of events."""

    def __init__(self, telemetry: TelemetryBackend, config: GrpcConfig | None = None) -> None:
        self._telemetry = telemetry
        self._config = config or GrpcConfig()
        self._feeds: dict[str, Feed] = {}
        self._opening = asyncio.Lock()
        self._tasks = TaskGroup("api.events")
        self._closing = asyncio.Event()
        self._streams = 0

    def wake(self, tenants: Iterable[str]) -> None:
        """Events of these tenants were committed."""
        for tenant_id in tenants:
            feed = self._feeds.get(tenant_id)
            if feed is not None:
                feed.wake()

    async def stop(self) -> None:
        """End all streams: their readers are told to call again."""
        self._closing.set()
        await self._tasks.stop()

    async def events(
        self, tenant_id: str, wanted: EventFilter, after: int, *, until_now: bool
    ) -> AsyncGenerator[StoredEvent, None]:
        """Yield events behind a position; ``until_now``: only those that are stored already.

        Raises StreamsClosed, TooManyStreams and PositionBeyondEnd.
        """
        async with self._open(tenant_id) as feed:
            end = await feed.end()
            # The end is what was ever given out, so that retention can't move it back.
            if after > end:
                raise PositionBeyondEnd(f"position {after} lies behind the last event, {end}")
            if until_now:
                async for event in self._stored(feed, wanted, after, end):
                    yield event
                return
            while True:
                tail = feed.after(after)
                if tail is None:
                    # Everything up to here is in the database before we ask it.
                    reached = feed.position
                    tail = await feed.page(after, wanted)
                    if len(tail) >= self._config.event_page:
                        reached = 0
                elif not tail:
                    await self._wait(feed, after)
                    continue
                else:
                    reached = feed.position
                for event in tail:
                    if wanted.wants(event):
                        yield event
                after = max(reached, tail[-1].position if tail else after)

    async def _stored(
        self, feed: Feed, wanted: EventFilter, after: int, end: int
    ) -> AsyncIterator[StoredEvent]:
        full = True
        while full and after < end:
            page = await feed.page(after, wanted)
            full = len(page) >= self._config.event_page
            for event in page:
                if event.position > end:
                    return
                if wanted.wants(event):
                    yield event
            if page:
                after = page[-1].position

    async def _wait(self, feed: Feed, position: int) -> None:
        """Wait for news, or raise StreamsClosed."""
        news = asyncio.ensure_future(feed.wait(position))
        closing = asyncio.ensure_future(self._closing.wait())
        try:
            await asyncio.wait((news, closing), return_when=asyncio.FIRST_COMPLETED)
        finally:
            news.cancel()
            closing.cancel()
        if self._closing.is_set():
            raise StreamsClosed("the daemon stops serving")

    @asynccontextmanager
    async def _open(self, tenant_id: str) -> AsyncIterator[Feed]:
        if self._closing.is_set():
            raise StreamsClosed("the daemon stops serving")
        if self._streams >= self._config.max_streams:
            raise TooManyStreams(f"{self._streams} streams of events are open, as many as are allowed")
        self._streams += 1
        metrics.EVENT_STREAMS.inc()
        try:
            feed = await self._feed(tenant_id)
            try:
                yield feed
            finally:
                feed.readers -= 1
                if feed.readers == 0 and self._feeds.get(tenant_id) is feed:
                    del self._feeds[tenant_id]
                    if feed.task is not None:
                        feed.task.cancel()
        finally:
            self._streams -= 1
            metrics.EVENT_STREAMS.dec()

    async def _feed(self, tenant_id: str) -> Feed:
        async with self._opening:
            feed = self._feeds.get(tenant_id)
            if feed is None:
                feed = Feed(self._telemetry, tenant_id, self._config)
                # Before it asks where the events end: what is committed while it does must wake it.
                self._feeds[tenant_id] = feed
                try:
                    await feed.start()
                except BaseException:
                    del self._feeds[tenant_id]
                    raise
                feed.task = self._tasks.spawn("follow", feed.follow())
            feed.readers += 1
            return feed
