"""How much of what was due is stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg

from mtd.lab.world import World
from mtd.testing.truth_check import COUNTER_PROPERTIES, RESOURCE_PROPERTIES, STATE_PROPERTIES

INTERVAL_US = 1_000_000
# The last poll before the window tells where a router's seconds lie.
_BEFORE_US = 5 * INTERVAL_US
# An answer arrives a little sooner or later than the one a second ago.
_JITTER_US = 100_000


@dataclass(slots=True)
class Stored:
    """T0 polls and values in PostgreSQL over a window, and those that were due."""

    polls: int = 0
    polls_due: int = 0
    points: int = 0
    points_due: int = 0
    routers_short: int = 0

    @property
    def coverage_pct(self) -> float:
        """The smaller share of polls and of values, percent."""
        if not self.polls_due:
            return 0.0
        return 100.0 * min(self.polls / self.polls_due, self.points / self.points_due)


def count_stored(
    connection: psycopg.Connection[tuple[Any, ...]], world: World, start_us: int, end_us: int
) -> Stored:
    """Count over all routers. What one router has too much can't stand in for another.

    Due is a poll each second, counted on from a router's last poll before the
    window; without one, from the window's start. A lab router answers a T0
    poll with every counter and both states of each lasting interface.
    """
    rows = connection.execute(
        "SELECT d.name, (extract(epoch FROM f.ts_collected) * 1000000)::bigint,"
        " cardinality(array_remove(f.counters, NULL)) + cardinality(array_remove(f.gauges, NULL))"
        " FROM mtd.telemetry_frame f JOIN mtd.device d USING (tenant_id, device_id)"
        " JOIN mtd.series_layout s USING (tenant_id, layout_id)"
        " WHERE s.poll_group = 't0'"
        " AND f.ts_collected >= to_timestamp(%s / 1e6) AND f.ts_collected < to_timestamp(%s / 1e6)"
        " ORDER BY f.ts_collected",
        (start_us - _BEFORE_US, end_us),
    )
    frames: dict[str, list[tuple[int, int]]] = {router.spec.name: [] for router in world}
    for name, collected_us, values in rows:
        frames[name].append((collected_us, values))
    found = Stored()
    for router in world:
        _add(found, frames[router.spec.name], _values_per_poll(router.spec.interfaces), start_us, end_us)
    return found


def _add(found: Stored, frames: list[tuple[int, int]], values: int, start_us: int, end_us: int) -> None:
    before = [moment for moment, _ in frames if moment < start_us]
    anchor = before[-1] if before else start_us - INTERVAL_US
    # Due times lie on a grid through the anchor; a poll belongs to the nearest.
    served = {round((moment - anchor) / INTERVAL_US): count for moment, count in frames}
    first = -(-(start_us - anchor) // INTERVAL_US)
    due = range(first, (end_us - _JITTER_US - anchor) // INTERVAL_US + 1)
    kept = [served[number] for number in due if number in served]
    found.polls += len(kept)
    found.polls_due += len(due)
    found.points += sum(kept)
    found.points_due += len(due) * values
    found.routers_short += len(kept) < len(due)


def _values_per_poll(interfaces: int) -> int:
    return interfaces * (len(COUNTER_PROPERTIES) + len(STATE_PROPERTIES)) + len(RESOURCE_PROPERTIES)
