"""Sums and records of flows as PostgreSQL has them. Each minute of a device comes from exactly one place.

Who stores records marks their minute due in the same transaction, and who sums a minute marks its hour. So a minute that is
due is read from its records, one that isn't from its sum; an hour of a device of which nothing is due is read
as one, else minute by minute. All statements of a question see the same snapshot.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np

from mtd.codec.blocks import Damaged
from mtd.codec.flows.block import decode_block
from mtd.codec.flows.tally import Keyed, unpack_keys
from mtd.model.flows import DIMENSIONS, Dimension
from mtd.queries.flows.errors import FlowsDamaged, TooManyFlows
from mtd.queries.flows.keys import Columns, believable, well_typed
from mtd.queries.flows.records import Amounts
from mtd.queries.flows.spans import Spans
from mtd.storage.cold.binary import array_of
from mtd.storage.cold.connection import ColdConnection, from_postgres_us, timestamp

MOST_RECORDS = 20_000_000
"""Records that one question unpacks: some seconds of a core."""
_SUMS_AT_ONCE, _BLOCKS_AT_ONCE = 100, 4

_TOTAL = DIMENSIONS["total"]
_OF = "s.tenant_id = %(tenant)s AND s.dimension = %(dimension)s"
_HOUR = "date_bin('1 hour', d.bucket, timestamptz 'epoch')"
_DUE = (
    "d.tenant_id = %(tenant)s AND d.bucket_s IN (60, 3600)"
    " AND d.bucket >= %(hours_start)s AND d.bucket < %(hours_end)s"
)
_NOT_DUE = (
    "NOT EXISTS (SELECT FROM flow_due d WHERE d.bucket_s = 60 AND d.bucket = s.bucket"
    " AND d.tenant_id = s.tenant_id AND d.device_id = s.device_id)"
)
_HOURS = f"""
SELECT {{columns}} FROM flow_sum_1h s WHERE {_OF} {{devices}}
AND s.bucket >= %(hours_start)s AND s.bucket < %(hours_end)s
AND NOT EXISTS (SELECT FROM flow_due d WHERE {_DUE} AND d.device_id = s.device_id AND {_HOUR} = s.bucket)
"""  # noqa: S608 - composed of constants
_OPEN_HOURS = f"""
SELECT {{columns}} FROM (SELECT DISTINCT d.device_id, {_HOUR} AS hour FROM flow_due d WHERE {_DUE} {{due}}) o
JOIN flow_sum_1m s ON s.device_id = o.device_id AND s.bucket >= o.hour AND s.bucket < o.hour + interval '1 hour'
WHERE {_OF} {{devices}} AND s.bucket >= %(hours_start)s AND s.bucket < %(hours_end)s AND {_NOT_DUE}
"""  # noqa: S608 - composed of constants
_MINUTES = f"""
SELECT {{columns}} FROM flow_sum_1m s WHERE {_OF} {{devices}}
AND s.bucket >= %(start_{{edge}})s AND s.bucket < %(end_{{edge}})s AND {_NOT_DUE}
"""  # noqa: S608 - composed of constants
_BLOCKS = """
SELECT {columns} FROM flow_block b WHERE b.tenant_id = %(tenant)s {devices}
AND b.ts >= %(start)s AND b.ts < %(end)s
"""
_DUE_BLOCKS = """
SELECT {columns} FROM flow_due d
JOIN flow_block b ON b.device_id = d.device_id AND b.ts >= d.bucket AND b.ts < d.bucket + interval '1 minute'
WHERE d.tenant_id = %(tenant)s {due} AND d.bucket_s = 60 AND d.bucket >= %(start)s AND d.bucket < %(end)s
AND b.tenant_id = %(tenant)s {devices} AND b.ts >= %(start)s AND b.ts < %(end)s
"""


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose flows, and of when. ``device_ids``: all of the tenant if empty."""

    tenant_id: str
    device_ids: Sequence[str]
    spans: Spans

    def values(self) -> dict[str, Any]:
        """Return what statements are asked with."""
        spans = self.spans
        found: dict[str, Any] = {
            "tenant": self.tenant_id,
            "devices": list(self.device_ids),
            "start": timestamp(spans.start_us),
            "end": timestamp(spans.end_us),
            "hours_start": timestamp(spans.hours_start_us),
            "hours_end": timestamp(spans.hours_end_us),
        }
        for number, (start_us, end_us) in enumerate(spans.edges):
            found |= {f"start_{number}": timestamp(start_us), f"end_{number}": timestamp(end_us)}
        return found

    def devices(self, table: str) -> str:
        """Return the condition that a table's rows are of these devices."""
        return f"AND {table}.device_id = ANY (%(devices)s::uuid[])" if self.device_ids else ""


class SummedPart(NamedTuple):
    """What one device has in one minute or hour, by key."""

    device_id: str
    bucket_us: int
    keyed: Keyed


class Block(NamedTuple):
    """Records of one device that came within one minute, as far as their columns are wanted."""

    device_id: str
    received_us: int
    records: int
    columns: Columns


@dataclass(slots=True)
class Totals:
    """What everything adds up to by step, and whose it is: more than two devices needn't be told apart."""

    by_step: dict[int, Amounts]
    devices: set[str]


def read_totals(conn: ColdConnection, scope: Scope, step_s: int = 0) -> Totals:
    """Return what is summed up of everything, by the starts of steps; 0: of no steps, by 0."""
    columns = (
        "s.bucket, s.device_id::text AS device,"
        " s.octets[1] AS octets, s.packets[1] AS packets, s.flows[1] AS flows"
    )
    step = "to_us(date_bin(make_interval(secs => %(step)s::float8), t.bucket, timestamptz 'epoch'))"
    rows = conn.fetch(
        f"SELECT {step if step_s else '0::int8'}, sum(t.octets), sum(t.packets), sum(t.flows), min(t.device), max(t.device)"  # noqa: S608 - composed of constants
        f" FROM ({_summed(scope, columns)}) t GROUP BY 1",
        {**scope.values(), "dimension": _TOTAL.name, "step": step_s},
    )
    return Totals(
        {
            int(step_us): Amounts(int(octets), int(packets), int(flows))
            for step_us, octets, packets, flows, *_ in rows
        },
        {device for *_, first, last in rows for device in (first, last)},
    )


def read_sums(
    conn: ColdConnection, scope: Scope, dimension: Dimension, most_keys: int
) -> Iterator[SummedPart]:
    """Yield what is summed up by a dimension. Raises TooManyFlows before it reads more than so many keys."""
    values = {**scope.values(), "dimension": dimension.name}
    ((rows, size),) = conn.fetch(
        f"SELECT count(*), coalesce(sum(octet_length(t.keys)), 0)::int8 FROM ({_summed(scope, 's.keys')}) t",  # noqa: S608 - composed of constants
        values,
    )
    keys = size // dimension.width if dimension.width else rows
    if keys > most_keys:
        raise TooManyFlows(f"{keys} sums by {dimension.name} would have to be read, more than {most_keys}")
    columns = "s.device_id, s.bucket, s.keys, s.octets, s.packets, s.flows"
    for row in conn.stream_raw(_summed(scope, columns), values, at_once=_SUMS_AT_ONCE):
        conn.check()
        yield _summed_part(dimension, [field or b"" for field in row])


def read_due_blocks(conn: ColdConnection, scope: Scope, wanted: Collection[str]) -> Iterator[Block]:
    """Yield the records of minutes that aren't summed up. Raises TooManyFlows before it reads too many."""
    yield from _read_blocks(conn, _DUE_BLOCKS, scope, wanted, "aren't summed up yet")


def read_blocks(conn: ColdConnection, scope: Scope, wanted: Collection[str]) -> Iterator[Block]:
    """Yield all records. Raises TooManyFlows before it reads too many."""
    yield from _read_blocks(conn, _BLOCKS, scope, wanted, "came in that time")


def unpack(
    data: bytes, device_id: str, received_us: int, wanted: Collection[str] | None = None
) -> tuple[int, Columns]:
    """Return how many records a block has, and their columns; with ``wanted`` those only. Raises FlowsDamaged."""
    try:
        count, columns = decode_block(data, wanted)
    except Damaged as error:
        raise FlowsDamaged(
            f"records of flows {_where(device_id, received_us)} can't be read ({error})"
        ) from error
    if not well_typed(columns):
        raise FlowsDamaged(
            f"records of flows {_where(device_id, received_us)} have addresses for numbers, or numbers for addresses"
        )
    if not believable(columns):
        raise FlowsDamaged(f"records of flows {_where(device_id, received_us)} say more than can be")
    return count, columns


def device_of(data: bytes | None) -> str:
    """Return an id as PostgreSQL sends it."""
    return str(uuid.UUID(bytes=data))


def us_of(data: bytes | None) -> int:
    """Return a time as PostgreSQL sends it."""
    return from_postgres_us(int.from_bytes(data or b"", "big", signed=True))


def _summed(scope: Scope, columns: str) -> str:
    parts = [
        _MINUTES.format(columns=columns, devices=scope.devices("s"), edge=number)
        for number in range(len(scope.spans.edges))
    ]
    if scope.spans.by_hours:
        parts += [
            statement.format(columns=columns, devices=scope.devices("s"), due=scope.devices("d"))
            for statement in (_HOURS, _OPEN_HOURS)
        ]
    return " UNION ALL ".join(parts)


def _summed_part(dimension: Dimension, row: Sequence[bytes]) -> SummedPart:
    device_id, bucket_us = device_of(row[0]), us_of(row[1])
    try:
        columns = [array_of(field)[0] for field in row[3:]]
        sums = np.column_stack(columns).astype(np.int64)
        return SummedPart(device_id, bucket_us, Keyed(unpack_keys(row[2], dimension.width, len(sums)), sums))
    except (Damaged, ValueError) as error:
        raise FlowsDamaged(
            f"sums of flows by {dimension.name} {_where(device_id, bucket_us)} can't be read ({error})"
        ) from error


def _read_blocks(
    conn: ColdConnection, statement: str, scope: Scope, wanted: Collection[str], which: str
) -> Iterator[Block]:
    values: Mapping[str, Any] = scope.values()
    devices = {"devices": scope.devices("b"), "due": scope.devices("d")}
    ((records,),) = conn.fetch(
        statement.format(columns="coalesce(sum(b.records), 0)::int8", **devices), values
    )
    if records > MOST_RECORDS:
        raise TooManyFlows(f"{records} records {which}, more than the {MOST_RECORDS} that are looked through")
    columns = "b.device_id, b.ts, b.block"
    for device, ts, data in conn.stream_raw(
        statement.format(columns=columns, **devices), values, at_once=_BLOCKS_AT_ONCE
    ):
        conn.check()
        device_id, received_us = device_of(device), us_of(ts)
        yield Block(device_id, received_us, *unpack(data or b"", device_id, received_us, wanted))


def _where(device_id: str, us: int) -> str:
    return f"of device {device_id} from {datetime.fromtimestamp(us / 1e6, UTC):%Y-%m-%d %H:%M} UTC on"
