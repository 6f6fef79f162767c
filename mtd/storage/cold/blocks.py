"""Rows of ``telemetry_block`` and ``telemetry_axis``."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtd.codec.blocks.axis import Axis
from mtd.codec.blocks.block import Block
from mtd.storage.cold import binary
from mtd.storage.cold.binary import integer_of, present
from mtd.storage.cold.connection import ColdConnection, from_postgres_us, timestamp, to_postgres_us

HOUR_US = 3_600_000_000


@dataclass(frozen=True, slots=True, eq=False)
class BlockRow:
    """A block of a series and hour."""

    tenant_id: str
    series_id: int
    hour_us: int
    retention: str
    block: Block


@dataclass(frozen=True, slots=True, eq=False)
class AxisRow:
    """The times of the polls of a device's poll group within an hour."""

    tenant_id: str
    device_id: str
    poll_group: str
    hour_us: int
    axis: Axis


_BLOCK_COLUMNS = (
    "tenant_id, hour, base, series_id, divisor, points, form, retention,"
    " value1, value2, value4, value8, value8f, packed, withheld"
)
_AXIS_COLUMNS = "tenant_id, device_id, hour, polls, first_ms, step_ms, poll_group, jitter1, jitter2, jitter4"
_VALUE_COLUMNS = ("i1", "i2", "i4", "i8", "f8")
_JITTER_COLUMNS = _VALUE_COLUMNS[:3]


def write_blocks(connection: ColdConnection, rows: Iterable[BlockRow]) -> int:
    """Store blocks whose partitions exist; return how many. Raises Duplicate for one that is there."""
    return _copy(connection, "telemetry_block", _BLOCK_COLUMNS, map(_block_fields, rows))


def replace_blocks(connection: ColdConnection, rows: Sequence[BlockRow]) -> int:
    """Store blocks in the place of those of the same series and hours, whatever their class; return how many."""
    hours: dict[int, list[int]] = {}
    for row in rows:
        hours.setdefault(row.hour_us, []).append(row.series_id)
    for hour_us, series_ids in hours.items():
        delete_blocks(connection, series_ids, hour_us)
    return write_blocks(connection, rows)


def delete_blocks(connection: ColdConnection, series_ids: Collection[int], hour_us: int) -> int:
    """Delete the blocks of series of an hour; return how many there were."""
    return connection.execute(
        "DELETE FROM mtd.telemetry_block WHERE series_id = ANY (%s::int4[]) AND hour = %s",
        [list(series_ids), timestamp(hour_us)],
    )


def read_blocks(
    connection: ColdConnection, series_ids: Collection[int], from_us: int, until_us: int
) -> list[BlockRow]:
    """Return the blocks of series that may hold points of [from, until), by series and hour."""
    rows = connection.fetch_raw(
        f"SELECT {_BLOCK_COLUMNS} FROM mtd.telemetry_block"
        " WHERE series_id = ANY (%s::int4[]) AND hour >= %s AND hour < %s ORDER BY series_id, hour",
        [list(series_ids), timestamp(from_us - from_us % HOUR_US), timestamp(until_us)],
    )
    return [_block_row(row) for row in rows]


def write_axes(connection: ColdConnection, rows: Iterable[AxisRow]) -> int:
    """Store axes whose partitions exist; return how many. Raises Duplicate for one that is there."""
    return _copy(connection, "telemetry_axis", _AXIS_COLUMNS, map(_axis_fields, rows))


def replace_axes(connection: ColdConnection, rows: Sequence[AxisRow]) -> int:
    """Store axes in the place of those of the same device, poll group and hour; return how many."""
    for row in rows:
        connection.execute(
            "DELETE FROM mtd.telemetry_axis WHERE device_id = %s AND poll_group = %s AND hour = %s",
            [row.device_id, row.poll_group, timestamp(row.hour_us)],
        )
    return write_axes(connection, rows)


def read_axes(
    connection: ColdConnection,
    device_id: str,
    poll_groups: Collection[str] | None,
    from_us: int,
    until_us: int,
) -> list[AxisRow]:
    """Return the axes of a device that may hold polls of [from, until), by poll group (None: all) and hour."""
    rows = connection.fetch_raw(
        f"SELECT {_AXIS_COLUMNS} FROM mtd.telemetry_axis WHERE device_id = %s AND hour >= %s AND hour < %s"
        + (" AND poll_group = ANY (%s::text[])" if poll_groups is not None else "")
        + " ORDER BY poll_group, hour",
        [
            uuid.UUID(device_id),
            timestamp(from_us - from_us % HOUR_US),
            timestamp(until_us),
            *([] if poll_groups is None else [list(poll_groups)]),
        ],
    )
    return [_axis_row(row) for row in rows]


def read_axes_of(
    connection: ColdConnection, device_ids: Collection[str], from_us: int, until_us: int
) -> list[AxisRow]:
    """Return the axes of devices that may hold polls of [from, until), in no order."""
    rows = connection.fetch_raw(
        f"SELECT {_AXIS_COLUMNS} FROM mtd.telemetry_axis"
        " WHERE device_id = ANY (%s::uuid[]) AND hour >= %s AND hour < %s",
        [list(device_ids), timestamp(from_us - from_us % HOUR_US), timestamp(until_us)],
    )
    return [_axis_row(row) for row in rows]


def _copy(connection: ColdConnection, table: str, columns: str, rows: Iterable[Sequence[bytes]]) -> int:
    return connection.copy_in(
        f"COPY mtd.{table} ({columns}) FROM STDIN (FORMAT BINARY)", binary.copy_data(rows)
    )


def _block_fields(row: BlockRow) -> list[bytes]:
    block = row.block
    return [
        binary.bytes_field(uuid.UUID(row.tenant_id).bytes),
        binary.int8_field(to_postgres_us(row.hour_us)),
        binary.int8_field(block.base),
        binary.int4_field(row.series_id),
        binary.int4_field(block.divisor),
        binary.int4_field(block.points),
        binary.bytes_field(block.form.encode()),
        binary.bytes_field(row.retention.encode()),
        *_arrays(block.values, block.absent, _VALUE_COLUMNS),
        binary.bytes_field(block.packed) if block.packed else binary.NULL_FIELD,
        # Subscripts, which count from 1.
        binary.NULL_FIELD if block.withheld is None else binary.array_field(block.withheld + np.int32(1)),
    ]


def _axis_fields(row: AxisRow) -> list[bytes]:
    axis = row.axis
    return [
        binary.bytes_field(uuid.UUID(row.tenant_id).bytes),
        binary.bytes_field(uuid.UUID(row.device_id).bytes),
        binary.int8_field(to_postgres_us(row.hour_us)),
        binary.int4_field(axis.polls),
        binary.int4_field(axis.first_ms),
        binary.int4_field(axis.step_ms),
        binary.bytes_field(row.poll_group.encode()),
        *_arrays(axis.jitter, None, _JITTER_COLUMNS),
    ]


def _arrays(
    values: NDArray[Any] | None, absent: NDArray[np.bool_] | None, columns: Sequence[str]
) -> Iterator[bytes]:
    code = "" if values is None else values.dtype.str[1:]
    for column in columns:
        if values is None or column != code:
            yield binary.NULL_FIELD
        else:
            yield binary.array_field(values, absent)


def _array(columns: Sequence[bytes | None]) -> tuple[NDArray[Any] | None, NDArray[np.bool_] | None]:
    for data in columns:
        if data is not None:
            return binary.array_of(data)
    return None, None


def _block_row(row: Sequence[bytes | None]) -> BlockRow:
    tenant, hour, base, series_id, divisor, points, form, retention, *arrays, packed, withheld = row
    values, absent = _array(arrays)
    return BlockRow(
        str(uuid.UUID(bytes=present(tenant))),
        integer_of(series_id),
        from_postgres_us(integer_of(hour)),
        present(retention).decode(),
        Block(
            present(form).decode(),
            integer_of(base),
            integer_of(divisor),
            integer_of(points),
            values,
            absent,
            packed or b"",
            None if withheld is None else binary.array_of(withheld)[0] - np.int32(1),
        ),
    )


def _axis_row(row: Sequence[bytes | None]) -> AxisRow:
    tenant, device, hour, polls, first_ms, step_ms, poll_group, *arrays = row
    return AxisRow(
        str(uuid.UUID(bytes=present(tenant))),
        str(uuid.UUID(bytes=present(device))),
        present(poll_group).decode(),
        from_postgres_us(integer_of(hour)),
        Axis(integer_of(polls), integer_of(first_ms), integer_of(step_ms), _array(arrays)[0]),
    )
