"""Testing what a device tells over SNMP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mtd.core.clock import SYSTEM_CLOCK
from mtd.plugin.snmp_tables import snmp_tables
from mtd.sources.snmp.config import SnmpConfig
from mtd.sources.snmp.opening import open_link
from mtd.sources.snmp.session import SnmpSession
from mtd.sources.tcp.reactor import default_reactor
from mtd.sources.trial import ConnectionTest, try_session

if TYPE_CHECKING:
    from mtd.core.clock import Clock
    from mtd.model.device import Device
    from mtd.plugin.declaration.snmp import SnmpTable
    from mtd.sources.steps import Steps


async def test_snmp(
    device: Device,
    tables: Mapping[str, SnmpTable] | None = None,  # noqa: PT028 - not a test case
    *,
    clock: Clock = SYSTEM_CLOCK,  # noqa: PT028
    config: SnmpConfig | None = None,  # noqa: PT028
    reactor: Any = None,  # noqa: PT028
) -> ConnectionTest:
    """Ask who the device is. Never raises for what it does, or doesn't."""
    settings = config or SnmpConfig()
    finder = reactor if reactor is not None else default_reactor()
    known = snmp_tables(()) if tables is None else tables

    async def open_session(steps: Steps) -> SnmpSession:
        link = await open_link(device, settings, steps, finder)
        return SnmpSession(link, known, settings, clock)

    return await try_session(device, open_session, clock, "a community that may read")


test_snmp.__test__ = False  # type: ignore[attr-defined]  # not a test case, whatever pytest thinks
