"""The gRPC door on a real socket, called through plain stubs."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from prometheus_client import REGISTRY

from mtd.api.grpc.server import ApiContext, build_server
from mtd.core.errors import Bug, Misconfigured, Retryable
from mtd.model.metric import Lane
from mtd.pb.common.v1 import device_pb2
from mtd.pb.inventory.v1 import inventory_service_pb2 as inventory_pb
from mtd.pb.inventory.v1.inventory_service_pb2_grpc import InventoryServiceStub
from mtd.pb.telemetry.v1 import telemetry_service_pb2 as telemetry_pb
from mtd.pb.telemetry.v1.telemetry_service_pb2_grpc import TelemetryServiceStub
from mtd.queries.records import RangeAnswer, SeriesPoints
from mtd.testing import run_async
from tests.unit.api.fakes import (
    CATALOGUE,
    TENANT,
    FakeInventory,
    FakeTelemetry,
    context,
    declared,
    device,
    event,
    frame,
    link_change,
    numbered,
)

CODE = grpc.StatusCode
SETTINGS = {
    "name": "r1",
    "host": "192.0.2.1",
    "username": "mtd",
    "tls_mode": device_pb2.TLS_MODE_OFF,
    "enabled": True,
}


class Door:
    """An open door, its backends, and stubs on one channel."""

    def __init__(self, api: ApiContext, telemetry: FakeTelemetry, inventory: FakeInventory) -> None:
        self.api = api
        self.stored = telemetry
        self.devices = inventory
        self.server = build_server(api)
        self.channel: Any = None

    async def open(self, options: Sequence[tuple[str, int]] = ()) -> None:
        await self.api.hub.start()
        await self.server.start()
        self.channel = grpc.aio.insecure_channel(f"127.0.0.1:{self.server.port}", options=options)
        self.inventory: Any = InventoryServiceStub(self.channel)
        self.telemetry: Any = TelemetryServiceStub(self.channel)


@asynccontextmanager
async def opened(options: Sequence[tuple[str, int]] = (), **settings: Any) -> AsyncIterator[Door]:
    telemetry, inventory = FakeTelemetry(), FakeInventory()
    door = Door(context(telemetry, inventory, **settings), telemetry, inventory)
    await door.open(options)
    try:
        yield door
    finally:
        await door.channel.close()
        await door.server.stop()


async def fails(call: Any) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await call
    return failed.value


def metadata_of(failed: grpc.aio.AioRpcError) -> dict[str, str]:
    return dict(tuple(failed.trailing_metadata() or ()))


def calls(method: str, code: str) -> float:
    return REGISTRY.get_sample_value("mtd_api_grpc_calls_total", {"method": method, "code": code}) or 0.0


# -- inventory -----------------------------------------------------------------------


def test_devices_are_created_read_changed_and_deleted() -> None:
    async def main() -> None:
        async with opened() as door:
            created = await door.inventory.CreateDevice(
                inventory_pb.CreateDeviceRequest(settings=SETTINGS, password="pw")
            )
            made = created.device
            assert (made.settings.port, made.revision, made.tenant_id) == (8728, 1, TENANT)
            assert door.devices.passwords[made.id] == "pw"
            assert b"pw" not in created.SerializeToString()
            got = await door.inventory.GetDevice(inventory_pb.GetDeviceRequest(device="r1"))
            assert got.device == made

            change = inventory_pb.UpdateDeviceRequest(
                device=made.id, settings={"host": "192.0.2.9"}, revision=1
            )
            change.update_mask.paths.append("host")
            changed = (await door.inventory.UpdateDevice(change)).device
            assert (changed.settings.host, changed.settings.username, changed.revision) == (
                "192.0.2.9",
                "mtd",
                2,
            )
            conflict = await fails(door.inventory.UpdateDevice(change))
            assert conflict.code() is CODE.ABORTED
            assert "read it again" in metadata_of(conflict)["mtd-hint"]

            await door.inventory.DeleteDevice(inventory_pb.DeleteDeviceRequest(device="r1"))
            gone = await fails(door.inventory.GetDevice(inventory_pb.GetDeviceRequest(device="r1")))
            assert gone.code() is CODE.NOT_FOUND

    run_async(main())


def test_bad_requests_are_told_with_reason_and_hint() -> None:
    async def main() -> None:
        async with opened() as door:
            bad = await fails(door.inventory.CreateDevice(inventory_pb.CreateDeviceRequest()))
            assert bad.code() is CODE.INVALID_ARGUMENT
            assert metadata_of(bad)["mtd-reason"] == "SETTINGS_REFUSED"
            assert "tls_mode" in bad.details()
            request = inventory_pb.CreateDeviceRequest(settings=SETTINGS)
            await door.inventory.CreateDevice(request)
            twice = await fails(door.inventory.CreateDevice(request))
            assert twice.code() is CODE.ALREADY_EXISTS
            nameless = await fails(door.inventory.GetDevice(inventory_pb.GetDeviceRequest()))
            assert nameless.code() is CODE.INVALID_ARGUMENT
            idle = await fails(door.inventory.UpdateDevice(inventory_pb.UpdateDeviceRequest(device="r1")))
            assert "nothing to change" in idle.details()

    run_async(main())


def test_lists_come_page_by_page() -> None:
    async def main() -> None:
        async with opened() as door:
            for number in range(5):
                await door.inventory.CreateDevice(
                    inventory_pb.CreateDeviceRequest(settings=SETTINGS | {"name": f"r{number}"})
                )
            names, token = [], ""
            while True:
                page = await door.inventory.ListDevices(
                    inventory_pb.ListDevicesRequest(page_size=2, page_token=token)
                )
                names.append([one.settings.name for one in page.devices])
                token = page.next_page_token
                if not token:
                    break
            assert names == [["r0", "r1"], ["r2", "r3"], ["r4"]]

    run_async(main())


def test_a_failed_connection_test_is_an_answer() -> None:
    async def main() -> None:
        async with opened() as door:
            nameless = {key: value for key, value in SETTINGS.items() if key != "name"}
            answer = await door.inventory.TestConnection(
                inventory_pb.TestConnectionRequest(settings=nameless, password="pw")
            )
            assert answer.outcome == device_pb2.OUTCOME_REFUSED
            assert [(step.name, step.ok) for step in answer.steps] == [("resolve", True), ("connect", False)]
            assert door.devices.tested == [("192.0.2.1", "pw")]
            await door.inventory.CreateDevice(
                inventory_pb.CreateDeviceRequest(settings=SETTINGS, password="stored")
            )
            await door.inventory.TestConnection(inventory_pb.TestConnectionRequest(device="r1"))
            assert door.devices.tested[-1] == ("192.0.2.1", "stored")
            refreshed = await door.inventory.RefreshCapabilities(
                inventory_pb.RefreshCapabilitiesRequest(device="r1")
            )
            assert dict(refreshed.device.capabilities) == {"wifi": "wifi-qcom"}
            assert refreshed.device.status == device_pb2.DEVICE_STATUS_UP

    run_async(main())


# -- around every call -----------------------------------------------------------------


def test_calls_are_counted_by_their_code(caplog: pytest.LogCaptureFixture) -> None:
    method = "/mtd.pb.inventory.v1.InventoryService/GetDevice"

    async def main() -> None:
        async with opened() as door:
            before = {code: calls(method, code) for code in ("NOT_FOUND", "UNAVAILABLE", "INTERNAL")}
            get = inventory_pb.GetDeviceRequest(device="r1")
            await fails(door.inventory.GetDevice(get))
            door.devices.error = Retryable("the database is away")
            away = await fails(door.inventory.GetDevice(get))
            assert (away.code(), away.details()) == (CODE.UNAVAILABLE, "the database is away")
            door.devices.error = Bug("impossible")
            await fails(door.inventory.GetDevice(get))
            door.devices.error = KeyError("hunter2")
            secret = await fails(door.inventory.GetDevice(get))
            assert secret.code() is CODE.INTERNAL
            assert "hunter2" not in str(secret)
            assert {code: calls(method, code) - before[code] for code in before} == {
                "NOT_FOUND": 1,
                "UNAVAILABLE": 1,
                "INTERNAL": 2,
            }
            assert REGISTRY.get_sample_value("mtd_api_grpc_calls_in_progress", {"method": method}) == 0

    with caplog.at_level(logging.INFO, "mtd.api.grpc.interceptors"):
        run_async(main())
    lines = [record.getMessage() for record in caplog.records]
    assert any(line.startswith(f"{method} NOT_FOUND in") for line in lines)
    assert any(record.exc_info for record in caplog.records), "our own failures leave their traceback"


def test_a_call_without_a_deadline_is_given_one() -> None:
    async def main() -> None:
        async with opened(unary_deadline_s=0.05) as door:
            door.devices.hang = True
            late = await fails(door.inventory.GetDevice(inventory_pb.GetDeviceRequest(device="r1")))
            assert late.code() is CODE.DEADLINE_EXCEEDED
            assert metadata_of(late)["mtd-reason"] == "DEADLINE_EXCEEDED"

    run_async(main())


def test_a_caller_that_gives_up_ends_the_work() -> None:
    method = "/mtd.pb.inventory.v1.InventoryService/GetDevice"

    async def main() -> None:
        async with opened() as door:
            door.devices.hang = True
            before = calls(method, "CANCELLED") + calls(method, "DEADLINE_EXCEEDED")
            late = await fails(
                door.inventory.GetDevice(inventory_pb.GetDeviceRequest(device="r1"), timeout=0.05)
            )
            assert late.code() is CODE.DEADLINE_EXCEEDED
            async with asyncio.timeout(5):
                while calls(method, "CANCELLED") + calls(method, "DEADLINE_EXCEEDED") == before:
                    await asyncio.sleep(0.005)

    run_async(main())


def test_health_and_reflection_answer_plain_stubs() -> None:
    async def main() -> None:
        async with opened() as door:
            health: Any = health_pb2_grpc.HealthStub(door.channel)
            for service in (
                "",
                "mtd.pb.telemetry.v1.TelemetryService",
                "mtd.pb.inventory.v1.InventoryService",
            ):
                answer = await health.Check(health_pb2.HealthCheckRequest(service=service))
                assert answer.status == health_pb2.HealthCheckResponse.SERVING
            unknown = await fails(health.Check(health_pb2.HealthCheckRequest(service="nope")))
            assert unknown.code() is CODE.NOT_FOUND
            assert calls("/grpc.health.v1.Health/Check", "NOT_FOUND") >= 1

            reflection: Any = reflection_pb2_grpc.ServerReflectionStub(door.channel)
            request = reflection_pb2.ServerReflectionRequest(list_services="")
            (listed,) = [answer async for answer in reflection.ServerReflectionInfo(iter([request]))]
            names = {service.name for service in listed.list_services_response.service}
            assert {"mtd.pb.telemetry.v1.TelemetryService", "grpc.health.v1.Health"} <= names

    run_async(main())


def test_unknown_methods_are_unimplemented() -> None:
    async def main() -> None:
        async with opened() as door:
            call = door.channel.unary_unary("/mtd.pb.inventory.v1.InventoryService/Explode")
            assert (await fails(call(b""))).code() is CODE.UNIMPLEMENTED

    run_async(main())


def test_requests_above_the_limit_are_refused() -> None:
    async def main() -> None:
        async with opened(max_receive_bytes=2000) as door:
            huge = inventory_pb.GetDeviceRequest(device="x" * 5000)
            assert (await fails(door.inventory.GetDevice(huge))).code() is CODE.RESOURCE_EXHAUSTED

    run_async(main())


# -- the door itself ---------------------------------------------------------------------


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.net"])
def test_addresses_beyond_loopback_need_an_explicit_word(host: str) -> None:
    with pytest.raises(Misconfigured, match=r"grpc\.host"):
        build_server(context(FakeTelemetry(), host=host))
    build_server(context(FakeTelemetry(), host=host, allow_insecure_bind=True))


def test_a_port_that_is_taken_is_told() -> None:
    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            server = build_server(context(FakeTelemetry(), port=taken.getsockname()[1]))
            with pytest.raises(Misconfigured, match=r"set grpc\.port"):
                await server.start()

    run_async(main())


def test_two_daemons_never_share_a_port() -> None:
    async def main() -> None:
        async with opened() as door:
            second = build_server(context(FakeTelemetry(), port=door.server.port))
            with pytest.raises(Misconfigured):
                await second.start()

    run_async(main())


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

            skipped_before = REGISTRY.get_sample_value("mtd_api_hub_updates_skipped_total") or 0.0
            at_us = 1
            async with asyncio.timeout(15):
                while (
                    REGISTRY.get_sample_value("mtd_api_hub_updates_skipped_total") or 0.0
                ) - skipped_before < 100:
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
                while REGISTRY.get_sample_value("mtd_api_hub_streams"):
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
            await door.telemetry.QueryRange(telemetry_pb.QueryRangeRequest(**ask, max_points=10**6))
            assert [asked[-1] for asked in door.stored.asked] == [600, 100_000]
            assert door.stored.asked[0] == (TENANT, "r1", ("iface.*",), 1, 9, 600)

            for wrong in ({"end_us": 1}, {"device": ""}, {"metrics": [""]}, {"metrics": ["a", "b", "c"]}):
                failed = await fails(door.telemetry.QueryRange(telemetry_pb.QueryRangeRequest(**ask | wrong)))
                assert failed.code() is CODE.INVALID_ARGUMENT, wrong
            many = SeriesPoints("m", "", Lane.GAUGE, "", "m", "", list(range(1001)), values=[0.0] * 1001)
            door.stored.answer = RangeAnswer([many], 0)
            failed = await fails(door.telemetry.QueryRange(telemetry_pb.QueryRangeRequest(**ask)))
            assert "1001 points" in failed.details()

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
