"""Routes of the router, its IPv6 neighbours, and the settings of both IP versions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mtd.lab.menus.base import Menu, Row, numbered, row
from mtd.lab.menus.hosts import link_local, mac, routed
from mtd.lab.wave import mix

if TYPE_CHECKING:
    from mtd.lab.state import RouterState

# A router of an access network: two ways out, a network per VLAN, and what its neighbours announce.
BGP_ROUTES = 400
OSPF_ROUTES = 20
UPSTREAM = "10.0.0.254"
_BACKUP_DISTANCE = 10


def ipv4_routes(state: RouterState, tick: int) -> list[Row]:
    """Return ``/ip/route``: two default routes, connected networks, routes of BGP and OSPF."""
    segment = state.truth.segment(tick)
    links = [(name, net, segment.running[item.index]) for name, net, item in routed(state, tick)]
    if not links:
        return []
    (uplink, _, up), others = links[0], links[1:]
    rows = [_route(state, "0.0.0.0/0", UPSTREAM, uplink, 1, active=up, reachable=up, origin="static")]
    if others:
        name, net, running = others[0]
        rows.append(
            _route(
                *(state, "0.0.0.0/0", f"{net}.254", name, _BACKUP_DISTANCE),
                active=running and not up,
                reachable=running,
                origin="static",
            )
        )
    rows += [_connected(state, f"{net}.0/24", name) for name, net, running in links if running]
    rows += [_learned(state, number, UPSTREAM, uplink, up) for number in range(BGP_ROUTES)]
    if others and others[0][2]:
        name, net, _ = others[0]
        rows += [
            _route(
                *(state, f"10.{200 + number}.0.0/16", f"{net}.2", name, 110),
                active=True,
                reachable=True,
                origin="ospf",
            )
            for number in range(OSPF_ROUTES)
        ]
    return numbered(rows)


def _learned(state: RouterState, number: int, gateway: str, interface: str, up: bool) -> Row:
    high, low = divmod(mix(state.truth.key, number) % 65_536, 256)
    return _route(
        *(state, f"172.{16 + high % 16}.{low}.0/24", gateway, interface, 20),
        active=up,
        reachable=up,
        origin="bgp",
    )


def _connected(state: RouterState, network: str, interface: str) -> Row:
    return _route(*(state, network, interface, interface, 0), active=True, reachable=True, origin="connect")


def _route(
    state: RouterState,
    destination: str,
    gateway: str,
    interface: str,
    distance: int,
    *,
    active: bool,
    reachable: bool,
    origin: str,
) -> Row:
    """Return a route as this version tells it. Flags that aren't set are left out."""
    dynamic = origin != "static"
    content = row(dst_address=destination, gateway=gateway, distance=distance)
    if state.persona.is_v7:
        resolved = interface if gateway == interface else f"{gateway}%{interface}"
        content |= row(
            routing_table="main",
            immediate_gw=resolved if reachable else "",
            scope=30,
            target_scope=10,
            dynamic=dynamic,
            active=active,
            inactive=not active,
            disabled=None if dynamic else False,
        )
    else:
        content |= row(
            gateway_status=_status(gateway, interface, reachable=reachable),
            scope=30,
            target_scope=10,
            dynamic=dynamic or None,
            active=active or None,
            disabled=False,
        )
    return content | row(**{origin: True})


def _status(gateway: str, interface: str, *, reachable: bool) -> str:
    if not reachable:
        return f"{gateway} unreachable"
    return f"{gateway} reachable" if gateway == interface else f"{gateway} reachable via  {interface}"


def _ipv6_routes(state: RouterState, tick: int) -> list[Row]:
    """Return ``/ipv6/route`` of version 7: a default route that was advertised, and the links."""
    segment = state.truth.segment(tick)
    links = [(name, item) for name, _, item in routed(state, tick) if segment.running[item.index]]
    rows = []
    if links and links[0][1].index == 0:
        name = links[0][0]
        gateway = f"fe80::1%{name}"
        rows.append(_ipv6_route("::/0", gateway, gateway, 1, slaac=True))
    rows += [_ipv6_route(f"fe80::%{name}/64", name, name, 0, connect=True) for name, _ in links]
    return numbered(rows)


def _ipv6_route(destination: str, gateway: str, immediate: str, distance: int, **origin: bool) -> Row:
    return row(
        dst_address=destination,
        gateway=gateway,
        distance=distance,
        routing_table="main",
        immediate_gw=immediate,
        dynamic=True,
        active=True,
        **origin,
    )


def _ipv6_neighbors(state: RouterState, tick: int) -> list[Row]:
    """Return the router upstream, and a host on each network."""
    segment = state.truth.segment(tick)
    rows = []
    for name, _, item in routed(state, tick):
        if not segment.running[item.index]:
            continue
        if item.index == 0:
            upstream = mac(state, 5000)
            rows.append(
                row(address="fe80::1", mac_address=upstream, interface=name, status="reachable", router=True)
            )
        host = mac(state, item.index)
        rows.append(
            row(
                address=str(link_local(host)),
                mac_address=host,
                interface=name,
                # Heard of now, or some time ago: it goes round.
                status=("reachable", "stale", "delay")[(tick // 10_000 + item.index) % 3],
                dynamic=True,
            )
        )
    return numbered(rows)


def _settings(state: RouterState, _tick: int) -> list[Row]:
    content = row(
        ip_forward=True,
        send_redirects=True,
        accept_source_route=False,
        accept_redirects=False,
        secure_redirects=True,
        rp_filter="no",
        tcp_syncookies=False,
        max_neighbor_entries=8192,
        arp_timeout="30s",
        icmp_rate_limit=10,
        allow_fast_path=True,
    )
    newer = row(ipv4_multipath_hash_policy="l3") if state.persona.is_v7 else row(route_cache=True)
    return [content | newer]


def _ipv6_settings(_state: RouterState, _tick: int) -> list[Row]:
    return [
        row(
            disable_ipv6=False,
            forward=True,
            accept_redirects="yes-if-forwarding-disabled",
            accept_router_advertisements="yes-if-forwarding-disabled",
            max_neighbor_entries=8192,
        )
    ]


def _advertised(_state: RouterState, _tick: int) -> list[Row]:
    content = row(interface="all", ra_interval="3m20s-10m", ra_lifetime="30m", default=True, disabled=False)
    return numbered([content])


def ip_menus(state: RouterState) -> list[Menu]:
    """Return the menus of this version. In RouterOS 6 IPv6 is a package, which isn't installed here."""
    menus = [Menu("/ip/route", ipv4_routes), Menu("/ip/settings", _settings)]
    if state.persona.is_v7:
        menus += [
            Menu("/ipv6/route", _ipv6_routes),
            Menu("/ipv6/neighbor", _ipv6_neighbors),
            Menu("/ipv6/settings", _ipv6_settings),
            Menu("/ipv6/nd", _advertised),
            Menu("/ipv6/nd/prefix", lambda _state, _tick: []),
        ]
    return menus
