"""The beginning of a packet: what its headers say, as far as they were sent along."""

from __future__ import annotations

from dataclasses import dataclass

_IPV4, _IPV6, _VLAN = 0x0800, 0x86DD, frozenset({0x8100, 0x88A8, 0x9100})
_PPPOE = 0x8864
_PPP_IPV4, _PPP_IPV6 = 0x0021, 0x0057
_ICMP, _TCP, _UDP, _ICMPV6, _SCTP = 1, 6, 17, 58, 132
_WITH_PORTS = frozenset({_TCP, _UDP, _SCTP, 136})
# Extension headers of IPv6 that say how long they are and what follows (RFC 8200, 4.1).
_EXTENSIONS = frozenset({0, 43, 60})
_FRAGMENT = 44
_MOST_EXTENSIONS = 8


@dataclass(slots=True)
class Packet:
    """``length``: of the whole packet as it was on the wire. None: the header that says it isn't there."""

    length: int
    src_mac: int | None = None
    dst_mac: int | None = None
    vlan_id: int | None = None
    src_address: bytes | None = None
    dst_address: bytes | None = None
    protocol: int | None = None
    tos: int | None = None
    ttl: int | None = None
    src_port: int | None = None
    dst_port: int | None = None
    tcp_flags: int | None = None
    icmp_type_code: int | None = None


def read_ethernet(header: bytes, length: int) -> Packet:
    """Return what an Ethernet frame's beginning says; VLAN tags and PPPoE are looked through."""
    packet = Packet(length)
    if len(header) < 14:
        return packet
    packet.dst_mac, packet.src_mac = int.from_bytes(header[:6], "big"), int.from_bytes(header[6:12], "big")
    kind, position = int.from_bytes(header[12:14], "big"), 14
    while kind in _VLAN and len(header) >= position + 4:
        if packet.vlan_id is None:
            packet.vlan_id = int.from_bytes(header[position : position + 2], "big") & 0x0FFF
        kind, position = int.from_bytes(header[position + 2 : position + 4], "big"), position + 4
    if kind == _PPPOE and len(header) >= position + 8:
        inside = int.from_bytes(header[position + 6 : position + 8], "big")
        kind, position = {_PPP_IPV4: _IPV4, _PPP_IPV6: _IPV6}.get(inside, 0), position + 8
    if kind in (_IPV4, _IPV6):
        read_ip(packet, header[position:])
    return packet


def read_ip(packet: Packet, header: bytes) -> Packet:
    """Add what an IP header says, and the one behind it."""
    version = header[0] >> 4 if header else 0
    if version == 4 and len(header) >= 20:
        packet.tos, packet.ttl, packet.protocol = header[1], header[8], header[9]
        packet.src_address, packet.dst_address = header[12:16], header[16:20]
        first_fragment = not int.from_bytes(header[6:8], "big") & 0x1FFF
        size = (header[0] & 0x0F) * 4
        if first_fragment and size >= 20:
            _read_transport(packet, header[size:])
    elif version == 6 and len(header) >= 40:
        packet.tos = int.from_bytes(header[:2], "big") >> 4 & 0xFF
        packet.protocol, packet.ttl = header[6], header[7]
        packet.src_address, packet.dst_address = header[8:24], header[24:40]
        _read_behind_extensions(packet, header[40:])
    return packet


def _read_behind_extensions(packet: Packet, rest: bytes) -> None:
    for _ in range(_MOST_EXTENSIONS):
        if packet.protocol not in _EXTENSIONS and packet.protocol != _FRAGMENT:
            _read_transport(packet, rest)
            return
        if len(rest) < 8:
            return
        fragment = packet.protocol == _FRAGMENT
        packet.protocol = rest[0]
        if fragment and int.from_bytes(rest[2:4], "big") >> 3:
            return  # not the first one: what follows is no header
        rest = rest[8 if fragment else (rest[1] + 1) * 8 :]


def _read_transport(packet: Packet, header: bytes) -> None:
    if packet.protocol in _WITH_PORTS and len(header) >= 4:
        packet.src_port = int.from_bytes(header[:2], "big")
        packet.dst_port = int.from_bytes(header[2:4], "big")
        if packet.protocol == _TCP and len(header) >= 14:
            packet.tcp_flags = int.from_bytes(header[12:14], "big") & 0x01FF
    elif packet.protocol in (_ICMP, _ICMPV6) and len(header) >= 2:
        packet.icmp_type_code = int.from_bytes(header[:2], "big")
