"""A session: many commands under way on one connection, each with a deadline."""

from __future__ import annotations

import asyncio
import contextlib
import errno
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING

from mtd.codec.routeros import Answer, Decoder, Fatal, Limits, Overflow, ProtocolDamaged, Stamp
from mtd.codec.routeros.words import encode_cancel, encode_command
from mtd.core.loop_metrics import LoopCounter
from mtd.core.metrics import Counter
from mtd.model.command import CANCELLED_TIMED_OUT, CANCELLED_TOO_LARGE, Command, Reply, Rows, Trap
from mtd.model.device import Outcome
from mtd.sources.errors import SessionFailed
from mtd.sources.routeros_api import metrics
from mtd.sources.tcp.strangers import explain

if TYPE_CHECKING:
    from mtd.codec.routeros import Event, PatternCache
    from mtd.core.clock import Clock
    from mtd.model.device import Device
    from mtd.sources.routeros_api.config import RouterOsApiConfig
    from mtd.sources.tcp.protocol import Stream

LOGIN = Command("/login")
# A command that may have more rows may take longer than others, as long as they come.
_LARGE_ROWS = 5_000
_COUNTERS: tuple[Counter | LoopCounter, ...] = (
    metrics.RECEIVED_BYTES,
    metrics.ROWS,
    metrics.SLOW_ROWS,
    metrics.UNKNOWN_WORDS,
    metrics.UNKNOWN_SENTENCES,
)


@dataclass(slots=True)
class _Run:
    """Commands that were sent together, and what came back so far."""

    future: asyncio.Future[None]
    replies: list[Reply | None]
    missing: int
    started: float
    timeout_s: float
    tags: list[bytes] = field(default_factory=list)
    timer: asyncio.TimerHandle | None = None
    received: int = 0  # bytes of large replies, at the last deadline


@dataclass(slots=True)
class _Slot:
    """One command under way."""

    run: _Run
    place: int
    command: Command
    timed_out: bool = False
    overflow: str = ""
    drain_until: int = 0  # count of received bytes at which patience ends
    timer: asyncio.TimerHandle | None = None


class ApiSession:
    """Runs commands on a connection, from its first byte to its end.

    Once it failed it stays failed: ``failure`` tells how, and whoever runs
    commands is told the same.
    """

    def __init__(
        self,
        device: Device,
        protocol: Stream,
        clock: Clock,
        settings: RouterOsApiConfig,
        patterns: PatternCache,
    ) -> None:
        self.failure: SessionFailed | None = None
        self.fatal: str | None = None
        self.received_bytes = 0
        self.sent_bytes = 0
        self.commands = 0
        self._device = device
        self._protocol = protocol
        self._clock = clock
        self._settings = settings
        self._decoder = Decoder(
            Limits(word_bytes=settings.word_bytes, session_bytes=settings.session_bytes),
            patterns,
            device.code_page,
        )
        self._slots: dict[bytes, _Slot] = {}
        self._overflowing: set[bytes] = set()
        self._listeners: dict[bytes, Callable[[Rows], None]] = {}  # of commands that go on, by tag
        self._tags = count(1)
        self._loop = asyncio.get_running_loop()
        self._closed = asyncio.Event()
        self._counted = [0] * len(_COUNTERS)
        protocol.attach(self._received, self._lost)

    @property
    def in_flight(self) -> int:
        """How many commands aren't answered yet."""
        return len(self._slots)

    async def run(self, commands: Sequence[Command], timeout_s: float) -> list[Reply]:
        """Run commands and return their replies in order; see `ISource.run`."""
        replies: list[Reply] = []
        window = self._settings.commands_in_flight
        for first in range(0, len(commands), window):
            batch = commands[first : first + window]
            tags = [b"%d" % next(self._tags) for _ in batch]
            parts = list(map(encode_command, batch, tags))
            answers = await self._exchange(batch, tags, b"".join(parts), timeout_s)
            for reply, part in zip(answers, parts, strict=True):
                reply.sent_bytes = len(part)
            replies += answers
        return replies

    async def stream(self, command: Command, timeout_s: float, on_rows: Callable[[Rows], None]) -> Reply:
        """Run a command that brings rows until it is stopped; ``on_rows`` gets them as they come.

        Returns the reply without its rows when the router ends it, or when it was
        cancelled at its time-out (`Trap.timed_out`) or over the command's
        ``max_bytes`` (`Trap.too_large`). Cancelling this cancels the command.
        """
        tag = b"%d" % next(self._tags)
        self._listeners[tag] = on_rows
        try:
            (reply,) = await self._exchange((command,), [tag], encode_command(command, tag), timeout_s)
        finally:
            del self._listeners[tag]
        if reply.rows.count:
            on_rows(reply.rows)  # what came together with the end
            reply.rows = Rows()
        return reply

    async def ask_login(self, data: bytes, timeout_s: float) -> Reply:
        """Send a login sentence, which carries no tag, and return the reply."""
        (reply,) = await self._exchange((LOGIN,), [b""], data, timeout_s)
        return reply

    async def close(self) -> None:
        """End the connection: in good order if possible, within bounded time."""
        if self.failure is None:
            self._fail(Outcome.BUSY, "the session was closed by mtd", abort=False)
        try:
            self._protocol.lose()
            await self._wait_closed()
        finally:  # also when we are cancelled meanwhile: nothing may stay open
            if not self._closed.is_set():
                self._protocol.abort()
        await self._wait_closed()

    async def _wait_closed(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._settings.close_timeout_s):
                await self._closed.wait()

    async def _exchange(
        self, commands: Sequence[Command], tags: list[bytes], data: bytes, timeout_s: float
    ) -> list[Reply]:
        if self.failure is not None:
            raise SessionFailed(self.failure.outcome, self.failure.reason)
        now = self._clock.monotonic()
        run = _Run(self._loop.create_future(), [None] * len(commands), len(commands), now, timeout_s, tags)
        for place, (command, tag) in enumerate(zip(commands, tags, strict=True)):
            self._decoder.expect(tag, command)
            self._slots[tag] = _Slot(run, place, command)
        run.timer = self._loop.call_later(timeout_s, self._deadline, run)
        self._protocol.write(data)
        metrics.COMMANDS.inc(len(commands))
        metrics.SENT_BYTES.inc(len(data))
        self.commands += len(commands)
        self.sent_bytes += len(data)
        try:
            await run.future
        except asyncio.CancelledError:
            self._stop(run)
            raise
        finally:
            run.timer.cancel()
            self._count()
        return [reply for reply in run.replies if reply is not None]

    # What the router sends.

    def _received(self, data: bytes) -> None:
        if self.failure is not None:
            return
        self.received_bytes += len(data)
        try:
            events = self._decoder.feed(data, Stamp(self._clock.monotonic(), self._clock.now_us()))
        except ProtocolDamaged as damage:
            self._fail(Outcome.PROTOCOL_ERROR, explain(damage.reason, damage.peek))
            return
        for event in events:
            self._handle(event)
        for tag, on_rows in self._listeners.items():
            rows = self._decoder.take(tag)
            if rows.count:
                on_rows(rows)
        if self._overflowing:
            self._check_drain()

    def _handle(self, event: Event) -> None:
        if isinstance(event, Answer):
            self._answered(event)
        elif isinstance(event, Overflow):
            self._overflowed(event)
        else:
            self._ended_by_router(event)

    def _answered(self, answer: Answer) -> None:
        slot = self._slots.pop(answer.tag, None)
        if slot is None:
            return  # to a command that nobody waits for any more
        self._overflowing.discard(answer.tag)
        if slot.timer is not None:
            slot.timer.cancel()
        run = slot.run
        rows, trap = answer.rows, answer.trap
        if slot.overflow:
            text = f"reply {slot.overflow}: cancelled; narrow the query or raise the limit"
            rows, trap = Rows(), Trap(text, CANCELLED_TOO_LARGE)
        elif slot.timed_out and trap is not None:
            # Of our making, whatever it says: many versions give "interrupted" no category.
            text = f"no complete reply within {run.timeout_s:g} s: cancelled"
            rows, trap = Rows(), Trap(text, CANCELLED_TIMED_OUT)
        if trap is not None:
            metrics.TRAPS.inc()
        run.replies[slot.place] = Reply(
            slot.command,
            rows,
            answer.stamp.at,
            answer.stamp.us,
            self._clock.monotonic() - run.started,
            answer.size_bytes,
            trap,
            answer.done,
        )
        run.missing -= 1
        if not run.missing and not run.future.done():
            run.future.set_result(None)

    def _overflowed(self, overflow: Overflow) -> None:
        slot = self._slots.get(overflow.tag)
        if slot is None:
            # Nobody waits for it, and it was cancelled before: it should have ended.
            self._fail(Outcome.REPLY_TOO_LARGE, f"a cancelled reply went on {overflow.reason}")
            return
        slot.overflow = overflow.reason
        slot.drain_until = self.received_bytes + self._settings.cancel_drain_bytes
        slot.timer = self._loop.call_later(self._settings.cancel_grace_s, self._not_cancelled, slot)
        self._overflowing.add(overflow.tag)
        metrics.CANCELLED.labels(cause="too_large").inc()
        self._cancel([overflow.tag])

    def _check_drain(self) -> None:
        for tag in tuple(self._overflowing):
            slot = self._slots.get(tag)
            if slot is not None and self.received_bytes > slot.drain_until:
                self._not_cancelled(slot)

    def _not_cancelled(self, slot: _Slot) -> None:
        self._fail(
            Outcome.REPLY_TOO_LARGE,
            f"the reply to {slot.command.path} went {slot.overflow}, and the router didn't stop when told to",
        )

    def _ended_by_router(self, fatal: Fatal) -> None:
        self.fatal = fatal.reason
        self._fail(
            Outcome.BUSY,
            f"the router ended the session: {fatal.reason or 'no reason given'}; "
            "look for its limits on sessions, and in its log",
        )

    # Deadlines.

    def _deadline(self, run: _Run) -> None:
        late = [tag for tag in run.tags if tag in self._slots]
        if not late:
            return  # the loop was held up: answer and timer came in the same turn
        if self._more_comes(run, late):
            run.timer = self._loop.call_later(run.timeout_s, self._deadline, run)
            return
        for tag in late:
            self._slots[tag].timed_out = True
        metrics.CANCELLED.labels(cause="deadline").inc(len(late))
        run.timer = self._stop(run)

    def _more_comes(self, run: _Run, late: Sequence[bytes]) -> bool:
        """Whether a large table is still being sent: then it gets more time, and what waits behind it as well."""
        if self._clock.monotonic() - run.started >= self._settings.large_reply_s:
            return False
        large = [tag for tag in late if self._slots[tag].command.max_rows > _LARGE_ROWS]
        received = sum(self._decoder.received(tag) for tag in large if not self._slots[tag].overflow)
        more, run.received = received > run.received, received
        return more

    def _stop(self, run: _Run) -> asyncio.TimerHandle:
        """Cancel what a run still waits for; the session is lost if the router doesn't end it in time."""
        late = [tag for tag in run.tags if tag in self._slots]
        self._cancel(tag for tag in late if tag)
        return self._loop.call_later(self._settings.cancel_grace_s, self._give_up, run)

    def _give_up(self, run: _Run) -> None:
        late = [self._slots[tag].command.path for tag in run.tags if tag in self._slots]
        if not late:
            return
        shown = ", ".join(dict.fromkeys(late[:3])) + (", ..." if len(late) > 3 else "")
        self._fail(
            Outcome.TIMED_OUT,
            f"no answer to {shown} within {run.timeout_s:g} s; the router is overloaded, "
            "or the path to it loses packets",
        )

    def _cancel(self, tags: Iterable[bytes]) -> None:
        """Ask the router to stop commands."""
        data = []
        for target in tags:
            tag = b"c%d" % next(self._tags)
            self._decoder.ignore(tag)
            data.append(encode_cancel(target, tag))
        if data and self.failure is None:
            self._protocol.write(b"".join(data))

    # The end.

    def _lost(self, error: BaseException) -> None:
        self._closed.set()
        number = getattr(error, "osError", None)
        if number in (errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.ENETUNREACH):
            self._fail(Outcome.UNREACHABLE, f"the router went out of reach: {error}", abort=False)
        else:
            self._fail(
                Outcome.BUSY,
                "the router closed the connection: it restarted, its API service was changed or limits "
                "addresses or sessions (/ip/service), or this is the port of the API over TLS",
                abort=False,
            )

    def _fail(self, outcome: Outcome, reason: str, *, abort: bool = True) -> None:
        if self.failure is not None:
            return
        self.failure = SessionFailed(outcome, reason)
        slots, self._slots = self._slots, {}
        for slot in slots.values():
            if slot.timer is not None:
                slot.timer.cancel()
            if not slot.run.future.done():
                slot.run.future.set_exception(SessionFailed(outcome, reason))
        if abort:
            self._protocol.abort()

    def _count(self) -> None:
        """Add what the decoder met to the metrics: once per exchange, not per sentence."""
        counts = self._decoder.counts
        now = [
            self.received_bytes,
            counts.rows,
            counts.slow_rows,
            counts.unknown_words,
            counts.unknown_sentences,
        ]
        for counter, new, old in zip(_COUNTERS, now, self._counted, strict=True):
            if new != old:
                counter.inc(new - old)
        self._counted = now
