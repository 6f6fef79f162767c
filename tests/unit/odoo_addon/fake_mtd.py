"""An mtd that is a gRPC server and says what tests want."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc.aio

from mtd.client import AsyncMtdClient
from mtd.pb.admin.v1 import user_service_pb2 as users_pb
from mtd.pb.admin.v1 import user_service_pb2_grpc as users_grpc
from mtd.pb.common.v1 import access_pb2, device_pb2, series_pb2
from mtd.pb.diagnostics.v1 import diagnostics_service_pb2 as diagnostics_pb
from mtd.pb.diagnostics.v1 import diagnostics_service_pb2_grpc as diagnostics_grpc
from mtd.pb.inventory.v1 import inventory_service_pb2 as inventory_pb
from mtd.pb.inventory.v1 import inventory_service_pb2_grpc as inventory_grpc
from mtd.pb.logs.v1 import log_service_pb2 as logs_pb
from mtd.pb.logs.v1 import log_service_pb2_grpc as logs_grpc
from mtd.pb.telemetry.v1 import telemetry_service_pb2 as pb
from mtd.pb.telemetry.v1 import telemetry_service_pb2_grpc as pb_grpc
from tests.unit.odoo_addon.bridge_kit import TENANT_ID

LANES = {"counter": series_pb2.LANE_COUNTER, "gauge": series_pb2.LANE_GAUGE, "rate": series_pb2.LANE_RATE}

# (metric, instance, label, unit, lane)
SERIES = (
    ("iface.rx_bytes_total", "*1", "ether1", "bytes", "counter"),
    ("iface.rx_bytes_total", "*2", "<pppoe-anna>", "bytes", "counter"),
    ("system.cpu.load_pct", "", "", "percent", "gauge"),
    ("iface.rx_bps", "*1", "ether1", "bits_per_second", "rate"),
    ("iface.rx_bps", "*2", "<pppoe-anna>", "bits_per_second", "rate"),
)


class FakeMtd(
    pb_grpc.TelemetryServiceServicer,
    inventory_grpc.InventoryServiceServicer,
    diagnostics_grpc.DiagnosticsServiceServicer,
    logs_grpc.LogServiceServicer,
    users_grpc.UserServiceServicer,
):
    """An mtd that says what tests want. Streams last until its server stops."""

    def __init__(self) -> None:
        self.latest: dict[int, frozenset[str]] = {}
        """Open StreamLatest calls, and what devices they ask for."""
        self.opened = 0
        self.tokens: list[str] = []
        self.tenant_id, self.role = TENANT_ID, access_pb2.ROLE_ADMIN
        self.log: list[pb.Event] = []
        self.ping_rows = 3
        self.pings_cancelled = 0
        self.ahead_s = 0.0
        """How far its clock is ahead of ours."""
        self._news = asyncio.Condition()
        self._t_us = 1_700_000_000_000_000
        self._server: Any = None
        self.address = ""

    async def start(self, address: str = "127.0.0.1:0") -> None:
        server = self._server = grpc.aio.server()
        pb_grpc.add_TelemetryServiceServicer_to_server(self, server)
        inventory_grpc.add_InventoryServiceServicer_to_server(self, server)
        diagnostics_grpc.add_DiagnosticsServiceServicer_to_server(self, server)
        logs_grpc.add_LogServiceServicer_to_server(self, server)
        users_grpc.add_UserServiceServicer_to_server(self, server)
        number = server.add_insecure_port(address)
        self.address = f"127.0.0.1:{number}"
        await server.start()

    async def stop(self) -> None:
        await self._server.stop(None)
        self.latest.clear()

    async def restart(self) -> None:
        await self.stop()
        await self.start(self.address)

    def client(self, **options: Any) -> AsyncMtdClient:
        return AsyncMtdClient(self.address, **options)

    async def poll(self) -> None:
        """All devices have new values."""
        async with self._news:
            self._t_us += 1_000_000
            self._news.notify_all()

    async def happen(self, count: int, *, now: bool = False) -> None:
        """So many events happen."""
        t_us = time.time_ns() // 1000 if now else self._t_us
        async with self._news:
            for _ in range(count):
                position = len(self.log) + 1
                self.log.append(
                    pb.Event(
                        position=position,
                        collected_at_us=t_us + position,
                        device_id="a",
                        event_type="interface.state_changed",
                        message=f"event {position}",
                        severity=device_pb2.SEVERITY_INFO,
                    )
                )
            self._news.notify_all()

    # -- services --

    async def StreamLatest(self, request: Any, context: Any) -> AsyncIterator[Any]:
        self._note(context)
        await context.send_initial_metadata((("mtd-resumed", "false"),))
        self.opened += 1
        number = self.opened
        self.latest[number] = frozenset(request.selector.devices)
        try:
            for index, device in enumerate(sorted(request.selector.devices)):
                yield pb.StreamLatestResponse(layout=layout(index + 1, device))
            seen = 0
            while True:
                seen = await self._newer_than(seen)
                for index, _ in enumerate(request.selector.devices):
                    yield pb.StreamLatestResponse(update=update(index + 1, seen))
        finally:
            self.latest.pop(number, None)

    async def StreamEvents(self, request: Any, context: Any) -> AsyncIterator[Any]:
        self._note(context)
        await context.send_initial_metadata((("mtd-resumed", "true"),))
        position = request.after_position
        while True:
            await self._more_than(position)
            for event in self.log[position:]:
                yield pb.StreamEventsResponse(event=event)
                position = event.position

    async def WhoAmI(self, request: Any, context: Any) -> Any:
        return users_pb.WhoAmIResponse(
            kind="token", role=self.role, tenant_id=self.tenant_id, tenant_name="north"
        )

    async def ListDevices(self, request: Any, context: Any) -> Any:
        return inventory_pb.ListDevicesResponse()

    async def GetDevice(self, request: Any, context: Any) -> Any:
        self._note(context)
        device = inventory_pb.Device(id=request.device, status=device_pb2.DEVICE_STATUS_UP)
        device.settings.name = request.device
        return inventory_pb.GetDeviceResponse(device=device)

    async def ListInterfaces(self, request: Any, context: Any) -> Any:
        return inventory_pb.ListInterfacesResponse(
            interfaces=[
                inventory_pb.Interface(id="*1", name="ether1", type="ether", physical=True, interval_s=1.0),
                inventory_pb.Interface(id="*2", name="<pppoe-anna>", type="pppoe-in", interval_s=1.0),
            ]
        )

    async def QueryHealth(self, request: Any, context: Any) -> Any:
        end_us = round((time.time() + self.ahead_s) * 1e6)
        return pb.QueryHealthResponse(start_us=end_us - request.seconds * 1_000_000, end_us=end_us)

    async def ListMetrics(self, request: Any, context: Any) -> Any:
        self._note(context)
        return pb.ListMetricsResponse(catalogue_version="1")

    async def ListLogRecords(self, request: Any, context: Any) -> Any:
        return logs_pb.ListLogRecordsResponse(
            records=[logs_pb.LogRecord(device_id=device, text="hello") for device in request.devices]
        )

    async def Ping(self, request: Any, context: Any) -> AsyncIterator[Any]:
        finished = False
        try:
            for number in range(self.ping_rows):
                row = diagnostics_pb.PingReply(sequence=number, host=request.address, time_ms=1.5)
                yield diagnostics_pb.PingResponse(rows=[row])
            if request.count > self.ping_rows:
                await asyncio.Event().wait()
            yield diagnostics_pb.PingResponse(
                end=diagnostics_pb.RunEnd(reason=diagnostics_pb.END_REASON_FINISHED, seconds=1.0)
            )
            finished = True
        finally:
            self.pings_cancelled += not finished

    async def _newer_than(self, t_us: int) -> int:
        async with self._news:
            await self._news.wait_for(lambda: self._t_us != t_us)
            return self._t_us

    async def _more_than(self, count: int) -> None:
        async with self._news:
            await self._news.wait_for(lambda: len(self.log) > count)

    def _note(self, context: Any) -> None:
        metadata = dict(context.invocation_metadata())
        self.tokens.append(str(metadata.get("authorization", "")))


def layout(number: int, device: str) -> pb.StreamLayout:
    series = [
        pb.SeriesInfo(
            key=metric,
            series=series_pb2.Series(metric=metric, instance=instance, lane=LANES[lane]),
            label=label,
            unit=unit,
        )
        for metric, instance, label, unit, lane in SERIES
    ]
    return pb.StreamLayout(
        layout=number, device_id=device, device_name=device, poll_group="t0", series=series
    )


def update(number: int, t_us: int) -> pb.LatestUpdate:
    return pb.LatestUpdate(
        layout=number,
        collected_at_us=t_us,
        counters=[2**53 + 1, 7],
        gauges=[12.5],
        rates=[1000.0, float("nan")],
    )


@asynccontextmanager
async def mtd() -> AsyncIterator[FakeMtd]:
    """Give a running fake mtd."""
    fake = FakeMtd()
    await fake.start()
    try:
        yield fake
    finally:
        await fake.stop()
