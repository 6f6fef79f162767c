"""Paths of flows, as a diagram draws them: from where, by what, to where.

Sums are kept of conversations alone; what else makes a path is added up from the records, as one more dimension.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from mtd.model.flows import DIMENSIONS, Dimension, address_text
from mtd.queries.flows.naming import index_of
from mtd.queries.records import DeviceDetail

BETWEEN = " > "
"""Between the parts of a key: addresses and numbers have no spaces."""

_PORTS_OF = MappingProxyType({6: "TCP", 17: "UDP", 33: "DCCP", 132: "SCTP"})
_NAMES = MappingProxyType({1: "ICMP", 2: "IGMP", 47: "GRE", 50: "ESP", 51: "AH", 58: "ICMPv6", 89: "OSPF"})
_ADDRESS, _NUMBER = 16, 8
"""Bytes of a part of a key."""


@dataclass(frozen=True, slots=True)
class _Service(Dimension):
    def text(self, key: bytes) -> str:
        """Return source, protocol with the port where it has any, and destination."""
        protocol, port = (
            int.from_bytes(key[at : at + _NUMBER], "big") for at in (_ADDRESS, _ADDRESS + _NUMBER)
        )
        service = service_text(protocol, port)
        return BETWEEN.join((address_text(key[:_ADDRESS]), service, address_text(key[-_ADDRESS:])))


@dataclass(frozen=True, slots=True)
class _Through(Dimension):
    def text(self, key: bytes) -> str:
        """Return the number of the interface in, the conversation, and that of the interface out."""
        source = address_text(key[_NUMBER : _NUMBER + _ADDRESS])
        destination = address_text(key[_NUMBER + _ADDRESS : -_NUMBER])
        numbers = (int.from_bytes(part, "big") for part in (key[:_NUMBER], key[-_NUMBER:]))
        in_number, out_number = numbers
        return BETWEEN.join((str(in_number), f"{source} → {destination}", str(out_number)))


@dataclass(frozen=True, slots=True)
class PathKind:
    """``of_records``: the sums don't tell it. ``one_device``: it says nothing of several together."""

    name: str
    dimension: Dimension
    columns: tuple[str, ...]
    of_records: bool = True
    one_device: bool = False


KINDS: Mapping[str, PathKind] = MappingProxyType(
    {
        one.name: one
        for one in (
            PathKind("conversation", DIMENSIONS["conversation"], ("Source", "Destination"), of_records=False),
            PathKind(
                "service",
                _Service(
                    "service",
                    ("src_address", "protocol", "dst_port", "dst_address"),
                    2 * _ADDRESS + 2 * _NUMBER,
                ),
                ("Source", "Protocol and port", "Destination"),
            ),
            PathKind(
                "interfaces",
                _Through(
                    "interfaces",
                    ("in_interface", "src_address", "dst_address", "out_interface"),
                    2 * _ADDRESS + 2 * _NUMBER,
                ),
                ("Came in by", "Conversation", "Went out by"),
                one_device=True,
            ),
        )
    }
)
"""By their names."""


def service_text(protocol: int, port: int) -> str:
    """Return a protocol as people call it, with the port if it has ports."""
    if protocol in _PORTS_OF:
        return f"{_PORTS_OF[protocol]} {port}"
    return _NAMES.get(protocol, f"protocol {protocol}")


def named_interfaces(detail: DeviceDetail) -> dict[int, str]:
    """Return the names of a device's interfaces by the numbers that flows have for them."""
    found = ((index_of(one.id), one.label or one.name) for one in detail.interfaces)
    return {index: name for index, name in found if index is not None}
