from __future__ import annotations

import asyncio
import random
from contextlib import aclosing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtd.api.config import GrpcConfig
from mtd.api.errors import PositionBeyondEnd, StreamsClosed, TooManyStreams
from mtd.api.grpc import event_feed
from mtd.api.grpc.event_feed import EventFeeds, EventFilter
from mtd.api.grpc.globs import Globs
from mtd.api.grpc.stream_hub import may_be_event
from mtd.core.errors import Retryable
from mtd.model.device import Severity
from mtd.model.events import Origin
from mtd.model.logs import LogEntry, log_event
from mtd.testing import run_async
from mtd.testing.metrics import metric
from tests.unit.api.fakes import TENANT, FakeTelemetry, event

EVERYTHING = EventFilter((), Globs(()), Severity.INFO)


def make(telemetry: FakeTelemetry, **given_settings: float) -> EventFeeds:
    return EventFeeds(telemetry, GrpcConfig(**{"event_read_interval_s": 0.0} | given_settings))


async def take(
    feeds: EventFeeds, after: int, last: int, wanted: EventFilter = EVERYTHING, pause: float = 0.0
) -> list[int]:
    """Read until a position; the last one must be selected."""
    positions = []
    async with asyncio.timeout(10), aclosing(feeds.events(TENANT, wanted, after, until_now=False)) as events:
        async for one in events:
            positions.append(one.position)
            await asyncio.sleep(pause)
            if one.position >= last:
                break
    return positions


async def settled(telemetry: FakeTelemetry, reads: int) -> None:
    """Wait until the database was asked so often and the answers are worked off."""
    async with asyncio.timeout(5):
        while telemetry.reads < reads:
            await asyncio.sleep(0)
    for _ in range(10):
        await asyncio.sleep(0)


async def append(
    telemetry: FakeTelemetry, feeds: EventFeeds, positions: list[int], rng: random.Random
) -> None:
    """Commit events in small batches, and tell the feeds of each a moment later."""
    while positions:
        batch = [positions.pop(0) for _ in range(min(len(positions), rng.randint(1, 7)))]
        telemetry.events += [event(position) for position in batch]
        if rng.random() < 0.7:
            await asyncio.sleep(0)
        feeds.wake([TENANT])
        if rng.random() < 0.7:
            await asyncio.sleep(rng.choice([0, 0, 0.001]))


@settings(max_examples=25)
@given(
    seed=st.integers(0, 2**32), tail=st.integers(1, 30), page=st.integers(1, 20), stored=st.integers(0, 60)
)
def test_stored_then_live_without_gaps_or_doubles(seed: int, tail: int, page: int, stored: int) -> None:
    """Readers of any pace, beginning anywhere, while events are appended."""

    async def main() -> None:
        rng = random.Random(seed)
        telemetry = FakeTelemetry()
        # Positions have holes: other tenants' events lie between.
        positions = sorted(rng.sample(range(1, 1000), stored + 60))
        telemetry.events = [event(position) for position in positions[:stored]]
        feeds = make(telemetry, event_tail=tail, event_page=page)
        starts = [0, *rng.choices([0, *positions[:stored]], k=2)]
        readers = [
            asyncio.ensure_future(take(feeds, after, positions[-1], pause=rng.choice([0, 0.001])))
            for after in starts
        ]
        await append(telemetry, feeds, positions[stored:], rng)
        for after, got in zip(starts, await asyncio.gather(*readers), strict=True):
            assert got == [position for position in positions if position > after]
        await feeds.stop()

    run_async(main())


def test_readers_that_are_up_to_date_share_one_read() -> None:
    async def main() -> None:
        telemetry = FakeTelemetry()
        feeds = make(telemetry)
        readers = [asyncio.ensure_future(take(feeds, 0, 1)) for _ in range(20)]
        await settled(telemetry, reads=21)
        before = telemetry.reads
        telemetry.events.append(event(1))
        feeds.wake([TENANT])
        assert await asyncio.gather(*readers) == [[1]] * 20
        assert telemetry.reads - before == 1
        await feeds.stop()

    run_async(main())


def test_filters_hold_for_stored_and_for_new_events() -> None:
    async def main() -> None:
        telemetry = FakeTelemetry()
        feeds = make(telemetry)
        wanted = EventFilter(("name-d1",), Globs(["name-d1"]), Severity.WARNING)
        several = [
            event(1, severity=Severity.CRITICAL),
            event(2),
            event(3, device_id="d2", severity=Severity.CRITICAL),
            event(4, severity=Severity.WARNING),
        ]
        telemetry.events = several.copy()
        reading = asyncio.ensure_future(take(feeds, 0, 14, wanted))
        await settled(telemetry, reads=3)
        telemetry.events += [
            event(one.position + 10, device_id=one.device_id, severity=one.severity) for one in several
        ]
        feeds.wake([TENANT])
        assert await reading == [1, 4, 11, 14]
        await feeds.stop()

    run_async(main())


@pytest.mark.parametrize("page", [1, 2, 100])
def test_until_now_ends_with_what_is_stored(page: int) -> None:
    async def main() -> None:
        telemetry = FakeTelemetry()
        telemetry.events = [event(position) for position in (3, 5, 8, 13)]
        feeds = make(telemetry, event_page=page)
        got = [one.position async for one in feeds.events(TENANT, EVERYTHING, 3, until_now=True)]
        assert got == [5, 8, 13]
        assert [one async for one in feeds.events(TENANT, EVERYTHING, 13, until_now=True)] == []
        await feeds.stop()

    run_async(main())


def test_a_position_of_another_database_is_told_instead_of_waited_for() -> None:
    async def main() -> None:
        telemetry = FakeTelemetry()
        feeds = make(telemetry)
        telemetry.events = [event(7)]
        with pytest.raises(PositionBeyondEnd, match="position 8 lies behind the last event, 7"):
            await take(feeds, 8, 9)
        telemetry.events.append(event(8))
        reading = asyncio.ensure_future(take(feeds, 8, 9))
        await settled(telemetry, reads=4)
        telemetry.events.append(event(9))
        feeds.wake([TENANT])
        assert await reading == [9]
        await feeds.stop()

    run_async(main())


def test_a_read_that_fails_is_counted_and_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_feed, "FAILURE_PAUSE_S", 0.001)

    async def main() -> None:
        telemetry = FakeTelemetry()
        feeds = make(telemetry)
        failed = metric("mtd_api_event_read_failures_total")
        reading = asyncio.ensure_future(take(feeds, 0, 1))
        await settled(telemetry, reads=2)
        telemetry.failures = [Retryable("away"), ValueError("a bug")]
        telemetry.events.append(event(1))
        feeds.wake([TENANT])
        assert await reading == [1]
        assert metric("mtd_api_event_read_failures_total") == failed + 2
        await feeds.stop()

    run_async(main())


def test_a_stream_can_not_open_while_the_database_is_away() -> None:
    async def main() -> None:
        telemetry = FakeTelemetry()
        feeds = make(telemetry)
        telemetry.failures = [Retryable("away")]
        with pytest.raises(Retryable, match="away"):
            await take(feeds, 0, 1)
        telemetry.events.append(event(1))
        assert await take(feeds, 0, 1) == [1]
        await feeds.stop()

    run_async(main())


def test_stop_ends_streams_and_refuses_new_ones() -> None:
    async def main() -> None:
        telemetry = FakeTelemetry()
        feeds = make(telemetry)
        reading = asyncio.ensure_future(take(feeds, 0, 1))
        await settled(telemetry, reads=2)
        await feeds.stop()
        with pytest.raises(StreamsClosed):
            await reading
        with pytest.raises(StreamsClosed):
            await take(feeds, 0, 1)

    run_async(main())


def test_streams_are_limited_and_feeds_end_with_their_last_reader() -> None:
    async def main() -> None:
        telemetry = FakeTelemetry()
        feeds = make(telemetry, max_streams=1)
        reading = asyncio.ensure_future(take(feeds, 0, 1))
        await settled(telemetry, reads=2)
        with pytest.raises(TooManyStreams):
            await take(feeds, 0, 1)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        await settled(telemetry, reads=2)
        before = telemetry.reads
        telemetry.events.append(event(1))
        feeds.wake([TENANT])
        await settled(telemetry, reads=2)
        assert telemetry.reads == before
        assert metric("mtd_api_event_streams") == 0
        assert await take(feeds, 0, 1) == [1]
        await feeds.stop()

    run_async(main())


def test_lines_of_logs_wake_feeds_where_a_rule_knows_what_they_mean() -> None:
    unknown, known = LogEntry(1, "a", "a"), LogEntry(1, "b", "b", event_type="user.login.failed")

    def wakes(*entries: LogEntry) -> bool:
        return may_be_event("log_batch", log_event(Origin(TENANT, "c", "d1"), "192.0.2.1", entries, 1))

    assert not wakes(unknown)
    assert wakes(unknown, known)
