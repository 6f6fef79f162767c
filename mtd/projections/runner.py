"""Follows a log and keeps its projections up with it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mtd.core import log_fields, tracing
from mtd.core.backoff import Backoff
from mtd.core.clock import SYSTEM_CLOCK, Clock
from mtd.core.errors import MtdError, NotFound, Retryable
from mtd.core.service import TaskGroup
from mtd.projections import metrics
from mtd.projections.batching import NumberedEvent
from mtd.projections.claims import Claims
from mtd.projections.committer import Committer
from mtd.projections.config import ProjectionsConfig
from mtd.projections.portions import portions
from mtd.projections.reader import ReadAhead
from mtd.projections.upcoming import Group, Upcoming
from mtd.projections.weights import first_of
from mtd.storage.pool import Database
from mtd.storage.stores.hub_logs import HubLogStore
from mtd.storage.stores.positions import PositionStore
from mtd.storage.txn import Transaction

if TYPE_CHECKING:
    from mtd.pb.events.v1.envelope_pb2 import Envelope

logger = logging.getLogger(__name__)

OnCommitted = Callable[[Sequence["tuple[int, Envelope]"]], None]

LIVE = "live"
_PIN = "projections"
_REBUILD_PIN = "projections.rebuild"
_WATCH_S = 1.0
_NOTHING_YET = -1
# Of whatever weight.
_READ_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class Lag:
    """How far a projection is behind the log. ``seconds`` is 0 if nothing waits."""

    position: int
    events: int
    seconds: float


@dataclass(slots=True)
class Lane:
    """Projections that share a position, and so a transaction."""

    name: str
    projections: list[Any]
    position: int
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class ProjectionRunner:
    """Runs the projections of one log.

    Projections that are equally far form the live lane. One that is behind,
    because it is new or being rebuilt, catches up in a lane of its own and then
    joins. Where it stands is in PostgreSQL, in the transaction of its rows, so
    that an interruption at any moment costs nothing. While PostgreSQL is away,
    the runner waits and the log keeps.

    ``on_committed`` is called with what the live lane committed, in order.
    """

    def __init__(
        self,
        log: Any,
        db: Database,
        projections: Sequence[Any],
        on_committed: OnCommitted | None = None,
        *,
        config: ProjectionsConfig | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._log = log
        self._db = db
        self._projections = {projection.name: projection for projection in projections}
        self._on_committed = on_committed
        self._config = config or ProjectionsConfig()
        self._clock = clock
        self._tasks = TaskGroup("projections")
        self._lanes: list[Lane] = []
        self._regroup = asyncio.Event()
        self._again = asyncio.Event()
        self._forgetting = False
        self._moved = asyncio.Condition()
        self._settling: deque[tuple[float, int]] = deque()
        self._backoff = Backoff(first_s=self._config.retry_first_s, cap_s=self._config.retry_cap_s)
        self._newest_us = clock.now_us()  # until something is projected: waiting has begun now
        self._published = _NOTHING_YET  # position up to which on_committed was called
        self.failure = ""
        """Why projecting doesn't go on at the moment; empty if it does."""

    async def start(self) -> None:
        """Begin. PostgreSQL need not be there yet; the log must be started."""
        self._positions = PositionStore(self._db, self._log.log_id)
        self._claims = Claims(HubLogStore(self._db, self._log.log_id))
        self._committer = Committer(self._db, self._positions, self._claims, self._config, self._clock)
        self._tasks.spawn("main", self._main())
        self._tasks.spawn("watch", self._watch())

    async def stop(self) -> None:
        """Stop. A transaction under way is given up: its events are projected after the next start."""
        await self._tasks.stop()

    @property
    def position(self) -> int:
        """Position that all projections have reached; 0 before the first start."""
        return min((lane.position for lane in self._lanes), default=0)

    def lag(self) -> dict[str, Lag]:
        """Return how far each projection is behind."""
        return {
            projection.name: self._lag_of(lane) for lane in self._lanes for projection in lane.projections
        }

    def behind(self) -> Lag:
        """Return how far the live lane is behind; before it is known where that is, what the log keeps for it."""
        if self._lanes:
            return self._lag_of(self._lanes[0])
        stats = self._log.stats()
        return self._lag_at(stats.consumers.get(_PIN, stats.last_seq))

    def _lag_of(self, lane: Lane) -> Lag:
        return self._lag_at(lane.position)

    def _lag_at(self, position: int) -> Lag:
        waiting = self._log.stats().last_seq - position
        age_s = max(0.0, (self._clock.now_us() - self._newest_us) / 1e6)
        return Lag(position, waiting, age_s if waiting > 0 else 0.0)

    def hurry(self) -> None:
        """PostgreSQL is known to answer again: don't wait any longer before the next try."""
        self._again.set()

    async def wait_for(self, position: int) -> None:
        """Wait until all projections have reached a position."""
        async with self._moved:
            await self._moved.wait_for(lambda: bool(self._lanes) and self.position >= position)

    async def rebuild(self, name: str) -> None:
        """Forget what a projection made of the events that the log still has, and make it again.

        Returns when that has begun; ``wait_for`` tells when it is done. Raises
        NotFound for an unknown projection.
        """
        projection = self._projections.get(name)
        if projection is None:
            raise NotFound(
                f"there is no projection {name!r}; there are {', '.join(sorted(self._projections))}"
            )
        # What is forgotten has to be there until it is made again: the log may forget what was projected, and that all is.
        self._forgetting = True
        self._log.pin(_REBUILD_PIN, self._log.stats().first_seq - 1)
        try:
            await self._put_back(projection, self._log.stats().first_seq)
        finally:
            self._forgetting = False
            self._log.unpin(_REBUILD_PIN)
        self._regroup.set()

    async def _put_back(self, projection: Any, first_seq: int) -> None:
        name = projection.name

        async def forget(tx: Transaction) -> None:
            await self._positions.put_back(tx, name, first_seq - 1)
            await projection.forget(tx, self._positions.log_id, first_seq)
            await self._positions.exhume(tx, name, first_seq)

        await self._db.run("projections.forget", forget)
        logger.info("rebuilding projection %s from event %d on", name, first_seq)
        for lane in self._lanes:
            lane.projections = [one for one in lane.projections if one.name != name]
        self._lanes.append(Lane(name, [projection], first_seq - 1))
        self._settling.clear()
        self._log.pin(_PIN, self.position)

    # -- lanes ----------------------------------------------------------------

    async def _main(self) -> None:
        log_fields.bind(log_id=self._log.log_id)
        while True:
            try:
                self._lanes = await self._group()
                await self._announce()
                await self._run_lanes()
                continue
            except Retryable as error:
                self.failure = str(error)
                logger.warning("projecting waits: %s", error)
            except MtdError as error:
                self.failure = str(error)
                logger.error("projecting waits until this is mended: %s", error)
            except Exception as error:
                self.failure = f"{type(error).__name__}: {error}"
                logger.exception("projecting failed")
            metrics.RETRIES.labels(cause="group").inc()
            self._again.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._again.wait(), self._backoff.next_delay())

    async def _group(self) -> list[Lane]:
        """Read the positions and put projections that are equally far together."""
        self._regroup.clear()
        positions = await self._positions.load(self._projections)
        await self._claims.open(self._log.stats().first_seq)
        front = max(positions.values())
        self._end_killed_rebuild(min(positions.values()))
        await self._publish_unheard(front)
        together = [self._projections[name] for name in self._projections if positions[name] == front]
        lanes = [Lane(LIVE, together, front)]
        for name, position in positions.items():
            if position != front:
                lanes.append(Lane(name, [self._projections[name]], position))
        return lanes

    def _end_killed_rebuild(self, lowest: int) -> None:
        """Let go of what a process held that was killed while it forgot: pins outlive it. What it put back stays held."""
        pins = self._log.stats().consumers
        if _REBUILD_PIN in pins and not self._forgetting:
            self._log.pin(_PIN, min(lowest, pins.get(_PIN, lowest)))
            self._log.unpin(_REBUILD_PIN)

    async def _run_lanes(self) -> None:
        """Run all lanes until one fails or a regrouping is asked for."""
        lanes = list(self._lanes)
        tasks: list[asyncio.Future[Any]] = [asyncio.ensure_future(self._follow(lane)) for lane in lanes]
        tasks.append(asyncio.ensure_future(self._regroup.wait()))
        try:
            pending = set(tasks)
            while tasks[0] in pending and tasks[-1] in pending:
                done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _follow(self, lane: Lane) -> None:
        """Project event after event; a lane that catches up ends when it has joined the live lane."""
        live = self._lanes[0]
        reader = ReadAhead(
            lane.name,
            self._log,
            lane.position,
            self._config.read_ahead_batches,
            self._config.read_ahead_events,
        )
        upcoming = Upcoming(reader, self._committer.build, self._config.batch_events)
        try:
            while True:
                if lane is not live and await self._join(lane, live):
                    return
                group = (await upcoming.take()).behind(lane.position)
                if not group.events:
                    continue  # the last steps were taken, but didn't lead to the live lane
                async with lane.turn, upcoming.building(lane.projections):
                    await self._commit(lane, group)
        finally:
            await reader.close()

    async def _commit(self, lane: Lane, group: Group) -> None:
        events = group.events
        traced = [envelope for _, envelope in events] if tracing.is_on() and lane.name == LIVE else ()
        projects = tracing.each("project", traced, {"mtd.log_id": self._log.log_id, "mtd.seq": events[0][0]})

        async def committed(done: Sequence[NumberedEvent], written: Sequence[NumberedEvent]) -> None:
            lane.position = done[-1][0]
            metrics.EVENTS_PROJECTED.labels(lane=lane.name).inc(len(written))
            if lane.name == LIVE:
                self._newest_us = done[-1][1].received_at_us
                with projects.then("publish", (envelope for _, envelope in written)):
                    await self._publish(written)
                self._published = max(self._published, lane.position)
            await self._announce()

        with projects:
            built = group.built_for(lane.projections)
            await self._committer.commit(lane.projections, lane.position, events, committed, built)
        self._backoff.reset()
        self.failure = ""

    async def _announce(self) -> None:
        """Tell those who wait for a position."""
        if self.position >= self._log.stats().last_seq:
            self.failure = ""  # nothing waits, whatever went wrong before
        async with self._moved:
            self._moved.notify_all()

    async def _join(self, lane: Lane, live: Lane) -> bool:
        """Let a lane that is about to catch up take the last steps while the live lane stands still."""
        if lane.position < live.position - self._config.batch_events:
            return False
        async with live.turn:
            while lane.position < live.position:
                batches = await self._log.read(lane.position, _READ_AT_ONCE)
                events = [pair for batch in batches for pair in batch.numbered()]
                events = [(seq, event) for seq, event in events if lane.position < seq <= live.position]
                if not events:
                    break
                await self._commit(lane, Group(first_of(events, self._config.batch_events)))
            if lane.position != live.position:
                return False
            live.projections = [*live.projections, *lane.projections]
            self._lanes.remove(lane)
        logger.info("projection %s has caught up", lane.name)
        return True

    async def _publish(self, events: Sequence[NumberedEvent]) -> None:
        """Tell of events that are committed, each once."""
        if events and self._published >= events[0][0]:
            # Projected again: PostgreSQL lost them in a crash, or they were put back.
            events = [(seq, envelope) for seq, envelope in events if seq > self._published]
        for some in portions(events):
            self._published = some[-1][0]
            if self._on_committed is None:
                continue
            try:
                self._on_committed(some)
            except Exception:
                # What is committed is committed: a failing subscriber must not make us project it again.
                metrics.PUBLISH_FAILURES.inc()
                logger.exception("a subscriber of committed events failed")
            await asyncio.sleep(0)

    async def _publish_unheard(self, front: int) -> None:
        """Tell of what was committed without our knowing: the answer got lost, or another projector did it."""
        if self._published == _NOTHING_YET:
            self._published = front  # nobody listened before the start
        while self._published < front:
            batches = await self._log.read(self._published, self._config.batch_events)
            events = [pair for batch in batches for pair in batch.numbered()]
            events = [(seq, event) for seq, event in events if self._published < seq <= front]
            if not events:
                break
            await self._publish(await self._claims.kept(events))
            self._published = max(self._published, events[-1][0])

    # -- watching -------------------------------------------------------------

    async def _watch(self) -> None:
        """Publish the lag, and let the log go where PostgreSQL has the events on disk."""
        while True:
            for name, lag in self.lag().items():
                metrics.LAG_EVENTS.labels(projection=name).set(lag.events)
                metrics.LAG_SECONDS.labels(projection=name).set(lag.seconds)
            self._let_go()
            await asyncio.sleep(_WATCH_S)

    def _let_go(self) -> None:
        """Pin the log to the position that was committed a while ago.

        Commits don't wait for the disk; what PostgreSQL may still lose in a
        crash must be in the log to be projected again.
        """
        if not self._lanes:
            return
        now = self._clock.monotonic()
        position = self.position
        if self._settling and position < self._settling[-1][1]:
            # A rebuild, or a crash of PostgreSQL, put it back.
            self._settling.clear()
            self._log.pin(_PIN, position)
        self._settling.append((now, position))
        settled = None
        while self._settling and self._settling[0][0] <= now - self._config.settle_s:
            settled = self._settling.popleft()[1]
        if settled is not None:
            self._log.pin(_PIN, settled)
