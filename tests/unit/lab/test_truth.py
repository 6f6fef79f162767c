"""Counters, states and rates as functions of the tick."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtd.lab.curves import COLUMN, COUNTERS, PAST_FLOAT
from mtd.lab.scenario import Fault, RouterSpec
from mtd.lab.truth import RouterTruth

HOUR = 3_600_000
ticks = st.integers(0, 30 * 24 * HOUR)


def router(*faults: Fault, seed: int = 7, **settings: object) -> RouterTruth:
    spec = RouterSpec.model_validate({"name": "r1", "interfaces": 30, "fault": list(faults)} | settings)
    return RouterTruth(spec, seed)


STEADY = router()
GOLDEN = [9015458931173587, 14394324980559, 7797]


@given(ticks, st.integers(0, 5_000))
def test_counters_never_step_back(tick: int, later: int) -> None:
    before, after = STEADY.counter_matrix(tick), STEADY.counter_matrix(tick + later)
    assert (after >= before).all()


@given(ticks)
def test_a_busy_counter_moves_at_every_tick(tick: int) -> None:
    before, after = STEADY.counter_matrix(tick), STEADY.counter_matrix(tick + 1)
    busy = [item.index for item in STEADY.all_interfaces if item.connected]
    assert (after[busy, COLUMN["rx-byte"]] > before[busy, COLUMN["rx-byte"]]).all()


@given(ticks, st.integers(1, HOUR), st.sampled_from(COUNTERS))
def test_true_rate_is_the_counters_difference(tick: int, span: int, prop: str) -> None:
    rate = STEADY.true_rate("*1", prop, tick, tick + span)
    assert rate is not None
    moved = STEADY.counters(tick + span)["*1"][prop] - STEADY.counters(tick)["*1"][prop]
    assert abs(moved - rate * span / 1000) < 1.001


@given(ticks)
def test_no_link_carries_more_than_it_can(tick: int) -> None:
    for item in STEADY.all_interfaces:
        rate = STEADY.true_rate(item.id, "tx-byte", tick, tick + 1000)
        assert rate is not None
        assert 0 <= rate * 8 <= item.speed_bps


@given(ticks)
def test_fast_path_is_a_part_of_the_traffic(tick: int) -> None:
    values = STEADY.counter_matrix(tick) - STEADY.counter_matrix(0)
    assert (values[:, COLUMN["fp-rx-byte"]] <= values[:, COLUMN["rx-byte"]]).all()


def test_the_same_seed_gives_the_same_world_and_another_seed_another() -> None:
    again, other = router(), router(seed=8)
    assert again.counters(12_345) == STEADY.counters(12_345)
    assert again.resource(12_345) == STEADY.resource(12_345)
    assert other.counters(12_345) != STEADY.counters(12_345)


def test_values_are_the_same_on_every_machine() -> None:
    row = STEADY.counters(1_000_000)["*1"]
    assert [row[key] for key in ("rx-byte", "tx-packet", "rx-error")] == GOLDEN


def test_some_counters_are_past_what_a_double_can_hold() -> None:
    big = [row["rx-byte"] for row in STEADY.counters(0).values() if row["rx-byte"] > PAST_FLOAT]
    assert big
    assert any(int(float(value)) != value for value in big)


def test_routers_differ_in_load_and_memory() -> None:
    resources = [router(name=f"r{number}").resource(0) for number in range(20)]
    assert len({item.cpu_load_pct for item in resources}) > 5
    assert len({item.free_memory_bytes for item in resources}) == 20


@given(ticks)
def test_load_and_memory_are_plausible_and_move(tick: int) -> None:
    now = STEADY.resource(tick)
    assert 1 <= now.cpu_load_pct <= 100
    assert 0 < now.free_memory_bytes < now.total_memory_bytes
    loads = {STEADY.resource(tick + step * 1000).cpu_load_pct for step in range(60)}
    assert len(loads) > 2


def test_a_reboot_sets_counters_and_uptime_back() -> None:
    truth = router(Fault(kind="reboot", at_s=10, boot_s=5))
    assert truth.resource(14_000).uptime_s > 3_000
    assert truth.resource(17_500).uptime_s == 2
    assert (truth.counter_matrix(15_000) == 0).all()
    row = truth.counters(16_000)["*1"]
    assert row["rx-byte"] == pytest.approx(truth.true_rate("*1", "rx-byte", 15_000, 16_000), abs=1)
    assert truth.true_rate("*1", "rx-byte", 9_000, 16_000) is None


def test_a_counter_reset_leaves_uptime_and_link_downs_alone() -> None:
    truth, steady = router(Fault(kind="counter-reset", at_s=10)), STEADY
    assert truth.counters(10_000)["*1"]["rx-byte"] == 0
    assert truth.counters(10_000)["*1"]["link-downs"] == steady.counters(0)["*1"]["link-downs"]
    assert truth.resource(11_000) == steady.resource(11_000)


def test_planned_32_bit_counters_wrap_when_told() -> None:
    truth = router(Fault(kind="wrap32", at_s=10))
    before, after = truth.counter_matrix(9_999), truth.counter_matrix(10_000)
    assert max(before.max(), truth.counter_matrix(0).max()) < 2**32
    busy = [item.index for item in truth.all_interfaces if item.connected]
    columns = [COLUMN["rx-byte"], COLUMN["tx-byte"]]
    assert (after[np.ix_(busy, columns)] == 0).all()
    assert (before[np.ix_(busy, columns)] > 2**32 - 2_000_000).all()
    wrapped = (after - before) % 2**32
    flow = STEADY.counter_matrix(10_000) - STEADY.counter_matrix(9_999)
    assert np.array_equal(wrapped, flow)


def test_a_flap_stops_the_traffic_and_counts_a_link_down() -> None:
    truth = router(Fault(kind="link-flap", at_s=10, for_s=5, interfaces=["*2"]))
    down, low, up = truth.counters(10_000)["*2"], truth.counters(14_999)["*2"], truth.counters(16_000)["*2"]
    assert down == low
    assert down["link-downs"] == STEADY.counters(0)["*2"]["link-downs"] + 1
    assert up["rx-byte"] > low["rx-byte"]
    assert not truth.interfaces(12_000)[1].running
    assert truth.interfaces(15_000)[1].running
    assert truth.true_rate("*2", "rx-byte", 11_000, 14_000) == 0
    assert truth.counters(14_999)["*1"] == STEADY.counters(14_999)["*1"]


def test_a_repeated_flap_goes_down_each_time() -> None:
    truth = router(Fault(kind="link-flap", at_s=1, every_s=10, down_s=2, for_s=25, interfaces=["*1"]))
    states = [truth.interfaces(second * 1000)[0].running for second in range(30)]
    assert [second for second, up in enumerate(states) if not up] == [1, 2, 11, 12, 21, 22]


def test_sessions_drop_and_come_back() -> None:
    truth = router(Fault(kind="pppoe-drop", at_s=5, for_s=5, sessions=3), pppoe=40)
    counts = [sum(item.dynamic for item in truth.interfaces(tick)) for tick in (0, 5_000, 10_000)]
    assert counts == [40, 3, 40]
    assert len(truth.counters(6_000)) == 33


def test_a_high_load_lasts_as_long_as_told() -> None:
    truth = router(Fault(kind="cpu-high", at_s=5, for_s=5, load_pct=99))
    assert [truth.resource(tick).cpu_load_pct == 99 for tick in (4_999, 5_000, 9_999, 10_000)] == [
        False,
        True,
        True,
        False,
    ]


def test_a_rename_keeps_id_and_counters() -> None:
    truth = router(Fault(kind="rename", at_s=5, interfaces=["*3"], name="wan", comment="new"))
    item = truth.interfaces(6_000)[2]
    assert (item.id, item.name, item.comment) == ("*3", "wan", b"new")
    assert truth.counters(6_000) == STEADY.counters(6_000)


@given(st.integers(0, 20_000), st.integers(0, 4_000), st.integers(0, 4_000))
def test_the_tick_of_a_poll_is_found_from_its_values(tick: int, early: int, late: int) -> None:
    truth = router(Fault(kind="counter-reset", at_s=10), interfaces=4)
    values = truth.counters(tick)
    found = truth.match(values, tick - early, tick + late)
    assert found is not None
    assert truth.counters(found) == values
    values["*1"]["rx-byte"] += 1
    assert truth.match(values, tick - early, tick + late) is None


def test_a_fault_ended_early_counts_until_then() -> None:
    truth = router()
    applied = truth.schedule(Fault(kind="link-flap", interfaces=["*1"]), 5_000)
    truth.apply(applied)
    assert not truth.interfaces(60_000)[0].running
    truth.end(applied, 8_000)
    assert truth.interfaces(8_000)[0].running
    assert not truth.interfaces(7_999)[0].running
