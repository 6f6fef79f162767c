from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest

from mtd.core.slices import Steps, at_once, in_slices
from tests.contract.loop import run


class Ticking:
    """A clock that goes on by itself, a second at each look."""

    def __init__(self) -> None:
        self.at = 0.0

    def now_us(self) -> int:
        return round(self.at * 1e6)

    def monotonic(self) -> float:
        self.at += 1.0
        return self.at


def adding(count: int, seen: list[int]) -> Steps[int]:
    for number in range(count):
        seen.append(number)
        yield None
    return sum(seen)


def asking(work: Callable[[], int]) -> Steps[str]:
    try:
        answer = yield work
    except ValueError as error:
        return f"failed: {error}"
    yield None
    return f"answered {answer}"


def failing() -> int:
    raise ValueError("no")


def test_at_once_runs_all_steps() -> None:
    assert at_once(adding(5, [])) == 10
    assert at_once(asking(lambda: 3)) == "answered 3"
    assert at_once(asking(failing)) == "failed: no"


def test_slices_give_the_same_result_and_others_their_turn() -> None:
    async def main() -> None:
        seen: list[int] = []
        others: list[int] = []

        async def other() -> None:
            while len(seen) < 5:
                others.append(len(seen))
                await asyncio.sleep(0)

        watching = asyncio.create_task(other())
        await asyncio.sleep(0)
        assert await in_slices(adding(5, seen), slice_s=0.5, clock=Ticking()) == 10
        await watching
        assert others == [0, 1, 2, 3, 4]

    run(main())


def test_steps_within_a_slice_are_not_interrupted() -> None:
    async def main() -> None:
        seen: list[int] = []
        others: list[int] = []
        asyncio.get_running_loop().call_soon(lambda: others.append(len(seen)))
        assert await in_slices(adding(5, seen), slice_s=100.0, clock=Ticking()) == 10
        assert others == []

    run(main())


def test_what_can_not_be_cut_runs_in_a_thread() -> None:
    async def main() -> None:
        threads: list[int] = []

        def work() -> int:
            threads.append(threading.get_ident())
            return 3

        assert await in_slices(asking(work)) == "answered 3"
        assert threads != [threading.get_ident()]
        assert await in_slices(asking(failing)) == "failed: no"

    run(main())


def test_who_is_cancelled_leaves_no_work_behind() -> None:
    async def main() -> None:
        closed: list[bool] = []

        def endless() -> Steps[None]:
            try:
                while True:
                    yield None
            finally:
                closed.append(True)

        task = asyncio.create_task(in_slices(endless(), slice_s=0.0))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert closed == [True]

    run(main())


def test_what_a_step_raises_is_raised() -> None:
    async def main() -> None:
        def broken() -> Steps[None]:
            yield None
            raise KeyError("x")

        with pytest.raises(KeyError):
            at_once(broken())
        with pytest.raises(KeyError):
            await in_slices(broken())

    run(main())
