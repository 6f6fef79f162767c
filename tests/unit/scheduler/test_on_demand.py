"""Polls that somebody wants now: who sleeps is woken, the router is asked no more than it may be."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

import pytest

from mtd.core.breaker import Breaker
from mtd.core.errors import NotFound
from mtd.model.device import Outcome
from mtd.model.metric import Tier
from mtd.model.polled import PolledTier, PollResult
from mtd.scheduler import device_loop, on_demand
from mtd.scheduler.config import Intervals
from mtd.scheduler.device_loop import DeviceLoop
from mtd.scheduler.errors import PollTooSoon
from mtd.scheduler.on_demand import AGAIN_AFTER_S, OnDemand, no_session
from mtd.scheduler.service import Scheduler
from mtd.sources.errors import SessionFailed
from mtd.testing import run_async
from mtd.testing.metrics import metric
from tests.unit.scheduler.test_device_loop import DEVICE, FAST, Scene

INTERVALS_S = {Tier.T0: 60.0, Tier.T1: 60.0, Tier.T2: 60.0, Tier.T3: 900.0}
ALL = frozenset(Tier)
SLOW_TABLES = FAST.model_copy(update={"intervals_s": Intervals(t0=0.02, t1=30.0, t2=30.0, t3=30.0)})


@dataclass
class Clock:
    """Time that passes when the test says so."""

    now: float = 1000.0

    def now_us(self) -> int:
        return round(self.now * 1e6)

    def monotonic(self) -> float:
        return self.now


@dataclass
class Bench:
    """Tiers that poll when they are woken; what they say of it is set from outside."""

    clock: Clock = field(default_factory=Clock)
    polls: list[Tier] = field(default_factory=list)
    skip: str = ""
    goes_on: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.asked = OnDemand("core-1", self.clock, INTERVALS_S)
        self.goes_on.set()

    async def tier(self, tier: Tier, due_in_s: float) -> None:
        while True:
            if not await self.asked.sleep(tier, self.clock.now + due_in_s):
                return
            await self.goes_on.wait()
            self.polls.append(tier)
            if self.skip:
                self.asked.skipped(tier, self.skip)
            else:
                self.asked.polled(tier, self.clock.now, 7, 0.0015)


def on_bench(body: Callable[[Bench], Awaitable[None]], due_in_s: float = 50.0) -> None:
    async def main() -> None:
        bench = Bench()
        tiers = [asyncio.create_task(bench.tier(tier, due_in_s)) for tier in Tier]
        await asyncio.sleep(0)
        await body(bench)
        for task in tiers:
            task.cancel()
        await asyncio.gather(*tiers, return_exceptions=True)

    run_async(main())


def results(polled: list[PolledTier]) -> dict[Tier, PollResult]:
    return {one.tier: one.result for one in polled}


def test_tiers_that_sleep_are_woken_and_told_of_in_their_order() -> None:
    async def body(bench: Bench) -> None:
        polled = await bench.asked.poll(frozenset({Tier.T2, Tier.T0}))
        assert polled == [PolledTier(tier, PollResult.POLLED, "", 7, 1500) for tier in (Tier.T0, Tier.T2)]
        assert sorted(bench.polls) == [Tier.T0, Tier.T2], "others sleep on"

    on_bench(body)


def test_what_was_just_polled_is_not_polled_again() -> None:
    async def body(bench: Bench) -> None:
        await bench.asked.poll(ALL)
        bench.clock.now += 8.0
        polled = await bench.asked.poll(ALL)
        # A tenth of the interval: 6 s, and 90 s.
        assert results(polled) == {
            Tier.T0: PollResult.POLLED, Tier.T1: PollResult.POLLED, Tier.T2: PollResult.POLLED,
            Tier.T3: PollResult.FRESH,
        }  # fmt: skip
        assert polled[3].detail == "it was polled 8 s before"
        assert bench.polls.count(Tier.T3) == 1

    on_bench(body)


def test_a_regular_poll_that_is_near_is_waited_for() -> None:
    async def body(bench: Bench) -> None:
        polling = asyncio.ensure_future(bench.asked.poll(frozenset({Tier.T0})))
        await asyncio.sleep(0)
        assert bench.polls == [], "it isn't woken"
        bench.asked.polled(Tier.T0, bench.clock.now, 3, 0.001)
        assert results(await polling) == {Tier.T0: PollResult.POLLED}

    on_bench(body, due_in_s=1.0)


def test_who_asks_meanwhile_is_answered_with_the_others_and_who_asks_soon_after_is_refused() -> None:
    async def body(bench: Bench) -> None:
        refused = metric("mtd_scheduler_polls_on_demand_total", result="too_soon")
        bench.goes_on.clear()
        first = asyncio.ensure_future(bench.asked.poll(frozenset({Tier.T1, Tier.T2})))
        await asyncio.sleep(0)
        second = asyncio.ensure_future(bench.asked.poll(frozenset({Tier.T2})))
        await asyncio.sleep(0)
        with pytest.raises(PollTooSoon):
            await bench.asked.poll(ALL)  # more than what is under way
        bench.goes_on.set()
        assert len(await first) == 2
        assert results(await second) == {Tier.T2: PollResult.POLLED}
        assert sorted(bench.polls) == [Tier.T1, Tier.T2], "each once"
        bench.clock.now += 1.5
        with pytest.raises(PollTooSoon, match="core-1 was asked") as soon:
            await bench.asked.poll(ALL)
        assert soon.value.retry_after_s == 4
        assert "in 4 s" in soon.value.hint
        assert metric("mtd_scheduler_polls_on_demand_total", result="too_soon") == refused + 2
        bench.clock.now += AGAIN_AFTER_S
        assert len(await bench.asked.poll(ALL)) == 4

    on_bench(body)


def test_who_goes_away_ends_nothing_for_others() -> None:
    async def body(bench: Bench) -> None:
        bench.goes_on.clear()
        gone = asyncio.ensure_future(bench.asked.poll(ALL))
        await asyncio.sleep(0)
        stays = asyncio.ensure_future(bench.asked.poll(ALL))
        await asyncio.sleep(0)
        gone.cancel()
        bench.goes_on.set()
        assert set(results(await stays).values()) == {PollResult.POLLED}

    on_bench(body)


def test_a_poll_that_may_not_be_says_why() -> None:
    async def body(bench: Bench) -> None:
        bench.skip = "cpu_guard"
        (polled,) = await bench.asked.poll(frozenset({Tier.T1}))
        assert polled.result is PollResult.SKIPPED
        assert "CPU load is high" in polled.detail

    on_bench(body)


def test_what_takes_long_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_demand, "_WAIT_S", 0.01)

    async def body(bench: Bench) -> None:
        bench.goes_on.clear()
        (polled,) = await bench.asked.poll(frozenset({Tier.T3}))
        assert polled.result is PollResult.UNFINISHED
        assert "it goes on" in polled.detail

    on_bench(body)


def test_a_session_that_ends_is_told_to_all_who_wait() -> None:
    async def body(bench: Bench) -> None:
        bench.goes_on.clear()
        waiting = [asyncio.ensure_future(bench.asked.poll(ALL)) for _ in range(2)]
        await asyncio.sleep(0)
        bench.asked.session_ended(SessionFailed(Outcome.TIMED_OUT, "silent"))
        for one in waiting:
            with pytest.raises(SessionFailed, match="silent"):
                await one

    on_bench(body)


def test_without_a_session_it_says_why_and_when_it_is_tried() -> None:
    assert "is being connected" in no_session("r", None, Breaker(), 0.0, 0.0).reason
    breaker, failed = Breaker(threshold=2, open_s=60.0), SessionFailed(Outcome.REFUSED, "nobody listens")
    breaker.failed(100.0)
    early = no_session("r", failed, breaker, 100.0, 101.5)
    assert early.outcome is Outcome.REFUSED
    assert early.reason == "r has no session (nobody listens); it is tried again in 2 s"
    assert early.retry_after_s == 2
    assert no_session("r", failed, breaker, 102.0, 101.5).reason.endswith("it is being tried again")
    breaker.failed(103.0)
    late = no_session("r", failed, breaker, 103.0, 163.0)
    assert late.reason.endswith(
        "after 2 failures in a row it is left alone for a while: it is tried again in 60 s"
    )


# -- in a loop ---------------------------------------------------------------------------


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not true():
            await asyncio.sleep(0.005)


def in_loop(scene: Scene, body: Callable[[DeviceLoop], Awaitable[None]]) -> None:
    async def main() -> None:
        loop = DeviceLoop(DEVICE, scene.parts(SLOW_TABLES))
        task = asyncio.create_task(loop.run())
        await body(loop)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    run_async(main())


def test_all_tiers_of_a_device_are_polled_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_demand, "AGAIN_AFTER_S", 0.0)
    scene = Scene()

    async def body(loop: DeviceLoop) -> None:
        await until(lambda: loop.connected)
        assert set(results(await loop.poll_now(ALL)).values()) == {PollResult.POLLED}
        assert set(scene.mapper.polled) == ALL
        again = results(await loop.poll_now(ALL))
        assert again.pop(Tier.T0) is PollResult.POLLED
        assert set(again.values()) == {PollResult.FRESH}

    in_loop(scene, body)


def test_a_device_that_is_being_connected_is_waited_for() -> None:
    scene = Scene()

    async def body(loop: DeviceLoop) -> None:
        assert not loop.connected
        assert set(results(await loop.poll_now(frozenset({Tier.T0}))).values()) == {PollResult.POLLED}

    in_loop(scene, body)


def test_a_first_connection_that_fails_is_told_at_once() -> None:
    scene = Scene()
    scene.source.connect_failures = [SessionFailed(Outcome.REFUSED, "nobody listens")] * 1000

    async def body(loop: DeviceLoop) -> None:
        began = asyncio.get_running_loop().time()
        with pytest.raises(SessionFailed, match="nobody listens"):
            await loop.poll_now(ALL)
        assert asyncio.get_running_loop().time() - began < device_loop._CONNECTS_WITHIN_S

    in_loop(scene, body)


def test_regular_polls_stay_where_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_demand, "AGAIN_AFTER_S", 0.0)
    monkeypatch.setattr(on_demand, "_NEAR_S", 0.0)
    scene = Scene()

    async def body(loop: DeviceLoop) -> None:
        sleeping = loop._on_demand._sleeping
        await until(lambda: loop.connected)
        await loop.poll_now(frozenset({Tier.T1}))  # the first; from the second on they are regular
        await until(lambda: Tier.T1 in sleeping)
        due = sleeping[Tier.T1][1]
        monkeypatch.setattr(on_demand, "_FRESH_SHARE", 0.0)
        polls = scene.mapper.polled.count(Tier.T1)
        await loop.poll_now(frozenset({Tier.T1}))
        assert scene.mapper.polled.count(Tier.T1) == polls + 1
        await until(lambda: Tier.T1 in sleeping)
        assert sleeping[Tier.T1][1] == due

    in_loop(scene, body)


def test_a_router_that_is_not_there_is_not_knocked_at() -> None:
    scene = Scene()
    scene.source.connect_failures = [SessionFailed(Outcome.REFUSED, "nobody listens")] * 1000

    async def body(loop: DeviceLoop) -> None:
        await until(lambda: loop.health.failures >= FAST.breaker_failures)
        connects = scene.source.connects
        with pytest.raises(SessionFailed, match="nobody listens") as failed:
            await loop.poll_now(ALL)
        assert failed.value.outcome is Outcome.REFUSED
        assert "failures in a row" in failed.value.reason
        assert scene.source.connects == connects

    in_loop(scene, body)


def test_the_scheduler_polls_what_it_has() -> None:
    scene = Scene()

    async def main() -> None:
        scheduler = Scheduler(replace(scene.parts()))
        await scheduler.apply([DEVICE])
        await until(lambda: scheduler.accounts()[0][1].polls)
        (polled,) = await scheduler.poll_now(DEVICE.device_id, frozenset({Tier.T0}))
        assert (polled.result, polled.commands) == (PollResult.POLLED, 1)
        with pytest.raises(NotFound, match="doesn't poll"):
            await scheduler.poll_now("unknown", ALL)
        await scheduler.stop()

    run_async(main())
