"""Servers of DHCP and the pools that they take addresses from."""

from __future__ import annotations

from mtd.model.device import Severity
from mtd.model.metric import Tier, Unit
from mtd.plugin import (
    Companion,
    Gauge,
    Menu,
    State,
    StateEvent,
    TableKind,
    columns,
)
from mtd_collector_dhcp import pools
from mtd_collector_dhcp.words import servers

_MANY_ROWS = 50_000
# The router makes a server of DHCPv6 for each session whose profile has a pool of prefixes, named after it.
_NOT_DYNAMIC = ("dynamic=true", "#!")


def _server(name: str, path: str, prefix: str, title: str) -> Menu:
    return Menu(
        name=name,
        path=path,
        kind=TableKind.METRICS,
        tier=Tier.T2,
        # Leases name their servers, and are counted by them: servers are known by name here, too.
        row_key="name",
        scope=f"{prefix}.server",
        requires=prefix,
        queries=_NOT_DYNAMIC,
        reads=("name", "disabled", "invalid"),
        transform=servers,
        max_instances=500,
        fields=(
            State(
                field="state",
                key=f"{prefix}.server.state",
                description=f"Whether the {title} server runs.",
                since="1",
                states={"invalid": 0, "running": 1, "disabled": 2},
                event=StateEvent(
                    event_type=f"{prefix}.server.changed",
                    entity_type="dhcp_server",
                    message=f"{title} server {{label}} is {{new}}",
                    messages={
                        "invalid": f"{title} server {{label}} can't run: its interface or its pool is wrong",
                        "running": f"{title} server {{label}} runs",
                        "disabled": f"{title} server {{label}} was switched off",
                    },
                    severities={"invalid": Severity.WARNING},
                ),
            ),
        ),
    )


def _use(prefix: str, noun: str) -> tuple[Gauge, ...]:
    return (
        Gauge(
            field="size",
            key=f"{prefix}.size",
            unit=Unit.COUNT,
            description=f"{noun} that the pool has.",
            since="1",
            expected_min=0.0,
        ),
        Gauge(
            field="used",
            key=f"{prefix}.used",
            unit=Unit.COUNT,
            description=f"{noun} of the pool that are in use.",
            since="1",
            expected_min=0.0,
        ),
        Gauge(
            field="used-pct",
            key=f"{prefix}.used_pct",
            unit=Unit.PERCENT,
            description=f"Share of the pool's {noun.lower()} that is in use; absent where it can't be told.",
            since="1",
            expected_min=0.0,
            expected_max=100.0,
        ),
    )


POOLS = Menu(
    name="pools",
    path="/ip/pool",
    kind=TableKind.METRICS,
    tier=Tier.T2,
    row_key="name",
    scope="dhcp.pool",
    requires="pool.use",
    reads=pools.READS,
    transform=pools.as_told,
    max_instances=500,
    fields=_use("dhcp.pool", "Addresses"),
)
POOLS_LISTED = Menu(
    name="pools-listed",
    path="/ip/pool",
    kind=TableKind.METRICS,
    tier=Tier.T2,
    row_key="name",
    scope="dhcp.pool",
    instead_of="pools",
    reads=pools.READS,
    companions=(
        Companion(
            name="used",
            path="/ip/pool/used",
            reads=pools.USED_READS,
            max_rows=_MANY_ROWS,
        ),
    ),
    join=pools.as_listed,
    max_instances=500,
    fields=_use("dhcp.pool", "Addresses"),
)
POOLS6 = Menu(
    name="pools6",
    path="/ipv6/pool",
    kind=TableKind.METRICS,
    tier=Tier.T2,
    row_key="name",
    scope="dhcp6.pool",
    requires="dhcp6",
    reads=pools.V6_READS,
    companions=(
        Companion(
            name="used",
            path="/ipv6/pool/used",
            reads=pools.USED_READS,
            max_rows=_MANY_ROWS,
        ),
    ),
    join=pools.prefixes,
    max_instances=500,
    fields=_use("dhcp6.pool", "Prefixes"),
)


def _snapshot(kind: str, path: str, requires: str, *fields: str) -> Menu:
    return Menu(
        name=f"snapshot-{kind}",
        path=path,
        kind=TableKind.SNAPSHOT,
        tier=Tier.T3,
        table=kind,
        row_key=".id",
        requires=requires,
        queries=_NOT_DYNAMIC,
        max_rows=2_000,
        max_bytes=1024 * 1024,
        fields=columns(*fields),
    )


SNAPSHOTS = (
    # Nothing here that changes by itself: a snapshot is stored when it changes.
    _snapshot(
        "dhcp.server",
        "/ip/dhcp-server",
        "dhcp",
        *("name", "interface", "relay", "address-pool", "lease-time", "bootp-support", "bootp-lease-time"),
        *("authoritative", "add-arp", "use-radius", "use-framed-as-classless", "conflict-detection"),
        *("always-broadcast", "delay-threshold", "client-mac-limit", "allow-dual-stack-queue"),
        *("dhcp-option-set", "parent-queue", "src-address", "server-address", "disabled", "comment"),
    ),
    _snapshot(
        "dhcp.network",
        "/ip/dhcp-server/network",
        "dhcp",
        *("address", "gateway", "netmask", "dns-server", "dns-none", "domain", "ntp-server", "wins-server"),
        *("next-server", "boot-file-name", "caps-manager", "dhcp-option", "dhcp-option-set", "comment"),
    ),
    _snapshot(
        "dhcp.relay",
        "/ip/dhcp-relay",
        "dhcp",
        *("name", "interface", "dhcp-server", "local-address", "delay-threshold", "add-relay-info"),
        *("relay-info-remote-id", "disabled", "comment"),
    ),
    _snapshot(
        "dhcp.option", "/ip/dhcp-server/option", "dhcp", *("name", "code", "value", "force", "comment")
    ),
    _snapshot("dhcp.option_set", "/ip/dhcp-server/option/sets", "dhcp", *("name", "options", "comment")),
    _snapshot(
        "dhcp6.server",
        "/ipv6/dhcp-server",
        "dhcp6",
        *("name", "interface", "address-pool", "prefix-pool", "lease-time", "preference", "rapid-commit"),
        *("use-radius", "route-distance", "dhcp-option", "allow-dual-stack-queue", "disabled", "comment"),
    ),
    _snapshot("dhcp6.option_set", "/ipv6/dhcp-server/option/sets", "dhcp6", *("name", "options", "comment")),
)

SERVERS = (
    _server("servers", "/ip/dhcp-server", "dhcp", "DHCP"),
    _server("servers6", "/ipv6/dhcp-server", "dhcp6", "DHCPv6"),
    POOLS,
    POOLS_LISTED,
    POOLS6,
    *SNAPSHOTS,
)
