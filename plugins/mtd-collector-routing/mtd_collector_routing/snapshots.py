"""How routing is configured. Keys and passwords are never read."""

from __future__ import annotations

from mtd.model.metric import Tier
from mtd.plugin import Menu, TableKind, columns


def _snapshot(kind: str, path: str, requires: str, *fields: str) -> Menu:
    return Menu(
        name=f"snapshot-{path[1:].replace('/', '-')}",
        path=path,
        kind=TableKind.SNAPSHOT,
        tier=Tier.T3,
        table=kind,
        row_key=".id",
        requires=requires,
        max_rows=2_000,
        max_bytes=1024 * 1024,
        fields=columns(*fields),
    )


_REDISTRIBUTED = ("connected", "static", "rip", "ospf", "bgp", "other-bgp", "other-ospf")

SNAPSHOTS = (
    # Nothing here that changes by itself: a snapshot is stored when it changes.
    _snapshot(
        "routing.bgp.instance",
        "/routing/bgp/instance",
        "bgp.instance",
        *("name", "as", "router-id", "routing-table", "vrf", "cluster-id", "confederation", "out-filter"),
        *("client-to-client-reflection", "ignore-as-path-len", "multipath", "disabled", "comment"),
        *(f"redistribute-{what}" for what in _REDISTRIBUTED),
    ),
    _snapshot(
        "routing.bgp.peer",
        "/routing/bgp/peer",
        "bgp.peer",
        *("name", "instance", "remote-address", "remote-as", "remote-port", "address-families", "in-filter"),
        *("out-filter", "hold-time", "keepalive-time", "multihop", "ttl", "passive", "route-reflect"),
        *("nexthop-choice", "default-originate", "remove-private-as", "as-override", "allow-as-in"),
        *("max-prefix-limit", "update-source", "use-bfd", "disabled", "comment"),
    ),
    _snapshot(
        "routing.bgp.connection",
        "/routing/bgp/connection",
        "bgp.connection",
        *("name", "instance", "templates", "remote.address", "remote.as", "remote.port", "remote.ttl", "as"),
        *(
            "local.address",
            "local.role",
            "local.ttl",
            "listen",
            "connect",
            "multihop",
            "routing-table",
            "vrf",
        ),
        *("router-id", "afi", "address-families", "hold-time", "keepalive-time", "input.filter"),
        *("input.limit-process-routes-ipv4", "input.limit-process-routes-ipv6", "output.filter-chain"),
        *("output.redistribute", "output.network", "output.default-originate", "nexthop-choice", "use-bfd"),
        *("disabled", "comment"),
    ),
    _snapshot(
        "routing.bgp.template",
        "/routing/bgp/template",
        "bgp.template",
        *("name", "as", "router-id", "templates", "routing-table", "vrf", "afi", "address-families"),
        *("hold-time", "keepalive-time", "multihop", "input.filter", "output.filter-chain"),
        *("output.redistribute", "output.network", "nexthop-choice", "use-bfd", "disabled", "comment"),
    ),
    _snapshot(
        "routing.ospf.instance",
        "/routing/ospf/instance",
        "ospf",
        *("name", "version", "router-id", "vrf", "routing-table", "originate-default", "redistribute"),
        *("in-filter-chain", "out-filter-chain", "distribute-default", "in-filter", "out-filter"),
        *("redistribute-connected", "redistribute-static", "redistribute-bgp", "redistribute-other-ospf"),
        *("disabled", "comment"),
    ),
    _snapshot(
        "routing.ospf.area",
        "/routing/ospf/area",
        "ospf",
        *("name", "instance", "area-id", "type", "default-cost", "no-summaries", "disabled", "comment"),
    ),
    _snapshot(
        "routing.ospf.area_range",
        "/routing/ospf/area/range",
        "ospf",
        *("area", "prefix", "range", "cost", "advertise", "disabled", "comment"),
    ),
    _snapshot(
        "routing.ospf.interface_template",
        "/routing/ospf/interface-template",
        "ospf.template",
        *("interfaces", "networks", "area", "instance-id", "type", "cost", "priority", "passive", "auth"),
        *("hello-interval", "dead-interval", "use-bfd", "disabled", "comment"),
    ),
    _snapshot(
        "routing.ospf.network",
        "/routing/ospf/network",
        "ospf.network",
        *("network", "area", "disabled", "comment"),
    ),
    _snapshot(
        "routing.bfd.configuration",
        "/routing/bfd/configuration",
        "bfd.session",
        *("interfaces", "addresses", "address-list", "vrf", "min-tx", "min-rx", "multiplier", "forbid-bfd"),
        *("disabled", "comment"),
    ),
    _snapshot(
        "routing.table", "/routing/table", "routing_table", *("name", "fib", "dynamic", "disabled", "comment")
    ),
    _snapshot(
        "routing.rule",
        "/routing/rule",
        "routing_table",
        *("action", "table", "src-address", "dst-address", "interface", "routing-mark", "min-prefix"),
        *("disabled", "comment"),
    ),
    _snapshot(
        "routing.id",
        "/routing/id",
        "routing_table",
        *("name", "id", "select-dynamic-id", "select-from-vrf", "disabled", "comment"),
    ),
    _snapshot(
        "routing.vrf",
        "/ip/vrf",
        "vrf",
        *("name", "interfaces", "builtin", "disabled", "comment"),
    ),
    _snapshot(
        "routing.vrf",
        "/ip/route/vrf",
        "vrf.route",
        *(
            "routing-mark",
            "interfaces",
            "route-distinguisher",
            "import-route-targets",
            "export-route-targets",
        ),
        *("disabled", "comment"),
    ),
)
