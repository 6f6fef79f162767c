"""The polling half of an edge: what its seat assigns."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any

from mtd.app.collecting import Collecting
from mtd.storage.stores.polled import InventorySnapshot

if TYPE_CHECKING:
    from mtd.app.config import Settings
    from mtd.app.edge_interfaces import Seating
    from mtd.ingest.recorder import Recorder
    from mtd.plugin.manager import PluginManager


class SeatDevices:
    """The devices of a seat, as an inventory that is followed."""

    def __init__(self, seat: Any) -> None:
        self._seat = seat
        self._devices: tuple[Any, ...] = ()

    async def snapshot(self) -> InventorySnapshot:
        """Return what is assigned."""
        return InventorySnapshot(self._devices, ())

    async def watch(self) -> AsyncGenerator[None, None]:
        """Yield whenever something else is assigned."""
        async with contextlib.aclosing(self._seat.assignments()) as assignments:
            async for assignment in assignments:
                before = {device.device_id for device in self._devices}
                self._devices = tuple(one.device for one in assignment.devices.values())
                yield None
                await asyncio.sleep(0)
                gone = before - assignment.devices.keys()
                if gone:
                    await self._seat.released(gone)


def edge_collecting(
    settings: Settings, recorder: Recorder, plugins: PluginManager, seating: Seating
) -> Collecting:
    """Return what polls the devices of a seat."""
    return Collecting(
        settings,
        recorder,
        SeatDevices(seating.seat),  # type: ignore[arg-type]
        plugins,
        seating.load_tables,
        lambda _devices: None,
        seating.pseudonym_of,
    )
