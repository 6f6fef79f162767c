"""One connection to a hub: two streams, and what goes over them, until one of them breaks."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mtd.client.copying import BACKFILL, LIVE, Ack, Answer, CopyCall, Opened, Projected, Resend
from mtd.core.clock import SYSTEM_CLOCK, Clock
from mtd.core.errors import Bug, MtdError, Refused, Retryable
from mtd.core.queues import Policy, declare
from mtd.core.versions import skew_problem
from mtd.eventlog.errors import LogDamaged
from mtd.eventlog.interfaces import ISalvages
from mtd.forwarding import metrics
from mtd.forwarding.cutting import Limits, Message, messages_of
from mtd.forwarding.lanes import Lane, LaneBook, Sent
from mtd.forwarding.pace import Pace, wait_for

if TYPE_CHECKING:
    from mtd.client import AsyncMtdClient
    from mtd.forwarding.config import ForwardConfig
    from mtd.forwarding.marks import Marks
    from mtd.model.ranges import Span

logger = logging.getLogger(__name__)

_READ_EVENTS = 4096
_OPEN_S = 15.0
_LOOK_S = 0.25
_READ_RETRY_S = 1.0
_BEHIND_S = 1.0  # what is new and waits for longer has the line to itself
_SLOWEST_BYTES_PER_S = 32 * 1024  # of a line over which a large event has to come through
_SKIP_AFTER = 3.0  # times the horizon
_PACKED_BATCH_BYTES = 128 * 1024  # gRPC packs on the loop: no more than some milliseconds at a time


UNACKED = declare(
    "forwarding.unacked",
    "batches",
    Policy.WAIT,
    "Batches that were sent to the hub and are not acknowledged, of both lanes. The log keeps the rest.",
    limited_by="the hub: ingest.append.window_batches and window_bytes, for each lane",
)


class HubSilent(Retryable):
    """The hub takes nothing, or has ended a stream."""


class Stream:
    """One lane's stream, and where the lane stands."""

    def __init__(self, name: str, call: CopyCall, lane: Callable[[], Lane]) -> None:
        self.name = name
        self.call = call
        self._lane = lane
        self.heard_at = 0.0

    @property
    def lane(self) -> Lane:
        """Where the lane stands."""
        return self._lane()


class Connection:
    """See `run`. Used once. ``changed`` is set whenever the book may have changed."""

    def __init__(
        self,
        client: AsyncMtdClient,
        log: Any,
        book: LaneBook,
        marks: Marks,
        config: ForwardConfig,
        *,
        home: str,
        version: str,
        paces: tuple[Pace, Pace],
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._client = client
        self._log = log
        self._book = book
        self._marks = marks
        self._config = config
        self._home = home
        self._version = version
        self._paces = paces
        self._clock = clock
        self._opened: Opened | None = None
        self._live = self._stream(LIVE, lambda: book.live)
        self._backfill = self._stream(BACKFILL, lambda: book.backfill)
        self._wakers: set[asyncio.Event] = set()
        UNACKED.watch(self, lambda one: one._batches_under_way(), lambda one: one._most_under_way())
        self.on_gap: Callable[[], None] = lambda: None
        """Called when live events will come before older ones: what explains them has to be told anew."""
        self.on_opened: Callable[[Opened], None] = lambda _: None
        self.on_ack: Callable[[], None] = lambda: None

    def _stream(self, name: str, lane: Callable[[], Lane]) -> Stream:
        return Stream(name, CopyCall(self._client, compressed=self._config.compress), lane)

    def _batches_under_way(self) -> int:
        return len(self._live.lane.under_way) + len(self._backfill.lane.under_way)

    def _most_under_way(self) -> int:
        return 0 if self._opened is None else 2 * self._opened.window_batches

    def wake(self) -> None:
        """Something changed: new events, acknowledgements."""
        for waker in self._wakers:
            waker.set()

    async def run(self) -> None:
        """Copy both lanes until that can't go on. Raises MtdClientError, MtdError."""
        try:
            await self._begin()
            async with asyncio.TaskGroup() as tasks:
                for stream, send in ((self._live, self._send_live), (self._backfill, self._send_backfill)):
                    tasks.create_task(self._read(stream))
                    tasks.create_task(send())
                tasks.create_task(self._listen())
        except BaseExceptionGroup as group:
            raise _first_of(group) from None
        finally:
            self._live.call.cancel()
            self._backfill.call.cancel()
            for name in (LIVE, BACKFILL):
                metrics.UNACKED_BYTES.labels(lane=name).set(0)

    # -- opening ---------------------------------------------------------------------

    async def _begin(self) -> None:
        """Open the live lane and take what the hub has; then the backfill."""
        book, now = self._book, self._clock.monotonic()
        recent = max(book.first - 1, self._marks.before(now - self._config.live_horizon_s, book.last))
        opened = await self._open(self._live, recent + 1)
        problem = skew_problem(self._version, opened.version)
        if problem:
            raise Refused(problem)
        self._opened = opened
        await self._go_on_behind(opened)
        book.connected(opened.stored, opened.projected, recent)
        await self._open(self._backfill, book.first)
        if book.backfill_span() is not None:
            self.on_gap()
        self._live.heard_at = self._backfill.heard_at = now
        self.on_opened(opened)

    async def _go_on_behind(self, opened: Opened) -> None:
        """See to it that the log gives no position anew that the hub knows: it may have lost its end."""
        known = max((last for _, last in opened.stored), default=0)
        if known > self._log.stats().last_seq and ISalvages.providedBy(self._log):
            await self._log.go_on_behind(known)

    async def _open(self, stream: Stream, position: int) -> Opened:
        try:
            async with asyncio.timeout(_OPEN_S):
                await stream.call.open(self._log.log_id, stream.name, position, self._version)
                answer = await stream.call.read()
        except TimeoutError:
            raise HubSilent(f"the hub doesn't answer within {_OPEN_S:g} s") from None
        if not isinstance(answer, Opened):
            raise HubSilent("the hub ended a stream before it was opened")
        return answer

    # -- answers ---------------------------------------------------------------------

    async def _read(self, stream: Stream) -> None:
        while (answer := await stream.call.read()) is not None:
            self._take(stream, answer)
            self.wake()
        raise HubSilent("the hub has ended a stream")

    def _take(self, stream: Stream, answer: Answer) -> None:
        book = self._book
        if isinstance(answer, Ack):
            book.acked(stream.lane, answer.first_seq, answer.last_seq)
            stream.heard_at = self._clock.monotonic()
            self._count(stream, answer)
            self.on_ack()
        elif isinstance(answer, Resend):
            metrics.RESENDS.labels(lane=stream.name).inc()
            if not 1 <= answer.next_seq <= book.last + 1:
                raise Refused(f"the hub asks for event {answer.next_seq} of a log that ends at {book.last}")
            stream.lane.rewind(answer.next_seq)
        elif isinstance(answer, Projected):
            # A hub that is behind with its own work says so by this, and takes more later.
            stream.heard_at = self._clock.monotonic()
            book.told_projected(answer.projected)
        else:
            self._opened = answer
            book.told_projected(answer.projected)
            book.stored.update(answer.stored)

    @staticmethod
    def _count(stream: Stream, ack: Ack) -> None:
        events = ack.last_seq + 1 - ack.first_seq
        for outcome, count in (
            ("stored", events - ack.duplicates - ack.dropped),
            ("duplicate", ack.duplicates),
            ("dropped", ack.dropped),
        ):
            metrics.EVENTS.labels(lane=stream.name, outcome=outcome).inc(count)
        metrics.UNACKED_BYTES.labels(lane=stream.name).set(stream.lane.bytes)

    async def _listen(self) -> None:
        """Notice a hub that takes nothing any more, though the line seems to be there."""
        while True:
            await asyncio.sleep(min(5.0, self._config.ack_timeout_s / 4))
            now = self._clock.monotonic()
            for stream in (self._live, self._backfill):
                if not stream.lane.under_way:
                    continue
                within_s = self._config.ack_timeout_s + stream.lane.under_way[0].size / _SLOWEST_BYTES_PER_S
                if now - stream.heard_at > within_s:
                    raise HubSilent(f"the hub has acknowledged nothing for {within_s:.3g} s")

    # -- sending ---------------------------------------------------------------------

    async def _send_live(self) -> None:
        with self._waking() as changed:
            while True:
                changed.clear()
                self._skip_if_late()
                span = self._book.live_span()
                if span is None:
                    await changed.wait()
                else:
                    await self._send(self._live, span, changed)

    def _skip_if_late(self) -> None:
        """Leave to the backfill what couldn't be sent in time: what is new is what people look at."""
        book, now = self._book, self._clock.monotonic()
        span = book.live_span()
        since = None if span is None else self._marks.since(span[0])
        if since is None or now - since < _SKIP_AFTER * self._config.live_horizon_s:
            return
        if book.skip_to(self._marks.before(now - self._config.live_horizon_s, book.last) + 1):
            metrics.SKIPPED.inc()
            self.on_gap()

    async def _send_backfill(self) -> None:
        with self._waking() as changed:
            while True:
                changed.clear()
                span = self._book.backfill_span()
                if span is None:
                    await changed.wait()
                elif self._live_waits():
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(changed.wait(), _LOOK_S)
                else:
                    await self._send(self._backfill, span, changed)

    def _live_waits(self) -> bool:
        """Whether new events wait for the line."""
        span = self._book.live_span()
        since = None if span is None else self._marks.since(span[0])
        return since is not None and self._clock.monotonic() - since > _BEHIND_S

    async def _send(self, stream: Stream, span: Span, changed: asyncio.Event) -> None:
        """Send a part of a stretch: what one reading of the log brings."""
        first, last = span
        for message in await self._messages(first, last):
            await self._wait_for_window(stream, len(message.request), changed)
            if stream is self._backfill:
                await wait_for(*self._paces)
            else:
                self._skip_if_late()
            due = self._book.live_span() if stream is self._live else self._book.backfill_span()
            if due is None or due[0] != message.first or due[1] < message.last:
                return  # the hub wants something else by now, or has it
            await self._send_message(stream, message)

    async def _send_message(self, stream: Stream, message: Message) -> None:
        lane, size = stream.lane, len(message.request)
        if not lane.under_way:
            stream.heard_at = self._clock.monotonic()
        if not self._book.follows(lane, message.first):
            await stream.call.open(self._log.log_id, stream.name, message.first, self._version)
            lane.expected = message.first
        lane.sent(Sent(message.first, message.last, size))
        for reason, count in message.left_out.items():
            metrics.LOST.labels(reason=reason).inc(count)
            logger.error(
                "%d event(s) of %d to %d are sent empty: %s",
                count,
                message.first,
                message.last,
                reason,
                extra={"log_id": self._log.log_id, "seq": message.first},
            )
        metrics.BATCHES.labels(lane=stream.name).inc()
        metrics.BYTES.labels(lane=stream.name).inc(size)
        metrics.UNACKED_BYTES.labels(lane=stream.name).set(lane.bytes)
        if stream is self._backfill:
            by_bytes, by_events = self._paces
            by_bytes.take(size)
            by_events.take(message.events)
        await stream.call.send(message.request)

    async def _wait_for_window(self, stream: Stream, size: int, changed: asyncio.Event) -> None:
        assert self._opened is not None
        while stream.lane.under_way and (
            len(stream.lane.under_way) >= self._opened.window_batches
            or stream.lane.bytes + size > self._opened.window_bytes
        ):
            changed.clear()
            await changed.wait()

    async def _messages(self, first: int, last: int) -> Any:
        """Return the next messages of a stretch. What the log has lost is noted, and none comes."""
        try:
            batches = await self._log.read(first - 1, _READ_EVENTS)
        except LogDamaged as damaged:
            self._lost(max(first, damaged.first_seq), damaged.last_seq, "damaged")
            return ()
        except Retryable as error:
            logger.warning("the log can't be read now: %s", error)
            await asyncio.sleep(_READ_RETRY_S)
            return ()
        oldest = self._log.stats().first_seq
        found = batches[0].first_seq if batches else oldest
        if found > first:
            self._lost(first, min(last, found - 1), "trimmed" if first < oldest else "damaged")
            return ()
        if not batches:
            await asyncio.sleep(_READ_RETRY_S)  # the log has lost its end: how much, what comes next tells
            return ()
        return await messages_of(batches, first, last, self._limits())

    def _lost(self, first: int, last: int, reason: str) -> None:
        missing = self._book.lost(first, last)
        metrics.LOST.labels(reason=reason).inc(missing)
        if missing:
            logger.error(
                "events %d to %d never reach the hub: %s",
                first,
                last,
                reason,
                extra={"log_id": self._log.log_id, "seq": first},
            )

    def _limits(self) -> Limits:
        assert self._opened is not None
        most = self._opened.max_batch_bytes
        batch = min(most, self._config.batch_bytes, _PACKED_BATCH_BYTES if self._config.compress else most)
        tenants = frozenset(self._opened.tenant_ids)
        return Limits(batch, most, tenants or None, self._home)

    @contextlib.contextmanager
    def _waking(self) -> Any:
        changed = asyncio.Event()
        self._wakers.add(changed)
        try:
            yield changed
        finally:
            self._wakers.discard(changed)


def _first_of(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return what ended a connection: an expected error, if one of them is."""
    leaves: list[BaseException] = []
    for error in group.exceptions:
        leaves.append(_first_of(error) if isinstance(error, BaseExceptionGroup) else error)
    expected = [one for one in leaves if isinstance(one, MtdError) and not isinstance(one, Bug)]
    return (expected or leaves)[0]
