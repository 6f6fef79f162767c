"""SNMP as a source: one device, asked for what SNMP has words for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mtd.core.clock import SYSTEM_CLOCK
from mtd.model.device import Way
from mtd.sources.session_source import SessionSource
from mtd.sources.snmp import metrics
from mtd.sources.snmp.config import SnmpConfig
from mtd.sources.snmp.opening import open_link
from mtd.sources.snmp.session import SnmpSession
from mtd.sources.steps import Steps
from mtd.sources.tcp.reactor import default_reactor

if TYPE_CHECKING:
    from mtd.core.clock import Clock
    from mtd.model.device import Device
    from mtd.plugin.declaration.snmp import SnmpTable


class SnmpSource(SessionSource[SnmpSession]):
    """What SNMP tells of one device. See `ISource`; ``tables`` are by the paths of commands."""

    way = Way.SNMP
    sessions = metrics.SESSIONS
    connects = metrics.CONNECTS
    failures = metrics.FAILURES

    def __init__(
        self,
        device: Device,
        tables: Mapping[str, SnmpTable],
        *,
        clock: Clock = SYSTEM_CLOCK,
        config: SnmpConfig | None = None,
        reactor: Any = None,
    ) -> None:
        super().__init__(device)
        self._tables = tables
        self._clock = clock
        self._settings = config or SnmpConfig()
        self._reactor = reactor if reactor is not None else default_reactor()

    async def open(self) -> SnmpSession:
        """Find out that the device answers, and that it is RouterOS."""
        link = await open_link(self.device, self._settings, Steps(self._clock), self._reactor)
        return SnmpSession(link, self._tables, self._settings, self._clock)
