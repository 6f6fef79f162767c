"""What the tests of the log in a file share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from mtd.eventlog.config import EventLogConfig
from mtd.eventlog.interfaces import LoggedBatch
from mtd.eventlog.sqlite import SqliteEventLog

FILE = Path("log") / "events.db"


def make_log(folder: Path, **changes: float) -> SqliteEventLog:
    quick = {"commit_interval_s": 0.0, "min_free_bytes": 0} | changes
    return SqliteEventLog(EventLogConfig(path=folder / FILE, **quick))


class ManualClock:
    """A wall clock that tests set."""

    def __init__(self, now_us: int) -> None:
        self.us = now_us

    def now_us(self) -> int:
        return self.us

    def monotonic(self) -> float:
        return self.us / 1e6


async def read_all(log: SqliteEventLog) -> list[LoggedBatch]:
    batches: list[LoggedBatch] = []
    while batch := await log.read(batches[-1].last_seq if batches else 0, 1000):
        batches += batch
    return batches


async def until(condition: Callable[[], bool]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)
