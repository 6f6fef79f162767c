"""Reaching an agent, and finding out what it is."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mtd.model.device import Outcome
from mtd.sources.errors import SessionFailed
from mtd.sources.snmp import reasons
from mtd.sources.snmp.link import SnmpLink
from mtd.sources.tcp.connect import resolve

if TYPE_CHECKING:
    from mtd.core.clock import Clock
    from mtd.model.device import Device, SnmpSettings
    from mtd.sources.snmp.config import SnmpConfig
    from mtd.sources.steps import Steps

_SYS_OBJECT_ID = "1.3.6.1.2.1.1.2.0"
_ROUTEROS = b"1.3.6.1.4.1.14988.1"
_MIN_ATTEMPT_S = 0.5


async def open_link(device: Device, config: SnmpConfig, steps: Steps, reactor: Any) -> SnmpLink:
    """Return a link to an agent that answered, and is RouterOS's. Raises `SessionFailed`."""
    settings = device.snmp
    if settings is None:
        raise SessionFailed(
            Outcome.REFUSED, f"{device.name} has no settings for SNMP: give it a version, and who asks"
        )
    budget = device.connect_timeout_s
    with steps.step("resolve") as step:
        addresses = await resolve(device.host, reactor, budget)
        step.detail = ", ".join(addresses)
    budget = max(_MIN_ATTEMPT_S, budget - step.duration_us / 1e6)  # resolving and asking share the time-out
    with steps.step("snmp") as step:
        link, address = await _first(device, settings, addresses, config, steps.clock, budget)
        step.detail = f"{address} port {settings.port} (UDP), version {settings.version}"
    return link


async def _first(
    device: Device,
    settings: SnmpSettings,
    addresses: Sequence[str],
    config: SnmpConfig,
    clock: Clock,
    budget: float,
) -> tuple[SnmpLink, str]:
    """Return a link to the first address that answers."""
    failure: SessionFailed | None = None
    for address in addresses:
        try:
            return await _try(device, settings, address, config, clock, budget / len(addresses)), address
        except SessionFailed as error:
            # The first address is the one that the resolver prefers: what it says counts.
            failure = failure or error
    assert failure is not None
    raise failure


async def _try(
    device: Device, settings: SnmpSettings, address: str, config: SnmpConfig, clock: Clock, limit: float
) -> SnmpLink:
    link = SnmpLink(device, address, config, clock)
    try:
        async with asyncio.timeout(limit):
            told = (await link.get([_SYS_OBJECT_ID])).get(_SYS_OBJECT_ID)
    except TimeoutError:
        link.close()
        raise SessionFailed(Outcome.TIMED_OUT, reasons.silent(device, settings, limit)) from None
    except SessionFailed:
        link.close()
        raise
    if isinstance(told, bytes) and (told == _ROUTEROS or told.startswith(_ROUTEROS + b".")):
        return link
    link.close()
    if link.unreadable:
        raise SessionFailed(Outcome.PROTOCOL_ERROR, reasons.no_snmp(device, settings))
    name = told.decode("ascii", "replace") if isinstance(told, bytes) else ""
    raise SessionFailed(Outcome.PROTOCOL_ERROR, reasons.no_routeros(device, settings, name))
