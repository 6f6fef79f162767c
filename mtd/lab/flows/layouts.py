"""What exporters tell of a flow, in which order and width: templates, and the record of version 5.

That of RouterOS 6 in IPFIX is as version 6.39 was seen to send it. Of NetFlow v9 the elements and their order
are known from what users of RouterOS 6 reported, the widths are the usual ones. RouterOS 7 has in IPFIX what
``/ip/traffic-flow/ipfix`` switches on by default; of their order it is only known that the time of the start
(160) follows the times that count from there.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mtd.lab.flows.traffic import Records
from mtd.lab.scenario import FlowForm


class Dialect(enum.StrEnum):
    """Whose templates they are."""

    ROUTEROS6 = "routeros6"
    ROUTEROS7 = "routeros7"
    CARRIER = "carrier"  # of others: AS numbers, VLANs, times of day, counters of 64 bits


@dataclass(frozen=True, slots=True)
class FlowField:
    """``element``: its number, 0 for none. ``column``: of the records, empty for zeros."""

    element: int
    length: int
    column: str


@dataclass(frozen=True, slots=True)
class FlowLayout:
    """A record, field by field. ``number``: of its template."""

    number: int
    fields: tuple[FlowField, ...]

    @property
    def size(self) -> int:
        """Bytes of a record."""
        return sum(field.length for field in self.fields)

    @property
    def told(self) -> frozenset[str]:
        """The columns that a record has."""
        return frozenset(field.column for field in self.fields if field.column)

    def with_sampling(self) -> FlowLayout:
        """Return the same with the interval of sampling in each record, as RouterOS tells it."""
        return FlowLayout(self.number, (*self.fields, FlowField(34, 4, "sampling_interval")))

    def rows(self, records: Records) -> bytes:
        """Return records as they go over the wire."""
        rows = np.zeros(
            len(records),
            np.dtype([(f"f{place}", _wire_type(field)) for place, field in enumerate(self.fields)]),
        )
        for place, field in enumerate(self.fields):
            if field.column:
                rows[f"f{place}"] = _wire_value(field, records.columns[field.column])
        return rows.tobytes()


def _wire_type(field: FlowField) -> Any:
    return f">u{field.length}" if field.length in (1, 2, 4, 8) else ("u1", (field.length,))


def _wire_value(field: FlowField, column: Any) -> Any:
    if column.ndim == 2:  # an address: IPv4 is its end
        return column if field.length == 16 else np.ascontiguousarray(column[:, 12:]).view(">u4")[:, 0]
    if field.length in (1, 2, 4, 8):
        return column
    return column.astype(">u8").view(np.uint8).reshape(-1, 8)[:, 8 - field.length :]


def _fields(*fields: tuple[int, int, str]) -> tuple[FlowField, ...]:
    return tuple(FlowField(*field) for field in fields)


_UP = ((22, 4, "start_up_ms"), (21, 4, "end_up_ms"))
_V4 = ((8, 4, "src_address"), (12, 4, "dst_address"), (15, 4, "next_hop"))
_V6 = ((27, 16, "src_address"), (28, 16, "dst_address"), (62, 16, "next_hop"))
_NAT = ((225, 4, "post_nat_src_address"), (226, 4, "post_nat_dst_address"))
_NAPT = ((227, 2, "post_nat_src_port"), (228, 2, "post_nat_dst_port"))

_SEEN = (
    (60, 1, "ip_version"), *_UP, (2, 4, "packets"), (1, 4, "octets"), (7, 2, "src_port"), (11, 2, "dst_port"),
    (10, 4, "in_interface"), (14, 4, "out_interface"), (4, 1, "protocol"), (6, 1, "tcp_flags"),
)  # fmt: skip
_V9_ENDS = (
    (21, 4, "end_up_ms"), (22, 4, "start_up_ms"), (1, 4, "octets"), (2, 4, "packets"), (80, 6, "dst_mac"),
    (56, 6, "src_mac"), (57, 6, "post_dst_mac"), (81, 6, "post_src_mac"),
)  # fmt: skip
_TRANSPORT = ((4, 1, "protocol"), (6, 1, "tcp_flags"), (5, 1, "tos"), (7, 2, "src_port"), (11, 2, "dst_port"))

_ROUTEROS6_IPFIX = {
    4: FlowLayout(258, _fields(*_SEEN, *_V4, *_NAT)),
    6: FlowLayout(259, _fields(*_SEEN, *_V6)),
}
_ROUTEROS_V9 = {
    4: FlowLayout(
        256,
        _fields(
            (60, 1, "ip_version"), (8, 4, "src_address"), (9, 1, "src_mask"), (10, 4, "in_interface"),
            (12, 4, "dst_address"), (13, 1, "dst_mask"), (14, 4, "out_interface"), (15, 4, "next_hop"),
            *_TRANSPORT, *_V9_ENDS, *_NAT, *_NAPT,
        ),
    ),
    6: FlowLayout(
        257,
        _fields(
            (60, 1, "ip_version"), (27, 16, "src_address"), (29, 1, "src_mask"), (10, 4, "in_interface"),
            (28, 16, "dst_address"), (30, 1, "dst_mask"), (14, 4, "out_interface"), (62, 16, "next_hop"),
            *_TRANSPORT, (31, 4, "flow_label"), (64, 4, ""), *_V9_ENDS,
        ),
    ),
}  # fmt: skip
_OF_PACKETS = (
    (33, 1, "igmp_type"), (189, 1, "ip_header_length"), (224, 8, "ip_total_length"), (192, 1, "ttl"),
    (205, 2, "udp_length"), (184, 4, "tcp_seq"), (185, 4, "tcp_ack"), (186, 2, "tcp_window"),
    (206, 1, "is_multicast"), (56, 6, "src_mac"), (80, 6, "dst_mac"),
)  # fmt: skip
_ROUTEROS7_IPFIX = {
    4: FlowLayout(
        258,
        _fields(
            *_SEEN, (160, 8, "system_start_ms"), (5, 1, "tos"), *_V4, (9, 1, "src_mask"), (13, 1, "dst_mask"),
            (176, 1, "icmp_type"), (177, 1, "icmp_code"), *_OF_PACKETS, *_NAT, *_NAPT,
        ),
    ),
    6: FlowLayout(
        259,
        _fields(
            *_SEEN, (160, 8, "system_start_ms"), (5, 1, "tos"), *_V6, (29, 1, "src_mask"), (30, 1, "dst_mask"),
            (178, 1, "icmp_type"), (179, 1, "icmp_code"), (31, 4, "flow_label"), *_OF_PACKETS,
        ),
    ),
}  # fmt: skip
_CARRIER_ENDS = (
    (152, 8, "start_ms"), (153, 8, "end_ms"), (1, 8, "octets"), (2, 8, "packets"), (10, 4, "in_interface"),
    (14, 4, "out_interface"), (16, 4, "src_as"), (17, 4, "dst_as"), *_TRANSPORT, (58, 2, "vlan_id"),
    (32, 2, "icmp_type_code"),
)  # fmt: skip
_CARRIER = {
    4: FlowLayout(300, _fields(*_V4, *_CARRIER_ENDS)),
    6: FlowLayout(301, _fields(*_V6, *_CARRIER_ENDS)),
}

V5_LAYOUT = FlowLayout(
    0,
    _fields(
        (0, 4, "src_address"), (0, 4, "dst_address"), (0, 4, "next_hop"), (0, 2, "in_interface"),
        (0, 2, "out_interface"), (0, 4, "packets"), (0, 4, "octets"), (0, 4, "start_up_ms"), (0, 4, "end_up_ms"),
        (0, 2, "src_port"), (0, 2, "dst_port"), (0, 1, ""), (0, 1, "tcp_flags"), (0, 1, "protocol"), (0, 1, "tos"),
        (0, 2, "src_as"), (0, 2, "dst_as"), (0, 1, "src_mask"), (0, 1, "dst_mask"), (0, 2, ""),
    ),
)  # fmt: skip

_LAYOUTS: Mapping[FlowForm, Mapping[Dialect, Mapping[int, FlowLayout]]] = {
    FlowForm.NETFLOW9: {
        Dialect.ROUTEROS6: _ROUTEROS_V9,
        Dialect.ROUTEROS7: _ROUTEROS_V9,
        Dialect.CARRIER: _CARRIER,
    },
    FlowForm.IPFIX: {
        Dialect.ROUTEROS6: _ROUTEROS6_IPFIX,
        Dialect.ROUTEROS7: _ROUTEROS7_IPFIX,
        Dialect.CARRIER: _CARRIER,
    },
}


def layouts_of(form: FlowForm, dialect: Dialect) -> Mapping[int, FlowLayout]:
    """Return the layouts of a form with templates, by IP version."""
    return _LAYOUTS[form][dialect]


def template_of(layout: FlowLayout) -> bytes:
    """Return a template as NetFlow v9 and IPFIX both write it."""
    words = [layout.number, len(layout.fields)]
    for field in layout.fields:
        words += (field.element, field.length)
    return np.array(words, ">u2").tobytes()
