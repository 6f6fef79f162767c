"""What held the loop is found, and where."""

from __future__ import annotations

import asyncio
import threading

from mtd.core.loop_watch import SLOW, LoopWatch
from tests.contract.loop import run


def test_what_holds_the_loop_is_seen_where_it_is() -> None:
    watch = LoopWatch()
    looked_at = threading.Event()

    def holding_it() -> None:
        # Until the thread beside it has seen it: no time would be long enough on a machine that is busy.
        while not watch._seen[1]:
            looked_at.wait(0.01)

    async def hold() -> None:
        watch.start()
        try:
            await asyncio.sleep(0)
            holding_it()
            async with asyncio.timeout(10):
                while not watch.slow:
                    await asyncio.sleep(0.01)
        finally:
            watch.stop()

    before = SLOW._value.get()
    run(hold())
    held = [one for one in watch.slow if any("holding_it" in line for line in one.stack)]
    assert held
    assert held[0].late_s > 0
    assert SLOW._value.get() > before
    # Outermost first, and code only.
    (position,) = [number for number, line in enumerate(held[0].stack) if "holding_it" in line]
    assert " hold" in held[0].stack[position - 1]
    assert all(len(line.split(" ")) == 2 for line in held[0].stack)


def test_it_ends_without_having_begun() -> None:
    LoopWatch().stop()
