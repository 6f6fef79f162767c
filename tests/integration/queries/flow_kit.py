"""Flow records and their sums, put into PostgreSQL by hand, and what is asked of them."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Iterable, Sequence
from typing import Any

import psycopg2

from mtd.codec.flows.block import encode_block
from mtd.model.flows import DIMENSIONS
from mtd.queries.config import QueriesConfig
from mtd.queries.flows.asking import FlowQueries
from mtd.queries.limits import TenantLimits
from mtd.queries.ranges import RangeQueries
from mtd.storage.config import RetentionConfig, StorageConfig
from mtd.storage.partitioned import FLOW_BLOCK, FLOW_SUM_1H, FLOW_SUM_1M
from mtd.storage.readers import Readers
from tests.integration.projections.kit import DEVICE, TENANT, World
from tests.unit.queries.flows.kit import Record, added, amounts_of, columns, summed

MINUTE, HOUR = 60_000_000, 3_600_000_000
LOG = str(uuid.UUID(int=77))
_SEQS = itertools.count(1)
GARBAGE = (10**12, 10**12, 10**12)
"""What is never to be seen: of sums that aren't true any more."""


def flows_of(
    world: World,
    *,
    clock: Any = None,
    retention: RetentionConfig | None = None,
    days: int | None = None,
    **config: Any,
) -> FlowQueries:
    """Return queries on the world's database. ``days``: how many of its past a tenant is shown."""
    readers = Readers(world.dsn, StorageConfig(query_pool_size=2))
    world.stops.append(readers.stop)
    settings = QueriesConfig(**config)
    limits = TenantLimits(settings)

    async def shown(tenant_id: str) -> int | None:
        return days

    clocks = {} if clock is None else {"clock": clock}
    ranges = RangeQueries(readers, settings, limits=limits, shown_days=shown, **clocks)
    return FlowQueries(
        readers, ranges, settings, limits=limits, retention=retention, shown_days=shown, **clocks
    )


async def add_device(world: World, name: str, device: str = DEVICE, tenant: str = TENANT) -> None:
    await world.ask(
        "INSERT INTO device (tenant_id, device_id, name, host, port, username, tls_mode)"
        " VALUES (%s, %s, %s, '192.0.2.1', 8728, 'u', 'off')",
        tenant, device, name,
    )  # fmt: skip


async def add_tenant(world: World, tenant: str) -> None:
    await world.ask("INSERT INTO tenant (tenant_id, name) VALUES (%s, %s)", tenant, f"tenant {tenant[:8]}")


async def store(
    world: World,
    us: int,
    records: Sequence[Record],
    *,
    device: str = DEVICE,
    tenant: str = TENANT,
    due: bool = True,
    block: bytes | None = None,
) -> int:
    """Store records that came at a time, and mark their minute as who stores them does; return their number in the log."""
    await world.partitions.ensure(FLOW_BLOCK, [us])
    told = [record[name] for record in records for name in ("start_ms", "end_ms") if record.get(name)]
    minute_ms = us // MINUTE * 60_000
    if len(told) < 2 * len(records):
        told += [minute_ms, minute_ms + 60_000]
    octets, packets, _ = added(map(amounts_of, records))
    seq = next(_SEQS)
    await world.ask(
        "INSERT INTO flow_block (tenant_id, device_id, log_id, seq, ts, first_ts, last_ts, exporter, form, sampling,"
        " records, octets, packets, estimated_octets, estimated_packets, block)"
        " VALUES (%s, %s, %s, %s, from_us(%s), from_us(%s), from_us(%s), '192.0.2.1', 3, 1, %s, %s, %s, %s, %s, %s)",
        tenant, device, LOG, seq, us, min(told) * 1000, max(told) * 1000, len(records),
        sum(record.get("octets", 0) for record in records), sum(record.get("packets", 0) for record in records),
        octets, packets, psycopg2.Binary(encode_block(columns(records)) if block is None else block),
    )  # fmt: skip
    if due:
        await mark(world, 60, us, device=device, tenant=tenant)
    return seq


async def mark(world: World, bucket_s: int, us: int, *, device: str = DEVICE, tenant: str = TENANT) -> None:
    """Mark a minute or an hour due."""
    await world.ask(
        "INSERT INTO flow_due (tenant_id, device_id, bucket_s, bucket) VALUES (%s, %s, %s, from_us(%s))"
        " ON CONFLICT DO NOTHING",
        tenant, device, bucket_s, us - us % (bucket_s * 1_000_000),
    )  # fmt: skip


async def store_sums(
    world: World,
    bucket_s: int,
    us: int,
    records: Iterable[Record],
    *,
    device: str = DEVICE,
    tenant: str = TENANT,
    keep: int = 1000,
    wrong: bool = False,
) -> None:
    """Store what records of a minute, or an hour, add up to; ``wrong``: what is not to be read any more."""
    table = FLOW_SUM_1M if bucket_s == 60 else FLOW_SUM_1H
    us -= us % (bucket_s * 1_000_000)
    await world.partitions.ensure(table, [us])
    records = list(records)
    rows = []
    for dimension in DIMENSIONS.values():
        sums = {key: GARBAGE if wrong else one for key, one in summed(records, dimension).items()}
        best = sorted(sums, key=lambda key: -sums[key][0])
        if not best:
            continue
        kept, others = best[:keep], [sums[key] for key in best[keep:]]
        rows.append(
            (
                tenant, device, us, dimension.name,
                psycopg2.Binary(b"".join(kept)),
                *([sums[key][place] for key in kept] for place in range(3)),
                len(others), *added(others),
            )
        )  # fmt: skip
    row = "(%s, %s, from_us(%s), %s, %s, %s, %s, %s, %s, %s, %s, %s)"
    await world.ask(
        f"INSERT INTO {table.name} (tenant_id, device_id, bucket, dimension, keys, octets, packets, flows, other_keys,"
        f" other_octets, other_packets, other_flows) VALUES {', '.join([row] * len(rows))}",
        *(value for values in rows for value in values),
    )


def ranked(
    records: Iterable[Record], dimension: str, limit: int = 10, by: int = 0
) -> list[tuple[str, tuple[int, int, int]]]:
    """Return the largest keys of records as people read them, the largest first; of equals, the lower key."""
    sums = summed(records, DIMENSIONS[dimension])
    best = sorted(sums.items(), key=lambda item: (-item[1][by], item[0]))[:limit]
    return [(DIMENSIONS[dimension].text(key), one) for key, one in best]


def whole(records: Iterable[Record]) -> tuple[int, int, int]:
    """Return what records add up to."""
    return added(map(amounts_of, records))
