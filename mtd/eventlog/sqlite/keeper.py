"""Looking after the file: retention, quota, free space, checkpoints, consumers' positions.

Works in the writing thread, between two commits, one short step at a time.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mtd.core.errors import Misconfigured
from mtd.eventlog import metrics
from mtd.eventlog.sqlite.schema import disk_bytes, is_damage

if TYPE_CHECKING:
    from mtd.core.clock import Clock
    from mtd.eventlog.config import EventLogConfig
    from mtd.eventlog.sqlite.store import Store

logger = logging.getLogger(__name__)

STORE_ERRORS = (sqlite3.Error, OSError, Misconfigured)
"""What a disk, or someone who replaced the file, can do to us."""


@dataclass(frozen=True, slots=True)
class FileState:
    """What was last known of the file. Times are microseconds since the epoch."""

    first_seq: int = 1
    last_seq: int = 0
    batches: int = 0
    stored_bytes: int = 0
    disk_bytes: int = 0
    disk_free_bytes: int = 0
    disk_size_bytes: int = 0
    oldest_us: int = 0
    newest_us: int = 0


class Keeper:
    """Trims and tidies a store. ``consumers`` returns a copy of the registered positions."""

    def __init__(
        self, store: Store, settings: EventLogConfig, clock: Clock, consumers: Callable[[], dict[str, int]]
    ) -> None:
        self._store = store
        self._settings = settings
        self._clock = clock
        self._consumers = consumers
        self._due = time.monotonic() + settings.maintenance_interval_s
        self._ages = store.ages()
        self.state = FileState()
        self._look()

    @property
    def due(self) -> float:
        """When ``maintain`` wants to be called, in monotonic seconds."""
        return self._due

    def hurry(self) -> None:
        """Want to be called soon: what is old may go now rather than at the regular time."""
        self._due = min(self._due, time.monotonic() + self._settings.commit_interval_s)

    def committed(self, now_us: int) -> None:
        """Note that something was stored. Touches no disk: who waits for the commit hasn't been told yet."""
        self._ages = (self._ages[0] or now_us, now_us)
        self._count()

    def maintain(self) -> None:
        """Do one step of what is due, and plan the next."""
        more = False
        # First of all: an error of ours below must not bring us back here at once.
        self._due = time.monotonic() + self._settings.maintenance_interval_s
        try:
            if self._store.is_open:
                self._store.save_consumers(self._consumers())
                excess = self._store.header.stored_bytes - self._settings.max_bytes
                more = self._trim(self._slowest(), excess)
                more = self._store.give_back(self._settings.spare_bytes) or more
                self._store.checkpoint(self._settings.checkpoint_bytes)
                self._ages = self._store.ages()
        except STORE_ERRORS as error:
            metrics.MAINTENANCE_FAILURES.inc()
            logger.warning("looking after the event log failed, will be tried again: %s", error)
            self.drop_connection(error)
            more = False
        self._note_reached()
        self._look()
        now = time.monotonic()
        self._due = now if more else now + self._settings.maintenance_interval_s

    def changed(self) -> None:
        """Note that positions were set aside, or that there is another file."""
        self._ages = self._store.ages()
        self._look()

    def after_commit(self) -> None:
        """Look at the disk, and move the write-ahead file into the database if it has grown enough."""
        self._look()
        try:
            self._store.checkpoint(self._settings.checkpoint_bytes)
        except STORE_ERRORS as error:
            # Nothing is lost: it stays in the write-ahead file, and is moved later.
            metrics.MAINTENANCE_FAILURES.inc()
            logger.warning("a checkpoint of the event log failed, will be tried again: %s", error)
            if is_damage(error):
                self.drop_connection(error)

    def _note_reached(self) -> None:
        """Write down beside the log how far it is; if that can't be done, the log itself is none the worse."""
        try:
            if self._store.is_open:
                self._store.note_reached()
        except OSError as error:
            metrics.MAINTENANCE_FAILURES.inc()
            logger.warning("the mark beside the event log can't be written, will be tried again: %s", error)

    def save_consumers(self) -> None:
        """Store the positions of the consumers now."""
        try:
            if self._store.is_open:
                self._store.save_consumers(self._consumers())
        except STORE_ERRORS as error:
            # Maintenance stores them again, before it trims anything.
            metrics.MAINTENANCE_FAILURES.inc()
            logger.warning("storing the positions of the log's consumers failed: %s", error)
            self.drop_connection(error)

    def room(self, wanted_bytes: int) -> int:
        """Return how many bytes may still be stored; trims what it may if that isn't enough."""
        header = self._store.header
        if self._disk_free() - wanted_bytes < self._settings.min_free_bytes:
            return -1
        while (excess := header.stored_bytes + wanted_bytes - self._settings.max_bytes) > 0:
            if not self._trim(self._slowest(), excess):
                break
        return self._settings.max_bytes - header.stored_bytes

    def shortage(self) -> tuple[str, str]:
        """Return the short name of what there is too little of, and a sentence for people."""
        settings = self._settings
        folder = settings.path.parent
        try:
            disk_free = self._disk_free()
        except OSError as error:
            return "io_error", f"the free space on the disk of {folder} can't be told: {error}"
        if disk_free < settings.min_free_bytes + settings.commit_bytes:
            return (
                "disk_full",
                f"less than {settings.min_free_bytes} bytes would stay free on the disk of {folder}",
            )
        consumers = self._consumers()
        slowest = min(consumers, key=consumers.__getitem__, default="")
        return "quota", (
            f"{self._store.header.stored_bytes} of {settings.max_bytes} bytes are used, "
            f"and consumer {slowest or '(none)'} still needs the oldest"
        )

    def trim_before(self, before: int) -> int:
        """Trim on request, behind all consumers; return the oldest position retained."""
        header = self._store.header
        while self._trim(min(self._slowest(), before - 1), header.stored_bytes):
            continue
        self._ages = self._store.ages()
        self._look()
        return header.trimmed_through + 1

    def drop_connection(self, error: Exception | None = None) -> None:
        """Close the file after an error: what the connection believes may not be on the disk."""
        try:
            if error is None:
                self._store.close()
            else:
                self._store.suspect(error)
        except sqlite3.Error:
            logger.exception("closing the event log after an error failed")

    def _slowest(self) -> int:
        return min(self._consumers().values(), default=self._store.header.last_seq)

    def _trim(self, through: int, excess_bytes: int) -> bool:
        """Delete one step of what lies up to ``through`` and is old or in excess; True if there is more."""
        header = self._store.header
        older_than_us = self._clock.now_us() - round(self._settings.retention_s * 1e6)
        trimmed = header.trimmed_through
        more = self._store.trim(through, older_than_us, excess_bytes)
        metrics.TRIMMED_EVENTS.inc(header.trimmed_through - trimmed)
        return more

    def _disk_free(self) -> int:
        return self._disk()[0]

    def _disk(self) -> tuple[int, int]:
        """Return what is free, and how large the disk is."""
        status = os.statvfs(self._settings.path.parent)
        return status.f_bavail * status.f_frsize, status.f_blocks * status.f_frsize

    def _count(self) -> None:
        """Bring the state to what the header says."""
        header = self._store.header
        oldest_us, newest_us = self._ages if header.batches else (0, 0)
        self.state = replace(
            self.state,
            first_seq=header.trimmed_through + 1,
            last_seq=header.last_seq,
            batches=header.batches,
            stored_bytes=header.stored_bytes,
            oldest_us=oldest_us,
            newest_us=newest_us,
        )

    def _look(self) -> None:
        """Bring the state to what header and disk say; if the disk says nothing, what it said before stays."""
        self._count()
        try:
            used, (free, size) = disk_bytes(self._settings.path), self._disk()
        except OSError as error:
            metrics.MAINTENANCE_FAILURES.inc()
            logger.warning("the disk of the event log can't be looked at, will be tried again: %s", error)
            return
        self.state = replace(self.state, disk_bytes=used, disk_free_bytes=free, disk_size_bytes=size)
