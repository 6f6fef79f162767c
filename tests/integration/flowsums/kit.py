"""Blocks of flows written straight, summed up, and held against sums made with plain Python."""

from __future__ import annotations

import datetime as dt
import threading
import uuid
from collections.abc import Sequence
from typing import Any

import psycopg

from mtd.flowsums.messages import BucketFailed, Message, RoundDone
from mtd.flowsums.rounds import Rounds
from mtd.flowsums.tally import KEPT, Amounts, Sums, Volume
from mtd.model.device import DEFAULT_TENANT_ID
from mtd.model.flows import DIMENSIONS
from mtd.storage.cold.binary import array_of
from mtd.storage.cold.connection import ColdConnection, timestamp
from mtd.storage.cold.partitions import ColdPartitions
from mtd.storage.config import StorageConfig
from mtd.storage.partitioned import FLOW_BLOCK
from tests.unit.flowsums.plain import Plain, Record, block_of, plain_of, sums_of, told

TENANT = DEFAULT_TENANT_ID
DEVICE, OTHER = str(uuid.UUID(int=1)), str(uuid.UUID(int=2))
LOG = str(uuid.UUID(int=9))
S = 1_000_000
MINUTE, HOUR, DAY = 60 * S, 3600 * S, 86_400 * S
NOW = int(dt.datetime(2026, 3, 2, 12, 10, tzinfo=dt.UTC).timestamp()) * S
THEN = NOW - NOW % HOUR - HOUR
"""The beginning of the last hour that is over."""

MARK = (
    "INSERT INTO flow_due (tenant_id, device_id, bucket_s, bucket) VALUES (%s, %s, 60, date_bin('1 minute', %s, 'epoch'))"
    " ON CONFLICT (bucket_s, bucket, tenant_id, device_id)"
    " DO UPDATE SET changed = flow_due.changed + 1, changed_at = now()"
)
INSERT = (
    "INSERT INTO flow_block (tenant_id, device_id, log_id, seq, ts, first_ts, last_ts, exporter, form, sampling, records,"
    " octets, packets, estimated_octets, estimated_packets, block)"
    " VALUES (%s, %s, %s, 1, %s, now(), now(), '192.0.2.1', 3, 1, %s, 0, 0, %s, %s, %s)"
)


class Clock:
    """A wall clock that stands still until it is set."""

    def __init__(self, now_us: int = NOW) -> None:
        self.now = now_us

    def now_us(self) -> int:
        return self.now

    def monotonic(self) -> float:
        return self.now / S


def connect(dsn: str) -> psycopg.Connection[tuple[Any, ...]]:
    return psycopg.connect(dsn, options="-c search_path=mtd -c timezone=UTC")


def ask(dsn: str, sql: str, *params: Any) -> list[tuple[Any, ...]]:
    """Ask PostgreSQL on a connection of its own."""
    with connect(dsn) as connection:
        cursor = connection.execute(sql, params or None)
        return cursor.fetchall() if cursor.description else []


def make_partitions(dsn: str, *times_us: int) -> None:
    with ColdConnection(dsn) as connection:
        ColdPartitions(connection).ensure(FLOW_BLOCK, times_us)


def store(
    connection: psycopg.Connection[tuple[Any, ...]],
    us: int,
    volume: Volume,
    block: bytes,
    device: str = DEVICE,
    tenant: str = TENANT,
) -> None:
    """Write a block as the projection does, within the caller's transaction."""
    at = timestamp(us)
    connection.execute(INSERT, (tenant, device, LOG, at, volume.flows, volume.octets, volume.packets, block))
    connection.execute(MARK, (tenant, device, at))


def put(dsn: str, us: int, records: Sequence[Record], device: str = DEVICE, tenant: str = TENANT) -> None:
    """Write a block of records."""
    make_partitions(dsn, us)
    with connect(dsn) as connection:
        store(connection, us, told(records), block_of(records), device, tenant)


def records_of(count: int, first: int = 0) -> list[Record]:
    """Return records of several keys."""
    return [
        {
            "octets": 100 + n % 7,
            "packets": 1 + n % 3,
            "sampling": 10 * (n % 2),
            "src_address": (0xFFFF << 32) + n % 50,
            "dst_address": (0x2001_0DB8 << 96) + n % 3,
            "src_port": n % 1000,
            "dst_port": 443,
            "protocol": 6,
            "src_as": 64_512 + n % 2,
            "in_interface": 1,
        }
        for n in range(first, first + count)
    ]


class Account:
    """What rounds said."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    @property
    def rounds(self) -> list[RoundDone]:
        return [message for message in self.messages if isinstance(message, RoundDone)]

    @property
    def failed(self) -> list[BucketFailed]:
        return [message for message in self.messages if isinstance(message, BucketFailed)]

    @property
    def summed(self) -> tuple[int, int]:
        """How many minutes and hours."""
        return sum(one.minutes for one in self.rounds), sum(one.hours for one in self.rounds)


def settings(retention: dict[str, Any] | None = None, **flow_sums: Any) -> StorageConfig:
    return StorageConfig.model_validate(
        {"flow_sums": {"late_wait_s": 0, **flow_sums}, "retention": retention or {}}
    )


def sum_up(dsn: str, now_us: int = NOW, times: int = 1, config: StorageConfig | None = None) -> Account:
    """Do rounds in this process."""
    account = Account()
    with Rounds(
        dsn, config or settings(), account.messages.append, threading.Event(), clock=Clock(now_us)
    ) as rounds:
        for _ in range(times):
            rounds.run()
    return account


def stored(dsn: str, us: int, table: str = "flow_sum_1m", device: str = DEVICE) -> dict[str, Sums]:
    """Return the sums of a bucket, by dimension."""
    found = {}
    with ColdConnection(dsn) as connection:
        for name, keys, octets, packets, flows, *others in connection.fetch_raw(
            "SELECT dimension, keys, octets, packets, flows, other_keys, other_octets, other_packets, other_flows"
            f" FROM mtd.{table} WHERE device_id = %s AND bucket = %s",
            [device, timestamp(us)],
        ):
            assert name is not None
            assert keys is not None
            amounts = Amounts(*(array_of(one or b"")[0] for one in (octets, packets, flows)))
            rest = [int.from_bytes(one or b"", "big") for one in others]
            found[name.decode()] = Sums(keys, amounts, rest[0], Volume(*rest[1:]))
    return found


def plain(dsn: str, us: int, table: str = "flow_sum_1m", device: str = DEVICE) -> dict[str, Plain]:
    """Return the sums of a bucket as plain Python's."""
    return {
        name: plain_of(sums, DIMENSIONS[name].width) for name, sums in stored(dsn, us, table, device).items()
    }


def expected(records: Sequence[Record], kept: int = KEPT) -> dict[str, Plain]:
    """Return what records must add up to."""
    found = {name: sums_of(records, name, kept) for name in DIMENSIONS}
    return {name: sums for name, sums in found.items() if sums[0]}


def due(dsn: str) -> list[tuple[int, int, str]]:
    """Return what is due: seconds, beginning and device."""
    return ask(dsn, "SELECT bucket_s, to_us(bucket), device_id::text FROM flow_due ORDER BY 1, 2, 3")  # type: ignore[return-value]


def octets(dsn: str) -> tuple[int, int, int]:
    """Return the octets of all blocks, of all minutes and of all hours."""
    ((blocks,),) = ask(dsn, "SELECT coalesce(sum(estimated_octets), 0)::int8 FROM flow_block")
    minutes, hours = (
        ask(dsn, f"SELECT coalesce(sum(octets[1]), 0)::int8 FROM {table} WHERE dimension = 'total'")[0][0]
        for table in ("flow_sum_1m", "flow_sum_1h")
    )
    return blocks, minutes, hours
