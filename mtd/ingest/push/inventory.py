"""The devices that rows may be about, and what people call the things on them."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping
from contextlib import aclosing

from mtd.core.clock import SYSTEM_CLOCK, Clock
from mtd.core.errors import MtdError, Retryable
from mtd.core.service import TaskGroup
from mtd.storage.stores.ingest_inventory import IngestInventoryStore

logger = logging.getLogger(__name__)

_LOOK_AGAIN_S = 0.5
_DEADLINE_S = 5.0
_LABELS_S = 30.0
_LABELS_CACHED = 5000
_FOLLOW_RETRY_S = 2.0


class KnownDevices:
    """All devices of all tenants by name and id, in memory: batches are taken while PostgreSQL is away.

    Follows the inventory; what it doesn't know yet is looked up.
    """

    def __init__(self, store: IngestInventoryStore, clock: Clock = SYSTEM_CLOCK) -> None:
        self._store = store
        self._clock = clock
        self._tasks = TaskGroup("ingest.devices")
        self._by_tenant: Mapping[str, Mapping[str, str]] = {}
        self._tenants: Mapping[str, str] = {}
        self._reading = asyncio.Lock()
        self._read_at = float("-inf")
        self._labels: OrderedDict[str, tuple[float, Mapping[tuple[str, str, str], str]]] = OrderedDict()

    async def start(self) -> None:
        """Begin to follow the inventory, in the background."""
        self._tasks.spawn("follow", self._follow())

    async def stop(self) -> None:
        """Stop."""
        await self._tasks.stop()

    async def _follow(self) -> None:
        while True:
            try:
                async with aclosing(self._store.watch()) as changes:
                    async for _ in changes:
                        async with self._reading:
                            await self._read()
                        # Of many changes, some are read at a time; what is new and named is looked up meanwhile.
                        await asyncio.sleep(_LOOK_AGAIN_S)
            except MtdError as error:
                logger.warning("the devices that may be sent for can't be read: %s", error)
            await asyncio.sleep(_FOLLOW_RETRY_S)

    async def of_tenant(self, tenant_id: str, named: Collection[str]) -> Mapping[str, str]:
        """Return the ids of a tenant's devices by name and by id. Raises Retryable if one is new and can't be read."""
        if not self._by_tenant.get(tenant_id, {}).keys() >= set(named):
            await self._look_again()
        return self._by_tenant.get(tenant_id, {})

    async def tenants_of(self, device_ids: Collection[str]) -> Mapping[str, str]:
        """Return the tenants of devices by id; those that aren't there are missing. Raises Retryable."""
        if not self._tenants.keys() >= set(device_ids):
            await self._look_again()
        return self._tenants

    async def _look_again(self) -> None:
        """Read all devices, as they are from now on: one may have been added in this moment.

        Who sends for what isn't there can't make us read all the time.
        """
        asked_at = self._clock.monotonic()
        try:
            async with asyncio.timeout(_DEADLINE_S), self._reading:
                if self._read_at > asked_at:
                    return  # somebody else did meanwhile
                await asyncio.sleep(max(0.0, self._read_at + _LOOK_AGAIN_S - asked_at))
                await self._read()
        except TimeoutError:
            raise Retryable("the inventory can't be read now, and a device isn't known") from None

    async def _read(self) -> None:
        began = self._clock.monotonic()
        rows = await self._store.devices()
        self._by_tenant, self._tenants = await asyncio.to_thread(_by_name, rows)
        self._read_at = began
        # To be read again, and good as long as that can't be.
        for device_id, (_, labels) in self._labels.items():
            self._labels[device_id] = float("-inf"), labels

    async def labels(self, tenant_id: str, device_ids: Iterable[str]) -> Mapping[tuple[str, str, str], str]:
        """Return the instances that people's names for things stand for, by device, scope and name. Raises Retryable.

        Read again after half a minute: a rename is known by then.
        """
        now = self._clock.monotonic()
        found: dict[tuple[str, str, str], str] = {}
        missing = []
        for device_id in device_ids:
            read_at, labels = self._labels.get(device_id, (float("-inf"), {}))
            if now - read_at > _LABELS_S:
                missing.append(device_id)
            else:
                found.update(labels)
        if missing:
            found.update(await self._read_labels(tenant_id, missing, now))
        return found

    async def _read_labels(
        self, tenant_id: str, device_ids: Collection[str], now: float
    ) -> Mapping[tuple[str, str, str], str]:
        found: dict[tuple[str, str, str], str] = {}
        try:
            async with asyncio.timeout(_DEADLINE_S):
                read = await self._store.labels(tenant_id, device_ids)
        except (Retryable, TimeoutError):
            if not self._labels.keys() >= set(device_ids):
                raise Retryable("what things are called can't be read now") from None
            # What they were called of late: batches are taken while PostgreSQL is away.
            for device_id in device_ids:
                found.update(self._labels[device_id][1])
            return found
        for device_id in device_ids:
            self._remember(device_id, now, read.get(device_id, {}))
            found.update(read.get(device_id, {}))
        return found

    def _remember(self, device_id: str, now: float, labels: Mapping[tuple[str, str, str], str]) -> None:
        self._labels[device_id] = now, labels
        self._labels.move_to_end(device_id)
        while len(self._labels) > _LABELS_CACHED:
            self._labels.popitem(last=False)


def _by_name(
    rows: Iterable[tuple[str, str, str]],
) -> tuple[Mapping[str, Mapping[str, str]], Mapping[str, str]]:
    """Return ids by tenant and by name or id, and tenants by id. A name goes before an id that reads the same."""
    found: dict[str, dict[str, str]] = {}
    tenants: dict[str, str] = {}
    for tenant_id, device_id, _ in rows:
        found.setdefault(tenant_id, {})[device_id] = device_id
        tenants[device_id] = tenant_id
    for tenant_id, device_id, name in rows:
        found[tenant_id][name] = device_id
    return found, tenants
