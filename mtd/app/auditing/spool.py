"""Entries in files, while PostgreSQL is away. Blocking: called in threads, by one at a time.

A segment is a file of lines, each an entry; it is removed when PostgreSQL has all of it. Other programs of
this machine, such as commands, put whole segments of their own beside those of the daemon.
"""

from __future__ import annotations

import itertools
import json
import logging
import os
import uuid
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import IO

from mtd.app.auditing import metrics
from mtd.core.errors import Retryable
from mtd.model.audit import AuditEntry
from mtd.security.audit_anchor import give_to_owner
from mtd.security.audit_chain import Deed, clean

logger = logging.getLogger(__name__)

FOLDER = "audit-spool"
"""Name of the folder within the data folder."""

_SEGMENT_BYTES = 1024 * 1024
_SUFFIX = ".jsonl"
_LAST_US = 253_402_300_799_000_000  # of the year 9999
_numbers = itertools.count(1)


class SpoolFull(Retryable):
    """The files are as large as they may become, or can't be written."""

    hint = "have PostgreSQL come back, or make room on the disk of the data folder"


class Spool:
    """Segments in a folder, which is made when it is needed."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._file: IO[bytes] | None = None
        self._path = Path()
        self._size = 0

    def look(self) -> int:
        """Return how many bytes wait in all segments."""
        self._size = sum(path.stat().st_size for path in self.segments())
        metrics.BEHIND.set(self._size)
        return self._size

    def append(self, deeds: Sequence[Deed]) -> None:
        """Write deeds behind what is there; they are durable when it returns. Raises SpoolFull."""
        data = _lines(deeds)
        if self._size + len(data) > self._max_bytes:
            raise SpoolFull(
                f"{self._folder} has grown to {self._size} bytes, as much as audit.spool_max_mb allows"
            )
        try:
            if self._file is None or self._file.tell() > _SEGMENT_BYTES:
                self.close()
                self._path = self._new_path(deeds[0])
                self._file = _opened(self._path)
                _sync_folder(self._folder)
            self._file.write(data)
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            self.close()  # half a line may stand there: nothing is to come behind it
            raise SpoolFull(f"{self._folder} can't be written: {error.strerror}") from None
        self._size += len(data)
        metrics.BEHIND.set(self._size)
        metrics.SPOOLED.inc(len(deeds))

    def close(self) -> None:
        """End the segment that is written: the next entries begin another."""
        if self._file is not None:
            file, self._file = self._file, None
            try:
                file.close()
            except OSError as error:
                logger.warning("a file in %s could not be closed: %s", self._folder, error.strerror)

    def segments(self) -> list[Path]:
        """Return the segments, the oldest first."""
        try:
            return sorted(path for path in self._folder.iterdir() if path.suffix == _SUFFIX)
        except FileNotFoundError:
            return []

    def read(self, segment: Path) -> list[Deed]:
        """Return the entries of a segment. What is no entry was never said to be durable; it is counted."""
        found = []
        for line in segment.read_bytes().splitlines():
            try:
                found.append(_deed(line))
            except (ValueError, TypeError, KeyError, AttributeError):
                metrics.TORN.inc()
                logger.warning("a line in %s is no entry of the audit log: the end of it is missing", segment)
        return found

    def remove(self, segment: Path) -> None:
        """Remove a segment whose entries PostgreSQL has."""
        if segment == self._path:
            self.close()
        segment.unlink()
        self.look()

    def _new_path(self, first: Deed) -> Path:
        _make(self._folder)
        return self._folder / _name(first)


def spool_once(folder: Path, deeds: Sequence[Deed]) -> None:
    """Leave deeds for the daemon, as a segment of their own: all or nothing. Raises SpoolFull."""
    try:
        _make(folder)
        path = folder / _name(deeds[0])
        staging = path.with_suffix(".new")
        with _opened(staging) as file:
            file.write(_lines(deeds))
            file.flush()
            os.fsync(file.fileno())
        give_to_owner(staging, folder)
        staging.rename(path)
        _sync_folder(folder)
    except OSError as error:
        raise SpoolFull(f"{folder} can't be written: {error.strerror}") from None


def _name(first: Deed) -> str:
    return f"{first.ts_us:020d}-{os.getpid()}-{next(_numbers)}{_SUFFIX}"


def _lines(deeds: Sequence[Deed]) -> bytes:
    lines = [
        {"entry_id": deed.entry_id, "ts_us": deed.ts_us, "entry": {**asdict(deed.entry)}} for deed in deeds
    ]
    return "".join(json.dumps(line) + "\n" for line in lines).encode()


def _deed(line: bytes) -> Deed:
    read = json.loads(line)
    ts_us = int(read["ts_us"])
    if not 0 <= ts_us <= _LAST_US:
        raise ValueError("no time")
    return Deed(clean(AuditEntry(**read["entry"])), ts_us, str(uuid.UUID(read["entry_id"])))


def _make(folder: Path) -> None:
    if not folder.is_dir():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        give_to_owner(folder, folder.parent)


def _opened(path: Path) -> IO[bytes]:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb")


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
