"""Work on the database from the command line: migrate it, and hold it against the event log.

Blocking: no reactor runs here.
"""

from __future__ import annotations

import signal
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mtd.app.auditing.local import local_entry
from mtd.app.config import Settings
from mtd.app.elsewhere import Elsewhere
from mtd.app.event_log import log_reader, log_stats
from mtd.core.clock import SYSTEM_CLOCK
from mtd.core.errors import Misconfigured
from mtd.eventlog.interfaces import Damage, LogReport
from mtd.model.events import payload_kind
from mtd.projections.errors import OutOfBounds
from mtd.projections.frames import TimeBounds
from mtd.storage.audit import Audit, Newest, Poll, Span
from mtd.storage.audit_blocking import audit_blocking
from mtd.storage.embedded.server import EmbeddedPostgres
from mtd.storage.partitioned import EVENT, TELEMETRY_FRAME
from mtd.storage.retention import Retention
from mtd.storage.schema import migrate_blocking

if TYPE_CHECKING:
    from mtd.pb.events.v1.envelope_pb2 import Envelope

Report = Callable[[str], None]

# Events that are compared by one question to PostgreSQL.
_EVENTS_AT_ONCE = 50_000
_READ_EVENTS = 5_000
_NAMED_PROBLEMS = 20

# Payload -> table that holds exactly one row of each, and the projection that writes it.
_ONE_ROW_EACH = {
    "frame": ("telemetry_frame", "telemetry"),
    "state_changed": ("event", "events"),
    "poll_outcome": ("device_health", "events"),
}
_PROJECTIONS = {"telemetry_frame": "telemetry", "event": "events", "device_health": "events"}
# Events that may tell several things, or nothing.
_MAY_BE_EVENTS = frozenset({"poll_outcome", "capability_probed", "log_batch"})


def migrate_database(settings: Settings, report: Report) -> list[str]:
    """Bring the schema up to this version; return the names of the migrations that were applied.

    Starts the embedded PostgreSQL for the time, unless the daemon runs it
    already. Raises Misconfigured, SchemaTooNew and StorageUnavailable.
    """

    def progress(done: int, due: int, name: str) -> None:
        if name:
            report(f"migration {done + 1} of {due}: {name}")

    with running_database(settings, report, make=True) as dsn:
        done = migrate_blocking(dsn, progress)
        if done.applied:
            detail = {"before": str(done.before), "after": str(done.after)}
            audit_blocking(dsn, local_entry("database.migrate", detail=detail))
        return list(done.applied)


@contextmanager
def running_database(settings: Settings, report: Report, *, make: bool = False) -> Iterator[str]:
    """Give the connection string of the database of this configuration.

    Raises Misconfigured where mtd has none and none is to be made.
    """
    dsn = settings.database.read_dsn()
    if dsn:
        yield dsn
        return
    folder = settings.daemon.data_dir / "postgres"
    if not make and not folder.is_dir():
        raise Misconfigured(
            f"mtd has no database in {settings.daemon.data_dir}: name the configuration of the one that is meant"
            " (--config FILE, or MTD_CONFIG); `mtd run` and `mtd migrate` make a new one"
        )
    embedded = EmbeddedPostgres(folder, settings.database.embedded)
    report("looking for the embedded PostgreSQL, starting it if it doesn't run")
    with _ended_in_order():
        dsn = embedded.start_blocking()
        try:
            yield dsn
        finally:
            embedded.stop_blocking()  # leaves alone what the daemon runs


@contextmanager
def _ended_in_order() -> Iterator[None]:
    """Let SIGTERM end a command as Ctrl-C does: what it started is stopped."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@dataclass(slots=True)
class TableComparison:
    """Rows of a table against the events that they come from.

    ``refused``: events that are not stored on purpose, being from the future,
    past the retention, told before, another hub's, or dead letters. ``unexpected``: rows whose event should have made none.
    ``compacted``: how many of those found are polls of blocks by now, rows no more.
    """

    expected: int = 0
    found: int = 0
    missing: int = 0
    doubled: int = 0
    unexpected: int = 0
    refused: int = 0
    compacted: int = 0


@dataclass(slots=True)
class DatabaseComparison:
    """What PostgreSQL holds, against what the log retains up to the projections' positions."""

    ok: bool = True
    log_id: str = ""
    positions: dict[str, int] = field(default_factory=dict)
    events_behind: int = 0
    tables: dict[str, TableComparison] = field(default_factory=dict)
    latest_checked: int = 0
    latest_wrong: int = 0
    dead_letters: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    duration_s: float = 0.0

    def describe(self) -> str:
        """Return it in words."""
        parts = [
            f"{table.found} rows in {name}" + (f" ({table.compacted} compacted)" if table.compacted else "")
            for name, table in sorted(self.tables.items())
        ]
        parts.append(f"{self.latest_checked} newest frames")
        letters = sum(self.dead_letters.values())
        if letters:
            parts.append(f"{letters} dead letters")
        if self.events_behind:
            parts.append(f"{self.events_behind} events still to be projected")
        text = ("as the log says: " if self.ok else "NOT as the log says: ") + ", ".join(parts)
        return "\n    ".join([text, *self.problems])


def compare_with_database(settings: Settings, log_report: LogReport) -> DatabaseComparison:
    """Look for each event of the log in PostgreSQL: none missing, none doubled.

    The daemon may be running: what it projects after the beginning is left
    out. Raises NotFound (no log), LogUnavailable, LogDamaged, Misconfigured and
    StorageUnavailable.
    """
    started = time.monotonic()
    with running_database(settings, _silent) as dsn, Audit(dsn, log_report.log_id) as audit:
        comparer = _Comparer(
            audit,
            TimeBounds(settings.projections.max_ahead_s),
            Retention(settings.database.retention, settings.database.partitions),
            log_report.log_id,
            log_report.set_aside,
        )
        # Read after the positions: whatever was projected stands in the log by now.
        last_seq = log_stats(settings).last_seq
        comparer.check_positions(last_seq)
        with log_reader(settings) as read:
            position = log_report.first_seq - 1
            while position < comparer.through and (batches := read(position, _READ_EVENTS)):
                for batch in batches:
                    comparer.take(batch.numbered())
                position = batches[-1].last_seq
        result = comparer.finish(last_seq)
    result.duration_s = round(time.monotonic() - started, 3)
    return result


class _Comparer:
    """Collects what must be there, and asks for it slice by slice."""

    def __init__(
        self,
        audit: Audit,
        bounds: TimeBounds,
        retention: Retention,
        log_id: str,
        set_aside: Sequence[Damage] = (),
    ) -> None:
        self._audit = audit
        self._set_aside = set_aside
        self._bounds = bounds
        now_us = SYSTEM_CLOCK.now_us()
        self._oldest_us = {
            "telemetry": retention.oldest_us(TELEMETRY_FRAME, now_us),
            "latest": retention.oldest_us(TELEMETRY_FRAME, now_us),
            "events": retention.oldest_us(EVENT, now_us),
        }
        self._result = DatabaseComparison(log_id=log_id, positions=audit.positions())
        self._elsewhere = Elsewhere(*audit.elsewhere())
        self._dead = audit.dead_letters()
        self._result.dead_letters = {name: len(seqs) for name, seqs in self._dead.items()}
        self._result.tables = {table: TableComparison() for table in _PROJECTIONS}
        self._slices = {table: _Slice() for table in _PROJECTIONS}
        self._newest: dict[tuple[str, str, int], tuple[int, int, int]] = {}  # epoch, time, position
        self.through = max(self._result.positions.values(), default=0)

    def check_positions(self, last_seq: int) -> None:
        """A projection that is ahead of the log shows that acknowledged events are lost."""
        for name, position in self._result.positions.items():
            if position > last_seq:
                self._problem(f"projection {name} is at {position}, but the log ends at {last_seq}")

    def take(self, events: Iterator[tuple[int, Envelope]]) -> None:
        """Note what the next events must have left."""
        for seq, envelope in events:
            kind = payload_kind(envelope)
            if self._elsewhere.has(seq, envelope):
                self._brought_elsewhere(kind, seq, envelope)
                continue
            if kind in _ONE_ROW_EACH:
                table, projection = _ONE_ROW_EACH[kind]
                self._expect(table, projection, seq, envelope)
            if kind in _MAY_BE_EVENTS and self._is_due("events", seq):
                self._slices["event"].allow(seq, envelope.collected_at_us)
            if kind == "frame" and self._is_due("latest", seq) and not self._refused("latest", seq, envelope):
                self._note_newest(seq, envelope)

    def finish(self, last_seq: int) -> DatabaseComparison:
        """Compare what is left, and conclude."""
        for table in self._slices:
            self._compare(table)
        self._compare_latest()
        result = self._result
        behind = min(result.positions.values(), default=0)
        result.events_behind = max(0, last_seq - behind)
        wrong = any(t.missing or t.doubled or t.unexpected for t in result.tables.values())
        result.ok = not (wrong or result.latest_wrong or result.problems)
        return result

    def _is_due(self, projection: str, seq: int) -> bool:
        return seq <= self._result.positions.get(projection, 0)

    def _brought_elsewhere(self, kind: str, seq: int, envelope: Envelope) -> None:
        """Another hub's log has brought an event: a row of it from this one is a row too many."""
        table, projection = _ONE_ROW_EACH.get(kind, ("", ""))
        if table and self._is_due(projection, seq):
            self._result.tables[table].refused += 1
            self._slices[table].watch(seq, envelope.collected_at_us)

    def _refused(self, projection: str, seq: int, envelope: Envelope) -> bool:
        if seq in self._dead.get(projection, ()) or envelope.collected_at_us < self._oldest_us[projection]:
            return True
        try:
            self._bounds.check(envelope)
        except OutOfBounds:
            return True
        return False

    def _expect(self, table: str, projection: str, seq: int, envelope: Envelope) -> None:
        if not self._is_due(projection, seq):
            return
        if self._refused(projection, seq, envelope):
            self._result.tables[table].refused += 1
            return
        rows = self._slices[table]
        if envelope.HasField("redundant"):
            # The other collector's poll may be the one that is kept.
            rows.allow(seq, envelope.collected_at_us)
            return
        rows.expect(seq, envelope)
        if len(rows.expected) >= _EVENTS_AT_ONCE:
            self._compare(table)

    def _compare(self, table: str) -> None:
        rows, self._slices[table] = self._slices[table], _Slice()
        if rows.span is None:
            return
        counts = Counter(self._audit.rows(table, rows.span))
        found = {seq for seq, part in counts if part == 0}
        compacted = self._compacted(rows, rows.expected - found) if table == "telemetry_frame" else set()
        found |= compacted
        missing = rows.expected - found
        told = self._audit.told_before({seq: rows.given[seq] for seq in missing & rows.given.keys()})
        missing -= told
        doubled = [seq for (seq, _), count in counts.items() if count > 1]
        unexpected = {seq for seq, _ in counts} - rows.expected - rows.allowed
        # Projected while the log still had them.
        unexpected = {seq for seq in unexpected if not self._is_aside(seq)}
        account = self._result.tables[table]
        account.expected += len(rows.expected - told)
        account.refused += len(told)
        account.found += len(rows.expected & found)
        account.compacted += len(compacted)
        account.missing += len(missing)
        account.doubled += len(doubled)
        account.unexpected += len(unexpected)
        for what, seqs in (("is missing", missing), ("is doubled", doubled), ("is unexpected", unexpected)):
            for seq in sorted(seqs)[:_NAMED_PROBLEMS]:
                self._problem(f"{table}: the row of event {seq} {what}")

    def _is_aside(self, seq: int) -> bool:
        return any(damage.first_seq <= seq <= damage.last_seq for damage in self._set_aside)

    def _compacted(self, rows: _Slice, missing: set[int]) -> set[int]:
        """Return which frames that are rows no more stand in blocks."""
        if not missing:
            return set()
        polls = {}
        groups = self._audit.poll_groups()
        for seq in missing:
            tenant_id, device_id, layout_id, collected_us = rows.frames[seq]
            group = groups.get((tenant_id, layout_id))
            if group is not None:
                polls[seq] = Poll(device_id, group, collected_us)
        return self._audit.compacted(polls)

    def _note_newest(self, seq: int, envelope: Envelope) -> None:
        key = (envelope.tenant_id, envelope.device_id, envelope.frame.layout_id)
        moment = (envelope.lease_epoch, envelope.collected_at_us, seq)
        self._newest[key] = max(self._newest.get(key, (0, 0, 0)), moment)

    def _compare_latest(self) -> None:
        """Each device in the inventory has the newest frame of each poll group, or one that came since."""
        groups = self._audit.poll_groups()
        wanted: dict[tuple[str, str, str], tuple[int, int, int]] = {}
        for (tenant_id, device_id, layout_id), moment in self._newest.items():
            group = groups.get((tenant_id, layout_id))
            if group is not None:
                key = (tenant_id, device_id, group)
                wanted[key] = max(wanted.get(key, (0, 0, 0)), moment)
        stored = self._audit.newest()
        devices = self._audit.devices()
        for key, (_, collected_us, seq) in wanted.items():
            if key[:2] not in devices:
                continue  # removed, with its current state
            self._result.latest_checked += 1
            if not self._is_current(stored.get(key), collected_us, seq):
                self._result.latest_wrong += 1
                self._problem(f"latest: device {key[1]} lacks event {seq} as its newest {key[2]}")

    def _is_current(self, row: Newest | None, collected_us: int, seq: int) -> bool:
        if row is None or row.collected_us < collected_us:
            return False
        # Of the same moment: another log may be ahead, an older event of this one may not.
        return row.collected_us > collected_us or row.log_id != self._result.log_id or row.seq >= seq

    def _problem(self, text: str) -> None:
        if len(self._result.problems) < _NAMED_PROBLEMS:
            self._result.problems.append(text)


class _Slice:
    """Events whose rows are asked for together."""

    def __init__(self) -> None:
        self.expected: set[int] = set()
        self.allowed: set[int] = set()
        self.frames: dict[int, tuple[str, str, int, int]] = {}  # tenant, device, layout, time
        self.given: dict[int, tuple[str, str]] = {}  # tenant and UUID of events that may be told twice
        self.span: Span | None = None

    def expect(self, seq: int, envelope: Envelope) -> None:
        """Note an event that must have a row."""
        self.expected.add(seq)
        self._widen(seq, envelope.collected_at_us)
        if envelope.event_id:
            self.given[seq] = envelope.tenant_id, str(uuid.UUID(bytes=envelope.event_id))
        if envelope.HasField("frame"):
            self.frames[seq] = (
                *(envelope.tenant_id, envelope.device_id),
                *(envelope.frame.layout_id, envelope.collected_at_us),
            )

    def allow(self, seq: int, collected_us: int) -> None:
        """Note an event that may have rows."""
        self.allowed.add(seq)
        self._widen(seq, collected_us)

    def watch(self, seq: int, collected_us: int) -> None:
        """Note an event that must have no row."""
        self._widen(seq, collected_us)

    def _widen(self, seq: int, collected_us: int) -> None:
        old = self.span or Span(seq, seq, collected_us, collected_us)
        self.span = Span(
            min(old.first_seq, seq),
            max(old.last_seq, seq),
            min(old.first_us, collected_us),
            max(old.last_us, collected_us),
        )


def _silent(_text: str) -> None:
    """Say nothing: the caller prints the result."""
