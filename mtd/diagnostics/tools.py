"""The tools: where RouterOS has them, what they need, and what their rows tell."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mtd.diagnostics import values
from mtd.diagnostics.values import Value
from mtd.model.command import Rows

Parse = Callable[[bytes], Value | None]
ToolRow = Mapping[str, Value]
"""What one row tells, by the names of the protocol; what the router didn't say is missing."""


class ToolName(enum.StrEnum):
    """The tools that there are."""

    PING = "ping"
    TRACEROUTE = "traceroute"
    TORCH = "torch"
    SNIFF = "sniff"
    BANDWIDTH_TEST = "bandwidth-test"


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a row: its name in the protocol, its names in RouterOS, the newest first, and how it reads."""

    name: str
    keys: tuple[str, ...]
    parse: Parse


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool. ``policy``: what the group of the router's user needs beside read and api.

    Nothing but ``fields`` comes back: where a router sends more, such as the
    content of packets, it ends here.
    """

    name: ToolName
    path: str
    policy: str
    fields: tuple[Field, ...]

    def read(self, rows: Rows) -> list[ToolRow]:
        """Return what rows tell."""
        found: list[dict[str, Value]] = [{} for _ in range(rows.count)]
        for field in self.fields:
            for key in field.keys:
                for row, raw in zip(found, rows.column(key), strict=True):
                    if raw is None or field.name in row:
                        continue
                    value = field.parse(raw)
                    if value is not None:
                        row[field.name] = value
        return [row for row in found if row]


def _field(name: str, parse: Parse, *keys: str) -> Field:
    return Field(name, keys or (name.replace("_", "-"),), parse)


_SECTION = _field("section", values.small, ".section")

PING = Tool(
    ToolName.PING,
    "/ping",
    "test",
    (
        _field("sequence", values.small, "seq"),
        _field("host", values.text),
        _field("size_bytes", values.small, "size"),
        _field("ttl", values.small),
        _field("time_ms", values.milliseconds, "time"),
        _field("status", values.text),
        _field("sent", values.small),
        _field("received", values.small),
        _field("loss_pct", values.small, "packet-loss"),
        _field("min_ms", values.milliseconds, "min-rtt"),
        _field("avg_ms", values.milliseconds, "avg-rtt"),
        _field("max_ms", values.milliseconds, "max-rtt"),
    ),
)
TRACEROUTE = Tool(
    ToolName.TRACEROUTE,
    "/tool/traceroute",
    "test",
    (
        _SECTION,
        _field("address", values.text),
        _field("loss_pct", values.small, "loss"),
        _field("sent", values.small),
        _field("last_ms", values.milliseconds, "last"),
        _field("avg_ms", values.milliseconds, "avg"),
        _field("best_ms", values.milliseconds, "best"),
        _field("worst_ms", values.milliseconds, "worst"),
        _field("std_dev_ms", values.milliseconds, "std-dev"),
        _field("status", values.text),
    ),
)
TORCH = Tool(
    ToolName.TORCH,
    "/tool/torch",
    "sniff",
    (
        _SECTION,
        _field("mac_protocol", values.text),
        _field("ip_protocol", values.text),
        _field("source_address", values.text, "src-address", "src-address6"),
        _field("source_port", values.text, "src-port"),
        _field("destination_address", values.text, "dst-address", "dst-address6"),
        _field("destination_port", values.text, "dst-port"),
        _field("vlan_id", values.small),
        _field("dscp", values.small),
        _field("tx_bps", values.large, "tx"),
        _field("rx_bps", values.large, "rx"),
        _field("tx_packets_per_s", values.large, "tx-packets"),
        _field("rx_packets_per_s", values.large, "rx-packets"),
    ),
)
SNIFF = Tool(
    ToolName.SNIFF,
    "/tool/sniffer/quick",
    "sniff",
    (
        _field("number", values.large, "num"),
        _field("time_s", values.moment_s, "time"),
        _field("interface", values.text),
        _field("direction", values.direction, "dir", "direction"),
        _field("source_mac", values.text, "src-mac"),
        _field("destination_mac", values.text, "dst-mac"),
        _field("vlan", values.text),
        _field("source_address", values.text, "src-address"),
        _field("destination_address", values.text, "dst-address"),
        _field("protocol", values.text),
        _field("size_bytes", values.small, "size"),
        _field("cpu", values.small),
        _field("tcp_flags", values.text),
        _field("ttl", values.small),
        _field("dscp", values.small),
    ),
)
BANDWIDTH_TEST = Tool(
    ToolName.BANDWIDTH_TEST,
    "/tool/bandwidth-test",
    "test",
    (
        _field("status", values.text),
        _field("duration_s", values.moment_s, "duration"),
        _field("tx_bps", values.large, "tx-current"),
        _field("tx_10s_bps", values.large, "tx-10-second-average"),
        _field("tx_total_bps", values.large, "tx-total-average"),
        _field("rx_bps", values.large, "rx-current"),
        _field("rx_10s_bps", values.large, "rx-10-second-average"),
        _field("rx_total_bps", values.large, "rx-total-average"),
        _field("lost_packets", values.large),
        _field("connections", values.small, "connection-count"),
        _field("local_cpu_pct", values.small, "local-cpu-load"),
        _field("remote_cpu_pct", values.small, "remote-cpu-load"),
    ),
)
