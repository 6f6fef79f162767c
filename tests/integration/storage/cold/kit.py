"""A database with a device, layouts and frames, written as plainly as can be."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from mtd.model.device import DEFAULT_TENANT_ID
from mtd.storage.cold.connection import ColdConnection, timestamp
from mtd.storage.cold.partitions import ColdPartitions
from mtd.storage.partitioned import TELEMETRY_FRAME

TENANT = DEFAULT_TENANT_ID
DEVICE = str(uuid.UUID(int=1))
OTHER_DEVICE = str(uuid.UUID(int=2))
HOUR_US = 3_600_000_000
HOUR = int(dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC).timestamp()) * 1_000_000


@contextmanager
def connected(dsn: str) -> Iterator[ColdConnection]:
    with ColdConnection(dsn, "mtd test") as connection:
        for number, device in enumerate((DEVICE, OTHER_DEVICE), 1):
            connection.execute(
                "INSERT INTO device (tenant_id, device_id, name, host, port, username, tls_mode)"
                " VALUES (%s, %s, %s, 'h', 1, 'u', 'off') ON CONFLICT DO NOTHING",
                [TENANT, device, f"r{number}"],
            )
        yield connection


def declare(
    connection: ColdConnection,
    layout_id: int,
    counters: Sequence[tuple[str, str]],
    gauges: Sequence[tuple[str, str]],
    poll_group: str = "t0",
) -> None:
    connection.execute(
        "INSERT INTO series_layout (tenant_id, layout_id, poll_group, counters, gauges, rates, declared_at)"
        " VALUES (%s, %s, %s, %s, %s, 0, now())",
        [TENANT, layout_id, poll_group, len(counters), len(gauges)],
    )
    for lane, names in (("counter", counters), ("gauge", gauges)):
        for position, (metric, instance) in enumerate(names, 1):
            connection.execute(
                "INSERT INTO series_layout_entry VALUES (%s, %s, %s, %s, %s, %s)",
                [TENANT, layout_id, lane, position, metric, instance],
            )


def insert(
    connection: ColdConnection,
    us: int,
    counters: Sequence[int | None],
    gauges: Sequence[float | None],
    *,
    layout_id: int = 1,
    seq: int = 1,
    device: str = DEVICE,
    rates: Sequence[float | None] = (),
) -> None:
    """Store one frame; None is NULL, as the projection writes what is absent."""
    connection.execute(
        "INSERT INTO telemetry_frame (tenant_id, device_id, log_id, seq, layout_id, ts_collected, ts_received,"
        " poll_duration_us, counters, gauges, rates)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, 0, %s::int8[], %s::float8[], %s::float4[])",
        [
            *(TENANT, device, uuid.UUID(int=9), seq, layout_id, timestamp(us), timestamp(us)),
            *(list(counters), list(gauges), list(rates)),
        ],
    )


def prepare(connection: ColdConnection, *hours_us: int) -> ColdPartitions:
    partitions = ColdPartitions(connection)
    partitions.ensure(TELEMETRY_FRAME, hours_us or [HOUR])
    return partitions
