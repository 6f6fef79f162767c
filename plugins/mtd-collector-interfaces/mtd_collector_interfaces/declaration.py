"""What is read of interfaces, and what it means."""

from __future__ import annotations

from collections.abc import Mapping

from mtd.model.device import Severity
from mtd.model.metric import Tier, Unit
from mtd.plugin import (
    Collector,
    Column,
    Counter,
    DerivedRate,
    Gauge,
    Labels,
    Menu,
    Parse,
    RowEvent,
    Selectable,
    State,
    StateEvent,
    TableKind,
    columns,
)
from mtd_collector_interfaces import layer2, ports, snmp

SCOPE = "iface"

# Dynamic interfaces are somebody's sessions: without bound, and personal. They have a table of their own elsewhere.
NOT_DYNAMIC = ("dynamic=true", "#!")

_WAYS = {"rx": "received", "tx": "sent"}


def _traffic(way: str) -> tuple[Counter, ...]:
    did = _WAYS[way]
    return (
        Counter(
            field=f"{way}-byte",
            key=f"iface.{way}_bytes_total",
            unit=Unit.BYTES,
            description=f"Bytes {did}.",
            since="1",
            rate=DerivedRate(
                key=f"iface.{way}_bps",
                unit=Unit.BITS_PER_SECOND,
                scale=8.0,
                description=f"Bits {did} per second.",
                since="1",
                bounded_by_link=True,
            ),
        ),
        Counter(
            field=f"{way}-packet",
            key=f"iface.{way}_packets_total",
            unit=Unit.PACKETS,
            description=f"Packets {did}.",
            since="1",
            rate=DerivedRate(
                key=f"iface.{way}_pps",
                unit=Unit.PACKETS_PER_SECOND,
                description=f"Packets {did} per second.",
                since="1",
            ),
        ),
    )


def _faults(way: str, field: str, noun: str, description: str) -> Counter:
    return Counter(
        field=f"{way}-{field}",
        key=f"iface.{way}_{noun}_total",
        unit=Unit.EVENTS,
        description=description,
        since="1",
        rate=DerivedRate(
            key=f"iface.{way}_{noun}_per_s",
            unit=Unit.EVENTS_PER_SECOND,
            description=f"{description[:-1]}, per second.",
            since="1",
        ),
    )


OPER_STATE = State(
    field="running",
    key="iface.oper_state",
    description="Whether the interface has a link or runs.",
    since="1",
    states={"down": 0, "up": 1},
    words={"true": "up", "yes": "up", "false": "down", "no": "down"},
    event=StateEvent(
        event_type="interface.oper.changed",
        entity_type="interface",
        message="{label} changed from {old} to {new}",
        messages={"up": "{label} is up", "down": "{label} is down"},
        severities={"down": Severity.WARNING, "up": Severity.INFO},
        expected_when=("disabled", "true"),
    ),
)

ADMIN_STATE = State(
    field="disabled",
    key="iface.admin_state",
    description="Whether the interface is switched on in the configuration.",
    since="1",
    states={"disabled": 0, "enabled": 1},
    words={"true": "disabled", "yes": "disabled", "false": "enabled", "no": "enabled"},
    event=StateEvent(
        event_type="interface.admin.changed",
        entity_type="interface",
        message="{label} was {new}",
    ),
)

COUNTERS = Menu(
    name="counters",
    path="/interface",
    kind=TableKind.METRICS,
    tier=Tier.T0,
    row_key=".id",
    scope=SCOPE,
    queries=NOT_DYNAMIC,
    snmp=snmp.INTERFACE,
    selectable=Selectable(traffic=("rx-byte", "tx-byte"), noun="interface"),
    fields=(
        OPER_STATE,
        ADMIN_STATE,
        *_traffic("rx"),
        *_traffic("tx"),
        _faults("rx", "error", "errors", "Packets received with an error."),
        _faults("tx", "error", "errors", "Packets not sent because of an error."),
        _faults("rx", "drop", "drops", "Packets received and dropped."),
        _faults("tx", "drop", "drops", "Packets to be sent and dropped."),
        Counter(
            field="tx-queue-drop",
            key="iface.tx_queue_drops_total",
            unit=Unit.EVENTS,
            description="Packets to be sent and dropped by the interface queue.",
            since="1",
            rate=DerivedRate(
                key="iface.tx_queue_drops_per_s",
                unit=Unit.EVENTS_PER_SECOND,
                description="Packets to be sent and dropped by the interface queue, per second.",
                since="1",
            ),
        ),
        Counter(
            field="link-downs",
            key="iface.link_downs_total",
            unit=Unit.EVENTS,
            description="Times that the link was lost.",
            since="1",
        ),
    ),
)


def same_interface(before: Mapping[str, str], now: Mapping[str, str]) -> bool:
    """Whether two rows with one id are one interface, or the id was used again.

    A port keeps its default name. Anything else may be renamed, and a bridge
    changes its MAC address with its ports; both at once is another interface.
    What SNMP told has neither kind nor default name: that says nothing.
    """
    for lasting in ("type", "default-name"):
        known, told = before.get(lasting), now.get(lasting)
        if known and told and known != told:
            return False
    if before.get("type") and now.get("type") and (before.get("default-name") or now.get("default-name")):
        return before.get("default-name") == now.get("default-name")
    return before.get("name") == now.get("name") or before.get("mac-address") == now.get("mac-address")


INTERFACES = Menu(
    name="table",
    path="/interface",
    kind=TableKind.CURRENT_STATE,
    tier=Tier.T1,
    table="interface",
    row_key=".id",
    scope=SCOPE,
    queries=NOT_DYNAMIC,
    labels=Labels(name="name", comment="comment"),
    same_thing=same_interface,
    snmp=snmp.INTERFACE,
    fields=(
        Column(
            field="name",
            event=StateEvent(
                event_type="interface.renamed", entity_type="interface", message="{old} is called {new} now"
            ),
        ),
        *columns("comment", "type", "default-name", "mac-address"),
        Column(
            field="actual-mtu",
            event=StateEvent(
                event_type="interface.mtu.changed",
                entity_type="interface",
                message="MTU of {label} changed from {old} to {new}",
            ),
        ),
        *columns(
            "mtu",
            "l2mtu",
            "running",
            "disabled",
            "slave",
            "fast-path",
            "last-link-up-time",
            "last-link-down-time",
        ),
    ),
    appears=RowEvent(event_type="interface.added", entity_type="interface", message="{label} was added"),
    vanishes=RowEvent(
        event_type="interface.removed",
        entity_type="interface",
        message="{label} is gone",
        severity=Severity.WARNING,
    ),
)

ETHERNET = Menu(
    name="ethernet",
    path="/interface/ethernet",
    kind=TableKind.CURRENT_STATE,
    tier=Tier.T2,
    table="ethernet",
    row_key=".id",
    scope="ethernet",
    snmp=snmp.ETHERNET,
    fields=columns(
        "name",
        "default-name",
        "orig-mac-address",
        "speed",
        "auto-negotiation",
        "full-duplex",
        "advertise",
        "rx-flow-control",
        "tx-flow-control",
        "bandwidth",
        "switch",
        "sfp-shutdown-temperature",
        "poe-out",
    ),
)


def _sfp(field: str, key: str, unit: Unit, description: str, suffix: str, scale: float = 1.0) -> Gauge:
    return Gauge(
        field=field,
        key=f"iface.{key}",
        unit=unit,
        description=description,
        since="1",
        suffix=suffix,
        scale=scale,
    )


LINKS = Menu(
    name="links",
    path="/interface/ethernet",
    command="monitor",
    kind=TableKind.METRICS,
    tier=Tier.T2,
    row_key="name",
    keyed_by_name=True,
    scope=SCOPE,
    numbers_of="ethernet",
    arguments=(("once", ""),),
    sparse=True,
    snmp=snmp.LINK,
    fields=(
        Gauge(
            field="rate",
            key="iface.link_speed_bps",
            unit=Unit.BITS_PER_SECOND,
            description="Speed that the link was negotiated at; absent without a link.",
            since="1",
            parse=Parse.RATE,
            is_link_speed=True,
            expected_min=10e6,
            expected_max=800e9,
        ),
        State(
            field="full-duplex",
            key="iface.duplex_state",
            description="Whether both ends may send at once.",
            since="1",
            states={"half": 0, "full": 1},
            words={"true": "full", "yes": "full", "false": "half", "no": "half"},
            event=StateEvent(
                event_type="interface.duplex.changed",
                entity_type="interface",
                message="{label} went from {old} to {new} duplex",
                severities={"half": Severity.WARNING},
            ),
        ),
        _sfp(
            "sfp-temperature",
            "sfp_temperature_celsius",
            Unit.CELSIUS,
            "Temperature of the optical module.",
            "C",
        ),
        _sfp(
            "sfp-supply-voltage", "sfp_supply_volts", Unit.VOLTS, "Supply voltage of the optical module.", "V"
        ),
        _sfp(
            "sfp-tx-bias-current",
            "sfp_tx_bias_amperes",
            Unit.AMPERES,
            "Bias current of the laser.",
            "mA",
            0.001,
        ),
        _sfp("sfp-rx-power", "sfp_rx_power_dbm", Unit.DBM, "Light received by the optical module.", "dBm"),
        _sfp("sfp-tx-power", "sfp_tx_power_dbm", Unit.DBM, "Light sent by the optical module.", "dBm"),
    ),
)

COLLECTOR = Collector(
    name="interfaces",
    api=1,
    description="Interfaces: traffic, errors, states, links, modules, PoE, bridges, VLANs, bonds, VRRP",
    menus=(COUNTERS, INTERFACES, ETHERNET, LINKS, *ports.MENUS, *layer2.MENUS),
    probes=ports.PROBES,
)
