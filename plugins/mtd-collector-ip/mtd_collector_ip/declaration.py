"""What is read of addresses, neighbours, pools and routes, and what it means."""

from __future__ import annotations

from mtd.model.metric import Tier
from mtd.plugin import Collector, Menu, TableKind, columns
from mtd_collector_ip.addresses import ADDRESSES, NOT_DYNAMIC
from mtd_collector_ip.links import NEIGHBORS
from mtd_collector_ip.route_menus import ROUTES, STATIC


def _snapshot(
    kind: str,
    path: str,
    *fields: str,
    row_key: str = ".id",
    requires: str = "",
    queries: tuple[str, ...] = (),
) -> Menu:
    return Menu(
        name=f"snapshot-{kind}",
        path=path,
        kind=TableKind.SNAPSHOT,
        tier=Tier.T3,
        table=kind,
        row_key=row_key,
        requires=requires,
        queries=queries,
        max_rows=2_000,
        max_bytes=1024 * 1024,
        fields=columns(*fields),
    )


_ROUTE = (
    *("dst-address", "gateway", "distance", "routing-table", "routing-mark", "vrf-interface", "pref-src"),
    *("scope", "target-scope", "check-gateway", "type", "blackhole", "disabled", "comment"),
)

SNAPSHOTS = (
    # Nothing here that changes by itself: a snapshot is stored when it changes.
    _snapshot("ip.pool", "/ip/pool", "name", "ranges", "next-pool", "comment"),
    _snapshot("ip.static_route", "/ip/route", *_ROUTE, queries=STATIC),
    _snapshot(
        "ip.settings",
        "/ip/settings",
        *("ip-forward", "send-redirects", "accept-source-route", "accept-redirects", "secure-redirects"),
        *("rp-filter", "tcp-syncookies", "max-neighbor-entries", "arp-timeout", "icmp-rate-limit"),
        *("allow-fast-path", "ipv4-multipath-hash-policy"),
        row_key="",
    ),
    _snapshot(
        "ipv6.pool", "/ipv6/pool", "name", "prefix", "prefix-length", "from-pool", "comment", requires="ipv6"
    ),
    _snapshot(
        "ipv6.static_route",
        "/ipv6/route",
        *_ROUTE,
        queries=STATIC,
        requires="ipv6",
    ),
    _snapshot(
        "ipv6.settings",
        "/ipv6/settings",
        *("forward", "disable-ipv6", "accept-redirects", "accept-router-advertisements"),
        *("max-neighbor-entries", "multipath-hash-policy", "allow-fast-path"),
        row_key="",
        requires="ipv6",
    ),
    _snapshot(
        "ipv6.nd",
        "/ipv6/nd",
        *("interface", "ra-interval", "ra-delay", "ra-lifetime", "ra-preference", "mtu", "hop-limit"),
        *("reachable-time", "retransmit-interval", "advertise-mac-address", "advertise-dns", "dns", "pref64"),
        *("managed-address-configuration", "other-configuration", "default", "disabled", "comment"),
        queries=NOT_DYNAMIC,
        requires="ipv6",
    ),
    _snapshot(
        "ipv6.nd_prefix",
        "/ipv6/nd/prefix",
        *("prefix", "interface", "6to4-interface", "on-link", "autonomous", "valid-lifetime"),
        *("preferred-lifetime", "disabled", "comment"),
        queries=NOT_DYNAMIC,
        requires="ipv6",
    ),
)

COLLECTOR = Collector(
    name="ip",
    api=1,
    description="Addresses, ARP and neighbour tables, pools and routes, of both IP versions",
    menus=(*ADDRESSES, NEIGHBORS, *ROUTES, *SNAPSHOTS),
)
