"""The baseline: a narrow row for each value, with BRIN on ts and a btree on device, metric, ts.

Unlogged, which is quicker to load and takes the same space.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from mtd.backfill.history import DeviceHour
from mtd.testing.telemetry.server import Connection, one

_CREATE = (
    "CREATE UNLOGGED TABLE mtd.{table} (ts timestamptz NOT NULL, value float8, device int4 NOT NULL, metric int4 NOT NULL)",
    "CREATE INDEX {table}_ts ON mtd.{table} USING brin (ts) WITH (pages_per_range = 32)",
    "CREATE INDEX {table}_key ON mtd.{table} (device, metric, ts)",
)
_COPY = "COPY mtd.{table} (ts, value, device, metric) FROM STDIN (FORMAT binary)"
_POSTGRES_EPOCH_US = 946_684_800_000_000
_HEADER, _TRAILER = b"PGCOPY\n\xff\r\n\0" + bytes(8), b"\xff\xff"
_ROW = np.dtype(
    [
        ("fields", ">i2"),
        ("ts_length", ">i4"),
        ("ts", ">i8"),
        ("value_length", ">i4"),
        ("value", ">f8"),
        ("device_length", ">i4"),
        ("device", ">i4"),
        ("metric_length", ">i4"),
        ("metric", ">i4"),
    ]
)


def create(connection: Connection, table: str = "narrow") -> None:
    """Make a table, with its indexes from the start, as a table is that lives."""
    for statement in _CREATE:
        connection.execute(statement.format(table=table))


def load(
    connection: Connection, hours: Iterable[list[tuple[int, DeviceHour]]], table: str = "narrow"
) -> tuple[int, float]:
    """Load hours of devices (each with its number), in the order of time; return rows and seconds of loading.

    All values of a poll stand together, polls in the order in which they came.
    """
    rows, seconds = 0, 0.0
    for together in hours:
        found = rows_of(together)
        data = found.tobytes()
        started = time.perf_counter()
        with connection.cursor() as cursor, cursor.copy(_COPY.format(table=table)) as copy:
            copy.write(_HEADER)
            for first in range(0, len(data), 1 << 20):
                copy.write(data[first : first + (1 << 20)])
            copy.write(_TRAILER)
        seconds += time.perf_counter() - started
        rows += len(found)
    return rows, seconds


def rows_of(together: list[tuple[int, DeviceHour]]) -> NDArray[np.void]:
    """Return the rows of devices' hours as COPY takes them, in the order of time."""
    parts = []
    for number, hour in together:
        values = np.concatenate([hour.counters.astype(np.float64), hour.gauges])
        if hour.absent is not None:
            values[: len(hour.counters)][hour.absent] = np.nan
        series, polls = values.shape
        table = np.empty((polls, series), dtype=_ROW)
        table["fields"] = 4
        for name, length in (("ts", 8), ("value", 8), ("device", 4), ("metric", 4)):
            table[f"{name}_length"] = length
        table["ts"] = (hour.us - _POSTGRES_EPOCH_US)[:, None]
        table["value"] = values.T
        table["device"] = number
        table["metric"] = np.arange(series)
        flat = table.reshape(-1)
        parts.append(flat[~np.isnan(values.T.reshape(-1))])
    rows = np.empty(sum(map(len, parts)), dtype=_ROW)
    np.concatenate(parts, out=rows)  # left to itself it would turn the bytes around
    return rows[np.argsort(rows["ts"].astype(np.int64), kind="stable")] if len(parts) > 1 else rows


def sizes(connection: Connection) -> dict[str, int]:
    """Return the bytes of heap and indexes."""
    return {
        "heap": int(one(connection, "SELECT pg_table_size('mtd.narrow')")),
        "brin": int(one(connection, "SELECT pg_relation_size('mtd.narrow_ts')")),
        "btree": int(one(connection, "SELECT pg_relation_size('mtd.narrow_key')")),
    }
