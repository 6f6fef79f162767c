"""Datagrams made before anything is timed, and the truth about them."""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass

from mtd.lab.flows import Dialect, FlowGenerator, FlowPlan, FlowTruth
from mtd.lab.scenario import FlowForm

_UP_FOR_US = 30 * 86_400 * 1_000_000
_SECONDS_AT = {5: 8, 9: 8, 10: 4}  # where a header says the time, by version
_SECONDS = struct.Struct(">I")

FORMS = {
    "netflow9": FlowPlan(FlowForm.NETFLOW9),
    "ipfix": FlowPlan(FlowForm.IPFIX, Dialect.ROUTEROS7),
    "netflow5": FlowPlan(FlowForm.NETFLOW5),
}
"""What is measured, by name: RouterOS, as far as there is a choice."""


@dataclass(slots=True)
class Prepared:
    """``seconds``: the datagrams of each second."""

    name: str
    seconds: list[list[bytes]]
    truth: FlowTruth

    @property
    def datagrams(self) -> list[bytes]:
        """All of them, in their order."""
        return [datagram for second in self.seconds for datagram in second]


def prepare(name: str, seconds: int, rate: int, key: int, *, dimensions: bool = False) -> Prepared:
    """Make the datagrams of one exporter: so many flows each second."""
    start_us = time.time_ns() // 1_000_000_000 * 1_000_000
    made = FlowGenerator(FORMS[name], key=key, boot_us=start_us - _UP_FOR_US, dimensions=dimensions)
    told = [made.take(rate, start_us + number * 1_000_000).datagrams for number in range(seconds)]
    return Prepared(name, told, made.truth)


def restamped(datagrams: list[bytes], seconds: int) -> Iterator[bytes]:
    """Yield datagrams as if they had been made at this time, in seconds since 1970."""
    for datagram in datagrams:
        at = _SECONDS_AT[datagram[1]]
        yield datagram[:at] + _SECONDS.pack(seconds) + datagram[at + 4 :]
