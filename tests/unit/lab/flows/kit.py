"""Flows of the lab, read by the decoders of mtd and compared with what was truly sent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from mtd.codec.flows import ADDRESS, Exporter, Flows, SflowAgent
from mtd.lab.flows import FlowGenerator, FlowPlan, Records
from mtd.lab.scenario import FlowForm
from mtd.model.flows import DIMENSIONS

NOW_US = 1_767_323_045_000_000  # whole seconds: version 9 says no more of the time
BOOT_US = NOW_US - 86_400_000_000
# What mtd has no use for.
UNREAD = {
    *("ip_header_length", "ip_total_length", "udp_length", "tcp_seq", "tcp_ack", "tcp_window"),
    *("is_multicast", "icmp_type", "icmp_code"),
}


def generator(plan: FlowPlan, key: int = 7) -> FlowGenerator:
    return FlowGenerator(plan, key=key, boot_us=BOOT_US)


def reader(form: FlowForm) -> Exporter | SflowAgent:
    return SflowAgent() if form is FlowForm.SFLOW5 else Exporter()


def feed(found: Exporter | SflowAgent, datagrams: Iterable[bytes], at_us: int = NOW_US) -> list[Flows]:
    for datagram in datagrams:
        found.feed(datagram, at_us)
    return found.take()


def is_six(flows: Flows) -> bool:
    source = flows.columns["src_address"]
    return bool((source["low"][0] >> np.uint64(32)) != 0xFFFF or source["high"][0] != 0)


def joined(records: Iterable[Records], version: int) -> dict[str, Any]:
    """Return the columns of all flows of an IP version, in the order in which they were sent."""
    some = [one.columns for one in records if one.version == version]
    return {name: np.concatenate([columns[name] for columns in some]) for name in some[0]} if some else {}


def as_sent(column: Any) -> list[int]:
    """Return a column of the lab as numbers; addresses as those of 128 bits."""
    if column.ndim == 2:
        return [int.from_bytes(bytes(row), "big") for row in column]
    return [int(one) for one in column]


def as_read(column: Any) -> list[int]:
    if column.dtype == ADDRESS:
        return [int(one["high"]) << 64 | int(one["low"]) for one in column]
    return [int(one) for one in column]


def sums(flows: Sequence[Flows], dimension: str) -> dict[str, tuple[int, int, int]]:
    """Return octets, packets and flows by key, as whoever reads the records would add them up."""
    chosen = DIMENSIONS[dimension]
    found: dict[str, tuple[int, int, int]] = {}
    for some in flows:
        if not all(name in some.columns for name in chosen.columns):
            continue
        width = chosen.width // max(len(chosen.columns), 1)
        parts = [as_read(some.columns[name]) for name in chosen.columns]
        octets, packets = as_read(some.columns["octets"]), as_read(some.columns["packets"])
        for place in range(some.count):
            key = chosen.text(b"".join(part[place].to_bytes(width, "big") for part in parts))
            times = max(int(some.sampling[place]), 1)
            before = found.get(key, (0, 0, 0))
            found[key] = (
                before[0] + octets[place] * times,
                before[1] + packets[place] * times,
                before[2] + 1,
            )
    return found
