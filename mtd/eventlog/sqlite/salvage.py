"""A file that SQLite can't use any more: what is readable goes into a new one, the old one is kept beside it.

The new file is the same log: its id, its positions, its consumers. What could not be read is noted as damage, and
new events get positions behind all that were ever given out.
"""

from __future__ import annotations

import datetime as dt
import logging
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

from mtd.eventlog import metrics
from mtd.eventlog.encoding import decode_batch
from mtd.eventlog.errors import LogDamaged
from mtd.eventlog.interfaces import Damage
from mtd.eventlog.sqlite.damage import note
from mtd.eventlog.sqlite.mark import Mark, sync_folder
from mtd.eventlog.sqlite.schema import PAGE_BYTES, open_for_reading, open_for_writing

logger = logging.getLogger(__name__)

# What every one of our files begins with: its kind, the size of its pages, and that it has a write-ahead file.
_BEGINNING = b"SQLite format 3\0" + PAGE_BYTES.to_bytes(2, "big") + bytes((2, 2, 0, 64, 32, 32))
_NEXT = (
    "SELECT first_seq, last_seq, appended_us, stored_bytes, crc, batch_id, payload FROM batch"
    " WHERE first_seq > ? ORDER BY first_seq LIMIT 1"
)
_PARTS = ("", "-wal")
_MOST_STEPS = 40

Row = tuple[int, int, int, int, int, "bytes | None", bytes]


@dataclass(slots=True)
class Readable:
    """What could be read of a damaged file."""

    trimmed_through: int = 0
    consumers: list[tuple[str, int]] = field(default_factory=list)
    sources: list[tuple[str, int, int]] = field(default_factory=list)
    damage: list[tuple[object, ...]] = field(default_factory=list)


def mend_beginning(path: Path) -> bool:
    """Put the first bytes of a log's file right, which are always the same; return whether they were wrong.

    A file that is empty gets them only if there is a write-ahead file, which SQLite would throw away with it.
    """
    wal = _named(path, "-wal")
    try:
        with path.open("r+b") as file:
            found = file.read(len(_BEGINNING))
            if found == _BEGINNING or (not found and not (wal.exists() and wal.stat().st_size)):
                return False
            file.seek(0)
            file.write(_BEGINNING if len(found) == len(_BEGINNING) else _BEGINNING.ljust(PAGE_BYTES, b"\0"))
    except FileNotFoundError:
        return False
    logger.error("the first bytes of the event log %s were damaged and are put right", path)
    return True


def finish_salvage(path: Path, now_us: int) -> Path | None:
    """Put a new file that is complete in the place of the damaged one; return where that is now, None if there is none.

    A crash at any moment between leaves what can be finished. Raises OSError.
    """
    ready = _named(path, ".salvaged")
    if not ready.exists():
        return None
    aside = aside_name(path, now_us)
    # The write-ahead file first: SQLite would take it for one of the new file.
    for part in reversed(_PARTS):
        with suppress(FileNotFoundError):
            _named(path, part).replace(_named(aside, part))
    _named(path, "-shm").unlink(missing_ok=True)
    ready.replace(path)
    sync_folder(path.parent)
    return aside


def salvage(path: Path, mark: Mark, at_least: int, now_us: int, reason: str) -> int:
    """Make a new file of what is readable in a damaged one; return how many positions are lost.

    ``at_least``: the last position that is known to have been given out; 0 if that isn't known. Blocks, for as
    long as reading the file takes; nobody may have it open. Raises OSError and sqlite3.Error if the disk refuses;
    what it cut off then is finished by the next try, which counts nothing.
    """
    draft, ready = _named(path, ".salvage"), _named(path, ".salvaged")
    if finish_salvage(path, now_us) is not None:
        logger.critical("the event log %s is the new file of a salvage that was cut off", path)
        return 0
    logger.critical("the event log %s is damaged (%s): saving what can be read", path, reason)
    mend_beginning(path)
    for name in (*_with_parts(draft), *_with_parts(ready)):
        name.unlink(missing_ok=True)
    last_seq = at_least or mark.reserved_through
    with closing(open_for_writing(draft, 1.0, now_us, mark.log_id)) as new:
        new.execute("BEGIN IMMEDIATE")
        kept = _Copy(new, now_us, last_seq, reason)
        with suppress(sqlite3.DatabaseError), closing(open_for_reading(path, 1.0)) as old:
            kept.take(old)
        kept.finish()
        new.execute("COMMIT")
        # One file is one name to move.
        new.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    draft.replace(ready)
    sync_folder(path.parent)
    aside = finish_salvage(path, now_us)
    metrics.SALVAGES.inc()
    logger.critical(
        "the event log was damaged: %d events were saved, %d positions are lost; the damaged file is kept as %s",
        kept.events,
        kept.lost,
        aside,
    )
    return kept.lost


def aside_name(path: Path, now_us: int) -> Path:
    """Return a name for what is set aside, which nothing has yet."""
    moment = dt.datetime.fromtimestamp(now_us / 1e6, dt.UTC).strftime("%Y%m%dT%H%M%SZ")
    number, name = 0, _named(path, f".damaged-{moment}")
    while name.exists() or _named(name, "-wal").exists():
        number += 1
        name = _named(path, f".damaged-{moment}-{number}")
    return name


class _Copy:
    """Copies what is readable, and notes what is not."""

    def __init__(self, new: sqlite3.Connection, now_us: int, last_seq: int, reason: str) -> None:
        self._new = new
        self._now_us = now_us
        self._last_seq = last_seq
        self._reason = reason
        self._found = Readable()
        self._covered: list[tuple[int, int]] = []
        self.events = 0
        self.lost = 0

    def take(self, old: sqlite3.Connection) -> None:
        """Copy what an old file gives."""
        found = self._found
        with suppress(sqlite3.DatabaseError, TypeError):
            (trimmed,) = old.execute("SELECT trimmed_through FROM log").fetchone()
            found.trimmed_through = trimmed if isinstance(trimmed, int) else 0
        with suppress(sqlite3.DatabaseError):
            rows = old.execute("SELECT name, position FROM consumer").fetchall()
            found.consumers = [(str(name), at) for name, at in rows if isinstance(at, int)]
        with suppress(sqlite3.DatabaseError):
            rows = old.execute("SELECT log_id, first_seq, last_seq FROM source_range").fetchall()
            found.sources = [row for row in rows if all(isinstance(value, int) for value in row[1:])]
        with suppress(sqlite3.DatabaseError):
            rows = old.execute("SELECT * FROM damage").fetchall()
            found.damage = [row for row in rows if all(isinstance(value, int) for value in row[:3])]
        for row in _rows_of(old, found.trimmed_through):
            self._keep(row)

    def _keep(self, row: Row) -> None:
        first_seq, last_seq, appended_us, stored_bytes, crc, batch_id, payload = row
        if not isinstance(last_seq, int) or last_seq > self._last_seq:
            return
        if any(first_seq <= last and last_seq >= first for first, last in self._covered[-1:]):
            return
        try:
            decode_batch(first_seq, last_seq, appended_us, crc, payload)
            self._new.execute(
                "INSERT INTO batch VALUES (?, ?, ?, ?, ?, ?, ?)",
                (first_seq, last_seq, appended_us, stored_bytes, crc, batch_id, payload),
            )
        except (LogDamaged, TypeError, ValueError, sqlite3.IntegrityError):
            return  # it becomes a part of the gap that it leaves
        self._covered.append((first_seq, last_seq))
        self.events += last_seq + 1 - first_seq

    def finish(self) -> None:
        """Write what isn't batches, and which positions are missing."""
        new, found = self._new, self._found
        covered = sorted([*self._covered, *((int(row[0]), int(row[1])) for row in found.damage)])  # type: ignore[call-overload]
        # Where the file doesn't say what was trimmed, what lies in front may have been there as well.
        position = trimmed = found.trimmed_through
        new.executemany("INSERT OR REPLACE INTO damage VALUES (?, ?, ?, ?, ?, ?, ?)", found.damage)
        for first, last in covered:
            if first > position + 1:
                self._note(position + 1, first - 1)
            position = max(position, last)
        if position < self._last_seq:
            self._note(position + 1, self._last_seq)
        new.executemany("INSERT OR REPLACE INTO consumer VALUES (?, ?)", found.consumers)
        new.executemany("INSERT OR REPLACE INTO source_range VALUES (?, ?, ?)", found.sources)
        new.execute(
            "UPDATE log SET trimmed_through = ?, stored_batches = (SELECT count(*) FROM batch),"
            " stored_bytes = (SELECT coalesce(sum(stored_bytes), 0) FROM batch)",
            (trimmed,),
        )

    def _note(self, first_seq: int, last_seq: int) -> None:
        self.lost += last_seq + 1 - first_seq
        note(self._new, Damage(first_seq, last_seq, self._now_us, f"lost with the file: {self._reason}"))


def _rows_of(old: sqlite3.Connection, after: int) -> Iterator[Row]:
    """Yield the batches that can be read, in order: behind one that can't be, from where reading works again."""
    position = after
    while True:
        try:
            row: Row | None = old.execute(_NEXT, (position,)).fetchone()
        except sqlite3.DatabaseError:
            following = _next_readable(old, position)
            if following is None:
                return
            position = following - 1
            continue
        if row is None:
            return
        yield row
        position = row[0]


def _next_readable(old: sqlite3.Connection, position: int) -> int | None:
    """Return where the first batch is that can be read, behind a position at which reading fails."""
    failing = position
    for step in range(_MOST_STEPS):
        working = position + 2**step
        try:
            found = _first_behind(old, working)
        except sqlite3.DatabaseError:
            failing = working
            continue
        while working - failing > 1:
            middle = (failing + working) // 2
            try:
                found = _first_behind(old, middle)
                working = middle
            except sqlite3.DatabaseError:
                failing = middle
        return found
    return None


def _first_behind(old: sqlite3.Connection, position: int) -> int | None:
    """Return the position of the first batch behind one, having read all of it."""
    row = old.execute(_NEXT, (position,)).fetchone()
    return None if row is None else int(row[0])


def _named(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)


def _with_parts(path: Path) -> list[Path]:
    return [_named(path, part) for part in _PARTS]
