"""Software and disks: what could be newer, how full disks are, when a licence ends.

Nothing here makes a router ask its vendor: it tells what it found out the last
time that somebody, or a schedule of its own, let it look.
"""

from __future__ import annotations

from collections.abc import Sequence

from mtd.model.command import Rows
from mtd.model.device import Severity
from mtd.model.metric import Tier, Unit
from mtd.plugin import (
    Column,
    Counter,
    Gauge,
    Labels,
    Menu,
    Parse,
    Probe,
    RowEvent,
    State,
    StateEvent,
    TableKind,
    columns,
    snapshot,
)
from mtd.plugin.declaration import Transform

PROBES = (Probe(capability="disk", path="/disk"),)

_STATES = {"current": 0, "available": 1}


def release_state(rows: Rows) -> Rows:
    """Add ``state``: whether the newest RouterOS of the channel is another than the installed one."""
    installed = rows.column("installed-version")
    older = rows.column("current-version")  # what it was called before 6.38
    known = [new or old for new, old in zip(installed, older, strict=True)]
    return _compared(rows, known, rows.column("latest-version"))


def firmware_state(rows: Rows) -> Rows:
    """Add ``state``: whether the board would take another firmware at its next upgrade."""
    return _compared(rows, rows.column("current-firmware"), rows.column("upgrade-firmware"))


def _compared(rows: Rows, now: Sequence[bytes | None], then: Sequence[bytes | None]) -> Rows:
    states = [
        None if not one or not other else b"current" if one == other else b"available"
        for one, other in zip(now, then, strict=True)
    ]
    return Rows(rows.count, {**rows.columns, "state": states})


def _state_menu(
    name: str, path: str, reads: tuple[str, ...], transform: Transform, description: str, message: str
) -> Menu:
    return Menu(
        name=name,
        path=path,
        kind=TableKind.METRICS,
        tier=Tier.T3,
        reads=reads,
        transform=transform,
        max_rows=10,
        max_bytes=16_384,
        fields=(
            State(
                field="state",
                key=f"system.{name}.update_state",
                description=description,
                since="1",
                states=_STATES,
                event=StateEvent(
                    event_type=f"system.{name}.update",
                    entity_type="device",
                    message=message,
                    messages={"current": f"{name} is up to date"},
                    severity=Severity.INFO,
                ),
            ),
        ),
    )


RELEASE = _state_menu(
    "routeros",
    "/system/package/update",
    ("installed-version", "current-version", "latest-version"),
    release_state,
    "Whether a newer RouterOS is there in the router's channel, as far as the router knows.",
    "another RouterOS is available",
)

FIRMWARE = _state_menu(
    "firmware",
    "/system/routerboard",
    ("current-firmware", "upgrade-firmware"),
    firmware_state,
    "Whether the board's firmware (RouterBOOT) is older than the one that came with RouterOS.",
    "the board would take another firmware at its next upgrade",
)

LICENSE = Menu(
    name="license",
    path="/system/license",
    kind=TableKind.METRICS,
    tier=Tier.T3,
    sparse=True,
    max_rows=10,
    max_bytes=16_384,
    fields=(
        Gauge(
            field="deadline-at",
            key="system.license.remaining_seconds",
            unit=Unit.SECONDS,
            description="Time until the licence of a virtual router ends.",
            since="1",
            parse=Parse.UNTIL,
        ),
    ),
)


def one_name(rows: Rows) -> Rows:
    """Call a disk by its slot, which version 6 doesn't have."""
    slots = zip(rows.column("slot"), rows.column("name"), rows.column("disk"), strict=True)
    titles = [slot or name or disk for slot, name, disk in slots]
    return Rows(rows.count, {**rows.columns, "title": titles})


def _size(field: str, key: str, description: str) -> Gauge:
    return Gauge(
        field=field,
        key=f"system.storage.{key}",
        unit=Unit.BYTES,
        description=description,
        since="1",
        parse=Parse.SIZE,
        expected_min=0.0,
    )


DISKS = Menu(
    name="disks",
    path="/disk",
    kind=TableKind.METRICS,
    tier=Tier.T2,
    requires="disk",
    row_key=".id",
    scope="system.storage",
    max_rows=200,
    max_bytes=262_144,
    fields=(
        _size("size", "total_bytes", "Size of a disk."),
        _size("free", "free_bytes", "Space that is free on a disk."),
        Gauge(
            field="use",
            key="system.storage.used_pct",
            unit=Unit.PERCENT,
            description="Share of a disk's file system that is used. Version 7.",
            since="1",
            suffix="%",
            expected_min=0.0,
            expected_max=100.0,
        ),
        Counter(
            field="io-errors",
            key="system.storage.io_errors_total",
            unit=Unit.EVENTS,
            description="Reads and writes of a disk that failed. Version 7.",
            since="1",
        ),
    ),
)

_DISK = ("slot", "name", "label", "type", "disk", "fs", "model", "serial", "interface", "mount-point")

DISK_TABLE = Menu(
    name="disk-table",
    path="/disk",
    kind=TableKind.CURRENT_STATE,
    tier=Tier.T2,
    requires="disk",
    table="disk",
    row_key=".id",
    scope="system.storage",
    labels=Labels(name="title"),
    reads=(*_DISK, "state", "raid-master", "raid-member-state", "comment"),
    transform=one_name,
    max_rows=200,
    max_bytes=262_144,
    fields=(
        *columns("title", *_DISK),
        Column(
            field="state",
            event=StateEvent(
                event_type="disk.state.changed",
                entity_type="disk",
                message="disk {label} went from {old} to {new}",
                severity=Severity.WARNING,
            ),
        ),
        *columns("raid-master", "raid-member-state", "comment"),
    ),
    appears=RowEvent(event_type="disk.added", entity_type="disk", message="disk {label} was added"),
    vanishes=RowEvent(
        event_type="disk.removed",
        entity_type="disk",
        message="disk {label} is gone",
        severity=Severity.WARNING,
    ),
)

# Its status is a sentence that differs while the router looks.
UPDATE_SNAPSHOT = snapshot(
    "system.package_update",
    "/system/package/update",
    "channel",
    "installed-version",
    "current-version",
    "latest-version",
)

MENUS = (RELEASE, FIRMWARE, LICENSE, DISKS, DISK_TABLE, UPDATE_SNAPSHOT)
