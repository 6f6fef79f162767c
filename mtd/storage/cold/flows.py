"""Rows of ``flow_due``, ``flow_block`` and ``flow_sum_*``, for who sums flows up. Blocking."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mtd.storage.cold import binary
from mtd.storage.cold.binary import integer_of, present
from mtd.storage.cold.connection import ColdConnection, timestamp, to_postgres_us
from mtd.storage.partitioned import FLOW_BLOCK, FLOW_SUM_1H, FLOW_SUM_1M, PartitionedTable, bounds_of

MINUTE_S, HOUR_S = 60, 3600
SUMS = {MINUTE_S: FLOW_SUM_1M, HOUR_S: FLOW_SUM_1H}
"""Which table has the sums of so many seconds.

Their keys do without the tenant, for a device is of one: its id is drawn at random when it is added, it never moves, and what
collectors say is looked at for whose device they name. Should two tenants meet under one key all the same, the second is a Duplicate.
"""
PARTS = {MINUTE_S: FLOW_BLOCK, HOUR_S: FLOW_SUM_1M}
"""Which table has what these are made of."""

# Of locks with two numbers: no other part of mtd has such.
_CLASS = 0x6D746405
_US = 1_000_000
_BLOCKS_AT_ONCE = 16  # a megabyte each, at the most


class Bucket(NamedTuple):
    """A minute or an hour of one device's flows."""

    seconds: int
    start_us: int
    tenant_id: str
    device_id: str

    @property
    def end_us(self) -> int:
        """When it ends."""
        return self.start_us + self.seconds * _US


class BlockRow(NamedTuple):
    """A block, and what its event tells of it."""

    records: int
    estimated_octets: int
    estimated_packets: int
    block: bytes


class SumRow(NamedTuple):
    """What a bucket adds up to by one dimension: the largest keys, and all others."""

    dimension: str
    keys: bytes
    octets: NDArray[np.int64]
    packets: NDArray[np.int64]
    flows: NDArray[np.int64]
    other_keys: int
    other_octets: int
    other_packets: int
    other_flows: int


def due_minutes(connection: ColdConnection, ended_us: int, quiet_s: float, most: int) -> list[Bucket]:
    """Return minutes that are due and ended by a time, and to which nothing was added for a while, oldest first."""
    rows = connection.fetch(
        "SELECT bucket_s, mtd.to_us(bucket), tenant_id::text, device_id::text FROM mtd.flow_due"
        " WHERE bucket_s = 60 AND bucket <= %s AND changed_at <= clock_timestamp() - make_interval(secs => %s)"
        " ORDER BY bucket, tenant_id, device_id LIMIT %s",
        [timestamp(ended_us - MINUTE_S * _US), quiet_s, most],
    )
    return [Bucket(*row) for row in rows]


def due_hours(connection: ColdConnection, ended_us: int, most: int) -> list[Bucket]:
    """Return hours that are due, ended by a time and of which no minute is due, oldest first."""
    rows = connection.fetch(
        "SELECT h.bucket_s, mtd.to_us(h.bucket), h.tenant_id::text, h.device_id::text FROM mtd.flow_due h"
        " WHERE h.bucket_s = 3600 AND h.bucket <= %s AND NOT EXISTS (SELECT FROM mtd.flow_due m"
        "  WHERE m.bucket_s = 60 AND m.bucket >= h.bucket AND m.bucket < h.bucket + interval '1 hour'"
        "  AND m.tenant_id = h.tenant_id AND m.device_id = h.device_id)"
        " ORDER BY h.bucket, h.tenant_id, h.device_id LIMIT %s",
        [timestamp(ended_us - HOUR_S * _US), most],
    )
    return [Bucket(*row) for row in rows]


def oldest_due_us(connection: ColdConnection) -> int | None:
    """Return when the oldest minute that is due began; None if none is."""
    rows = connection.fetch(
        "SELECT mtd.to_us(bucket) FROM mtd.flow_due WHERE bucket_s = 60 ORDER BY bucket LIMIT 1"
    )
    return int(rows[0][0]) if rows else None


def claim(connection: ColdConnection, bucket: Bucket) -> bool:
    """Begin with a bucket, first in a transaction; whether it is due, and nobody else is at it."""
    name = f"{bucket.seconds} {bucket.start_us} {bucket.tenant_id} {bucket.device_id}"
    ((mine,),) = connection.fetch("SELECT pg_try_advisory_xact_lock(%s, hashtext(%s))", [_CLASS, name])
    if not mine or not connection.fetch(f"SELECT FROM mtd.flow_due WHERE {_IS}", _key(bucket)):
        return False
    # Of an hour: a minute of it may have come between.
    return bucket.seconds == MINUTE_S or not connection.fetch(
        "SELECT FROM mtd.flow_due WHERE bucket_s = 60 AND tenant_id = %s AND device_id = %s"
        " AND bucket >= %s AND bucket < %s LIMIT 1",
        _span(bucket),
    )


def settle(connection: ColdConnection, bucket: Bucket) -> bool:
    """Say that a bucket is due no more, last in the transaction that looked at it; false if it is to be left alone.

    Whoever adds to a bucket changes its row. If that was done since the transaction began, this raises Overtaken;
    if it is being done, it is left alone; who does it later waits until this is committed, and makes it due again.
    So nothing is missed, and nobody waits for what is computed.
    """
    if not connection.fetch(f"SELECT FROM mtd.flow_due WHERE {_IS} FOR UPDATE SKIP LOCKED", _key(bucket)):
        return False
    connection.execute(f"DELETE FROM mtd.flow_due WHERE {_IS}", _key(bucket))
    return True


def mark_hour(connection: ColdConnection, minute: Bucket) -> None:
    """Say that the hour of a minute is due."""
    connection.execute(
        "INSERT INTO mtd.flow_due (tenant_id, device_id, bucket_s, bucket) VALUES (%s, %s, 3600, %s)"
        " ON CONFLICT (bucket_s, bucket, tenant_id, device_id)"
        " DO UPDATE SET changed = flow_due.changed + 1, changed_at = now()",
        [minute.tenant_id, minute.device_id, timestamp(minute.start_us - minute.start_us % (HOUR_S * _US))],
    )


def has_parts(connection: ColdConnection, bucket: Bucket) -> bool:
    """Whether what a bucket is made of is still kept: its partition wasn't dropped."""
    return _has_partition(connection, PARTS[bucket.seconds], bucket.start_us)


def _has_partition(connection: ColdConnection, table: PartitionedTable, us: int) -> bool:
    return any(one.start_us <= us < one.end_us for one in bounds_of(connection.fetch, table))


def read_blocks(connection: ColdConnection, bucket: Bucket) -> Iterator[BlockRow]:
    """Yield the blocks of a minute, as they come from PostgreSQL. Only within a transaction."""
    rows = connection.stream_raw(
        "SELECT records, estimated_octets, estimated_packets, block FROM mtd.flow_block"
        " WHERE tenant_id = %s AND device_id = %s AND ts >= %s AND ts < %s",
        _span(bucket),
        at_once=_BLOCKS_AT_ONCE,
    )
    for records, octets, packets, block in rows:
        yield BlockRow(integer_of(records), integer_of(octets), integer_of(packets), present(block))


def read_sums(connection: ColdConnection, bucket: Bucket, dimension: str) -> Iterator[SumRow]:
    """Yield the sums of the minutes of an hour by a dimension."""
    rows = connection.fetch_raw(
        f"SELECT {_SUM_COLUMNS} FROM mtd.flow_sum_1m WHERE tenant_id = %s AND device_id = %s"
        " AND bucket >= %s AND bucket < %s AND dimension = %s ORDER BY bucket",
        [*_span(bucket), dimension],
    )
    for name, keys, octets, packets, flows, *others in rows:
        other_keys, other_octets, other_packets, other_flows = map(integer_of, others)
        yield SumRow(
            present(name).decode(),
            present(keys),
            _array(octets),
            _array(packets),
            _array(flows),
            other_keys,
            other_octets,
            other_packets,
            other_flows,
        )


def replace_sums(connection: ColdConnection, bucket: Bucket, rows: Iterable[SumRow]) -> int:
    """Store the sums of a bucket in the place of those that are there; return how many. The partition is there."""
    table = f"mtd.{SUMS[bucket.seconds].name}"
    connection.execute(
        f"DELETE FROM {table} WHERE tenant_id = %s AND device_id = %s AND bucket = %s",
        [bucket.tenant_id, bucket.device_id, timestamp(bucket.start_us)],
    )
    names = [
        binary.bytes_field(uuid.UUID(bucket.tenant_id).bytes),
        binary.bytes_field(uuid.UUID(bucket.device_id).bytes),
        binary.int8_field(to_postgres_us(bucket.start_us)),
    ]
    return connection.copy_in(
        f"COPY {table} (tenant_id, device_id, bucket, {_SUM_COLUMNS}) FROM STDIN (FORMAT BINARY)",
        binary.copy_data([*names, *_fields(row)] for row in rows),
    )


_IS = "bucket_s = %s AND bucket = %s AND tenant_id = %s AND device_id = %s"
_SUM_COLUMNS = "dimension, keys, octets, packets, flows, other_keys, other_octets, other_packets, other_flows"


def _array(data: bytes | None) -> NDArray[np.int64]:
    return binary.array_of(present(data))[0]


def _key(bucket: Bucket) -> list[object]:
    return [bucket.seconds, timestamp(bucket.start_us), bucket.tenant_id, bucket.device_id]


def _span(bucket: Bucket) -> list[object]:
    return [bucket.tenant_id, bucket.device_id, timestamp(bucket.start_us), timestamp(bucket.end_us)]


def _fields(row: SumRow) -> Iterator[bytes]:
    yield binary.bytes_field(row.dimension.encode())
    yield binary.bytes_field(row.keys)
    for array in (row.octets, row.packets, row.flows):
        yield binary.array_field(array)
    for number in row[5:]:
        yield binary.int8_field(number)
