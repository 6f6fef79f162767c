"""Looks for routers in a subnet that the configuration lists: slowly, and not too much at a time."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import TYPE_CHECKING, Any

from mtd.core.callers import Callers
from mtd.core.clock import SYSTEM_CLOCK, Clock
from mtd.core.errors import Refused
from mtd.core.limits import TokenBucket
from mtd.core.service import TaskGroup
from mtd.discovery import metrics
from mtd.discovery.errors import ScanBusy, SubnetNotListed
from mtd.discovery.knocks import API_DOORS, WEB_DOORS, Answer, Door, knock
from mtd.model.device import Severity
from mtd.model.observation import StateChange
from mtd.model.sighting import FoundBy, Sighting

if TYPE_CHECKING:
    from mtd.discovery.config import DiscoveryConfig
    from mtd.discovery.sightings import Sightings
    from mtd.ingest.recorder import Recorder

Network = IPv4Network | IPv6Network
_REPORT_S = 0.5
_STOP_S = 1.0
STARTED, ENDED = "scan.started", "scan.ended"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that answered."""

    address: str
    port: int
    answer: Answer


@dataclass(frozen=True, slots=True)
class ScanReport:
    """How far a scan is; ``findings`` are those since the report before."""

    addresses: int
    done: int
    findings: Sequence[Finding]
    complete: bool = False


@dataclass(slots=True)
class _Scan:
    """A scan under way."""

    tenant_id: str
    addresses: Iterator[IPv4Address | IPv6Address]
    doors: Sequence[Door]
    count: int
    pace: TokenBucket
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    done: int = 0
    found: int = 0
    findings: list[Finding] = field(default_factory=list)


class Scanner:
    """Scans, one at a time. ``tenant_id`` is whose the listed subnets are: nobody else's are known."""

    def __init__(
        self,
        config: DiscoveryConfig,
        tenant_id: str,
        sightings: Sightings,
        recorder: Recorder,
        reactor: Any,
        *,
        clock: Clock = SYSTEM_CLOCK,
        api_doors: Sequence[Door] = API_DOORS,
        web_doors: Sequence[Door] = WEB_DOORS,
    ) -> None:
        self._config = config
        self._tenant_id = tenant_id
        self._sightings = sightings
        self._recorder = recorder
        self._reactor = reactor
        self._clock = clock
        self._api_doors = tuple(api_doors)
        self._web_doors = tuple(web_doors)
        self._busy = ""
        self._callers = Callers()

    async def stop(self) -> None:
        """End the scan that is under way."""
        await self._callers.send_away(_STOP_S)

    async def scan(
        self, tenant_id: str, subnet: str, caller: str, *, web: bool = False
    ) -> AsyncGenerator[ScanReport, None]:
        """Yield how far it is and what answers; what is RouterOS becomes a sighting. Close it to end the scan.

        Raises Refused, SubnetNotListed, ScanBusy.
        """
        network = self._allowed(tenant_id, subnet)
        if self._busy:
            raise ScanBusy(f"{self._busy} is being scanned")
        with self._callers.inside():
            reports = self._run(tenant_id, network, caller, web=web)
            async with aclosing(reports):
                async for report in reports:
                    yield report

    async def _run(
        self, tenant_id: str, network: Network, caller: str, *, web: bool
    ) -> AsyncGenerator[ScanReport, None]:
        self._busy = str(network)
        scan = _Scan(
            tenant_id,
            iter(network.hosts()),
            self._api_doors + (self._web_doors if web else ()),
            _count(network),
            TokenBucket(self._config.scan_per_s, max(1.0, self._config.scan_per_s / 10), clock=self._clock),
        )
        self._tell(STARTED, network, "running", f"{caller} has {network} scanned: {scan.count} addresses")
        workers = TaskGroup("scan")
        result = "cancelled"
        try:
            width = min(self._config.scan_connections, scan.count)
            tasks = {workers.spawn(str(number), self._work(scan)) for number in range(width)}
            while tasks:
                _, tasks = await asyncio.wait(tasks, timeout=_REPORT_S)
                if tasks:
                    yield _report(scan)
            result = "done"
            yield _report(scan, complete=True)
        finally:
            await workers.stop()
            self._busy = ""
            text = f"{network}, which {caller} had scanned, {result}: {scan.done} of {scan.count} addresses, {scan.found} routers"
            self._tell(ENDED, network, result, text)

    def _allowed(self, tenant_id: str, subnet: str) -> Network:
        """Return the subnet if it may be scanned."""
        try:
            network = ipaddress.ip_network(subnet.strip(), strict=False)
        except ValueError:
            raise Refused(f"{subnet[:80]!r} is no subnet, such as 192.0.2.0/24") from None
        listed = [ipaddress.ip_network(text) for text in self._config.subnets]
        if tenant_id != self._tenant_id or not any(_within(network, one) for one in listed):
            raise SubnetNotListed(f"{network} isn't, and isn't part of, a subnet that may be scanned")
        if _count(network) > self._config.scan_max_addresses:
            raise Refused(
                f"{network} has {_count(network):,} addresses, a scan at most {self._config.scan_max_addresses:,}: "
                "scan it in parts"
            )
        return network

    async def _work(self, scan: _Scan) -> None:
        for address in scan.addresses:
            await self._look(scan, str(address))
            scan.done += 1

    async def _look(self, scan: _Scan, address: str) -> None:
        ports = []
        for door in scan.doors:
            async with scan.turn:
                await asyncio.sleep(scan.pace.wait_s())
                scan.pace.take()
            metrics.KNOCKS.inc()
            answer = await knock(address, door, self._reactor, self._config.scan_timeout_s)
            if answer is None:
                continue
            scan.findings.append(Finding(address, door.port, answer))
            if answer is not Answer.OPEN:
                ports.append(door.port)
        if ports:
            scan.found += 1
            self._sightings.seen(scan.tenant_id, Sighting(FoundBy.SCAN, address, ports=tuple(ports)))

    def _tell(self, event_type: str, network: Network, new: str, message: str) -> None:
        old = "" if event_type == STARTED else "running"
        change = StateChange(
            event_type, Severity.INFO, "scan", str(network), str(network), "run", old, new, message
        )
        self._recorder.record_event(change)


def _report(scan: _Scan, *, complete: bool = False) -> ScanReport:
    findings, scan.findings = scan.findings, []
    return ScanReport(scan.count, scan.done, findings, complete)


def _within(network: Network, listed: Network) -> bool:
    if isinstance(network, IPv4Network):
        return isinstance(listed, IPv4Network) and network.subnet_of(listed)
    return isinstance(listed, IPv6Network) and network.subnet_of(listed)


def _count(network: Network) -> int:
    """Return how many addresses `hosts` gives, without counting them one by one."""
    size = network.num_addresses
    if size <= 2:
        return size
    return size - 2 if isinstance(network, IPv4Network) else size - 1
