"""How fine a range is read, and what the rows are called."""

from __future__ import annotations

import pytest

from mtd.queries.resolution import Kept, Resolution, plan_range
from tests.unit.odoo_addon.parts import part

source = part("gateway.source")
subscribers = part("gateway.subscribers")

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
NOW = 20_000 * DAY + 7 * HOUR + 1234


def series(label: str = "ether1", *, times: tuple[int, ...] = (1,), bucket_us: int = 0) -> object:
    return source.Series(
        "d",
        "iface.rx_bps",
        "*1",
        label,
        "k",
        "bits_per_second",
        times,
        (1.0,) * len(times),
        bucket_us=bucket_us,
    )


@pytest.mark.parametrize(
    "span", [10 * SECOND, 15 * MINUTE, HOUR, 6 * HOUR, DAY, 7 * DAY, 30 * DAY, 400 * DAY]
)
@pytest.mark.parametrize("count", [0, 1, 8, 50, 657, 5000])
def test_a_plan_fits_and_mtd_keeps_to_it(span: int, count: int) -> None:
    plan = source.plan_range(NOW - span, NOW, count)
    assert count * plan.points <= source.MAX_ROWS
    assert plan.start_us <= NOW - span
    assert plan.end_us >= NOW
    # As many values as there can be, a second apart, and rollups of all ages.
    kept = Kept(raw_days=1000, rollup_days=dict.fromkeys(Resolution, 1000))
    theirs = plan_range(
        Resolution(plan.resolution), plan.start_us, plan.end_us, plan.points, span // SECOND + 1, NOW, kept
    )
    assert theirs.bucket_us == plan.width_us


@pytest.mark.parametrize("word", ["10s", "20s", "1m", "5m", "30m", "1h", "2h", "1d"])
def test_a_resolution_that_is_named_is_what_mtd_reads(word: str) -> None:
    width = source.width_of(word)
    plan = source.plan_range(NOW - 20 * width, NOW, 3, word)
    theirs = plan_range(Resolution(plan.resolution), plan.start_us, plan.end_us, plan.points, 10, NOW, Kept())
    assert theirs.bucket_us == plan.width_us == width
    assert source.width_word(width) == word


@pytest.mark.parametrize("word", ["", "raw", "auto", "s", "7s", "0s", "-5m", "5 m", "1w", "m5", "²0s"])
def test_words_that_are_no_width(word: str) -> None:
    assert source.width_of(word) is None


def test_a_resolution_that_gives_too_many_values_is_refused_before_mtd_is_asked() -> None:
    with pytest.raises(source.SourceError) as refused:
        source.plan_range(NOW - 30 * DAY, NOW, 8, "10s")
    assert refused.value.kind == "rows"


def test_values_that_are_thinned_aren_t_raw_ones() -> None:
    plan = source.plan_range(NOW - DAY, NOW, 1, "raw")
    assert source.checked([series()], plan)
    with pytest.raises(source.SourceError):
        source.checked([series(bucket_us=2 * SECOND)], plan)
    with pytest.raises(source.SourceError):
        source.checked([series(times=tuple(range(source.MAX_ROWS + 1)))])


def test_ids_differ_by_time_series_and_width_and_fit_into_javascript() -> None:
    times = tuple(range(NOW, NOW + 40_000 * SECOND, SECOND))
    ids = [*series(times=times).ids(), *series(times=times, bucket_us=MINUTE).ids()]
    assert len(set(ids)) == len(ids)
    assert 0 < min(ids) <= max(ids) < 2**53
    assert series(times=times).ids() == ids[: len(times)]
    assert series("other name").ids() == series().ids()
    assert series(times=(7,)).ids(over_time=False) == series(times=(8,)).ids(over_time=False)


def test_what_names_subscribers_is_left_out() -> None:
    shown = subscribers.without_subscribers([series("<pppoe-anna>"), series("ether1"), series("")])
    assert [one.label for one in shown] == ["ether1", ""]
