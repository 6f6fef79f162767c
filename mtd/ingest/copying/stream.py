"""One stream of a collector: what it brings is appended, what is durable is acknowledged, in order."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass

from mtd import __version__
from mtd.core.errors import Forbidden, Refused, Retryable
from mtd.core.queues import Policy, declare
from mtd.core.service import TaskGroup
from mtd.core.versions import skew_problem
from mtd.ingest.copying import metrics
from mtd.ingest.copying.check import Speaker, Stamped, stamp
from mtd.ingest.copying.door import CopiedLog, CopyDoor, Durable, checked_id
from mtd.model.ranges import SeqRanges
from mtd.pb.ingest.v1 import ingest_service_pb2 as pb

logger = logging.getLogger(__name__)

_MOST_ANSWERS = 100
WINDOW = declare(
    "ingest.append",
    "bytes",
    Policy.WAIT,
    "Batches of collectors that wait for the log. What isn't read yet holds the sender up.",
    limited_by="ingest.append.window_bytes, for each stream",
)
ANSWERS = declare(
    "ingest.answers",
    "answers",
    Policy.WAIT,
    "What collectors are answered and don't read. Nothing more is read of them meanwhile.",
    limited_by="100 for each stream",
)
LANES = {pb.LANE_LIVE: "live", pb.LANE_BACKFILL: "backfill"}


@dataclass(slots=True)
class _Waiting:
    """A batch that isn't durable yet."""

    first: int
    last: int
    size: int
    parts: Sequence[Durable]
    duplicates: int
    left_out: int


class CopyStream:
    """Answers the messages of a collector. Used once: ``responses`` is all that it does."""

    def __init__(self, door: CopyDoor, speaker: Speaker) -> None:
        self._door = door
        self.speaker = speaker
        self._copied: CopiedLog | None = None
        self._lane = ""
        self._next = 0
        self._asked_for = 0
        self._told = SeqRanges()
        self._answers: deque[pb.AppendResponse] = deque()
        WINDOW.watch(self, lambda one: one._unacked_bytes, lambda one: one._door.config.window_bytes)
        ANSWERS.watch(self, lambda one: len(one._answers), lambda _: _MOST_ANSWERS)
        self._waiting: deque[_Waiting] = deque()
        self._unacked_bytes = 0
        self._changed = asyncio.Event()
        self._room = asyncio.Event()
        self._failure: BaseException | None = None
        self._drained = False
        self._held = False
        self._tasks = TaskGroup("ingest.append")

    @property
    def target(self) -> str:
        """What it carries, for the audit log."""
        return f"log={self._copied.log_id} lane={self._lane}" if self._copied else ""

    def end(self, error: BaseException) -> None:
        """End the stream with an error, once what was acknowledged is told."""
        if self._failure is None:
            self._failure = error
        self._wake()

    async def responses(
        self, requests: AsyncIterator[pb.AppendRequest]
    ) -> AsyncGenerator[pb.AppendResponse, None]:
        """Yield what is to be answered, until the collector has said all and everything is durable."""
        self._tasks.spawn("read", self._until_failed(self._read(requests)))
        self._tasks.spawn("ack", self._until_failed(self._acknowledge()))
        self._tasks.spawn("projected", self._until_failed(self._tell_projected()))
        try:
            while True:
                while self._answers:
                    yield self._answers.popleft()
                    self._room.set()
                if self._failure is not None:
                    raise self._failure
                if self._drained and not self._waiting:
                    return
                self._changed.clear()
                await self._changed.wait()
        finally:
            await self._tasks.stop()
            self._give_up()

    async def _until_failed(self, work: object) -> None:
        try:
            await work  # type: ignore[misc]
        except asyncio.CancelledError:
            raise
        except Exception as error:  # raised where the stream is answered
            self.end(error)

    def _give_up(self) -> None:
        metrics.UNACKED_BYTES.dec(self._unacked_bytes)
        self._unacked_bytes = 0
        if self._copied is not None:
            self._door.close(self, self._copied, self._lane)

    def _wake(self) -> None:
        self._changed.set()
        self._room.set()

    def _answer(self, **message: object) -> None:
        self._answers.append(pb.AppendResponse(**message))  # type: ignore[arg-type]
        self._wake()

    # -- reading ---------------------------------------------------------------

    async def _read(self, requests: AsyncIterator[pb.AppendRequest]) -> None:
        async for request in requests:
            await self._wait_until_heard()
            kind = request.WhichOneof("message")
            if kind == "open":
                await self._open(request.open)
            elif kind == "batch":
                await self._take(request.batch)
            elif request.ByteSize():
                # A newer collector may say more than is known here.
                metrics.UNKNOWN_MESSAGES.inc()
            else:
                raise Refused("a message says nothing: give open or batch")
        self._drained = True
        self._wake()

    async def _open(self, wanted: pb.AppendOpen) -> None:
        lane = LANES.get(wanted.lane)
        if lane is None:
            raise Refused("lane: say live or backfill")
        if problem := skew_problem(__version__, wanted.version):
            raise Refused(problem)
        if wanted.next_seq < 1:
            raise Refused(f"next_seq {wanted.next_seq}: positions begin with 1")
        log_id = checked_id(wanted.log_id)
        if self._copied is not None and (lane, log_id) != (self._lane, self._copied.log_id):
            raise Refused("a stream carries one lane of one log: open another stream")
        copied = self._copied or await self._door.open(self, log_id, lane, self.speaker)
        self._copied, self._lane = copied, lane
        self._next, self._asked_for = wanted.next_seq, 0
        self._told = copied.projected
        config = self._door.config
        self._answer(
            opened=pb.AppendOpened(
                stored=_ranges(copied.stored()),
                projected=_ranges(copied.projected),
                window_batches=config.window_batches,
                window_bytes=config.window_bytes,
                max_batch_bytes=config.max_batch_bytes,
                version=__version__,
                tenant_ids=sorted(self.speaker.tenants or ()),
            )
        )

    async def _take(self, batch: pb.AppendBatch) -> None:
        copied = self._copied
        if copied is None:
            raise Refused("the first message has to be open")
        size = self._check_form(batch)
        await self._wait_for_turn()
        await self._wait_for_room(size)
        if self._failure is not None:
            return  # the stream ends
        expected = copied.taken.next_missing(self._next)
        if batch.first_seq > expected:
            self._ask_for(expected)
            return
        copied.check_gaps(batch.first_seq, batch.last_seq)
        self._asked_for = 0
        self._next = max(self._next, batch.last_seq + 1)
        claimed, others = copied.claim(batch.first_seq, batch.last_seq)
        waiting = _Waiting(batch.first_seq, batch.last_seq, size, (*others, *claimed), len(batch.events), 0)
        try:
            for done in claimed:
                await self._append(copied, done, batch, waiting)
        except BaseException as error:
            # What was taken isn't on its way: nobody may think that it is.
            for done in claimed:
                self._door.give_up(copied, done, error)
            if isinstance(error, Forbidden):
                metrics.BATCHES.labels(outcome="forbidden").inc()
            raise
        metrics.EVENTS.labels(outcome="duplicate").inc(waiting.duplicates)
        self._waiting.append(waiting)
        self._unacked_bytes += size
        metrics.UNACKED_BYTES.inc(size)
        self._wake()

    def _check_form(self, batch: pb.AppendBatch) -> int:
        size, most = batch.ByteSize(), self._door.config.max_batch_bytes
        first, last = batch.first_seq, batch.last_seq
        if first < 1 or last < first or len(batch.events) != last + 1 - first:
            metrics.BATCHES.labels(outcome="malformed").inc()
            raise Refused(f"a batch from {first} to {last} holds {len(batch.events)} events")
        if size > most:
            metrics.BATCHES.labels(outcome="malformed").inc()
            raise Refused(f"a batch of {size:,} bytes is over {most:,}: send it in parts")
        return size

    async def _wait_for_turn(self) -> None:
        """Wait while the hub has enough to do with what it has."""
        self._held = True
        try:
            await self._door.wait_for_turn(self._lane)
        finally:
            self._held = False

    async def _wait_for_room(self, size: int) -> None:
        """Wait while the window is full: what isn't read yet holds the sender up."""
        config = self._door.config
        while (
            self._waiting
            and self._failure is None
            and (
                len(self._waiting) >= config.window_batches
                or self._unacked_bytes + size > config.window_bytes
            )
        ):
            self._room.clear()
            await self._room.wait()

    async def _wait_until_heard(self) -> None:
        """Wait while the sender doesn't read what it is answered."""
        while len(self._answers) >= _MOST_ANSWERS and self._failure is None:
            self._room.clear()
            await self._room.wait()

    def _ask_for(self, expected: int) -> None:
        metrics.BATCHES.labels(outcome="gap").inc()
        if self._asked_for != expected:
            self._asked_for = expected
            self._answer(resend=pb.AppendResend(next_seq=expected))

    async def _append(
        self, copied: CopiedLog, done: Durable, batch: pb.AppendBatch, waiting: _Waiting
    ) -> None:
        first, last = copied.under_way[done]
        envelopes = batch.events[first - batch.first_seq : last + 1 - batch.first_seq]
        named = {envelope.device_id for envelope in envelopes if envelope.device_id}
        tenants_of = await self._door.devices.tenants_of(named)
        now_us = self._door.clock.now_us()
        stamped: Stamped = await asyncio.to_thread(
            stamp, envelopes, copied.id_bytes, first, self.speaker, tenants_of, now_us
        )
        await self._door.wait_for_rate(self.speaker, stamped.points.items())
        for reason, count in stamped.left_out.items():
            metrics.EVENTS.labels(outcome=reason).inc(count)
        left_out = stamped.left_out.total()
        metrics.EVENTS.labels(outcome="unknown_kind").inc(stamped.unknown)
        metrics.EVENTS.labels(outcome="stored").inc(len(envelopes) - left_out)
        waiting.left_out += left_out
        waiting.duplicates -= len(envelopes)
        if left_out and self._door.complaints.take():
            logger.warning(
                "of the log %s of %s, %d event(s) are left out: %s",
                copied.log_id,
                self.speaker.name,
                left_out,
                ", ".join(f"{reason} {count}" for reason, count in stamped.left_out.items()),
            )
        self._door.append(copied, done, stamped.envelopes)

    # -- answering -------------------------------------------------------------

    async def _acknowledge(self) -> None:
        while True:
            while self._waiting:
                waiting = self._waiting[0]
                if waiting.parts:
                    await asyncio.wait(waiting.parts)
                    for done in waiting.parts:
                        if (error := done.exception()) is not None:
                            metrics.BATCHES.labels(outcome="unavailable").inc(len(self._waiting))
                            raise error
                self._waiting.popleft()
                self._unacked_bytes -= waiting.size
                metrics.UNACKED_BYTES.dec(waiting.size)
                metrics.BATCHES.labels(outcome="acknowledged").inc()
                self._answer(
                    ack=pb.AppendAck(
                        first_seq=waiting.first,
                        last_seq=waiting.last,
                        duplicates=waiting.duplicates,
                        dropped=waiting.left_out,
                    )
                )
            self._room.clear()
            await self._room.wait()

    async def _tell_projected(self) -> None:
        """Tell now and then what the collector may forget; while the database is away, there is nothing new."""
        while True:
            await asyncio.sleep(self._door.config.projected_interval_s)
            if self._copied is None:
                continue
            try:
                await self._door.look_at_projected(self._copied)
            except Retryable as error:
                logger.info("what of %s is projected can't be told now: %s", self._copied.log_id, error)
                if not self._held:
                    continue
            # Who is held up hears that we are here, or it would look for another hub.
            if self._copied.projected != self._told or (self._held and not self._answers):
                self._told = self._copied.projected
                self._answer(projected=pb.AppendProjected(projected=_ranges(self._copied.projected)))


def _ranges(spans: object) -> list[pb.SeqRange]:
    return [pb.SeqRange(first_seq=first, last_seq=last) for first, last in spans]  # type: ignore[attr-defined]
