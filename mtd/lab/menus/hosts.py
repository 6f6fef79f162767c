"""Addresses of the router, and who is next to it: ``/ip/address``, ``/ip/arp``, ``/ip/neighbor``."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import TYPE_CHECKING

from mtd.lab.clock import TICKS_PER_S
from mtd.lab.menus.base import Menu, Row, numbered, row
from mtd.lab.personality import duration
from mtd.lab.wave import mix

if TYPE_CHECKING:
    from mtd.lab.hardware import Interface
    from mtd.lab.state import RouterState

_NEIGHBOR_VERSION = "6.49.10 (long-term)"
_NEIGHBOR_BOARD = "CRS326-24G-2S+"
_NEIGHBORS = 2


def routed(state: RouterState, tick: int) -> Iterator[tuple[str, str, Interface]]:
    """Yield (name, first three octets, interface) of the interfaces that have an address."""
    segment = state.truth.segment(tick)
    for item in state.truth.shown(segment):
        if item.type in ("vlan", "bridge") or item.index == 0:
            name, _ = state.truth.label(segment, item)
            second, third = divmod(item.index, 250)
            yield name, f"10.{second}.{third}", item


def addresses(state: RouterState, tick: int) -> list[Row]:
    """Return ``/ip/address``."""
    return numbered(
        [
            row(
                address=f"{net}.1/24",
                network=f"{net}.0",
                interface=name,
                actual_interface=name,
                invalid=False,
                dynamic=False,
                disabled=item.disabled,
            )
            for name, net, item in routed(state, tick)
        ]
    )


def _ipv6_addresses(state: RouterState, tick: int) -> list[Row]:
    """Return the link-local addresses: nobody configured any others."""
    return numbered(
        [
            row(
                address=f"{link_local(item.mac_address)}/64",
                from_pool="",
                interface=name,
                actual_interface=name,
                eui_64=False,
                advertise=False,
                no_dad=False,
                invalid=False,
                dynamic=True,
                link_local=True,
                disabled=False,
            )
            for name, _, item in routed(state, tick)
            if not item.disabled
        ]
    )


def link_local(mac_address: str) -> ipaddress.IPv6Address:
    """Return the address on its link that follows from a MAC address."""
    octets = bytearray.fromhex(mac_address.replace(":", ""))
    octets[0] ^= 2
    return ipaddress.IPv6Address(b"\xfe\x80" + bytes(6) + bytes(octets[:3]) + b"\xff\xfe" + bytes(octets[3:]))


def _arp(state: RouterState, tick: int) -> list[Row]:
    """Return a host on each network, and one that was asked for and didn't answer."""
    rows = []
    for name, net, item in routed(state, tick):
        if not item.disabled:
            rows.append(_arp_row(state, f"{net}.2", name, mac(state, item.index)))
    if rows:
        first = rows[0]
        rows.append(
            _arp_row(state, "10.0.0.77", first[b"interface"].decode("utf-8", "surrogateescape"), None)
        )
    return numbered(rows)


def _arp_row(state: RouterState, address: str, interface: str, mac_address: str | None) -> Row:
    found = mac_address is not None
    return row(
        address=address,
        mac_address=mac_address,
        interface=interface,
        published=False,
        status=("reachable" if found else "failed") if state.persona.is_v7 else None,
        invalid=False,
        DHCP=False,
        dynamic=True,
        complete=found,
        disabled=False,
    )


def mac(state: RouterState, number: int) -> str:
    """Return the MAC address of one of the router's neighbours."""
    low = mix(state.truth.key, 11, number)
    return f"48:8F:5A:{low >> 16 & 255:02X}:{low >> 8 & 255:02X}:{low & 255:02X}"


def _neighbors(state: RouterState, tick: int) -> list[Row]:
    """Return the switches that announce themselves on the first ports that have a link."""
    segment = state.truth.segment(tick)
    linked = [
        item for item in state.truth.shown(segment) if item.type == "ether" and segment.running[item.index]
    ]
    return numbered([_neighbor(state, tick, item) for item in linked[:_NEIGHBORS]])


def _neighbor(state: RouterState, tick: int, item: Interface) -> Row:
    name, _ = state.truth.label(state.truth.segment(tick), item)
    uptime_s = state.truth.uptime_at_start_s // 3 + tick // TICKS_PER_S
    address = f"172.31.{item.index}.12"
    return row(
        interface=name,
        address=address,
        address4=address,
        mac_address=mac(state, 1000 + item.index),
        identity=f"sw-{item.index + 1}",
        platform="MikroTik",
        version=_NEIGHBOR_VERSION,
        unpack="none",
        age=duration(uptime_s % 60),
        uptime=duration(uptime_s),
        software_id="LAB0-SW00",
        board=_NEIGHBOR_BOARD,
        interface_name="ether1",
        system_description=f"MikroTik RouterOS {_NEIGHBOR_VERSION} {_NEIGHBOR_BOARD}",
        system_caps="bridge,router",
        system_caps_enabled="bridge,router",
        discovered_by="cdp,lldp,mndp" if state.persona.is_v7 else None,
    )


def host_menus(state: RouterState) -> list[Menu]:
    """Return the menus of this version. In RouterOS 6 IPv6 is a package, which isn't installed here."""
    menus = [
        Menu("/ip/address", addresses),
        Menu("/ip/arp", _arp),
        Menu("/ip/neighbor", _neighbors),
    ]
    if state.persona.is_v7:
        menus.append(Menu("/ipv6/address", _ipv6_addresses))
    return menus
