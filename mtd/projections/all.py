"""The projections that come with mtd."""

from __future__ import annotations

from typing import Any

from mtd.core.clock import SYSTEM_CLOCK, Clock
from mtd.projections.config import ProjectionsConfig
from mtd.projections.discovery import DiscoveryProjection
from mtd.projections.events import EventsProjection
from mtd.projections.flows import FlowsProjection
from mtd.projections.frames import TimeBounds
from mtd.projections.latest import LatestProjection
from mtd.projections.logs import LogsProjection
from mtd.projections.snapshots import SnapshotsProjection
from mtd.projections.sources import SourcesProjection
from mtd.projections.tables import TablesProjection
from mtd.projections.telemetry import TelemetryProjection
from mtd.projections.timeline import Timeline
from mtd.storage.partitions import Partitions


def default_projections(
    partitions: Partitions,
    config: ProjectionsConfig | None = None,
    clock: Clock = SYSTEM_CLOCK,
    timeline: Timeline | None = None,
) -> list[Any]:
    """Return all projections, in the order in which they write: layouts before what uses them.

    ``timeline``: which log lines are events; those of a state are without it, each for itself.
    """
    config = config or ProjectionsConfig()
    bounds = TimeBounds(config.max_ahead_s, clock)
    return [
        TelemetryProjection(partitions, bounds, config.redundant_days),
        LatestProjection(bounds),
        EventsProjection(partitions, bounds, timeline, config.join_window_s),
        TablesProjection(),
        SnapshotsProjection(bounds),
        DiscoveryProjection(bounds),
        LogsProjection(partitions, bounds),
        FlowsProjection(partitions, bounds),
        SourcesProjection(),
    ]
