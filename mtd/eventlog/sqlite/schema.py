"""The file: its tables, how it is opened, and what an SQLite error means."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from mtd.core.errors import Misconfigured
from mtd.eventlog.interfaces import Damage

FORMAT = 1
# Rows are whole batches, mostly tens of kilobytes: large pages, few overflow pages.
PAGE_BYTES = 16 * 1024
# What a row takes besides its payload, as the quota counts it.
ROW_OVERHEAD_BYTES = 64
_WAL_KEPT_BYTES = 64 * 1024 * 1024

_TABLES = """
CREATE TABLE log (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    format INTEGER NOT NULL,
    log_id TEXT NOT NULL,
    created_us INTEGER NOT NULL,
    trimmed_through INTEGER NOT NULL,
    stored_batches INTEGER NOT NULL,
    stored_bytes INTEGER NOT NULL
);
CREATE TABLE batch (
    first_seq INTEGER PRIMARY KEY,
    last_seq INTEGER NOT NULL,
    appended_us INTEGER NOT NULL,
    stored_bytes INTEGER NOT NULL,
    crc INTEGER NOT NULL,
    batch_id BLOB,
    payload BLOB NOT NULL
);
CREATE UNIQUE INDEX batch_by_id ON batch (batch_id) WHERE batch_id IS NOT NULL;
CREATE TABLE consumer (
    name TEXT PRIMARY KEY,
    position INTEGER NOT NULL
);
"""

# What can't be read any more, and what is left of it. Its positions are never given again.
_DAMAGE_TABLE = """
CREATE TABLE IF NOT EXISTS damage (
    first_seq INTEGER PRIMARY KEY,
    last_seq INTEGER NOT NULL,
    found_us INTEGER NOT NULL,
    detail TEXT NOT NULL,
    told INTEGER NOT NULL DEFAULT 0,
    batch_id BLOB,
    payload BLOB
)
"""

# Added later; who wrote the file before had no use for it.
_SOURCE_TABLE = """
CREATE TABLE IF NOT EXISTS source_range (
    log_id TEXT NOT NULL,
    first_seq INTEGER NOT NULL,
    last_seq INTEGER NOT NULL,
    PRIMARY KEY (log_id, first_seq)
) WITHOUT ROWID
"""


@dataclass(slots=True)
class Header:
    """The log's single row about itself, and the position of its last event."""

    log_id: str
    trimmed_through: int
    batches: int
    stored_bytes: int
    last_seq: int


def open_for_writing(path: Path, busy_timeout_s: float, now_us: int, log_id: str = "") -> sqlite3.Connection:
    """Open the file, made if it isn't there; each commit is on the disk when it returns.

    A log that is made gets ``log_id``, or one of its own.
    Raises Misconfigured if the file is not a log that this version can use, and
    sqlite3.Error if the disk refuses.
    """
    # What routers told us is nobody else's to read; SQLite gives its other files the same rights.
    path.touch(mode=0o600)
    connection = sqlite3.connect(path, timeout=busy_timeout_s, isolation_level=None, check_same_thread=False)
    try:
        connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        # Checkpoints are made by the writer after it has acknowledged, not within a commit.
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.execute(f"PRAGMA journal_size_limit = {_WAL_KEPT_BYTES}")
        _make_or_check(connection, path, now_us, log_id)
    except BaseException as error:
        connection.close()
        if is_no_database(error):
            raise Misconfigured(f"{path} is not an event log of mtd; name another file") from error
        raise
    return connection


def open_for_reading(path: Path, busy_timeout_s: float) -> sqlite3.Connection:
    """Open an existing file without the means to change it."""
    uri = f"{path.absolute().as_uri()}?mode=ro"
    return sqlite3.connect(
        uri, uri=True, timeout=busy_timeout_s, isolation_level=None, check_same_thread=False
    )


def _make_or_check(connection: sqlite3.Connection, path: Path, now_us: int, log_id: str) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        tables = {
            name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        }
        if not tables:
            for statement in _TABLES.split(";\n"):
                connection.execute(statement)
            connection.execute(
                "INSERT INTO log VALUES (1, ?, ?, ?, 0, 0, 0)", (FORMAT, log_id or str(uuid.uuid4()), now_us)
            )
        else:
            check_format(connection, tables, path)
        if "source_range" not in tables:
            connection.execute(_SOURCE_TABLE)
        if "damage" not in tables:
            connection.execute(_DAMAGE_TABLE)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def check_format(connection: sqlite3.Connection, tables: set[str], path: Path) -> None:
    """Raise Misconfigured unless the file is a log of this format."""
    if not {"log", "batch", "consumer"} <= tables:
        raise Misconfigured(f"{path} is an SQLite database, but not an event log of mtd; name another file")
    (found,) = connection.execute("SELECT format FROM log").fetchone()
    if found != FORMAT:
        raise Misconfigured(
            f"{path} has format {found}, this version of mtd reads {FORMAT}; use the version that wrote it"
        )


def read_header(connection: sqlite3.Connection) -> Header:
    """Return what the log says of itself."""
    log_id, trimmed_through, batches, stored_bytes = connection.execute(
        "SELECT log_id, trimmed_through, stored_batches, stored_bytes FROM log"
    ).fetchone()
    newest = connection.execute("SELECT last_seq FROM batch ORDER BY first_seq DESC LIMIT 1").fetchone()
    check_numbers("what the log says of itself", trimmed_through, batches, stored_bytes, *(newest or ()))
    if not isinstance(log_id, str):
        raise spoiled("the id of the log")
    ends = [trimmed_through, *(newest or ()), *(damage.last_seq for damage in read_damage(connection))]
    return Header(log_id, trimmed_through, batches, stored_bytes, max(ends))


def read_damage(connection: sqlite3.Connection, *, untold: bool = False) -> list[Damage]:
    """Return what was set aside, in order; none from a file that an older version wrote."""
    try:
        rows = connection.execute(
            "SELECT first_seq, last_seq, found_us, detail FROM damage WHERE told <= ? ORDER BY first_seq",
            (0 if untold else 1,),
        ).fetchall()
    except sqlite3.OperationalError as error:
        if "no such table" in str(error):
            return []
        raise
    for row in rows:
        check_numbers("what was set aside", *row[:3])
    return [Damage(first, last, found_us, str(detail)) for first, last, found_us, detail in rows]


def read_consumers(connection: sqlite3.Connection) -> dict[str, int]:
    """Return the stored positions of the consumers."""
    consumers = dict(connection.execute("SELECT name, position FROM consumer ORDER BY name"))
    check_numbers("the positions of readers", *consumers.values())
    return consumers


def check_numbers(what: str, *values: object) -> None:
    """Raise an error of a damaged file unless all are integers: what a record begins with may be spoiled."""
    if not all(isinstance(value, int) for value in values):
        raise spoiled(what)


def spoiled(what: str) -> sqlite3.DatabaseError:
    """Return the error of a file in which something isn't of its kind."""
    error = sqlite3.DatabaseError(f"{what} can't be read")
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    return error


def disk_bytes(path: Path) -> int:
    """Return what the file and its write-ahead file take on the disk."""
    total = 0
    for name in (path, path.with_name(path.name + "-wal")):
        try:
            total += name.stat().st_size
        except FileNotFoundError:
            continue
    return total


def _primary_code(error: sqlite3.Error) -> int:
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF


_REASONS = {
    sqlite3.SQLITE_FULL: "disk_full",
    sqlite3.SQLITE_IOERR: "io_error",
    sqlite3.SQLITE_CANTOPEN: "io_error",
    sqlite3.SQLITE_READONLY: "io_error",
    sqlite3.SQLITE_CORRUPT: "damaged",
    sqlite3.SQLITE_NOTADB: "damaged",
    sqlite3.SQLITE_BUSY: "busy",
}


def is_no_database(error: BaseException) -> bool:
    """Return whether an error says that the file is none of SQLite's."""
    return isinstance(error, sqlite3.Error) and _primary_code(error) == sqlite3.SQLITE_NOTADB


def is_damage(error: BaseException) -> bool:
    """Return whether an error says that what is in the file isn't what was written."""
    cause = error if isinstance(error, sqlite3.Error) else error.__cause__
    return isinstance(cause, sqlite3.Error) and _primary_code(cause) in (
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
    )


def failure_reason(error: Exception) -> str:
    """Return the short name of what an error of the disk or of SQLite means to a log."""
    if isinstance(error, sqlite3.Error):
        return _REASONS.get(_primary_code(error), "error")
    return "io_error" if isinstance(error, OSError) else "error"


class FileLock:
    """Keeps a second process from writing the log. Released by the system if we die."""

    def __init__(self, path: Path) -> None:
        self._path = path.with_name(path.name + ".lock")
        self._file: IO[str] | None = None

    def acquire(self) -> None:
        """Take the lock, or raise Misconfigured naming who has it."""
        lock = self._path.open("a+")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            holder = lock.read().strip() or "unknown"
            lock.close()
            raise Misconfigured(
                f"the event log {self._path.with_suffix('')} is in use by process {holder}; "
                "stop that mtd, or give this one another event_log.path"
            ) from None
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        self._file = lock

    def release(self) -> None:
        """Give the lock back. The file stays: removing it would race with the next owner."""
        if self._file is not None:
            self._file.close()
            self._file = None
