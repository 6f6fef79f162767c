"""What piles up, in steps: which tiers give way, who waits, what is told."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from mtd.eventlog.interfaces import LogStats
from mtd.ingest.pressure.config import PressureConfig
from mtd.ingest.pressure.room import DiskLimits, Forecast, held_bytes, log_fill
from mtd.ingest.pressure.steps import NO_ROOM, Stepper, interval_factors, thinned
from mtd.ingest.pressure.watch import Pressure, Surroundings
from mtd.model.device import Severity
from mtd.model.metric import Tier
from mtd.model.observation import StateChange
from mtd.testing import run_async
from mtd.testing.metrics import metric
from tests.unit.ingest.bench import ManualClock

GIB = 1024**3
STATS = LogStats(
    "log",
    first_seq=1,
    last_seq=1000,
    batches=10,
    stored_bytes=1_000_000,
    disk_free_bytes=100 * GIB,
    disk_size_bytes=200 * GIB,
    max_bytes=10_000_000,
    consumers={"projections": 1000},
)


@dataclass
class Desk:
    """A pressure, and what it looks at."""

    fill: float = 0.0
    stats: LogStats = STATS
    backlog_s: float = 0.0
    told: list[StateChange] = field(default_factory=list)
    clock: ManualClock = field(default_factory=ManualClock)

    def pressure(self, **settings: object) -> Pressure:
        around = Surroundings(lambda: self.fill, lambda: self.stats, lambda: self.backlog_s, self.told.append)
        config = PressureConfig.model_validate({"rise_s": 2.0, "calm_s": 30.0, **settings})
        return Pressure(config, around, collector_id="hub-1", min_free_bytes=GIB, clock=self.clock)

    def held(self, share: float) -> None:
        """Let so much of the quota wait."""
        self.stats = replace(STATS, stored_bytes=round(STATS.max_bytes * share), consumers={"projections": 0})

    def look_for(self, pressure: Pressure, seconds: int) -> None:
        for _ in range(seconds):
            self.clock.ahead_s += 1
            pressure.look()

    def kinds(self) -> list[str]:
        return [change.event_type for change in self.told]


# -- steps ----------------------------------------------------------------------------


@given(
    st.lists(st.floats(0, 2, allow_nan=False), max_size=60),
    st.floats(0, 5),
    st.floats(0, 60),
    st.floats(0.1, 0.9),
)
def test_a_step_is_never_above_what_was_reached_and_never_falls_by_more_than_one(
    values: list[float], rise_s: float, calm_s: float, release: float
) -> None:
    thresholds = (0.3, 0.5, 0.65, 0.8)
    stepper = Stepper(thresholds, release, rise_s, calm_s)
    most = 0
    for now, value in enumerate(values):
        before = stepper.step
        changed = stepper.update(value, float(now))
        most = max(most, sum(value >= one for one in thresholds))
        assert changed == (stepper.step != before)
        assert 0 <= stepper.step <= most
        assert stepper.step >= before - 1
        if stepper.step < before:
            assert value < thresholds[before - 1] * release


def test_what_hovers_around_a_threshold_steps_once() -> None:
    stepper = Stepper((0.3, 0.5), release=0.7, rise_s=2.0, calm_s=30.0)
    steps = [stepper.update(0.31 if second % 3 else 0.25, float(second)) for second in range(300)]
    assert sum(steps) == 0, "a hiccup is none"
    steps = [stepper.update(0.31 if second % 10 else 0.25, 300.0 + second) for second in range(300)]
    assert sum(steps) == 1
    assert stepper.step == 1


def test_lower_tiers_give_way_first_and_live_values_last() -> None:
    order = [Tier.T3, Tier.T2, Tier.T1, Tier.T0]
    for step in range(NO_ROOM + 1):
        factors = interval_factors(step)
        # Not polled counts as the longest interval.
        lengths = [factors[tier] or math.inf for tier in order]
        assert lengths == sorted(lengths, reverse=True), step
    for tier in order:
        lengths = [interval_factors(step)[tier] or math.inf for step in range(NO_ROOM + 1)]
        assert lengths == sorted(lengths), tier
    assert interval_factors(NO_ROOM - 1)[Tier.T0] == 1
    assert interval_factors(NO_ROOM)[Tier.T0] == 0
    assert thinned(0) == "all tiers are polled as usual"
    assert "T3 is polled 4 times less often" in thinned(1)


def test_steps_have_to_rise() -> None:
    with pytest.raises(ValidationError, match="each step has to begin above"):
        PressureConfig(log_fill=(0.3, 0.3, 0.5, 0.8))


# -- room -----------------------------------------------------------------------------


def test_what_every_reader_has_is_no_load() -> None:
    full = replace(STATS, stored_bytes=STATS.max_bytes)
    assert log_fill(full) == 0, "the oldest is trimmed as soon as room is needed"
    assert log_fill(replace(full, consumers={})) == 0
    behind = replace(full, consumers={"projections": 1000, "forwarder": 250})
    assert log_fill(behind) == pytest.approx(0.75)
    assert held_bytes(behind) == pytest.approx(7_500_000)
    assert held_bytes(replace(behind, first_seq=501, consumers={"old": 1})) == behind.stored_bytes
    assert held_bytes(replace(STATS, first_seq=1001)) == 0


def test_a_small_disk_is_not_low_for_being_small() -> None:
    limits = DiskLimits(min_free_bytes=1_000_000, low_bytes=2 * GIB)
    small = replace(STATS, disk_size_bytes=50_000_000, disk_free_bytes=40_000_000)
    assert limits.shortness(small) < 1
    assert limits.shortness(replace(small, disk_free_bytes=6_000_000)) == pytest.approx(1.0)
    assert limits.shortness(replace(small, disk_free_bytes=1_000_000)) > 8
    unknown = replace(STATS, disk_size_bytes=0, disk_free_bytes=0)
    assert limits.shortness(unknown) == 0
    assert limits.spare_bytes(unknown) == math.inf


def test_a_forecast_takes_the_sooner_end() -> None:
    forecast = Forecast()
    found = math.inf
    for second in range(61):
        found = forecast.update(
            float(second), held=1000.0 * second, quota=100_000.0, spare=1e6 - 100.0 * second
        )
        if second < 10:
            assert found == math.inf
    assert found == pytest.approx(40.0, rel=0.02)
    for second in range(61, 130):
        found = forecast.update(float(second), held=60_000.0, quota=100_000.0, spare=9e5)
    assert found == math.inf, "what doesn't grow is never full"


# -- all of it ------------------------------------------------------------------------


def test_postgresql_away_thins_out_long_before_the_log_is_full_and_it_comes_back() -> None:
    desk = Desk()
    pressure = desk.pressure()
    seen: dict[Tier, float] = {}
    for percent in range(100):
        desk.held(percent / 100)
        desk.look_for(pressure, 4)
        for tier in Tier:
            if pressure.factor(tier) != 1:
                seen.setdefault(tier, percent / 100)
    assert seen == {Tier.T3: 0.3, Tier.T2: 0.3, Tier.T1: 0.5}
    assert pressure.factor(Tier.T1) == 0
    assert pressure.factor(Tier.T0) == 1
    assert pressure.thins == "t1"
    desk.held(0.0)
    desk.look_for(pressure, 29)
    assert pressure.level == 4
    desk.look_for(pressure, 4 * 31)
    assert pressure.level == 0
    assert [pressure.factor(tier) for tier in Tier] == [1, 1, 1, 1]
    assert pressure.thins == "none"
    levels = [(change.old, change.new) for change in desk.told if change.field == "pressure"]
    assert levels == [
        ("0", "1"), ("1", "2"), ("2", "3"), ("3", "4"), ("4", "3"), ("3", "2"), ("2", "1"), ("1", "0"),
    ]  # fmt: skip


def test_each_step_is_told_with_cause_consequence_and_forecast() -> None:
    desk = Desk()
    pressure = desk.pressure()
    for second in range(60):
        desk.held(second / 100)
        desk.look_for(pressure, 1)
    raised = [change for change in desk.told if change.event_type == "collector.pressure.raised"]
    assert [change.severity for change in raised] == [Severity.WARNING] * 2
    assert "of the log's quota wait" in raised[0].message
    assert "T3 is polled 4 times less often" in raised[0].message
    assert "there is room for" in raised[0].message
    assert (raised[0].entity_type, raised[0].entity_id) == ("collector", "hub-1")
    filling = [change for change in desk.told if change.event_type == "collector.log.filling"]
    assert [(one.severity, one.old, one.new) for one in filling] == [(Severity.WARNING, "ok", "warning")]
    desk.held(0.7)
    desk.look_for(pressure, 3)
    assert desk.told[-1].event_type == "collector.log.filling"
    assert (desk.told[-1].severity, desk.told[-1].new) == (Severity.CRITICAL, "critical")
    desk.held(0.0)
    desk.look_for(pressure, 100)
    assert desk.kinds()[-1] == "collector.log.relieved"
    assert "collector.pressure.eased" in desk.kinds()


def test_a_disk_that_fills_is_told_apart_from_the_quota() -> None:
    desk = Desk()
    pressure = desk.pressure()
    desk.stats = replace(STATS, disk_free_bytes=GIB + GIB // 2)
    desk.look_for(pressure, 3)
    assert desk.kinds() == ["collector.pressure.raised", "collector.disk.low"]
    assert "512 MiB are left for the log on its disk" in desk.told[-1].message
    assert metric("mtd_pressure_cause_level", cause="disk") == 3
    assert metric("mtd_pressure_cause_level", cause="log") == 0


def test_a_long_outage_alone_stops_no_tier_but_the_last() -> None:
    desk = Desk()
    pressure = desk.pressure()
    desk.backlog_s = 48 * 3600.0
    desk.look_for(pressure, 10)
    assert pressure.level == 2
    assert [pressure.factor(tier) for tier in sorted(Tier)] == [1, 2, 4, 0]


def test_a_full_buffer_acts_at_once_and_lets_go_at_once() -> None:
    desk = Desk()
    pressure = desk.pressure()
    desk.fill = 0.96
    assert [pressure.factor(tier) for tier in sorted(Tier)] == [0, 0, 0, 0], "before anybody looked"
    desk.look_for(pressure, 3)
    assert pressure.level == NO_ROOM
    assert pressure.thins == "t0"
    desk.fill = 0.94
    assert pressure.factor(Tier.T0) == 1
    assert pressure.factor(Tier.T1) == 0


def test_who_sends_waits_while_there_is_no_room() -> None:
    desk = Desk()

    async def body() -> None:
        pressure = desk.pressure()
        assert pressure.held_back() == ""
        await asyncio.wait_for(pressure.wait_for_turn("backfill"), 1)
        desk.held(0.55)
        desk.look_for(pressure, 3)
        backfill = asyncio.ensure_future(pressure.wait_for_turn("backfill"))
        await asyncio.wait_for(pressure.wait_for_turn("live"), 1)
        desk.held(0.9)
        desk.look_for(pressure, 3)
        live = asyncio.ensure_future(pressure.wait_for_turn("live"))
        await asyncio.sleep(0)
        assert "of the log's quota" in pressure.held_back()
        assert not live.done()
        desk.held(0.0)
        desk.look_for(pressure, 32)
        await asyncio.wait_for(live, 1)
        assert not backfill.done(), "what is old comes last"
        desk.look_for(pressure, 62)
        await asyncio.wait_for(backfill, 1)
        assert pressure.held_back() == ""

    run_async(body())


def test_looking_that_fails_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    desk = Desk()

    async def body() -> None:
        pressure = desk.pressure(look_s=0.001)
        desk.held(0.9)
        desk.look_for(pressure, 3)
        asked = asyncio.Event()

        def broken() -> LogStats:
            asked.set()
            raise RuntimeError("no stats")

        pressure._around = replace(pressure._around, log_stats=broken)
        await pressure.start()
        await asyncio.wait_for(asked.wait(), 5)
        await pressure.stop()
        assert pressure.level == 4

    run_async(body())
    assert "looking at what piles up failed" in caplog.text
