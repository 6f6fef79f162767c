"""Holes in what is stored: seconds of which a router's live values are missing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import psycopg

_SECOND_US = 1_000_000
# A poll may come a good deal late on a busy machine; one that is missing makes the pace twice as long.
_HOLE_INTERVALS = 1.75


@dataclass(slots=True)
class Holes:
    """``holes``: pauses of more than 1.75 intervals between two stored polls. ``doubled``: polls stored twice."""

    polls: int = 0
    routers: int = 0
    holes: int = 0
    missing: int = 0
    longest_s: float = 0.0
    doubled: int = 0
    worst: dict[str, float] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "polls": self.polls,
            "holes": self.holes,
            "polls_missing": self.missing,
            "longest_pause_s": round(self.longest_s, 2),
            "doubled": self.doubled,
            "worst_routers": {name: round(pause, 2) for name, pause in self.worst.items()},
        }


def holes_in(
    connection: psycopg.Connection[tuple[Any, ...]], start_us: int, end_us: int, interval_s: float
) -> Holes:
    """Look through the live frames of all routers between two times."""
    rows = connection.execute(
        "SELECT d.name, array_agg((extract(epoch FROM f.ts_collected) * 1000000)::bigint ORDER BY f.ts_collected)"
        " FROM mtd.telemetry_frame f JOIN mtd.device d USING (tenant_id, device_id)"
        " JOIN mtd.series_layout s USING (tenant_id, layout_id) WHERE s.poll_group = 't0'"
        " AND f.ts_collected >= to_timestamp(%s / 1e6) AND f.ts_collected < to_timestamp(%s / 1e6) GROUP BY d.name",
        (start_us, end_us),
    )
    found = Holes()
    pauses_of: dict[str, float] = {}
    for name, moments in rows:
        times = np.array([start_us, *moments, end_us], dtype=np.int64)
        pauses = np.diff(times) / _SECOND_US / interval_s
        found.routers += 1
        found.polls += len(moments)
        found.doubled += int(np.count_nonzero(np.diff(np.array(moments)) == 0))
        found.holes += int(np.count_nonzero(pauses > _HOLE_INTERVALS))
        found.missing += int(np.sum(np.round(pauses[pauses > _HOLE_INTERVALS]) - 1))
        pauses_of[str(name)] = float(pauses.max()) * interval_s
    found.longest_s = max(pauses_of.values(), default=0.0)
    worst = sorted(pauses_of, key=pauses_of.__getitem__, reverse=True)[:5]
    found.worst = {name: pauses_of[name] for name in worst}
    return found
