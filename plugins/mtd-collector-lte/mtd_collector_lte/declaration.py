"""What is read of LTE and 5G modems, and what it means."""

from __future__ import annotations

from dataclasses import replace

from mtd.model.device import Severity
from mtd.model.metric import Tier, Unit
from mtd.plugin import (
    Collector,
    Column,
    Gauge,
    Labels,
    Menu,
    Moment,
    Parse,
    RowEvent,
    State,
    StateEvent,
    TableKind,
    columns,
)
from mtd_collector_lte import snmp
from mtd_collector_lte.registration import STATES, with_registration

SCOPE = "lte"
_PATH = "/interface/lte"
_FEW_ROWS = 64
_FEW_BYTES = 262_144

MODEMS = Menu(
    name="modems",
    path=_PATH,
    kind=TableKind.CURRENT_STATE,
    tier=Tier.T2,
    table="lte_modem",
    row_key=".id",
    scope=SCOPE,
    requires="lte",
    # A monitor of several fails as a whole if one of them isn't there.
    queries=("disabled=true", "#!", "inactive=true", "#!"),
    labels=Labels(name="name", comment="comment"),
    max_rows=_FEW_ROWS,
    max_bytes=_FEW_BYTES,
    fields=columns(
        "name",
        "default-name",
        "comment",
        "running",
        "mtu",
        "apn-profiles",
        "network-mode",
        "band",
        "nr-band",
        "operator",
        "allow-roaming",
    ),
    appears=RowEvent(event_type="lte.modem.added", entity_type="modem", message="{label} is there"),
    vanishes=RowEvent(
        event_type="lte.modem.removed",
        entity_type="modem",
        message="{label} is gone, or was disabled",
        severity=Severity.WARNING,
    ),
)


def _signal(field: str, unit: Unit, description: str, lowest: float, highest: float) -> Gauge:
    ending, suffix = ("dbm", "dBm") if unit is Unit.DBM else ("db", "dB")
    return Gauge(
        field=field,
        key=f"lte.{field.replace('-', '_')}_{ending}",
        unit=unit,
        description=description,
        since="1",
        suffix=suffix,
        expected_min=lowest,
        expected_max=highest,
    )


SIGNAL = Menu(
    name="signal",
    path=_PATH,
    command="monitor",
    kind=TableKind.METRICS,
    tier=Tier.T0,
    row_key=".id",
    scope=SCOPE,
    requires="lte",
    numbers_of="modems",
    arguments=(("once", ""),),
    sparse=True,
    max_rows=_FEW_ROWS,
    max_bytes=_FEW_BYTES,
    snmp=snmp.SIGNAL,
    fields=(
        _signal("rssi", Unit.DBM, "Strength of all that the modem receives on its channel.", -120, 0),
        _signal("rsrp", Unit.DBM, "Strength of the LTE cell's reference signal.", -156, -30),
        _signal("rsrq", Unit.DECIBELS, "Quality of the LTE cell's reference signal.", -45, 5),
        _signal("sinr", Unit.DECIBELS, "LTE signal over interference and noise.", -30, 50),
        _signal("rscp", Unit.DBM, "Strength of the 3G cell's pilot signal.", -130, 0),
        _signal("ecio", Unit.DECIBELS, "Quality of the 3G cell's pilot signal.", -40, 0),
        _signal("nr-rsrp", Unit.DBM, "Strength of the 5G cell's reference signal.", -156, -30),
        _signal("nr-rsrq", Unit.DECIBELS, "Quality of the 5G cell's reference signal.", -45, 25),
        _signal("nr-sinr", Unit.DECIBELS, "5G signal over interference and noise.", -30, 50),
    ),
)

# What tells who the subscriber is (IMEI, IMSI, ICCID, number) isn't read.
_STATUS = (
    "status",
    "registration-status",
    "functionality",
    "pin-status",
    "manufacturer",
    "model",
    "revision",
    "roaming",
    "data-class",
    "lac",
    "enb-id",
    "sector-id",
    "phy-cellid",
    "earfcn",
    "ul-ca-band",
)

REGISTRATIONS = Menu(
    name="registrations",
    path=_PATH,
    command="monitor",
    kind=TableKind.CURRENT_STATE,
    tier=Tier.T2,
    table="lte_registration",
    row_key=".id",
    scope=SCOPE,
    requires="lte",
    numbers_of="modems",
    arguments=(("once", ""),),
    max_rows=_FEW_ROWS,
    max_bytes=_FEW_BYTES,
    fields=(
        *columns(*_STATUS),
        Column(
            field="current-operator",
            event=StateEvent(
                event_type="lte.operator.changed",
                entity_type="modem",
                message="{label} is in the network of {new} now, before {old}",
            ),
        ),
        Column(
            field="access-technology",
            event=StateEvent(
                event_type="lte.technology.changed",
                entity_type="modem",
                message="{label} went from {old} to {new}",
            ),
        ),
        Column(
            field="current-cellid",
            event=StateEvent(
                event_type="lte.cell.changed",
                entity_type="modem",
                message="{label} went from cell {old} to cell {new}",
            ),
        ),
        Column(
            field="primary-band",
            event=StateEvent(
                event_type="lte.band.changed",
                entity_type="modem",
                message="{label} went from {old} to {new}",
            ),
        ),
        *columns("ca-band"),
        Moment(field="session-uptime", name="session-since"),
    ),
)

CONDITION = Menu(
    name="condition",
    path=_PATH,
    command="monitor",
    kind=TableKind.METRICS,
    tier=Tier.T2,
    row_key=".id",
    scope=SCOPE,
    requires="lte",
    numbers_of="modems",
    arguments=(("once", ""),),
    reads=("status", "registration-status", "roaming", "session-uptime", "cqi"),
    transform=with_registration,
    sparse=True,
    max_rows=_FEW_ROWS,
    max_bytes=_FEW_BYTES,
    fields=(
        State(
            field="registration",
            key="lte.registration_state",
            description="Whether the modem is in a network.",
            since="1",
            states=STATES,
            event=StateEvent(
                event_type="lte.registration.changed",
                entity_type="modem",
                message="{label} went from {old} to {new}",
                messages={
                    "registered": "{label} is registered in its network",
                    "roaming": "{label} is registered in another network",
                    "searching": "{label} has lost its network and searches",
                    "denied": "the network refuses {label}",
                },
                severities={
                    "off": Severity.WARNING,
                    "searching": Severity.WARNING,
                    "denied": Severity.WARNING,
                    "not_registered": Severity.WARNING,
                },
            ),
        ),
        Gauge(
            field="session-uptime",
            key="lte.session_uptime_seconds",
            unit=Unit.SECONDS,
            description="How long the session has lasted.",
            since="1",
            parse=Parse.DURATION,
            expected_min=0.0,
        ),
        Gauge(
            field="cqi",
            key="lte.channel_quality",
            unit=Unit.COUNT,
            description="Channel quality that the modem reports to the cell (CQI, 0 to 15).",
            since="1",
            expected_min=0.0,
            expected_max=15.0,
        ),
    ),
)


def _before(menu: Menu) -> Menu:
    """Return the menu as version 6 has it, which calls the command ``info``."""
    return replace(menu, name=f"{menu.name}-info", command="info", instead_of=menu.name)


COLLECTOR = Collector(
    name="lte",
    api=1,
    description="LTE and 5G modems: signal, registration, operator, cell and bands",
    menus=(
        MODEMS,
        SIGNAL,
        _before(SIGNAL),
        REGISTRATIONS,
        _before(REGISTRATIONS),
        CONDITION,
        _before(CONDITION),
    ),
)
