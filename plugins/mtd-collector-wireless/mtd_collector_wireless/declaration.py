"""What is read of wireless networks, and what it means.

Most of it is read from up to four menus at once and put together: see ``shapes``.
The menu that carries such a join is one that every router has.
"""

from __future__ import annotations

from collections.abc import Mapping

from mtd.model.device import Severity
from mtd.model.metric import Tier, Unit
from mtd.plugin import (
    Collector,
    Column,
    Counted,
    DerivedRate,
    Gauge,
    Labels,
    Level,
    Menu,
    Moment,
    Probe,
    RowEvent,
    State,
    StateEvent,
    TableKind,
    Tally,
    columns,
)
from mtd_collector_wireless import joins
from mtd_collector_wireless.shapes import LEGACY, SHAPES

SCOPE = "wireless.iface"
CARRIER = "/system/resource"
_CARRIED = ("uptime",)


def same_radio(before: Mapping[str, str], now: Mapping[str, str]) -> bool:
    """Whether two rows with one id are one interface: it may be renamed, or get another radio; not both."""
    if before.get("name") == now.get("name"):
        return True
    radios = [row.get("radio-mac") or row.get("mac-address") for row in (before, now)]
    return radios[0] == radios[1]


CLIENT_COUNT = Menu(
    name="client-count",
    path=CARRIER,
    kind=TableKind.METRICS,
    tier=Tier.T0,
    reads=_CARRIED,
    companions=joins.COUNTS,
    join=joins.client_total,
    fields=(
        Gauge(
            field="clients",
            key="wireless.clients",
            unit=Unit.COUNT,
            description="Wireless clients that are connected, over all interfaces.",
            since="1",
            expected_min=0.0,
        ),
    ),
)


def _changes(counts: Counted, noun: str, description: str) -> Tally:
    return Tally(
        key=f"wireless.clients_{noun}_total",
        description=f"{description}.",
        since="1",
        counts=counts,
        rate=DerivedRate(
            key=f"wireless.clients_{noun}_per_s",
            unit=Unit.EVENTS_PER_SECOND,
            description=f"{description}, per second.",
            since="1",
        ),
    )


def _volatile(*names: str) -> tuple[Column, ...]:
    return tuple(Column(field=name, volatile=True) for name in names)


INTERFACES = Menu(
    name="interfaces",
    path=CARRIER,
    kind=TableKind.CURRENT_STATE,
    tier=Tier.T1,
    table="wireless_interface",
    row_key="key",
    scope=SCOPE,
    reads=_CARRIED,
    companions=joins.INTERFACES,
    join=joins.interface_table,
    labels=Labels(name="name", comment="comment"),
    same_thing=same_radio,
    fields=columns("shape", *joins.INTERFACE_COLUMNS),
)

CLIENTS = Menu(
    name="clients",
    path=CARRIER,
    kind=TableKind.CURRENT_STATE,
    tier=Tier.T1,
    table="wireless_client",
    row_key="key",
    reads=_CARRIED,
    companions=(*joins.CLIENTS, *joins.INTERFACES, joins.LEASES),
    join=joins.client_table,
    max_instances=5_000,
    # The name of a client's radio is its MAC address, unless somebody gave it another.
    private=("mac-address", "host-name", "comment", "eap-identity", "radio-name"),
    fields=(
        *columns(
            "shape",
            "interface",
            "ssid",
            "mac-address",
            "host-name",
            "address",
            "comment",
            "band",
            "authentication",
            "authorized",
            "vlan-id",
            "eap-identity",
            "radio-name",
        ),
        Moment(field="uptime", name="since"),
        # It is another at each read: the row is written again when it is off by more than people would care.
        Level(field="signal", within=5),
        *_volatile(
            "tx-signal",
            "snr",
            "tx-rate",
            "rx-rate",
            "tx-ccq",
            "rx-ccq",
            "tx-bytes",
            "rx-bytes",
        ),
    ),
    tallies=(
        Tally(
            key="wireless.ssid.clients",
            description="Wireless clients of one network.",
            since="1",
            by="ssid",
            scope="wireless.ssid",
        ),
        _changes(Counted.APPEARED, "joined", "Wireless clients that connected"),
        _changes(Counted.VANISHED, "left", "Wireless clients that went away"),
    ),
)


def _figure(field: str, key: str, unit: Unit, description: str, suffix: str = "") -> Gauge:
    return Gauge(
        field=field,
        key=f"{SCOPE}.{key}",
        unit=unit,
        description=description,
        since="1",
        suffix=suffix,
        expected_min=0.0 if unit in {Unit.COUNT, Unit.PERCENT} else None,
    )


FIGURES = Menu(
    name="interface-figures",
    path=CARRIER,
    kind=TableKind.METRICS,
    tier=Tier.T1,
    row_key="name",
    keyed_by_name=True,
    scope=SCOPE,
    reads=_CARRIED,
    companions=(*joins.INTERFACES, *joins.CLIENTS),
    join=joins.interface_figures,
    fields=(
        _figure("clients", "clients", Unit.COUNT, "Wireless clients of one interface."),
        _figure(
            "weak",
            "weak_clients",
            Unit.COUNT,
            f"Clients of one interface that it hears with less than {joins.WEAK_BELOW_DBM} dBm.",
        ),
        _figure("average", "signal_avg_dbm", Unit.DBM, "Signal of an interface's clients, the mean of them."),
        _figure("weakest", "signal_min_dbm", Unit.DBM, "Signal of an interface's weakest client."),
    ),
)

CAPS = Menu(
    name="caps",
    path=CARRIER,
    kind=TableKind.CURRENT_STATE,
    tier=Tier.T1,
    table="wireless_cap",
    row_key="key",
    scope="wireless.cap",
    reads=_CARRIED,
    companions=joins.CAPS,
    join=joins.cap_table,
    labels=Labels(name="identity", comment="name"),
    fields=(
        *columns("shape", "identity", "name", "address", "board", "serial", "base-mac", "radios"),
        Column(
            field="version",
            event=StateEvent(
                event_type="wireless.cap.version.changed",
                entity_type="access point",
                message="{label} runs RouterOS {new} now, before {old}",
            ),
        ),
        Column(
            field="state",
            event=StateEvent(
                event_type="wireless.cap.state.changed",
                entity_type="access point",
                message="{label} went from {old} to {new}",
                severity=Severity.WARNING,
                severities={"Run": Severity.INFO, "Ok": Severity.INFO},
            ),
        ),
        Column(
            field="connection",
            event=StateEvent(
                event_type="wireless.cap.reconnected",
                entity_type="access point",
                message="{label} has lost its controller and is connected again",
                severity=Severity.WARNING,
            ),
        ),
        Moment(field="connected-time", name="connected-since"),
    ),
    tallies=(Tally(key="wireless.caps", description="Access points that are connected.", since="1"),),
    appears=RowEvent(
        event_type="wireless.cap.connected", entity_type="access point", message="{label} is connected"
    ),
    vanishes=RowEvent(
        event_type="wireless.cap.lost",
        entity_type="access point",
        message="{label} has lost its controller",
        severity=Severity.WARNING,
    ),
)

RADIOS = Menu(
    name="radios",
    path="/interface/wireless",
    kind=TableKind.CURRENT_STATE,
    tier=Tier.T2,
    table="wireless_radio",
    row_key=".id",
    requires=LEGACY.has_radios,
    queries=("disabled=true", "#!"),
    max_rows=200,
    max_bytes=262_144,
    fields=columns(
        "name",
        "interface-type",
        "band",
        "frequency",
        "channel-width",
        "wireless-protocol",
        "country",
        "installation",
        "antenna-gain",
        "tx-power-mode",
        "tx-power",
    ),
)

CONDITION = Menu(
    name="radio-condition",
    path="/interface/wireless",
    command="monitor",
    kind=TableKind.METRICS,
    tier=Tier.T2,
    row_key=".id",
    scope=SCOPE,
    requires=LEGACY.has_radios,
    numbers_of="radios",
    arguments=(("once", ""),),
    sparse=True,
    max_rows=200,
    max_bytes=262_144,
    fields=(
        _figure("noise-floor", "noise_floor_dbm", Unit.DBM, "Noise that a radio hears.", "dBm"),
        _figure(
            "overall-tx-ccq",
            "tx_ccq_pct",
            Unit.PERCENT,
            "How well an interface's frames get through: share of the best possible. May be over 100.",
            "%",
        ),
        State(
            field="status",
            key=f"{SCOPE}.radio_state",
            description="What a radio does.",
            since="1",
            states={
                "disabled": 0,
                "searching-for-network": 1,
                "connected-to-ess": 2,
                "initializing": 3,
                "searching-for-frequency": 100,
                "radar-detecting": 101,
                "running-ap": 102,
                "tkip-countermeasures": 103,
                "nstreme-dual-slave": 200,
            },
            event=StateEvent(
                event_type="wireless.radio.changed",
                entity_type="radio",
                message="{label} went from {old} to {new}",
                severities={
                    "searching-for-network": Severity.WARNING,
                    "radar-detecting": Severity.WARNING,
                    "tkip-countermeasures": Severity.WARNING,
                },
            ),
        ),
    ),
)

COLLECTOR = Collector(
    name="wireless",
    api=1,
    description="Wireless networks: clients and their signal, interfaces, controlled access points, radios",
    # The table of interfaces comes before what is keyed by their names.
    menus=(CLIENT_COUNT, INTERFACES, CLIENTS, FIGURES, CAPS, RADIOS, CONDITION),
    probes=(
        *(probe for shape in SHAPES for probe in shape.probes()),
        Probe(
            capability="dhcp.leases.few",
            path="/ip/dhcp-server/lease",
            queries=joins.LEASES.queries,
            at_most=250,
        ),
    ),
)
