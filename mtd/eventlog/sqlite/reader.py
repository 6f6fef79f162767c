"""Reading stored batches, with a connection and a thread of its own."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

from mtd.eventlog import metrics
from mtd.eventlog.encoding import decode_batch
from mtd.eventlog.errors import FileDamaged, LogDamaged, LogUnavailable
from mtd.eventlog.interfaces import LoggedBatch
from mtd.eventlog.sqlite.schema import failure_reason, is_damage, open_for_reading
from mtd.eventlog.upcast import UPCASTERS

_ROWS_FROM = """
    SELECT first_seq, last_seq, appended_us, crc, stored_bytes, payload FROM batch
    WHERE first_seq >= (SELECT coalesce(max(first_seq), 0) FROM batch WHERE first_seq <= ?)
    ORDER BY first_seq
"""


class DiskReader:
    """Reads batches from the file. Opens it when first needed."""

    def __init__(self, path: Path, busy_timeout_s: float, read_bytes: int) -> None:
        self._path = path
        self._busy_timeout_s = busy_timeout_s
        self._read_bytes = read_bytes
        self._connection: sqlite3.Connection | None = None
        self._lock = threading.Lock()

    def read(self, after: int, limit: int) -> list[LoggedBatch]:
        """Return batches behind a position: the first whole, further ones up to the limits."""
        with self._lock:
            try:
                rows = self._rows(after, limit)
            except sqlite3.Error as error:
                self._close()
                reason = failure_reason(error)
                kind = FileDamaged if is_damage(error) else LogUnavailable
                raise kind(f"the event log can't be read: {reason}: {error}") from error
        batches: list[LoggedBatch] = []
        for first_seq, last_seq, appended_us, crc, payload in rows:
            try:
                events = decode_batch(first_seq, last_seq, appended_us, crc, payload)
            except LogDamaged:
                metrics.DAMAGED_BATCHES.inc()
                if batches:
                    # What is sound comes first; who reads on meets the damage next.
                    break
                raise
            batch = LoggedBatch(first_seq, last_seq, UPCASTERS.upcast_all(events), appended_us)
            batches.append(batch.after(after))
        return batches

    def _rows(self, after: int, limit: int) -> list[tuple[int, int, int, int, bytes]]:
        if self._connection is None:
            self._connection = open_for_reading(self._path, self._busy_timeout_s)
        rows: list[tuple[int, int, int, int, bytes]] = []
        events = size = 0
        cursor = self._connection.execute(_ROWS_FROM, (after + 1,))
        for first_seq, last_seq, appended_us, crc, stored_bytes, payload in cursor:
            if not (isinstance(last_seq, int) and isinstance(stored_bytes, int)):
                if not rows:
                    raise LogDamaged(first_seq, first_seq, "can't be read")
                break  # what is sound comes first
            if last_seq <= after:
                continue
            events += last_seq + 1 - max(first_seq, after + 1)
            size += stored_bytes
            if rows and (events > limit or size > self._read_bytes):
                break
            rows.append((first_seq, last_seq, appended_us, crc, payload))
        # An open cursor would keep the write-ahead file from being reused.
        cursor.close()
        return rows

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
