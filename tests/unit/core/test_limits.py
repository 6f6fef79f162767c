from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtd.core.limits import Gate, TokenBucket
from mtd.testing.metrics import metric
from tests.contract.loop import run


class ManualClock:
    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now

    def now_us(self) -> int:
        return int(self.now * 1e6)


# -- rates -------------------------------------------------------------------------


def test_a_bucket_permits_a_burst_then_its_rate() -> None:
    clock = ManualClock()
    bucket = TokenBucket(2.0, 3, clock=clock)
    assert [bucket.take() for _ in range(4)] == [True, True, True, False]
    assert bucket.wait_s() == pytest.approx(0.5)
    clock.now += 0.5
    assert bucket.take()
    assert not bucket.take()
    clock.now += 1000
    assert [bucket.take() for _ in range(4)] == [True, True, True, False]


def test_more_than_the_burst_is_never_there() -> None:
    bucket = TokenBucket(2.0, 3, clock=ManualClock())
    assert bucket.wait_s(4) == float("inf")
    assert not bucket.take(4)
    assert bucket.take(3)


@given(st.lists(st.tuples(st.floats(0, 5), st.floats(0.1, 4)), max_size=60))
def test_a_bucket_never_permits_more_than_burst_and_rate(steps: list[tuple[float, float]]) -> None:
    clock = ManualClock()
    bucket = TokenBucket(2.0, 3, clock=clock)
    started, taken = clock.now, 0.0
    for pause, tokens in steps:
        clock.now += pause
        waiting = bucket.wait_s(tokens)
        if bucket.take(tokens):
            assert waiting == 0
            taken += tokens
        assert taken <= 3 + 2.0 * (clock.now - started) + 1e-6


# -- gates -------------------------------------------------------------------------


def test_a_gate_lets_through_as_many_as_it_says() -> None:
    async def main() -> None:
        gate = Gate("few", 3)
        most = 0
        order: list[int] = []

        async def work(number: int) -> None:
            nonlocal most
            async with gate:
                order.append(number)
                most = max(most, gate.in_progress)
                await asyncio.sleep(0.001)

        tasks = [asyncio.create_task(work(number)) for number in range(20)]
        await asyncio.sleep(0)
        assert (gate.in_progress, gate.waiting) == (3, 17)
        assert metric("mtd_core_gate_in_progress", gate="few") == 3
        assert metric("mtd_core_gate_waiting", gate="few") == 17
        assert metric("mtd_core_gate_limit", gate="few") == 3
        await asyncio.gather(*tasks)
        assert most == 3
        assert order == list(range(20))
        assert (gate.in_progress, gate.waiting) == (0, 0)

    run(main())


def test_a_gate_survives_failures_and_cancelled_waiters() -> None:
    async def main() -> None:
        gate = Gate("robust", 1)

        async def wait_inside(entered: asyncio.Event) -> None:
            async with gate:
                entered.set()
                await asyncio.sleep(60)

        entered = asyncio.Event()
        holder = asyncio.create_task(wait_inside(entered))
        await entered.wait()
        waiters = [asyncio.create_task(wait_inside(asyncio.Event())) for _ in range(3)]
        await asyncio.sleep(0)
        for waiter in waiters:
            waiter.cancel()
        holder.cancel()
        await asyncio.gather(holder, *waiters, return_exceptions=True)
        with pytest.raises(KeyError):
            async with gate:
                raise KeyError
        async with asyncio.timeout(1), gate:
            assert (gate.in_progress, gate.waiting) == (1, 0)
        assert gate.in_progress == 0

    run(main())


@pytest.mark.parametrize(
    "make",
    [
        lambda: Gate("none", 0),
        lambda: TokenBucket(0, 1),
        lambda: TokenBucket(1, 0),
    ],
)
def test_limits_without_any_room_are_refused(make) -> None:
    with pytest.raises(ValueError, match="at least one|above zero"):
        make()
