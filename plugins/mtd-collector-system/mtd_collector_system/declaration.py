"""What is read of the router itself, and what it means."""

from __future__ import annotations

from mtd.model.device import Severity
from mtd.model.metric import Tier, Unit
from mtd.plugin import (
    Collector,
    Counter,
    Gauge,
    Menu,
    Parse,
    State,
    StateEvent,
    TableKind,
    snapshot,
)
from mtd_collector_system import snmp, updates
from mtd_collector_system.health import V6_SENSORS, one_row_per_sensor


def _bytes(field: str, key: str, description: str) -> Gauge:
    return Gauge(
        field=field,
        key=f"system.{key}",
        unit=Unit.BYTES,
        description=description,
        since="1",
        parse=Parse.SIZE,
        expected_min=0.0,
    )


def _percent(field: str, key: str, description: str) -> Gauge:
    return Gauge(
        field=field,
        key=f"system.{key}",
        unit=Unit.PERCENT,
        description=description,
        since="1",
        suffix="%",
        expected_min=0.0,
        expected_max=100.0,
    )


RESOURCE = Menu(
    name="resource",
    path="/system/resource",
    kind=TableKind.METRICS,
    tier=Tier.T0,
    max_rows=10,
    max_bytes=65_536,
    snmp=snmp.RESOURCE,
    fields=(
        _percent("cpu-load", "cpu.load_pct", "Load of the processor, over all cores."),
        _bytes("free-memory", "memory.free_bytes", "Memory that is free."),
        _bytes("total-memory", "memory.total_bytes", "Memory that is built in."),
        _bytes("free-hdd-space", "disk.free_bytes", "Space that is free on the system's disk."),
        _bytes("total-hdd-space", "disk.total_bytes", "Size of the system's disk."),
        Gauge(
            field="uptime",
            key="system.uptime_seconds",
            unit=Unit.SECONDS,
            description="Time since the router started.",
            since="1",
            parse=Parse.DURATION,
            expected_min=0.0,
        ),
    ),
)

WEAR = Menu(
    name="wear",
    path="/system/resource",
    kind=TableKind.METRICS,
    tier=Tier.T2,
    max_rows=10,
    max_bytes=65_536,
    snmp=snmp.RESOURCE,
    fields=(
        Gauge(
            field="cpu-frequency",
            key="system.cpu.frequency_hertz",
            unit=Unit.HERTZ,
            description="Frequency that the processor runs at.",
            since="1",
            suffix="MHz",
            scale=1e6,
            expected_min=0.0,
        ),
        _percent("bad-blocks", "disk.bad_blocks_pct", "Share of the disk's blocks that is worn out."),
        Counter(
            field="write-sect-total",
            key="system.disk.written_sectors_total",
            unit=Unit.COUNT,
            description="Sectors written to the disk in its life.",
            since="1",
        ),
    ),
)

CORES = Menu(
    name="cores",
    path="/system/resource/cpu",
    kind=TableKind.METRICS,
    tier=Tier.T2,
    row_key="cpu",
    scope="system.core",
    max_rows=512,
    max_bytes=262_144,
    snmp=snmp.CORES,
    fields=(
        _percent("load", "core.load_pct", "Load of one core."),
        _percent("irq", "core.irq_pct", "Share of one core's time spent in interrupts."),
        _percent("disk", "core.disk_pct", "Share of one core's time spent waiting for the disk."),
    ),
)


def _sensor(quantity: str, ending: str, unit: Unit, description: str, suffix: str) -> Gauge:
    return Gauge(
        field=quantity,
        key=f"system.health.{ending}",
        unit=unit,
        description=description,
        since="1",
        suffix=suffix,
    )


HEALTH = Menu(
    name="health",
    path="/system/health",
    kind=TableKind.METRICS,
    tier=Tier.T2,
    row_key="name",
    scope="system.health",
    requires="health",
    reads=("name", "value", "type", *V6_SENSORS),
    transform=one_row_per_sensor,
    sparse=True,
    max_rows=256,
    max_bytes=262_144,
    snmp=snmp.HEALTH,
    fields=(
        _sensor("temperature", "temperature_celsius", Unit.CELSIUS, "Temperature that a sensor tells.", "C"),
        _sensor("voltage", "voltage_volts", Unit.VOLTS, "Voltage that a sensor tells.", "V"),
        _sensor("current", "current_amperes", Unit.AMPERES, "Current that a sensor tells.", "A"),
        _sensor("power", "power_watts", Unit.WATTS, "Power that the router takes.", "W"),
        _sensor("fan-speed", "fan_speed_rpm", Unit.RPM, "Speed of a fan.", "RPM"),
        State(
            field="state",
            key="system.health.state",
            description="State of a power supply or of the fans.",
            since="1",
            states={"fail": 0, "ok": 1},
            event=StateEvent(
                event_type="system.health.changed",
                entity_type="sensor",
                message="{label} changed from {old} to {new}",
                messages={"ok": "{label} is ok again", "fail": "{label} failed"},
                severities={"fail": Severity.CRITICAL},
            ),
        ),
    ),
)


def _document(name: str, *fields: str, row_key: str = "") -> Menu:
    return snapshot(f"system.{name}", f"/system/{name}", *fields, row_key=row_key)


SNAPSHOTS = (
    # Nothing here that changes by itself: a snapshot is stored when it changes.
    _document(
        "resource",
        "version",
        "build-time",
        "factory-software",
        "cpu",
        "cpu-count",
        "total-memory",
        "total-hdd-space",
        "architecture-name",
        "board-name",
        "platform",
    ),
    _document("identity", "name"),
    _document(
        "routerboard",
        "routerboard",
        "board-name",
        "model",
        "revision",
        "serial-number",
        "firmware-type",
        "factory-firmware",
        "current-firmware",
        "upgrade-firmware",
    ),
    _document(
        "license", "software-id", "system-id", "nlevel", "level", "features", "deadline-at", "next-renewal-at"
    ),
    _document("package", "version", "build-time", "scheduled", "disabled", "size", row_key="name"),
)

COLLECTOR = Collector(
    name="system",
    api=1,
    description="The router itself: processor, memory, disks, uptime, sensors, board, licence, packages, updates",
    menus=(RESOURCE, WEAR, CORES, HEALTH, *SNAPSHOTS, *updates.MENUS),
    probes=updates.PROBES,
)
