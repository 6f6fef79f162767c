"""Events are copied once, though the process that copies is killed again and again."""

from __future__ import annotations

import asyncio
import contextlib
import random
import sqlite3
import sys
from pathlib import Path

from tests.unit.odoo_addon import bridge_kit as kit
from tests.unit.odoo_addon import fake_mtd
from tests.unit.odoo_addon.bridge_kit import until

PROGRAM = Path(__file__).with_name("killed.py")
EVENTS = 3000
KILLS = 3


def copied(path: Path) -> list[int]:
    with sqlite3.connect(path) as database:
        return [row[0] for row in database.execute("SELECT position FROM event ORDER BY rowid")]


@kit.on_loop
async def test_events_are_copied_once_over_kills(tmp_path: Path) -> None:
    path = tmp_path / "odoo.sqlite"
    with sqlite3.connect(path) as database:
        database.executescript(
            "PRAGMA journal_mode = WAL; CREATE TABLE event (position integer);"
            "CREATE TABLE connection (position integer); INSERT INTO connection VALUES (0)"
        )
    async with fake_mtd.mtd() as mtd:
        await mtd.happen(EVENTS)
        # Killed at some row of the way, where exactly is left to chance.
        marks = sorted(random.sample(range(1, EVENTS * 3 // 4), KILLS))
        for mark in [*marks, EVENTS]:
            process = await asyncio.create_subprocess_exec(sys.executable, PROGRAM, mtd.address, path)
            try:
                await until(lambda mark=mark: len(copied(path)) >= mark, f"{mark} events copied", 60)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
    assert copied(path) == list(range(1, EVENTS + 1))
