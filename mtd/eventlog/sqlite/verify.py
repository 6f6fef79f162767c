"""Examining a log's file from outside, whether or not a daemon writes it at the time."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from mtd.core.errors import Misconfigured, NotFound
from mtd.eventlog.encoding import decode_batch
from mtd.eventlog.errors import LogUnavailable
from mtd.eventlog.examination import Examiner, LogHeader, StoredBatch
from mtd.eventlog.interfaces import LogProblem, LogReport, LogStats, Progress
from mtd.eventlog.sqlite.schema import (
    check_format,
    disk_bytes,
    failure_reason,
    is_no_database,
    open_for_reading,
    read_consumers,
    read_damage,
    read_header,
)

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
            header = _header(connection)
            aside = read_damage(connection)
            examiner = Examiner(header, lambda: read_header(connection).trimmed_through, aside)
            total = header.last_seq - header.trimmed_through
            for row in _rows(connection, header.last_seq):
                examiner.examine(_stored(row))
                if progress is not None:
                    progress(examiner.events, total)
            return examiner.report(_header(connection), time.monotonic() - started)
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


def _header(connection: sqlite3.Connection) -> LogHeader:
    header = read_header(connection)
    return LogHeader(
        header.log_id, header.trimmed_through, header.last_seq, header.batches, header.stored_bytes
    )


def _stored(row: _Row) -> StoredBatch:
    first_seq, last_seq, appended_us, stored_bytes, crc, batch_id, payload = row
    return StoredBatch(
        first_seq,
        last_seq,
        stored_bytes,
        batch_id,
        lambda: decode_batch(first_seq, last_seq, appended_us, crc, payload),
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
