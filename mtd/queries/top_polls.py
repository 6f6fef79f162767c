"""Polls of hours that may not be rolled up yet: of each step the first, of each hour the last, of all devices."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from mtd.queries.resolution import HOUR_US, SECOND_US
from mtd.queries.top_parts import Steps
from mtd.storage.cold.connection import ColdConnection, timestamp
from mtd.storage.cold.frames import bounds_of_frames

# The poll before the start is looked for so far back: three of those that come every five minutes.
_BEFORE_US = 900 * SECOND_US


class Span(NamedTuple):
    """A part of the time, of which one poll is wanted."""

    since_us: int
    until_us: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """Of which spans the first poll is wanted, and of which the last."""

    firsts: list[Span] = field(default_factory=list)
    lasts: list[Span] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.firsts) + len(self.lasts)


@dataclass(frozen=True, slots=True)
class PollGroup:
    """Its layouts that hold what is wanted, and of each device that it polls how many such counters."""

    layouts: list[int] = field(default_factory=list)
    devices: dict[str, int] = field(default_factory=dict)


def wanted_polls(conn: ColdConnection, steps: Steps) -> Wanted:
    """Return the polls that tell what each step grew by, in the hours that may have frames.

    A step begins with its first poll; where the next hour has no frames any more, and
    at the end, the last poll ends it. The poll before the start tells what the time began with.
    """
    hours = {
        hour_us
        for found in bounds_of_frames(conn)
        for hour_us in range(
            max(found.start_us, steps.first_us // HOUR_US * HOUR_US),
            min(found.end_us, steps.end_us),
            HOUR_US,
        )
    }
    wanted = Wanted()
    for hour_us in sorted(hours):
        since_us, until_us = max(hour_us, steps.start_us), min(hour_us + HOUR_US, steps.end_us)
        if since_us >= until_us:
            continue
        if since_us == steps.start_us:
            wanted.lasts.append(Span(since_us - _BEFORE_US, since_us))
        wanted.lasts.append(Span(since_us, until_us))
        for step_us in range(since_us // steps.step_us * steps.step_us, until_us, steps.step_us):
            wanted.firsts.append(Span(max(step_us, since_us), min(step_us + steps.step_us, until_us)))
    return wanted


def poll_groups(conn: ColdConnection, tenant_id: str, metrics: list[str]) -> list[PollGroup]:
    """Return the poll groups that have, or had, some counters: each has polls of its own."""
    groups: dict[str, PollGroup] = {}
    for name, layout_id in conn.fetch(
        "SELECT s.poll_group, s.layout_id FROM series_layout s WHERE s.tenant_id = %s AND EXISTS ("
        " SELECT FROM series_layout_entry e WHERE e.tenant_id = s.tenant_id AND e.layout_id = s.layout_id"
        " AND e.metric = ANY (%s) AND e.lane = 'counter')",
        (tenant_id, metrics),
    ):
        groups.setdefault(name, PollGroup()).layouts.append(layout_id)
    for device_id, name, counters in conn.fetch(
        "SELECT f.device_id::text, f.poll_group, count(e.metric) FROM latest f"
        " LEFT JOIN series_layout_entry e ON e.tenant_id = f.tenant_id AND e.layout_id = f.layout_id"
        "  AND e.metric = ANY (%s) AND e.lane = 'counter'"
        " WHERE f.tenant_id = %s GROUP BY 1, 2",
        (metrics, tenant_id),
    ):
        if name in groups:
            groups[name].devices[device_id] = counters
    return list(groups.values())


# Of each device and span one frame; which series it has is looked up once they are found.
_POLLS = """
SELECT p.device_id::text, e.instance, e.metric, array_agg(to_us(p.ts_collected)), array_agg(p.counters[e.position])
FROM (
    SELECT f.* FROM unnest(%(devices)s::uuid[]) AS d (device_id)
    CROSS JOIN unnest(%(first_since)s::timestamptz[], %(first_until)s::timestamptz[]) AS m (since, until)
    CROSS JOIN LATERAL (
        SELECT f.device_id, f.layout_id, f.ts_collected, f.counters FROM telemetry_frame f
        WHERE f.device_id = d.device_id AND f.ts_collected >= m.since AND f.ts_collected < m.until
          AND f.layout_id = ANY (%(layouts)s::int8[])
        ORDER BY f.ts_collected LIMIT 1
    ) f
    UNION ALL
    SELECT f.* FROM unnest(%(devices)s::uuid[]) AS d (device_id)
    CROSS JOIN unnest(%(last_since)s::timestamptz[], %(last_until)s::timestamptz[]) AS m (since, until)
    CROSS JOIN LATERAL (
        SELECT f.device_id, f.layout_id, f.ts_collected, f.counters FROM telemetry_frame f
        WHERE f.device_id = d.device_id AND f.ts_collected >= m.since AND f.ts_collected < m.until
          AND f.layout_id = ANY (%(layouts)s::int8[])
        ORDER BY f.ts_collected DESC LIMIT 1
    ) f
) p
JOIN series_layout_entry e ON e.tenant_id = %(tenant)s AND e.layout_id = p.layout_id
 AND e.metric = ANY (%(metrics)s) AND e.lane = 'counter'
WHERE p.counters[e.position] IS NOT NULL AND e.instance <> ''
GROUP BY 1, 2, 3
"""


def read_polls(
    conn: ColdConnection,
    tenant_id: str,
    groups: Sequence[PollGroup],
    wanted: Wanted,
    devices: Sequence[str],
    metrics: list[str],
) -> Iterator[tuple[Any, ...]]:
    """Yield device, instance, counter, times and values, in no order. A poll may come twice."""
    if not wanted.firsts:
        return
    params: dict[str, Any] = {"tenant": tenant_id, "metrics": metrics}
    for name, spans in (("first", wanted.firsts), ("last", wanted.lasts)):
        params[f"{name}_since"] = [timestamp(span.since_us) for span in spans]
        params[f"{name}_until"] = [timestamp(span.until_us) for span in spans]
    for group in groups:
        polled = [device_id for device_id in devices if device_id in group.devices]
        if polled:
            yield from conn.fetch(_POLLS, {**params, "devices": polled, "layouts": group.layouts})
