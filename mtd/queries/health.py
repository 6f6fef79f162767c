"""How a device was over time, from the outcomes of its polls."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mtd.model.device import DEFAULT_TENANT_ID, DeviceStatus
from mtd.model.watching import NOT_WATCHING, STARTED, watched_until_us
from mtd.queries.records import HealthHistory, HealthOutcome, HealthSegment
from mtd.storage.pool import Database
from mtd.storage.txn import Row, Transaction

MAX_CHANGES = 2000
MAX_OUTCOMES = 200
MAX_OUTAGES = 500
"""Of what watched the device, the newest of the span: an hour of a daemon that can't stay up."""

TOO_MANY = "more changes than are shown: look at a shorter time"

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_IN_SPAN = "tenant_id = %s AND device_id = %s AND ts_collected >= %s AND ts_collected < %s"
_BEFORE = (
    "SELECT status, reason FROM device_health WHERE tenant_id = %s AND device_id = %s"
    " AND ts_collected < %s ORDER BY ts_collected DESC, seq DESC LIMIT 1"
)
# A router that is down for a week is one segment, and ten thousand rows.
_CHANGES = f"""
SELECT to_us(ts_collected), status, reason FROM (
    SELECT ts_collected, seq, status, reason,
           lag(status) OVER told AS old_status, lag(reason) OVER told AS old_reason
    FROM device_health WHERE {_IN_SPAN} WINDOW told AS (ORDER BY ts_collected, seq)
) changes
WHERE (status, reason) IS DISTINCT FROM (old_status, old_reason)
ORDER BY ts_collected DESC, seq DESC LIMIT %s
"""  # noqa: S608 - composed of constants
_OUTCOMES = f"""
SELECT to_us(ts_collected), outcome, status, reason, poll_group, consecutive_failures, polls_missed, retry_in_s
FROM device_health WHERE {_IN_SPAN} ORDER BY ts_collected DESC, seq DESC LIMIT %s
"""  # noqa: S608

# The logs of those that watched the device. The last one before the span, too.
_LOGS = f"""
SELECT DISTINCT log_id FROM device_health WHERE {_IN_SPAN}
UNION
(SELECT log_id FROM device_health WHERE tenant_id = %s AND device_id = %s AND ts_collected < %s
 ORDER BY ts_collected DESC, seq DESC LIMIT 1)
"""  # noqa: S608
# Also the last one before the span: nothing may be known of the device since.
_STARTS = """
(SELECT ts_collected, old_value, log_id FROM event
 WHERE device_id IS NULL AND event_type = %(started)s AND ts_collected < %(start)s
   AND log_id = ANY (%(logs)s::uuid[])
 ORDER BY ts_collected DESC LIMIT 1)
UNION ALL
(SELECT ts_collected, old_value, log_id FROM event
 WHERE device_id IS NULL AND event_type = %(started)s AND ts_collected >= %(start)s
   AND log_id = ANY (%(logs)s::uuid[])
 ORDER BY ts_collected DESC LIMIT %(most)s)
"""
# Only of the collector that watched it.
_OUTAGES = """
SELECT to_us(e.ts_collected), e.old_value, to_us(back.ts_collected), back.status, back.reason
FROM unnest(%(times)s::timestamptz[], %(told)s::text[], %(logs)s::uuid[]) AS e (ts_collected, old_value, log_id)
JOIN LATERAL (
    SELECT log_id FROM device_health
    WHERE tenant_id = %(tenant)s AND device_id = %(device)s AND ts_collected < e.ts_collected
    ORDER BY ts_collected DESC, seq DESC LIMIT 1
) before ON before.log_id = e.log_id
LEFT JOIN LATERAL (
    SELECT ts_collected, status, reason FROM device_health
    WHERE tenant_id = %(tenant)s AND device_id = %(device)s AND ts_collected >= e.ts_collected
    ORDER BY ts_collected, seq LIMIT 1
) back ON true
ORDER BY e.ts_collected
"""

Change = tuple[int, str, str]
"""Since when, which status, why."""


@dataclass(frozen=True, slots=True)
class Outage:
    """A time in which mtd didn't watch a device. ``back``: what was found of it first; None if nothing yet."""

    from_us: int
    back: Change | None


class HealthQueries:
    """Reads ``device_health``, and when the collector started.

    ``across``: a pool that sees all tenants. Starts of mtd are told to the operator's tenant, and count for each. So there
    are three reads: of who watched the device, of when they started, and of the outages that follow from both. One
    transaction for them would read a tenant's rows where row security doesn't hold it to its own.
    """

    def __init__(self, db: Database, across: Database) -> None:
        self._db = db
        self._across = across

    async def history(
        self, device_id: str, start_us: int, end_us: int, tenant_id: str = DEFAULT_TENANT_ID
    ) -> HealthHistory:
        """Return how a device was over [start, end), without gaps. A device that isn't known is unknown.

        It is unknown as well while mtd was down, and after that until it was polled: what
        it was before says nothing of that time. Of the future there is nothing to be told:
        ``end_us`` should not be behind now.
        """
        start, end = _time(start_us), _time(end_us)
        span = (tenant_id, device_id, start, end)
        starts = await self._starts(start, await self._logs(tenant_id, span))
        named = {
            "tenant": tenant_id,
            "device": device_id,
            "times": [row[0] for row in starts],
            "told": [row[1] for row in starts],
            "logs": [str(row[2]) for row in starts],
        }

        async def read(tx: Transaction) -> tuple[list[Row], list[Row], list[Row], list[Row]]:
            await tx.execute(
                _BEFORE,
                (tenant_id, device_id, start),
            )
            before = tx.fetchall()
            await tx.execute(
                _CHANGES,
                (*span, MAX_CHANGES + 1),
            )
            changes = tx.fetchall()
            await tx.execute(
                _OUTCOMES,
                (*span, MAX_OUTCOMES),
            )
            outcomes = tx.fetchall()
            await tx.execute(_OUTAGES, named)
            return before, changes, outcomes, tx.fetchall()

        before, changes, outcomes, outages = await self._db.run("queries.health", read, tenant=tenant_id)
        first = before[0] if before else (DeviceStatus.UNKNOWN.value, "")
        if len(changes) > MAX_CHANGES:
            changes, first = changes[:MAX_CHANGES], (DeviceStatus.UNKNOWN.value, TOO_MANY)
        told = unwatched([(start_us, *first), *reversed(changes)], _outages(outages))
        segments = segments_of(told, end_us)
        return HealthHistory(start_us, end_us, segments, [_outcome(row) for row in outcomes])

    async def _logs(self, tenant_id: str, span: tuple[str, str, dt.datetime, dt.datetime]) -> list[str]:
        """Return the logs of the collectors that watched a device in a span, and just before it."""

        async def read(tx: Transaction) -> list[Row]:
            await tx.execute(_LOGS, (*span, *span[:3]))
            return tx.fetchall()

        rows = await self._db.run("queries.health_logs", read, tenant=tenant_id)
        return [str(row[0]) for row in rows]

    async def _starts(self, since: dt.datetime, logs: list[str]) -> list[Row]:
        """Return when these collectors started since a time, and once before: when, until when they watched, their logs."""
        named = {"started": STARTED, "start": since, "logs": logs, "most": MAX_OUTAGES}

        async def read(tx: Transaction) -> list[Row]:
            await tx.execute(_STARTS, named)
            return tx.fetchall()

        return await self._across.run("queries.health_starts", read)


def unwatched(changes: Sequence[Change], outages: Iterable[Outage]) -> list[Change]:
    """Return the changes of a device with the times put in at which mtd didn't watch it.

    The first change is the state at the start. What is unknown or switched off
    anyhow stays what it is.
    """
    found = list(changes)
    start_us = found[0][0]
    for outage in outages:
        from_us, back = max(outage.from_us, start_us), outage.back
        if back is not None and back[0] <= start_us:
            continue
        before = [change for change in found if change[0] <= from_us]
        if before[-1][1] in (DeviceStatus.UNKNOWN, DeviceStatus.DISABLED):
            continue
        after = [
            change for change in found if back is not None and change[0] > from_us and change[0] >= back[0]
        ]
        found = [*before, (from_us, DeviceStatus.UNKNOWN.value, NOT_WATCHING)]
        if back is not None:
            found.append(back)
        found += after
    return found


def segments_of(changes: Sequence[Change], end_us: int) -> list[HealthSegment]:
    """Return the times between changes, in order; equal neighbours are one, empty ones aren't there."""
    found: list[HealthSegment] = []
    ends = [min(since, end_us) for since, _, _ in changes[1:]] + [end_us]
    for (since, status, reason), until in zip(changes, ends, strict=True):
        if until <= since:
            continue
        last = found[-1] if found else None
        if last is not None and (last.status, last.reason) == (status, reason):
            found[-1] = HealthSegment(last.from_us, until, last.status, reason)
        else:
            found.append(HealthSegment(since, until, DeviceStatus(status), reason))
    return found


def _outages(rows: Sequence[Row]) -> list[Outage]:
    found = []
    for started_us, old, back_us, status, reason in rows:
        from_us = watched_until_us(old)
        if from_us is not None and from_us < started_us:
            found.append(Outage(from_us, (back_us, status, reason) if back_us is not None else None))
    return found


def _outcome(row: Row) -> HealthOutcome:
    at_us, outcome, status, reason, poll_group, failures, missed, retry_in_s = row
    return HealthOutcome(
        at_us, outcome, DeviceStatus(status), reason, poll_group, failures, missed, retry_in_s
    )


def _time(us: int) -> dt.datetime:
    return _EPOCH + dt.timedelta(microseconds=us)
