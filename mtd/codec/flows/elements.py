"""Information elements: what the fields of a template are, and which column each becomes.

Numbers below 128 are those of NetFlow v9 (RFC 3954) as well as of IPFIX (IANA's registry "IP Flow
Information Export Entities"). Elements that aren't here are skipped by their length.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Kind(enum.Enum):
    """How the bytes of an element are read."""

    UNSIGNED = "unsigned"
    """One to eight bytes, big-endian; fewer than usual is allowed (RFC 7011, 6.2)."""
    IPV4 = "ipv4"
    IPV6 = "ipv6"
    MAC = "mac"
    UPTIME_MS = "uptime"
    """Milliseconds since the exporter started, modulo 2**32."""
    EPOCH_S = "seconds"
    EPOCH_MS = "milliseconds"
    NTP = "ntp"
    """Seconds since 1900 and a fraction of 2**-32 of one: 64 bits."""
    BEFORE_EXPORT_US = "before"
    """Microseconds before the message was sent."""


@dataclass(frozen=True, slots=True)
class Element:
    """``column``: what its values are called here."""

    column: str
    kind: Kind = Kind.UNSIGNED


START, END = "start_ms", "end_ms"
SAMPLING_INTERVAL, SAMPLER = "sampling_interval", "sampler"
SAMPLED_PACKETS, SKIPPED_PACKETS = "sampled_packets", "skipped_packets"
SYSTEM_START = "system_start_ms"

ELEMENTS: dict[int, Element] = {
    1: Element("octets"),
    2: Element("packets"),
    4: Element("protocol"),
    5: Element("tos"),
    6: Element("tcp_flags"),
    7: Element("src_port"),
    8: Element("src_address", Kind.IPV4),
    9: Element("src_mask"),
    10: Element("in_interface"),
    11: Element("dst_port"),
    12: Element("dst_address", Kind.IPV4),
    13: Element("dst_mask"),
    14: Element("out_interface"),
    15: Element("next_hop", Kind.IPV4),
    16: Element("src_as"),
    17: Element("dst_as"),
    18: Element("bgp_next_hop", Kind.IPV4),
    21: Element(END, Kind.UPTIME_MS),
    22: Element(START, Kind.UPTIME_MS),
    23: Element("out_octets"),
    24: Element("out_packets"),
    27: Element("src_address", Kind.IPV6),
    28: Element("dst_address", Kind.IPV6),
    29: Element("src_mask"),
    30: Element("dst_mask"),
    31: Element("flow_label"),
    32: Element("icmp_type_code"),
    33: Element("igmp_type"),
    34: Element(SAMPLING_INTERVAL),
    48: Element(SAMPLER),
    50: Element(SAMPLING_INTERVAL),
    56: Element("src_mac", Kind.MAC),
    57: Element("post_dst_mac", Kind.MAC),
    58: Element("vlan_id"),
    59: Element("post_vlan_id"),
    60: Element("ip_version"),
    61: Element("direction"),
    62: Element("next_hop", Kind.IPV6),
    63: Element("bgp_next_hop", Kind.IPV6),
    80: Element("dst_mac", Kind.MAC),
    81: Element("post_src_mac", Kind.MAC),
    85: Element("octets"),  # octetTotalCount: of exporters that tell of each flow once
    86: Element("packets"),
    136: Element("end_reason"),
    139: Element("icmp_type_code"),
    150: Element(START, Kind.EPOCH_S),
    151: Element(END, Kind.EPOCH_S),
    152: Element(START, Kind.EPOCH_MS),
    153: Element(END, Kind.EPOCH_MS),
    154: Element(START, Kind.NTP),
    155: Element(END, Kind.NTP),
    156: Element(START, Kind.NTP),
    157: Element(END, Kind.NTP),
    158: Element(START, Kind.BEFORE_EXPORT_US),
    159: Element(END, Kind.BEFORE_EXPORT_US),
    160: Element(SYSTEM_START, Kind.EPOCH_MS),
    192: Element("ttl"),
    225: Element("post_nat_src_address", Kind.IPV4),
    226: Element("post_nat_dst_address", Kind.IPV4),
    227: Element("post_nat_src_port"),
    228: Element("post_nat_dst_port"),
    229: Element("nat_originating_address_realm"),
    230: Element("nat_event"),
    243: Element("vlan_id"),
    254: Element("post_vlan_id"),
    281: Element("post_nat_src_address", Kind.IPV6),
    282: Element("post_nat_dst_address", Kind.IPV6),
    302: Element(SAMPLER),
    305: Element(SAMPLED_PACKETS),
    306: Element(SKIPPED_PACKETS),
}
