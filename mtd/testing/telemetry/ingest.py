"""Frames through the real way: event log on the disk, projection, PostgreSQL. Run as a process of its own.

``python -m mtd.testing.telemetry.ingest`` reads what to do as JSON on standard
input and prints what it measured as JSON.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mtd.backfill.fleet import DevicePlan, Port, Use
from mtd.backfill.history import DeviceHistory, DeviceHour, frame_rates
from mtd.cli.reactor import run_on_reactor
from mtd.eventlog.config import EventLogConfig
from mtd.eventlog.sqlite.log import SqliteEventLog
from mtd.model.events import Origin, layout_event, presence_bitmap
from mtd.pb.events.v1.envelope_pb2 import Envelope
from mtd.plugin.manager import PluginManager
from mtd.projections.all import default_projections
from mtd.projections.runner import ProjectionRunner
from mtd.storage.config import RetentionConfig, StorageConfig
from mtd.storage.partitions import Partitions
from mtd.storage.pool import Database
from mtd.storage.stores.catalogue import CatalogueStore
from mtd.storage.txn import Transaction
from mtd.testing.harness import usage_of

_BATCH = 512
_COLLECTOR = "bench"
_RECEIVED_AFTER_US = 4000
_POLL_US = 3500


def to_json(plan: DevicePlan) -> dict[str, Any]:
    """Return a device as plain values."""
    ports = [[port.instance, str(port.use), port.speed_bps, port.load] for port in plan.ports]
    return {
        "device_id": plan.device_id,
        "name": plan.name,
        "ports": ports,
        "metrics": plan.metrics,
        "gauges": plan.gauges,
        "chosen": plan.chosen,
    }


def of_json(fields: dict[str, Any]) -> DevicePlan:
    """Return the device of plain values."""
    ports = tuple(Port(instance, Use(use), speed, load) for instance, use, speed, load in fields["ports"])
    return DevicePlan(
        fields["device_id"],
        fields["name"],
        ports,
        tuple(fields["metrics"]),
        fields["gauges"],
        chosen=tuple(fields["chosen"]),
    )


def frames_of(
    plan: DevicePlan, hour: DeviceHour, before: DeviceHour | None
) -> Iterator[tuple[int, Envelope]]:
    """Give the polls of an hour as the events that a collector makes of them, each with its time."""
    last = None
    if before is not None and len(before.us):
        last = (int(before.us[-1]), before.counters[:, -1])
    rates = frame_rates(plan, hour, last)
    counters = np.ascontiguousarray(hour.counters.T)
    gauges = np.ascontiguousarray(hour.gauges.T)
    layout_id = plan.layout().layout_id
    for number, us in enumerate(hour.us.tolist()):
        envelope = Envelope(
            tenant_id=plan.tenant_id,
            collector_id=_COLLECTOR,
            device_id=plan.device_id,
            collected_at_us=us,
            received_at_us=us + _RECEIVED_AFTER_US,
        )
        frame = envelope.frame
        frame.layout_id = layout_id
        frame.counters.extend(counters[number].tolist())
        frame.gauges.extend(gauges[number].tolist())
        frame.rates.extend(rates[number].tolist())
        frame.poll_duration_us = _POLL_US
        if hour.absent is not None and hour.absent[:, number].any():
            there = ~hour.absent[:, number]
            frame.counters_present = presence_bitmap([1 if known else None for known in there])
        yield us, envelope


async def _fill(log: SqliteEventLog, plans: Sequence[DevicePlan], wanted: dict[str, Any]) -> int:
    """Append all frames in the order of time; return how many values they hold."""
    points = 0
    histories = [DeviceHistory(plan, wanted["first_hour"], wanted["seed"]) for plan in plans]
    layouts = [
        layout_event(Origin(plan.tenant_id, _COLLECTOR, plan.device_id), plan.layout(), at, at)
        for plan in plans
        for at in (wanted["first_frame_hour"] * 3_600_000_000,)
    ]
    await log.append(layouts)
    before: list[DeviceHour | None] = [None] * len(plans)
    for _ in range(wanted["first_frame_hour"] - wanted["first_hour"]):
        before = [next(history.hours(1)) for history in histories]
    for _ in range(wanted["hours"]):
        hours = [next(history.hours(1)) for history in histories]
        points += sum(hour.points for hour in hours)
        streams = [frames_of(*each) for each in zip(plans, hours, before, strict=True)]
        pending: list[Envelope] = []
        for envelope in _by_time(streams):
            pending.append(envelope)
            if len(pending) == _BATCH:
                await log.append(pending)
                pending = []
        if pending:
            await log.append(pending)
        before = list(hours)
    return points


def _by_time(streams: Sequence[Iterator[tuple[int, Envelope]]]) -> Iterator[Envelope]:
    import heapq

    return (envelope for _, envelope in heapq.merge(*streams, key=lambda pair: pair[0]))


async def _project(log: SqliteEventLog, database: Database, wanted: dict[str, Any]) -> dict[str, float]:
    partitions = Partitions(database, retention=RetentionConfig(raw_days=wanted["retention_days"]))
    await partitions.maintain()
    runner = ProjectionRunner(log, database, default_projections(partitions))
    last = log.stats().last_seq
    wal = await _wal_position(database)
    server_cpu = usage_of(wanted["server_pid"]).cpu_s
    started, cpu = time.perf_counter(), _cpu_s()
    await runner.start()
    try:
        waiting = asyncio.ensure_future(runner.wait_for(last))
        while not waiting.done():
            await asyncio.wait([waiting], timeout=1.0)
            if runner.failure:
                raise RuntimeError(runner.failure)
        seconds, used = time.perf_counter() - started, _cpu_s() - cpu
    finally:
        await runner.stop()
    return {
        "events": last,
        "seconds": seconds,
        "cpu_s": used,
        "server_cpu_s": usage_of(wanted["server_pid"]).cpu_s - server_cpu,
        "wal_bytes": await _wal_position(database) - wal,
    }


async def _wal_position(database: Database) -> int:
    async def read(tx: Transaction) -> int:
        await tx.execute("SELECT (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::int8")
        row = tx.fetchone()
        assert row is not None
        return int(row[0])

    return await database.run("bench.wal", read)


def _cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


async def ingest(wanted: dict[str, Any]) -> dict[str, Any]:
    """Put frames into a log, then project them; only the second is timed."""
    plans = [of_json(fields) for fields in wanted["devices"]]
    config = EventLogConfig(
        path=Path(wanted["log"]), max_bytes=64 * 1024**3, commit_interval_s=0, tail_bytes=0
    )
    database = Database(wanted["dsn"], StorageConfig())
    log = SqliteEventLog(config)
    await database.start()
    try:
        plugins = PluginManager.load()
        metrics = [(metric, plugins.catalogue.collector_of(metric.key)) for metric in plugins.catalogue]
        labels = plugins.catalogue.labels
        await CatalogueStore(database).put(plugins.catalogue.version, metrics, labels=labels)
        await log.start()
        try:
            points = await _fill(log, plans, wanted)
            return {"points": points, **await _project(log, database, wanted)}
        finally:
            await log.stop()
    finally:
        await database.stop()


if __name__ == "__main__":
    result = run_on_reactor(ingest(json.load(sys.stdin)))
    sys.stdout.write(json.dumps(result) + "\n")
