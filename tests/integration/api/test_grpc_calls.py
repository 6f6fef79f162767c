"""The gRPC door on a real socket: the inventory, and what happens around every call."""

from __future__ import annotations

import asyncio
import gc
import logging
import socket
from dataclasses import replace
from typing import Any

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from mtd.api.grpc.server import ServicePart, build_server
from mtd.core.errors import Bug, Misconfigured, NotFound, Retryable
from mtd.model.device import Outcome
from mtd.pb.common.v1 import device_pb2
from mtd.pb.inventory.v1 import inventory_service_pb2 as inventory_pb
from mtd.scheduler.errors import PollTooSoon
from mtd.sources.errors import SessionFailed
from mtd.testing import run_async
from mtd.testing.metrics import metric
from tests.integration.api.door import CODE, Door, calls, fails, metadata_of, opened
from tests.unit.api.fakes import (
    TENANT,
    FakeInventory,
    FakeTelemetry,
    context,
)

SETTINGS = {
    "name": "r1",
    "host": "192.0.2.1",
    "username": "mtd",
    "tls_mode": device_pb2.TLS_MODE_OFF,
    "enabled": True,
}


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


def test_a_password_is_left_alone_replaced_or_emptied() -> None:
    async def main() -> None:
        async with opened() as door:
            made = (
                await door.inventory.CreateDevice(
                    inventory_pb.CreateDeviceRequest(settings=SETTINGS, password="pw")
                )
            ).device
            change = inventory_pb.UpdateDeviceRequest(device="r1", settings={"notes": "x"})
            change.update_mask.paths.append("notes")
            await door.inventory.UpdateDevice(change)
            assert door.devices.passwords[made.id] == "pw"
            await door.inventory.UpdateDevice(inventory_pb.UpdateDeviceRequest(device="r1", password=""))
            assert door.devices.passwords[made.id] == ""

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


def test_a_device_is_polled_when_somebody_asks_but_not_again_and_again() -> None:
    async def main() -> None:
        async with opened() as door:
            await door.inventory.CreateDevice(inventory_pb.CreateDeviceRequest(settings=SETTINGS))
            asked = inventory_pb.PollDeviceRequest(device="r1", tiers=[device_pb2.TIER_T2])
            polled = await door.inventory.PollDevice(asked)
            assert [(one.tier, one.result, one.commands, one.duration_us) for one in polled.tiers] == [
                (device_pb2.TIER_T2, device_pb2.POLL_RESULT_POLLED, 3, 1500)
            ]
            refused = await fails(
                door.inventory.PollDevice(inventory_pb.PollDeviceRequest(device="r1", tiers=[9]))
            )
            assert refused.code() == CODE.INVALID_ARGUMENT
            door.devices.error = PollTooSoon("r1 was asked a moment ago", retry_after_s=4.0, hint="wait")
            soon = await fails(door.inventory.PollDevice(asked))
            assert soon.code() == CODE.RESOURCE_EXHAUSTED
            told = metadata_of(soon)
            assert (told["mtd-reason"], told["mtd-retry-after-s"]) == ("POLL_TOO_SOON", "4")
            door.devices.error = SessionFailed(Outcome.TIMED_OUT, "silent", retry_after_s=30.0)
            away = await fails(door.inventory.PollDevice(asked))
            assert (away.code(), metadata_of(away)["mtd-retry-after-s"]) == (CODE.UNAVAILABLE, "30")

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
            assert metric("mtd_api_grpc_calls_in_progress", method=method) == 0

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
            async with asyncio.timeout(5):
                # gRPC's own servicer sends the status before we get to count it.
                while calls("/grpc.health.v1.Health/Check", "NOT_FOUND") < 1:
                    await asyncio.sleep(0.005)

            reflection: Any = reflection_pb2_grpc.ServerReflectionStub(door.channel)
            request = reflection_pb2.ServerReflectionRequest(list_services="")
            (listed,) = [answer async for answer in reflection.ServerReflectionInfo(iter([request]))]
            names = {service.name for service in listed.list_services_response.service}
            assert {"mtd.pb.telemetry.v1.TelemetryService", "grpc.health.v1.Health"} <= names

    run_async(main())


def test_health_can_be_set() -> None:
    async def main() -> None:
        async with opened() as door:
            health: Any = health_pb2_grpc.HealthStub(door.channel)
            watching = health.Watch(health_pb2.HealthCheckRequest())
            statuses = health_pb2.HealthCheckResponse
            assert (await watching.read()).status == statuses.SERVING
            await door.server.set_serving(False)
            assert (await watching.read()).status == statuses.NOT_SERVING
            named = health_pb2.HealthCheckRequest(service="mtd.pb.telemetry.v1.TelemetryService")
            assert (await health.Check(named)).status == statuses.NOT_SERVING
            await door.server.set_serving(True)
            assert (await watching.read()).status == statuses.SERVING
            watching.cancel()

    run_async(main())


def test_health_of_a_door_that_is_not_open_can_not_be_set() -> None:
    async def main() -> None:
        await build_server(context(FakeTelemetry())).set_serving(True)

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


def test_refused_calls_leave_nothing_to_collect() -> None:
    """Else a caller who is refused all the time costs hundreds of megabytes, until a full collection."""

    async def main() -> None:
        async with opened() as door:
            request = inventory_pb.GetDeviceRequest(device="nobody's")
            await fails(door.inventory.GetDevice(request))
            gc.collect()
            gc.disable()
            try:
                for _ in range(50):
                    assert (await fails(door.inventory.GetDevice(request))).code() is CODE.NOT_FOUND
                left = sum(isinstance(one, NotFound) for one in gc.get_objects())
            finally:
                gc.enable()
            assert left < 10

    run_async(main())


def test_a_service_that_nobody_was_given_a_rule_for_serves_nobody() -> None:
    """Such as one that was added to the server and forgotten in the list of services."""
    called: list[bytes] = []

    async def answer(request: bytes, _: Any) -> bytes:
        called.append(request)
        return b"secret"

    def add(_: object, server: grpc.aio.Server) -> None:
        handlers = {"Tell": grpc.unary_unary_rpc_method_handler(answer)}
        server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler("forgotten.Service", handlers),)
        )

    async def main() -> None:
        telemetry, inventory = FakeTelemetry(), FakeInventory()
        api = context(telemetry, inventory)
        door = Door(replace(api, parts=[*api.parts, ServicePart(add, None)]), telemetry, inventory)
        await door.open()
        try:
            failed = await fails(door.channel.unary_unary("/forgotten.Service/Tell")(b"?", timeout=20))
            assert failed.code() is CODE.INTERNAL
            assert not called
        finally:
            await door.channel.close()
            await door.server.stop()

    run_async(main())
