"""Work on the database from the command line: migrate it, and hold it against the event log.

Blocking: no reactor runs here.
"""

from __future__ import annotations

import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mtd.app.auditing.local import local_entry
from mtd.app.comparison import DatabaseComparison, Rows, TableComparison, times_of
from mtd.app.config import Settings
from mtd.app.elsewhere import Elsewhere
from mtd.app.event_log import log_reader, log_stats
from mtd.core.clock import SYSTEM_CLOCK
from mtd.core.errors import Misconfigured
from mtd.eventlog.interfaces import Damage, LogReport
from mtd.model.events import payload_kind
from mtd.projections.errors import OutOfBounds
from mtd.projections.frames import TimeBounds
from mtd.storage.audit import Audit, Block, Newest, Poll, Row
from mtd.storage.audit_blocking import audit_blocking
from mtd.storage.embedded.server import EmbeddedPostgres
from mtd.storage.partitioned import DAY_US, EVENT, FLOW_BLOCK, LOG_RECORD, TELEMETRY_FRAME
from mtd.storage.retention import Retention
from mtd.storage.schema import migrate_blocking

if TYPE_CHECKING:
    from mtd.pb.events.v1.envelope_pb2 import Envelope

Report = Callable[[str], None]

# Rows that are compared by one question to PostgreSQL.
_ROWS_AT_ONCE = 50_000
_READ_EVENTS = 5_000
_NAMED_PROBLEMS = 20

# Payload -> table that holds exactly one row of each, or of each of its lines, and the projection that writes it.
_TABLES = {
    "frame": ("telemetry_frame", "telemetry"),
    "state_changed": ("event", "events"),
    "poll_outcome": ("device_health", "events"),
    "log_batch": ("log_record", "logs"),
    "flow_batch": ("flow_block", "flows"),
}
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
            settings.database.partitions.ahead_days,
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
        set_aside: Sequence[Damage],
        ahead_days: int,
    ) -> None:
        self._audit = audit
        self._set_aside = set_aside
        self._bounds = bounds
        self._now_us = now_us = SYSTEM_CLOCK.now_us()
        self._oldest_us = {
            "telemetry": retention.oldest_us(TELEMETRY_FRAME, now_us),
            "latest": retention.oldest_us(TELEMETRY_FRAME, now_us),
            "events": retention.oldest_us(EVENT, now_us),
            "logs": retention.oldest_us(LOG_RECORD, now_us),
            "flows": retention.oldest_us(FLOW_BLOCK, now_us),
        }
        self._ahead_us = (ahead_days + 1) * DAY_US
        self._result = DatabaseComparison(log_id=log_id, positions=audit.positions())
        self._elsewhere = Elsewhere(*audit.elsewhere())
        self._dead = audit.dead_letters()
        self._result.dead_letters = {name: len(seqs) for name, seqs in self._dead.items()}
        self._result.tables = {table: TableComparison() for table, _ in _TABLES.values()}
        self._slices = {table: Rows() for table in self._result.tables}
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
            if kind in _TABLES:
                table, projection = _TABLES[kind]
                self._expect(table, projection, seq, envelope)
            if kind in _MAY_BE_EVENTS and self._is_due("events", seq):
                self._slices["event"].allow(seq, envelope)
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
        result.ok = not (
            any(table.wrong for table in result.tables.values()) or result.latest_wrong or result.problems
        )
        return result

    def _is_due(self, projection: str, seq: int) -> bool:
        return seq <= self._result.positions.get(projection, 0)

    def _brought_elsewhere(self, kind: str, seq: int, envelope: Envelope) -> None:
        """Another hub's log has brought an event: a row of it from this one is a row too many."""
        table, projection = _TABLES.get(kind, ("", ""))
        if table and self._is_due(projection, seq):
            self._result.tables[table].refused += 1
            self._slices[table].watch(seq, envelope)

    def _refused(self, projection: str, seq: int, envelope: Envelope) -> bool:
        first_us, _ = times_of(envelope)
        if seq in self._dead.get(projection, ()) or first_us < self._oldest_us[projection]:
            return True
        if self._is_ahead(envelope):
            return True
        try:
            self._bounds.check(envelope)
        except OutOfBounds:
            return True
        return False

    def _is_ahead(self, envelope: Envelope) -> bool:
        """Whether there was no partition for it yet when it came; of lines, each has a time of its own."""
        _, last_us = times_of(envelope)
        received_us = envelope.received_at_us or self._now_us
        return last_us >= received_us - received_us % DAY_US + self._ahead_us

    def _expect(self, table: str, projection: str, seq: int, envelope: Envelope) -> None:
        if not self._is_due(projection, seq):
            return
        rows = self._slices[table]
        if self._refused(projection, seq, envelope):
            self._result.tables[table].refused += 1
            if envelope.HasField("log_batch") or self._is_ahead(envelope):
                # Lines of one event may be of two days, of which one is kept; a late projection has days of its own.
                rows.allow(seq, envelope)
            return
        if envelope.HasField("redundant"):
            # The other collector's poll may be the one that is kept.
            rows.allow(seq, envelope)
            return
        rows.expect(seq, envelope)
        if len(rows.expected) >= _ROWS_AT_ONCE:
            self._compare(table)

    def _compare(self, table: str) -> None:
        rows, self._slices[table] = self._slices[table], Rows()
        if rows.span is None:
            return
        if table == "flow_block":
            counts = self._compare_blocks(rows, self._audit.blocks(rows.span, rows.tenants))
        else:
            counts = Counter(self._audit.rows(table, rows.span, rows.tenants))
        missing = rows.expected - counts.keys()
        compacted = (
            self._compacted(rows, {row.seq for row in missing}) if table == "telemetry_frame" else set()
        )
        missing = {row for row in missing if row.seq not in compacted}
        told = self._audit.told_before(
            {row.seq: rows.given[row.seq] for row in missing if row.seq in rows.given}
        )
        missing = {row for row in missing if row.seq not in told}
        doubled = {row for row, count in counts.items() if count > 1}
        # What is set aside was projected while the log still had it.
        unexpected = {row for row in counts if not (rows.may_be(row) or self._is_aside(row.seq))}
        account = self._result.tables[table]
        account.expected += len(rows.expected) - len(told)
        account.refused += len(told)
        account.found += len(rows.expected & counts.keys()) + len(compacted)
        account.compacted += len(compacted)
        account.missing += len(missing)
        account.doubled += len(doubled)
        account.unexpected += len(unexpected)
        for what, some in (("is missing", missing), ("is doubled", doubled), ("is unexpected", unexpected)):
            for row in sorted(some)[:_NAMED_PROBLEMS]:
                self._problem(f"{table}: the row of {row.name} {what}")

    def _compare_blocks(self, rows: Rows, stored: Sequence[tuple[int, Block]]) -> Counter[Row]:
        """Count blocks, and see to it that they say what their events say."""
        changed = set()
        for seq, block in stored:
            difference = block.difference(rows.blocks.get(seq, block))
            if difference and seq not in changed:
                changed.add(seq)
                self._problem(f"flow_block: the row of event {seq} says {difference}")
        self._result.tables["flow_block"].changed += len(changed)
        return Counter(Row(seq) for seq, _ in stored)

    def _is_aside(self, seq: int) -> bool:
        return any(damage.first_seq <= seq <= damage.last_seq for damage in self._set_aside)

    def _compacted(self, rows: Rows, missing: set[int]) -> set[int]:
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


def _silent(_text: str) -> None:
    """Say nothing: the caller prints the result."""
