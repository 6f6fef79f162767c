"""The gRPC door on a real socket: values and events, live and stored."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace

import grpc
import grpc.aio
import pytest

from mtd.api.grpc.ranges import range_bytes, range_message
from mtd.api.grpc.telemetry import POINTS_AT_ONCE
from mtd.model.device import DeviceStatus
from mtd.model.metric import Lane
from mtd.pb.telemetry.v1 import telemetry_service_pb2 as telemetry_pb
from mtd.pb.telemetry.v1.telemetry_service_pb2_grpc import TelemetryServiceStub
from mtd.queries import patterns
from mtd.queries.errors import TooManyQueries
from mtd.queries.newest import NewestPage, Token
from mtd.queries.records import LatestValue, RangeAnswer, SeriesPoints, TopEntry
from mtd.queries.resolution import Resolution
from mtd.queries.top import TopBy
from mtd.testing import run_async
from mtd.testing.metrics import metric
from tests.integration.api.door import CODE, fails, metadata_of, opened
from tests.unit.api.fakes import (
    CATALOGUE,
    TENANT,
    declared,
    device,
    event,
    frame,
    link_change,
    numbered,
)

# -- values ------------------------------------------------------------------------------


def test_latest_values_come_at_once_and_then_live() -> None:
    async def main() -> None:
        async with opened() as door:
            hub = door.api.hub
            hub.apply_devices([device()])
            hub.publish(numbered(declared(), frame(1_000)))
            stream = door.telemetry.StreamLatest(
                telemetry_pb.StreamLatestRequest(
                    selector={"devices": ["r*"], "metrics": ["iface.rx_bytes_total"]}
                )
            )
            layout = (await stream.read()).layout
            assert [info.key for info in layout.series] == [
                "iface.*1.rx_bytes_total",
                "iface.*2.rx_bytes_total",
            ]
            assert list((await stream.read()).update.counters) == [10, 30]
            for at_us in (2_000, 3_000):
                hub.publish(numbered(frame(at_us, counters=(at_us, 0, at_us + 1, 0))))
                update = (await stream.read()).update
                assert (update.collected_at_us, list(update.counters)) == (at_us, [at_us, at_us + 1])
            stream.cancel()

    run_async(main())


def test_patterns_are_compiled_beside_the_loop_and_only_where_they_are_needed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    threads: set[bool] = set()
    expression = patterns._expression

    def watched(pattern: str) -> str:
        threads.add(threading.current_thread() is threading.main_thread())
        return expression(pattern)

    monkeypatch.setattr(patterns, "_expression", watched)

    async def main() -> None:
        async with opened() as door:
            many = ["*a" * 250 + str(number) for number in range(16)]
            query = telemetry_pb.QueryRangeRequest(device="r1", metrics=many, start_us=1, end_us=2)
            await door.telemetry.QueryRange(query)
            await door.telemetry.QueryLatest(telemetry_pb.QueryLatestRequest(selector={"metrics": many}))
            assert not threads
            stream = door.telemetry.StreamLatest(
                telemetry_pb.StreamLatestRequest(selector={"devices": many, "metrics": many[1:]})
            )
            await stream.initial_metadata()
            stream.cancel()
            events = telemetry_pb.StreamEventsRequest(devices=many[2:], until_now=True)
            await door.telemetry.StreamEvents(events).read()
            assert threads == {False}
            threads.clear()
            query.metrics.append("*b" * 250)
            failed = await fails(door.telemetry.QueryRange(query))
            assert "in several calls" in failed.details()
            assert not threads

    run_async(main())


def test_a_reader_that_does_not_read_costs_only_itself() -> None:
    """Its transport fills, its queue coalesces; the other reader gets every update meanwhile."""

    async def main() -> None:
        # A small window, so that few updates fill it.
        narrow = [("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 16_384)]
        async with opened(narrow) as door:
            hub = door.api.hub
            hub.publish(numbered(declared()))
            asleep = door.telemetry.StreamLatest(telemetry_pb.StreamLatestRequest())
            other = grpc.aio.insecure_channel(f"127.0.0.1:{door.server.port}")
            awake = TelemetryServiceStub(other).StreamLatest(telemetry_pb.StreamLatestRequest())
            hub.publish(numbered(frame(1)))
            await asleep.read()
            assert (await awake.read()).HasField("layout")
            assert (await awake.read()).update.collected_at_us == 1

            skipped_before = metric("mtd_api_hub_updates_skipped_total")
            at_us = 1
            async with asyncio.timeout(15):
                while metric("mtd_api_hub_updates_skipped_total") - skipped_before < 100:
                    at_us += 1
                    hub.publish(numbered(frame(at_us)))
                    update = (await awake.read()).update
                    assert (update.collected_at_us, update.skipped) == (at_us, 0)

            # It wakes: what its window held, then the newest, and it is told how many it missed.
            seen = []
            async with asyncio.timeout(10):
                while not seen or seen[-1].collected_at_us < at_us:
                    message = await asleep.read()
                    if message.HasField("update"):
                        seen.append(message.update)
            times = [update.collected_at_us for update in seen]
            assert times == sorted(set(times))
            assert seen[-1].skipped >= 100
            assert len(seen) + seen[-1].skipped == at_us
            asleep.cancel()
            awake.cancel()
            await other.close()

    run_async(main(), timeout_s=40)


def test_streams_above_the_limit_are_refused_and_those_that_end_make_room() -> None:
    async def main() -> None:
        async with opened(max_streams=1) as door:
            door.api.hub.publish(numbered(declared(), frame(1)))
            request = telemetry_pb.StreamLatestRequest()
            first = door.telemetry.StreamLatest(request)
            await first.read()
            refused = await fails(door.telemetry.StreamLatest(request).read())
            assert refused.code() is CODE.RESOURCE_EXHAUSTED
            first.cancel()
            async with asyncio.timeout(5):
                while metric("mtd_api_hub_streams"):
                    await asyncio.sleep(0.005)
            again = door.telemetry.StreamLatest(request)
            await again.read()
            again.cancel()

    run_async(main())


def test_closing_the_door_ends_streams_with_unavailable() -> None:
    async def main() -> None:
        async with opened() as door:
            door.api.hub.publish(numbered(declared(), frame(1)))
            values = door.telemetry.StreamLatest(telemetry_pb.StreamLatestRequest())
            await values.read()
            await values.read()
            events = door.telemetry.StreamEvents(telemetry_pb.StreamEventsRequest())
            await events.initial_metadata()
            reading = [asyncio.ensure_future(fails(stream.read())) for stream in (values, events)]
            await asyncio.sleep(0)
            started = asyncio.get_running_loop().time()
            await door.server.stop()
            assert asyncio.get_running_loop().time() - started < 2
            for failed in await asyncio.gather(*reading):
                assert failed.code() is CODE.UNAVAILABLE
                assert metadata_of(failed)["mtd-reason"] == "STREAMS_CLOSED"

    run_async(main())


def test_a_large_answer_is_made_aside_and_arrives_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[int] = []

    def noted(answer: RangeAnswer) -> bytes:
        threads.append(threading.get_ident())
        return range_bytes(answer)

    monkeypatch.setattr("mtd.api.grpc.telemetry.range_bytes", noted)

    async def main() -> None:
        async with opened() as door:
            ask = telemetry_pb.QueryRangeRequest(device="r1", start_us=1, end_us=9)
            for count, aside in ((POINTS_AT_ONCE, False), (POINTS_AT_ONCE + 1, True)):
                times = list(range(count))
                values = [float(time) for time in times]
                door.stored.answer = RangeAnswer(
                    [SeriesPoints("a", "", Lane.GAUGE, "", "a", "", times, values)], 3
                )
                answer = await door.telemetry.QueryRange(ask)
                assert answer == range_message(door.stored.answer)
                assert (threads.pop() != threading.get_ident()) == aside

    run_async(main())


def test_ranges_are_asked_for_and_kept_within_bounds() -> None:
    async def main() -> None:
        async with opened(max_points_per_answer=1000, max_patterns=2) as door:
            points = SeriesPoints(
                "iface.rx_bytes_total", "*1", Lane.COUNTER, "ether1", "iface.ether1.rx_bytes_total", "bytes", [5], counters=[2**62 + 1]
            )  # fmt: skip
            door.stored.answer = RangeAnswer([points], 0)
            ask = {"device": "r1", "metrics": ["iface.*"], "start_us": 1, "end_us": 9}
            answer = await door.telemetry.QueryRange(telemetry_pb.QueryRangeRequest(**ask))
            assert list(answer.series[0].counters) == [2**62 + 1]
            more = {"max_points": 10**6, "resolution": telemetry_pb.RESOLUTION_5M}
            await door.telemetry.QueryRange(telemetry_pb.QueryRangeRequest(**ask, **more))
            assert door.stored.asked == [
                (TENANT, "r1", ("iface.*",), 1, 9, 600, Resolution.AUTO),
                (TENANT, "r1", ("iface.*",), 1, 9, 100_000, Resolution.FIVE_MINUTES),
            ]

            for wrong in (
                {"end_us": 1},
                {"device": ""},
                {"metrics": [""]},
                {"metrics": ["a", "b", "c"]},
                {"resolution": 99},
            ):
                failed = await fails(door.telemetry.QueryRange(telemetry_pb.QueryRangeRequest(**ask | wrong)))
                assert failed.code() is CODE.INVALID_ARGUMENT, wrong
            many = SeriesPoints("m", "", Lane.GAUGE, "", "m", "", list(range(1001)), values=[0.0] * 1001)
            door.stored.answer = RangeAnswer([many], 0)
            failed = await fails(door.telemetry.QueryRange(telemetry_pb.QueryRangeRequest(**ask)))
            assert "1001 points" in failed.details()

    run_async(main())


def test_too_many_queries_at_a_time_are_told_what_to_do() -> None:
    async def main() -> None:
        async with opened() as door:
            door.stored.failures.append(TooManyQueries("8 queries of this tenant run and 64 wait"))
            ask = telemetry_pb.QueryRangeRequest(device="r1", start_us=1, end_us=9)
            failed = await fails(door.telemetry.QueryRange(ask))
            assert failed.code() is CODE.RESOURCE_EXHAUSTED
            assert metadata_of(failed)["mtd-reason"] == "TOO_MANY_QUERIES"
            assert "queries.max_concurrent" in metadata_of(failed)["mtd-hint"]

    run_async(main())


def test_newest_values_come_in_pages_with_their_age() -> None:
    async def main() -> None:
        async with opened() as door:
            value = LatestValue(
                "d1", "r1", "iface.rx_bytes_total", "*1", Lane.COUNTER, "ether1", "iface.ether1.rx_bytes_total",
                "bytes", 7, float(2**62), 2**62 + 1,
            )  # fmt: skip
            door.stored.page = NewestPage([value], Token("r1", value.key, "*1"))
            ask = {"selector": telemetry_pb.Selector(devices=["r*"], metrics=["iface.*"])}
            first = await door.telemetry.QueryLatest(telemetry_pb.QueryLatestRequest(**ask))
            assert (first.age_ms, first.values[0].counter, first.values[0].info.key) == (
                1500,
                2**62 + 1,
                value.key,
            )
            again = telemetry_pb.QueryLatestRequest(**ask, page_size=5, page_token=first.next_page_token)
            door.stored.page = NewestPage([replace(value, lane=Lane.GAUGE, exact=None)], None)
            last = await door.telemetry.QueryLatest(again)
            assert (last.next_page_token, last.values[0].HasField("counter")) == ("", False)
            assert door.stored.asked == [
                (TENANT, ("r*",), ("iface.*",), 1000, None),
                (TENANT, ("r*",), ("iface.*",), 5, Token("r1", value.key, "*1")),
            ]
            for token in ("x", "bm90aGluZw==", "WzFd"):
                failed = await fails(
                    door.telemetry.QueryLatest(telemetry_pb.QueryLatestRequest(page_token=token))
                )
                assert "page_token" in failed.details()

    run_async(main())


def test_rankings_and_counts_are_told_with_their_age() -> None:
    async def main() -> None:
        async with opened() as door:
            door.stored.entries = [TopEntry("d1", "r1", "*1", "ether1", 9.5, 12.0)]
            top = await door.telemetry.TopN(
                telemetry_pb.TopNRequest(by=telemetry_pb.TOP_BY_UTILIZATION, window_s=60, devices=["r1"])
            )
            assert (top.unit, top.age_ms, top.entries[0].label, top.entries[0].max_value) == (
                "percent", 2000, "ether1", 12.0,
            )  # fmt: skip
            failed = await fails(door.telemetry.TopN(telemetry_pb.TopNRequest()))
            assert "TOP_BY_RX" in failed.details()
            counts = await door.telemetry.StatusCounts(telemetry_pb.StatusCountsRequest())
            assert len({one.status for one in counts.counts}) == len(DeviceStatus)
            days = await door.telemetry.EventsPerDay(telemetry_pb.EventsPerDayRequest())
            assert [(one.day, one.info, one.warning, one.critical) for one in days.days] == [
                ("2026-11-26", 3, 2, 1)
            ]
            assert door.stored.asked == [
                (TENANT, TopBy.UTILIZATION, 10, 60, ("r1",)),
                (TENANT, 30, ()),
            ]

    run_async(main())


def test_the_catalogue_is_listed() -> None:
    async def main() -> None:
        async with opened() as door:
            answer = await door.telemetry.ListMetrics(telemetry_pb.ListMetricsRequest())
            assert [metric.key for metric in answer.metrics] == sorted(CATALOGUE.metrics)

    run_async(main())


# -- events ------------------------------------------------------------------------------


def test_events_stored_then_live() -> None:
    async def main() -> None:
        async with opened() as door:
            door.stored.events = [event(position) for position in (1, 2, 3)]
            stream = door.telemetry.StreamEvents(telemetry_pb.StreamEventsRequest(after_position=1))
            assert [(await stream.read()).event.position for _ in range(2)] == [2, 3]
            door.stored.events.append(event(7))
            door.api.hub.publish(numbered(link_change(7)))
            assert (await stream.read()).event.position == 7
            stream.cancel()

    run_async(main())


def test_only_new_events_and_where_they_begin() -> None:
    async def main() -> None:
        async with opened() as door:
            door.stored.events = [event(position) for position in (1, 2, 3)]
            stream = door.telemetry.StreamEvents(telemetry_pb.StreamEventsRequest(only_new=True))
            assert dict(tuple(await stream.initial_metadata()))["mtd-position"] == "3"
            door.stored.events.append(event(4))
            door.api.hub.publish(numbered(link_change(4)))
            assert (await stream.read()).event.position == 4
            stream.cancel()

    run_async(main())


def test_events_until_now_end() -> None:
    async def main() -> None:
        async with opened() as door:
            door.stored.events = [event(position) for position in (1, 2, 3)]
            request = telemetry_pb.StreamEventsRequest(until_now=True, devices=["name-*"])
            got = [message.event.position async for message in door.telemetry.StreamEvents(request)]
            assert got == [1, 2, 3]

    run_async(main())


@pytest.mark.parametrize(("least_s", "is_kept"), [(0.05, True), (60.0, False)])
def test_who_only_listens_may_ping_as_often_as_the_settings_say(least_s: float, is_kept: bool) -> None:
    pings = [("grpc.keepalive_time_ms", 100), ("grpc.http2.max_pings_without_data", 0)]

    async def main() -> None:
        async with opened(pings, min_client_ping_s=least_s) as door:
            stream = door.telemetry.StreamEvents(telemetry_pb.StreamEventsRequest(only_new=True))
            await stream.initial_metadata()
            ended = asyncio.ensure_future(stream.read())
            await asyncio.wait([ended], timeout=2.0)
            if is_kept:
                assert not ended.done()  # a door that counts them wrongly closes after three
                stream.cancel()
            with pytest.raises((asyncio.CancelledError, grpc.aio.AioRpcError)) as failed:
                await ended
            assert is_kept or "too many pings" in str(failed.value).lower()

    run_async(main())
