"""The gRPC door on a real socket: what holds for all methods."""

from __future__ import annotations

import uuid

import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from mtd.core.errors import QuotaExceeded
from mtd.pb.inventory.v1 import inventory_service_pb2 as inventory_pb
from mtd.pb.inventory.v1 import site_service_pb2 as site_pb
from mtd.pb.inventory.v1.site_service_pb2_grpc import SiteServiceStub
from mtd.pb.telemetry.v1 import telemetry_service_pb2 as pb
from mtd.queries.snapshots import SnapshotVersion
from mtd.queries.state import TableRow
from mtd.testing import run_async
from tests.integration.api.door import CODE, Door, fails, metadata_of, opened
from tests.unit.api.fakes import OTHER_TENANT, declared, device, frame, numbered
from tests.unit.api.fakes import event as stored_event

SETTINGS = {"name": "r1", "host": "192.0.2.1", "username": "mtd", "tls_mode": 1, "enabled": True}


async def made(door: Door, *names: str, **settings: object) -> None:
    for name in names:
        await door.inventory.CreateDevice(
            inventory_pb.CreateDeviceRequest(settings={**SETTINGS, "name": name, **settings})
        )


def test_a_page_token_is_for_its_list_only() -> None:
    async def main() -> None:
        async with opened() as door:
            await made(door, "a", "b", "c", site="graz")
            asked = inventory_pb.ListDevicesRequest(page_size=1, site="graz")
            first = await door.inventory.ListDevices(asked)
            token = first.next_page_token
            assert "a" not in token  # nobody is invited to make one
            # The size may change, and so may what is shown of devices.
            more = inventory_pb.ListDevicesRequest(page_size=5, site="graz", page_token=token)
            more.read_mask.paths.append("settings.name")
            rest = await door.inventory.ListDevices(more)
            assert [device.settings.name for device in rest.devices] == ["b", "c"]
            assert not any(device.id for device in rest.devices)
            assert rest.next_page_token == ""
            for wrong in (
                door.inventory.ListDevices(inventory_pb.ListDevicesRequest(page_token=token)),
                door.inventory.ListDevices(inventory_pb.ListDevicesRequest(site="graz", page_token="YQ==")),
                door.inventory.ListCosts(inventory_pb.ListCostsRequest(page_token=token)),
                SiteServiceStub(door.channel).ListSites(site_pb.ListSitesRequest(page_token=token)),
                door.telemetry.ListMetrics(pb.ListMetricsRequest(page_token=token)),
                door.inventory.ListDevices(
                    inventory_pb.ListDevicesRequest(site="graz", page_token=token),
                    metadata=(("mtd-tenant", OTHER_TENANT),),
                ),
            ):
                refused = await fails(wrong)
                assert refused.code() in (CODE.INVALID_ARGUMENT, CODE.PERMISSION_DENIED)
            reason = metadata_of(await fails(door.inventory.ListDevices(
                inventory_pb.ListDevicesRequest(site="graz", page_token="x")
            )))  # fmt: skip
            assert reason["mtd-reason"] == "PAGE_TOKEN_REFUSED"

    run_async(main())


def test_all_lists_come_in_pages() -> None:
    async def main() -> None:
        async with opened() as door:
            await made(door, "r1")
            door.stored.state = {name: [TableRow("k", {}, 1, 1)] for name in ("arp", "dhcp_lease", "ppp")}
            door.stored.documents = {
                kind: [SnapshotVersion(at, b"s", "{}") for at in (50, 40, 30)] for kind in ("a", "b", "c")
            }
            telemetry = door.telemetry
            tables = await pages(telemetry.ListTables, pb.ListTablesRequest(device="r1", page_size=2))
            assert [[table.name for table in page.tables] for page in tables] == [
                ["arp", "dhcp_lease"],
                ["ppp"],
            ]
            kinds = await pages(telemetry.ListSnapshots, pb.ListSnapshotsRequest(device="r1", page_size=2))
            assert [len(page.snapshots) for page in kinds] == [2, 1]
            asked = pb.ListSnapshotVersionsRequest(device="r1", kind="a", page_size=2)
            versions = await pages(telemetry.ListSnapshotVersions, asked)
            times = [version.collected_at_us for page in versions for version in page.versions]
            assert times == [50, 40, 30]
            metrics = await pages(telemetry.ListMetrics, pb.ListMetricsRequest(page_size=2))
            keys = [metric.key for page in metrics for metric in page.metrics]
            assert keys == sorted(door.api.catalogue.metrics)
            negative = await fails(telemetry.QueryLatest(pb.QueryLatestRequest(page_size=-1)))
            assert (negative.code(), negative.details()) == (
                CODE.INVALID_ARGUMENT,
                "page_size can't be negative",
            )

    async def pages(method, request):  # type: ignore[no-untyped-def]
        found = [await method(request)]
        while found[-1].next_page_token:
            request.page_token = found[-1].next_page_token
            found.append(await method(request))
        return found

    run_async(main())


def test_a_request_with_an_id_is_done_once() -> None:
    async def main() -> None:
        async with opened() as door:
            request = inventory_pb.CreateDeviceRequest(
                settings=SETTINGS, password="pw", request_id=str(uuid.uuid4())
            )
            first = await door.inventory.CreateDevice(request)
            assert await door.inventory.CreateDevice(request) == first
            assert len(door.devices.devices) == 1
            request.settings.name = "r2"
            refused = await fails(door.inventory.CreateDevice(request))
            assert refused.code() is CODE.INVALID_ARGUMENT
            assert metadata_of(refused)["mtd-reason"] == "REQUEST_ID_REFUSED"
            request.request_id = "again"
            assert "no UUID" in (await fails(door.inventory.CreateDevice(request))).details()

    run_async(main())


def test_errors_have_details_that_programs_know() -> None:
    async def main() -> None:
        async with opened() as door:
            door.devices.error = QuotaExceeded("too many pings", retry_after_s=1.5, hint="wait")
            failed = await fails(door.inventory.GetDevice(inventory_pb.GetDeviceRequest(device="r1")))
            status = rpc_status.from_call(failed)  # checks that code and text are the same
            assert status is not None
            info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
            assert status.details[0].Unpack(info)
            assert status.details[1].Unpack(retry)
            assert (info.reason, info.domain, info.metadata["hint"]) == ("QUOTA_EXCEEDED", "mtd", "wait")
            assert retry.retry_delay.ToMilliseconds() == 1500
            assert metadata_of(failed)["mtd-retry-after-s"] == "1.5"

    run_async(main())


@pytest.mark.parametrize("character", ["x", "ж", "\n", "%"])
def test_a_long_text_doesnt_break_the_answer(character: str) -> None:
    async def main() -> None:
        async with opened() as door:
            door.devices.error = QuotaExceeded(character * 100_000, retry_after_s=1, hint=character * 100_000)
            failed = await fails(door.inventory.GetDevice(inventory_pb.GetDeviceRequest(device="r1")))
            assert failed.code() is CODE.RESOURCE_EXHAUSTED
            assert failed.details().startswith(character * 20)
            assert len(failed.details()) < 2000

    run_async(main())


def test_no_caller_makes_the_door_wait_for_ever() -> None:
    async def main() -> None:
        async with opened(longest_deadline_s=0.05) as door:
            door.devices.hang = True
            failed = await fails(
                door.inventory.GetDevice(inventory_pb.GetDeviceRequest(device="r1"), timeout=3600)
            )
            assert failed.code() is CODE.DEADLINE_EXCEEDED
            assert "longer than its deadline" in failed.details()

    run_async(main())


def test_a_stream_that_says_nothing_ends_and_one_that_began_goes_on() -> None:
    async def main() -> None:
        async with opened(stream_answer_deadline_s=0.2, backend_deadline_s=60.0) as door:
            stream = door.telemetry.StreamLatest(pb.StreamLatestRequest())
            assert dict(await stream.initial_metadata())["mtd-stream"] == "latest"
            door.stored.delay_s = 60.0
            silent = door.telemetry.StreamEvents(pb.StreamEventsRequest(only_new=True))
            failed = await fails(silent.read())
            assert failed.code() is CODE.DEADLINE_EXCEEDED
            # The other began before, has said nothing since, and is there.
            assert not stream.done()
            stream.cancel()

    run_async(main())


def test_a_stream_goes_on_where_it_broke() -> None:
    async def main() -> None:
        async with opened() as door:
            hub = door.api.hub
            hub.apply_devices([device("d1", "r1"), device("d2", "r2")])
            hub.publish(numbered(*(declared(device_id=name) for name in ("d1", "d2"))))
            hub.publish(numbered(*(frame(10, device_id=name) for name in ("d1", "d2"))))
            stream = door.telemetry.StreamLatest(pb.StreamLatestRequest())
            assert dict(await stream.initial_metadata())["mtd-resumed"] == "false"
            first = await stream.read()
            assert len(first.batch.updates) == 2
            stream.cancel()
            hub.publish(numbered(frame(20, device_id="d2")))
            for token, resumed, devices in (
                (first.resume_token, "true", {"d2"}),
                ("made up", "false", {"d1", "d2"}),
                (first.resume_token.replace("-", "-0"), "false", {"d1", "d2"}),
            ):
                again = door.telemetry.StreamLatest(pb.StreamLatestRequest(resume_token=token))
                assert dict(await again.initial_metadata())["mtd-resumed"] == resumed
                message = await again.read()
                layouts = [message.layout] if message.HasField("layout") else message.batch.layouts
                assert {layout.device_id for layout in layouts} == devices
                again.cancel()

    run_async(main())


@pytest.mark.parametrize(
    "method",
    [
        "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        "mtd.pb.inventory.v1.InventoryService/ListDevices",
        "mtd.pb.telemetry.v1.TelemetryService/StreamLatest",
    ],
)
def test_a_caller_that_sends_nothing_has_its_call_ended(method: str) -> None:
    """Else as many as there may be calls would be enough to shut everybody out."""

    async def main() -> None:
        async with opened(first_message_deadline_s=0.05, max_concurrent_calls=3) as door:
            silent = [door.channel.stream_unary(f"/{method}")() for _ in range(3)]
            for call in silent:
                failed = await fails(call)
                assert failed.code() is CODE.INVALID_ARGUMENT
                assert "nothing was sent" in failed.details()
                assert metadata_of(failed)["mtd-reason"] == "FIRST_MESSAGE_LATE"
            await door.inventory.ListDevices(inventory_pb.ListDevicesRequest())

    run_async(main())


def test_a_call_has_a_request() -> None:
    async def main() -> None:
        async with opened() as door:
            call = door.channel.stream_unary("/mtd.pb.inventory.v1.InventoryService/ListDevices")()
            await call.done_writing()
            failed = await fails(call)
            assert (failed.code(), failed.details()) == (CODE.INVALID_ARGUMENT, "the call has no request")

    run_async(main())


def test_a_made_up_position_shows_no_more_than_ones_own_events() -> None:
    async def main() -> None:
        async with opened() as door:
            door.stored.events = [stored_event(position) for position in (1, 2)]
            for position in (-5, 0, 1):
                asked = pb.StreamEventsRequest(after_position=position, until_now=True)
                got = [response.event.position async for response in door.telemetry.StreamEvents(asked)]
                assert got == [found for found in (1, 2) if found > position]
            beyond = door.telemetry.StreamEvents(pb.StreamEventsRequest(after_position=2**62))
            assert (await fails(beyond.read())).code() is CODE.INVALID_ARGUMENT

    run_async(main())
