"""What sizing takes from an installation: how long it keeps what, and what points cost in its database. Blocking."""

from __future__ import annotations

from mtd.app.config import Settings
from mtd.app.maintenance import Report
from mtd.app.storage import storage_report
from mtd.model.sizing import MONTH_DAYS, Partitioning, Retention
from mtd.storage.cold.status import StorageStatus
from mtd.storage.outlook import LEAST_POINTS

# A row of rollups has hundreds of buckets: fewer than these tell more of half empty pages.
_LEAST_BUCKETS = 20_000
_LEAST_EVENTS = 10_000
_COSTS = {"hot": "hot", "readable": "sql", "dense": "dense"}


def configured_retention(settings: Settings) -> Retention:
    """Return how long this configuration keeps what, of the standard class."""
    kept = settings.database.retention
    return Retention(
        raw=kept.raw_days,
        dense_after=settings.database.blocks.dense_after_days,
        rollup_10s=kept.rollup_10s_days,
        rollup_1m=kept.rollup_1m_days,
        rollup_5m=kept.rollup_5m_days,
        events=settings.database.partitions.events_months * MONTH_DAYS,
    )


def configured_partitioning(settings: Settings) -> Partitioning:
    """Return how far ahead this configuration makes partitions, and how many classes have some."""
    made = settings.database.partitions
    # The standard class is always there.
    classes = 1 + len(settings.database.retention.classes)
    return Partitioning(made.ahead_hours, made.ahead_days, classes)


def measured_costs(settings: Settings, report: Report) -> dict[str, float | None]:
    """Return what points cost here, by the names of ``mtd.model.sizing.Costs``.

    Raises SchemaTooOld for a database that was never migrated, Misconfigured and StorageUnavailable.
    """
    return costs_of(storage_report(settings, report).status)


def costs_of(status: StorageStatus) -> dict[str, float | None]:
    """Return bytes for a point, of rollups for a bucket; None where too little is stored to tell."""
    points: dict[str, int] = {}
    sizes: dict[str, int] = {}
    for one in status.stored:
        points[one.kind] = points.get(one.kind, 0) + one.points
        sizes[one.kind] = sizes.get(one.kind, 0) + one.bytes
    blocks = points.get("readable", 0) + points.get("dense", 0)
    found: dict[str, float | None] = {}
    for kind, count in points.items():
        least = _LEAST_BUCKETS if kind.startswith("rollup") else LEAST_POINTS
        cost = sizes[kind] / count if count >= least else None
        if cost is not None and kind in {"readable", "dense"}:
            cost += status.axis_bytes / blocks
        found[_COSTS.get(kind, kind)] = cost
    events = next((one for one in status.usage if one.table == "event"), None)
    if events is not None:
        enough = events.live_rows >= _LEAST_EVENTS
        found["event"] = events.total_bytes / events.live_rows if enough else None
    return found
