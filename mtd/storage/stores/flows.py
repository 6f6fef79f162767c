"""Blocks of flow records, and the minutes whose sums they change."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from mtd.storage import literals
from mtd.storage.pool import Database
from mtd.storage.txn import Transaction

# Joining and sending a statement holds the loop.
_STATEMENT_BLOCKS = 250
_STATEMENT_BYTES = 500_000
_MINUTE_US = 60_000_000


class FlowRow(NamedTuple):
    """A row of ``flow_block``. ``us``: when its records came in. ``domain``: None where their form has none."""

    tenant_id: str
    device_id: str
    seq: int
    us: int
    first_us: int
    last_us: int
    exporter: str
    form: int
    sampling: int
    records: int
    octets: int
    packets: int
    estimated_octets: int
    estimated_packets: int
    domain: int | None
    block: bytes


_COLUMNS = (
    ("tenant_id", "uuid"),
    ("device_id", "uuid"),
    ("seq", "int8"),
    ("us", "int8"),
    ("first_us", "int8"),
    ("last_us", "int8"),
    ("exporter", "text"),
    ("form", "int2"),
    ("sampling", "int2"),
    ("records", "int4"),
    ("octets", "int8"),
    ("packets", "int8"),
    ("estimated_octets", "int8"),
    ("estimated_packets", "int8"),
    ("domain", "int8"),
    ("block", "text"),
)
_MADE = {
    "us": ("ts", "from_us(us)"),
    "first_us": ("first_ts", "from_us(first_us)"),
    "last_us": ("last_ts", "from_us(last_us)"),
    "block": ("block", "decode(block, 'base64')"),
}
_INSERT = (
    f"INSERT INTO flow_block (log_id, {', '.join(_MADE.get(name, (name,))[0] for name, _ in _COLUMNS)})"
    f" SELECT %s, {', '.join(_MADE.get(name, ('', name))[1] for name, _ in _COLUMNS)} FROM unnest("
    f"{', '.join(f'%s::{kind}[]' for _, kind in _COLUMNS)}) AS t ({', '.join(name for name, _ in _COLUMNS)})"
)
# The row is locked until the end of the transaction: whoever sums up the minute waits for its blocks, or this waits
# until the sums without them are written. In one order, or two transactions would wait for each other.
_MARK = (
    "INSERT INTO flow_due (tenant_id, device_id, bucket_s, bucket) {minutes} ORDER BY bucket, tenant_id, device_id"
    " ON CONFLICT (bucket_s, bucket, tenant_id, device_id)"
    " DO UPDATE SET changed = flow_due.changed + 1, changed_at = now()"
)
_MARK_WRITTEN = _MARK.format(
    minutes="SELECT tenant_id, device_id, 60, from_us(us) AS bucket"
    " FROM unnest(%s::uuid[], %s::uuid[], %s::int8[]) AS t (tenant_id, device_id, us)"
)
_FORGET = (
    "WITH gone AS (DELETE FROM flow_block WHERE log_id = %s AND seq >= %s RETURNING tenant_id, device_id, ts) "
    + (
        _MARK.format(
            minutes="SELECT DISTINCT tenant_id, device_id, 60, date_bin('1 minute', ts, 'epoch') AS bucket FROM gone"
        )
    )
)


async def insert_blocks(tx: Transaction, log_id: str, rows: Sequence[FlowRow]) -> None:
    """Store blocks, whose partitions are there, and mark their minutes."""
    for some in _portions(rows):
        await tx.execute(
            _INSERT,
            [
                log_id,
                literals.plain(row.tenant_id for row in some),
                literals.plain(row.device_id for row in some),
                *(literals.plain(row[place] for row in some) for place in range(2, 6)),
                literals.texts(row.exporter for row in some),
                *(literals.plain(row[place] for row in some) for place in range(7, 14)),
                literals.numbers([row.domain for row in some]),
                literals.base64(row.block for row in some),
            ],
        )
    minutes = sorted({(row.tenant_id, row.device_id, row.us - row.us % _MINUTE_US) for row in rows})
    if minutes:
        await tx.execute(
            _MARK_WRITTEN, [literals.plain(minute[place] for minute in minutes) for place in range(3)]
        )


async def forget_blocks(tx: Transaction, log_id: str, first_seq: int) -> None:
    """Delete the blocks that the events of a log from ``first_seq`` on have written, and mark their minutes."""
    await tx.execute(_FORGET, (log_id, first_seq))


async def any_due(db: Database) -> bool:
    """Whether anything is to be summed up."""

    async def look(tx: Transaction) -> bool:
        await tx.execute("SELECT FROM flow_due LIMIT 1")
        return tx.fetchone() is not None

    return await db.run("flows.any_due", look)


async def forget_due(db: Database, minutes_us: int, hours_us: int) -> int:
    """Forget minutes and hours before these times that nobody has summed up; return how many there were."""

    async def forget(tx: Transaction) -> int:
        await tx.execute(
            "DELETE FROM flow_due WHERE bucket < CASE bucket_s WHEN 60 THEN from_us(%s) ELSE from_us(%s) END",
            (minutes_us, hours_us),
        )
        return tx.rowcount

    return await db.run("flows.forget_due", forget)


def _portions(rows: Sequence[FlowRow]) -> Iterator[Sequence[FlowRow]]:
    """Cut rows into what one statement holds."""
    first = size = 0
    for place, row in enumerate(rows):
        if place > first and (size + len(row.block) > _STATEMENT_BYTES or place - first >= _STATEMENT_BLOCKS):
            yield rows[first:place]
            first, size = place, 0
        size += len(row.block)
    if rows:
        yield rows[first:]
