"""Neighbours of OSPF, LDP and RIP, and BFD sessions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mtd.lab.clock import TICKS_PER_S
from mtd.lab.menus.base import Menu, Row, numbered, row
from mtd.lab.menus.bgp import INSTANCES_SINCE, age, peers, router_id
from mtd.lab.menus.hosts import link_local, mac, routed

if TYPE_CHECKING:
    from mtd.lab.hardware import Interface
    from mtd.lab.state import RouterState

BFD_SINCE = (7, 10)
_NEIGHBORS = 2  # on the first networks behind the router


@dataclass(frozen=True, slots=True)
class Neighbor:
    """A router on the same network. ``since`` is the tick at which it was found."""

    number: int
    address: str
    router_id: str
    interface: str
    link_local: str
    since: int


def neighbors(state: RouterState, tick: int) -> list[Neighbor]:
    """Return the routers behind this one: those whose links run."""
    segment = state.truth.segment(tick)
    behind = [(name, net, item) for name, net, item in routed(state, tick) if item.index > 0]
    return [
        Neighbor(
            number=number,
            address=f"{net}.2",
            router_id=f"10.255.0.{number + 2}",
            interface=name,
            link_local=str(link_local(mac(state, item.index))),
            since=_up_since(state, tick, item),
        )
        for number, (name, net, item) in enumerate(behind[:_NEIGHBORS])
        if segment.running[item.index]
    ]


def _up_since(state: RouterState, tick: int, item: Interface) -> int:
    segment = state.truth.segment(tick)
    return segment.up_since.get(item.index, segment.booted)


def _v6_ospf(state: RouterState, tick: int) -> list[Row]:
    return numbered(
        [
            row(
                instance="default",
                router_id=found.router_id,
                address=found.address,
                interface=found.interface,
                priority=1,
                dr_address=found.address,
                state="Full",
                state_changes=6,
                ls_retransmits=0,
                ls_requests=0,
                db_summaries=0,
                adjacency=age(found.since, tick),
            )
            for found in neighbors(state, tick)
        ]
    )


def _v6_ospf_v3(state: RouterState, tick: int) -> list[Row]:
    return numbered(
        [
            row(
                instance="default",
                router_id=found.router_id,
                address=found.link_local,
                interface=found.interface,
                priority=1,
                state="Full",
                state_changes=5,
                adjacency=age(found.since, tick),
            )
            for found in neighbors(state, tick)[:1]
        ]
    )


def _v7_ospf(state: RouterState, tick: int) -> list[Row]:
    """Return the neighbours of both versions of OSPF."""
    found = neighbors(state, tick)
    names_interface = state.persona.version >= INSTANCES_SINCE
    rows = [
        _v7_ospf_row(each, tick, "v2", each.address, 6, each.interface if names_interface else None)
        for each in found
    ]
    rows += [
        _v7_ospf_row(each, tick, "v3", f"{each.link_local}%{each.interface}", 5, None) for each in found[:1]
    ]
    return numbered(rows)


def _v7_ospf_row(
    found: Neighbor, tick: int, instance: str, address: str, changes: int, interface: str | None
) -> Row:
    return row(
        instance=instance,
        area=f"backbone-{instance}",
        interface=interface,
        address=address,
        router_id=found.router_id,
        priority=1,
        dr=found.address if instance == "v2" else None,
        state="Full",
        state_changes=changes,
        adjacency=age(found.since, tick),
        timeout=f"{30 + tick // TICKS_PER_S % 10}s",
        dynamic=True,
    )


def _ldp(state: RouterState, tick: int) -> list[Row]:
    """Return the neighbours that are there, and one that somebody configured in vain."""
    local = router_id(state)
    rows = [
        row(
            transport=found.router_id,
            local_transport=local,
            peer=f"{found.router_id}:0",
            addresses=f"{found.address},{found.router_id}",
            dynamic=True,
            operational=True,
            passive=found.number % 2 == 0 or None,
            disabled=False,
        )
        for found in neighbors(state, tick)
    ]
    rows.append(row(transport="10.255.0.99", local_transport=local, send_targeted=True, disabled=False))
    return numbered(rows)


def _rip(state: RouterState, tick: int) -> list[Row]:
    """Return a neighbour. Version 6 tells no more than its address."""
    found = neighbors(state, tick)[1:2]
    if not state.persona.is_v7:
        return numbered([row(address=each.address) for each in found])
    return numbered(
        [
            row(
                instance="rip",
                address=f"{each.address}%{each.interface}",
                routes=14,
                packets_total=(tick - each.since) // (30 * TICKS_PER_S),
                packets_bad=0,
                entries_bad=0,
                last_update=f"{tick // TICKS_PER_S % 30}s",
                dynamic=True,
            )
            for each in found
        ]
    )


def _bfd(state: RouterState, tick: int) -> list[Row]:
    """Return a session with the transit, and one with the first OSPF neighbour."""
    uplink = state.truth.all_interfaces[0]
    name, _ = state.truth.label(state.truth.segment(tick), uplink)
    transit = peers(state, tick)[0]
    rows = [_bfd_row(state, tick, transit.address, name, "bgp", transit.since)]
    rows += [
        _bfd_row(state, tick, found.address, found.interface, "ospf", found.since)
        for found in neighbors(state, tick)[:1]
    ]
    return numbered(rows)


def _bfd_row(
    state: RouterState, tick: int, address: str, interface: str, protocol: str, since: int | None
) -> Row:
    v7 = state.persona.is_v7
    content = row(
        remote_address=f"{address}%{interface}" if v7 else None,
        address=None if v7 else address,
        interface=None if v7 else interface,
        protocols=None if v7 else protocol,
        vrf="main" if v7 else None,
        multihop=False,
        state="down" if since is None else "up",
        state_changes=1,
        desired_tx_interval="200ms" if v7 else "0.2",
        multiplier=5,
    )
    if since is not None:
        content |= row(up=True, uptime=age(since, tick))
    return content


def neighbor_menus(state: RouterState) -> list[Menu]:
    """Return the menus of this version."""
    menus = [Menu("/routing/rip/neighbor", _rip), Menu("/mpls/ldp/neighbor", _ldp)]
    if not state.persona.is_v7:
        menus += [
            Menu("/routing/ospf/neighbor", _v6_ospf),
            Menu("/routing/ospf-v3/neighbor", _v6_ospf_v3),
            Menu("/routing/bfd/neighbor", _bfd),
        ]
        return menus
    menus.append(Menu("/routing/ospf/neighbor", _v7_ospf))
    if state.persona.version >= BFD_SINCE:
        menus.append(Menu("/routing/bfd/session", _bfd))
    return menus
