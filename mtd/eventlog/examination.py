"""Examining what a log has stored, batch by batch, whatever its backend."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mtd.eventlog.errors import LogDamaged
from mtd.eventlog.interfaces import Damage, LogProblem, LogReport
from mtd.model.events import payload_kind

if TYPE_CHECKING:
    from mtd.pb.events.v1.envelope_pb2 import Envelope

MAX_PROBLEMS = 1000
# Frames remembered to recognise one that stands in the log twice: 50 polls of 4000 devices.
_REMEMBERED = 200_000


@dataclass(frozen=True, slots=True)
class LogHeader:
    """What a log says of itself."""

    log_id: str
    trimmed_through: int
    last_seq: int
    batches: int
    stored_bytes: int


@dataclass(frozen=True, slots=True)
class StoredBatch:
    """A batch as it is stored. ``events`` decodes it, and raises LogDamaged if it isn't what was stored."""

    first_seq: int
    last_seq: int
    stored_bytes: int
    batch_id: bytes | None
    events: Callable[[], Sequence[Envelope]]


class _Window:
    """Remembers the newest of what passes, to recognise what comes again."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._seen: OrderedDict[int, None] = OrderedDict()

    def seen(self, thing: Hashable) -> bool:
        """Return whether it passed before, and remember it. Hashes are kept, for their size."""
        key = hash(thing)
        if key in self._seen:
            return True
        self._seen[key] = None
        if len(self._seen) > self._limit:
            self._seen.popitem(last=False)
        return False


class Examiner:
    """Takes batch after batch, remembers what is wrong. ``trimmed_through`` asks the log anew."""

    def __init__(
        self, header: LogHeader, trimmed_through: Callable[[], int], set_aside: Sequence[Damage] = ()
    ) -> None:
        self.header = header
        self._set_aside = set_aside
        self.events = 0
        self._trimmed_through = trimmed_through
        self._batches = 0
        self._stored_bytes = 0
        self._first_seq = header.trimmed_through + 1
        self._last_seq = header.trimmed_through
        self._kinds: Counter[str] = Counter()
        self._problems: list[LogProblem] = []
        self._batch_ids = _Window(_REMEMBERED)
        self._frames = _Window(_REMEMBERED)

    def examine(self, batch: StoredBatch) -> None:
        """Look at the next batch that is stored."""
        first_seq, last_seq, batch_id = batch.first_seq, batch.last_seq, batch.batch_id
        self._examine_order(first_seq, last_seq)
        self._batches += 1
        self._stored_bytes += batch.stored_bytes
        self._last_seq = max(self._last_seq, last_seq)
        if batch_id is not None and self._batch_ids.seen(batch_id):
            self._problem("doubled_batch", first_seq, last_seq, f"batch id {batch_id.hex()} stands twice")
        try:
            events = batch.events()
        except LogDamaged as damage:
            self._problem("damaged", first_seq, last_seq, str(damage))
            return
        self.events += len(events)
        for seq, event in enumerate(events, first_seq):
            self._examine_event(seq, event)

    def _examine_order(self, first_seq: int, last_seq: int) -> None:
        expected = self._last_seq + 1
        if first_seq < expected or last_seq < first_seq:
            self._problem("overlap", first_seq, last_seq, f"position {expected} was expected here")
        elif first_seq > expected:
            self._examine_hole(expected, first_seq - 1)

    def _examine_hole(self, first_seq: int, last_seq: int) -> None:
        for damage in self._set_aside:
            if damage.first_seq <= first_seq <= damage.last_seq:
                first_seq = damage.last_seq + 1  # known, and told when it was found
        if first_seq > last_seq:
            return
        # The log may have been trimmed while it is read.
        if last_seq > self._trimmed_through():
            self._problem("gap", first_seq, last_seq, f"{last_seq + 1 - first_seq} events are missing")
        elif not self._batches:
            self._first_seq = last_seq + 1

    def _examine_event(self, seq: int, event: Envelope) -> None:
        kind = payload_kind(event)
        self._kinds[kind or "unknown"] += 1
        if kind == "frame" and self._frames.seen(
            (event.tenant_id, event.device_id, event.frame.layout_id, event.collected_at_us)
        ):
            text = f"a frame of device {event.device_id} at {event.collected_at_us} stands twice"
            self._problem("doubled_frame", seq, seq, text)

    def _problem(self, kind: str, first_seq: int, last_seq: int, detail: str) -> None:
        if len(self._problems) < MAX_PROBLEMS:
            self._problems.append(LogProblem(kind, first_seq, last_seq, detail))

    def report(self, header_after: LogHeader, duration_s: float) -> LogReport:
        """Compare the sums with what the log says of itself, and conclude."""
        header = self.header
        if self._last_seq < header.last_seq:
            self._examine_hole(self._last_seq + 1, header.last_seq)
        undisturbed = header == header_after
        if undisturbed and (self._batches, self._stored_bytes) != (header.batches, header.stored_bytes):
            text = f"{self._batches} batches of {self._stored_bytes} bytes, but the log counts "
            self._problem("totals", 0, 0, text + f"{header.batches} of {header.stored_bytes}")
        return LogReport(
            log_id=header.log_id,
            first_seq=self._first_seq,
            last_seq=self._last_seq,
            batches=self._batches,
            events=self.events,
            stored_bytes=self._stored_bytes,
            duration_s=duration_s,
            events_by_kind=dict(self._kinds),
            problems=self._problems,
            set_aside=self._set_aside,
        )
