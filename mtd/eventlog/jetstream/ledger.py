"""What is known of the stream's batches: where each is, its id, and what came from other logs.

Made from the headers of the stream and the newest message of state. Kept in
memory, some 100 bytes for each batch, and copied beside the data now and then
so that a start reads only the headers of what came since. The copy is never
the truth: if anything about it is odd it is made anew.
"""

from __future__ import annotations

import contextlib
import json
import logging
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtd.eventlog.interfaces import AppendResult, Source
from mtd.eventlog.jetstream.damage import DamageBook
from mtd.eventlog.jetstream.messages import BATCH, STATE, Placed
from mtd.model.ranges import SeqRanges

logger = logging.getLogger(__name__)

_FORMAT = 1
_TABLES = """
CREATE TABLE batch (
    first_seq INTEGER PRIMARY KEY,
    last_seq INTEGER NOT NULL,
    first_message INTEGER NOT NULL,
    last_message INTEGER NOT NULL,
    appended_us INTEGER NOT NULL,
    stored_bytes INTEGER NOT NULL
);
CREATE TABLE batch_id (id BLOB PRIMARY KEY, first_seq INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX batch_id_by_seq ON batch_id (first_seq);
CREATE TABLE kept (document TEXT NOT NULL);
"""
_COPY_STEP_PAGES = 256
_COPY_PAUSE_S = 0.005


@dataclass(frozen=True, slots=True)
class BatchRow:
    """Where a batch is: its positions, and its messages."""

    first_seq: int
    last_seq: int
    first_message: int
    last_message: int
    appended_us: int
    stored_bytes: int


class Ledger:
    """The books of one log. Belongs to the event loop, but for ``copy_to``."""

    def __init__(self, log_id: str) -> None:
        self.log_id = log_id
        self._database = _memory()
        self.last_seq = 0
        self.trimmed_through = 0
        self.batches = 0
        self.stored_bytes = 0
        self.last_message = 0
        self.last_uid = ""
        self.state_message = 0
        self.damage = DamageBook()
        self._gaps: list[tuple[int, int]] = []
        self.sources: dict[str, SeqRanges] = {}
        self.sources_changed = False
        self.consumers: dict[str, int] = {}

    # -- taking in -------------------------------------------------------------

    def add(self, placed: Placed) -> None:
        """Take in a batch that is stored, which follows those before; a state only moves the end."""
        head = placed.head
        self.last_message, self.last_uid = placed.last_message, head.uid
        if head.kind == STATE:
            self.state_message = placed.first_message
        if head.kind != BATCH or head.last_seq <= self.trimmed_through:
            return
        if head.first_seq <= self.last_seq:
            logger.error("events %d to %d stand in the log twice; passed over", head.first_seq, head.last_seq)
            return
        if self.batches and head.first_seq > self.last_seq + 1:
            self._gaps.append((self.last_seq + 1, head.first_seq - 1))
        row = (head.first_seq, head.last_seq, placed.first_message, placed.last_message)
        self._database.execute(
            "INSERT INTO batch VALUES (?, ?, ?, ?, ?, ?)", (*row, head.at_us, head.stored_bytes)
        )
        if head.batch_id is not None:
            self._database.execute(
                "INSERT OR IGNORE INTO batch_id VALUES (?, ?)", (head.batch_id, head.first_seq)
            )
        if head.source is not None:
            self.ranges(head.source.log_id).add(head.source.first_seq, head.source.last_seq)
            self.sources_changed = True
        self.last_seq = head.last_seq
        self.batches += 1
        self.stored_bytes += head.stored_bytes

    def skip_to(self, message: int) -> None:
        """Note that the stream is known up to a message, whatever it held."""
        self.last_message = max(self.last_message, message)

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take in what a message of state says; what came after it is added on top."""
        self.trimmed_through = max(self.trimmed_through, int(state["trimmed_through"]))
        self.last_seq = max(self.last_seq, int(state["last_seq"]))
        for log_id, spans in state["sources"].items():
            self.ranges(log_id).update((first, last) for first, last in spans)
        self.consumers = {name: int(position) for name, position in state["consumers"].items()}
        self.damage.restore(state.get("damage", ()))
        for one in self.damage:
            self._remove(one.first_seq, one.last_seq)

    def state(self) -> dict[str, Any]:
        """Return what can't be read from batches once they are trimmed."""
        return {
            "format": _FORMAT,
            "log_id": self.log_id,
            "last_seq": self.last_seq,
            "trimmed_through": self.trimmed_through,
            "sources": {log_id: list(spans) for log_id, spans in self.sources.items() if len(spans)},
            "consumers": self.consumers,
            "damage": self.damage.state(),
        }

    def ranges(self, log_id: str) -> SeqRanges:
        """Return what came from another log."""
        return self.sources.setdefault(log_id, SeqRanges())

    # -- asking ----------------------------------------------------------------

    def find(self, batch_id: bytes | None) -> AppendResult | None:
        """Return where a batch of this id is stored, if it is."""
        if batch_id is None:
            return None
        found = self._database.execute(
            "SELECT first_seq, last_seq FROM batch_id JOIN batch USING (first_seq) WHERE id = ?", (batch_id,)
        ).fetchone()
        return None if found is None else AppendResult(found[0], found[1], duplicate=True)

    def has_from(self, source: Source | None) -> bool:
        """Return whether some of these events of another log are stored, or ever were."""
        if source is None or source.log_id not in self.sources:
            return False
        return self.sources[source.log_id].overlaps(source.first_seq, source.last_seq)

    def behind(self, position: int, limit: int, limit_bytes: int) -> list[BatchRow]:
        """Return the batches behind a position: the first, and more up to the limits."""
        rows: list[BatchRow] = []
        events = size = 0
        cursor = self._database.execute(
            "SELECT * FROM batch WHERE first_seq >= "
            "(SELECT coalesce(max(first_seq), 0) FROM batch WHERE first_seq <= ?) ORDER BY first_seq",
            (position + 1,),
        )
        for values in cursor:
            row = BatchRow(*values)
            if row.last_seq <= position:
                continue
            events += row.last_seq + 1 - max(row.first_seq, position + 1)
            size += row.stored_bytes
            if rows and (events > limit or size > limit_bytes):
                break
            rows.append(row)
        cursor.close()
        return rows

    @property
    def ages(self) -> tuple[int, int]:
        """When the oldest and the newest batch were appended; 0 if there is none."""
        oldest, newest = self._database.execute(
            "SELECT (SELECT appended_us FROM batch ORDER BY first_seq LIMIT 1),"
            " (SELECT appended_us FROM batch ORDER BY first_seq DESC LIMIT 1)"
        ).fetchone()
        return oldest or 0, newest or 0

    @property
    def first_needed(self) -> int:
        """The first message that holds a retained batch, or the newest state."""
        found = self._database.execute(
            "SELECT first_message FROM batch ORDER BY first_seq LIMIT 1"
        ).fetchone()
        return min(found[0], self.state_message) if found else self.state_message

    @property
    def covered(self) -> int:
        """Up to which position the newest state knows all that has to be known of batches."""
        (found,) = self._database.execute(
            "SELECT coalesce(max(last_seq), 0) FROM batch WHERE last_message < ?", (self.state_message,)
        ).fetchone()
        return int(found)

    def settle_front(self, first_message: int) -> None:
        """Take what isn't in the stream in front of its oldest batch as trimmed: it went without a state that says so."""
        (gone,) = self._database.execute(
            "SELECT coalesce(max(last_seq), 0) FROM batch WHERE first_message < ?", (first_message,)
        ).fetchone()
        self.trim(max(gone, self.trimmed_through))
        found = self._database.execute("SELECT first_seq FROM batch ORDER BY first_seq LIMIT 1").fetchone()
        self.trimmed_through = max(self.trimmed_through, found[0] - 1 if found else self.last_seq)

    # -- forgetting --------------------------------------------------------------

    def may_trim(self, through: int, older_than_us: int, excess_bytes: int) -> int:
        """Return up to which position batches may go: those up to ``through`` that are old, or in excess."""
        freed, last = 0, self.trimmed_through
        cursor = self._database.execute(
            "SELECT last_seq, appended_us, stored_bytes FROM batch WHERE last_seq <= ? ORDER BY first_seq",
            (through,),
        )
        for last_seq, appended_us, stored_bytes in cursor:
            if appended_us >= older_than_us and freed >= excess_bytes:
                break
            freed, last = freed + stored_bytes, last_seq
        cursor.close()
        return last

    def trim(self, through: int) -> int:
        """Forget the batches up to a position, the end of one; return how many events these were."""
        before = self.trimmed_through
        count, freed = self._database.execute(
            "SELECT count(*), coalesce(sum(stored_bytes), 0) FROM batch WHERE last_seq <= ?", (through,)
        ).fetchone()
        self._database.execute("DELETE FROM batch WHERE last_seq <= ?", (through,))
        self._database.execute("DELETE FROM batch_id WHERE first_seq <= ?", (through,))
        self.batches -= count
        self.stored_bytes -= freed
        self.trimmed_through = max(before, through)
        self.damage.forget(self.trimmed_through)
        return self.trimmed_through - before

    # -- damage ------------------------------------------------------------------

    def set_aside(self, first_seq: int, last_seq: int, now_us: int, detail: str) -> bool:
        """Give up a batch that can't be read; False if it isn't there any more."""
        if not self._remove(first_seq, last_seq):
            return False
        return self.damage.add(first_seq, last_seq, now_us, detail)

    def note_gaps(self, now_us: int) -> None:
        """Set aside what is missing between batches, and isn't known to be."""
        for first_seq, last_seq in self._gaps:
            if self.damage.add(first_seq, last_seq, now_us, "missing from the stream"):
                logger.error("events %d to %d are missing from the log", first_seq, last_seq)
        self._gaps.clear()

    def go_on_behind(self, position: int, now_us: int) -> bool:
        """Give the next event a position behind one; False if it would have it anyhow."""
        if position <= self.last_seq:
            return False
        self.damage.add(self.last_seq + 1, position, now_us, "acknowledged, and lost with the end of the log")
        self.last_seq = position
        if not self.batches:
            self.trimmed_through = position
        return True

    def _remove(self, first_seq: int, last_seq: int) -> bool:
        count, size = self._database.execute(
            "SELECT count(*), coalesce(sum(stored_bytes), 0) FROM batch WHERE first_seq BETWEEN ? AND ?",
            (first_seq, last_seq),
        ).fetchone()
        for table in ("batch", "batch_id"):
            self._database.execute(
                f"DELETE FROM {table} WHERE first_seq BETWEEN ? AND ?",  # noqa: S608 - two names of ours
                (first_seq, last_seq),
            )
        self.batches -= count
        self.stored_bytes -= size
        return bool(count)

    # -- the copy ----------------------------------------------------------------

    def copy_to(self, path: Path) -> None:
        """Keep a copy in a file. Blocks, in short steps; the event loop may use the ledger meanwhile."""
        partial = path.with_name(path.name + ".new")
        partial.unlink(missing_ok=True)
        partial.touch(mode=0o600)
        with contextlib.closing(sqlite3.connect(partial)) as copy:
            self._database.backup(copy, pages=_COPY_STEP_PAGES, sleep=_COPY_PAUSE_S)
        partial.replace(path)

    def note_for_copy(self, created: str) -> None:
        """Write down what a copy is good for. Before ``copy_to``, in the event loop."""
        document = self.state() | {
            "created": created,
            "last_message": self.last_message,
            "last_uid": self.last_uid,
        }
        self._database.execute("DELETE FROM kept")
        self._database.execute("INSERT INTO kept VALUES (?)", (json.dumps(document),))

    @classmethod
    def from_copy(cls, path: Path, log_id: str, created: str) -> Ledger | None:
        """Return what was kept of this very stream, if it is whole. Blocks."""
        if not path.exists():
            return None
        ledger = cls(log_id)
        try:
            with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as copy:
                copy.backup(ledger._database)
            (document,) = ledger._database.execute("SELECT document FROM kept").fetchone()
            kept = json.loads(document)
            if (kept["format"], kept["log_id"], kept["created"]) != (_FORMAT, log_id, created):
                return None
            if ledger._database.execute("PRAGMA quick_check").fetchone() != ("ok",):
                return None
            ledger.restore(kept)
            ledger.last_message, ledger.last_uid = int(kept["last_message"]), str(kept["last_uid"])
            # What came between the note and the copy is read again from the stream.
            ledger._database.execute("DELETE FROM batch WHERE first_seq > ?", (ledger.last_seq,))
            ledger._database.execute("DELETE FROM batch_id WHERE first_seq > ?", (ledger.last_seq,))
            ledger.batches, ledger.stored_bytes = ledger._database.execute(
                "SELECT count(*), coalesce(sum(stored_bytes), 0) FROM batch"
            ).fetchone()
        except (sqlite3.Error, OSError, ValueError, KeyError, TypeError) as error:
            logger.warning("what was kept of the stream can't be used, its headers are read: %s", error)
            return None
        return ledger


def _memory() -> sqlite3.Connection:
    database = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    database.executescript(_TABLES)
    return database
