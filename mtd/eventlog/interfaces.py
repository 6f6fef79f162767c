"""The port of the event log, and what passes through it.

An event's name is (``log_id``, ``seq``). ``seq`` starts at 1 and has no holes.
A reader's position is the ``seq`` of the last event that it is done with; 0
before the first.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from zope.interface import Attribute, Interface

if TYPE_CHECKING:
    from mtd.pb.events.v1.envelope_pb2 import Envelope

Progress = Callable[[int, int], None]
"""Called now and then during long work with (events done, events in all)."""


@dataclass(frozen=True, slots=True)
class AppendResult:
    """Positions of an appended batch; ``duplicate`` if its ``batch_id`` was stored before."""

    first_seq: int
    last_seq: int
    duplicate: bool = False


@dataclass(frozen=True, slots=True)
class Source:
    """Where all events of a batch stood before: at these positions of another log, a collector's."""

    log_id: str
    first_seq: int
    last_seq: int


@dataclass(frozen=True, slots=True)
class LoggedBatch:
    """Consecutive events of the log, not to be changed by readers.

    Readers share these objects. ``appended_us`` is microseconds since the epoch.
    """

    first_seq: int
    last_seq: int
    events: Sequence[Envelope]
    appended_us: int = 0

    def numbered(self) -> Iterator[tuple[int, Envelope]]:
        """Yield each event with its ``seq``."""
        return enumerate(self.events, self.first_seq)

    def after(self, position: int) -> LoggedBatch:
        """Return the part behind a position, which lies in front of the last event."""
        skipped = position + 1 - self.first_seq
        if skipped <= 0:
            return self
        return LoggedBatch(position + 1, self.last_seq, self.events[skipped:], self.appended_us)


@dataclass(frozen=True, slots=True)
class LogStats:
    """State of a log. Times are microseconds since the epoch, 0 if there is none.

    Retained are ``first_seq`` to ``last_seq``; ``first_seq`` is ``last_seq + 1``
    if nothing is. ``stored_bytes`` is what quota and retention count,
    ``disk_bytes`` what the files take, ``disk_size_bytes`` how large the disk is (0: not known). ``consumers`` are the positions that
    hold back trimming. While ``available`` is false, appending fails for
    ``reason``. ``warning`` says what makes the log less safe than it has to be.
    """

    log_id: str
    first_seq: int
    last_seq: int
    batches: int
    stored_bytes: int
    disk_bytes: int = 0
    disk_free_bytes: int = 0
    disk_size_bytes: int = 0
    max_bytes: int = 0
    oldest_us: int = 0
    newest_us: int = 0
    available: bool = True
    reason: str = ""
    unavailable_since_us: int = 0
    waiting_batches: int = 0
    consumers: Mapping[str, int] = field(default_factory=dict)
    warning: str = ""

    @property
    def events(self) -> int:
        """How many events are retained."""
        return self.last_seq + 1 - self.first_seq


@dataclass(frozen=True, slots=True)
class Damage:
    """Events that a log had and can't give any more: what spoiled them was not mtd.

    They were set aside, so that readers go on behind them. ``found_us``: when, microseconds since the epoch.
    """

    first_seq: int
    last_seq: int
    found_us: int
    detail: str

    @property
    def events(self) -> int:
        """How many positions are concerned. At the end of a log there may have been fewer events."""
        return self.last_seq + 1 - self.first_seq


@dataclass(frozen=True, slots=True)
class LogProblem:
    """One thing that is wrong with a log, and where.

    ``kind``: ``gap``, ``overlap``, ``damaged`` (a batch), ``doubled_batch``,
    ``doubled_frame``, ``totals`` or ``file``.
    """

    kind: str
    first_seq: int
    last_seq: int
    detail: str


@dataclass(frozen=True, slots=True)
class LogReport:
    """What the examination of a whole log found. ``problems`` is cut at 1000.

    ``set_aside`` is what was damaged, found before, and told then: readers pass it.
    """

    log_id: str
    first_seq: int
    last_seq: int
    batches: int
    events: int
    stored_bytes: int
    duration_s: float
    events_by_kind: Mapping[str, int] = field(default_factory=dict)
    problems: Sequence[LogProblem] = ()
    set_aside: Sequence[Damage] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


class IEventLog(Interface):
    """An append-only log of envelopes.

    Used from one event loop. Envelopes must not be changed once appended:
    readers in the same process are given the very same objects.
    """

    log_id: str = Attribute("UUID of the log, made with it. Set by start().")

    async def start() -> None:
        """Open the log. Raises Misconfigured if it can't ever be opened like this."""

    async def stop() -> None:
        """Finish what waits to be appended, end the subscriptions, close the log."""

    async def append(
        envelopes: Sequence[Envelope], batch_id: bytes | None = None, source: Source | None = None
    ) -> AppendResult:
        """Store a batch in one step; it is durable when this returns.

        A ``batch_id`` that is stored already returns the positions of the
        original and stores nothing. What was stored from a ``source`` is noted
        in the same step, for as long as the log exists. Raises LogUnavailable,
        SourceStored, and Refused for a batch that is empty or above the cap.
        """

    async def stored_from(log_id: str) -> Sequence[tuple[int, int]]:
        """Return which positions of another log were ever stored here: first and last of each range."""

    async def read(after: int, limit: int) -> list[LoggedBatch]:
        """Return events behind a position, in order, at most ``limit`` of them.

        The first batch is given whole even if it has more. If what follows
        ``after`` was trimmed, reading starts with the oldest event retained.
        Raises PositionBeyondEnd and LogDamaged.
        """

    def subscribe(after: int) -> AsyncIterator[LoggedBatch]:
        """Yield batches behind a position as they become durable, until the log stops.

        Raises and skips as ``read`` does. A slow subscriber costs no memory.
        """

    def pin(name: str, position: int) -> None:
        """Register a consumer, or its new position: what is behind it is kept. Lasts over restarts."""

    def unpin(name: str) -> None:
        """Forget a consumer that will not come back."""

    async def trim(before: int) -> int:
        """Forget batches that lie wholly in front of ``before`` and of every consumer.

        Returns the ``seq`` of the oldest event retained.
        """

    def stats() -> LogStats:
        """Return the state of the log."""

    async def verify(progress: Progress | None = None) -> LogReport:
        """Examine all that is stored: order, completeness, checksums, doubles."""


class ISalvages(Interface):
    """A log on a disk that may spoil what it holds: it sets that aside, serves the rest, and tells.

    Positions are never given twice, whatever got lost: where the end of a log is gone, numbers go on behind it.
    """

    async def untold_damage() -> Sequence[Damage]:
        """Wait until something was set aside of which nobody was told, and return it. It lasts over restarts."""

    async def damage_told(damage: Sequence[Damage]) -> None:
        """Note that somebody was told, durably."""

    async def go_on_behind(position: int) -> bool:
        """Let new events have positions behind one that a reader knows, if the log ends in front of it.

        What lies between was acknowledged and is gone: it is set aside, and told. Returns whether there was such a hole.
        """
