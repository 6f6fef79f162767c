"""From what a caller wants to what is asked of the router: checked, bounded, and told in words."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Network
from typing import Protocol

from mtd.core.errors import Refused
from mtd.diagnostics import arguments as check
from mtd.diagnostics import tools
from mtd.diagnostics.config import DiagnosticsConfig
from mtd.diagnostics.errors import ToolForbidden
from mtd.diagnostics.tools import Tool
from mtd.model.command import Command

_DEFAULT_ROUNDS = 3
_UNTOLD = frozenset({"password"})
_GROUPINGS = ("address", "protocol", "port", "vlan", "dscp")


@dataclass(frozen=True, slots=True)
class Plan:
    """A run as it will be. ``interface``: has to be there; empty if none is named.

    ``from_collector``: this daemon runs it, not the router.
    """

    tool: Tool
    arguments: tuple[tuple[str, str], ...]
    seconds: float
    rows: int
    max_bytes: int
    interface: str = ""
    from_collector: bool = False

    @property
    def command(self) -> Command:
        """Return what the router is asked. Rows are counted as they come; what comes at once is bounded by bytes."""
        most = self.max_bytes
        return Command(self.tool.path, arguments=self.arguments, max_rows=most, max_bytes=most)

    @property
    def lasting(self) -> bool:
        """Whether the router was given the time, and ends the run itself."""
        return any(name == "duration" for name, _ in self.arguments)

    @property
    def told(self) -> dict[str, str]:
        """Return the arguments without secrets."""
        return {name: value for name, value in self.arguments if name not in _UNTOLD}

    @property
    def words(self) -> str:
        """Return the run in words, without secrets."""
        where = ["from the collector"] if self.from_collector else []
        return " ".join([self.tool.name, *where, *(f"{name}={value}" for name, value in self.told.items())])


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a caller allows a run. 0: the configuration's."""

    seconds: float = 0.0
    rows: int = 0


class Wish(Protocol):
    """What a caller wants to have run."""

    @property
    def tool(self) -> Tool:
        """Return the tool."""

    def plan(self, config: DiagnosticsConfig) -> Plan:
        """Return the run. Raises Refused with what is wrong, ToolForbidden if the configuration is against it."""


@dataclass(frozen=True, slots=True)
class Ping:
    """Ping a host. ``count`` 0: as many as the time has room for."""

    address: str
    count: int = 0
    interval_ms: int = 0
    size_bytes: int = 0
    source_address: str = ""
    interface: str = ""
    do_not_fragment: bool = False
    bounds: Bounds = field(default_factory=Bounds)
    from_collector: bool = False
    tool = tools.PING

    def plan(self, config: DiagnosticsConfig) -> Plan:
        """Return the run; see `Wish`."""
        seconds, rows = _bounds(self.bounds, config, self.tool)
        interval_ms = check.number(self.interval_ms or 1000, 10, 5000, "interval_ms")
        room = max(1, math.floor(seconds * 1000 / interval_ms))
        given = self._target()
        given["count"] = str(min(self.count or room, room, rows))
        given["interval"] = f"{interval_ms}ms"
        if self.size_bytes:
            given["size"] = str(check.number(self.size_bytes, 28, 65535, "size_bytes"))
        if self.source_address:
            given["src-address"] = check.address(self.source_address, "source_address")
        if self.interface:
            given["interface"] = check.interface(self.interface)
        if self.do_not_fragment:
            given["do-not-fragment"] = ""
        plan = _plan(self.tool, given, seconds, rows, config, self.interface)
        return replace(plan, from_collector=self.from_collector)

    def _target(self) -> dict[str, str]:
        if not self.from_collector:
            return {"address": check.host(self.address, "address")}
        if self.source_address or self.interface or self.do_not_fragment:
            raise Refused("source_address, interface and do_not_fragment are for pings from the router")
        return _collector_target(self.address)


@dataclass(frozen=True, slots=True)
class Traceroute:
    """Trace the path to a host."""

    address: str
    count: int = 0
    max_hops: int = 0
    udp: bool = False
    resolve_names: bool = False
    source_address: str = ""
    bounds: Bounds = field(default_factory=Bounds)
    from_collector: bool = False
    tool = tools.TRACEROUTE

    def plan(self, config: DiagnosticsConfig) -> Plan:
        """Return the run; see `Wish`."""
        seconds, rows = _bounds(self.bounds, config, self.tool)
        rounds = {
            "count": str(check.number(self.count or _DEFAULT_ROUNDS, 1, 1000, "count")),
            "max-hops": str(check.number(self.max_hops or 30, 1, 255, "max_hops")),
        }
        if self.from_collector:
            if self.source_address or self.resolve_names:
                raise Refused("source_address and resolve_names are for paths from the router")
            plan = _plan(self.tool, _collector_target(self.address) | rounds, seconds, rows, config)
            return replace(plan, from_collector=True)
        given = {
            "address": check.host(self.address, "address"),
            **rounds,
            "use-dns": "yes" if self.resolve_names else "no",
        }
        if self.udp:
            given["protocol"] = "udp"
        if self.source_address:
            given["src-address"] = check.address(self.source_address, "source_address")
        return _plan(self.tool, given, seconds, rows, config)


@dataclass(frozen=True, slots=True)
class Torch:
    """Show the flows of an interface, told apart by ``by`` and by what is filtered."""

    interface: str
    source: str = ""
    destination: str = ""
    ip_protocol: str = ""
    port: int = 0
    vlan_id: int = 0
    by: Sequence[str] = ()
    bounds: Bounds = field(default_factory=Bounds)
    tool = tools.TORCH

    def plan(self, config: DiagnosticsConfig) -> Plan:
        """Return the run; see `Wish`."""
        seconds, rows = _bounds(self.bounds, config, self.tool)
        by = {check.one_of(word, _GROUPINGS, "by") for word in self.by} or {"address", "protocol"}
        given = {"interface": check.interface(self.interface)}
        # RouterOS tells apart by what it filters; "any" filters nothing.
        given |= self._addresses("address" in by)
        if self.ip_protocol:
            given["ip-protocol"] = check.protocol(self.ip_protocol, "ip_protocol")
        elif "protocol" in by:
            given["ip-protocol"] = "any"
        for key, value, high, word in (
            ("port", self.port, 65535, "port"),
            ("vlan-id", self.vlan_id, 4095, "vlan"),
        ):
            if value:
                given[key] = str(check.number(value, 1, high, key))
            elif word in by:
                given[key] = "any"
        if "dscp" in by:
            given["dscp"] = "any"
        given["duration"] = _whole_seconds(seconds)
        return _plan(self.tool, given, seconds, rows, config, self.interface)

    def _addresses(self, apart: bool) -> dict[str, str]:
        """Return the filters of addresses: of IPv6 if one of them is, else of IPv4."""
        sides = {"src": (self.source, "source"), "dst": (self.destination, "destination")}
        nets = {side: check.network(text, what) for side, (text, what) in sides.items() if text}
        versions = {net.version for net in nets.values()}
        if len(versions) > 1:
            raise Refused("source, destination: one is of IPv4, the other of IPv6; no flow is both")
        suffix, everything = ("6", "::/0") if 6 in versions else ("", "0.0.0.0/0")
        return {
            f"{side}-address{suffix}": str(nets.get(side, everything))
            for side in sides
            if apart or side in nets
        }


@dataclass(frozen=True, slots=True)
class Sniff:
    """List the packets of an interface by their headers."""

    interface: str
    address: str = ""
    ip_protocol: str = ""
    port: int = 0
    mac_address: str = ""
    vlan_id: int = 0
    direction: str = ""
    bounds: Bounds = field(default_factory=Bounds)
    tool = tools.SNIFF

    def plan(self, config: DiagnosticsConfig) -> Plan:
        """Return the run; see `Wish`."""
        seconds, rows = _bounds(self.bounds, config, self.tool)
        given = {"interface": check.interface(self.interface)}
        if self.address:
            network = check.network(self.address, "address")
            given["ip-address" if isinstance(network, IPv4Network) else "ipv6-address"] = str(network)
        if self.ip_protocol:
            given["ip-protocol"] = check.protocol(self.ip_protocol, "ip_protocol")
        if self.port:
            given["port"] = str(check.number(self.port, 1, 65535, "port"))
        if self.mac_address:
            given["mac-address"] = check.mac(self.mac_address, "mac_address")
        if self.vlan_id:
            given["vlan-id"] = str(check.number(self.vlan_id, 1, 4095, "vlan_id"))
        if self.direction:
            given["direction"] = check.one_of(self.direction, ("any", "rx", "tx"), "direction")
        given["duration"] = _whole_seconds(seconds)
        return _plan(self.tool, given, seconds, rows, config, self.interface)


@dataclass(frozen=True, slots=True)
class BandwidthTest:
    """Measure what a path carries, against another router's bandwidth server."""

    address: str
    protocol: str = ""
    direction: str = ""
    max_bps: int = 0
    user: str = ""
    password: str = field(default="", repr=False)
    bounds: Bounds = field(default_factory=Bounds)
    tool = tools.BANDWIDTH_TEST

    def plan(self, config: DiagnosticsConfig) -> Plan:
        """Return the run; see `Wish`."""
        seconds, rows = _bounds(self.bounds, config, self.tool, config.max_bandwidth_seconds)
        if self.max_bps > config.max_bandwidth_bps:
            raise ToolForbidden(
                f"max_bps: {self.max_bps:,} bits per second are more than {config.max_bandwidth_bps:,}"
            )
        most = str(check.number(self.max_bps or config.max_bandwidth_bps, 1, 2**40, "max_bps"))
        given = {
            "address": check.address(self.address, "address"),
            "protocol": check.one_of(self.protocol or "udp", ("tcp", "udp"), "protocol"),
            "direction": check.one_of(
                self.direction or "receive", ("receive", "transmit", "both"), "direction"
            ),
            "local-tx-speed": most,
            "remote-tx-speed": most,
            "duration": _whole_seconds(seconds),
        }
        if self.user:
            given |= {"user": self.user, "password": self.password}
        elif self.password:
            raise Refused("password: there is no user that it could belong to")
        return _plan(self.tool, given, seconds, rows, config)


def _collector_target(address: str) -> dict[str, str]:
    """Return what a collector's tool is aimed at: the device itself if nothing is said."""
    return {"address": check.host(address, "address")} if address else {}


def _bounds(
    wanted: Bounds, config: DiagnosticsConfig, tool: Tool, most_s: float = math.inf
) -> tuple[float, int]:
    """Return seconds and rows of a run. Who asks for more than there may be is told so."""
    if tool.name not in config.tools:
        raise ToolForbidden(f"{tool.name} isn't among the tools that may be run")
    most_s = min(most_s, config.max_seconds)
    seconds = wanted.seconds or min(config.default_seconds, most_s)
    if not 0 < seconds <= most_s:
        raise ToolForbidden(f"seconds: {seconds:g} isn't between 0 and {most_s:g}")
    if not 0 <= wanted.rows <= config.max_rows:
        raise ToolForbidden(f"rows: {wanted.rows} are more than {config.max_rows}")
    return seconds, wanted.rows or config.max_rows


def _whole_seconds(seconds: float) -> str:
    # Routers count in seconds; ours is the exact bound.
    return f"{math.ceil(seconds)}s"


def _plan(
    tool: Tool,
    given: Mapping[str, str],
    seconds: float,
    rows: int,
    config: DiagnosticsConfig,
    interface: str = "",
) -> Plan:
    for name, value in given.items():
        if "\0" in value:
            raise Refused(f"{name}: a text can't hold U+0000")
    return Plan(tool, tuple(given.items()), seconds, rows, config.max_bytes, interface)
