"""A listener for traps on this machine, who sends to it, and what a sender of version 3 writes."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from mtd.codec.snmp.ber import Oid, integer, octets, oid, tlv
from mtd.listeners.traps.config import TrapsConfig
from mtd.listeners.traps.naming import ReadNames
from mtd.listeners.traps.service import TrapsService
from mtd.model.device import Device
from mtd.model.sighting import Sighting
from mtd.testing import run_async
from mtd.testing.metrics import metric
from tests.unit.ingest.bench import ManualClock
from tests.unit.listeners.kit import Told, device

COLD_START: Oid = (1, 3, 6, 1, 6, 3, 1, 1, 5, 1)
LINK_DOWN: Oid = (1, 3, 6, 1, 6, 3, 1, 1, 5, 3)
LINK_UP: Oid = (1, 3, 6, 1, 6, 3, 1, 1, 5, 4)
IF_INDEX: Oid = (1, 3, 6, 1, 2, 1, 2, 2, 1, 1)


def bound(name: Oid, value: bytes) -> bytes:
    return tlv(0x30, oid(name), value)


def link(index: int) -> bytes:
    return bound((*IF_INDEX, index), integer(index))


def v2c(
    trap: Oid, *bindings: bytes, community: bytes = b"public", inform: bool = False, request_id: int = 7
) -> bytes:
    """Return a trap, or an inform, of version 2c."""
    first = (
        bound((1, 3, 6, 1, 2, 1, 1, 3, 0), tlv(0x43, b"\x10\x68")),
        bound((1, 3, 6, 1, 6, 3, 1, 1, 4, 1, 0), oid(trap)),
    )
    pdu = tlv(
        0xA6 if inform else 0xA7,
        integer(request_id),
        integer(0),
        integer(0),
        tlv(0x30, *first, *bindings),
    )
    return tlv(0x30, integer(1), octets(community), pdu)


class Bench:
    """A listener on this machine, and what came of what was sent to it."""

    def __init__(self, folder: Path, read_names: ReadNames | None = None, **settings: Any) -> None:
        config = TrapsConfig.model_validate({"enabled": True, "host": "127.0.0.1", "port": 0, **settings})
        self.told = Told()
        self.clock = ManualClock()
        self.strangers: list[Sighting] = []
        self.service = TrapsService(
            config,
            self.told,  # type: ignore[arg-type]
            folder,
            self.strangers.append,
            read_names,
            self.clock,
        )
        self.know(device("core-1", "127.0.0.1"), device("core-2", "127.0.0.2"))
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setblocking(False)

    def know(self, *devices: Device) -> None:
        self.service.apply_devices(devices)

    def send(self, *datagrams: bytes) -> None:
        for datagram in datagrams:
            self.socket.sendto(datagram, ("127.0.0.1", self.service.udp.port))

    async def answer(self) -> bytes:
        async with asyncio.timeout(20):
            return await asyncio.get_running_loop().sock_recv(self.socket, 65_535)

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(20):
            while not condition():
                await asyncio.sleep(0.005)

    async def until_told(self, changes: int) -> None:
        await self.until(lambda: len(self.told.changes) >= changes)

    @property
    def events(self) -> list[str]:
        return [change.event_type for _, change in self.told.changes]


async def running(work: Callable[[Bench], Awaitable[None]], bench: Bench) -> Bench:
    """Do something with a listener; return it when it has ended."""
    try:
        await bench.service.start()
        await work(bench)
    finally:
        await bench.service.stop()
        bench.socket.close()
    return bench


def with_bench(work: Callable[[Bench], Awaitable[None]], folder: Path, **settings: Any) -> Bench:
    """Do something with a listener on the loop of the tests; return it when it has ended."""

    async def main() -> Bench:
        return await running(work, Bench(folder, **settings))

    return run_async(main(), timeout_s=60)


def dropped(reason: str) -> float:
    return metric("mtd_listeners_dropped_total", listener="traps", reason=reason)
