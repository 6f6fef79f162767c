"""One hub of the bench, as a process of its own: appends frames to its log, then projects them.

``python -m mtd.testing.jetstream.process`` reads what to do as JSON from the
first line of standard input. It prints a line of JSON for each step, and begins
the second when it is given another line.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from mtd.backfill.fleet import DevicePlan
from mtd.backfill.history import DeviceHistory
from mtd.cli.reactor import run_on_reactor
from mtd.eventlog.config import EventLogConfig
from mtd.eventlog.jetstream.log import JetStreamEventLog
from mtd.model.events import Origin, layout_event
from mtd.pb.events.v1.envelope_pb2 import Envelope
from mtd.plugin.manager import PluginManager
from mtd.projections.all import default_projections
from mtd.projections.runner import ProjectionRunner
from mtd.storage.config import RetentionConfig, StorageConfig
from mtd.storage.partitions import Partitions
from mtd.storage.pool import Database
from mtd.storage.stores.catalogue import CatalogueStore
from mtd.testing.telemetry.ingest import frames_of, of_json

_COLLECTOR = "bench"
_HOUR_US = 3_600_000_000


def batches_of(plans: Sequence[DevicePlan], wanted: dict[str, Any]) -> list[list[Envelope]]:
    """Make so many frames of all devices in turn, in batches: before anything is timed."""
    first_hour = int(wanted["first_hour"])
    polls: list[Iterator[Envelope]] = []
    for plan in plans:
        hour = next(DeviceHistory(plan, first_hour, wanted["seed"]).hours(1))
        polls.append(envelope for _, envelope in frames_of(plan, hour, None))
    together = (envelope for poll in zip(*polls, strict=False) for envelope in poll)
    frames = list(islice(together, int(wanted["frames"])))
    size = int(wanted["batch"])
    return [frames[start : start + size] for start in range(0, len(frames), size)]


async def append_all(
    log: JetStreamEventLog, batches: Sequence[Sequence[Envelope]], together: int
) -> dict[str, Any]:
    """Append all batches, so many at a time; return how fast they became durable."""
    waiting = iter(enumerate(batches))
    latencies: list[float] = []

    async def sender() -> None:
        for number, batch in waiting:
            started = time.perf_counter()
            await log.append(batch, number.to_bytes(16, "big"))
            latencies.append(time.perf_counter() - started)

    started, cpu = time.perf_counter(), _cpu_s()
    await asyncio.gather(*(sender() for _ in range(together)))
    seconds = time.perf_counter() - started
    events = sum(len(batch) for batch in batches)
    stored = sum(envelope.ByteSize() for batch in batches for envelope in batch)
    latencies.sort()
    return {
        "events": events,
        "batches": len(batches),
        "seconds": seconds,
        "cpu_s": _cpu_s() - cpu,
        "bytes": stored,
        "append_p50_s": latencies[len(latencies) // 2],
        "append_p99_s": latencies[int(len(latencies) * 0.99)],
    }


async def project_all(log: JetStreamEventLog, database: Database, partitions: Partitions) -> dict[str, Any]:
    """Project what the log holds; return how fast."""
    runner = ProjectionRunner(log, database, default_projections(partitions))
    started, cpu = time.perf_counter(), _cpu_s()
    await runner.start()
    try:
        waiting = asyncio.ensure_future(runner.wait_for(log.stats().last_seq))
        while not waiting.done():
            await asyncio.wait([waiting], timeout=1.0)
            if runner.failure:
                raise RuntimeError(runner.failure)
        seconds = time.perf_counter() - started
    finally:
        await runner.stop()
    return {"events": log.stats().last_seq, "seconds": seconds, "cpu_s": _cpu_s() - cpu}


def _cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _say(figures: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(figures) + "\n")
    sys.stdout.flush()


async def work(wanted: dict[str, Any]) -> None:
    """Append, and where a database is given project as well."""
    plans = [of_json(fields) for fields in wanted["devices"]]
    batches = batches_of(plans, wanted)
    config = EventLogConfig.model_validate(wanted["event_log"])
    log = JetStreamEventLog(config, wanted["name"])
    await log.start()
    try:
        at = int(wanted["first_hour"]) * _HOUR_US
        await log.append(
            [layout_event(Origin(p.tenant_id, _COLLECTOR, p.device_id), p.layout(), at, at) for p in plans]
        )
        _say(await append_all(log, batches, int(wanted["together"])))
        if wanted["dsn"]:
            await _project_when_told(log, wanted["dsn"])
    finally:
        await log.stop()


async def _project_when_told(log: JetStreamEventLog, dsn: str) -> None:
    database = Database(dsn, StorageConfig())
    await database.start()
    try:
        plugins = PluginManager.load()
        metrics = [(metric, plugins.catalogue.collector_of(metric.key)) for metric in plugins.catalogue]
        await CatalogueStore(database).put(
            plugins.catalogue.version, metrics, labels=plugins.catalogue.labels
        )
        partitions = Partitions(database, retention=RetentionConfig(raw_days=7))
        await partitions.maintain()
        _say({"ready": True})
        await asyncio.to_thread(sys.stdin.readline)
        _say(await project_all(log, database, partitions))
    finally:
        await database.stop()


if __name__ == "__main__":
    run_on_reactor(work(json.loads(sys.stdin.readline())))
