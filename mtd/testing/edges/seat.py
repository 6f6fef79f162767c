"""A seat that reads a file of devices: what is forwarded can be tried without what assigns."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from zope.interface import implementer

from mtd.app.edge_interfaces import EdgeParts, Seating
from mtd.coordination.interfaces import ISeat
from mtd.model.assignment import AssignedDevice, Assignment
from mtd.model.device import Device, TlsMode

_LOOK_S = 0.2


@implementer(ISeat)
class FileSeat:
    """Assigns the devices of a JSON file, a list of objects with the fields of ``Device``; looks at it now and then."""

    def __init__(self, path: Path, collector_id: str) -> None:
        self.collector_id = collector_id
        self._path = path

    async def start(self) -> None:
        """See ISeat."""

    async def stop(self) -> None:
        """See ISeat."""

    async def assignments(self) -> AsyncGenerator[Assignment, None]:
        """See ISeat."""
        before, revision = "", 0
        while True:
            text = self._path.read_text() if self._path.exists() else "[]"
            if text != before:
                before, revision = text, revision + 1
                devices = [
                    Device(**{**one, "tls_mode": TlsMode(one["tls_mode"])}) for one in json.loads(text)
                ]
                assigned = {one.device_id: AssignedDevice(one, 1, exclusive=True) for one in devices}
                yield Assignment(revision, assigned)
            await asyncio.sleep(_LOOK_S)

    def may_poll(self, device_id: str) -> bool:
        """See ISeat."""
        return True

    def epoch_of(self, device_id: str) -> int:
        """See ISeat."""
        return 0

    async def released(self, device_ids: Collection[str]) -> None:
        """See ISeat."""


def take_file_seat(path: Path) -> Any:
    """Return what makes a seat of a file."""

    async def take(parts: EdgeParts) -> Seating:
        seat = FileSeat(path, parts.identity.name)

        async def no_tables(_: Iterable[str]) -> Mapping[str, Any]:
            return {}

        return Seating(seat, no_tables, lambda _: None, seat.start, seat.stop, lambda: "")

    return take
