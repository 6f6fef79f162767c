"""Service levels: counts by the minute, and the looks at the fleet that they come from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from mtd.model.slo import Count, Objective, Window
from mtd.model.tenant import NO_TENANT_ID
from mtd.storage.pool import Database
from mtd.storage.txn import Transaction

# A device that is polled less often than each second may be older by that.
_FRESHNESS = """
WITH fleet AS (
    SELECT d.tenant_id, s.status, u.device_id IS NOT NULL AS unobserved,
           extract(epoch FROM clock_timestamp() - l.ts_collected)::float8
               - greatest(coalesce((d.intervals_s->>'t0')::float8, %(interval)s) - 1, 0) AS age_s
      FROM device d
      LEFT JOIN device_status s USING (tenant_id, device_id)
      LEFT JOIN device_unobserved u USING (tenant_id, device_id)
      LEFT JOIN latest l ON l.tenant_id = d.tenant_id AND l.device_id = d.device_id AND l.poll_group = 't0'
     WHERE d.enabled AND (u.device_id IS NOT NULL OR s.status = 'up' OR s.status = 'degraded' AND l.device_id IS NOT NULL)
       AND (u.since IS NULL OR s.status IS DISTINCT FROM 'down')
)
SELECT tenant_id::text, count(*), count(*) FILTER (WHERE NOT unobserved AND age_s <= 2),
       count(*) FILTER (WHERE NOT unobserved AND age_s <= 5)
  FROM fleet GROUP BY tenant_id
"""
_MEMBERS = """
SELECT tenant_id::text, count(*), count(*) FILTER (WHERE state = 'online')
  FROM collector_membership WHERE state <> 'left' GROUP BY tenant_id
"""
# What a collector brings after an outage of its link was known before, of the collector. What was received a moment ago may
# not be here yet: it is looked for a little later.
_SETTLED_S = 15.0
_DETECTIONS = """
SELECT h.tenant_id::text, count(*),
       count(*) FILTER (WHERE h.ts_received - greatest(s.last_ok_at, l.newest) <= %(within)s * interval '1 second')
  FROM device_status s
  JOIN device_health h ON h.device_id = s.device_id AND h.tenant_id = s.tenant_id AND h.ts_collected = s.since
                      AND h.status = 'down'
  LEFT JOIN LATERAL (SELECT max(ts_collected) AS newest FROM latest l
                      WHERE l.tenant_id = s.tenant_id AND l.device_id = s.device_id AND l.ts_collected <= s.since) l ON true
 WHERE s.status = 'down' AND s.since > %(since)s - interval '2 minutes' AND h.ts_collected > %(since)s - interval '2 minutes'
   AND h.ts_received > %(since)s - %(settled)s * interval '1 second'
   AND h.ts_received <= %(until)s - %(settled)s * interval '1 second' AND h.ts_received - h.ts_collected < interval '1 minute'
   AND greatest(s.last_ok_at, l.newest) IS NOT NULL
 GROUP BY h.tenant_id
"""
_ADD = """
INSERT INTO service_level AS s (tenant_id, objective, minute, good, total)
VALUES (%s, %s, date_trunc('minute', now()), %s, %s)
ON CONFLICT (tenant_id, objective, minute) DO UPDATE
    SET good = s.good + excluded.good, total = s.total + excluded.total
"""
_SUMS = """
SELECT objective, sum(good) FILTER (WHERE minute >= now() - interval '1 hour'),
       sum(total) FILTER (WHERE minute >= now() - interval '1 hour'),
       sum(good) FILTER (WHERE minute >= now() - interval '1 day'),
       sum(total) FILTER (WHERE minute >= now() - interval '1 day'), sum(good), sum(total)
  FROM service_level WHERE (%(tenants)s::uuid[] IS NULL OR tenant_id = ANY (%(tenants)s::uuid[]))
   AND minute >= now() - interval '30 days' GROUP BY objective
"""
_SKEWS = """
UPDATE ingest_agent g SET clock_skewed = abs(clock_ahead_s) > %(over)s
 WHERE last_seen_at > now() - interval '2 minutes'
   AND (NOT clock_skewed AND abs(clock_ahead_s) > %(over)s OR clock_skewed AND abs(clock_ahead_s) < %(over)s / 2)
RETURNING tenant_id::text, source,
    coalesce((SELECT m.name FROM collector_membership m WHERE 'collector:' || m.collector_id || '@' || g.tenant_id = g.source),
             agent), clock_ahead_s, clock_skewed
"""

Tallies = Mapping[tuple[str, Objective], Count]
"""By tenant and objective."""


@dataclass(frozen=True, slots=True)
class Skew:
    """A collector or program whose clock went wrong, or is right again."""

    tenant_id: str
    source: str
    agent: str
    ahead_s: float
    skewed: bool


@dataclass(frozen=True, slots=True)
class Look:
    """What a look is by. ``every_s``: how often one is taken; ``least_s``: another look was so long ago at least."""

    every_s: float
    least_s: float
    interval_s: float
    gap_s: float
    detect_within_s: float


class ServiceLevelStore:
    """``writer`` sees all tenants."""

    def __init__(self, writer: Database) -> None:
        self._writer = writer

    async def look(self, by: Look, own: Mapping[Objective, Count]) -> bool:
        """Look at the fleet and count; false if another hub just did. ``own`` is counted in either case.

        Time in which nobody looked for longer than ``gap_s`` is time in which no hub was there.
        """

        async def write(tx: Transaction) -> bool:
            # Who waits for another hub's look sees here when that was. A clock that was set back can't make all wait for it.
            await tx.execute("SELECT looked_at FROM service_level_look FOR UPDATE")
            await tx.execute(
                "UPDATE service_level_look l SET looked_at = clock_timestamp() FROM service_level_look before"
                " WHERE l.looked_at <= clock_timestamp() - %s * interval '1 second'"
                " OR l.looked_at > clock_timestamp() + interval '1 minute'"
                " RETURNING before.looked_at, l.looked_at,"
                " greatest(0, extract(epoch FROM l.looked_at - before.looked_at))::float8",
                (by.least_s,),
            )
            turn = tx.fetchone()
            await _add(tx, {(NO_TENANT_ID, key): count for key, count in own.items()})
            if turn is None:
                return False
            since, until, passed_s = turn
            seen = await _seen(tx, by, since, until, min(passed_s, by.gap_s))
            await _add(tx, seen)
            if passed_s > by.gap_s:
                await _add_gap(tx, since, until, _missed_by_minute(seen, by))
            return True

        return await self._writer.run("service_levels.look", write)

    async def sums(self, tenants: Sequence[str] | None) -> Mapping[Objective, Mapping[Window, Count]]:
        """Return the counts of some tenants, or of all and of none."""

        async def read(tx: Transaction) -> Mapping[Objective, Mapping[Window, Count]]:
            await tx.execute(_SUMS, {"tenants": None if tenants is None else list(tenants)})
            known = {one.value: one for one in Objective}
            return {
                known[name]: {
                    window: Count(numbers[2 * at] or 0.0, numbers[2 * at + 1] or 0.0)
                    for at, window in enumerate(Window)
                }
                for name, *numbers in tx.fetchall()
                if name in known
            }

        return await self._writer.run("service_levels.sums", read)

    async def turn_skewed(self, over_s: float) -> Sequence[Skew]:
        """Return those whose clocks went further off than this, or came back to half of it; each once."""

        async def write(tx: Transaction) -> Sequence[Skew]:
            await tx.execute(_SKEWS, {"over": over_s})
            return [Skew(*row) for row in tx.fetchall()]

        return await self._writer.run("service_levels.skews", write)

    async def server_us(self) -> int:
        """Return what time it is by PostgreSQL's clock."""

        async def read(tx: Transaction) -> int:
            await tx.execute("SELECT to_us(clock_timestamp())")
            row = tx.fetchone()
            assert row is not None
            return int(row[0])

        return await self._writer.run("service_levels.clock", read)

    async def forget(self, days: float) -> None:
        """Delete what is older."""

        async def write(tx: Transaction) -> None:
            await tx.execute(
                "DELETE FROM service_level WHERE minute < now() - %s * interval '1 day'", (days,)
            )

        await self._writer.run("service_levels.forget", write)


async def _seen(tx: Transaction, by: Look, since: object, until: object, passed_s: float) -> Tallies:
    found: dict[tuple[str, Objective], Count] = {}
    await tx.execute(_FRESHNESS, {"interval": by.interval_s})
    for tenant_id, total, within_2s, within_5s in tx.fetchall():
        found[tenant_id, Objective.FRESHNESS_2S] = Count(within_2s, total)
        found[tenant_id, Objective.FRESHNESS_5S] = Count(within_5s, total)
    await tx.execute(_MEMBERS)
    for tenant_id, total, online in tx.fetchall():
        found[tenant_id, Objective.AVAILABILITY] = Count(online * passed_s, total * passed_s)
    await tx.execute(
        _DETECTIONS, {"since": since, "until": until, "within": by.detect_within_s, "settled": _SETTLED_S}
    )
    for tenant_id, total, good in tx.fetchall():
        found[tenant_id, Objective.DETECTION] = Count(good, total)
    return found


async def _add(tx: Transaction, tallies: Tallies) -> None:
    for tenant_id, objective in sorted(tallies):  # in one order: hubs add at the same time
        count = tallies[tenant_id, objective]
        if count.total:
            await tx.execute(_ADD, (tenant_id, objective.value, count.good, count.total))


def _missed_by_minute(seen: Tallies, by: Look) -> Mapping[tuple[str, Objective], float]:
    """Return what a minute without a look misses, of a fleet as it is now: looks at its routers, time of its collectors."""
    looks = 60 / by.every_s
    missed = {
        (tenant_id, objective): count.total * looks
        for (tenant_id, objective), count in seen.items()
        if objective in {Objective.FRESHNESS_2S, Objective.FRESHNESS_5S}
    }
    collectors = {
        key: count.total * 60 / by.gap_s
        for key, count in seen.items()
        if key[1] is Objective.AVAILABILITY and count.total
    }
    return missed | (collectors or {(NO_TENANT_ID, Objective.AVAILABILITY): 60.0})


async def _add_gap(
    tx: Transaction, since: object, until: object, missed: Mapping[tuple[str, Objective], float]
) -> None:
    """Count each whole minute of a gap as one in which nothing was seen, and no hub was there: 31 days of it at the most."""
    for tenant_id, objective in sorted(missed):
        await tx.execute(
            "INSERT INTO service_level AS s (tenant_id, objective, minute, good, total)"
            " SELECT %s, %s, minute, 0, %s FROM generate_series(date_trunc('minute', greatest(%s::timestamptz,"
            "  %s::timestamptz - interval '31 days')) + interval '1 minute', %s::timestamptz - interval '1 minute',"
            "  interval '1 minute') minute"
            " ON CONFLICT (tenant_id, objective, minute) DO UPDATE SET total = s.total + excluded.total",
            (tenant_id, objective.value, missed[tenant_id, objective], since, until, until),
        )


def tenants_of(tenant_id: str) -> Iterable[str]:
    """Return whose counts a tenant is told: its own, and what is promised to all."""
    return (tenant_id, NO_TENANT_ID)
