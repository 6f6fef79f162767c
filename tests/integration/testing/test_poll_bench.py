"""``scripts/bench poll`` runs, and its contenders read the same. No timing is asserted."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from mtd.lab.world import World
from mtd.testing.harness import HarnessFailed
from mtd.testing.poll_bench import PollPlan, measure_polling, running_lab
from mtd.testing.poll_check import Reading, wrong_readings
from mtd.testing.poll_contender import ROUTER_ROWS
from mtd.testing.poll_mktxp import readings_of_page

ROUTERS, INTERFACES = 2, 5
# Without PostgreSQL, so that it is quick; and nothing of the slower tiers has to be over.
PLAN = PollPlan(ROUTERS, INTERFACES, rounds=1, polls=2, warm_up_s=0.5, mktxp=False, daemon=False)


def quiet(_: str) -> None:
    """Say nothing."""


def test_contenders_read_the_same_rows_and_the_truth(tmp_path: Path) -> None:
    with running_lab(tmp_path, PLAN) as stage:
        figures = measure_polling(stage, PLAN, quiet)
    assert figures.keys() >= {"floor_us", "mtd_poll_us", "ratio_vs_floor", "spread_us", "rounds", "machine"}
    assert figures["floor_us"] > 0
    assert figures["mtd_poll_us"] > 0
    assert figures["agreed"] == {
        "rows_per_poll": {"floor": INTERFACES + ROUTER_ROWS, "mtd_poll": INTERFACES + ROUTER_ROWS},
        "routers_checked": {"floor": ROUTERS, "mtd_poll": ROUTERS},
    }


def test_a_contender_that_reads_other_rows_fails_the_bench(tmp_path: Path) -> None:
    with (
        running_lab(tmp_path, PLAN) as stage,
        pytest.raises(HarnessFailed, match="rows in a poll instead of"),
    ):
        measure_polling(stage, dataclasses.replace(PLAN, interfaces=INTERFACES + 1), quiet)


@pytest.fixture(name="world")
def _world() -> World:
    return World.from_file("steady")


def reading(world: World) -> Reading:
    """Return what a right client would have read of the first router."""
    truth = next(iter(world))
    tick = world.clock.now_tick()
    shown = {item.id: item for item in truth.interfaces(tick) if not item.dynamic}
    at_us = world.clock.us_at(tick)
    counters = {identity: truth.counters(tick)[identity] for identity in shown}
    states = {identity: {"running": item.running} for identity, item in shown.items()}
    return Reading(truth.spec.name, at_us, at_us, counters, states, truth.resource(tick).cpu_load_pct)


def test_what_is_not_the_truth_is_told(world: World) -> None:
    assert wrong_readings(world, [reading(world)]) == []
    one_less = reading(world)
    next(iter(one_less.counters.values()))["rx-byte"] -= 1
    one_missing = reading(world)
    del one_missing.counters[next(iter(one_missing.counters))]
    flipped = reading(world)
    state = next(iter(flipped.states.values()))
    state["running"] = not state["running"]
    idle = reading(world)
    idle.cpu_load = 101
    for wrong, text in (
        (one_less, "no moment"),
        (one_missing, "interfaces instead of"),
        (flipped, "running of"),
        (idle, "CPU load was never 101"),
    ):
        assert text in wrong_readings(world, [wrong])[0]


def test_a_page_of_mktxp_becomes_readings(world: World) -> None:
    truth = next(iter(world))
    item = truth.interfaces(world.clock.now_tick())[0]
    label = f'name="{item.name}",routerboard_name="{truth.spec.name}"'
    page = (
        f"# TYPE mktxp_interface_rx_byte counter\nmktxp_interface_rx_byte_total{{{label}}} 7.0\n"
        f"# TYPE mktxp_interface_running gauge\nmktxp_interface_running{{{label}}} 1.0\n"
        f'# TYPE mktxp_system_cpu_load gauge\nmktxp_system_cpu_load{{routerboard_name="{truth.spec.name}"}} 3.0\n'
    )
    now_us = world.clock.us_at(world.clock.now_tick())
    (found,) = readings_of_page(page, world, now_us, now_us)
    assert found.counters == {item.id: {"rx-byte": 7}}
    assert found.states == {item.id: {"running": True}}
    assert found.cpu_load == 3
