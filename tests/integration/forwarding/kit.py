"""A collector's log and its forwarder, before a hub's door with real stores behind it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from mtd.client import AsyncMtdClient
from mtd.eventlog.memory import MemoryEventLog
from mtd.forwarding.config import ForwardConfig
from mtd.forwarding.service import Forwarder
from mtd.model.observation import StateChange
from mtd.pb.events.v1.envelope_pb2 import Envelope
from tests.integration.ingest.hub import TENANT, Hub

QUICK = ForwardConfig(
    retry_first_s=0.02, retry_cap_s=0.1, lost_after_s=0.2, live_horizon_s=0.2, ack_timeout_s=10.0
)


class Doors:
    """Where the hub is; another port after each of its starts."""

    def __init__(self, hub: Hub, who: str) -> None:
        self._hub = hub
        self._who = who
        self._clients: dict[str, AsyncMtdClient] = {}
        self.failures = 0

    @property
    def current(self) -> AsyncMtdClient:
        target = f"127.0.0.1:{self._hub.server.port}" if self._hub.server is not None else "127.0.0.1:1"
        if target not in self._clients:
            self._clients[target] = AsyncMtdClient(target, token=self._who)
        return self._clients[target]

    def failed(self, client: AsyncMtdClient) -> None:
        self.failures += 1

    async def close(self) -> None:
        for client in self._clients.values():
            await client.close()


class Told:
    """What the recorder would be told."""

    def __init__(self) -> None:
        self.changes: list[StateChange] = []
        self.redeclared = 0

    def record_event(self, change: StateChange) -> None:
        self.changes.append(change)

    def tell_again(self, within_s: float) -> None:
        self.redeclared += 1


class EdgeLog:
    """A log and what forwards it."""

    def __init__(self, hub: Hub, log: Any = None, who: str = "edge-a", config: ForwardConfig = QUICK) -> None:
        self.log = log or MemoryEventLog()
        self.doors = Doors(hub, who)
        self.told = Told()
        self._config = config
        self._hub = hub
        self.forwarder = self.make()

    def make(self, version: str = "") -> Forwarder:
        return Forwarder(
            self.log,
            self.doors,
            self.told,
            self._config,
            name="edge-a",
            home=TENANT,
            version=version or "0.1.0",
        )

    async def append(self, events: Sequence[Envelope]) -> None:
        await self.log.append(events)

    async def sent(self) -> None:
        """Wait until the hub has all that the log holds."""
        last = self.log.stats().last_seq
        await self.until(
            lambda: self.forwarder.status().stored_seq >= last and not self.forwarder.failure, "sent"
        )

    async def live_sent(self) -> None:
        """Wait until the hub has what the live lane brings."""
        last = self.log.stats().last_seq

        def done() -> bool:
            status = self.forwarder.status()
            return status.last_seq >= last and status.connected and status.live.events == 0

        await self.until(done, "live is there")

    async def forgotten(self) -> None:
        """Project at the hub, and wait until the log may forget all."""
        await self._hub.world.project()
        last = self.log.stats().last_seq
        await self.until(lambda: self.log.stats().consumers["forwarder"] >= last, "projected")

    async def until(self, condition: Callable[[], bool], what: str, within_s: float = 20.0) -> None:
        deadline = time.monotonic() + within_s
        while not condition():
            status = self.forwarder.status()
            assert time.monotonic() < deadline, f"not within {within_s} s: {what}: {status}"
            await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def edge(hub: Hub, *, opened: bool = False, **options: Any) -> AsyncIterator[EdgeLog]:
    """Run a forwarder; the log may be ``opened`` already."""
    made = EdgeLog(hub, **options)
    if not opened:
        await made.log.start()
    await made.forwarder.start()
    try:
        yield made
    finally:
        await made.forwarder.stop()
        await made.doors.close()
        await made.log.stop()
