"""What the bench of large tables says of figures, and how it sees that a loop was held."""

from __future__ import annotations

import asyncio
import time

from mtd.testing.loop_watch import LoopWatch
from mtd.testing.tables_bench import TablesPlan, judge
from tests.contract.loop import run


def test_what_is_worse_than_it_has_to_be_is_named() -> None:
    plan = TablesPlan()
    good = {
        "reactor_blocked_max_ms": 9.9,
        "rows_written_per_cycle": 401.0,
        "changes_per_cycle": 400,
        "memory_mb": {"start": 100.0, "end": 120.0},
        "table_is_right": True,
    }
    assert judge(good, plan) == []
    bad = {
        "reactor_blocked_max_ms": 12.0,
        "rows_written_per_cycle": 20_000.0,
        "memory_mb": {"start": 100.0, "end": 150.0},
        "table_is_right": False,
    }
    assert len(judge(good | bad, plan)) == 4


def test_a_loop_that_was_held_is_seen() -> None:
    async def main() -> LoopWatch:
        watch = LoopWatch()
        watch.start()
        while watch.beats < 3:
            await asyncio.sleep(0.001)
        until = time.thread_time() + 0.05
        while time.thread_time() < until:
            pass
        while watch.beats < 6:
            await asyncio.sleep(0.001)
        watch.stop()
        return watch

    watch = run(main())
    assert max(by_clock for _, by_clock, _ in watch.late) >= 40
    assert max(on_processor for _, _, on_processor in watch.late) >= 49
