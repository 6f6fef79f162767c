"""A daemon's door that can be restarted, and readers of its streams."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from mtd.api.grpc.server import GrpcServer, build_server
from mtd.client import MtdClientError
from mtd.testing.harness import free_port
from tests.unit.api.fakes import (
    FakeInventory,
    FakeTelemetry,
    context,
    declared,
    device,
    event,
    interfaces,
    link_change,
    numbered,
)
from tests.unit.api.finding_fakes import FakeDiscovery, FakeTools


class Daemon:
    """A server that can be restarted on its port with what is stored."""

    def __init__(self) -> None:
        self.port = free_port()
        self.telemetry, self.inventory = FakeTelemetry(), FakeInventory()
        self.discovery, self.tools = FakeDiscovery(), FakeTools()
        self._server: GrpcServer | None = None

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def start(self) -> None:
        self.api = context(self.telemetry, self.inventory, self.discovery, self.tools, port=self.port)
        self.hub = self.api.hub
        self.hub.apply_devices([device()])
        self.hub.publish(
            numbered(declared(), interfaces({"*1": {"name": "ether1"}, "*2": {"name": "ether2"}}))
        )
        self._server = build_server(self.api)
        await self._server.start()

    async def stop(self) -> None:
        if self._server is not None:
            await self._server.stop()
            self._server = None

    def happened(self, *positions: int) -> None:
        self.telemetry.events += [event(position) for position in positions]
        self.hub.publish(numbered(*(link_change(position) for position in positions)))


@asynccontextmanager
async def running() -> AsyncIterator[Daemon]:
    daemon = Daemon()
    await daemon.start()
    try:
        yield daemon
    finally:
        await daemon.stop()


async def aside(work: Callable[[], Any]) -> Any:
    """Run synchronous code in a thread: the server needs this one."""
    return await asyncio.to_thread(work)


class Reader:
    """Reads a synchronous stream in a thread, into a list."""

    def __init__(self, stream: Any) -> None:
        self.got: list[Any] = []
        self.error: BaseException | None = None
        self.ended = threading.Event()
        self._thread = threading.Thread(target=self._read, args=(stream,), daemon=True)
        self._thread.start()

    def _read(self, stream: Any) -> None:
        try:
            for one in stream:
                self.got.append(one)
        except MtdClientError as error:
            self.error = error
        finally:
            self.ended.set()

    async def until(self, condition: Callable[[list[Any]], bool]) -> None:
        async with asyncio.timeout(15):
            while not condition(self.got):
                assert self.error is None
                await asyncio.sleep(0.005)

    async def end(self) -> None:
        assert await asyncio.to_thread(self.ended.wait, 5), "the stream did not end"
