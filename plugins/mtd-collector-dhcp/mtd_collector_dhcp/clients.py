"""Clients of DHCP: the router's own addresses and prefixes that somebody else gives it."""

from __future__ import annotations

from mtd.model.device import Severity
from mtd.model.metric import Tier
from mtd.plugin import (
    Column,
    Labels,
    Menu,
    Moment,
    State,
    StateEvent,
    TableKind,
    columns,
)
from mtd_collector_dhcp.words import clients

STATES = {
    "stopped": 0,
    "searching": 1,
    "requesting": 2,
    "bound": 3,
    "renewing": 4,
    "rebinding": 5,
    "error": 6,
    "invalid": 7,
}


def _client(prefix: str, path: str, title: str, requires: str, what: str, *fields: str) -> tuple[Menu, Menu]:
    """Return the menus of clients: their states, and what they were given. Both are one read."""
    shared = {
        "path": path,
        "tier": Tier.T1,
        "row_key": ".id",
        "scope": f"{prefix}.client",
        "requires": requires,
        "reads": (
            *("interface", "status", "disabled", "invalid", "address", "prefix", "expires-after", "comment"),
            *("prefix-expires-after", *fields),
        ),
        "transform": clients,
        "max_rows": 500,
        "max_instances": 100,
    }
    metrics = Menu(
        name=f"{prefix}-client",
        kind=TableKind.METRICS,
        fields=(_state(prefix, title, what),),
        **shared,  # type: ignore[arg-type]
    )
    table = Menu(
        name=f"{prefix}-client-table",
        kind=TableKind.CURRENT_STATE,
        table=f"{prefix}_client",
        labels=Labels(name="interface", comment="comment"),
        fields=(
            *columns("interface", "state"),
            Column(
                field=what,
                event=StateEvent(
                    event_type=f"{prefix}.client.{what}.changed",
                    entity_type="dhcp_client",
                    message=f"{what} of the {title} client on {{label}} is {{new}}, it was {{old}}",
                ),
            ),
            *columns("disabled", "comment", *fields),
            Moment(
                field="expires-after" if prefix == "dhcp" else "prefix-expires-after",
                name="expires",
                ahead=True,
                volatile=True,
            ),
        ),
        **shared,  # type: ignore[arg-type]
    )
    return metrics, table


def _state(prefix: str, title: str, what: str) -> State:
    return State(
        field="state",
        key=f"{prefix}.client.state",
        description=f"State of the {title} client.",
        since="1",
        states=STATES,
        event=StateEvent(
            event_type=f"{prefix}.client.changed",
            entity_type="dhcp_client",
            message=f"{title} client on {{label}} went from {{old}} to {{new}}",
            messages={
                "bound": f"{title} client on {{label}} has its {what}",
                "stopped": f"{title} client on {{label}} was switched off",
            },
            severities=dict.fromkeys(("searching", "rebinding", "error", "invalid"), Severity.WARNING),
        ),
    )


CLIENTS = (
    *_client(
        "dhcp",
        "/ip/dhcp-client",
        "DHCP",
        "dhcp",
        "address",
        *("gateway", "dhcp-server", "primary-dns", "secondary-dns", "add-default-route"),
        *("default-route-distance", "use-peer-dns"),
    ),
    *_client(
        "dhcp6",
        "/ipv6/dhcp-client",
        "DHCPv6",
        "dhcp6.client",
        "prefix",
        *("address", "request", "pool-name", "dhcp-server-v6", "add-default-route", "use-peer-dns"),
    ),
)
