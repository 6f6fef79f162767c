"""Coordination in the daemon: who decides, who asks, and what is written of it."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from typing import TYPE_CHECKING, NoReturn

from mtd import __version__
from mtd.api.interfaces import ReadyCheck
from mtd.app.unreadable import UnreadableDevices
from mtd.coordination.coordinator import Coordinator, Decision
from mtd.coordination.inventory import InventoryFeed
from mtd.coordination.moves import collector_change, moved
from mtd.coordination.seat import LocalSeat
from mtd.coordination.service import Coordination
from mtd.core.errors import MtdError
from mtd.core.service import TaskGroup
from mtd.model.assignment import CollectorFacts
from mtd.model.tenant import NO_TENANT_ID
from mtd.storage.stores.assignments import AssignmentStore
from mtd.storage.stores.redundant import forget_old_polls

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mtd.app.config import Settings
    from mtd.app.pools import Pools
    from mtd.app.tenancy import Tenancy
    from mtd.coordination.interfaces import ILeaseStore
    from mtd.coordination.planning import Move
    from mtd.ingest.recorder import Recorder
    from mtd.model.device import Device
    from mtd.model.observation import StateChange
    from mtd.storage.stores.memberships import MemberRow
    from mtd.storage.stores.polled import PolledDevices

_FORGET_S = 600.0
_MOVES_OF_A_STEP = 50


class Coordinating:
    """The hub's side: it decides, or stands by. ``seat`` is where this process polls from, if it does.

    ``on_devices`` hears of all devices whenever the inventory was read; ``leases`` is started and stopped by others.
    """

    def __init__(
        self,
        settings: Settings,
        pools: Pools,
        polled: PolledDevices,
        tenancy: Tenancy,
        recorder: Recorder,
        on_devices: Callable[[Sequence[Device]], None],
        leases: ILeaseStore,
    ) -> None:
        config, name = settings.coordination, settings.daemon.collector_id
        self._recorder = recorder
        self._on_devices = on_devices
        self._name = name
        self._unreadable = UnreadableDevices(recorder)
        self._writer = pools.writer
        self._redundant_days = settings.projections.redundant_days
        self._tasks = TaskGroup("coordinating")
        self.inventory = InventoryFeed(polled, tenancy.shut_tenants, tenancy.serves)
        self.leases = leases
        self.coordination = Coordination(self.leases, pools.coordination, self.inventory, config)
        instance_id = str(uuid.uuid4())
        self.coordinator = Coordinator(
            self.leases,
            AssignmentStore(pools.coordination),
            config,
            (name, instance_id),
            self._decided,
            self._read,
        )
        tenants = frozenset({tenancy.sole}) if tenancy.sole else None
        self.seat = LocalSeat(
            self.coordination,
            CollectorFacts(name, name, instance_id, tenants, __version__, edge=False),
            config,
        )
        self.inventory.listeners.append(self._read)
        self.coordination.plan_listeners.append(self.coordinator.look_again)

    async def start(self) -> None:
        """Begin to follow the inventory and to answer collectors. The coordinator is started by itself."""
        self.inventory.start()
        await self.coordination.start()
        self._tasks.spawn("upkeep", self._forget_old_polls())

    async def stop(self) -> None:
        """Answer nobody any more."""
        await self._tasks.stop()
        await self.coordination.stop()
        await self.inventory.stop()

    def checks(self) -> Sequence[ReadyCheck]:
        """Return the state of each part, for ``/readyz``."""
        inventory = self.inventory.failure
        return [
            ReadyCheck("inventory", not inventory, inventory),
            ReadyCheck("coordination", not self.failure, self.failure),
        ]

    @property
    def failure(self) -> str:
        """Why devices aren't assigned as they should be; empty if they are."""
        standing = self.coordinator.standing
        if standing.failure:
            return f"who polls what can't be decided: {standing.failure}"
        if standing.held:
            name, count = max(standing.held.items(), key=lambda item: item[1])
            return (
                f"{count} devices are polled by the collector {name!r} alone, which isn't heard of: if it is gone for"
                f" good, let others have them with `mtd collector release {name}`"
            )
        return self.seat.failure

    async def _forget_old_polls(self) -> NoReturn:
        while True:
            await asyncio.sleep(_FORGET_S)
            if self.coordinator.standing.active:
                with contextlib.suppress(MtdError):  # the next time
                    await forget_old_polls(self._writer, self._redundant_days)

    def _read(self) -> None:
        self._on_devices(list(self.inventory.devices.values()))
        if self.coordinator.standing.active:
            self._unreadable.report(self.inventory.unreadable)
        self.coordinator.look_again()

    def _decided(self, decision: Decision) -> None:
        for member in decision.came:
            self._tell(member.tenant_id, collector_change(member, online=True), member.collector_id)
        for member in decision.went:
            self._tell(member.tenant_id, collector_change(member, online=False), member.collector_id)
        moves = [move for move in decision.moves if move.old]
        if moves:
            self._tasks.spawn("moves", self._tell_moves(moves, decision.members))

    async def _tell_moves(self, moves: Sequence[Move], members: Mapping[str, MemberRow]) -> None:
        for number, move in enumerate(moves, start=1):
            self._recorder.record_event_of(move.tenant_id, moved(move, members), move.device_id)
            if number % _MOVES_OF_A_STEP == 0:
                await asyncio.sleep(0)

    def _tell(self, tenant_id: str, change: StateChange, collector_id: str) -> None:
        if collector_id == self._name:
            return  # whose start is an event already
        if tenant_id == NO_TENANT_ID:
            self._recorder.record_event(change)
        else:
            self._recorder.record_event_of(tenant_id, change)
