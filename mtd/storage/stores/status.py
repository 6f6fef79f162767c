"""What is known of each device now: status, versions, capabilities."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from mtd.storage import literals
from mtd.storage.txn import Transaction

DeviceKey = tuple[str, str]
"""Tenant and device."""


@dataclass(slots=True)
class StatusRow:
    """The row of ``device_status`` of one device. Times: microseconds since the epoch, 0 if never."""

    status: str = "unknown"
    outcome: str = ""
    reason: str = ""
    since_us: int = 0
    last_ok_us: int = 0
    outcome_us: int = 0
    routeros_version: str = ""
    routeros_major: int = 0
    board_name: str = ""
    architecture: str = ""
    identity: str = ""
    serial_number: str = ""
    probed_us: int = 0
    capabilities: dict[str, tuple[bool, str]] = field(default_factory=dict)  # name: present, detail


class CapabilityRow(NamedTuple):
    """A capability that was found, or found to be different."""

    tenant_id: str
    device_id: str
    name: str
    present: bool
    detail: str
    changed_us: int


_TEXTS = (
    "status",
    "outcome",
    "reason",
    "routeros_version",
    "board_name",
    "architecture",
    "identity",
    "serial_number",
)
_TIMES = {
    "since": "since_us",
    "last_ok_at": "last_ok_us",
    "outcome_at": "outcome_us",
    "probed_at": "probed_us",
}


async def load_status(tx: Transaction, keys: Collection[DeviceKey]) -> dict[DeviceKey, StatusRow]:
    """Return the stored rows of these devices, capabilities included; devices without one are missing."""
    wanted = (literals.texts(tenant for tenant, _ in keys), literals.texts(device for _, device in keys))
    joined = "JOIN unnest(%s::uuid[], %s::uuid[]) AS t (tenant_id, device_id) USING (tenant_id, device_id)"
    times = ", ".join(f"coalesce(to_us({column}), 0)" for column in _TIMES)
    await tx.execute(
        f"SELECT tenant_id, device_id, routeros_major, {', '.join(_TEXTS)}, {times} FROM device_status {joined}",
        wanted,
    )
    found: dict[DeviceKey, StatusRow] = {}
    for tenant_id, device_id, major, *values in tx.fetchall():
        named = dict(zip((*_TEXTS, *_TIMES.values()), values, strict=True))
        found[tenant_id, device_id] = StatusRow(routeros_major=major, **named)
    await tx.execute(
        f"SELECT tenant_id, device_id, name, present, detail FROM device_capability {joined}", wanted
    )
    for tenant_id, device_id, name, present, detail in tx.fetchall():
        found.setdefault((tenant_id, device_id), StatusRow()).capabilities[name] = (present, detail)
    return found


async def put_status(tx: Transaction, rows: Mapping[DeviceKey, StatusRow]) -> None:
    """Store rows whole."""
    if not rows:
        return
    names = ("routeros_major", *_TEXTS, *_TIMES)
    selected = ", ".join(["routeros_major", *_TEXTS, *(f"from_us(nullif({name}, 0))" for name in _TIMES)])
    updated = ", ".join(f"{name} = excluded.{name}" for name in names)
    await tx.execute(
        f"INSERT INTO device_status (tenant_id, device_id, {', '.join(names)})"
        f" SELECT tenant_id, device_id, {selected} FROM unnest(%s::uuid[], %s::uuid[], %s::int4[],"
        f" {', '.join(['%s::text[]'] * len(_TEXTS) + ['%s::int8[]'] * len(_TIMES))})"
        f" AS t (tenant_id, device_id, {', '.join(names)})"
        f" ON CONFLICT (tenant_id, device_id) DO UPDATE SET {updated}",
        [
            literals.texts(tenant for tenant, _ in rows),
            literals.texts(device for _, device in rows),
            literals.plain(row.routeros_major for row in rows.values()),
            *(literals.texts(getattr(row, name) for row in rows.values()) for name in _TEXTS),
            *(literals.plain(getattr(row, name) for row in rows.values()) for name in _TIMES.values()),
        ],
    )


async def put_capabilities(tx: Transaction, rows: Sequence[CapabilityRow]) -> None:
    """Store capabilities; at most one row for each device and name."""
    if not rows:
        return
    columns = list(zip(*rows, strict=True))
    await tx.execute(
        "INSERT INTO device_capability (tenant_id, device_id, name, present, detail, changed_at)"
        " SELECT tenant_id, device_id, name, present, detail, from_us(changed_us)"
        " FROM unnest(%s::uuid[], %s::uuid[], %s::text[], %s::bool[], %s::text[], %s::int8[])"
        " AS t (tenant_id, device_id, name, present, detail, changed_us)"
        " ON CONFLICT (tenant_id, device_id, name) DO UPDATE SET present = excluded.present,"
        " detail = excluded.detail, changed_at = excluded.changed_at",
        [
            literals.texts(columns[0]),
            literals.texts(columns[1]),
            literals.texts(columns[2]),
            literals.plain(columns[3]),
            literals.texts(columns[4]),
            literals.plain(columns[5]),
        ],
    )
