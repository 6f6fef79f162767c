"""Ranges over frames, blocks and rollups: what is answered is what was polled, wherever it is stored."""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest

from mtd.model.metric import Lane
from mtd.queries.errors import TooManyPoints, TooManyQueries
from mtd.queries.history.reader import Question, RangeReader
from mtd.queries.ranges import RangeQueries
from mtd.queries.records import RangeAnswer, SeriesPoints
from mtd.queries.resolution import STEP_S, Resolution
from mtd.storage.cold.connection import ColdConnection
from mtd.storage.config import RetentionClassConfig, RetentionConfig
from tests.integration.projections.kit import World, in_world, now_us
from tests.integration.queries.history_kit import (
    HOUR,
    LAYOUT,
    LOAD,
    MOVED,
    RX,
    RX_BPS,
    SECOND,
    Past,
    Poll,
    buckets,
    close,
    compact,
    increases,
    p95,
    past_of,
    store_polls,
    wide_p95,
)
from tests.integration.queries.kit import ranges_of


async def ask(ranges: RangeQueries, past: Past, **given: Any) -> dict[str, SeriesPoints]:
    answer = await whole(ranges, past, **given)
    return {series.metric: series for series in answer.series}


async def whole(ranges: RangeQueries, past: Past, **given: Any) -> RangeAnswer:
    span = {"start_us": past.first_us, "end_us": now_us(), "max_points": 100_000, **given}
    return await ranges.query_range("core-1", [], span["start_us"], span["end_us"], span["max_points"],
                                    resolution=span.get("resolution", Resolution.AUTO))  # fmt: skip


def check_raw(found: dict[str, SeriesPoints], past: Past) -> None:
    """Fail unless all points are there, once, in order."""
    counters = found[RX]
    assert (
        list(zip((counters.times_us // 1000).tolist(), counters.counters.tolist(), strict=True))
        == past.counters()
    )
    load = found[LOAD]
    assert list(zip((load.times_us // 1000).tolist(), load.values.tolist(), strict=True)) == past.gauges()
    rates, expected = found[RX_BPS], past.rates()
    assert (rates.times_us // 1000).tolist() == [ms for ms, _ in expected]
    assert all(map(close, rates.values.tolist(), (rate for _, rate in expected)))


def check_buckets(answer: RangeAnswer, past: Past) -> None:
    """Fail unless every bucket is what its values make of it."""
    width, step = answer.bucket_us, STEP_S.get(answer.resolution, 0) * SECOND or answer.bucket_us
    found = {series.metric: series for series in answer.series}
    load, expected = found[LOAD], buckets(past.gauges(), width)
    assert load.times_us.tolist() == sorted(expected)
    counts = {start: len(values) for start, values in buckets(past.gauges(), step).items()}
    for place, start in enumerate(sorted(expected)):
        values = expected[start]
        assert load.counts[place] == len(values)
        assert (load.minimum[place], load.maximum[place]) == (min(values), max(values))
        assert close(load.values[place], math.fsum(values) / len(values))
    ranks = wide_p95(past.gauges(), step, width, counts)
    assert load.p95.tolist() == [ranks[start] for start in sorted(ranks)]
    if width == step:
        assert load.p95.tolist() == [p95(expected[start]) for start in sorted(expected)]

    counter, grown = found[RX], increases(past.counters(), width)
    assert counter.times_us.tolist() == sorted(grown)
    assert counter.increases.tolist() == [grown[start] for start in sorted(grown)]
    last = {ms * 1000 // width * width: value for ms, value in past.counters()}
    assert counter.counters.tolist() == [last[start] for start in sorted(last)]

    rate, expected = found[RX_BPS], buckets(past.rates(), width)
    assert rate.times_us.tolist() == sorted(expected)
    for place, start in enumerate(sorted(expected)):
        assert close(rate.maximum[place], max(expected[start]))
        assert close(rate.minimum[place], min(expected[start]))
        assert min(expected[start]) * 0.999999 <= rate.values[place] <= max(expected[start]) * 1.000001


RESOLUTIONS = [Resolution.TEN_SECONDS, Resolution.MINUTE, Resolution.FIVE_MINUTES]


@pytest.mark.parametrize("dense", [False, True])
def test_all_resolutions_tell_what_was_polled_over_frames_and_blocks(postgres_dsn: str, dense: bool) -> None:
    async def body(world: World) -> None:
        past = await past_of(world, 4)
        ranges = ranges_of(world)
        check_raw(await ask(ranges, past, resolution=Resolution.RAW), past)
        for hour in (0, 2, 1, 3):  # out of order: cold beside hot on both sides
            await compact(world, past, [hour], dense=dense)
            check_raw(await ask(ranges, past, resolution=Resolution.RAW), past)
            for resolution in RESOLUTIONS:
                answer = await whole(ranges, past, resolution=resolution)
                assert (answer.resolution, answer.bucket_us) == (resolution, STEP_S[resolution] * SECOND)
                check_buckets(answer, past)
        for points in (600, 100, 7):
            answer = await whole(ranges, past, max_points=points)
            assert answer.resolution in RESOLUTIONS
            assert all(len(series.times_us) <= points for series in answer.series)
            check_buckets(answer, past)
        await compact(world, past, [])

    in_world(postgres_dsn, body, timeout_s=120)


def test_raw_values_are_thinned_to_whole_seconds(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        past = await past_of(world, 2)
        await compact(world, past, [0])
        # Whole buckets at both ends, over the seam.
        start = (past.first_us + HOUR - 1400 * SECOND) // (7 * SECOND) * 7 * SECOND
        answer = await whole(
            ranges_of(world), past, start_us=start, end_us=start + 2800 * SECOND, max_points=400
        )
        assert (answer.resolution, answer.bucket_us) == (Resolution.RAW, 7 * SECOND)
        first = start // answer.bucket_us * answer.bucket_us
        last = -(-(start + 2800 * SECOND) // answer.bucket_us) * answer.bucket_us
        found = {series.metric: series for series in answer.series}
        expected = {
            at: values
            for at, values in buckets(past.gauges(), answer.bucket_us).items()
            if first <= at < last
        }
        assert found[LOAD].times_us.tolist() == sorted(expected)
        assert found[LOAD].p95.tolist() == [p95(expected[at]) for at in sorted(expected)]
        grown = {
            at: by for at, by in increases(past.counters(), answer.bucket_us).items() if first <= at < last
        }
        assert found[RX].increases.tolist() == [grown[at] for at in sorted(grown)]

    in_world(postgres_dsn, body)


async def check_growth(ranges: RangeQueries, past: Past, start: int, end: int) -> None:
    """Fail unless growth from a bucket's start on is the same by all resolutions."""
    for resolution in (Resolution.RAW, *RESOLUTIONS):
        answer = await whole(ranges, past, start_us=start, end_us=end, max_points=6, resolution=resolution)
        assert answer.bucket_us % (300 * SECOND) == 0
        grown = increases(past.counters(), answer.bucket_us)
        expected = {at: by for at, by in grown.items() if start <= at < end}
        (counter,) = (one for one in answer.series if one.metric == RX)
        assert dict(zip(counter.times_us.tolist(), counter.increases.tolist(), strict=True)) == expected


def steady(first_us: int, seconds: Iterable[int]) -> list[Poll]:
    return [(first_us + at * SECOND + 1000, 2**40 + at * 10**6, 1.0) for at in seconds]


def test_the_first_growth_at_an_hours_edge_is_told_wherever_the_hour_before_is(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        past = await past_of(world, 3)
        await world.ask("TRUNCATE telemetry_frame")
        past.polls = steady(past.first_us, range(0, 3 * 3600, 5))
        await store_polls(world, past, past.polls)
        ranges = ranges_of(world)
        edge = past.first_us + HOUR
        rates = [ms for ms, _ in past.rates() if edge <= ms * 1000 < edge + HOUR // 2]
        for hours in (
            [],
            [1],
            [0],
            [2],
        ):  # at first both hot, then the later one compacted before the earlier
            await compact(world, past, hours)
            await check_growth(ranges, past, edge, edge + HOUR // 2)
            found = await ask(ranges, past, start_us=edge, end_us=edge + HOUR // 2, resolution=Resolution.RAW)
            assert (found[RX_BPS].times_us // 1000).tolist() == rates

    in_world(postgres_dsn, body)


def test_growth_behind_an_outage_is_the_same_by_all_resolutions(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        past = await past_of(world, 5)
        await world.ask("TRUNCATE telemetry_frame")
        # Silent from minute 30 of the first hour until minute 40 of the fifth.
        past.polls = steady(past.first_us, [*range(0, 1800, 5), *range(4 * 3600 + 2400, 5 * 3600, 5)])
        await store_polls(world, past, past.polls)
        ranges = ranges_of(world)
        start = past.first_us + 4 * HOUR + 1800 * SECOND
        for hours in ([], [0], [4]):
            await compact(world, past, hours)
            await check_growth(ranges, past, start, past.first_us + 5 * HOUR)

    in_world(postgres_dsn, body)


def test_growth_over_more_than_a_day_of_silence_belongs_to_no_bucket(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        past = await past_of(world, 1)
        await world.ask("TRUNCATE telemetry_frame")
        past.first_us -= 30 * HOUR
        past.polls = steady(past.first_us, [*range(0, 1800, 5), *range(28 * 3600, 28 * 3600 + 1800, 5)])
        await store_polls(world, past, past.polls)
        ranges = ranges_of(world)
        for hours in ([], [0], [28]):
            await compact(world, past, hours)
            sums = set()
            for resolution in (Resolution.RAW, *RESOLUTIONS):
                found = await ask(
                    ranges, past, end_us=past.first_us + 30 * HOUR, max_points=50, resolution=resolution
                )
                sums.add(int(found[RX].increases.sum()))
            assert sums == {2 * 1795 * 10**6}

    in_world(postgres_dsn, body)


def test_where_no_raw_value_is_stored_any_more_rollups_answer(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        past = await past_of(world, 2)
        await compact(world, past, [0, 1, 2])
        end = past.first_us + 2 * HOUR
        # A class of another metric keeps longer: it says nothing of this one.
        for longer in ({}, {"other": RetentionClassConfig(metrics=["other.*"], raw_days=3650)}):
            ranges = ranges_of(world, retention=RetentionConfig(classes=longer))
            before = await whole(ranges, past, end_us=end)
            assert before.resolution is Resolution.RAW
        await world.ask("TRUNCATE telemetry_block")
        answer = await whole(ranges_of(world), past, end_us=end)
        assert answer.resolution is Resolution.TEN_SECONDS
        check_buckets(
            answer, Past(past.device_id, past.first_us, [one for one in past.polls if one[0] < end])
        )

    in_world(postgres_dsn, body)


def test_a_bucket_of_infinities_has_no_mean_and_is_there(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        past = await past_of(world, 1)
        await world.ask("TRUNCATE telemetry_frame")
        await store_polls(world, past, [(past.first_us + n * SECOND, 1, n % 2) for n in range(1, 40)])
        # From polls they don't get there.
        await world.ask("UPDATE telemetry_frame SET gauges = ARRAY[(gauges[1] - 0.5) * 'Infinity'::float8]")
        ranges = ranges_of(world)
        for hours in ([], [0]):
            await compact(world, past, hours)
            for resolution in (Resolution.RAW, Resolution.TEN_SECONDS):
                found = await ask(
                    ranges, past, end_us=past.first_us + 40 * SECOND, max_points=4, resolution=resolution
                )
                assert found[LOAD].counts.tolist() == [9, 10, 10, 10]
                assert found[LOAD].maximum.tolist() == [math.inf] * 4
                assert np.isnan(found[LOAD].values).all()

    in_world(postgres_dsn, body)


def test_who_leaves_ends_the_query_and_gives_the_turn_back_then(
    postgres_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def body(world: World) -> None:
        past = await past_of(world, 0)
        ranges = ranges_of(world, max_concurrent=1, max_waiting=0)
        began, ended = threading.Event(), threading.Event()

        def answer(reader: RangeReader, conn: ColdConnection, asked: Question) -> RangeAnswer:
            began.set()
            try:
                while True:  # computes long, and looks up between series
                    conn.check()
            finally:
                sum(range(10**6))
                ended.set()

        with monkeypatch.context() as patched:
            patched.setattr(RangeReader, "answer", answer)
            asked = asyncio.ensure_future(whole(ranges, past))
            await asyncio.to_thread(began.wait, 10)
            asked.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asked
            assert ended.is_set(), "the turn was given back while the thread went on"
        assert (await whole(ranges, past)).series

    in_world(postgres_dsn, body)


def test_a_part_of_a_closed_hour_is_cut_to_the_microsecond(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        past = await past_of(world, 2)
        await compact(world, past, [0, 1])
        polls = past.polls[100:200]
        found = await ask(ranges_of(world), past, start_us=polls[0][0], end_us=polls[-1][0])
        part = Past(past.device_id, past.first_us, polls[:-1])
        assert (found[RX].times_us // 1000).tolist() == [ms for ms, _ in part.counters()]
        # The first rate needs the poll before the range.
        rates = [ms for ms, _ in past.rates() if polls[0][0] <= ms * 1000 < polls[-1][0]]
        assert (found[RX_BPS].times_us // 1000).tolist() == rates

    in_world(postgres_dsn, body)


def test_while_hours_are_compacted_every_answer_is_whole(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        past = await past_of(world, 5)
        ranges = ranges_of(world)
        compacting = asyncio.ensure_future(compact(world, past, range(5)))
        answers = 0
        while not compacting.done() or not answers:
            check_raw(await ask(ranges, past, resolution=Resolution.RAW), past)
            check_buckets(await whole(ranges, past, resolution=Resolution.TEN_SECONDS), past)
            answers += 1
        await compacting
        check_buckets(await whole(ranges, past, resolution=Resolution.TEN_SECONDS), past)

    in_world(postgres_dsn, body, timeout_s=120)


def test_what_comes_late_and_what_comes_again(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        past = await past_of(world, 3)
        late = [poll for poll in past.polls if past.first_us + HOUR <= poll[0] < past.first_us + 2 * HOUR][
            200:260
        ]
        await world.ask(
            "DELETE FROM telemetry_frame WHERE ts_collected >= from_us(%s) AND ts_collected <= from_us(%s)",
            late[0][0],
            late[-1][0],
        )
        await compact(world, past, [0, 1, 2])
        again = [poll for poll in past.polls if poll[0] >= late[-1][0]][1:20]
        await store_polls(world, past, [*late, *again])
        ranges = ranges_of(world)
        check_raw(await ask(ranges, past, resolution=Resolution.RAW), past)
        for resolution in RESOLUTIONS:
            check_buckets(await whole(ranges, past, resolution=resolution), past)
        await compact(world, past, [1])
        for resolution in RESOLUTIONS:
            check_buckets(await whole(ranges, past, resolution=resolution), past)

    in_world(postgres_dsn, body)


def test_a_series_that_moved_to_another_poll_group_is_one(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        past = await past_of(world, 1)
        middle = past.first_us + HOUR // 2
        await world.ask("TRUNCATE telemetry_frame")
        before = [poll for poll in past.polls if poll[0] < middle]
        after = [poll for poll in past.polls if poll[0] >= middle]
        await store_polls(world, past, before)
        await store_polls(world, past, after, MOVED)
        ranges = ranges_of(world)

        async def check() -> None:
            found = await ask(ranges, past, resolution=Resolution.RAW)
            load = found[LOAD]
            assert (
                list(zip((load.times_us // 1000).tolist(), load.values.tolist(), strict=True))
                == past.gauges()
            )
            answer = await whole(ranges, past, resolution=Resolution.MINUTE)
            (series,) = (one for one in answer.series if one.metric == LOAD)
            expected = buckets(past.gauges(), 60 * SECOND)
            assert series.times_us.tolist() == sorted(expected)
            assert series.counts.tolist() == [len(expected[start]) for start in sorted(expected)]
            assert series.maximum.tolist() == [max(expected[start]) for start in sorted(expected)]

        await check()
        await compact(world, past, [0])
        await check()
        await compact(world, past, [0], group="t1")
        await check()

    in_world(postgres_dsn, body)


def test_over_a_day_raw_values_are_read_only_when_asked_for(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        past = await past_of(world, 1)
        ranges = ranges_of(world)
        end = now_us()
        answer = await whole(ranges, past, start_us=end - 25 * HOUR, end_us=end)
        assert (answer.resolution, answer.bucket_us) == (Resolution.TEN_SECONDS, 10 * SECOND)
        answer = await whole(ranges, past, start_us=end - 90 * 24 * HOUR, end_us=end, max_points=600)
        assert (answer.resolution, answer.bucket_us % (300 * SECOND)) == (Resolution.FIVE_MINUTES, 0)
        answer = await whole(ranges, past, start_us=end - 25 * HOUR, end_us=end, resolution=Resolution.RAW)
        assert answer.bucket_us == 0
        far = await whole(
            ranges, past, start_us=0, end_us=253_370_000_000 * SECOND, resolution=Resolution.RAW, max_points=9
        )
        assert sum(one.counts.sum() for one in far.series if one.metric == LOAD) == len(past.gauges())
        for resolution in RESOLUTIONS:
            nothing = await whole(ranges, past, start_us=0, end_us=HOUR, resolution=resolution)
            assert nothing.series == []

    in_world(postgres_dsn, body)


def test_too_much_is_refused_with_what_to_do(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        past = await past_of(world, 1)
        await compact(world, past, [0])
        stored = len(past.polls)
        with pytest.raises(TooManyPoints, match=f"{3 * stored} stored points of 3 series") as refused:
            await whole(ranges_of(world, max_scanned_points=stored), past, resolution=Resolution.RAW)
        assert "coarser resolution" in refused.value.hint
        with pytest.raises(TooManyPoints, match="the answer would have"):
            await whole(ranges_of(world, max_answer_points=100), past, resolution=Resolution.TEN_SECONDS)
        with pytest.raises(TooManyPoints, match="stored points"):
            await whole(ranges_of(world, max_scanned_points=100), past, resolution=Resolution.TEN_SECONDS)

    in_world(postgres_dsn, body)


def test_a_tenant_has_so_many_queries_at_a_time(postgres_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def body(world: World) -> None:
        past = await past_of(world, 0)
        ranges = ranges_of(world, max_concurrent=1, max_waiting=1)
        running, most = 0, 0
        real = RangeReader.answer

        def answer(*given: Any) -> RangeAnswer:
            nonlocal running, most
            running += 1
            most = max(most, running)
            try:
                return real(*given)
            finally:
                running -= 1

        monkeypatch.setattr(RangeReader, "answer", answer)
        asked = [asyncio.ensure_future(whole(ranges, past)) for _ in range(3)]
        found = await asyncio.gather(*asked, return_exceptions=True)
        refused = [one for one in found if isinstance(one, Exception)]
        assert [type(one) for one in refused] == [TooManyQueries]
        assert "queries.max_concurrent" in refused[0].hint
        assert most == 1
        assert (await whole(ranges, past)).series

    in_world(postgres_dsn, body)


def test_counters_beyond_doubles_stay_exact(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        past = await past_of(world, 0)
        past.polls = [(past.first_us + n * SECOND, 2**63 - 100 + n, 0.5) for n in range(60)]
        past.first_us -= HOUR
        past.polls = [(us - HOUR, counter, gauge) for us, counter, gauge in past.polls]
        await store_polls(world, past, past.polls)
        await compact(world, past, [0])
        ranges = ranges_of(world)
        end = past.first_us + HOUR
        raw = await ask(ranges, past, end_us=end, resolution=Resolution.RAW)
        assert raw[RX].counters.dtype == np.int64
        assert raw[RX].counters.tolist() == [2**63 - 100 + n for n in range(60)]
        rolled = await ask(ranges, past, end_us=end, resolution=Resolution.TEN_SECONDS)
        assert rolled[RX].counters.tolist() == [2**63 - 91 + 10 * n for n in range(6)]
        assert rolled[RX].increases.tolist() == [9, *[10] * 5]
        assert rolled[RX].lane is Lane.COUNTER
        assert [series.metric for series in LAYOUT.series] == [RX, LOAD, RX_BPS]

    in_world(postgres_dsn, body)
