"""The only one who stores anything in the stream: batches ahead of their confirmation, state, and trims."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from mtd.core.backoff import Backoff
from mtd.core.errors import Refused
from mtd.core.metrics import TASK_FAILURES
from mtd.eventlog import metrics
from mtd.eventlog.availability import Availability
from mtd.eventlog.errors import LogUnavailable, SourceStored
from mtd.eventlog.interfaces import AppendResult, LoggedBatch, Source
from mtd.eventlog.jetstream.chain import Flight
from mtd.eventlog.jetstream.errors import Fenced, LeaderChanged, NotDurable, StreamFull
from mtd.eventlog.jetstream.keeper import Keeper
from mtd.eventlog.jetstream.messages import BATCH, Assembler, Head, Placed, parse, place_crc
from mtd.eventlog.jetstream.pending import Job
from mtd.eventlog.queues import COMMITS

if TYPE_CHECKING:
    from pathlib import Path

    from mtd.eventlog.jetstream.parts import Parts
    from mtd.eventlog.jetstream.pending import Pending

logger = logging.getLogger(__name__)

_AGAIN_S = (0.1, 2.0)
# After so many failures with nothing stored in between nobody is let wait for the next attempt.
_FRUITLESS = 8
# Nothing confirmed for so long: has the leader changed?
_SILENCE_S = 1.0

Publish = Callable[[LoggedBatch | None, int, int], None]
"""Told of a batch that became durable, its stored bytes, and where the log ends; None for one of nobody here."""


class Writer:
    """Stores what waits, in order, as long as the log is ours. Belongs to the event loop."""

    def __init__(self, parts: Parts, publish: Publish, copy: Path | None, woken: asyncio.Event) -> None:
        self._parts = parts
        self._publish = publish
        self._settings = parts.settings
        self.keeper = Keeper(parts, self._drain, copy)
        self._waiting: deque[Pending] = deque()
        COMMITS.watch(self, lambda one: one._depth(), lambda one: one._settings.max_waiting_batches)
        self._jobs: deque[Job] = deque()
        self._woken = woken  # by confirmations, too
        self._stopping = False
        self._trouble = ""
        self._overdue: asyncio.TimerHandle | None = None
        self._last_error = LogUnavailable("")
        self._backoff = Backoff(*_AGAIN_S)
        self._looked_s = 0.0
        self.availability = Availability()

    # -- from outside ----------------------------------------------------------

    @property
    def waiting(self) -> int:
        """How many batches wait, those on their way included."""
        return len(self._waiting) + sum(flight.pending is not None for flight in self._parts.chain.flights)

    def _depth(self) -> int:
        return len(self._waiting) + len(self._parts.chain.flights)  # read by other threads, too

    @property
    def oldest_since(self) -> float:
        """Since when the oldest batch waits; monotonic, 0 if none does."""
        flying = next((f.pending for f in self._parts.chain.flights if f.pending is not None), None)
        oldest = flying or next(iter(self._waiting), None)
        return oldest.since if oldest is not None else 0.0

    def demand(self) -> None:
        """Raise LogUnavailable if nothing can be stored for some time already."""
        if self._trouble:
            raise LogUnavailable(self._trouble)

    def append(self, pending: Pending) -> None:
        """Leave a batch to be stored."""
        self._waiting.append(pending)
        self.wake()

    async def call(self, work: Callable[[], Awaitable[int]]) -> int:
        """Do something between two batches."""
        self.demand()
        job = Job(work, asyncio.get_running_loop().create_future())
        self._jobs.append(job)
        self.wake()
        return await job.done

    def hurry(self) -> None:
        """Look after the stream at once: what consumers need has changed."""
        self.keeper.hurry()
        self.wake()

    def wake(self) -> None:
        """Look at once whether there is something to do."""
        self._woken.set()

    def stop(self) -> None:
        """Store what waits, and end."""
        self._stopping = True
        self.wake()

    # -- the task --------------------------------------------------------------

    async def run(self) -> None:
        """Work until it is stopped, or somebody else has the log."""
        try:
            while not await self._worked_until_stopped():
                with contextlib.suppress(TimeoutError):
                    self._woken.clear()
                    await asyncio.wait_for(self._woken.wait(), self._backoff.next_delay())
        finally:
            if self._overdue is not None:
                self._overdue.cancel()
            self._refuse_all(LogUnavailable(self._trouble or "the event log is closed"))

    async def _worked_until_stopped(self) -> bool:
        """Work; False if something went wrong that may pass."""
        try:
            await self._recover()
            self._recovered()
            await self._work()
        except Fenced as error:
            self._give_in(error)
            logger.critical("%s", error)
            return True
        except LogUnavailable as error:
            await self._hindered(error)
        except Exception as error:
            # An error of ours: loud and counted, but events go on as soon as it lets them.
            TASK_FAILURES.labels(task="eventlog").inc()
            logger.exception("storing in the stream failed by an error of mtd")
            await self._hindered(LogUnavailable(f"an error of mtd: {error!r}"))
        else:
            return True
        return self._stopping and (bool(self._trouble) or not self.waiting)

    async def _work(self) -> None:
        while True:
            self._settle()
            if self._stopping and not self._waiting and not self._parts.chain.flights:
                return await self._finish()
            if self._jobs:
                await self._jobs[0].run()
                self._jobs.popleft()
            elif time.monotonic() >= self.keeper.due:
                await self.keeper.maintain()
            elif not await self._send_next():
                await self._wait()

    async def _finish(self) -> None:
        if self.keeper.is_dirty:
            await self.keeper.save_state()
        await self.keeper.finish()

    async def _wait(self) -> None:
        """Wait for a confirmation, for something to do, or until there is something to look after."""
        await self._sleep(self.keeper.due - time.monotonic())
        await self._look_after_silence()

    async def _drain(self) -> None:
        while self._parts.chain.flights:
            self._settle()
            if self._parts.chain.flights:
                await self._sleep(self._parts.chain.left_s)
                await self._look_after_silence()

    async def _sleep(self, most_s: float) -> None:
        chain = self._parts.chain
        if chain.flights:
            most_s = min(most_s, chain.left_s, max(_SILENCE_S, self._looked_s + _SILENCE_S) - chain.silent_s)
        if most_s > 0 and not self._woken.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), most_s)
        self._woken.clear()

    async def _look_after_silence(self) -> None:
        """See whether who should confirm still leads the stream. Raises LeaderChanged, and NatsAway if nobody answers."""
        chain, parts = self._parts.chain, self._parts
        if chain.silent_s < _SILENCE_S:
            self._looked_s = 0.0
        elif chain.silent_s >= self._looked_s + _SILENCE_S:
            info = await parts.stream.info()
            self._looked_s = chain.silent_s
            if info.leader != parts.info.leader:
                raise LeaderChanged(
                    f"{info.leader or 'nobody'} leads the stream now, not {parts.info.leader}"
                )

    # -- sending ---------------------------------------------------------------

    async def _send_next(self) -> bool:
        """Send the next batch, or answer it without; False if it has to wait."""
        if not self._waiting or not self._parts.chain.has_room or self._depends_on_flights(self._waiting[0]):
            return False
        pending = self._waiting[0]
        answer = await self._answer(pending)
        if answer is not None:
            self._waiting.popleft()
            self._tell(pending, answer)
            return True
        body, body_crc = pending.encoded.result()
        head = self._head(pending, body, body_crc)
        self._waiting.popleft()
        try:
            await self._parts.chain.send(head, body, pending)
        except BaseException:
            if not any(flight.pending is pending for flight in self._parts.chain.flights):
                self._waiting.appendleft(pending)
            raise
        return True

    def _depends_on_flights(self, pending: Pending) -> bool:
        """Whether what becomes of batches on their way decides over this one."""
        for flight in self._parts.chain.flights:
            if pending.batch_id is not None and pending.batch_id == flight.head.batch_id:
                return True
            ours, theirs = pending.source, flight.head.source
            if ours is not None and theirs is not None and _overlap(ours, theirs):
                return True
        return False

    async def _answer(self, pending: Pending) -> AppendResult | Exception | None:
        """Return what is to be said of a batch that isn't sent; None if it is to be."""
        ledger = self._parts.ledger
        known = ledger.find(pending.batch_id)
        if known is not None:
            metrics.DUPLICATE_BATCHES.inc()
            return known
        if ledger.has_from(pending.source):
            metrics.DUPLICATE_BATCHES.inc()
            return SourceStored(f"some of {pending.source} are stored already")
        try:
            body, _ = await asyncio.shield(pending.encoded)
        except Exception as error:
            # Not an envelope, or one too large to be one: raised where it was appended.
            return error
        size = self._head(pending, body, 0).stored_bytes
        limit = min(self._settings.max_batch_bytes, self._settings.max_bytes)
        if size > limit:
            return Refused(f"a batch of {len(body)} bytes is over the cap of {limit}; append it in parts")
        if not await self.keeper.make_room(size):
            return self._no_room(f"quota: {self.keeper.shortage()}")
        return None

    def _no_room(self, text: str) -> LogUnavailable:
        metrics.FAILED_BATCHES.labels(reason=StreamFull.reason).inc()
        self._unavailable(text)
        return LogUnavailable(f"the event log can't be appended to: {text}")

    def _head(self, pending: Pending, body: bytes, body_crc: int) -> Head:
        parts = self._parts
        first_seq = parts.chain.last_seq + 1
        last_seq = first_seq + len(pending.envelopes) - 1
        now_us = parts.clock.now_us()
        crc = place_crc(first_seq, last_seq, now_us, body_crc)
        head = Head(
            BATCH, pending.uid, first_seq, last_seq, now_us, crc, len(body), pending.batch_id, pending.source
        )
        return replace(head, parts=parts.chain.parts_of(len(body)))

    # -- confirmed ---------------------------------------------------------------

    def _settle(self) -> None:
        for flight in self._parts.chain.settled():
            self._stored(flight.placed, flight)

    def _stored(self, placed: Placed, flight: Flight | None) -> None:
        """Take into the books what is in the stream, and tell who waits for it."""
        ledger, head = self._parts.ledger, placed.head
        ledger.add(placed)
        if head.kind != BATCH:
            return
        self._backoff.reset()
        self._available()
        metrics.APPENDED_BATCHES.inc()
        metrics.APPENDED_EVENTS.inc(head.last_seq + 1 - head.first_seq)
        metrics.APPENDED_BYTES.inc(head.stored_bytes)
        pending = flight.pending if flight is not None else None
        if flight is None or pending is None:
            self._publish(None, 0, ledger.last_seq)
            return
        metrics.COMMIT_SECONDS.observe(time.monotonic() - flight.since)
        batch = LoggedBatch(head.first_seq, head.last_seq, pending.envelopes, head.at_us)
        self._publish(batch, head.stored_bytes, ledger.last_seq)
        self._tell(pending, AppendResult(head.first_seq, head.last_seq))

    def _tell(self, pending: Pending, result: AppendResult | Exception) -> None:
        metrics.APPEND_SECONDS.observe(time.monotonic() - pending.since)
        pending.settle(result)
        metrics.WAITING_BATCHES.set(self.waiting)

    # -- trouble -----------------------------------------------------------------

    async def _recover(self) -> None:
        """Find out what became of what was on its way, and what the stream ends with."""
        parts = self._parts
        await parts.connection.open()
        await self.keeper.look()
        placed = await self._look_for(parts.info.last_message)
        lost = parts.chain.reset(parts.ledger.last_message, parts.ledger.last_seq)
        flying = {flight.head.uid: flight for flight in lost}
        for found in placed:
            self._stored(found, flying.pop(found.head.uid, None))
        parts.ledger.skip_to(parts.info.last_message)
        parts.chain.reset(parts.ledger.last_message, parts.ledger.last_seq)
        again = [flight.pending for flight in flying.values() if flight.pending is not None]
        self._waiting.extendleft(reversed(again))

    async def _look_for(self, last_message: int) -> list[Placed]:
        """Return what came to the stream unconfirmed. Raises Fenced if any of it isn't ours."""
        parts = self._parts
        assembler = Assembler()
        placed = []
        async for message in parts.stream.headers(parts.ledger.last_message + 1, last_message):
            with contextlib.suppress(ValueError):
                head, _ = parse(message.headers)
                if head.writer != parts.uids.writer:
                    raise Fenced(
                        f"another process has taken over the event log {parts.stream.name}: this one stores nothing"
                        " any more. Stop one of the two, or give it another event_log.jetstream.name; start it again"
                    )
            found = assembler.add(message)
            if found is not None:
                placed.append(found)
        return placed

    async def _hindered(self, error: LogUnavailable) -> None:
        """Note that nothing can be stored now; batches wait a little before they are told."""
        reason = getattr(error, "reason", "error")
        logger.log(
            logging.WARNING if self._overdue is None and not self._trouble else logging.DEBUG,
            "storing in the stream is interrupted: %s: %s",
            reason,
            error,
        )
        if reason in ("away", "refused"):
            # Perhaps the next server knows more.
            connection = self._parts.connection
            await connection.drop(error, connection.opening)
        self._last_error = error
        if isinstance(error, StreamFull):
            # It is tried again with the next batch: perhaps there is room by then.
            self._unavailable(f"{reason}: {error}")
            self._refuse_all(LogUnavailable(f"the event log can't be appended to: {reason}: {error}"), reason)
            self.keeper.squeeze()
        elif isinstance(error, NotDurable) or self._backoff.failures >= _FRUITLESS:
            self._give_in(error)
        elif self._overdue is None and not self._trouble:
            loop = asyncio.get_running_loop()
            self._overdue = loop.call_later(
                self._settings.jetstream.recover_within_s, lambda: self._give_in(self._last_error)
            )

    def _give_in(self, error: LogUnavailable) -> None:
        """Tell all who wait, and who comes from now on, that nothing can be stored."""
        reason = getattr(error, "reason", "error")
        self._trouble = f"the event log can't be appended to: {reason}: {error}"
        self._unavailable(f"{reason}: {error}")
        self._refuse_all(LogUnavailable(self._trouble), reason)

    def _refuse_all(self, error: LogUnavailable, reason: str = "closed") -> None:
        refused = [*self._waiting]
        self._waiting.clear()
        for flight in self._parts.chain.flights:
            # It may be stored all the same: it is found then, and known by its id.
            if flight.pending is not None:
                refused.append(flight.pending)
                flight.pending = None
        metrics.FAILED_BATCHES.labels(reason=reason).inc(len(refused))
        for pending in refused:
            self._tell(pending, error)
        while self._jobs:
            self._jobs.popleft().fail(error)

    def _recovered(self) -> None:
        if self._overdue is not None:
            self._overdue.cancel()
            self._overdue = None
        if self._trouble:
            self._trouble = ""
            self._available()

    def _available(self) -> None:
        if not self.availability.available:
            logger.warning("the event log can be appended to again; it was not: %s", self.availability.reason)
            self.availability = Availability()
        metrics.AVAILABLE.set(1)

    def _unavailable(self, text: str) -> None:
        metrics.AVAILABLE.set(0)
        if self.availability.available:
            logger.error("nothing can be appended to the event log: %s", text)
        if self.availability.reason != text:
            since_us = self.availability.since_us or self._parts.clock.now_us()
            self.availability = Availability(False, text, since_us)


def _overlap(one: Source, other: Source) -> bool:
    same = one.log_id == other.log_id
    return same and one.first_seq <= other.last_seq and other.first_seq <= one.last_seq
