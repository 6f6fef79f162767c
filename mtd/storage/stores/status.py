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
    seq: int = 0  # newest event that was taken in
    capabilities: dict[str, tuple[bool, str]] = field(default_factory=dict)  # name: present, detail


class CapabilityRow(NamedTuple):
    """A capability that was found, or found to be different."""

    tenant_id: str
    device_id: str
    name: str
    present: bool
    detail: str
    changed_us: int
    seq: int


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
    """Return the stored rows of these devices, capabilities included; devices without one are missing.

    They stay as they are until the transaction ends: another hub may have events of the same devices.
    """
    wanted = (literals.texts(tenant for tenant, _ in keys), literals.texts(device for _, device in keys))
    joined = "JOIN unnest(%s::uuid[], %s::uuid[]) AS t (tenant_id, device_id) USING (tenant_id, device_id)"
    times = ", ".join(f"coalesce(to_us({column}), 0)" for column in _TIMES)
    await tx.execute(
        f"SELECT tenant_id, device_id, routeros_major, {', '.join(_TEXTS)}, {times} FROM device_status {joined}"
        " ORDER BY tenant_id, device_id FOR UPDATE OF device_status",
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


async def put_status(tx: Transaction, log_id: str, rows: Mapping[DeviceKey, StatusRow]) -> None:
    """Store rows whole."""
    if not rows:
        return
    names = ("routeros_major", *_TEXTS, *_TIMES)
    stored = (*names, "seq", "log_id")
    selected = ", ".join(["routeros_major", *_TEXTS, *(f"from_us(nullif({name}, 0))" for name in _TIMES)])
    updated = ", ".join(f"{name} = excluded.{name}" for name in stored)
    await tx.execute(
        f"INSERT INTO device_status (tenant_id, device_id, {', '.join(stored)})"
        f" SELECT tenant_id, device_id, {selected}, seq, %s::uuid FROM unnest(%s::uuid[], %s::uuid[], %s::int4[],"
        f" {', '.join(['%s::text[]'] * len(_TEXTS) + ['%s::int8[]'] * (len(_TIMES) + 1))})"
        f" AS t (tenant_id, device_id, {', '.join(names)}, seq)"
        f" ON CONFLICT (tenant_id, device_id) DO UPDATE SET {updated}",
        [
            log_id,
            literals.texts(tenant for tenant, _ in rows),
            literals.texts(device for _, device in rows),
            literals.plain(row.routeros_major for row in rows.values()),
            *(literals.texts(getattr(row, name) for row in rows.values()) for name in _TEXTS),
            *(literals.plain(getattr(row, name) for row in rows.values()) for name in _TIMES.values()),
            literals.plain(row.seq for row in rows.values()),
        ],
    )


async def put_capabilities(tx: Transaction, log_id: str, rows: Sequence[CapabilityRow]) -> None:
    """Store capabilities; at most one row for each device and name."""
    if not rows:
        return
    columns = list(zip(*rows, strict=True))
    await tx.execute(
        "INSERT INTO device_capability (log_id, tenant_id, device_id, name, present, detail, changed_at, seq)"
        " SELECT %s, tenant_id, device_id, name, present, detail, from_us(changed_us), seq"
        " FROM unnest(%s::uuid[], %s::uuid[], %s::text[], %s::bool[], %s::text[], %s::int8[], %s::int8[])"
        " AS t (tenant_id, device_id, name, present, detail, changed_us, seq)"
        " ON CONFLICT (tenant_id, device_id, name) DO UPDATE SET present = excluded.present,"
        " detail = excluded.detail, changed_at = excluded.changed_at, log_id = excluded.log_id, seq = excluded.seq",
        [
            log_id,
            literals.texts(columns[0]),
            literals.texts(columns[1]),
            literals.texts(columns[2]),
            literals.plain(columns[3]),
            literals.texts(columns[4]),
            literals.plain(columns[5]),
            literals.plain(columns[6]),
        ],
    )


async def forget_status(tx: Transaction, log_id: str, first_seq: int) -> None:
    """Put devices back to what they were before the events of a log from ``first_seq`` on.

    To be called while the rows of ``event`` and ``device_health`` of these
    events still stand: the first of them tell what was before, and what is
    older than them stays. Capabilities that changed since are forgotten.
    """
    params = {"log": log_id, "seq": first_seq}
    await tx.execute(_FORGET_STATUS, params)
    await tx.execute(
        "DELETE FROM device_capability c USING device_status s WHERE s.tenant_id = c.tenant_id"
        " AND s.device_id = c.device_id AND s.log_id = %(log)s AND s.seq >= %(seq)s"
        " AND (s.probed_at IS NULL OR (c.log_id = %(log)s AND c.seq >= %(seq)s))",
        params,
    )


def _before(field: str, otherwise: str) -> str:
    """Return the SQL of what a field was before its first change among the forgotten events."""
    return (
        f"coalesce((SELECT e.old_value FROM event e WHERE e.tenant_id = s.tenant_id AND e.device_id = s.device_id"
        f" AND e.entity_type = 'device' AND e.field = '{field}' AND e.source IS NULL AND e.log_id = %(log)s AND e.seq >= %(seq)s"
        f" ORDER BY e.seq, e.part LIMIT 1), {otherwise})"
    )


_IDENTITY = ("routeros_version", "board_name", "identity", "serial_number")
# Without an older outcome nobody knew the device: as for a new one, the first probe tells no change.
_FORGET_STATUS = f"""
UPDATE device_status s SET
    status = CASE WHEN h.outcome IS NULL THEN 'unknown' ELSE {_before("status", "s.status")} END,
    outcome = coalesce(h.outcome, ''),
    reason = coalesce(h.reason, ''),
    outcome_at = h.ts_collected,
    since = CASE WHEN h.outcome IS NOT NULL THEN coalesce((
        SELECT max(e.ts_collected) FROM event e WHERE e.tenant_id = s.tenant_id AND e.device_id = s.device_id
        AND e.entity_type = 'device' AND e.field = 'status' AND e.source IS NULL AND e.old_value <> e.new_value
        AND NOT (e.log_id = %(log)s AND e.seq >= %(seq)s)), h.ts_collected) END,
    last_ok_at = (
        SELECT max(o.ts_collected) FROM device_health o WHERE o.tenant_id = s.tenant_id AND o.device_id = s.device_id
        AND o.outcome = 'ok' AND NOT (o.log_id = %(log)s AND o.seq >= %(seq)s)),
    {", ".join(f"{name} = CASE WHEN h.outcome IS NULL THEN '' ELSE {_before(name, f's.{name}')} END" for name in _IDENTITY)},
    probed_at = h.ts_collected
FROM device_status d LEFT JOIN LATERAL (
    SELECT o.outcome, o.reason, o.ts_collected FROM device_health o
    WHERE o.tenant_id = d.tenant_id AND o.device_id = d.device_id
    AND NOT (o.log_id = %(log)s AND o.seq >= %(seq)s) ORDER BY o.ts_collected DESC LIMIT 1
) h ON true
WHERE d.tenant_id = s.tenant_id AND d.device_id = s.device_id AND s.log_id = %(log)s AND s.seq >= %(seq)s
"""
