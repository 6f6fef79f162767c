"""What an exporter truly sent: exact sums, of all and by what people ask for."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from mtd.lab.flows.traffic import Column, Records

DIMENSIONS: Mapping[str, tuple[tuple[str, ...], int]] = MappingProxyType(
    {
        "src_address": (("src_address",), 16),
        "dst_address": (("dst_address",), 16),
        "conversation": (("src_address", "dst_address"), 32),
        "src_port": (("src_port",), 2),
        "dst_port": (("dst_port",), 2),
        "protocol": (("protocol",), 1),
        "src_as": (("src_as",), 4),
        "dst_as": (("dst_as",), 4),
        "in_interface": (("in_interface",), 4),
        "out_interface": (("out_interface",), 4),
    }
)
"""By name: columns, and the width of a key in bytes."""


@dataclass(slots=True)
class Sums:
    """``octets`` and ``packets``: what the flows stand for, each times its sampling."""

    octets: int = 0
    packets: int = 0
    flows: int = 0


class FlowTruth:
    """Sums of what was sent. Without ``dimensions`` only those of all flows are kept: the others cost time, and memory for each key."""

    def __init__(self, *, dimensions: bool = True) -> None:
        self.datagrams = 0
        self.records = 0
        self.octets = 0
        """As the records say, without their sampling."""
        self.packets = 0
        self.estimated = Sums()
        self._by: dict[str, dict[bytes, Sums]] = {name: {} for name in DIMENSIONS} if dimensions else {}

    def add(self, records: Records, told: frozenset[str], sampling: int) -> None:
        """Add flows of which these columns are told, and the sampling; 0 if there is none."""
        octets, packets = _sum(records.columns["octets"]), _sum(records.columns["packets"])
        times = max(sampling, 1)
        self.records += len(records)
        self.octets += octets
        self.packets += packets
        _add(self.estimated, octets * times, packets * times, len(records))
        for name, sums in self._by.items():
            columns, width = DIMENSIONS[name]
            if told.issuperset(columns):
                keys = [_key(records.columns[column], width // len(columns)) for column in columns]
                _add_by_key(sums, np.concatenate(keys, axis=1), records, times)

    def by(self, dimension: str) -> dict[str, Sums]:
        """Return the sums of a dimension by key, as people read it: addresses, "a > b" of conversations, numbers."""
        columns, width = DIMENSIONS[dimension]
        part = width // len(columns)
        return {
            " > ".join(_text(key[at : at + part]) for at in range(0, width, part)): sums
            for key, sums in self._by[dimension].items()
        }

    def as_dict(self) -> dict[str, Any]:
        """Return the sums of all for JSON."""
        return {
            "datagrams": self.datagrams,
            "records": self.records,
            "octets": self.octets,
            "packets": self.packets,
            "estimated_octets": self.estimated.octets,
            "estimated_packets": self.estimated.packets,
        }


def _sum(column: Column) -> int:
    return int(column.sum(dtype=np.uint64))


def _add(sums: Sums, octets: int, packets: int, flows: int) -> None:
    sums.octets += octets
    sums.packets += packets
    sums.flows += flows


def _key(column: Column, width: int) -> Column:
    """Return a column as bytes, so many for each flow."""
    if column.ndim == 2:
        return column
    return column.astype(">u8").view(np.uint8).reshape(-1, 8)[:, 8 - width :]


def _add_by_key(by: dict[bytes, Sums], keys: Column, records: Records, times: int) -> None:
    width = keys.shape[1]
    different, which = np.unique(
        np.ascontiguousarray(keys).view(np.dtype((np.void, width)))[:, 0], return_inverse=True
    )
    found = []
    for column in (records.columns["octets"], records.columns["packets"], np.ones(len(records), np.uint64)):
        sums = np.zeros(len(different), np.uint64)
        np.add.at(sums, which, column.astype(np.uint64))
        found.append(sums.tolist())
    for key, octets, packets, flows in zip(different.tolist(), *found, strict=True):
        _add(by.setdefault(key, Sums()), octets * times, packets * times, flows)


def _text(key: bytes) -> str:
    if len(key) != 16:
        return str(int.from_bytes(key, "big"))
    address = ipaddress.IPv6Address(key)
    return str(address.ipv4_mapped or address)
