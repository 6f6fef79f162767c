"""Overviews, and ranges that are too long for one answer, by both clients."""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import Any

import pytest

from mtd.client import AsyncMtdClient, MtdClient, MtdClientError, Slice
from mtd.model.metric import Lane
from mtd.queries.errors import TooManyPoints, TooManyQueries
from mtd.queries.records import RangeAnswer, SeriesPoints, TopEntry
from mtd.storage.errors import StorageUnavailable, TooSlow
from mtd.testing import run_async
from tests.integration.client.kit import aside, running


def test_overviews_come_with_their_age() -> None:
    async def main() -> None:
        async with running() as daemon, AsyncMtdClient(daemon.target) as client:
            daemon.telemetry.entries = [TopEntry("d1", "r1", "*1", "ether1", 5.0, 6.0)]
            ranking = await client.top("rx", window_s=60)
            assert (ranking.unit, ranking.age_s, ranking.entries[0].label) == (
                "bits_per_second",
                2.0,
                "ether1",
            )
            with pytest.raises(MtdClientError, match="isn't one of rx, tx, utilization, errors"):
                await client.top("size")
            days = await client.events_per_day(7)
            assert (days.days[0].day, days.days[0].critical) == (dt.date(2026, 11, 26), 1)
            with MtdClient(daemon.target) as other:
                counts = await aside(other.status_counts)
                assert set(counts.devices) == {"unknown", "up", "degraded", "down", "disabled"}
                assert (await aside(other.query_latest)).values == []

    run_async(main())


@pytest.mark.parametrize("kind", ["sync", "aio"])
def test_slices_are_as_long_as_the_daemon_answers(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    hour = 3_600_000_000

    async def main() -> None:
        async with running() as daemon:
            asked = []

            async def query_range(*given: Any) -> RangeAnswer:
                start, end = given[3], given[4]
                asked.append(end - start)
                if end - start > hour // 2:
                    raise TooManyPoints("that is too much")
                points = SeriesPoints("a", "", Lane.GAUGE, "", "a", "", [start], [1.0])
                # Too many for a series: thinned, which a slice may not be.
                return RangeAnswer([points], 0 if end - start <= hour // 4 else 7)

            monkeypatch.setattr(daemon.telemetry, "query_range", query_range)
            span = {"start": hour + 60_000_000, "end": 3 * hour + 5}
            if kind == "sync":
                with MtdClient(daemon.target) as client:
                    got = await aside(lambda: list(client.query_slices("r1", **span)))
            else:
                async with AsyncMtdClient(daemon.target) as other:
                    got = [part async for part in other.query_slices("r1", **span)]
            assert got[0].start_us == span["start"]
            assert got[-1].end_us == span["end"]
            assert all(one.end_us == other.start_us for one, other in zip(got, got[1:], strict=False))
            assert all(one.end_us % 300_000_000 == 0 for one in got[:-1])
            assert [one.result.series[0].times_us for one in got] == [[one.start_us] for one in got]

            async def never(*given: Any) -> RangeAnswer:
                raise TooManyPoints("that is too much")

            monkeypatch.setattr(daemon.telemetry, "query_range", never)
            with (
                MtdClient(daemon.target) as client,
                pytest.raises(MtdClientError, match="five minutes of r1"),
            ):
                await aside(lambda: list(client.query_slices("r1", **span)))

    run_async(main())


@pytest.mark.parametrize("kind", ["sync", "aio"])
def test_slices_go_on_where_the_daemon_was_away(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    hour = 3_600_000_000

    async def main() -> None:
        async with running() as daemon:
            asked = []

            async def query_range(*given: Any) -> RangeAnswer:
                start, end = given[3], given[4]
                asked.append(end - start)
                if len(asked) in (1, 2):
                    raise StorageUnavailable("it restarts")
                if len(asked) == 4:
                    raise TooManyQueries("others ask")
                if end - start == hour:
                    raise TooSlow("that took long")
                points = SeriesPoints("a", "", Lane.GAUGE, "", "a", "", [start], [1.0])
                return RangeAnswer([points], 0)

            async def all_of(**given: Any) -> list[Slice]:
                asked.clear()
                if kind == "sync":
                    with MtdClient(daemon.target) as client:
                        return await aside(
                            lambda: list(client.query_slices("r1", start=0, end=hour, **given))
                        )
                async with AsyncMtdClient(daemon.target) as other:
                    return [part async for part in other.query_slices("r1", start=0, end=hour, **given)]

            monkeypatch.setattr(daemon.telemetry, "query_range", query_range)
            got = await all_of()
            assert [(one.start_us, one.end_us) for one in got] == [(0, hour // 2), (hour // 2, hour)]
            assert asked == [hour, hour, hour, hour // 2, hour // 2, hour // 2]
            with pytest.raises(MtdClientError, match="it restarts"):
                await all_of(give_up_after_s=0.0)
            assert len(asked) == 1

    run_async(main())


def test_a_client_that_is_closed_while_it_waits_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with running() as daemon:
            asked = asyncio.Event()

            async def query_range(*given: Any) -> RangeAnswer:
                asked.set()
                raise StorageUnavailable("it restarts")

            monkeypatch.setattr(daemon.telemetry, "query_range", query_range)
            client = MtdClient(daemon.target)
            waiting = asyncio.ensure_future(aside(lambda: list(client.query_slices("r1", start=0, end=1))))
            await asked.wait()
            await aside(client.close)
            async with asyncio.timeout(10):
                with pytest.raises(MtdClientError, match="closed"):
                    await waiting

    run_async(main())
