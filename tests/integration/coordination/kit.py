"""Several hubs and collectors on one database, without routers."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from mtd.coordination.config import CoordinationConfig
from mtd.coordination.coordinator import Coordinator, Decision
from mtd.coordination.inventory import InventoryFeed
from mtd.coordination.postgres import PostgresLeaseStore
from mtd.coordination.seat import LocalSeat
from mtd.coordination.service import Coordination
from mtd.core.clock import LEASE_CLOCK
from mtd.core.errors import Retryable
from mtd.model.assignment import Assignment, CollectorFacts
from mtd.model.device import DEFAULT_TENANT_ID, Device
from mtd.storage.errors import StorageUnavailable
from mtd.storage.pool import Database
from mtd.storage.stores.assignments import AssignmentStore
from mtd.storage.stores.polled import InventorySnapshot
from mtd.storage.txn import Transaction

QUICK = CoordinationConfig(lease_s=2.0, renew_s=0.3, margin_s=0.2, check_s=0.1)
SLOW = CoordinationConfig(lease_s=120.0, renew_s=0.3, margin_s=0.2, check_s=0.1)


class TableOfDevices:
    """The inventory, without secrets."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def watch(self) -> AsyncIterator[None]:
        changed = asyncio.Event()
        listening = await self._database.listen("mtd_device", lambda _: changed.set())
        try:
            while True:
                await changed.wait()
                changed.clear()
                yield
        finally:
            await listening.stop()

    async def snapshot(self) -> InventorySnapshot:
        async def read(tx: Transaction) -> list[Device]:
            await tx.execute("SELECT device_id::text, tenant_id::text, name FROM device")
            return [Device(*row, "192.0.2.1", 8728, "u", "p") for row in tx.fetchall()]

        return InventorySnapshot(await self._database.run("test.devices", read))


class Cut:
    """A store of leases that a process can be cut off from."""

    def __init__(self, database: Database) -> None:
        self._store = PostgresLeaseStore(database)
        self.is_cut = False

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)

        async def call(*arguments: Any) -> Any:
            if self.is_cut:
                raise StorageUnavailable("cut off")
            return await method(*arguments)

        return call


@dataclass
class Ledger:
    """Who polls what, at each moment: two at a time are told from one."""

    polled: dict[str, set[str]] = field(default_factory=dict)  # device -> collectors
    doubles: list[str] = field(default_factory=list)
    processes: list[Process] = field(default_factory=list)

    def suspect(self, key: str) -> None:
        """Look at all at this moment: what one was seen to poll last, it may have ended without a turn to say so."""
        polling = [one.name for one in self.processes if not one.ended and one.may_poll(key)]
        if len(polling) > 1:
            self.doubles.append(f"{key}: {polling}")


class Process:
    """A hub that polls: all of it, but for routers."""

    def __init__(
        self,
        dsn: str,
        name: str,
        ledger: Ledger,
        config: CoordinationConfig = QUICK,
        tenants: Iterable[str] | None = None,
        *,
        edge: bool = False,
    ) -> None:
        self.name = name
        self.database = Database.for_writing(dsn)
        self.cut = Cut(self.database)
        leases: Any = self.cut
        devices: Any = TableOfDevices(self.database)
        self.inventory = InventoryFeed(devices)
        self.coordination = Coordination(leases, self.database, self.inventory, config)
        self.instance_id = str(uuid.uuid4())
        self.store = AssignmentStore(self.database)
        self.decisions: list[Decision] = []
        self.coordinator = Coordinator(
            leases, self.store, config, (name, self.instance_id), self.decisions.append
        )
        served = None if tenants is None else frozenset(tenants)
        facts = CollectorFacts(name, name, self.instance_id, served, "1.0", edge=edge)
        self.seat = LocalSeat(self.coordination, facts, config)
        self.coordination.plan_listeners.append(self.coordinator.look_again)
        self.inventory.listeners.append(self.coordinator.look_again)
        self.assignment: Assignment | None = None
        self.polls: set[str] = set()
        self.ended = False
        self._ledger = ledger
        ledger.processes.append(self)
        self._polling: asyncio.Task[None] | None = None

    async def start(self, *, coordinates: bool = True, polls: bool = True) -> Process:
        self.inventory.start()
        await self.coordination.start()
        if coordinates:
            await self.coordinator.start()
        if polls:
            await self.seat.start()
            self._polling = asyncio.create_task(self._poll())
        return self

    async def stop(self) -> None:
        await self.coordinator.stop()
        await self._end_polling()
        await self.seat.stop()
        await self._close()

    async def kill(self) -> None:
        """End it without a word to anybody; again does nothing."""
        if self.ended:
            return
        await self._end_polling()
        for tasks in (self.seat._tasks, self.coordinator._tasks):
            await tasks.stop()
        await self._close()

    async def _end_polling(self) -> None:
        if self._polling is not None:
            self._polling.cancel()
            await asyncio.gather(self._polling, return_exceptions=True)
        self._note(set())

    async def _close(self) -> None:
        self.ended = True
        await self.coordination.stop()
        await self.inventory.stop()
        await self.database.stop()

    async def _poll(self) -> None:
        """Begin and end polling as a process does, and look all the time at what it may."""
        looking = asyncio.create_task(self._look())
        try:
            async with contextlib.aclosing(self.seat.assignments()) as assignments:
                async for assignment in assignments:
                    gone = set() if self.assignment is None else self.assignment.devices.keys()
                    self.assignment = assignment
                    self.look()
                    leaving = {*gone, *self.seat.leaving()} - assignment.devices.keys()
                    await self.seat.released(leaving)
                    self.look()
        finally:
            looking.cancel()

    async def _look(self) -> None:
        while True:
            self.look()
            await asyncio.sleep(0.005)

    def look(self) -> None:
        """Note what is polled at this moment."""
        devices = () if self.assignment is None else self.assignment.devices
        self._note({key for key in devices if self.seat.may_poll(key)})

    def _note(self, polls: set[str]) -> None:
        for key in self.polls - polls:
            self._ledger.polled[key].discard(self.name)
        for key in polls - self.polls:
            holders = self._ledger.polled.setdefault(key, set())
            holders.add(self.name)
        self.polls = polls
        for key in polls:
            if len(self._ledger.polled[key]) > 1:
                self._ledger.suspect(key)

    def may_poll(self, key: str) -> bool:
        """Whether it would poll a device at this moment."""
        return self.assignment is not None and key in self.assignment.devices and self.seat.may_poll(key)


class World:
    """A database with devices, and processes on it."""

    def __init__(self, dsn: str, config: CoordinationConfig = QUICK) -> None:
        self.dsn = dsn
        self.config = config
        self.ledger = Ledger()
        self.processes: list[Process] = []
        self.database = Database.for_writing(dsn)

    def process(self, name: str, **given: Any) -> Process:
        """Return a process that isn't started."""
        made = Process(self.dsn, name, self.ledger, self.config, **given)
        self.processes.append(made)
        return made

    async def run(self, sql: str, *params: Any) -> list[Any]:
        """Run a statement; return its rows."""

        async def body(tx: Transaction) -> list[Any]:
            await tx.execute(sql, params)
            return tx.fetchall() if sql.lstrip().startswith("SELECT") or "RETURNING" in sql else []

        return await self.database.run("test", body)

    async def add_devices(self, count: int, tenant_id: str = DEFAULT_TENANT_ID) -> None:
        """Put devices into the inventory."""
        await self.run(
            "INSERT INTO device (tenant_id, name, host, port, username, tls_mode)"
            " SELECT %s, 'd' || gen_random_uuid(), '192.0.2.1', 8728, 'u', 'off' FROM generate_series(1, %s)",
            tenant_id,
            count,
        )

    async def settled(self) -> None:
        """Wait until nothing is being let go, or withdrawn."""
        sql = "SELECT count(*) FROM device_assignment WHERE hold = 'withdrawn' OR state <> 'assigned'"
        async with asyncio.timeout(15):
            while await self.run(sql) != [(0,)]:
                await asyncio.sleep(0.02)

    def counts(self) -> dict[str, int]:
        """Return how many devices each process polls now."""
        return {one.name: len(one.polls) for one in self.processes if one.polls}


async def until(true: Callable[[], object], what: str, within_s: float = 15.0) -> None:
    """Wait for a condition."""
    ends = LEASE_CLOCK.monotonic() + within_s
    while not true():
        if LEASE_CLOCK.monotonic() > ends:
            raise AssertionError(f"not within {within_s:g} s: {what}")
        await asyncio.sleep(0.01)


async def with_world(dsn: str, body: Callable[[World], Awaitable[None]], **given: Any) -> None:
    """Run a test's body, and end all that it started."""
    world = World(dsn, **given)
    try:
        await body(world)
        assert world.ledger.doubles == []
    finally:
        for process in world.processes:
            with contextlib.suppress(Retryable):
                await process.kill()
        await world.database.stop()
