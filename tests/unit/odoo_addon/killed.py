"""A process that copies events into a database, until somebody kills it: for test_bridge_kill."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from collections.abc import Sequence
from typing import Any

import bridge_kit as kit  # beside this file, which is run as a program

from mtd.client import AsyncMtdClient


class Store(kit.FakeStore):
    """Keeps events and their position in one transaction, as Odoo does."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path

    def _database(self) -> sqlite3.Connection:
        return sqlite3.connect(self._path, isolation_level=None, timeout=10)

    def event_position(self, connection_id: int) -> int:
        return int(self._database().execute("SELECT position FROM connection").fetchone()[0])

    def take_events(self, connection_id: int, events: Sequence[Any], behind: int) -> int:
        with self._database() as database:
            database.execute("BEGIN IMMEDIATE")
            (position,) = database.execute("SELECT position FROM connection").fetchone()
            if position != behind:
                raise kit.part("port").PositionMoved
            fresh = [event.position for event in events if event.position > position]
            for number in fresh:
                database.execute("INSERT INTO event VALUES (?)", [number])
            if fresh:
                database.execute("UPDATE connection SET position = ?", [fresh[-1]])
            database.execute("COMMIT")
        return len(fresh)


async def copy(address: str, path: str) -> None:
    copying = kit.part("events").EventCopy(
        1,
        "info",
        AsyncMtdClient(address),
        Store(path),
        kit.part("worker").Worker("odoo"),
        kit.part("figures").Figures(),
        lambda event: None,
    )
    await copying.run()


if __name__ == "__main__":
    asyncio.run(copy(*sys.argv[1:]))
