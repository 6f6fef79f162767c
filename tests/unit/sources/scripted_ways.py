"""Ways that are open or closed as a test says, and a source over them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from zope.interface import implementer

from mtd.core.clock import SYSTEM_CLOCK
from mtd.model.command import Command, Reply, Rows
from mtd.model.device import (
    DEFAULT_TENANT_ID,
    Device,
    Outcome,
    RestSettings,
    SnmpSettings,
    SnmpVersion,
    TlsMode,
    Way,
)
from mtd.sources.errors import SessionFailed
from mtd.sources.interfaces import ISource
from mtd.sources.replies import not_served
from mtd.sources.retries import Retries
from mtd.sources.ways import WaysSource

DEVICE = Device(
    "00000000-0000-4000-8000-00000000000d",
    DEFAULT_TENANT_ID,
    "gw",
    "192.0.2.1",
    8728,
    "mtd",
    "secret",
    rest=RestSettings(443, TlsMode.VERIFY),
    snmp=SnmpSettings(SnmpVersion.V2C, community="hidden"),
)
SOON = Retries(first_s=0.01, cap_s=0.01, breaker_failures=1000)
NEVER = Retries(first_s=3600.0, cap_s=3600.0)
NAMES = Command("/interface/print", ("name",))
LISTEN = Command("/interface/listen")


@implementer(ISource)
class FakeWay:
    """A way that is open or closed as a test says."""

    outcome = None

    def __init__(self, device: Device, way: Way, world: World) -> None:
        self.device = device
        self.way = way
        self.connected = False
        self.traffic = (0, 0, 0)
        self._world = world
        world.made[way] = self

    async def connect(self) -> None:
        self._world.connects.append(self.way)
        await asyncio.sleep(0)
        self.traffic = (0, 0, 0)
        failure = self._world.closed.get(self.way)
        if failure is not None:
            self.connected = False
            raise failure
        self.connected = True

    async def run(self, commands: Sequence[Command], timeout_s: float | None = None) -> list[Reply]:
        await self._world.pause(self.way)
        failure = self._world.closed.get(self.way) or self._world.breaks.pop(self.way, None)
        if failure is not None:
            self.connected = False
            raise failure
        assert self.connected
        self.traffic = (self.traffic[0] + len(commands), self.traffic[1] + 10, self.traffic[2] + 100)
        return [
            not_served(command, self.way, SYSTEM_CLOCK)
            if command in self._world.unknown_to.get(self.way, ())
            else Reply(command, Rows(), 0.0, 0, 0.0, way=self.way)
            for command in commands
        ]

    async def close(self) -> None:
        await asyncio.sleep(0)
        self.connected = False


class World:
    """What a router's doors do."""

    def __init__(self, *closed: Way) -> None:
        self.closed = {way: refused(way) for way in closed}
        self.breaks: dict[Way, SessionFailed] = {}
        self.unknown_to: dict[Way, tuple[Command, ...]] = {}
        self.connects: list[Way] = []
        self.made: dict[Way, FakeWay] = {}
        self.held: dict[Way, asyncio.Event] = {}

    async def pause(self, way: Way) -> None:
        event = self.held.get(way)
        await (event.wait() if event is not None else asyncio.sleep(0))

    def source(self, device: Device = DEVICE, retries: Retries = NEVER) -> WaysSource:
        make: dict[Way, Callable[[Device], ISource]] = {
            way: lambda device, way=way: FakeWay(device, way, self)
            for way in Way  # type: ignore[misc]
        }
        return WaysSource(device, make, retries=retries, rng=random.Random(1))


def refused(way: Way, outcome: Outcome = Outcome.REFUSED) -> SessionFailed:
    return SessionFailed(outcome, f"{way} refuses connections")


@asynccontextmanager
async def connected(
    world: World, device: Device = DEVICE, retries: Retries = NEVER
) -> AsyncIterator[WaysSource]:
    source = world.source(device, retries)
    await source.connect()
    try:
        yield source
    finally:
        await source.close()
        assert not any(way.connected for way in world.made.values())


async def ways_of(source: WaysSource, *commands: Command) -> list[Way]:
    return [reply.way for reply in await source.run(commands or (NAMES,))]


async def until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not done():
            await asyncio.sleep(0.002)
