"""OSPF, RIP, LDP and BFD: a few states and numbers of each neighbour, and tables of them."""

from __future__ import annotations

from collections.abc import Mapping

from mtd.model.device import Severity
from mtd.model.metric import Tier, Unit
from mtd.plugin import (
    Counter,
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
from mtd_collector_routing import neighbours as read


def _state(
    protocol: str, title: str, states: Mapping[str, int], words: Mapping[str, str], **graver: Severity
) -> State:
    return State(
        field="state",
        key=f"routing.{protocol}.state",
        description=f"State of the {title} neighbour.",
        since="1",
        states=states,
        words=words,
        event=StateEvent(
            event_type=f"routing.{protocol}.state.changed",
            entity_type=f"{protocol}_neighbor",
            message=f"{title} neighbour {{label}} went from {{old}} to {{new}}",
            severities=graver,
        ),
    )


def _uptime(protocol: str, field: str, title: str) -> Gauge:
    return Gauge(
        field=field,
        key=f"routing.{protocol}.uptime_seconds",
        unit=Unit.SECONDS,
        description=f"How long the {title} neighbour has been up; absent while it isn't.",
        since="1",
        parse=Parse.DURATION,
        expected_min=0.0,
    )


def _changes(protocol: str, title: str) -> Counter:
    return Counter(
        field="state-changes",
        key=f"routing.{protocol}.state_changes_total",
        unit=Unit.EVENTS,
        description=f"Times that the state of the {title} neighbour changed, as the router counts them.",
        since="1",
    )


OSPF_STATES = {
    "down": 0,
    "attempt": 1,
    "init": 2,
    "two_way": 3,
    "exstart": 4,
    "exchange": 5,
    "loading": 6,
    "full": 7,
}
_OSPF_METRICS = (
    _state(
        "ospf",
        "OSPF",
        OSPF_STATES,
        {"2way": "two_way"} | {state: state for state in OSPF_STATES if state != "two_way"},
        down=Severity.CRITICAL,
        attempt=Severity.WARNING,
        init=Severity.WARNING,
    ),
    _uptime("ospf", "adjacency", "OSPF"),
    _changes("ospf", "OSPF"),
)
_LDP_METRICS = (
    _state(
        "ldp", "LDP", {"down": 0, "operational": 1, "disabled": 2}, {}, down=Severity.WARNING
    ),
)  # fmt: skip
_BFD_METRICS = (
    _state(
        "bfd",
        "BFD",
        {"admin_down": 0, "down": 1, "init": 2, "up": 3},
        {"admin-down": "admin_down", "down": "down", "init": "init", "up": "up"},
        down=Severity.WARNING,
    ),
    _uptime("bfd", "uptime", "BFD"),
    _changes("bfd", "BFD"),
)
_RIP_METRICS = (
    Gauge(
        field="routes",
        key="routing.rip.routes",
        unit=Unit.COUNT,
        description="Routes that the RIP neighbour announces to us.",
        since="1",
        expected_min=0.0,
    ),
    Gauge(
        field="last-update",
        key="routing.rip.last_update_seconds",
        unit=Unit.SECONDS,
        description="How long ago the RIP neighbour was heard of.",
        since="1",
        parse=Parse.DURATION,
        expected_min=0.0,
    ),
    Counter(
        field="packets-total",
        key="routing.rip.rx_packets_total",
        unit=Unit.PACKETS,
        description="Packets of the RIP neighbour.",
        since="1",
    ),
    Counter(
        field="packets-bad",
        key="routing.rip.bad_packets_total",
        unit=Unit.PACKETS,
        description="Packets of the RIP neighbour that were wrong.",
        since="1",
    ),
)


def _metrics(name: str, protocol: str, path: str, requires: str, **more: object) -> Menu:
    return Menu(
        name=name,
        path=path,
        kind=TableKind.METRICS,
        tier=Tier.T1,
        row_key="neighbor",
        scope=f"routing.{protocol}",
        requires=requires,
        **more,  # type: ignore[arg-type]
    )


def _table(
    name: str, protocol: str, title: str, path: str, requires: str, lost: Severity, **more: object
) -> Menu:
    return Menu(
        name=name,
        path=path,
        kind=TableKind.CURRENT_STATE,
        tier=Tier.T1,
        row_key="neighbor",
        scope=f"routing.{protocol}",
        requires=requires,
        appears=RowEvent(
            event_type=f"routing.{protocol}.neighbor.found",
            entity_type=f"{protocol}_neighbor",
            message=f"there is an {title} neighbour {{label}}",
        ),
        vanishes=RowEvent(
            event_type=f"routing.{protocol}.neighbor.lost",
            entity_type=f"{protocol}_neighbor",
            message=f"{title} neighbour {{label}} is gone",
            severity=lost,
        ),
        **more,  # type: ignore[arg-type]
    )


def _ospf_table(name: str, version: int, path: str, requires: str) -> Menu:
    title = "OSPF" if version == 2 else "OSPFv3"
    prefix = f"routing.{title.lower()}"
    return _table(
        name,
        "ospf",
        title,
        path,
        requires,
        Severity.CRITICAL,
        table="ospf_neighbor" if version == 2 else "ospf_v3_neighbor",
        reads=read.OSPF_READS,
        transform=read.ospf(version),
        labels=Labels(name="neighbor", logged="log-name"),
        fields=(
            *columns(
                "router-id", "address", "interface", "instance", "area", "state", "priority", "dr", "bdr"
            ),
            *columns("log-name"),
            Moment(field="adjacency", name="since"),
        ),
        tallies=(
            Tally(
                key=f"{prefix}_neighbors", description=f"{title} neighbours, of whatever state.", since="1"
            ),
            Tally(
                key=f"{prefix}_full_neighbors",
                description=f"{title} neighbours that are fully adjacent.",
                since="1",
                where=(("state", "full"),),
            ),
        ),
    )


_OSPF = {"reads": read.OSPF_READS, "fields": _OSPF_METRICS}
_BFD = {"reads": read.BFD_READS, "fields": _BFD_METRICS, "transform": read.bfd}
_BFD_TABLE = {
    "table": "bfd_session",
    "reads": read.BFD_READS,
    "transform": read.bfd,
    "labels": Labels(name="neighbor"),
    "fields": (
        *columns(
            "remote-address", "local-address", "interface", "vrf", "protocols", "multihop", "multiplier"
        ),
        *columns("state", "comment"),
        Moment(field="uptime", name="since"),
    ),
}

NEIGHBOURS = (
    # Version 7 has both versions of OSPF in one menu, version 6 in two.
    _metrics("ospf", "ospf", "/routing/ospf/neighbor", "ospf", transform=read.ospf(None), **_OSPF),
    _metrics("ospf-v3", "ospf", "/routing/ospf-v3/neighbor", "ospf.v3", transform=read.ospf(3), **_OSPF),
    _ospf_table("ospf-table", 2, "/routing/ospf/neighbor", "ospf"),
    _ospf_table("ospf-v3-table", 3, "/routing/ospf/neighbor", "ospf.template"),
    _ospf_table("ospf-v3-table-v6", 3, "/routing/ospf-v3/neighbor", "ospf.v3"),
    _metrics(
        "rip",
        "rip",
        "/routing/rip/neighbor",
        "rip",
        reads=read.RIP_READS,
        transform=read.rip,
        fields=_RIP_METRICS,
    ),
    _table(
        "rip-table",
        "rip",
        "RIP",
        "/routing/rip/neighbor",
        "rip",
        Severity.WARNING,
        table="rip_neighbor",
        reads=read.RIP_READS,
        transform=read.rip,
        labels=Labels(name="neighbor"),
        fields=columns("instance", "address", "dynamic"),
    ),
    _metrics(
        "ldp",
        "ldp",
        "/mpls/ldp/neighbor",
        "ldp",
        reads=read.LDP_READS,
        transform=read.ldp,
        fields=_LDP_METRICS,
    ),
    _table(
        "ldp-table",
        "ldp",
        "LDP",
        "/mpls/ldp/neighbor",
        "ldp",
        Severity.WARNING,
        table="ldp_neighbor",
        reads=read.LDP_READS,
        transform=read.ldp,
        labels=Labels(name="neighbor", comment="comment"),
        fields=columns(
            "transport",
            "local-transport",
            "peer",
            "addresses",
            "state",
            "dynamic",
            "sending-targeted-hello",
            "vpls",
            "throttled",
            "comment",
        ),
    ),
    _metrics("bfd", "bfd", "/routing/bfd/session", "bfd.session", **_BFD),
    _metrics("bfd-v6", "bfd", "/routing/bfd/neighbor", "bfd.neighbor", **_BFD),
    _table("bfd-table", "bfd", "BFD", "/routing/bfd/session", "bfd.session", Severity.WARNING, **_BFD_TABLE),
    _table(
        "bfd-v6-table", "bfd", "BFD", "/routing/bfd/neighbor", "bfd.neighbor", Severity.WARNING, **_BFD_TABLE
    ),
)
