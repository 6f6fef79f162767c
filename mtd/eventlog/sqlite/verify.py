"""Examining a log's file from outside, whether or not a daemon writes it at the time."""

from __future__ import annotations

import sqlite3
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from mtd.core.errors import Misconfigured, NotFound
from mtd.eventlog.encoding import decode_batch
from mtd.eventlog.errors import LogDamaged, LogUnavailable
from mtd.eventlog.interfaces import Damage, LogProblem, LogReport, LogStats, Progress
from mtd.eventlog.sqlite.schema import (
    Header,
    check_format,
    disk_bytes,
    failure_reason,
    is_no_database,
    open_for_reading,
    read_consumers,
    read_damage,
    read_header,
)
from mtd.model.events import payload_kind

if TYPE_CHECKING:
    from mtd.pb.events.v1.envelope_pb2 import Envelope

MAX_PROBLEMS = 1000
# Frames remembered to recognise one that stands in the log twice: 50 polls of 4000 devices.
_REMEMBERED = 200_000
# Rows read at a time: a long read would keep the write-ahead file from being reused.
_ROWS_AT_ONCE = 32
_BUSY_TIMEOUT_S = 5.0

_Row = tuple[int, int, int, int, int, bytes | None, bytes]


def verify_file(path: Path, progress: Progress | None = None) -> LogReport:
    """Examine all batches that the log retains. Blocks; the file may be in use.

    Raises NotFound, Misconfigured if it is no log, LogUnavailable if it can't be read.
    """
    started = time.monotonic()
    try:
        with closing(_open(path)) as connection:
            header = read_header(connection)
            aside = read_damage(connection)
            examiner = _Examiner(header, lambda: read_header(connection).trimmed_through, aside)
            total = header.last_seq - header.trimmed_through
            for row in _rows(connection, header.last_seq):
                examiner.examine(row)
                if progress is not None:
                    progress(examiner.events, total)
            return examiner.report(read_header(connection), time.monotonic() - started)
    except sqlite3.DatabaseError as error:
        if failure_reason(error) != "damaged":
            raise LogUnavailable(f"{path} can't be read: {failure_reason(error)}: {error}") from error
        problem = LogProblem("file", 0, 0, f"the database file is damaged: {error}")
        return LogReport("", 0, 0, 0, 0, 0, time.monotonic() - started, {}, [problem])


def file_stats(path: Path) -> LogStats:
    """Return the state of a log from its file alone. Blocks; the file may be in use."""
    with closing(_open(path)) as connection:
        try:
            header = read_header(connection)
            ages = connection.execute("SELECT min(appended_us), max(appended_us) FROM batch").fetchone()
            consumers = read_consumers(connection)
        except sqlite3.DatabaseError as error:
            raise LogUnavailable(f"{path} can't be read: {failure_reason(error)}: {error}") from error
    return LogStats(
        log_id=header.log_id,
        first_seq=header.trimmed_through + 1,
        last_seq=header.last_seq,
        batches=header.batches,
        stored_bytes=header.stored_bytes,
        disk_bytes=disk_bytes(path),
        oldest_us=ages[0] or 0,
        newest_us=ages[1] or 0,
        consumers=consumers,
    )


def _open(path: Path) -> sqlite3.Connection:
    if not path.is_file():
        raise NotFound(f"there is no event log at {path}")
    connection = open_for_reading(path, _BUSY_TIMEOUT_S)
    try:
        tables = {
            name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        }
        check_format(connection, tables, path)
    except BaseException as error:
        connection.close()
        if is_no_database(error):
            raise Misconfigured(f"{path} is not an event log of mtd") from error
        raise
    return connection


def _rows(connection: sqlite3.Connection, last_seq: int) -> Iterator[_Row]:
    """Yield the batches up to a position, a few at a time."""
    position = -1
    while True:
        rows: list[_Row] = connection.execute(
            "SELECT first_seq, last_seq, appended_us, stored_bytes, crc, batch_id, payload FROM batch "
            "WHERE first_seq > ? AND first_seq <= ? ORDER BY first_seq LIMIT ?",
            (position, last_seq, _ROWS_AT_ONCE),
        ).fetchall()
        if not rows:
            return
        yield from rows
        position = rows[-1][0]


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


class _Examiner:
    """Takes batch after batch, remembers what is wrong. ``trimmed_through`` asks the log anew."""

    def __init__(
        self, header: Header, trimmed_through: Callable[[], int], set_aside: Sequence[Damage] = ()
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

    def examine(self, row: _Row) -> None:
        """Look at the next batch in the file."""
        first_seq, last_seq, appended_us, stored_bytes, crc, batch_id, payload = row
        self._examine_order(first_seq, last_seq)
        self._batches += 1
        self._stored_bytes += stored_bytes
        self._last_seq = max(self._last_seq, last_seq)
        if batch_id is not None and self._batch_ids.seen(batch_id):
            self._problem("doubled_batch", first_seq, last_seq, f"batch id {batch_id.hex()} stands twice")
        try:
            events = decode_batch(first_seq, last_seq, appended_us, crc, payload)
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

    def report(self, header_after: Header, duration_s: float) -> LogReport:
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
