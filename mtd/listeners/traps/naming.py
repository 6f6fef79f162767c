"""What interfaces are called: traps tell of them by number, and often by nothing else."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, TypeAlias

from mtd.core.errors import MtdError

if TYPE_CHECKING:
    from mtd.core.clock import Clock
    from mtd.model.device import Device

logger = logging.getLogger(__name__)

Named: TypeAlias = Mapping[str, tuple[str, str]]
"""Names and labels of a device's interfaces by their ids; a label is what its setting makes of name and comment."""

ReadNames = Callable[[str, str], Awaitable[Named]]
"""Returns them: of a tenant's id and the device's."""

_KNOWN_FOR_S = 60.0
_UNKNOWN_FOR_S = 5.0  # before its first poll a device has none
_MOST_DEVICES = 1000
_TIMEOUT_S = 2.0


class Names:
    """Names of interfaces, known for a minute, or a few seconds if there are none. Bound: so many devices; policy: who wasn't asked about for longest goes."""

    def __init__(self, read: ReadNames | None, clock: Clock) -> None:
        self._read = read
        self._clock = clock
        self._known: OrderedDict[str, tuple[float, Named]] = OrderedDict()

    def known(self, device: Device) -> Named | None:
        """Return what the interfaces of a device are called; None if they have to be asked for."""
        if self._read is None:
            return {}
        until, names = self._known.get(device.device_id, (0.0, {}))
        return names if self._clock.monotonic() < until else None

    async def ask(self, device: Device) -> Named:
        """Read them; return what is known, nothing if that can't be told in time."""
        assert self._read is not None
        names: Named = {}
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                names = await self._read(device.tenant_id, device.device_id)
        except (MtdError, TimeoutError) as error:
            reason = str(error) or "it takes too long"
            logger.warning("names of the interfaces of %s can't be read: %s", device.name, reason)
        until = self._clock.monotonic() + (_KNOWN_FOR_S if names else _UNKNOWN_FOR_S)
        self._known[device.device_id] = (until, names)
        self._known.move_to_end(device.device_id)
        if len(self._known) > _MOST_DEVICES:
            self._known.popitem(last=False)
        return names
