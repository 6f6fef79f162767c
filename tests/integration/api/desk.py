"""An open HTTP door with a console behind it, a real WebSocket client, and what tests ask of them."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import websockets
from prometheus_client import CollectorRegistry

from mtd.api.config import HttpConfig
from mtd.api.console.config import ConsoleConfig
from mtd.api.console.live import Live
from mtd.api.console.pages import ConsolePages
from mtd.api.console.parts import ConsoleParts
from mtd.api.console.reading import Reading
from mtd.api.console.static import Assets
from mtd.api.console.worlds import Worlds
from mtd.api.http.access import Doorkeeper
from mtd.api.http.server import HttpServer
from mtd.api.http.visits import OpenPages
from mtd.core.clock import SYSTEM_CLOCK
from mtd.model.device import DEFAULT_TENANT_ID
from tests.unit.api.console.kit import ROUTER, TYPES, FakeConsoleReads, process, row
from tests.unit.api.fakes import (
    CATALOGUE,
    FakeReadiness,
    FakeTelemetry,
    context,
    declared,
    device,
    frame,
    interfaces,
    numbered,
)

DEVICES = [f"00000000-0000-4000-8000-{number:012}" for number in range(50)]


class Desk:
    """An open door with a console behind it, and what its parts are given."""

    def __init__(self, dist: Path, http: dict[str, float], settings: dict[str, Any]) -> None:
        self.stored = FakeTelemetry()
        self.backend = FakeConsoleReads()
        self.api = context(self.stored)
        self.hub = self.api.hub
        self.config = ConsoleConfig(**settings)
        self.pages = ConsolePages(self.config, Assets(dist))
        self.doorkeeper = Doorkeeper()
        self.visits = OpenPages(self.doorkeeper.cookies)
        self.server = HttpServer(
            FakeReadiness(), HttpConfig(port=0, **http), CollectorRegistry(), self.doorkeeper
        )
        self.server.mount(self.pages)
        parts = ConsoleParts(self.hub, self.api.feeds, self.stored, self.backend, process(), dict)
        self.worlds = Worlds(parts, self.config)
        self.hub.apply_devices([device(one, f"r{number}") for number, one in enumerate(DEVICES)])
        self.hub.publish(numbered(declared(ROUTER), *(interfaces(TYPES, device_id=one) for one in DEVICES)))
        self.backend.rows = [row(one, f"r{number}") for number, one in enumerate(DEVICES)]

    async def serve(self) -> None:
        self.worlds.start()
        self.pages.serve(
            self.worlds,
            Reading(self.backend, CATALOGUE, self.worlds.own, lambda: {}, self.config.deadline_s),
            self.visits.visit,
        )

    @property
    def live(self) -> Live:
        """What is live of the first tenant."""
        return self.worlds.of(DEFAULT_TENANT_ID)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server.port}"

    def poll(self, *devices: str, load: float = 7.0) -> None:
        at = SYSTEM_CLOCK.now_us()
        values: dict[str, Any] = {"layout": ROUTER, "counters": (1, 2, 3), "rates": (1.0,) * 9}
        gauges = (load, 256.0, 1024.0, 60.0)
        self.hub.publish(
            numbered(*(frame(at, device_id=one, gauges=gauges, **values) for one in devices or DEVICES))
        )

    def connect(self, **options: Any) -> websockets.connect:
        return websockets.connect(f"ws://{self.host}/console/live", max_size=None, **options)


@asynccontextmanager
async def opened(
    dist: Path = Path("/nonexistent"), http: dict[str, float] | None = None, **settings: Any
) -> AsyncIterator[Desk]:
    desk = Desk(dist, http or {}, settings)
    await desk.pages.start()
    await desk.server.start()
    await desk.serve()
    try:
        yield desk
    finally:
        await desk.worlds.stop()
        await desk.visits.stop()
        await desk.api.feeds.stop()
        await desk.server.stop()


async def get(
    desk: Desk, path: str, method: str = "GET", **headers: str
) -> tuple[int, dict[str, str], bytes]:
    """Return status, headers and body."""
    reader, writer = await asyncio.open_connection("127.0.0.1", desk.server.port)
    lines = {"Host": desk.host} | {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    writer.write(f"{method} {path} HTTP/1.1\r\n{head}Connection: close\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()
    top, _, body = answer.partition(b"\r\n\r\n")
    status, *given = top.decode().split("\r\n")
    return int(status.split()[1]), dict(line.lower().split(": ", 1) for line in given), body


async def until(check: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not check():
            await asyncio.sleep(0.01)


async def next_of(socket: Any, kind: str) -> dict[str, Any]:
    async with asyncio.timeout(30):
        while True:
            message: dict[str, Any] = json.loads(await socket.recv())
            if message["type"] == kind:
                return message


def wanted(*devices: str, **more: Any) -> str:
    return json.dumps({"op": "view", "devices": devices} | more)


async def raw(desk: Desk) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Open a live channel and do nothing more: what comes is not read, pings are not answered."""
    reader, writer = await asyncio.open_connection("127.0.0.1", desk.server.port, limit=4096)
    writer.write(
        f"GET /console/live HTTP/1.1\r\nHost: {desk.host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
    )
    assert b"101" in await reader.readline()
    return reader, writer
