"""Both clients against a real server on a real socket."""

from __future__ import annotations

import asyncio
import os
from contextlib import aclosing
from typing import Any

import pytest

from mtd.client import AsyncMtdClient, MtdClient, MtdClientError, Sample
from mtd.client.resume import Resume
from mtd.model.device import DeviceStatus
from mtd.model.metric import Lane
from mtd.queries.records import HealthSegment, RangeAnswer, SeriesPoints
from mtd.testing import run_async
from mtd.testing.harness import free_port
from mtd.testing.metrics import metric
from tests.integration.client.kit import Reader, aside, running
from tests.unit.api.fakes import (
    CATALOGUE,
    device,
    event,
    frame,
    numbered,
)

ROUTER = {"name": "r1", "host": "192.0.2.1", "username": "mtd", "password": "pw"}


# -- calls ---------------------------------------------------------------------------


def test_the_synchronous_client_manages_the_inventory() -> None:
    def work(client: MtdClient) -> None:
        made = client.create_device(**ROUTER, interface_naming="both", labels={"role": "core"})
        assert (made.name, made.port, made.tls_mode, made.interface_naming, made.enabled) == (
            "r1", 8728, "off", "both", True,
        )  # fmt: skip
        changed = client.update_device("r1", revision=made.revision, host="192.0.2.7", password="new")
        assert (changed.host, changed.username, changed.revision) == ("192.0.2.7", "mtd", 2)
        with pytest.raises(MtdClientError) as conflict:
            client.update_device("r1", revision=1, host="192.0.2.8")
        assert (conflict.value.code, conflict.value.reason) == ("ABORTED", "CONFLICT")
        assert conflict.value.hint
        assert not client.test_connection("r1").ok
        assert client.test_connection(**ROUTER).steps[1].detail == "refused"
        assert client.refresh_capabilities("r1").status == "up"
        polled = client.poll_now("r1", tiers=["t1", "t0"]).tiers
        assert [(one.tier, one.result, one.commands) for one in polled] == [
            ("t0", "polled", 3),
            ("t1", "skipped", 0),
        ]
        with pytest.raises(MtdClientError, match="isn't one of t0, t1, t2, t3"):
            client.poll_now("r1", tiers=["t9"])
        health = client.health("r1", seconds=60, end=2_000_000_000)
        assert [(one.status, one.reason) for one in health.segments] == [("down", "nobody listens")]
        assert (health.end - health.start).total_seconds() == 60
        client.update_device("r1", password="")
        assert not client.test_connection("r1").ok
        client.delete_device("r1")
        with pytest.raises(MtdClientError, match="there is no device"):
            client.get_device("r1")

    async def main() -> None:
        async with running() as daemon:
            daemon.telemetry.segments = [
                HealthSegment(1_940_000_000, 2_000_000_000, DeviceStatus.DOWN, "nobody listens")
            ]
            with MtdClient(daemon.target) as client:
                await aside(lambda: work(client))
            assert ("192.0.2.7", "new") in daemon.inventory.tested
            assert ("192.0.2.7", "") in daemon.inventory.tested, "a password can be emptied"

    run_async(main())


def test_the_asyncio_client_does_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mtd.client.requests.PAGE_SIZE", 2)

    async def main() -> None:
        async with running() as daemon, AsyncMtdClient(daemon.target) as client:
            for number in range(5):
                await client.create_device(**ROUTER | {"name": f"r{number}"})
            assert [one.name for one in await client.list_devices()] == ["r0", "r1", "r2", "r3", "r4"]
            assert (await client.update_device("r0", enabled=False)).enabled is False
            with pytest.raises(MtdClientError) as twice:
                await client.create_device(**ROUTER)
            assert twice.value.code == "ALREADY_EXISTS"
            assert (await client.list_metrics()).version == CATALOGUE.version
            assert len((await client.poll_now("r0")).tiers) == 4
            assert (await client.health("r0")).segments == []
            with MtdClient(daemon.target) as other:
                assert len(await aside(other.list_devices)) == 5

    run_async(main())


def test_ranges_are_lists_with_exact_counters() -> None:
    async def main() -> None:
        async with running() as daemon, AsyncMtdClient(daemon.target) as client:
            points = SeriesPoints(
                "iface.rx_bytes_total", "*1", Lane.COUNTER, "ether1", "iface.ether1.rx_bytes_total", "bytes",
                [5, 6], counters=[2**53 + 1, 2**63 - 1],
            )  # fmt: skip
            daemon.telemetry.answer = RangeAnswer([points], 7)
            answer = await client.query_range("r1", ["iface.*"], start=1, end=9)
            assert answer.bucket_us == 7
            (series,) = answer.series
            assert (series.key, series.lane, series.values) == (points.key, "counter", [2**53 + 1, 2**63 - 1])

    run_async(main())


def test_a_daemon_that_is_not_there_is_told_within_the_time_out() -> None:
    client = MtdClient(f"127.0.0.1:{free_port()}", timeout_s=3)
    with pytest.raises(MtdClientError, match="can't reach mtd") as failed:
        client.list_devices()
    assert failed.value.reason == "UNREACHABLE"
    with pytest.raises(MtdClientError, match="can't reach mtd"):
        next(client.watch(give_up_after_s=0))
    client.close()
    with pytest.raises(MtdClientError, match="closed"):
        client.list_devices()


def test_a_client_that_connected_before_a_fork_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    client = MtdClient(f"127.0.0.1:{free_port()}", timeout_s=3)
    with pytest.raises(MtdClientError):
        client.list_devices()
    monkeypatch.setattr(os, "getpid", lambda: -1)
    with pytest.raises(MtdClientError, match="forked") as failed:
        client.list_devices()
    assert failed.value.reason == "FORKED"
    monkeypatch.undo()
    client.close()


# -- values ----------------------------------------------------------------------------


def test_watch_gives_samples_under_their_names() -> None:
    async def main() -> None:
        async with running() as daemon, AsyncMtdClient(daemon.target) as client:
            daemon.hub.publish(numbered(frame(1_000_000)))
            samples: list[Sample] = []
            async with aclosing(client.watch(metrics=["iface.ether1.*"])) as stream:
                async for sample in stream:
                    samples.append(sample)
                    if len(samples) == 4:
                        break
            assert {one.key: (one.value, one.value_int, one.unit) for one in samples} == {
                "iface.ether1.rx_bytes_total": (10.0, 10, "bytes"),
                "iface.ether1.tx_bytes_total": (20.0, 20, "bytes"),
                "iface.ether1.rx_bps": (800.0, None, "bits_per_second"),
                "iface.ether1.oper_state": (1.0, None, "state"),
            }
            assert {one.device for one in samples} == {"r1"}

    run_async(main())


def test_many_devices_arrive_whole_whatever_the_size_of_messages() -> None:
    async def main() -> None:
        async with running() as daemon, AsyncMtdClient(daemon.target) as client:
            names = {f"r{number}": f"d{number}" for number in range(300)}
            daemon.hub.apply_devices([device(device_id, name) for name, device_id in names.items()])
            for at_us in (1, 2):
                daemon.hub.publish(numbered(*(frame(at_us, device_id=key) for key in names.values())))
            seen: dict[str, int] = {}
            async with aclosing(client.watch_frames()) as frames:
                async for live in frames:
                    seen[live.layout.device_name] = live.collected_at_us
                    if len(seen) == 300:
                        break
            assert seen == dict.fromkeys(names, 2)

    run_async(main())


def test_watching_goes_on_over_a_restart_of_the_daemon() -> None:
    async def main() -> None:
        async with running() as daemon:
            client, other = MtdClient(daemon.target), AsyncMtdClient(daemon.target)
            reader = Reader(client.watch_frames())
            got: list[int] = []

            async def follow() -> None:
                async for live in other.watch_frames():
                    got.append(live.collected_at_us)

            following = asyncio.ensure_future(follow())
            for restart in range(3):
                at_us = 1_000 * (restart + 1)
                daemon.hub.publish(numbered(frame(at_us)))
                await reader.until(lambda frames, at=at_us: bool(frames) and frames[-1].collected_at_us == at)
                async with asyncio.timeout(15):
                    while not got or got[-1] != at_us:
                        await asyncio.sleep(0.005)
                await daemon.stop()
                await daemon.start()
            await other.close()
            await asyncio.wait_for(following, 5)
            client.close()
            await reader.end()
            assert reader.error is None
            assert {live.layout.device_name for live in reader.got} == {"r1"}

    run_async(main(), timeout_s=60)


@pytest.mark.parametrize("kind", ["sync", "aio"])
def test_a_device_that_was_removed_is_told(kind: str) -> None:
    async def main() -> None:
        async with running() as daemon:
            daemon.hub.apply_devices([device(), device("d2", "r2")])
            daemon.hub.publish(numbered(frame(1), frame(1, device_id="d2")))
            told: list[str] = []
            client: Any = MtdClient(daemon.target) if kind == "sync" else AsyncMtdClient(daemon.target)
            stream = client.watch_frames(on_gone=told.append)
            got: list[Any] = []
            if kind == "sync":
                reader = Reader(stream)
                got = reader.got
            else:

                async def follow() -> None:
                    async for live in stream:
                        got.append(live)

                following = asyncio.ensure_future(follow())
            async with asyncio.timeout(15):
                while len(got) < 2:
                    await asyncio.sleep(0.005)
                daemon.hub.apply_devices([device("d2", "r2")])
                while told != ["d1"]:
                    await asyncio.sleep(0.005)
            if kind == "sync":
                await aside(client.close)
                await reader.end()
            else:
                await client.close()
                await asyncio.wait_for(following, 5)
            assert told == ["d1"]

    run_async(main(), timeout_s=60)


@pytest.mark.parametrize("kind", ["sync", "aio"])
@pytest.mark.parametrize("stream", ["events", "watch"])
def test_a_quiet_stream_was_answered_all_the_same(
    kind: str, stream: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two breaks long after one another: each time the daemon is back at once, and says nothing."""
    now = [0.0]
    monkeypatch.setattr(f"mtd.client.{kind}.Resume", lambda limit: Resume(limit, clock=lambda: now[0]))
    gauge = {"events": "mtd_api_event_streams", "watch": "mtd_api_hub_streams"}[stream]

    async def streams(count: float) -> None:

        async with asyncio.timeout(15):
            while metric(gauge) != count:
                await asyncio.sleep(0.005)

    async def main() -> None:
        async with running() as daemon:
            client: Any = MtdClient(daemon.target) if kind == "sync" else AsyncMtdClient(daemon.target)
            quiet = getattr(client, stream)(give_up_after_s=60.0)
            if kind == "sync":
                reader = Reader(quiet)
            else:

                async def follow() -> None:
                    async for _ in quiet:
                        raise AssertionError("nothing happened")

                following = asyncio.ensure_future(follow())
            for _ in range(3):
                await streams(1)
                # The answer is on its way: the daemon has it sent before the stream counts.
                await asyncio.sleep(0.05)
                now[0] += 1000.0
                await daemon.stop()
                await streams(0)
                await daemon.start()
            await streams(1)
            if kind == "sync":
                await aside(client.close)
                await reader.end()
                assert reader.error is None
            else:
                await client.close()
                await asyncio.wait_for(following, 5)

    run_async(main(), timeout_s=60)


# -- events ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["sync", "aio"])
def test_events_go_on_over_restarts_without_gaps_or_doubles(kind: str) -> None:
    """Events come while the daemon runs, and while it is away."""

    async def main() -> None:
        async with running() as daemon:
            daemon.happened(1, 2, 3)
            client: Any = MtdClient(daemon.target) if kind == "sync" else AsyncMtdClient(daemon.target)
            got: list[int] = []
            if kind == "sync":
                reader = Reader(one.position for one in client.events(after_position=1))
                got = reader.got
            else:

                async def follow() -> None:
                    async for one in client.events(after_position=1):
                        got.append(one.position)

                following = asyncio.ensure_future(follow())
            position = 3
            for _ in range(3):
                position += 2
                daemon.happened(position - 1, position)
                async with asyncio.timeout(15):
                    while got[-1:] != [position]:
                        await asyncio.sleep(0.005)
                await daemon.stop()
                position += 1
                daemon.telemetry.events.append(event(position))
                await daemon.start()
                async with asyncio.timeout(15):
                    while got[-1:] != [position]:
                        await asyncio.sleep(0.005)
            assert got == list(range(2, position + 1))
            if kind == "sync":
                client.close()
                await reader.end()
            else:
                await client.close()
                await asyncio.wait_for(following, 5)

    run_async(main(), timeout_s=60)


@pytest.mark.parametrize("kind", ["sync", "aio"])
def test_only_new_events_loses_none_while_the_daemon_is_away(kind: str) -> None:
    """Even if none had come before: the stream says where it began."""

    async def main() -> None:
        async with running() as daemon:
            daemon.happened(1, 2)
            got: list[int] = []
            client: Any = MtdClient(daemon.target) if kind == "sync" else AsyncMtdClient(daemon.target)
            if kind == "sync":
                got = Reader(one.position for one in client.events(only_new=True)).got
            else:

                async def follow() -> None:
                    async for one in client.events(only_new=True):
                        got.append(one.position)

                following = asyncio.ensure_future(follow())

            async with asyncio.timeout(15):
                while not metric("mtd_api_event_streams"):
                    await asyncio.sleep(0.005)
            await daemon.stop()
            daemon.telemetry.events.append(event(3))
            await daemon.start()
            async with asyncio.timeout(15):
                while got != [3]:
                    await asyncio.sleep(0.005)
            if kind == "sync":
                await aside(client.close)
            else:
                await client.close()
                await asyncio.wait_for(following, 5)

    run_async(main(), timeout_s=60)


def test_events_until_now_end() -> None:
    async def main() -> None:
        async with running() as daemon:
            daemon.happened(1, 2)
            with MtdClient(daemon.target) as client:
                got = await aside(lambda: [one.position for one in client.events(until_now=True)])
                assert got == [1, 2]
                assert await aside(lambda: list(client.events(until_now=True, min_severity="critical"))) == []

    run_async(main())


def test_a_stream_that_is_refused_is_not_tried_again() -> None:
    async def main() -> None:
        async with running() as daemon, AsyncMtdClient(daemon.target) as client:
            with pytest.raises(MtdClientError) as refused:
                await anext(client.watch(metrics=[""]))
            assert refused.value.code == "INVALID_ARGUMENT"

    run_async(main())


def test_leaving_a_stream_ends_it_at_the_daemon() -> None:

    async def main() -> None:
        async with running() as daemon, AsyncMtdClient(daemon.target) as client:
            daemon.hub.publish(numbered(frame(1)))
            async with aclosing(client.watch()) as stream:
                await anext(stream)
                assert metric("mtd_api_hub_streams") == 1
            async with asyncio.timeout(5):
                while metric("mtd_api_hub_streams"):
                    await asyncio.sleep(0.005)

    run_async(main())
