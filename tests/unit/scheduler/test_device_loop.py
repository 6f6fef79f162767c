"""One device's life against a scripted source: what it polls, reports and survives."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from mtd.core.clock import SYSTEM_CLOCK
from mtd.model.command import CANCELLED_TOO_LARGE, Command, Reply, Rows, Trap
from mtd.model.device import DEFAULT_TENANT_ID, Device, DeviceStatus, InterfaceNaming, Outcome, Way
from mtd.model.layout import Layout, Series
from mtd.model.metric import Lane, Tier
from mtd.model.observation import FrameValues, Observation, OutcomeReport, ProbeFacts, StateChange
from mtd.model.ways import Standing as Stands
from mtd.model.ways import WayState
from mtd.plugin.things import Things
from mtd.scheduler.conditions import Conditions
from mtd.scheduler.config import Intervals, SchedulerConfig
from mtd.scheduler.device_loop import DeviceLoop
from mtd.scheduler.first_readings import FirstReadings
from mtd.scheduler.health import DeviceHealth
from mtd.scheduler.parts import Parts
from mtd.sources.errors import SessionFailed
from mtd.sources.standing import Standing
from mtd.testing import run_async

DEVICE = Device(
    device_id="00000000-0000-4000-8000-00000000000a",
    tenant_id=DEFAULT_TENANT_ID,
    name="core-1",
    host="192.0.2.1",
    port=8728,
    username="monitor",
    password="secret",
)
FACTS = ProbeFacts("7.16.2 (stable)", 7, "CCR2004", "arm64", "core-1", "", ())
CPU_LAYOUT = Layout.of("t0", (Series("system.cpu.load_pct", "", Lane.GAUGE),))
FAST = SchedulerConfig(
    intervals_s=Intervals(t0=0.02, t1=0.05, t2=0.1, t3=0.1), backoff_first_s=0.01, backoff_cap_s=0.02
)


STANDING = Standing(Way.API, Way.API, (WayState(Way.API, Stands.SERVES, "port 8728"),))


class OpenGate:
    async def __aenter__(self) -> None: ...

    async def __aexit__(self, *_: object) -> None: ...


@dataclass
class ScriptedSource:
    """Answers every command; what goes wrong is set from outside."""

    connect_failures: list[SessionFailed] = field(default_factory=list)
    run_failures: list[Exception] = field(default_factory=list)
    answer_delay_s: float = 0.0
    trap: Trap | None = None
    hanging: set[str] = field(default_factory=set)
    asked_hanging: int = 0
    connects: int = 0
    closes: int = 0
    traffic: tuple[int, int, int] = (0, 0, 0)
    standing: Standing = STANDING
    learned: list[str] = field(default_factory=list)

    def learn(self, told: str) -> None:
        self.learned.append(told)

    async def connect(self) -> None:
        self.connects += 1
        if self.connect_failures:
            raise self.connect_failures.pop(0)

    async def run(self, commands: Sequence[Command], timeout_s: float | None = None) -> list[Reply]:
        if self.hanging & {command.path for command in commands}:
            self.asked_hanging += 1
            await asyncio.sleep(0.06)  # live polls are answered meanwhile
            raise SessionFailed(Outcome.TIMED_OUT, "not answered, and not cancelled")
        if self.run_failures:
            raise self.run_failures.pop(0)
        await asyncio.sleep(self.answer_delay_s)
        return [Reply(command, Rows(), 0.0, 0, 0.0, trap=self.trap) for command in commands]

    async def close(self) -> None:
        self.closes += 1


@dataclass
class ScriptedMapper:
    """Maps every reply to one CPU load."""

    cpu_load: float = 10.0
    probe_wanted: bool = False
    polled: list[Tier] = field(default_factory=list)
    late: list[bool] = field(default_factory=list)
    facts: list[ProbeFacts] = field(default_factory=list)
    restored: dict[str, Mapping[str, Mapping[str, str]]] = field(default_factory=dict)
    aside: list[Reply] = field(default_factory=list)
    things: Things = field(default_factory=lambda: Things(InterfaceNaming.BOTH, "latin-1"))

    def commands(self, tier: Tier) -> list[Command]:
        return [Command(f"/{tier}/print")]

    def owners(self, tier: Tier) -> dict[Command, tuple[str, ...]]:
        return {} if tier is Tier.T3 else {command: ("system",) for command in self.commands(tier)}

    def set_aside(self, tier: Tier) -> list[Reply]:
        return self.aside if tier is Tier.T0 else []

    def observe(self, tier: Tier, replies: Sequence[Reply], *, late: bool = False) -> Observation:
        self.polled.append(tier)
        self.late.append(late)
        frame = FrameValues(CPU_LAYOUT, 0, [], [self.cpu_load], []) if tier is Tier.T0 else None
        return Observation(0, frame)

    def session_restarted(self) -> None: ...

    def restoring(self, table: str, rows: Mapping[str, Mapping[str, str]]) -> Iterator[None]:
        yield None
        self.restored[table] = rows

    def probe_commands(self) -> list[Command]:
        return [Command("/system/resource/print")]

    def probe_facts(self, replies: Sequence[Reply]) -> ProbeFacts:
        return FACTS

    def set_capabilities(self, facts: ProbeFacts) -> None:
        self.facts.append(facts)


@dataclass
class ListRecorder:
    """Keeps what it is given."""

    pressure: float = 0.0
    observations: list[Observation] = field(default_factory=list)
    outcomes: list[OutcomeReport] = field(default_factory=list)
    probes: list[ProbeFacts] = field(default_factory=list)
    events: list[StateChange] = field(default_factory=list)

    def record(self, device: Device, observation: Observation) -> None:
        self.observations.append(observation)

    def take_lost_tables(self, device: Device) -> Sequence[str]:
        return ()

    def record_outcome(self, device: Device, report: OutcomeReport) -> None:
        self.outcomes.append(report)

    def record_probe(self, device: Device, facts: ProbeFacts) -> None:
        self.probes.append(facts)

    def record_event(self, change: StateChange, device: Device | None = None) -> None:
        self.events.append(change)


@dataclass
class Scene:
    source: ScriptedSource = field(default_factory=ScriptedSource)
    mapper: ScriptedMapper = field(default_factory=ScriptedMapper)
    recorder: ListRecorder = field(default_factory=ListRecorder)
    tables: dict[str, dict[str, dict[str, dict[str, str]]]] = field(default_factory=dict)
    seed: int = 7

    async def load_tables(self, device_ids: Iterable[str]) -> dict[str, dict[str, dict[str, dict[str, str]]]]:
        return {device_id: self.tables.get(device_id, {}) for device_id in device_ids}

    def parts(self, settings: SchedulerConfig = FAST) -> Parts:
        fakes: dict[str, Any] = {
            "recorder": self.recorder,
            "make_source": lambda device: self.source,
            "make_mapper": lambda device: self.mapper,
            "fresh_gate": OpenGate(),
            "retry_gate": OpenGate(),
            "first_readings": FirstReadings(settings.max_first_readings),
            "load_tables": self.load_tables,
        }
        return Parts(settings=settings, clock=SYSTEM_CLOCK, rng=random.Random(self.seed), **fakes)


def live(scene: Scene, seconds: float, settings: SchedulerConfig = FAST) -> DeviceLoop:
    """Let a device loop run for a while."""

    async def run() -> DeviceLoop:
        loop = DeviceLoop(DEVICE, scene.parts(settings))
        task = asyncio.create_task(loop.run())
        await asyncio.sleep(seconds)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return loop

    return run_async(run())


def live_until(scene: Scene, done: Callable[[], bool]) -> None:
    """Let a device loop run until something has happened."""

    async def run() -> None:
        task = asyncio.create_task(DeviceLoop(DEVICE, scene.parts()).run())
        async with asyncio.timeout(30):
            while not done():
                await asyncio.sleep(0.005)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    run_async(run())


def test_it_probes_then_polls_every_tier() -> None:
    scene = Scene()
    loop = live(scene, 0.4)
    assert scene.mapper.facts == [FACTS]
    assert scene.recorder.probes == [FACTS]
    assert set(scene.mapper.polled) == set(Tier)
    assert loop.health.status is DeviceStatus.UP
    assert [report.status for report in scene.recorder.outcomes] == [DeviceStatus.UP]
    assert scene.source.closes == scene.source.connects == 1


def test_what_a_router_costs_is_counted_over_its_sessions() -> None:
    scene = Scene()
    scene.source.traffic = (3, 100, 1000)
    scene.source.answer_delay_s = 0.001

    async def run() -> DeviceLoop:
        loop = DeviceLoop(DEVICE, scene.parts())
        task = asyncio.create_task(loop.run())
        while loop.account.polls < 3:
            await asyncio.sleep(0.005)
        scene.source.run_failures = [SessionFailed(Outcome.TIMED_OUT, "silent")]
        scene.source.answer_delay_s = 0.05  # longer than the interval of live values
        while loop.account.sessions_opened < 2 or not loop.account.polls_skipped:
            await asyncio.sleep(0.005)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return loop

    account = run_async(run()).account
    assert account.traffic == (6, 200, 2000)
    assert account.polls == len(scene.mapper.polled)
    assert account.polls_failed == 1
    assert 0 < account.take_slowest() <= account.poll_s


def test_a_failed_connection_is_reported_and_tried_again() -> None:
    scene = Scene()
    scene.source.connect_failures = [SessionFailed(Outcome.REFUSED, "nobody listens")] * 2
    live(scene, 0.3)
    outcomes = scene.recorder.outcomes
    assert [report.outcome for report in outcomes[:3]] == [Outcome.REFUSED, Outcome.REFUSED, Outcome.OK]
    assert [report.consecutive_failures for report in outcomes[:3]] == [1, 2, 0]
    assert outcomes[0].retry_in_s > 0
    assert scene.source.closes == scene.source.connects == 3


def test_a_lost_session_is_one_failure_however_many_polls_it_took_down() -> None:
    scene = Scene()
    scene.source.answer_delay_s = 0.01

    async def run() -> None:
        task = asyncio.create_task(DeviceLoop(DEVICE, scene.parts()).run())
        await asyncio.sleep(0.15)
        scene.source.run_failures = [SessionFailed(Outcome.TIMED_OUT, "silent")] * 2
        await asyncio.sleep(0.3)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    run_async(run())
    statuses = [report.status for report in scene.recorder.outcomes]
    assert statuses[:2] == [DeviceStatus.UP, DeviceStatus.DOWN]
    assert statuses[-1] is DeviceStatus.UP


def test_an_error_of_our_own_does_not_end_the_watching(caplog: pytest.LogCaptureFixture) -> None:
    scene = Scene()
    scene.source.run_failures = [ZeroDivisionError("a bug")]
    loop = live(scene, 0.3)
    assert "a bug" in scene.recorder.outcomes[0].reason
    assert loop.health.status is DeviceStatus.UP
    assert "core-1" in caplog.text


def test_a_slow_router_skips_polls_instead_of_piling_them_up() -> None:
    scene = Scene()
    scene.source.answer_delay_s = 0.05
    loop = live(scene, 0.6)
    live_polls = scene.mapper.polled.count(Tier.T0)
    assert 5 <= live_polls <= 12, "one at a time, not one per 20 ms"
    assert loop.health.status is DeviceStatus.DEGRADED
    assert all(
        late for tier, late in zip(scene.mapper.polled, scene.mapper.late, strict=True) if tier is Tier.T0
    )


def test_a_busy_router_is_left_alone_but_for_live_values() -> None:
    scene = Scene()
    scene.mapper.cpu_load = 99.0
    live(scene, 0.3, FAST.model_copy(update={"cpu_guard_polls": 1}))
    # The change of status tells it already: another event would say the same in the same second.
    assert scene.recorder.events == []
    assert [report.reason for report in scene.recorder.outcomes if report.outcome is Outcome.BUSY] == [
        "CPU load 99 % is over 90 %: only live values are polled"
    ]
    at = scene.mapper.polled.index(Tier.T0)
    later = scene.mapper.polled[at + 4 :]
    assert set(later) == {Tier.T0}
    assert scene.recorder.outcomes[-1].status is DeviceStatus.DEGRADED


def test_a_busy_router_that_was_degraded_before_is_told_of_too() -> None:
    scene, health = Scene(), DeviceHealth()
    settings = SchedulerConfig(cpu_guard_polls=1)
    conditions = Conditions(DEVICE, health, scene.recorder, settings)  # type: ignore[arg-type]

    def load(value: float) -> None:
        conditions.follow_cpu(FrameValues(CPU_LAYOUT, 0, [], [value], []))

    health.succeeded("t0")
    conditions.set("slow", Outcome.TIMED_OUT, "answers slowly")
    load(99.0)
    load(1.0)
    assert [event.event_type for event in scene.recorder.events] == [
        "device.polling.reduced", "device.polling.restored",
    ]  # fmt: skip
    assert health.status is DeviceStatus.DEGRADED


def test_an_absent_cpu_load_guards_nothing() -> None:
    scene = Scene()
    scene.mapper.cpu_load = math.nan
    live(scene, 0.2, FAST.model_copy(update={"cpu_guard_polls": 1}))
    assert scene.recorder.events == []


def test_pressure_thins_the_lower_tiers_first() -> None:
    scene = Scene()
    scene.recorder.pressure = 0.7
    live(scene, 0.3)
    assert set(scene.mapper.polled) == {Tier.T0, Tier.T1}


def test_a_missing_right_is_told_with_the_menu() -> None:
    scene = Scene()
    scene.source.trap = Trap("not enough permissions (9)")
    live(scene, 0.2)
    degraded = [report for report in scene.recorder.outcomes if report.status is DeviceStatus.DEGRADED]
    assert degraded[0].outcome is Outcome.NOT_PERMITTED
    assert "/t0/print" in degraded[0].reason
    assert "monitor" in degraded[0].reason


def test_a_probe_that_hangs_does_not_keep_a_router_from_being_polled() -> None:
    scene = Scene()
    scene.source.hanging = {"/system/resource/print"}
    loop = live(scene, 0.5)
    assert scene.source.asked_hanging == 1, "it rests, it isn't asked again in the next session"
    assert scene.mapper.polled.count(Tier.T0) > 5
    assert set(scene.mapper.polled) == set(Tier)
    assert loop.health.status is DeviceStatus.UP


def test_a_tier_that_hangs_rests_and_the_others_go_on() -> None:
    scene = Scene()
    scene.source.hanging = {"/t2/print"}
    loop = live(scene, 0.6)
    assert scene.source.asked_hanging == 1
    assert scene.source.connects == 2
    assert set(scene.mapper.polled) == {Tier.T0, Tier.T1, Tier.T3}
    assert loop.health.status is DeviceStatus.DEGRADED
    assert "tier t2" in scene.recorder.outcomes[-1].reason


def test_sessions_that_end_soon_do_not_reset_the_back_off() -> None:
    scene = Scene()
    settings = FAST.model_copy(update={"backoff_cap_s": 30.0})

    async def run() -> None:
        task = asyncio.create_task(DeviceLoop(DEVICE, scene.parts(settings)).run())
        for _ in range(3):
            await asyncio.sleep(0.1)
            scene.source.run_failures = [SessionFailed(Outcome.BUSY, "closed by the router")]
        await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    run_async(run())
    waits = [report.retry_in_s for report in scene.recorder.outcomes if report.status is DeviceStatus.DOWN]
    assert len(waits) == 3
    assert waits[0] < waits[1] < waits[2]


def test_polls_are_missed_while_there_is_no_session_each_once() -> None:
    scene = Scene()
    scene.source.connect_failures = [SessionFailed(Outcome.REFUSED, "nobody listens")] * 4
    live(scene, 0.4)
    up = next(report for report in scene.recorder.outcomes if report.status is DeviceStatus.UP)
    missed = sum(report.polls_missed for report in scene.recorder.outcomes)
    assert missed > 0
    # As many as were due until the session came: no more, and none twice.
    waited = sum(report.retry_in_s for report in scene.recorder.outcomes)
    assert missed <= waited / FAST.intervals_s.t0 + 5
    assert up.polls_missed <= missed


def test_routers_that_failed_together_do_not_come_back_together() -> None:
    settings = FAST.model_copy(update={"breaker_failures": 1, "breaker_open_s": 60.0})
    waits = set()
    for seed in range(5):
        scene = Scene()
        scene.source.connect_failures = [SessionFailed(Outcome.UNREACHABLE, "no route")]
        scene.seed = seed
        live(scene, 0.05, settings)
        waits.add(scene.recorder.outcomes[0].retry_in_s)
    assert len(waits) == 5
    assert all(60.0 <= wait <= 78.0 for wait in waits)


def test_pressure_that_stops_live_polls_is_told() -> None:
    scene = Scene()

    async def run() -> DeviceLoop:
        loop = DeviceLoop(DEVICE, scene.parts())
        task = asyncio.create_task(loop.run())
        await asyncio.sleep(0.1)
        scene.recorder.pressure = 1.0
        await asyncio.sleep(0.1)
        assert loop.health.status is DeviceStatus.DEGRADED
        assert "mtd can't write down" in scene.recorder.outcomes[-1].reason
        scene.recorder.pressure = 0.0
        await asyncio.sleep(0.1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return loop

    assert run_async(run()).health.status is DeviceStatus.UP


def test_a_router_whose_every_reply_is_too_large_is_down_and_left_alone_longer_each_time() -> None:
    scene = Scene()
    scene.source.trap = Trap("more rows than we read", CANCELLED_TOO_LARGE)
    live_until(scene, lambda: len(scene.recorder.outcomes) >= 3)
    assert {report.outcome for report in scene.recorder.outcomes} == {Outcome.REPLY_TOO_LARGE}
    # A slower tier may have been the first to fail: then only that was wrong so far.
    down = [report for report in scene.recorder.outcomes if report.consecutive_failures]
    assert {report.status for report in down} == {DeviceStatus.DOWN}
    assert [report.consecutive_failures for report in down] == list(range(1, len(down) + 1))
