"""Bridges, VLANs, bonds, VRRP and power over Ethernet; and what spoils frames on the wire."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from mtd.lab.clock import TICKS_PER_S
from mtd.lab.menus.base import CommandError, Menu, Row, numbered, row, text
from mtd.lab.wave import AMPLITUDE, mix

if TYPE_CHECKING:
    from mtd.lab.hardware import Interface
    from mtd.lab.state import RouterState

VRRP_ID = "*A00001"
_ROOT = "0x1000.64:D1:54:AA:00:01"
_POE_EACH = 4
# A port that is spoilt loses a frame each so many seconds.
_FCS_EVERY_S = 30


def wire_errors(state: RouterState, tick: int, item: Interface) -> Row:
    """Return the counters of an ethernet port that tell why frames were spoilt; each fifth port has a bad cable."""
    since = (tick - state.truth.segment(tick).booted) // TICKS_PER_S
    spoilt = since // _FCS_EVERY_S if item.index % 5 == 1 and item.connected else 0
    return row(
        rx_fcs_error=spoilt,
        rx_align_error=spoilt // 7,
        rx_fragment=spoilt // 3,
        rx_too_short=0,
        rx_too_long=mix(state.truth.key, 51, item.index) % 4,
        rx_overflow=0,
        rx_jabber=0,
        rx_code_error=spoilt // 5,
        rx_pause=since // 600,
        tx_pause=0,
        tx_underrun=0,
        tx_collision=0,
        tx_late_collision=0,
        tx_excessive_collision=0,
    )


def poe_out(item: Interface) -> str | None:
    """Return the setting of a port that gives power; None for one that doesn't."""
    return "auto-on" if item.type == "ether" and item.index % _POE_EACH == 2 else None


def _shown(state: RouterState, tick: int, kind: str) -> list[tuple[Interface, str, bool]]:
    """Return (interface, name, running) of a type."""
    truth = state.truth
    segment = truth.segment(tick)
    return [
        (item, truth.label(segment, item)[0], segment.running[item.index])
        for item in truth.shown(segment)
        if item.type == kind
    ]


def _slaves(state: RouterState, tick: int) -> list[tuple[Interface, str, bool]]:
    return [found for found in _shown(state, tick, "ether") if found[0].slave]


def _bond_ports(state: RouterState, tick: int) -> list[tuple[Interface, str, bool]]:
    return _slaves(state, tick)[:2]


def _bridge_ports(state: RouterState, tick: int) -> list[tuple[Interface, str, bool]]:
    return _slaves(state, tick)[2:]


def _bridges(state: RouterState, tick: int) -> list[Row]:
    return [
        row(
            **{".id": item.id},
            name=name,
            mtu="auto",
            actual_mtu=item.mtu,
            arp="enabled",
            mac_address=item.mac_address,
            protocol_mode="rstp",
            priority="0x8000",
            igmp_snooping=False,
            dhcp_snooping=False,
            vlan_filtering=True,
            auto_mac=True,
            ageing_time="5m",
            running=running,
            disabled=item.disabled,
        )
        for item, name, running in _shown(state, tick, "bridge")
    ]


def _chosen(
    found: list[tuple[Interface, str, bool]], arguments: Mapping[bytes, bytes]
) -> list[tuple[Interface, str, bool]]:
    wanted = arguments.get(b"numbers", b"").split(b",")
    by_id = {text(item.id): entry for entry in found for item in entry[:1]}
    if not all(number in by_id for number in wanted):
        raise CommandError("no such item", 0)
    return [by_id[number] for number in wanted]


def _monitor_bridge(state: RouterState, tick: int, arguments: Mapping[bytes, bytes]) -> list[Row]:
    ports = _bridge_ports(state, tick)
    up = [name for _, name, running in ports if running]
    return [
        row(
            state="enabled" if not item.disabled else "disabled",
            current_mac_address=item.mac_address,
            root_bridge=not up,
            root_bridge_id=_ROOT if up else f"0x8000.{item.mac_address}",
            root_path_cost=20_000 if up else 0,
            root_port=up[0] if up else "none",
            port_count=len(ports),
            designated_port_count=max(0, len(up) - 1),
        )
        for item, _, _ in _chosen(_shown(state, tick, "bridge"), arguments)
    ]


def _ports_of_bridges(state: RouterState, tick: int) -> list[Row]:
    bridges = _shown(state, tick, "bridge")
    if not bridges:
        return []
    up = [name for _, name, running in _bridge_ports(state, tick) if running]
    rows = []
    for item, name, running in _bridge_ports(state, tick):
        role = "disabled-port" if not running else "root-port" if name == up[0] else "designated-port"
        rows.append(
            row(
                interface=name,
                bridge=bridges[0][1],
                pvid=1,
                priority="0x80",
                path_cost=20_000,
                edge="auto",
                point_to_point="auto",
                learn="auto",
                horizon="none",
                hw=True,
                frame_types="admit-all",
                ingress_filtering=True,
                bpdu_guard=False,
                trusted=False,
                status="in-bridge" if running else "inactive",
                role=role,
                edge_port=False,
                point_to_point_port=True,
                learning=running,
                forwarding=running,
                hw_offload=True,
                inactive=not running,
                dynamic=False,
                disabled=item.disabled,
            )
        )
    return numbered(rows)


def _vlan_id(item: Interface) -> int:
    return 100 + item.index


def _vlans(state: RouterState, tick: int) -> list[Row]:
    bridges = _shown(state, tick, "bridge")
    return [
        row(
            **{".id": item.id},
            name=name,
            mtu=item.mtu,
            l2mtu=item.l2mtu,
            mac_address=item.mac_address,
            arp="enabled",
            vlan_id=_vlan_id(item),
            interface=bridges[0][1] if bridges else "ether1",
            use_service_tag=False,
            running=running,
            disabled=item.disabled,
        )
        for item, name, running in _shown(state, tick, "vlan")
    ]


def _vlans_of_bridges(state: RouterState, tick: int) -> list[Row]:
    bridges = _shown(state, tick, "bridge")
    tagged = ",".join(name for _, name, _ in _bridge_ports(state, tick))
    return numbered(
        [
            row(
                bridge=bridges[0][1],
                vlan_ids=_vlan_id(item),
                tagged=tagged,
                untagged="",
                current_tagged=tagged,
                current_untagged="",
                dynamic=False,
                disabled=item.disabled,
            )
            for item, _, _ in _shown(state, tick, "vlan")
            if bridges
        ]
    )


def _bonds(state: RouterState, tick: int) -> list[Row]:
    slaves = ",".join(name for _, name, _ in _bond_ports(state, tick))
    return [
        row(
            **{".id": item.id},
            name=name,
            mtu=item.mtu,
            mac_address=item.mac_address,
            mode="802.3ad",
            slaves=slaves,
            primary="none",
            link_monitoring="mii",
            lacp_rate="30secs",
            transmit_hash_policy="layer-2-and-3",
            min_links=0,
            running=running,
            disabled=item.disabled,
        )
        for item, name, running in _shown(state, tick, "bond")
    ]


def _monitor_bond(state: RouterState, tick: int, arguments: Mapping[bytes, bytes]) -> list[Row]:
    ports = _bond_ports(state, tick)
    return [
        row(
            mode="802.3ad",
            active_ports=",".join(name for _, name, running in ports if running),
            inactive_ports=",".join(name for _, name, running in ports if not running),
            lacp_system_id=item.mac_address,
            lacp_system_priority=65_535,
            lacp_partner_system_id="64:D1:54:BB:00:01",
        )
        for item, _, _ in _chosen(_shown(state, tick, "bond"), arguments)
    ]


def _vrrp(state: RouterState, tick: int) -> list[Row]:
    """Return one, on the first VLAN: master while the VLAN runs."""
    vlans = _shown(state, tick, "vlan")
    if not vlans:
        return []
    _, name, running = vlans[0]
    flags = {} if state.persona.is_v7 and running else {"backup": False}
    return [
        row(
            **{".id": VRRP_ID},
            name="vrrp1",
            mtu=1500,
            mac_address="00:00:5E:00:01:01",
            arp="enabled",
            interface=name,
            vrid=1,
            priority=100,
            interval="1s",
            preemption_mode=True,
            authentication="none",
            password="",
            version=3,
            v3_protocol="ipv4",
            invalid=False,
            running=running,
            master=running,
            disabled=False,
            **flags,
        )
    ]


def _poe(state: RouterState, tick: int) -> list[Row]:
    return [
        row(**{".id": item.id}, name=name, poe_out=poe_out(item), poe_priority=10, poe_voltage="auto")
        for item, name, _ in _shown(state, tick, "ether")
        if poe_out(item)
    ]


def _monitor_poe(state: RouterState, tick: int, arguments: Mapping[bytes, bytes]) -> list[Row]:
    ports = [found for found in _shown(state, tick, "ether") if poe_out(found[0])]
    rows = []
    for item, name, running in _chosen(ports, arguments):
        content = row(name=name, poe_out=poe_out(item))
        if running:
            milliamperes = 80 + item.index + int(state.truth.wave.height[0]) // AMPLITUDE
            content |= row(
                poe_out_status="powered-on",
                poe_out_voltage="47.9",
                poe_out_current=milliamperes,
                poe_out_power=f"{479 * milliamperes // 10_000}.{479 * milliamperes // 1000 % 10}",
            )
        else:
            content |= row(poe_out_status="waiting-for-load")
        rows.append(content)
    return rows


def layer2_menus(_state: RouterState) -> list[Menu]:
    """Return the menus; those of both major versions are alike."""
    return [
        Menu("/interface/bridge", _bridges, {}, {"monitor": _monitor_bridge}),
        Menu("/interface/bridge/port", _ports_of_bridges),
        Menu("/interface/bridge/vlan", _vlans_of_bridges),
        Menu("/interface/vlan", _vlans),
        Menu("/interface/bonding", _bonds, {}, {"monitor": _monitor_bond}),
        Menu("/interface/vrrp", _vrrp),
        Menu("/interface/ethernet/poe", _poe, {}, {"monitor": _monitor_poe}),
    ]
