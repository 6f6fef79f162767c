"""Leases and bindings: who has which address now. Tables, and what is counted of them."""

from __future__ import annotations

from mtd.model.device import Severity
from mtd.model.metric import Tier, Unit
from mtd.plugin import (
    Column,
    Counted,
    DerivedRate,
    Labels,
    Menu,
    Moment,
    RowEvent,
    StateEvent,
    TableKind,
    Tally,
    columns,
)
from mtd_collector_dhcp.words import leases

MANY_ROWS = 50_000
MANY_BYTES = 16 * 1024 * 1024


def _tallies(prefix: str, noun: str, title: str) -> tuple[Tally, ...]:
    """Return what is counted of leases: all, those in use, by server, and how many come and go."""
    bound = (("status", "bound"),)
    rates = tuple(
        Tally(
            key=f"{prefix}.{noun}_{word}_total",
            description=f"{title} that {did}, since mtd watches.",
            since="1",
            counts=counts,
            where=bound,
            rate=DerivedRate(
                key=f"{prefix}.{noun}_{word}_per_s",
                unit=Unit.EVENTS_PER_SECOND,
                description=f"{title} that {did}, per second.",
                since="1",
            ),
        )
        for word, did, counts in (
            ("begun", "came into use", Counted.APPEARED),
            ("ended", "went out of use", Counted.VANISHED),
        )
    )
    return (
        Tally(key=f"{prefix}.{noun}", description=f"{title}, of whatever state.", since="1"),
        Tally(key=f"{prefix}.bound_{noun}", description=f"{title} in use.", since="1", where=bound),
        Tally(
            key=f"{prefix}.server.bound_{noun}",
            description=f"{title} in use, of one server.",
            since="1",
            where=bound,
            by="server",
            scope=f"{prefix}.server",
        ),
        *rates,
    )


def _failed(word: str, description: str) -> Tally:
    return Tally(key=f"dhcp.{word}_leases", description=description, since="1", where=(("status", word),))


DHCP = Menu(
    name="leases",
    path="/ip/dhcp-server/lease",
    kind=TableKind.CURRENT_STATE,
    tier=Tier.T2,
    table="dhcp_lease",
    row_key=".id",
    scope="dhcp.lease",
    requires="dhcp",
    reads=(
        *("address", "mac-address", "client-id", "server", "status", "active-address", "active-mac-address"),
        *("host-name", "dynamic", "radius", "blocked", "disabled", "rate-limit", "comment", "expires-after"),
    ),
    transform=leases,
    max_rows=MANY_ROWS,
    max_bytes=MANY_BYTES,
    max_instances=MANY_ROWS,
    private=("mac-address", "active-mac-address", "client-id", "host-name", "comment"),
    fields=(
        Column(
            field="address",
            event=StateEvent(
                event_type="dhcp.lease.moved",
                entity_type="lease",
                message="a lease is for {new} now, it was for {old}",
            ),
        ),
        Column(
            field="active-address",
            event=StateEvent(
                event_type="dhcp.lease.moved",
                entity_type="lease",
                message="a client has the address {new} now, it had {old}",
            ),
        ),
        *columns(
            "mac-address", "active-mac-address", "client-id", "host-name", "server", "status", "dynamic"
        ),
        Column(
            field="blocked",
            event=StateEvent(
                event_type="dhcp.lease.blocked.changed",
                entity_type="lease",
                message="lease {label}: blocked is {new}",
                messages={"true": "a client is blocked", "false": "a client isn't blocked any more"},
                severity=Severity.INFO,
            ),
        ),
        *columns("radius", "disabled", "rate-limit", "comment"),
        # Renewed twice in the time of a lease: of 20,000, some would always be.
        Moment(field="expires-after", name="expires", ahead=True, volatile=True),
    ),
    tallies=(
        *_tallies("dhcp", "leases", "Leases"),
        _failed("declined", "Leases whose client said that somebody else has the address."),
        _failed("conflict", "Leases whose address somebody else has."),
        _failed("offered", "Leases that were offered, and not taken yet."),
    ),
    labels=Labels(name="address"),
    appears=RowEvent(event_type="dhcp.lease.added", entity_type="lease", message="{label} is leased"),
    vanishes=RowEvent(
        event_type="dhcp.lease.expired", entity_type="lease", message="{label} is not leased any more"
    ),
)

DHCP6 = Menu(
    name="bindings",
    path="/ipv6/dhcp-server/binding",
    kind=TableKind.CURRENT_STATE,
    tier=Tier.T2,
    table="dhcp6_binding",
    row_key=".id",
    scope="dhcp6.binding",
    requires="dhcp6",
    max_rows=MANY_ROWS,
    max_bytes=MANY_BYTES,
    max_instances=MANY_ROWS,
    private=("duid", "comment"),
    fields=(
        Column(
            field="address",
            event=StateEvent(
                event_type="dhcp6.binding.moved",
                entity_type="binding",
                message="a binding is for {new} now, it was for {old}",
            ),
        ),
        *columns(
            "duid", "iaid", "ia-type", "server", "status", "prefix-pool", "dynamic", "radius", "disabled"
        ),
        *columns("rate-limit", "comment"),
        Moment(field="expires-after", name="expires", ahead=True, volatile=True),
    ),
    tallies=_tallies("dhcp6", "bindings", "Bindings of DHCPv6"),
    labels=Labels(name="address"),
    appears=RowEvent(event_type="dhcp6.binding.added", entity_type="binding", message="{label} is leased"),
    vanishes=RowEvent(
        event_type="dhcp6.binding.expired", entity_type="binding", message="{label} is not leased any more"
    ),
)

LEASES = (DHCP, DHCP6)
