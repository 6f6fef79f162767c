"""BGP: one meaning for the menus of both versions."""

from __future__ import annotations

from mtd.model.device import Severity
from mtd.model.metric import Tier, Unit
from mtd.plugin import (
    Column,
    Companion,
    Counted,
    Gauge,
    Labels,
    Menu,
    Moment,
    Parse,
    RowEvent,
    State,
    StateEvent,
    TableKind,
    Tally,
    columns,
)
from mtd_collector_routing import bgp

SCOPE = "routing.bgp"
_ENTITY = "bgp_peer"

STATE = State(
    field="state",
    key="routing.bgp.state",
    description="Whether the session with the peer is established.",
    since="1",
    states={"down": 0, "established": 1, "disabled": 2},
    event=StateEvent(
        event_type="routing.bgp.state.changed",
        entity_type=_ENTITY,
        message="BGP peer {label} is {new}, it was {old}",
        messages={
            "down": "the BGP session with {label} is down",
            "established": "the BGP session with {label} is established",
            "disabled": "the BGP session with {label} was switched off",
        },
        severities={"down": Severity.CRITICAL},
    ),
)

_METRICS = (
    STATE,
    Gauge(
        field="uptime",
        key="routing.bgp.uptime_seconds",
        unit=Unit.SECONDS,
        description="How long the session has been established; absent while it isn't.",
        since="1",
        parse=Parse.DURATION,
        expected_min=0.0,
    ),
    Gauge(
        field="prefix-count",
        key="routing.bgp.received_prefixes",
        unit=Unit.COUNT,
        description="Prefixes that the peer announces to us.",
        since="1",
        expected_min=0.0,
    ),
)

_TABLE = (
    *columns("name", "comment", "state", "detail", "remote-address"),
    Column(
        field="remote-as",
        event=StateEvent(
            event_type="routing.bgp.as.changed",
            entity_type=_ENTITY,
            message="the AS of BGP peer {label} is {new}, it was {old}",
            severity=Severity.WARNING,
        ),
    ),
    *columns("remote-id", "local-address", "local-as", "vrf", "instance", "families", "role"),
    *columns("hold-time", "bfd", "disabled"),
    # Version 7 gives each session an id of its own: one that broke and came back between two reads shows by it.
    Column(
        field="session",
        event=StateEvent(
            event_type="routing.bgp.session.restarted",
            entity_type=_ENTITY,
            message="the BGP session with {label} broke and was established again",
            severity=Severity.WARNING,
        ),
    ),
    *columns("last-stopped", "last-notification"),
    Moment(field="uptime", name="since"),
)

_TALLIES = (
    Tally(key="routing.bgp_peers", description="BGP peers, of whatever state.", since="1"),
    Tally(
        key="routing.bgp_established_peers",
        description="BGP peers with an established session.",
        since="1",
        where=(("state", "established"),),
    ),
    Tally(
        key="routing.bgp.session_losses_total",
        description="Times that an established session with the peer ended, since mtd watches.",
        since="1",
        counts=Counted.VANISHED,
        where=(("state", "established"),),
        by="peer",
        scope=SCOPE,
        max_values=500,
    ),
)

_V6 = {
    "path": "/routing/bgp/peer",
    "tier": Tier.T1,
    "row_key": "peer",
    "scope": SCOPE,
    "requires": "bgp.peer",
    "reads": bgp.V6_READS,
    "companions": (
        Companion(name="instances", path="/routing/bgp/instance", reads=bgp.V6_INSTANCES, needed=True),
    ),
    "join": bgp.peers_of_version_6,
}
_V7 = {
    "path": "/routing/bgp/connection",
    "tier": Tier.T1,
    "row_key": "peer",
    "scope": SCOPE,
    "requires": "bgp.connection",
    "reads": bgp.V7_READS,
    "companions": (
        Companion(name="sessions", path="/routing/bgp/session", reads=bgp.V7_SESSIONS, needed=True),
    ),
    "join": bgp.peers_of_version_7,
}


def _menus(version: str, shared: dict[str, object]) -> tuple[Menu, Menu]:
    metrics = Menu(name=f"bgp-{version}", kind=TableKind.METRICS, fields=_METRICS, **shared)  # type: ignore[arg-type]
    table = Menu(
        name=f"bgp-{version}-table",
        kind=TableKind.CURRENT_STATE,
        table="bgp_session",
        labels=Labels(name="name", comment="comment"),
        fields=_TABLE,
        tallies=_TALLIES,
        appears=RowEvent(
            event_type="routing.bgp.peer.added", entity_type=_ENTITY, message="there is a BGP peer {label}"
        ),
        vanishes=RowEvent(
            event_type="routing.bgp.peer.removed",
            entity_type=_ENTITY,
            message="BGP peer {label} is gone",
            severity=Severity.WARNING,
        ),
        **shared,  # type: ignore[arg-type]
    )
    return metrics, table


BGP = (*_menus("v6", _V6), *_menus("v7", _V7))
