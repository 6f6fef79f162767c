"""A way that reads less than another fails the bench: it would be faster for that."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from mtd.testing.harness import HarnessFailed
from mtd.testing.telemetry.agreement import agree, told_of_buckets, told_of_points, whole_buckets
from mtd.testing.telemetry.cases import (
    CASES,
    RATE,
    asks_of,
    narrow_whole_params,
    narrow_whole_sql,
    port_of,
    top_ends,
)
from mtd.testing.telemetry.data import DataPlan

Ways = dict[str, dict[str, dict[str, Any]]]
PLAN = DataPlan(end_hour=480_001, days=3, routers=2, interfaces=10)
RAW = told_of_points([1e15, 2e15, 3e15])
ASKED = told_of_buckets([60, 60, 10], [5.0, 7.0, 6.0], [1.0, 2.0, 3.0], [9.0, 8.0, 7.0])
WHOLE = told_of_buckets([1000], [50.0], [1.0], [90.0])
RANKED = [("r1", "*1", 9e6), ("r1", "*2", 8.9e6), ("r2", "*1", 5e6), ("r2", "*2", 0.0)]


@pytest.fixture
def ways() -> Ways:
    found: Ways = {"query_range": {}, "grpc": {}, "sql_view": {}, "narrow": {}}
    for case in CASES:
        for way in found:
            told = RAW if not case.points else ASKED if way in {"sql_view", "narrow"} else WHOLE
            found[way][case.name] = {"told": dict(told), "whole": dict(WHOLE)}
    for way in ("query_range", "grpc"):
        found[way]["top10"] = {"told": {"top": RANKED[:3]}}
    found["narrow"]["top10"] = {"told": {}, "ranked": {"query_range": RANKED, "grpc": RANKED}}
    return copy.deepcopy(found)


def test_the_same_is_good(ways: Ways) -> None:
    agree(ways)


def test_who_has_no_answer_is_left_out(ways: Ways) -> None:
    del ways["sql_view"]["90d_600"]
    agree(ways)


@pytest.mark.parametrize("way", ["query_range", "grpc", "sql_view"])
@pytest.mark.parametrize(
    ("case", "name", "value", "differ"),
    [
        ("24h_raw", "points", 2, "points differ"),
        ("24h_raw", "sum", 6.001e15, "sums differ"),
        ("24h_600", "count", 129, "counts differ"),
        ("24h_600", "sum", 49_900.0, "sums differ"),
        ("24h_600_of_390", "min", 1.5, "min values differ"),
        ("24h_600", "max", None, "max values differ"),
        ("90d_600_rate", "count", 900, "counts differ"),
        ("24h_600_rate", "sum", 40_000.0, "sums differ"),
        ("24h_600_rate", "max", 70.0, "max values differ"),
    ],
)
def test_less_is_told(ways: Ways, way: str, case: str, name: str, value: Any, differ: str) -> None:
    ways[way][case]["told"][name] = value
    with pytest.raises(HarnessFailed, match=f"{case}: {way} read .* {differ}"):
        agree(ways)


@pytest.mark.parametrize("case", ["24h_600_rate", "90d_600_rate"])
def test_a_missed_poll_is_no_failure_of_a_rate(ways: Ways, case: str) -> None:
    told = ways["grpc"][case]["told"]
    told["count"] += 3
    told["sum"] *= 1.004
    agree(ways)


@pytest.mark.parametrize("way", ["query_range", "grpc"])
@pytest.mark.parametrize(
    "top",
    [
        [],
        [RANKED[0], RANKED[2], RANKED[3]],  # one is missing
        [RANKED[0], RANKED[0], RANKED[2]],  # one is there twice
        [("r1", "*1", 5e6), *RANKED[1:3]],  # a value is wrong
        [*RANKED[:2], ("r3", "*9", 5e6)],  # nobody
    ],
)
def test_another_ranking(ways: Ways, way: str, top: list[tuple[str, str, float]]) -> None:
    ways[way]["top10"]["told"]["top"] = top
    with pytest.raises(HarnessFailed, match=f"top10: {way}"):
        agree(ways)


def test_who_is_as_busy_may_change_places(ways: Ways) -> None:
    ways["grpc"]["top10"]["told"]["top"] = [RANKED[1], RANKED[0], RANKED[2]]
    agree(ways)


def test_buckets_are_whole() -> None:
    assert whole_buckets(100, 250, 60) == (60, 300)
    assert whole_buckets(60, 300, 60) == (60, 300)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_is_expected_is_asked_in_its_order(case: Any) -> None:
    ask = asks_of(case, PLAN, PLAN.days, 1)[0]
    params = narrow_whole_params(case, ask, (0, 60_000_000))
    assert narrow_whole_sql(case).count("%s") == len(params) == 4
    assert params[:2] == ask.narrow or case.metric == RATE


def test_as_many_questions_as_are_wanted() -> None:
    for case in CASES:
        assert asks_of(case, PLAN, PLAN.days, 2) == asks_of(case, PLAN, PLAN.days)[:2]


def test_interfaces_of_the_narrow_table() -> None:
    assert port_of(1, 0, PLAN) == ("bench-b01", "*1")
    assert port_of(2, 8 * 9, PLAN) == ("bench-b02", "*A")


def test_rankings_are_of_whole_minutes() -> None:
    assert all(us % 60_000_000 == 0 for us in top_ends(PLAN, 20))
