"""Addresses of the router, and its neighbours on each link."""

from __future__ import annotations

from mtd.model.device import Severity
from mtd.model.metric import Tier, Unit
from mtd.plugin import (
    Column,
    Counted,
    DerivedRate,
    Labels,
    Menu,
    RowEvent,
    StateEvent,
    TableKind,
    Tally,
    columns,
)
from mtd_collector_ip.counting import count

# Dynamic addresses are those of sessions, mostly: without bound, and somebody's. They are counted.
NOT_DYNAMIC = ("dynamic=true", "#!")
MANY_ROWS = 50_000
MANY_BYTES = 16 * 1024 * 1024


def _addresses(family: str, path: str, requires: str, *fields: str) -> tuple[Menu, Menu]:
    """Return the menus of configured addresses, and of how many others there are."""
    table = Menu(
        name=f"{family}-addresses",
        path=path,
        kind=TableKind.CURRENT_STATE,
        tier=Tier.T2,
        table=f"{family}_address",
        row_key=".id",
        scope=f"{family}.address",
        queries=NOT_DYNAMIC,
        requires=requires,
        labels=Labels(name="address", comment="comment"),
        fields=(
            Column(
                field="address",
                event=StateEvent(
                    event_type=f"{family}.address.changed",
                    entity_type="address",
                    message="address {old} was changed to {new}",
                ),
            ),
            Column(
                field="invalid",
                event=StateEvent(
                    event_type=f"{family}.address.validity.changed",
                    entity_type="address",
                    message="address {label}: invalid is {new}",
                    messages={
                        "true": "address {label} is invalid: its interface is gone",
                        "false": "address {label} is valid again",
                    },
                    severities={"true": Severity.WARNING},
                ),
            ),
            *columns("interface", "actual-interface", "disabled", "comment", *fields),
        ),
        appears=RowEvent(
            event_type=f"{family}.address.added", entity_type="address", message="address {label} was added"
        ),
        vanishes=RowEvent(
            event_type=f"{family}.address.removed", entity_type="address", message="address {label} is gone"
        ),
        tallies=(Tally(key=f"{family}.addresses", description="Addresses that are configured.", since="1"),),
    )
    dynamic = count(
        f"{family}-dynamic-addresses",
        path,
        f"{family}.dynamic_addresses",
        "Addresses that nobody configured: of sessions, of DHCP and of links.",
        queries=("dynamic=true",),
        requires=requires,
    )
    return table, dynamic


def _coming_and_going(prefix: str, noun: str) -> tuple[Tally, ...]:
    """Return the tallies of rows that came and went."""
    return tuple(
        Tally(
            key=f"{prefix}_{word}_total",
            description=f"{noun} that {did}, since mtd watches.",
            since="1",
            counts=counts,
            rate=DerivedRate(
                key=f"{prefix}_{word}_per_s",
                unit=Unit.EVENTS_PER_SECOND,
                description=f"{noun} that {did}, per second.",
                since="1",
            ),
        )
        for word, did, counts in (
            ("appeared", "came", Counted.APPEARED),
            ("vanished", "went", Counted.VANISHED),
        )
    )


def _neighbours(name: str, path: str, table: str, key: str, noun: str, requires: str, *fields: str) -> Menu:
    """Return the menu of a table of neighbours: who was heard of on each link."""
    return Menu(
        name=name,
        path=path,
        kind=TableKind.CURRENT_STATE,
        tier=Tier.T2,
        table=table,
        row_key=".id",
        scope=key,
        requires=requires,
        max_rows=MANY_ROWS,
        max_bytes=MANY_BYTES,
        max_instances=MANY_ROWS,
        private=("mac-address", "comment"),
        fields=(
            *columns("address", "mac-address", "interface"),
            # Reachable, stale, delay, probe: it goes round all the time, and means little.
            Column(field="status", volatile=True),
            *columns("dynamic", "comment", *fields),
        ),
        tallies=(
            Tally(key=f"{key}_entries", description=f"{noun} that there are.", since="1"),
            Tally(
                key=f"{key}.interface_entries",
                description=f"{noun} that there are on one interface.",
                since="1",
                by="interface",
                scope=key,
            ),
            *_coming_and_going(key, noun),
        ),
    )


ARP = _neighbours(
    "arp", "/ip/arp", "arp", "ip.arp", "Entries of the ARP table", "", "complete", "published", "DHCP",
    "invalid", "disabled",
)  # fmt: skip
ND = _neighbours(
    "nd", "/ipv6/neighbor", "ipv6_neighbor", "ipv6.nd", "Entries of the IPv6 neighbour table", "ipv6", "router"
)  # fmt: skip

ADDRESSES = (
    *_addresses("ip", "/ip/address", "", "network"),
    *_addresses("ipv6", "/ipv6/address", "ipv6", "from-pool", "eui-64", "advertise", "no-dad", "link-local"),
    ARP,
    ND,
)
