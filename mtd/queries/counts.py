"""Devices by status, and events by day, counted by PostgreSQL."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

from mtd.model.device import DeviceStatus
from mtd.model.evidence import Source
from mtd.queries.devices import shown_status
from mtd.queries.events import SEVERITY, mates_of
from mtd.queries.patterns import like_any
from mtd.queries.records import EventDay
from mtd.storage.pool import Database
from mtd.storage.txn import Row, Transaction

_STATUS = """
SELECT d.enabled, CASE WHEN u.device_id IS NULL THEN coalesce(s.status, 'unknown') ELSE 'unknown' END, count(*)
FROM device d LEFT JOIN device_status s USING (tenant_id, device_id)
LEFT JOIN device_unobserved u USING (tenant_id, device_id)
WHERE d.tenant_id = %s GROUP BY 1, 2
"""
_IS_NO_POLL = f"e.source <> {Source.POLL:d}"  # a poll knows best by itself
# Of rows that tell one fact the last one in time is counted, whose mate is the first, and as grave as the best of them says.
_DAYS = f"""
SELECT (least(e.ts_collected, e.mate_ts) AT TIME ZONE 'UTC')::date, {SEVERITY}, count(*)
FROM event e LEFT JOIN device d USING (tenant_id, device_id) {mates_of(_IS_NO_POLL)}
WHERE e.tenant_id = %s AND e.ts_collected >= %s AND e.ts_collected < %s
  AND (e.mate_ts IS NULL OR (e.mate_ts, e.mate_log_id, e.mate_seq, e.mate_part) < (e.ts_collected, e.log_id, e.seq, e.part))
  AND (%s::text[] IS NULL OR d.name LIKE ANY (%s::text[]) OR e.device_id::text LIKE ANY (%s::text[]))
GROUP BY 1, 2
"""  # noqa: S608 - composed of constants
_DAY = dt.timedelta(days=1)


async def read_status_counts(db: Database, tenant_id: str) -> Mapping[DeviceStatus, int]:
    """Return how many devices have a status; those that none has are missing."""

    async def read(tx: Transaction) -> list[Row]:
        await tx.execute(_STATUS, (tenant_id,))
        return tx.fetchall()

    found: dict[DeviceStatus, int] = {}
    for enabled, stored, count in await db.run("queries.status_counts", read, tenant=tenant_id):
        status, _ = shown_status(stored, "", enabled=enabled)
        found[status] = found.get(status, 0) + count
    return found


async def read_event_days(
    db: Database, tenant_id: str, today: dt.date, days: int, devices: Sequence[str]
) -> Sequence[EventDay]:
    """Return the days up to today, the oldest first, also those without an event."""
    first = today - (days - 1) * _DAY
    patterns = like_any(devices)

    async def read(tx: Transaction) -> list[Row]:
        bounds = [dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC) for day in (first, today + _DAY)]
        await tx.execute(_DAYS, (tenant_id, *bounds, patterns, patterns, patterns))
        return tx.fetchall()

    counts = {
        (day, severity): count
        for day, severity, count in await db.run("queries.event_days", read, tenant=tenant_id)
    }
    named = (first + number * _DAY for number in range(days))
    return [
        EventDay(day.isoformat(), *(counts.get((day, severity), 0) for severity in (1, 2, 3)))
        for day in named
    ]
