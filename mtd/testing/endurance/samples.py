"""What a running daemon holds, looked at from outside: memory, descriptors, threads, tasks, lag, log."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import psutil

from mtd.testing.harness import Stage

_READ = {
    "tasks": "mtd_core_tasks",
    "lag_s": "mtd_projections_lag_seconds",
    "lag_events": "mtd_projections_lag_events",
    "log_bytes": "mtd_eventlog_stored_bytes",
    "buffered_events": "mtd_ingest_buffered_events",
    "connections": "mtd_storage_connections_open",
    "polls": "mtd_scheduler_polls_total",
    "polls_skipped": "mtd_scheduler_polls_skipped_total",
    "dropped": "mtd_ingest_dropped_events_total",
}
_LABELLED_BY_PROJECTION = ("lag_s", "lag_events")  # of which the highest counts, not the sum


@dataclass(frozen=True, slots=True)
class Sample:
    """One look. ``at_s`` counts from the first; what could not be read is NaN."""

    at_s: float
    rss_bytes: float
    children_rss_bytes: float
    descriptors: float
    threads: float
    tasks: float
    lag_s: float
    lag_events: float
    log_bytes: float
    buffered_events: float
    polls: float
    polls_skipped: float
    dropped: float
    machine_load: float
    connections: float = 0.0

    @property
    def own_descriptors(self) -> float:
        """Descriptors without those of the pools, which open a connection more in a busy moment, up to their size."""
        return self.descriptors - self.connections

    @classmethod
    def of(cls, stage: Stage, began: float) -> Sample:
        """Look at the daemon of a stage."""
        assert stage.daemon is not None
        process = psutil.Process(stage.daemon.pid)
        with process.oneshot():
            own = {
                "rss_bytes": float(process.memory_info().rss),
                "descriptors": float(process.num_fds()),
                "threads": float(process.num_threads()),
            }
        return cls(
            at_s=time.monotonic() - began,
            children_rss_bytes=sum(_workers_rss(process)),
            machine_load=psutil.getloadavg()[0],
            **own,
            **_metrics(stage.http("/metrics")),
        )


def _workers_rss(process: psutil.Process) -> Iterator[float]:
    """Yield the memory of each worker of the daemon: PostgreSQL, which may be its child, is none."""
    for child in process.children(recursive=True):
        try:
            if child.name().startswith("python"):
                yield float(child.memory_info().rss)
        except psutil.NoSuchProcess:
            continue


def _metrics(page: str) -> dict[str, float]:
    found: dict[str, list[float]] = {name: [] for name in _READ.values()}
    for line in page.splitlines():
        name, _, value = line.rpartition(" ")
        name = name.partition("{")[0]
        if name in found:
            found[name].append(float(value))
    return {field: _together(field, found[name]) for field, name in _READ.items()}


def _together(field: str, values: Sequence[float]) -> float:
    if not values:  # a counter with labels isn't there before it counted
        return 0.0 if _READ[field].endswith("_total") else math.nan
    return max(values) if field in _LABELLED_BY_PROJECTION else sum(values)


def append_to(path: Path, sample: Sample) -> None:
    """Write a sample behind those of a file, one line of JSON each."""
    values = {name: None if math.isnan(value) else round(value, 3) for name, value in asdict(sample).items()}
    with path.open("a") as file:
        file.write(json.dumps(values) + "\n")


def read_from(path: Path) -> list[Sample]:
    """Read the samples of a file."""
    names = [field.name for field in fields(Sample)]
    found = []
    for line in path.read_text().splitlines():
        values = json.loads(line)
        known = {name: values.get(name, 0.0) for name in names}
        found.append(Sample(**{name: math.nan if value is None else value for name, value in known.items()}))
    return found
