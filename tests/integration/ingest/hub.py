"""A hub's gRPC door with real stores behind it, and collectors that copy their logs into it."""

from __future__ import annotations

import asyncio
import dataclasses
import uuid
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import grpc
import grpc.aio

from mtd.api.access.interfaces import Credentials
from mtd.api.grpc.ingest import IngestServicer
from mtd.api.grpc.server import GrpcServer, ServicePart, build_server
from mtd.api.ingest.heartbeats import Heartbeats
from mtd.core.errors import Unauthenticated
from mtd.eventlog.memory import MemoryEventLog
from mtd.ingest.config import IngestConfig
from mtd.ingest.copying.door import CopyDoor
from mtd.ingest.push.door import PushDoor, Surroundings
from mtd.ingest.push.inventory import KnownDevices
from mtd.ingest.push.limits import Places, Rates
from mtd.model.audit import AuditEntry
from mtd.model.device import DEFAULT_TENANT_ID
from mtd.model.principal import CallerKind, Principal, Role
from mtd.pb.events.v1.envelope_pb2 import Envelope
from mtd.pb.ingest.v1 import ingest_service_pb2 as pb
from mtd.pb.ingest.v1.ingest_service_pb2_grpc import (
    IngestServiceStub,
    add_IngestServiceServicer_to_server,
)
from mtd.storage.stores.ingest_events import IngestEventStore
from mtd.storage.stores.ingest_inventory import IngestInventoryStore
from mtd.storage.stores.ingest_logs import IngestLogStore
from tests.integration.projections.kit import DEVICE, World, change, in_world, now_us
from tests.unit.api.fakes import METRICS, FakeTelemetry, context

TENANT = DEFAULT_TENANT_ID
OTHER_TENANT = str(uuid.UUID(int=0xB))
OTHER_DEVICE = str(uuid.UUID(int=0xB1))
COLLECTORS = {
    "edge-a": Principal(CallerKind.COLLECTOR, "edge-a", TENANT, None, caller_id=str(uuid.UUID(int=0xA0))),
    "edge-b": Principal(
        CallerKind.COLLECTOR, "edge-b", OTHER_TENANT, None, caller_id=str(uuid.UUID(int=0xB0))
    ),
    "feed": Principal(CallerKind.TOKEN, "feed", TENANT, Role.VIEWER, scopes=frozenset({"ingest.write"})),
    "feed-b": Principal(
        CallerKind.TOKEN, "feed-b", OTHER_TENANT, Role.VIEWER, scopes=frozenset({"ingest.write"})
    ),
}
QUICK = {"append": {"projected_interval_s": 0.05, "window_batches": 4}}


class KnownTokens:
    """The gate: who shows a name is its bearer."""

    async def admit(self, credentials: Credentials) -> Principal:
        try:
            return COLLECTORS[credentials.bearer]
        except KeyError:
            raise Unauthenticated("nobody") from None


class Remembering:
    """The audit log, in memory."""

    def __init__(self) -> None:
        self.entries: list[AuditEntry] = []

    def record(self, entry: AuditEntry) -> Awaitable[None]:
        self.entries.append(entry)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done

    def ready(self) -> None:
        return


class Hub:
    """The door. ``settings`` are of ingest; ``log``: the hub's own, the world's if it is None."""

    def __init__(self, world: World, log: MemoryEventLog | None = None, **settings: Any) -> None:
        self.world = world
        self._log = log
        self.settings = IngestConfig.model_validate(QUICK | settings)
        self.audit = Remembering()
        self.served: dict[str, Sequence[str]] = {}
        self.quotas: dict[str, float | None] = {}
        self.pressure = 0.0
        self.held_back = ""
        self.turns: dict[str, asyncio.Event] = {}
        """Lanes that aren't read on until their event is set."""
        self.server: GrpcServer | None = None
        self.channel: Any = None

    @property
    def log(self) -> MemoryEventLog:
        return self._log or self.world.log

    async def start(self) -> None:
        world = self.world
        store = IngestInventoryStore(world.db)
        self.devices = KnownDevices(store)
        await self.devices.start()

        async def quota(tenant_id: str) -> float | None:
            return self.quotas.get(tenant_id)

        async def served(collector_id: str) -> Sequence[str]:
            return self.served.get(collector_id, ())

        rates = Rates(self.settings.push, quota)
        around = Surroundings(
            self.log,
            METRICS,
            self.devices,
            IngestEventStore(world.db),
            lambda now: now - 90 * 86_400_000_000,
            lambda: self.pressure,
            lambda: self.held_back,
        )
        self.push = PushDoor(around, self.settings, rates, Places(self.settings.push))
        logs = IngestLogStore(world.db, self.log.log_id)
        self.copies = CopyDoor(
            self.log, logs, self.devices, rates, self.settings.append, turn=self._wait_for_turn
        )
        servicer = IngestServicer(
            self.push,
            self.copies,
            Heartbeats(store, rates, self.settings.push),
            served,
            self.settings.push,
            self.audit,
        )
        api = dataclasses.replace(
            context(FakeTelemetry()),
            gate=KnownTokens(),
            auditor=self.audit,
            parts=[
                ServicePart(
                    add_IngestServiceServicer_to_server, servicer, message_bytes=servicer.message_bytes
                )
            ],
        )
        self.server = build_server(api)
        await self.server.start()
        self.channel = grpc.aio.insecure_channel(f"127.0.0.1:{self.server.port}")
        self.stub: Any = IngestServiceStub(self.channel)

    async def _wait_for_turn(self, lane: str) -> None:
        if lane in self.turns:
            await self.turns[lane].wait()

    async def stop(self) -> None:
        if self.server is not None:
            await self.channel.close()
            await self.server.stop()
            await self.devices.stop()
            self.server = None

    async def restart(self) -> None:
        await self.stop()
        await self.start()

    def stream(self, log_id: str, *, lane: int = pb.LANE_LIVE, who: str = "edge-a") -> EdgeStream:
        return EdgeStream(self, log_id, lane, who)


class EdgeStream:
    """A collector's end of a stream."""

    def __init__(self, hub: Hub, log_id: str, lane: int, who: str) -> None:
        self._log_id, self._lane = log_id, lane
        metadata = (("authorization", f"Bearer {who}"),)
        self.call = hub.stub.Append(metadata=metadata)

    async def open(self, next_seq: int = 1) -> pb.AppendOpened:
        await self.call.write(
            pb.AppendRequest(open=pb.AppendOpen(log_id=self._log_id, lane=self._lane, next_seq=next_seq))
        )
        return (await self.read("opened")).opened

    async def send(self, first: int, events: Sequence[Envelope], last: int | None = None) -> None:
        last = first + len(events) - 1 if last is None else last
        await self.call.write(
            pb.AppendRequest(batch=pb.AppendBatch(first_seq=first, last_seq=last, events=events))
        )

    async def read(self, kind: str = "") -> pb.AppendResponse:
        """Return the next message; of a kind: what is told of projections in between is left out."""
        async with asyncio.timeout(20):
            while True:
                message = await self.call.read()
                if message is grpc.aio.EOF:
                    raise EOFError(f"{self.call.code()}")
                if kind and message.WhichOneof("message") == "projected" != kind:
                    continue
                assert not kind or message.WhichOneof("message") == kind, message
                return message  # type: ignore[no-any-return]

    async def acked(self, first: int, last: int) -> pb.AppendAck:
        """Return the next acknowledgement, which is of these events."""
        ack = (await self.read("ack")).ack
        assert (ack.first_seq, ack.last_seq) == (first, last)
        return ack

    async def store(self, first: int, events: Sequence[Envelope]) -> pb.AppendAck:
        await self.send(first, events)
        return await self.acked(first, first + len(events) - 1)

    async def close(self) -> None:
        await self.call.done_writing()
        while True:
            async with asyncio.timeout(20):
                if await self.call.read() is grpc.aio.EOF:
                    break
        assert await self.call.code() is grpc.StatusCode.OK

    async def fails(self) -> grpc.aio.AioRpcError:
        """Return what ends the stream."""
        try:
            while True:
                await self.read()
        except grpc.aio.AioRpcError as error:
            return error


def events(first: int, count: int, **more: Any) -> list[Envelope]:
    """Return events of an edge's log that are told apart by what they say."""
    return [change(now_us(), new=f"event-{number}", **more) for number in range(first, first + count)]


async def stored(world: World) -> list[str]:
    """Return what was projected of these events, in the order of the hub's log."""
    return [new for (new,) in await world.ask("SELECT new_value FROM event ORDER BY position")]


def names(first: int, last: int) -> list[str]:
    return [f"event-{number}" for number in range(first, last + 1)]


def with_hub(dsn: str, body: Callable[[Hub], Awaitable[None]], **settings: Any) -> None:
    """Run a test with two tenants, a device of each, and a hub."""

    async def main(world: World) -> None:
        for tenant_id, device_id, name in ((TENANT, DEVICE, "a"), (OTHER_TENANT, OTHER_DEVICE, "b")):
            await world.ask(
                "INSERT INTO tenant (tenant_id, name) VALUES (%s, %s) ON CONFLICT DO NOTHING", tenant_id, name
            )
            await world.ask(
                "INSERT INTO device (tenant_id, device_id, name, host, port, username, tls_mode)"
                " VALUES (%s, %s, %s, 'h', 1, 'u', 'off')",
                tenant_id,
                device_id,
                name,
            )
        hub = Hub(world, **settings)
        await hub.start()
        try:
            await body(hub)
        finally:
            await hub.stop()

    in_world(dsn, main)
