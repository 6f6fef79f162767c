"""The SQL of the writer: inserting groups of batches, trimming, tidying. One thread at a time."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from mtd.core.errors import Misconfigured
from mtd.eventlog import metrics
from mtd.eventlog.encoding import checksum
from mtd.eventlog.errors import SourceStored
from mtd.eventlog.interfaces import AppendResult, Damage, Source
from mtd.eventlog.sqlite.damage import (
    damaged_batch,
    end_of,
    forget_before,
    mark_told,
    name_of_source,
    note,
    set_batch_aside,
    without,
)
from mtd.eventlog.sqlite.mark import RESERVED_AT_ONCE, Mark, read_mark, write_mark
from mtd.eventlog.sqlite.salvage import aside_name, finish_salvage, mend_beginning, salvage
from mtd.eventlog.sqlite.schema import (
    PAGE_BYTES,
    ROW_OVERHEAD_BYTES,
    Header,
    check_numbers,
    is_damage,
    open_for_reading,
    open_for_writing,
    read_consumers,
    read_damage,
    read_header,
)
from mtd.eventlog.sqlite.wal import mend_wal

logger = logging.getLogger(__name__)

# Rows deleted, and pages given back, in one step: some milliseconds each.
TRIM_STEP_BATCHES = 500
_VACUUM_STEP_PAGES = 1000
_SALVAGE_PAUSE_US = 300_000_000


@dataclass(slots=True)
class NewBatch:
    """A batch ready to be stored."""

    payload: bytes
    count: int
    batch_id: bytes | None
    source: Source | None = None

    @property
    def stored_bytes(self) -> int:
        """What it takes of the quota."""
        return len(self.payload) + ROW_OVERHEAD_BYTES


class Store:
    """The writing connection, and the header as it is after the last commit.

    Methods raise sqlite3.Error with nothing changed, neither on the disk nor in
    ``header``.
    """

    header: Header

    def __init__(self, path: Path, busy_timeout_s: float) -> None:
        self._path = path
        self._busy_timeout_s = busy_timeout_s
        self._connection: sqlite3.Connection | None = None
        self._uncheckpointed_bytes = 0
        self._mark: Mark | None = None
        self._last_known = 0
        self._suspicion = ""
        self._salvaged_us = 0
        self.replaced: Callable[[], None] = lambda: None
        """Called when there is another file: who had the old one open has to open it again."""

    def open(self, now_us: int) -> None:
        """Open the file, and recover it if its last owner was killed, or if the disk spoiled it.

        A file that isn't known to be a log of ours is left alone.
        """
        if self._mark is None:
            self._mark = read_mark(self._path)
            finish_salvage(self._path, now_us)
            if self._mark is not None:
                self._mend_files(now_us)
        if self._suspicion:
            self._salvage(now_us, self._suspicion)
        elif self._mark is not None and self._is_gone():
            self._salvage(now_us, "the file is gone, or empty")
        try:
            self._open(now_us)
        except (sqlite3.DatabaseError, Misconfigured) as error:
            if self._mark is None or not is_damage(error):
                raise
            self._salvage(now_us, str(error.__cause__ or error))
            self._open(now_us)

    def suspect(self, error: BaseException) -> None:
        """Close the file after an error; if what is in it is not what was written, it is replaced when it is opened."""
        self.close()
        if is_damage(error):
            self._suspicion = str(error)

    def is_sound(self) -> bool:
        """Return whether all pages of the file are what they have to be. Reads all of it.

        By a connection of its own: the one that writes remembers pages that it
        wrote, and would find sound what the disk has lost.
        """
        try:
            with closing(open_for_reading(self._path, self._busy_timeout_s)) as connection:
                return bool(connection.execute("PRAGMA quick_check(1)").fetchall() == [("ok",)])
        except sqlite3.DatabaseError as error:
            if is_damage(error):
                return False
            raise

    def _open(self, now_us: int) -> None:
        mark = self._mark
        log_id = mark.log_id if mark else ""
        connection = open_for_writing(self._path, self._busy_timeout_s, now_us, log_id)
        try:
            self.header = header = read_header(connection)
            read_consumers(connection)  # to see now that they are what they should be
            if mark is None or mark.log_id != header.log_id:
                mark = self._reserve(header.last_seq)
            self._connection = connection
            if header.last_seq < max(mark.reached, self._last_known):
                logger.critical(
                    "the event log %s has lost its end: it had reached %d", self._path, mark.reached
                )
                self.go_on_behind(self._last_known or mark.reserved_through, now_us)
                self._count_anew()
        except BaseException:
            self.close()
            connection.close()
            raise
        self._last_known = self.header.last_seq

    def _count_anew(self) -> None:
        """Have the sums of what is there: what the log says of itself may be of another moment."""
        with _Transaction(self._open_connection()) as connection:
            sums = connection.execute("SELECT count(*), coalesce(sum(stored_bytes), 0) FROM batch").fetchone()
            connection.execute("UPDATE log SET stored_batches = ?, stored_bytes = ?", sums)
        self.header.batches, self.header.stored_bytes = sums

    def _is_gone(self) -> bool:
        return not self._path.exists() or not self._path.stat().st_size

    def _mend_files(self, now_us: int) -> None:
        """Mend what can be mended before SQLite sees it: it would throw away what is behind."""
        if mend_beginning(self._path):
            metrics.MENDED_FILES.inc()
        wal = self._path.with_name(self._path.name + "-wal")
        aside = aside_name(self._path, now_us)
        wrong = mend_wal(wal, PAGE_BYTES, aside.with_name(aside.name + "-wal"))
        if wrong:
            metrics.MENDED_FILES.inc()
            logger.error("the event log %s: %s; it is kept beside it as it was", self._path, wrong)

    def _salvage(self, now_us: int, reason: str) -> None:
        """Replace a damaged file by a new one with what could be read. See `mtd.eventlog.sqlite.salvage`."""
        if self._mark is None:
            raise sqlite3.DatabaseError(f"a log without its mark can't be saved: {reason}")
        if self._salvaged_us and abs(now_us - self._salvaged_us) < _SALVAGE_PAUSE_US:
            # Each try leaves a copy of the file behind: a disk that spoils everything must not be filled, too.
            raise sqlite3.DatabaseError(f"the file is damaged again, minutes after it was replaced: {reason}")
        lost = salvage(self._path, self._mark, self._last_known, now_us, reason)
        self._salvaged_us = now_us
        self._suspicion = ""
        metrics.DAMAGED_EVENTS.inc(lost)
        self.replaced()

    def _reserve(self, last_seq: int) -> Mark:
        """Have positions reserved behind the last one, durably. Raises OSError."""
        # Reached is what was given out, and not what is about to be: that may fail.
        mark = Mark(self.header.log_id, last_seq + RESERVED_AT_ONCE, self.header.last_seq)
        self._mark = self._write_mark(mark)
        return self._mark

    def note_reached(self) -> None:
        """Write down beside the log how far it is, so that a lost end is seen. Raises OSError."""
        mark = self._mark
        if mark is not None and mark.reached != self.header.last_seq:
            self._mark = self._write_mark(replace(mark, reached=self.header.last_seq))

    def _write_mark(self, mark: Mark) -> Mark:
        write_mark(self._path, mark)
        return mark

    def close(self) -> None:
        """Close the file."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    @property
    def is_open(self) -> bool:
        """Whether there is a connection."""
        return self._connection is not None

    def insert(self, batches: Sequence[NewBatch], now_us: int) -> list[AppendResult | SourceStored]:
        """Store the batches in one transaction; they are durable when this returns.

        A batch whose events are here already from their source is left out.
        """
        header = self.header
        results: list[AppendResult | SourceStored] = []
        last_seq, stored, stored_bytes = header.last_seq, header.batches, header.stored_bytes
        wanted = last_seq + sum(batch.count for batch in batches)
        if self._mark is None or wanted > self._mark.reserved_through:
            self._reserve(wanted)
        with _Transaction(self._open_connection()) as connection:
            for batch in batches:
                known = _find(connection, batch.batch_id)
                if known is not None:
                    results.append(known)
                    continue
                if batch.source is not None and not _note_source(connection, batch.source):
                    results.append(SourceStored(f"some of {batch.source} are stored already"))
                    continue
                first_seq, last_seq = last_seq + 1, last_seq + batch.count
                crc = checksum(first_seq, last_seq, now_us, batch.payload)
                name = batch.batch_id or (name_of_source(batch.source) if batch.source else None)
                connection.execute(
                    "INSERT INTO batch VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (first_seq, last_seq, now_us, batch.stored_bytes, crc, name, batch.payload),
                )
                stored += 1
                stored_bytes += batch.stored_bytes
                results.append(AppendResult(first_seq, last_seq))
            connection.execute("UPDATE log SET stored_batches = ?, stored_bytes = ?", (stored, stored_bytes))
        self._uncheckpointed_bytes += stored_bytes - header.stored_bytes + PAGE_BYTES * len(batches)
        header.last_seq, header.batches, header.stored_bytes = last_seq, stored, stored_bytes
        self._last_known = last_seq
        return results

    def trim(self, through: int, older_than_us: int, excess_bytes: int) -> bool:
        """Delete the oldest batches up to ``through`` that are old, or in excess.

        Deletes one step at most; returns whether there may be more to delete.
        """
        header = self.header
        rows = self._open_connection().execute(
            "SELECT last_seq, appended_us, stored_bytes FROM batch ORDER BY first_seq LIMIT ?",
            (TRIM_STEP_BATCHES,),
        )
        count, freed, last = 0, 0, header.trimmed_through
        for last_seq, appended_us, stored_bytes in rows.fetchall():
            check_numbers("a batch", last_seq, appended_us, stored_bytes)
            if last_seq > through or (appended_us >= older_than_us and freed >= excess_bytes):
                break
            count, freed, last = count + 1, freed + stored_bytes, last_seq
        if not count:
            return False
        batches, left_bytes = header.batches - count, header.stored_bytes - freed
        with _Transaction(self._open_connection()) as connection:
            connection.execute("DELETE FROM batch WHERE first_seq <= ?", (last,))
            connection.execute(
                "UPDATE log SET trimmed_through = ?, stored_batches = ?, stored_bytes = ?",
                (last, batches, left_bytes),
            )
            forget_before(connection, last)
        header.trimmed_through, header.batches, header.stored_bytes = last, batches, left_bytes
        self._uncheckpointed_bytes += PAGE_BYTES * count
        return count == TRIM_STEP_BATCHES

    def consumers(self) -> dict[str, int]:
        """Return the stored positions of the consumers."""
        return read_consumers(self._open_connection())

    def save_consumers(self, consumers: Mapping[str, int]) -> None:
        """Store the positions of the consumers; who isn't among them is forgotten."""
        with _Transaction(self._open_connection()) as connection:
            connection.execute("DELETE FROM consumer")
            connection.executemany("INSERT INTO consumer VALUES (?, ?)", list(consumers.items()))
        self._uncheckpointed_bytes += PAGE_BYTES

    def stored_from(self, log_id: str) -> list[tuple[int, int]]:
        """Return the ranges of positions that were stored from another log."""
        rows = self._open_connection().execute(
            "SELECT first_seq, last_seq FROM source_range WHERE log_id = ? ORDER BY first_seq", (log_id,)
        )
        return [(first, last) for first, last in rows.fetchall()]

    def set_aside(self, first_seq: int, now_us: int) -> Damage | None:
        """Set a batch aside if it is damaged, as it seemed to a reader; None if it is sound."""
        with _Transaction(self._open_connection()) as connection:
            wrong = damaged_batch(connection, first_seq)
            if wrong is None:
                return None
            damage = Damage(first_seq, end_of(connection, wrong), now_us, str(wrong))
            left = set_batch_aside(connection, self.header, damage)
        self.header.batches, self.header.stored_bytes = left
        metrics.DAMAGED_EVENTS.inc(damage.events)
        return damage

    def note_hole(self, first_seq: int, last_seq: int, now_us: int) -> bool:
        """Write down that positions are missing, unless they were trimmed, or are known to be; return whether it is news."""
        connection = self._open_connection()
        first_seq = max(first_seq, self.header.trimmed_through + 1)
        missing = [(first_seq, last_seq)] if first_seq <= last_seq else []
        for known in read_damage(connection):
            missing = [part for one in missing for part in without(one, (known.first_seq, known.last_seq))]
        if not missing:
            return False
        with _Transaction(connection):
            for first, last in missing:
                note(connection, Damage(first, last, now_us, "missing between others: a page has lost them"))
                metrics.DAMAGED_EVENTS.inc(last + 1 - first)
        return True

    def go_on_behind(self, position: int, now_us: int) -> Damage | None:
        """Let positions up to one be lost, if the log ends in front of it; None if it doesn't."""
        header = self.header
        if position <= header.last_seq:
            return None
        damage = Damage(
            header.last_seq + 1, position, now_us, "the end of the log is gone: it had been further"
        )
        self._reserve(position)
        with _Transaction(self._open_connection()) as connection:
            note(connection, damage)
        header.last_seq = self._last_known = position
        metrics.DAMAGED_EVENTS.inc(damage.events)
        return damage

    def damage(self, *, untold: bool = False) -> list[Damage]:
        """Return what was set aside; only that of which nobody was told, if so wanted."""
        return read_damage(self._open_connection(), untold=untold)

    def damage_told(self, damage: Sequence[Damage]) -> None:
        """Note that somebody was told."""
        with _Transaction(self._open_connection()) as connection:
            mark_told(connection, damage)

    def ages(self) -> tuple[int, int]:
        """Return when the oldest and the newest batch were appended; 0 if there is none."""
        connection = self._open_connection()
        oldest = connection.execute("SELECT appended_us FROM batch ORDER BY first_seq LIMIT 1").fetchone()
        newest = connection.execute(
            "SELECT appended_us FROM batch ORDER BY first_seq DESC LIMIT 1"
        ).fetchone()
        return (oldest[0], newest[0]) if oldest else (0, 0)

    def checkpoint(self, above_bytes: int) -> None:
        """Move the write-ahead file into the database once enough is in it.

        Readers aren't waited for; what they still look at is moved next time.
        """
        if self._uncheckpointed_bytes <= above_bytes:
            return
        self._open_connection().execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        self._uncheckpointed_bytes = 0

    def give_back(self, spare_bytes: int) -> bool:
        """Shrink the file by one step if it has more free pages than are worth keeping."""
        connection = self._open_connection()
        (free_pages,) = connection.execute("PRAGMA freelist_count").fetchone()
        surplus: int = free_pages - spare_bytes // PAGE_BYTES
        if surplus <= 0:
            return False
        pages = min(surplus, _VACUUM_STEP_PAGES)
        # A script, because execute() would stop after the first page.
        connection.executescript(f"PRAGMA incremental_vacuum({pages})")
        self._uncheckpointed_bytes += PAGE_BYTES * pages
        return surplus > pages

    def _open_connection(self) -> sqlite3.Connection:
        if self._connection is None:
            raise sqlite3.OperationalError("the log is not open")
        return self._connection


class _Transaction:
    """A write transaction: committed at the end, or rolled back."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> sqlite3.Connection:
        self._connection.execute("BEGIN IMMEDIATE")
        return self._connection

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._connection.execute("COMMIT")
        finally:
            # SQLite may have rolled back by itself when the disk refused.
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")


def _find(connection: sqlite3.Connection, batch_id: bytes | None) -> AppendResult | None:
    if batch_id is None:
        return None
    found = connection.execute(
        "SELECT first_seq, last_seq FROM batch WHERE batch_id = ?", (batch_id,)
    ).fetchone()
    return None if found is None else AppendResult(found[0], found[1], duplicate=True)


def _note_source(connection: sqlite3.Connection, source: Source) -> bool:
    """Note positions of another log as stored, joined with those that touch them; false if some of them are."""
    first, last = source.first_seq, source.last_seq
    near = connection.execute(
        "SELECT first_seq, last_seq FROM source_range WHERE log_id = ? AND first_seq <= ? AND last_seq >= ?",
        (source.log_id, last + 1, first - 1),
    ).fetchall()
    if any(low <= last and high >= first for low, high in near):
        return False
    for low, high in near:
        connection.execute(
            "DELETE FROM source_range WHERE log_id = ? AND first_seq = ?", (source.log_id, low)
        )
        first, last = min(first, low), max(last, high)
    connection.execute("INSERT INTO source_range VALUES (?, ?, ?)", (source.log_id, first, last))
    return True
