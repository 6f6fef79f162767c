"""DHCP and DNS but for the leases: servers, pools, the router's own client, the cache."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from mtd.lab.clock import TICKS_PER_S
from mtd.lab.menus.base import Menu, Row, nothing, numbered, row
from mtd.lab.menus.hosts import mac, routed
from mtd.lab.personality import duration
from mtd.lab.subscribers import Lease
from mtd.lab.wave import AMPLITUDE, mix

if TYPE_CHECKING:
    from mtd.lab.state import RouterState

# Newer routers tell how full a pool is. Which version began isn't documented: the lab's do from here on.
_POOLS_TELL_USE_SINCE = (7, 16)
_SUFFIX_SINCE = (7, 16)
_SERVERS = 4
_POOL = "subscribers"
_SMALL_POOL = 254
_CLIENT_LEASE_S = 3_600
_CACHE_KIB = 2_048
_STATIC_NAMES = 7


def _pool_size(state: RouterState) -> int:
    """Each place of a lease has two addresses, in turn."""
    return max(_SMALL_POOL, 2 * state.truth.subscribers.lease_churn.places)


def _bound(state: RouterState, tick: int) -> list[Lease]:
    return [lease for lease in state.truth.subscribers.leases(tick) if lease.bound]


def _pools(state: RouterState, tick: int) -> list[Row]:
    size = _pool_size(state)
    first = ipaddress.IPv4Address("10.64.0.0")
    pools = [(_POOL, f"{first}-{first + size - 1}", size, len(_bound(state, tick)))]
    pools.append(("management", "10.9.0.10-10.9.0.19", 10, 0))
    tells = state.persona.version >= _POOLS_TELL_USE_SINCE
    rows = []
    for name, ranges, total, used in pools:
        content = row(name=name, ranges=ranges)
        if tells:
            content |= row(total=total, used=used, available=total - used)
        rows.append(content)
    return numbered(rows)


def _pool_used(state: RouterState, tick: int) -> list[Row]:
    return numbered(
        [
            row(pool=_POOL, address=lease.address, owner="DHCP", info=lease.mac_address)
            for lease in _bound(state, tick)
        ]
    )


def _servers(state: RouterState, tick: int) -> list[Row]:
    """Return the servers that leases name; the last one's interface is gone."""
    names = [name for name, _, item in routed(state, tick) if item.index > 0]
    rows = [
        row(
            name=f"dhcp{number + 1}",
            interface=names[number % len(names)] if names else "bridge1",
            address_pool=_POOL,
            lease_time="10m",
            authoritative="yes",
            use_radius="no",
            dynamic=False,
            invalid=False,
            disabled=False,
        )
        for number in range(_SERVERS)
    ]
    gone = row(name="former", interface="*FF", address_pool="management", lease_time="1h", dynamic=False)
    return numbered([*rows, gone | row(invalid=True, disabled=False)])


def _networks(_state: RouterState, _tick: int) -> list[Row]:
    return numbered([row(address="10.64.0.0/10", gateway="10.64.0.1", dns_server="192.0.2.53", domain="")])


def _client(state: RouterState, tick: int) -> list[Row]:
    """Return the client on the second port: it has an address while the port has a link."""
    if len(state.truth.all_interfaces) < 2:
        return []
    segment, item = state.truth.segment(tick), state.truth.all_interfaces[1]
    name, _ = state.truth.label(segment, item)
    content = row(
        interface=name,
        add_default_route="no",
        use_peer_dns=False,
        use_peer_ntp=False,
        dhcp_options="hostname",
    )
    content |= row(invalid=False, dynamic=False, disabled=False, comment="management")
    if not segment.running[item.index]:
        return numbered([content | row(status="searching...")])
    since = segment.up_since.get(item.index, segment.booted)
    left_s = _CLIENT_LEASE_S - (tick - since) // TICKS_PER_S % (_CLIENT_LEASE_S // 2)
    return numbered(
        [
            content
            | row(
                status="bound",
                address=f"198.51.100.{mix(state.truth.key, 31) % 250 + 2}/24",
                gateway="198.51.100.1",
                dhcp_server="198.51.100.1",
                primary_dns="198.51.100.53",
                expires_after=duration(left_s),
            )
        ]
    )


def _dns(state: RouterState, tick: int) -> list[Row]:
    height = int(state.truth.wave.height[tick % state.truth.wave.period])
    used = 600 + mix(state.truth.key, 32) % 400 + 200 * height // AMPLITUDE
    unit = "KiB" if state.persona.version >= _SUFFIX_SINCE else ""
    content = row(
        servers="192.0.2.53",
        dynamic_servers="",
        allow_remote_requests=True,
        max_udp_packet_size=4096,
        query_server_timeout="2s",
        query_total_timeout="10s",
        cache_size=f"{_CACHE_KIB}{unit}",
        cache_max_ttl="1w",
        cache_used=f"{used}{unit}",
    )
    return [content | row(vrf="main") if state.persona.is_v7 else content]


def _cache(state: RouterState, tick: int) -> list[Row]:
    count = 100 + mix(state.truth.key, 33, tick // (60 * TICKS_PER_S)) % 50
    return numbered([row(name=f"host{number}.example.net", type="A", ttl="5m") for number in range(count)])


def _static(_state: RouterState, _tick: int) -> list[Row]:
    names = [
        row(
            name=f"lab{number}.example.net",
            address=f"10.0.0.{number + 2}",
            ttl="1d",
            dynamic=False,
            disabled=False,
        )
        for number in range(_STATIC_NAMES)
    ]
    guest = row(name="guest.example.net", address="10.64.0.17", ttl="1d", dynamic=True)
    return numbered([*names, guest | row(disabled=False)])


def _bindings(state: RouterState, tick: int) -> list[Row]:
    """Return the prefixes of the first network's hosts, bound since the start of time."""
    rows = []
    for name, _, item in list(routed(state, tick))[1:4]:
        client = mac(state, item.index).replace(":", "").lower()
        rows.append(
            row(
                address=f"2001:db8:{0x100 + item.index:x}::/56",
                duid=f"0x00030001{client}",
                iaid=item.index,
                ia_type="pd",
                server="pd",
                prefix_pool="pd",
                status="bound",
                life_time="3d",
                expires_after=duration(259_200 - tick // TICKS_PER_S % 129_600),
                last_seen=duration(tick // TICKS_PER_S % 129_600),
                dynamic=True,
                radius=False,
                disabled=False,
                comment=name,
            )
        )
    return numbered(rows)


def _prefixes_used(state: RouterState, tick: int) -> list[Row]:
    return numbered(
        [
            row(pool="pd", owner="DHCP") | {b"prefix": binding[b"address"], b"info": binding[b"duid"]}
            for binding in _bindings(state, tick)
        ]
    )


def _servers6(state: RouterState, tick: int) -> list[Row]:
    names = [name for name, _, item in routed(state, tick) if item.index > 0]
    content = row(name="pd", interface=names[0] if names else "bridge1", address_pool="pd", lease_time="3d")
    return numbered(
        [content | row(preference=255, rapid_commit=True, invalid=False, dynamic=False, disabled=False)]
    )


def _pools6(_state: RouterState, _tick: int) -> list[Row]:
    return numbered([row(name="pd", prefix="2001:db8::/32", prefix_length=56)])


def dhcp_menus(state: RouterState) -> list[Menu]:
    """Return the menus of this version."""
    menus = [
        Menu("/ip/pool", _pools),
        Menu("/ip/pool/used", _pool_used),
        Menu("/ip/dhcp-server", _servers),
        Menu("/ip/dhcp-server/network", _networks),
        Menu("/ip/dhcp-server/option", nothing),
        Menu("/ip/dhcp-server/option/sets", nothing),
        Menu("/ip/dhcp-relay", nothing),
        Menu("/ip/dhcp-client", _client),
        Menu("/ip/dns", _dns),
        Menu("/ip/dns/cache", _cache),
        Menu("/ip/dns/static", _static),
    ]
    if state.persona.is_v7:
        menus += [
            Menu("/ipv6/pool", _pools6),
            Menu("/ipv6/pool/used", _prefixes_used),
            Menu("/ipv6/dhcp-server", _servers6),
            Menu("/ipv6/dhcp-server/binding", _bindings),
            Menu("/ipv6/dhcp-server/option/sets", nothing),
            Menu("/ipv6/dhcp-client", nothing),
        ]
    return menus
