"""Hours of frames written straight, compacted, and read back by other code than the product's readers."""

from __future__ import annotations

import datetime as dt
import math
import threading
import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import psycopg

from mtd.codec.blocks import decode_axis, decode_counters, decode_gauges
from mtd.compaction.messages import HourDropped, Message, RoundDone, Trouble, UnitDone, UnitFailed
from mtd.compaction.rounds import Rounds
from mtd.model.device import DEFAULT_TENANT_ID
from mtd.model.layout import Layout, Series
from mtd.model.metric import Lane
from mtd.storage.cold.blocks import read_axes, read_blocks
from mtd.storage.cold.connection import ColdConnection
from mtd.storage.cold.partitions import ColdPartitions
from mtd.storage.config import StorageConfig
from mtd.storage.partitioned import HOUR_US, TELEMETRY_FRAME

TENANT = DEFAULT_TENANT_ID
DEVICE = str(uuid.UUID(int=1))
OTHER = str(uuid.UUID(int=2))
LOG = str(uuid.UUID(int=9))
S = 1_000_000
NOW = int(dt.datetime(2026, 3, 2, 12, 10, tzinfo=dt.UTC).timestamp()) * S
HOUR = NOW - NOW % HOUR_US - HOUR_US
"""The hour that was closed last."""

RX1 = Series("iface.rx_bytes_total", "*1", Lane.COUNTER)
RX2 = Series("iface.rx_bytes_total", "*2", Lane.COUNTER)
CPU = Series("system.cpu.load_pct", "", Lane.GAUGE)
OPER = Series("iface.oper_state", "*1", Lane.GAUGE)
RATE1 = Series("iface.rx_bps", "*1", Lane.RATE)
LAYOUT = Layout.of("t0", (RX1, RX2, CPU, OPER, RATE1))
ONE_PORT = Layout.of("t0", (RX1, CPU, OPER, RATE1))

Values = dict[tuple[str, str, str, str], list[tuple[int, float | int]]]


class Clock:
    """A wall clock that stands still until it is set."""

    def __init__(self, now_us: int = NOW) -> None:
        self.now = now_us

    def now_us(self) -> int:
        return self.now

    def monotonic(self) -> float:
        return self.now / S


def ask(dsn: str, sql: str, *params: Any) -> list[tuple[Any, ...]]:
    """Ask PostgreSQL on a connection of its own."""
    with psycopg.connect(dsn, options="-c search_path=mtd -c timezone=UTC") as connection:
        cursor = connection.execute(sql, params or None)
        return cursor.fetchall() if cursor.description else []


def declare(dsn: str, *layouts: Layout, tenant: str = TENANT) -> None:
    """Declare layouts as the projection does."""
    with psycopg.connect(dsn, options="-c search_path=mtd") as connection:
        for layout in layouts:
            counts = [len(layout.lane(lane)) for lane in (Lane.COUNTER, Lane.GAUGE, Lane.RATE)]
            connection.execute(
                "INSERT INTO series_layout (tenant_id, layout_id, poll_group, counters, gauges, rates, declared_at)"
                " VALUES (%s, %s, %s, %s, %s, %s, now()) ON CONFLICT DO NOTHING",
                (tenant, layout.layout_id, layout.poll_group, *counts),
            )
            for lane in (Lane.COUNTER, Lane.GAUGE, Lane.RATE):
                for n, series in enumerate(layout.lane(lane)):
                    connection.execute(
                        "INSERT INTO series_layout_entry (tenant_id, layout_id, lane, position, metric, instance)"
                        " VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
                        (tenant, layout.layout_id, lane.value, n + 1, series.metric, series.instance),
                    )


class Frame:
    """A poll: its time in microseconds, its layout, and values by series (None: absent); no rates, unless they are given."""

    def __init__(
        self,
        us: int,
        counters: Sequence[int | None],
        gauges: Sequence[float | None],
        layout: Layout = LAYOUT,
        *,
        device: str = DEVICE,
        seq: int = 0,
        rates: Sequence[float | None] | None = None,
    ) -> None:
        self.us, self.counters, self.gauges = us, list(counters), list(gauges)
        self.rates = [None] * len(layout.lane(Lane.RATE)) if rates is None else list(rates)
        self.layout, self.device, self.seq = layout, device, seq


def polls(
    count: int,
    start_us: int = HOUR,
    step_us: int = S,
    *,
    device: str = DEVICE,
    begin: int = 0,
    jitter: int = 37_000,
) -> list[Frame]:
    """Return polls of a device whose counters grow and whose gauges move."""
    return [
        Frame(
            start_us + n * step_us + (n * 7919) % jitter,
            [begin + n * n * 10, (1 << 62) + begin + n],
            [(n % 17) / 10, None if n % 5 else 1.0],
            device=device,
            seq=n,
        )
        for n in range(count)
    ]


def put(dsn: str, frames: Iterable[Frame], *, log: str = LOG) -> None:
    """Write frames as the projection does."""
    frames = list(frames)
    with ColdConnection(dsn) as connection:
        ColdPartitions(connection).ensure(TELEMETRY_FRAME, {frame.us for frame in frames})
    rows = [
        (
            TENANT,
            frame.device,
            log,
            frame.seq,
            frame.layout.layout_id,
            frame.us,
            frame.us,
            frame.counters,
            frame.gauges,
            frame.rates,
        )
        for frame in frames
    ]
    with psycopg.connect(dsn, options="-c search_path=mtd") as connection:
        connection.cursor().executemany(
            "INSERT INTO telemetry_frame (tenant_id, device_id, log_id, seq, layout_id, ts_collected, ts_received,"
            " poll_duration_us, counters, gauges, rates)"
            " VALUES (%s, %s, %s, %s, %s, from_us(%s), from_us(%s), 1, %s::int8[], %s::float8[], %s::float4[])",
            rows,
        )


def expected(frames: Iterable[Frame]) -> Values:
    """Return what must be stored of frames: each moment with each value once."""
    found: dict[tuple[str, str, str, str], list[tuple[int, float | int]]] = defaultdict(list)
    seen: set[tuple[Any, ...]] = set()
    for frame in sorted(frames, key=lambda frame: (frame.us, frame.seq)):
        ms = frame.us // 1000
        values: list[tuple[Series, float | int]] = []
        for lane, given in ((Lane.COUNTER, frame.counters), (Lane.GAUGE, frame.gauges)):
            for series, value in zip(frame.layout.lane(lane), given, strict=True):
                if value is not None and not (isinstance(value, float) and not math.isfinite(value)):
                    values.append((series, value))
        name = (frame.device, frame.layout.poll_group, ms, tuple(sorted(values, key=str)))
        if name in seen:
            continue
        seen.add(name)
        for series, value in values:
            found[frame.device, series.metric, series.instance, series.lane.value].append((ms, value))
    return {key: sorted(points) for key, points in found.items()}


def stored(dsn: str) -> Values:
    """Return all that is stored, in frames and in blocks."""
    found: dict[tuple[str, str, str, str], list[tuple[int, float | int]]] = defaultdict(list)
    for device, metric, instance, lane, ms, counter, gauge in ask(
        dsn,
        "SELECT f.device_id::text, e.metric, e.instance, e.lane, to_us(f.ts_collected) / 1000,"
        " CASE e.lane WHEN 'counter' THEN f.counters[e.position] END,"
        " CASE e.lane WHEN 'gauge' THEN f.gauges[e.position] END"
        " FROM telemetry_frame f JOIN series_layout_entry e USING (tenant_id, layout_id) WHERE e.lane <> 'rate'",
    ):
        value = counter if lane == "counter" else gauge
        if value is not None:
            found[device, metric, instance, lane].append((ms, value))
    for key, points in cold(dsn).items():
        found[key] += points
    return {key: sorted(points) for key, points in found.items() if points}


def cold(dsn: str) -> Values:
    """Return all that is in blocks."""
    found: dict[tuple[str, str, str, str], list[tuple[int, float | int]]] = defaultdict(list)
    series = ask(dsn, "SELECT series_id, device_id::text, metric, instance, lane, poll_group FROM series")
    with ColdConnection(dsn) as connection:
        for number, device, metric, instance, lane, group in series:
            axes = {row.hour_us: row.axis for row in read_axes(connection, device, [group], 0, 1 << 52)}
            for row in read_blocks(connection, [number], 0, 1 << 52):
                axis = axes[row.hour_us]
                ms = decode_axis(axis) + row.hour_us // 1000
                if lane == "counter":
                    counters, absent = decode_counters(row.block, axis.polls)
                    values: list[Any] = counters.tolist()
                    there = [True] * axis.polls if absent is None else (~absent).tolist()
                else:
                    gauges = decode_gauges(row.block, axis.polls)
                    values, there = gauges.tolist(), (gauges == gauges).tolist()
                found[device, metric, instance, lane] += [
                    point
                    for point, is_there in zip(zip(ms.tolist(), values, strict=True), there, strict=True)
                    if is_there
                ]
    return {key: sorted(points) for key, points in found.items()}


def sums(values: Values) -> dict[tuple[str, str, str, str], tuple[int, float]]:
    """Return count and sum of each series."""
    return {key: (len(points), math.fsum(value for _, value in points)) for key, points in values.items()}


class Account:
    """What rounds said."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    def _all(self, kind: type[Any]) -> list[Any]:
        return [message for message in self.messages if isinstance(message, kind)]

    @property
    def units(self) -> list[UnitDone]:
        return self._all(UnitDone)

    @property
    def failed(self) -> list[UnitFailed]:
        return self._all(UnitFailed)

    @property
    def dropped(self) -> list[HourDropped]:
        return self._all(HourDropped)

    @property
    def trouble(self) -> list[Trouble]:
        return self._all(Trouble)

    @property
    def rounds(self) -> list[RoundDone]:
        return self._all(RoundDone)


def settings(**compaction: Any) -> StorageConfig:
    """Return settings of the storage with some of the compaction."""
    return StorageConfig.model_validate({"compaction": compaction})


def compact(
    dsn: str,
    *,
    now_us: int = NOW,
    times: int = 1,
    patient: bool = False,
    config: StorageConfig | None = None,
    until_us: int | None = None,
) -> Account:
    """Do rounds in this process."""
    account = Account()
    with Rounds(
        dsn,
        config or settings(),
        account.messages.append,
        threading.Event(),
        patient=patient,
        clock=Clock(now_us),
    ) as rounds:
        for _ in range(times):
            rounds.run(until_us)
    return account


def frame_partitions(dsn: str) -> list[str]:
    """Return the partitions of frames."""
    rows = ask(
        dsn,
        "SELECT relname FROM pg_class WHERE relname ~ '^telemetry_frame_\\d' AND relkind = 'r' ORDER BY 1",
    )
    return [name for (name,) in rows]
