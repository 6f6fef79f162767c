"""An open gRPC door with backends in memory, and what tests ask of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpc.aio
import pytest

from mtd.api.grpc.server import ApiContext, build_server
from mtd.pb.inventory.v1.inventory_service_pb2_grpc import InventoryServiceStub
from mtd.pb.telemetry.v1.telemetry_service_pb2_grpc import TelemetryServiceStub
from mtd.testing.metrics import metric
from tests.unit.api.fakes import FakeInventory, FakeTelemetry, context

CODE = grpc.StatusCode


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
    return metric("mtd_api_grpc_calls_total", method=method, code=code)
