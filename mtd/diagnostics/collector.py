"""Ping and traceroute from this machine, for what a router can't tell: whether it can be reached from here."""

from __future__ import annotations

import asyncio
import ipaddress
import statistics
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING

from gufo.ping import Ping, SelectionPolicy
from gufo.traceroute import HopInfo, Traceroute

from mtd.core.errors import Refused
from mtd.diagnostics.errors import CollectorUnable, ToolForbidden
from mtd.diagnostics.tools import ToolName, ToolRow
from mtd.diagnostics.values import Value

if TYPE_CHECKING:
    from mtd.diagnostics.config import DiagnosticsConfig
    from mtd.diagnostics.plans import Plan
    from mtd.model.device import Device

_ANSWER_S = 1.0
_DEFAULT_BYTES = 64


class CollectorTools:
    """Runs plans that are the collector's own."""

    def __init__(self, config: DiagnosticsConfig) -> None:
        self._targets = tuple(config.collector_targets)

    async def rows(self, plan: Plan, device: Device) -> AsyncGenerator[Sequence[ToolRow], None]:
        """Yield rows as they come. Raises Refused, ToolForbidden, CollectorUnable; the caller bounds the time."""
        address = await self._address(plan, device)
        run = _ping if plan.tool.name is ToolName.PING else _traceroute
        try:
            async with aclosing(run(plan, address)) as found:
                async for rows in found:
                    yield rows
        except PermissionError:
            raise CollectorUnable(
                "the daemon may not send ICMP: give it CAP_NET_RAW, or put its group into net.ipv4.ping_group_range"
            ) from None

    async def _address(self, plan: Plan, device: Device) -> str:
        """Return the address that is looked at. It is looked up here, once: what is checked is what is asked."""
        name = plan.told.get("address", device.host)
        try:
            found = await asyncio.get_running_loop().getaddrinfo(name, None, type=1)
        except OSError as error:
            raise Refused(f"address: {name!r} isn't known here: {error.strerror}") from None
        address = str(found[0][4][0]).partition("%")[0]
        if name != device.host and not _within(address, self._targets):
            raise ToolForbidden(
                f"address: from the collector only {device.name} itself and diagnostics.collector_targets"
                f" may be looked at, and {name} is none of them"
            )
        return address


def _within(address: str, networks: Iterable[ipaddress.IPv4Network | ipaddress.IPv6Network]) -> bool:
    parsed = ipaddress.ip_address(address)
    return any(parsed.version == network.version and parsed in network for network in networks)


async def _ping(plan: Plan, address: str) -> AsyncGenerator[Sequence[ToolRow], None]:
    given = plan.told
    count = int(given["count"])
    interval_s = int(given["interval"].removesuffix("ms")) / 1000
    size = int(given.get("size", _DEFAULT_BYTES))
    pinger = Ping(policy=SelectionPolicy.RAW_DGRAM, size=size, timeout=_ANSWER_S)
    times_ms: list[float] = []
    number = 0
    async for seconds in pinger.iter_rtt(address, interval=interval_s, count=count):
        row: dict[str, Value] = {"sequence": number, "host": address, "size_bytes": size}
        number += 1
        if seconds is None:
            row["status"] = "timeout"
        else:
            times_ms.append(seconds * 1000)
            row["time_ms"] = seconds * 1000
        row |= {"sent": number, "received": len(times_ms)}
        row["loss_pct"] = round(100 * (number - len(times_ms)) / number)
        if times_ms:
            row |= {
                "min_ms": min(times_ms),
                "avg_ms": statistics.fmean(times_ms),
                "max_ms": max(times_ms),
            }
        yield [row]


async def _traceroute(plan: Plan, address: str) -> AsyncGenerator[Sequence[ToolRow], None]:
    if ":" in address:
        raise Refused("the collector traces paths over IPv4 only: trace it from the router")
    given = plan.told
    rounds = int(given["count"])
    async with Traceroute(max_hops=int(given["max-hops"]), timeout=_ANSWER_S) as tracer:
        async for hop in tracer.traceroute(address, tries=rounds):
            yield [_hop(hop)]


def _hop(found: HopInfo) -> ToolRow:
    answers = [hop for hop in found.hops if hop is not None]
    sent = len(found.hops)
    row: dict[str, Value] = {"section": 0, "sent": sent}
    row["loss_pct"] = round(100 * (sent - len(answers)) / sent)
    if not answers:
        return row
    times_ms = [hop.rtt * 1000 for hop in answers]
    row |= {
        "address": answers[-1].addr,
        "avg_ms": statistics.fmean(times_ms),
        "best_ms": min(times_ms),
        "worst_ms": max(times_ms),
        "std_dev_ms": statistics.pstdev(times_ms),
    }
    if found.hops[-1] is not None:
        row["last_ms"] = times_ms[-1]
    return row
