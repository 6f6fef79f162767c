"""``scripts/bench query``: how long reading takes, our ways and from narrow rows."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import grpc

from mtd.backfill.fill import Filling
from mtd.backfill.history import DeviceHistory, DeviceHour
from mtd.pb.telemetry.v1 import telemetry_service_pb2 as pb
from mtd.pb.telemetry.v1.telemetry_service_pb2_grpc import TelemetryServiceStub
from mtd.testing.harness import Stage as Daemon
from mtd.testing.telemetry import narrow
from mtd.testing.telemetry.agreement import agree, told_of_buckets, told_of_points
from mtd.testing.telemetry.cases import (
    CASES,
    NARROW_DAY,
    NARROW_RANKED,
    NARROW_TOP,
    TOP,
    TOP_TIMES,
    TOP_WINDOW_S,
    Ask,
    Case,
    asks_of,
    narrow_sql,
    narrow_whole_params,
    narrow_whole_sql,
    port_of,
    time_of,
    top_ends,
    view_sql,
)
from mtd.testing.telemetry.data import B_NAMES, HOUR_US, DataPlan
from mtd.testing.telemetry.server import (
    Connection,
    Server,
    add_devices,
    connect,
    machine,
    one,
    running_server,
)
from mtd.testing.telemetry.stages import RETENTION_DAYS, backfill, child
from mtd.testing.telemetry.storage_bench import NARROW, PLAN_FILE, READABLE_A, measure_storage

Say = Callable[[str], None]

# Ninety days of narrow rows take seconds: a few times tell it.
_NARROW_90D_TIMES = 3
_MOST_BYTES = 64 * 1024 * 1024


def measure_queries(
    folder: Path, plan: DataPlan, say: Say, narrow_days: int, most: int | None = None
) -> dict[str, Any]:
    """Ask each question of the same data in each way; the data are made where the folder has none.

    ``most``: ask no more than so many of each kind. Raises HarnessFailed if one way reads less than another.
    """
    if not (folder / PLAN_FILE).exists():
        measure_storage(folder, plan, say, narrow_days)
    stored = json.loads((folder / PLAN_FILE).read_text())
    narrow_days = stored.pop("narrow_days")
    plan = DataPlan(**stored)
    ways: dict[str, dict[str, dict[str, Any]]] = {}
    with running_server(folder) as server:
        _day(server, plan, say)
        dsn = server.dsn(READABLE_A)
        say("through the query layer")
        ways["query_range"] = child(
            "mtd.testing.telemetry.ask", {"dsn": dsn, "plan": asdict(plan), "days": narrow_days, "most": most}
        )
        say("through the SQL view")
        with connect(dsn) as connection:
            ways["sql_view"] = _view(connection, _asked(plan, narrow_days, most), say)
        with connect(server.dsn(NARROW)) as connection:
            asked = _asked(plan, narrow_days, most)
            ways["narrow"] = _narrow(connection, asked, top_ends(plan, most or TOP_TIMES), say)
            say("from narrow rows: what the others should have found")
            _add_expected(connection, plan, asked, ways)
        say("through gRPC")
        ways["grpc"] = _grpc(server, folder, plan, asked)
    agree(ways)
    figures: dict[str, Any] = {
        name: {way: _times(found[name]["seconds"]) for way, found in ways.items() if name in found}
        for name in (*(case.name for case in CASES), "top10")
    }
    for name in ("24h_raw", "24h_raw_of_390"):
        found = {way: figures[name][way]["p50_ms"] for way in ways}
        for way in ("query_range", "grpc", "sql_view"):
            figures[f"ratio_{name}_{way}"] = round(found["narrow"] / found[way], 2)
    figures["told"] = {name: found["told"] for name, found in ways["query_range"].items()}
    figures["data"] = {**asdict(plan), "narrow_days": narrow_days}
    figures["machine"] = machine()
    return figures


def _day(server: Server, plan: DataPlan, say: Say) -> None:
    """Store a day of the reference load in both ways, unless it is there."""
    with connect(server.dsn(NARROW)) as connection:
        if one(connection, "SELECT to_regclass('mtd.narrow_day') IS NOT NULL"):
            return
        with connect(server.dsn(READABLE_A)) as ours:
            add_devices(ours, plan.day())
        backfill(
            server, READABLE_A, Filling(plan.day(), plan.day_first_hour, plan.day_hours, seed=plan.seed), say
        )
        with connect(server.dsn(READABLE_A)) as ours:
            ours.execute("VACUUM ANALYZE")
        connection.execute("SET synchronous_commit = off")
        narrow.create(connection, NARROW_DAY)
        narrow.load(connection, _hours_of_day(plan, say), NARROW_DAY)
        connection.execute("VACUUM ANALYZE mtd.narrow_day")


def _hours_of_day(plan: DataPlan, say: Say) -> Iterator[list[tuple[int, DeviceHour]]]:
    histories = [DeviceHistory(device, plan.day_first_hour, plan.seed) for device in plan.day()]
    for number in range(plan.day_hours):
        say(f"narrow: the reference load's day, hour {number + 1} of {plan.day_hours}")
        yield [(place, next(history.hours(1))) for place, history in enumerate(histories, start=1)]


def _times(seconds: Sequence[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    rank = max(0, -(-95 * len(ordered) // 100) - 1)
    return {
        "p50_ms": round(statistics.median(ordered) * 1000, 2),
        "p95_ms": round(ordered[rank] * 1000, 2),
        "times": len(ordered),
    }


def _timed(
    connection: Connection, sql: str, several: Iterable[tuple[Any, ...]]
) -> tuple[list[float], list[tuple[Any, ...]]]:
    """Return the seconds of each until all rows are received, in binary, and the rows of the first."""
    seconds, first = [], None
    for params in several:
        started = time.perf_counter()
        cursor = connection.execute(sql, params, binary=True)
        seconds.append(time.perf_counter() - started)
        # To make numbers of Python of them takes as long again, and is no matter of storage.
        first = cursor.fetchall() if first is None else first
    return seconds, first or []


Asked = list[tuple[Case, list[Ask]]]


def _asked(plan: DataPlan, days: int, most: int | None) -> Asked:
    return [(case, asks_of(case, plan, days, most)) for case in CASES]


def _view(connection: Connection, asked: Asked, say: Say) -> dict[str, dict[str, Any]]:
    found = {}
    for case, asks in asked:
        if case.name.startswith("90d"):
            continue  # rollups are packed; raw values of 90 days are not what the view is for
        say(f"through the SQL view: {case.name}")
        windows = [(ask.device, ask.metric, *ask.span, ask.instance) for ask in asks]
        seconds, rows = _timed(connection, view_sql(case), windows)
        found[case.name] = {"seconds": seconds, "told": _told(case, rows)}
    return found


def _narrow(connection: Connection, asked: Asked, ends: Sequence[int], say: Say) -> dict[str, dict[str, Any]]:
    found = {}
    for case, asks in asked:
        say(f"from narrow rows: {case.name}")
        some = asks[:_NARROW_90D_TIMES] if case.name.startswith("90d") else asks
        seconds, rows = _timed(connection, narrow_sql(case), [(*ask.narrow, *ask.span) for ask in some])
        found[case.name] = {"seconds": seconds, "told": _told(case, rows)}
    spans = [(time_of(now_us - TOP_WINDOW_S * 1_000_000), time_of(now_us)) for now_us in ends]
    seconds, rows = _timed(connection, NARROW_TOP, spans)
    found["top10"] = {"seconds": seconds, "told": {"entries": len(rows)}}
    return found


def _told(case: Case, rows: Sequence[tuple[Any, ...]]) -> dict[str, Any]:
    if not case.points:
        return told_of_points([float(row[1]) for row in rows])
    _, counts, minimum, means, maximum, _ = zip(*rows, strict=True)
    return told_of_buckets(counts, means, minimum, maximum)


def _add_expected(
    connection: Connection, plan: DataPlan, asked: Asked, ways: dict[str, dict[str, dict[str, Any]]]
) -> None:
    """Add what the first answers of QueryRange and gRPC should tell, over the time that they are of; not timed."""
    narrow = ways["narrow"]
    for case, asks in asked:
        if not case.points:
            continue
        span = ways["query_range"][case.name]["told"]["whole"]
        params = narrow_whole_params(case, asks[0], span)
        row = connection.execute(narrow_whole_sql(case), params).fetchone()
        assert row is not None
        count, mean, least, most = row
        narrow[case.name]["whole"] = told_of_buckets([count], [mean], [least], [most])
    end_us = top_ends(plan, 1)[0]
    # gRPC ranks over a time until now, of which B has its hour.
    hour = ((plan.end_hour - 1) * HOUR_US, plan.end_hour * HOUR_US)
    spans = {"query_range": (end_us - TOP_WINDOW_S * 1_000_000, end_us), "grpc": hour}
    narrow["top10"]["ranked"] = {
        way: [
            (*port_of(device, metric, plan), rate)
            for device, metric, rate in connection.execute(
                NARROW_RANKED, (time_of(start), time_of(start), time_of(end))
            )
        ]
        for way, (start, end) in spans.items()
    }


def _grpc(server: Server, folder: Path, plan: DataPlan, asked: Asked) -> dict[str, dict[str, Any]]:
    settings: dict[str, dict[str, Any]] = {
        "database": {"dsn": server.dsn(READABLE_A)},
        "database.retention": {"raw_days": RETENTION_DAYS},
    }
    with Daemon(folder / "daemon", settings=settings) as daemon:
        daemon.start_daemon()
        options = [("grpc.max_receive_message_length", _MOST_BYTES)]
        with grpc.insecure_channel(daemon.server, options=options) as channel:
            stub = TelemetryServiceStub(channel)
            found = {case.name: _ranges(stub, case, asks) for case, asks in asked}
            return {**found, "top10": _rankings(stub, plan, len(asked[0][1]))}


def _ranges(stub: TelemetryServiceStub, case: Case, asks: Sequence[Ask]) -> dict[str, Any]:
    seconds: list[float] = []
    told: dict[str, Any] = {}
    for ask in asks:
        request = pb.QueryRangeRequest(
            device=ask.device,
            metrics=[ask.pattern],
            start_us=ask.start_us,
            end_us=ask.end_us,
            max_points=case.max_points,
        )
        began = time.perf_counter()
        answer = stub.QueryRange(request)
        seconds.append(time.perf_counter() - began)
        if not told:
            (series,) = answer.series
            told = (
                told_of_buckets(series.counts, series.values, series.min_values, series.max_values)
                if answer.bucket_us
                else told_of_points(series.counters or series.values)
            )
    return {"seconds": seconds, "told": told}


def _rankings(stub: TelemetryServiceStub, plan: DataPlan, times: int) -> dict[str, Any]:
    seconds: list[float] = []
    told: dict[str, Any] = {}
    # From B's beginning on, rounded up: before it there is nothing.
    window_s = time.time_ns() // 1_000_000_000 - (plan.end_hour - 1) * HOUR_US // 1_000_000 + 1
    for number in range(times):
        # Another window each time: an answer that is kept would cost nothing.
        request = pb.TopNRequest(by=pb.TOP_BY_RX, limit=TOP, window_s=window_s + number, devices=[B_NAMES])
        began = time.perf_counter()
        answer = stub.TopN(request)
        seconds.append(time.perf_counter() - began)
        told = told or {"top": [(entry.device_name, entry.instance, entry.value) for entry in answer.entries]}
    return {"seconds": seconds, "told": told}
