"""Ethernet ports: errors on the wire, optical modules, power over Ethernet."""

from __future__ import annotations

from mtd.model.command import Rows
from mtd.model.device import Severity
from mtd.model.metric import Tier, Unit
from mtd.plugin import (
    Column,
    Counter,
    DerivedRate,
    Gauge,
    Menu,
    Probe,
    RowEvent,
    State,
    StateEvent,
    TableKind,
    columns,
)
from mtd_collector_interfaces import snmp

SCOPE = "iface"
PROBES = (Probe(capability="poe", path="/interface/ethernet/poe"),)

# How a frame was spoilt tells a bad cable from a wrong duplex or a wrong MTU.
_ERRORS = (
    ("rx-fcs-error", "rx_fcs_errors", "Frames received with a wrong checksum."),
    ("rx-align-error", "rx_align_errors", "Frames received that don't end with a whole byte."),
    ("rx-fragment", "rx_fragments", "Frames received that were too short and had a wrong checksum."),
    ("rx-too-short", "rx_too_short", "Frames received that were too short."),
    ("rx-too-long", "rx_too_long", "Frames received that were longer than the port takes."),
    ("rx-overflow", "rx_overflows", "Frames received for which there was no room."),
    ("rx-jabber", "rx_jabber", "Frames received that were too long and had a wrong checksum."),
    ("rx-code-error", "rx_code_errors", "Frames received with a wrong symbol."),
    ("rx-pause", "rx_pauses", "Requests of the other end to wait."),
    ("tx-pause", "tx_pauses", "Requests to the other end to wait."),
    ("tx-underrun", "tx_underruns", "Frames that weren't there in time to be sent."),
    ("tx-collision", "tx_collisions", "Frames that met another one."),
    ("tx-late-collision", "tx_late_collisions", "Frames that met another one late: the duplex is wrong."),
    ("tx-excessive-collision", "tx_excessive_collisions", "Frames given up after many collisions."),
)


def _error(field: str, noun: str, description: str) -> Counter:
    # A rate where it is what an alert is made of.
    rate = DerivedRate(
        key=f"iface.{noun}_per_s",
        unit=Unit.EVENTS_PER_SECOND,
        description=f"{description[:-1]}, per second.",
        since="1",
    )
    return Counter(
        field=field,
        key=f"iface.{noun}_total",
        unit=Unit.EVENTS,
        description=description,
        since="1",
        rate=rate if field == "rx-fcs-error" else None,
    )


ERRORS = Menu(
    name="ethernet-errors",
    path="/interface/ethernet",
    kind=TableKind.METRICS,
    tier=Tier.T2,
    requires="ethernet",
    row_key=".id",
    scope=SCOPE,
    max_rows=1_000,
    max_bytes=1024 * 1024,
    fields=tuple(_error(*error) for error in _ERRORS),
)


def modules_only(rows: Rows) -> Rows:
    """Leave out ports without a module."""
    there = rows.column("sfp-module-present")
    named = zip(rows.column("sfp-vendor-name"), rows.column("sfp-vendor-part-number"), strict=True)
    # Some versions tell what is in it, and not whether there is one.
    taken = [
        place
        for place, (present, names) in enumerate(zip(there, named, strict=True))
        if present in (b"true", b"yes") or (present is None and any(names))
    ]
    return Rows(
        len(taken), {name: [values[place] for place in taken] for name, values in rows.columns.items()}
    )


def _alarm(field: str, event: str, message: str) -> Column:
    return Column(
        field=field,
        event=StateEvent(
            event_type=event,
            entity_type="interface",
            message=f"{{label}}: {message} is over",
            messages={"true": f"{{label}}: {message}"},
            severities={"true": Severity.WARNING},
        ),
    )


_MODULE = (
    "sfp-vendor-part-number",
    "sfp-vendor-revision",
    "sfp-type",
    "sfp-connector-type",
    "sfp-wavelength",
    "sfp-manufacturing-date",
)

MODULES = Menu(
    name="modules",
    path="/interface/ethernet",
    command="monitor",
    kind=TableKind.CURRENT_STATE,
    tier=Tier.T2,
    table="optical_module",
    row_key="name",
    keyed_by_name=True,
    scope=SCOPE,
    numbers_of="ethernet",
    arguments=(("once", ""),),
    reads=(
        "sfp-module-present",
        "sfp-vendor-name",
        "sfp-vendor-serial",
        *_MODULE,
        "sfp-rx-loss",
        "sfp-tx-fault",
    ),
    transform=modules_only,
    fields=(
        *columns("sfp-vendor-name"),
        Column(
            field="sfp-vendor-serial",
            event=StateEvent(
                event_type="interface.module.replaced",
                entity_type="interface",
                message="{label} has module {new} instead of {old}",
            ),
        ),
        *columns(*_MODULE),
        _alarm("sfp-rx-loss", "interface.module.rx_loss", "no light is received"),
        _alarm("sfp-tx-fault", "interface.module.tx_fault", "the module can't send"),
    ),
    appears=RowEvent(
        event_type="interface.module.inserted", entity_type="interface", message="{label} has a module"
    ),
    vanishes=RowEvent(
        event_type="interface.module.removed",
        entity_type="interface",
        message="{label} has no module any more",
        severity=Severity.WARNING,
    ),
)

POE = Menu(
    name="poe",
    path="/interface/ethernet/poe",
    kind=TableKind.CURRENT_STATE,
    tier=Tier.T2,
    table="poe",
    requires="poe",
    row_key=".id",
    snmp=snmp.POE,
    max_rows=1_000,
    max_bytes=262_144,
    fields=columns("name", "poe-out", "poe-priority", "poe-voltage", "poe-lldp-enabled"),
)

_FAULTS = (
    "voltage-too-low",
    "voltage-too-high",
    "current-too-low",
    "low-voltage-too-low",
    "controller-error",
    "voltage-on-poe-in",
    "no-valid-PSU",
    "low-voltage-pd-detected",
)

POE_OUT = Menu(
    name="poe-out",
    path="/interface/ethernet/poe",
    command="monitor",
    kind=TableKind.METRICS,
    tier=Tier.T2,
    requires="poe",
    row_key="name",
    keyed_by_name=True,
    scope=SCOPE,
    numbers_of="poe",
    arguments=(("once", ""),),
    sparse=True,
    snmp=snmp.POE_OUT,
    fields=(
        State(
            field="poe-out-status",
            key="iface.poe_out_state",
            description="Whether the port feeds what is connected to it.",
            since="1",
            states={"off": 0, "waiting": 1, "powered": 2, "overload": 3, "short_circuit": 4, "fault": 5},
            words={
                "disabled": "off",
                "lldp-power-off": "off",
                "power-cycle": "off",
                "waiting-for-load": "waiting",
                "controller-init": "waiting",
                "controller-upgrade": "waiting",
                "powered-on": "powered",
                "overload": "overload",
                "short-circuit": "short_circuit",
                **dict.fromkeys(_FAULTS, "fault"),
            },
            event=StateEvent(
                event_type="interface.poe.changed",
                entity_type="interface",
                message="PoE of {label} went from {old} to {new}",
                messages={
                    "overload": "{label} is overloaded: it feeds nothing",
                    "short_circuit": "{label} has a short circuit: it feeds nothing",
                },
                severities={
                    "overload": Severity.WARNING,
                    "short_circuit": Severity.WARNING,
                    "fault": Severity.WARNING,
                },
            ),
        ),
        Gauge(
            field="poe-out-voltage",
            key="iface.poe_out_volts",
            unit=Unit.VOLTS,
            description="Voltage that the port gives.",
            since="1",
            suffix="V",
            expected_min=0.0,
        ),
        Gauge(
            field="poe-out-current",
            key="iface.poe_out_amperes",
            unit=Unit.AMPERES,
            description="Current that is taken from the port.",
            since="1",
            suffix="mA",
            scale=0.001,
            expected_min=0.0,
        ),
        Gauge(
            field="poe-out-power",
            key="iface.poe_out_watts",
            unit=Unit.WATTS,
            description="Power that is taken from the port.",
            since="1",
            suffix="W",
            expected_min=0.0,
        ),
    ),
)

MENUS = (ERRORS, MODULES, POE, POE_OUT)
