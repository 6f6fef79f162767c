"""An agent of SNMP that does what a test says, on a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from mtd.lab.snmp.wire import Kind, Message, Oid, Tag, Value, decode
from mtd.model.device import Device, SnmpSettings, SnmpVersion
from mtd.plugin.snmp_tables import snmp_tables
from mtd.sources.snmp import SnmpConfig, SnmpSource
from mtd_collector_interfaces import COLLECTOR as INTERFACES
from mtd_collector_system import COLLECTOR as SYSTEM
from tests.integration.sources.devices import device

TABLES = snmp_tables([INTERFACES, SYSTEM])
QUICK = SnmpConfig(repeat_after_s=0.1)

Objects = Mapping[Oid, Value]
Handler = Callable[[Message], Message | bytes | None]

ROUTEROS: Objects = {
    (1, 3, 6, 1, 2, 1, 1, 2, 0): Value(Tag.OID, (1, 3, 6, 1, 4, 1, 14988, 1)),
    (1, 3, 6, 1, 2, 1, 1, 3, 0): Value(Tag.TICKS, 123_400),
}
_IF = (1, 3, 6, 1, 2, 1, 2, 2, 1)
_IFX = (1, 3, 6, 1, 2, 1, 31, 1, 1, 1)


def interface(index: int, name: str, octets: int = 0) -> Objects:
    """Return the objects of an interface that is up."""
    return {
        (*_IFX, 1, index): Value(Tag.OCTETS, name.encode()),
        (*_IFX, 6, index): Value(Tag.COUNTER64, octets),
        (*_IFX, 10, index): Value(Tag.COUNTER64, 2 * octets),
        (*_IF, 7, index): Value(Tag.INTEGER, 1),
        (*_IF, 8, index): Value(Tag.INTEGER, 1),
    }


def answer(request: Message, objects: Objects) -> Message:
    """Answer as an agent with these objects does."""
    names = sorted(objects)

    def following(oid: Oid) -> tuple[Oid, Value]:
        found = next((name for name in names if name > oid), None)
        return (oid, Value(Tag.END_OF_VIEW)) if found is None else (found, objects[found])

    if request.kind is Kind.GET:
        pairs = [(oid, objects.get(oid, Value(Tag.NO_SUCH_INSTANCE))) for oid, _ in request.pairs]
    else:
        [(at, _)] = request.pairs
        pairs = []
        for _ in range(request.index):
            pairs.append(following(at))
            at = pairs[-1][0]
    return replace(request, kind=Kind.RESPONSE, status=0, index=0, pairs=tuple(pairs))


class ScriptedAgent(asyncio.DatagramProtocol):
    """Counts what it is asked, and lets a handler answer; ``objects`` may change meanwhile."""

    def __init__(self, objects: Objects, handler: Handler | None = None) -> None:
        self.objects = dict(objects)
        self.handler = handler
        self.requests: list[Message] = []
        self.address: Any = None  # of who asked last
        self.transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, address: Any) -> None:
        request = decode(data)
        self.requests.append(request)
        self.address = address
        told = answer(request, self.objects) if self.handler is None else self.handler(request)
        if told is not None:
            assert self.transport is not None
            self.transport.sendto(told if isinstance(told, bytes) else told.encode(), address)

    @property
    def port(self) -> int:
        assert self.transport is not None
        return int(self.transport.get_extra_info("sockname")[1])

    def asked(self, kind: Kind) -> int:
        """Return how many requests of a kind came."""
        return sum(request.kind is kind for request in self.requests)


@asynccontextmanager
async def agent(objects: Objects, handler: Handler | None = None) -> AsyncIterator[ScriptedAgent]:
    """Run an agent for the time of a block."""
    loop = asyncio.get_running_loop()
    transport, scripted = await loop.create_datagram_endpoint(
        lambda: ScriptedAgent({**ROUTEROS, **objects}, handler), local_addr=("127.0.0.1", 0)
    )
    try:
        yield scripted
    finally:
        transport.close()


def snmp_device(port: int, community: str = "public", **settings: Any) -> Device:
    """Return a device that is asked over SNMP, version 2c unless the settings say otherwise."""
    snmp = settings.pop("snmp", None) or SnmpSettings(SnmpVersion.V2C, port=port, community=community)
    return device(1, **({"snmp": snmp, "connect_timeout_s": 5.0, "command_timeout_s": 5.0} | settings))


@asynccontextmanager
async def asked(to: Device, config: SnmpConfig = QUICK, **parts: Any) -> AsyncIterator[SnmpSource]:
    """Reach a device for the time of a block."""
    source = SnmpSource(to, TABLES, config=config, **parts)
    await source.connect()
    try:
        yield source
    finally:
        await source.close()
