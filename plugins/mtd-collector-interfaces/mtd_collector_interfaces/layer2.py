"""Bridges and their ports, VLANs, bonds, VRRP."""

from __future__ import annotations

from dataclasses import replace

from mtd.model.command import Rows
from mtd.model.device import Severity
from mtd.model.metric import Tier, Unit
from mtd.plugin import (
    Chooses,
    Column,
    Gauge,
    Labels,
    Menu,
    State,
    StateEvent,
    TableKind,
    Why,
    columns,
)

SCOPE = "iface"
NOT_DYNAMIC = ("dynamic=true", "#!")

_TRUE = (b"true", b"yes")


def _table(name: str, path: str, tier: Tier, *fields: Column, labels: Labels | None = None) -> Menu:
    return Menu(
        name=name,
        path=path,
        kind=TableKind.CURRENT_STATE,
        tier=tier,
        table=name,
        row_key=".id",
        scope=name,
        labels=labels,
        queries=NOT_DYNAMIC,
        max_bytes=2 * 1024 * 1024,
        fields=fields,
    )


def _told(field: str, event: str, entity: str, message: str, **severities: Severity) -> Column:
    return Column(
        field=field,
        event=StateEvent(
            event_type=event,
            entity_type=entity,
            message=message,
            severities={word.replace("_", "-"): severity for word, severity in severities.items()},
        ),
    )


BRIDGES = _table(
    "bridge",
    "/interface/bridge",
    Tier.T2,
    *columns(
        "name",
        "comment",
        "protocol-mode",
        "priority",
        "vlan-filtering",
        "igmp-snooping",
        "dhcp-snooping",
        "mac-address",
        "running",
        "disabled",
    ),
    labels=Labels(),
)

SPANNING_TREE = Menu(
    name="spanning-tree",
    path="/interface/bridge",
    command="monitor",
    kind=TableKind.CURRENT_STATE,
    tier=Tier.T2,
    table="spanning_tree",
    row_key=".id",
    scope="bridge",
    numbers_of="bridge",
    arguments=(("once", ""),),
    max_rows=1_000,
    max_bytes=524_288,
    fields=(
        *columns("state"),
        _told(
            "root-bridge-id",
            "bridge.root.changed",
            "bridge",
            "root of {label} changed from {old} to {new}",
        ),
        *columns("root-bridge", "root-path-cost"),
        _told(
            "root-port",
            "bridge.root_port.changed",
            "bridge",
            "{label} reaches its root by {new} instead of {old}",
        ),
        *columns("port-count", "designated-port-count"),
    ),
)

BRIDGE_PORTS = _table(
    "bridge_port",
    "/interface/bridge/port",
    Tier.T2,
    *columns("interface", "bridge", "comment", "pvid", "status"),
    _told(
        "role",
        "bridge.port.role.changed",
        "bridge_port",
        "bridge port {label} went from {old} to {new}",
        disabled_port=Severity.WARNING,
    ),
    _told(
        "forwarding",
        "bridge.port.forwarding.changed",
        "bridge_port",
        "forwarding of bridge port {label} went from {old} to {new}",
    ),
    *columns(
        "learning", "edge-port", "point-to-point-port", "path-cost", "hw-offload", "inactive", "disabled"
    ),
    labels=Labels(name="interface"),
)

VLANS = _table(
    "vlan",
    "/interface/vlan",
    Tier.T3,
    *columns("name", "comment", "vlan-id", "interface", "mtu", "use-service-tag", "disabled"),
)

BRIDGE_VLANS = _table(
    "bridge_vlan",
    "/interface/bridge/vlan",
    Tier.T3,
    *columns(
        "bridge",
        "vlan-ids",
        "tagged",
        "untagged",
        "current-tagged",
        "current-untagged",
        "comment",
        "disabled",
    ),
)

BONDS = _table(
    "bonding",
    "/interface/bonding",
    Tier.T2,
    *columns(
        "name",
        "comment",
        "mode",
        "slaves",
        "primary",
        "transmit-hash-policy",
        "min-links",
        "running",
        "disabled",
    ),
    labels=Labels(),
)


def counted_ports(rows: Rows) -> Rows:
    """Add how many ports of a bond carry traffic, and how many don't."""
    added = {
        f"{which}-count": [
            None if raw is None else b"%d" % _names(raw) for raw in rows.column(f"{which}-ports")
        ]
        for which in ("active", "inactive")
    }
    return Rows(rows.count, {**rows.columns, **added})


def _names(raw: bytes) -> int:
    return len([name for name in raw.split(b",") if name])


_MONITORED = ("active-ports", "inactive-ports")

BOND_STATE = Menu(
    name="bond-ports",
    path="/interface/bonding",
    command="monitor",
    kind=TableKind.METRICS,
    tier=Tier.T2,
    row_key=".id",
    scope=SCOPE,
    numbers_of="bonding",
    arguments=(("once", ""),),
    reads=_MONITORED,
    transform=counted_ports,
    max_rows=500,
    max_bytes=262_144,
    fields=(
        Gauge(
            field="active-count",
            key="iface.bond_active_ports",
            unit=Unit.COUNT,
            description="Ports of the bond that carry traffic.",
            since="1",
            expected_min=0.0,
        ),
        Gauge(
            field="inactive-count",
            key="iface.bond_inactive_ports",
            unit=Unit.COUNT,
            description="Ports of the bond that carry none: without a link, or in reserve.",
            since="1",
            expected_min=0.0,
        ),
    ),
)

BOND_TABLE = Menu(
    name="bond-members",
    path="/interface/bonding",
    command="monitor",
    kind=TableKind.CURRENT_STATE,
    tier=Tier.T2,
    table="bond_members",
    row_key=".id",
    scope="bonding",
    numbers_of="bonding",
    arguments=(("once", ""),),
    max_rows=500,
    max_bytes=262_144,
    fields=(
        _told(
            "active-ports",
            "interface.bond.changed",
            "interface",
            "active ports of {label} changed from {old} to {new}",
        ),
        *columns("inactive-ports", "mode", "lacp-system-id", "lacp-partner-system-id"),
    ),
)


def vrrp_states(rows: Rows) -> Rows:
    """Add ``state``, which a router tells in flags."""
    states = [_vrrp(row) for row in rows.dicts()]
    return Rows(rows.count, {**rows.columns, "state": states})


def _vrrp(row: dict[str, bytes]) -> bytes | None:
    for flag, state in (("disabled", b"disabled"), ("invalid", b"failed"), ("failure", b"failed")):
        if row.get(flag) in _TRUE:
            return state
    for flag, state in (("master", b"master"), ("backup", b"backup")):
        if row.get(flag) in _TRUE:
            return state
    # Neither of both: its interface has no link, or it begins only now.
    return b"init" if "running" in row or "master" in row else None


VRRP = Menu(
    name="vrrp",
    path="/interface/vrrp",
    kind=TableKind.METRICS,
    tier=Tier.T1,
    row_key=".id",
    scope=SCOPE,
    reads=("disabled", "invalid", "failure", "master", "backup", "running"),
    transform=vrrp_states,
    max_rows=1_000,
    max_bytes=262_144,
    fields=(
        State(
            field="state",
            key="iface.vrrp_state",
            description="Whether this router is the one that answers for the shared address.",
            since="1",
            states={"disabled": 0, "init": 1, "backup": 2, "master": 3, "failed": 4},
            event=StateEvent(
                event_type="interface.vrrp.changed",
                entity_type="interface",
                message="VRRP {label} went from {old} to {new}",
                severities={
                    "master": Severity.WARNING,
                    "backup": Severity.WARNING,
                    "init": Severity.WARNING,
                    "failed": Severity.CRITICAL,
                },
                expected_when=("disabled", "true"),
            ),
        ),
    ),
)

VRRP_TABLE = replace(
    _table(
        "vrrp_interface",
        "/interface/vrrp",
        Tier.T2,
        *columns(
            "name",
            "comment",
            "interface",
            "vrid",
            "priority",
            "interval",
            "preemption-mode",
            "version",
            "v3-protocol",
            "group-master",
            "group-authority",
            "mac-address",
            "master",
            "disabled",
        ),
    ),
    # While it answers for the shared address, hosts send their traffic to it, and get theirs by what it is on.
    chooses=tuple(
        Chooses(why=Why.VRRP_MASTER, scope=SCOPE, field=field, where=(("master", "true"),))
        for field in ("name", "interface")
    ),
)

MENUS = (
    BRIDGES,
    SPANNING_TREE,
    BRIDGE_PORTS,
    VLANS,
    BRIDGE_VLANS,
    BONDS,
    BOND_STATE,
    BOND_TABLE,
    VRRP,
    VRRP_TABLE,
)
