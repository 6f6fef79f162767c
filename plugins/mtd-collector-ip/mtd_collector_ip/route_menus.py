"""Routes: counted by the router, and the default routes as a table."""

from __future__ import annotations

from collections.abc import Mapping

from mtd.model.device import Severity
from mtd.model.metric import Tier
from mtd.plugin import (
    Chooses,
    Column,
    Labels,
    Menu,
    RowEvent,
    State,
    StateEvent,
    TableKind,
    Why,
    columns,
)
from mtd_collector_ip.counting import count
from mtd_collector_ip.routes import READS, one_row_per_gateway, state_of

# In version 6 a route of DHCP is static and dynamic at once.
STATIC = ("static=true", "dynamic=true", "#!")

# Filter -> (queries, capability, description). A flag that a version doesn't know is true of no route:
# what only version 7 tells is asked of version 7 only.
_ROUTES = {
    "active": (("active=true",), "", "Routes that are in use."),
    "static": (STATIC, "", "Routes that somebody configured."),
    "dynamic": (("dynamic=true",), "", "Routes that nobody configured."),
    "connected": (("connect=true",), "", "Routes to networks of own addresses."),
    "bgp": (("bgp=true",), "", "Routes learned by BGP."),
    "ospf": (("ospf=true",), "", "Routes learned by OSPF."),
    "rip": (("rip=true",), "", "Routes learned by RIP."),
    "dhcp": (("dhcp=true",), "routing_table", "Routes learned by DHCP."),
    "vpn": (("vpn=true",), "routing_table", "Routes that sessions brought."),
}


def _route_counts(family: str) -> tuple[Menu, ...]:
    """Return the counts of routes. Of the second IP version nothing is asked if the router has none."""
    path, ipv6 = f"/{family}/route", "ipv6" if family == "ipv6" else ""
    total = count(f"{family}-routes", path, f"{family}.routes", "Routes in all tables.", requires=ipv6)
    return (
        total,
        *(
            count(
                f"{family}-{name}-routes",
                path,
                f"{family}.{name}_routes",
                description,
                tier=Tier.T3,
                queries=queries,
                requires=requires or ipv6,
            )
            for name, (queries, requires, description) in _ROUTES.items()
        ),
    )


_MOVED = StateEvent(
    event_type="ip.default_route.moved",
    entity_type="route",
    message="the default route by {label} leads to {new} instead of {old}",
    severity=Severity.WARNING,
)
_ACTIVITY = StateEvent(
    event_type="ip.default_route.activity.changed",
    entity_type="route",
    message="default route by {label}: active is {new}",
    messages={
        "true": "the default route by {label} is in use",
        "false": "the default route by {label} is not in use any more",
    },
    severities={"false": Severity.WARNING},
    expected_when=("disabled", "true"),
)


def _default_routes(family: str, destination: str, requires: str) -> tuple[Menu, Menu]:
    """Return the table of default routes, and the state of being without one. Both are one read."""
    shared = {
        "path": f"/{family}/route",
        "tier": Tier.T2,
        "scope": "ip.default_route",
        "queries": (f"dst-address={destination}",),
        "requires": requires,
        "reads": READS,
        "max_rows": 500,
        "max_bytes": 512 * 1024,
    }
    return _table(family, shared), _state("IPv4" if family == "ip" else "IPv6", family, shared)


def _table(family: str, shared: Mapping[str, object]) -> Menu:
    return Menu(
        name=f"{family}-default-routes",
        kind=TableKind.CURRENT_STATE,
        table="default_route" if family == "ip" else "ipv6_default_route",
        row_key="route",
        labels=Labels(name="gateway", comment="comment"),
        transform=one_row_per_gateway,
        fields=(
            *columns("table", "gateway"),
            Column(field="interface", event=_MOVED),
            Column(field="active", event=_ACTIVITY),
            *columns("distance", "disabled", "origin", "check-gateway", "comment"),
        ),
        appears=RowEvent(
            event_type="ip.default_route.added",
            entity_type="route",
            message="there is a default route by {label}",
        ),
        vanishes=RowEvent(
            event_type="ip.default_route.removed",
            entity_type="route",
            message="the default route by {label} is gone",
            severity=Severity.WARNING,
        ),
        # What is live of a router is what goes by its uplinks, first of all.
        chooses=(Chooses(why=Why.UPLINK, scope="iface", field="interface", where=(("active", "true"),)),),
        **shared,  # type: ignore[arg-type]
    )


def _state(title: str, family: str, shared: Mapping[str, object]) -> Menu:
    return Menu(
        name=f"{family}-default-route-state",
        kind=TableKind.METRICS,
        row_key="family",
        transform=state_of(title.lower().encode()),
        fields=(
            State(
                field="state",
                key="ip.default_route.state",
                description="Whether there is a default route in use in the main table.",
                since="1",
                states={"absent": 0, "present": 1},
                event=StateEvent(
                    event_type="ip.default_route.changed",
                    entity_type="route",
                    message=f"{title} default route: {{new}}",
                    messages={
                        "absent": f"there is no {title} default route any more",
                        "present": f"there is a {title} default route again",
                    },
                    severities={"absent": Severity.CRITICAL},
                ),
            ),
        ),
        **shared,  # type: ignore[arg-type]
    )


ROUTES = (
    *_route_counts("ip"),
    *_route_counts("ipv6"),
    *_default_routes("ip", "0.0.0.0/0", ""),
    *_default_routes("ipv6", "::/0", "ipv6"),
)
