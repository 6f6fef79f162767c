"""Telemetry: frames as they come, and the latest one of each device and poll group."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import NamedTuple

from mtd.core.clock import SYSTEM_CLOCK
from mtd.model.moments import CREDIBLE_AHEAD_S
from mtd.storage import literals
from mtd.storage.txn import Transaction


class FrameRow(NamedTuple):
    """A frame as the texts of its columns, ready to be joined into literals."""

    tenant_id: str
    device_id: str
    seq: int
    layout_id: int
    collected_us: int
    received_us: int
    poll_duration_us: int
    counters: str
    gauges: str
    rates: str
    low_confidence: str  # "{}": none is doubtful
    lease_epoch: int = 0


# About two megabytes of text in one statement: joining and sending them holds the loop for some 4 ms.
_ROWS_AT_ONCE = 512
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_COLUMNS = (
    "tenant_id, device_id, log_id, seq, layout_id, ts_collected, ts_received, poll_duration_us,"
    " counters, gauges, rates, low_confidence"
)
_VALUES = (
    "t.tenant_id, t.device_id, %s::uuid, t.seq, t.layout_id, from_us(t.collected_us), from_us(t.received_us),"
    " t.poll_duration_us, t.counters::int8[], t.gauges::float8[], t.rates::float4[],"
    " nullif(t.low_confidence, '{}')::int2[]"
)
_UNNEST = (
    "unnest(%s::uuid[], %s::uuid[], %s::int8[], %s::int8[], %s::int8[], %s::int8[], %s::int4[],"
    " %s::text[], %s::text[], %s::text[], %s::text[])"
)
_NAMES = (
    "tenant_id, device_id, seq, layout_id, collected_us, received_us, poll_duration_us,"
    " counters, gauges, rates, low_confidence"
)
_INSERT_FRAMES = f"INSERT INTO telemetry_frame ({_COLUMNS}) SELECT {_VALUES} FROM {_UNNEST} AS t ({_NAMES})"

_UPDATED = ", ".join(
    f"{name} = excluded.{name}"
    for name in (
        "log_id",
        "seq",
        "layout_id",
        "ts_collected",
        "ts_received",
        "poll_duration_us",
        "counters",
        "gauges",
        "rates",
        "low_confidence",
    )
)
# Older values replace none, nor do those of a collector that the device was taken from. What lies in the future gives
# way: it is of a clock that was set back since.
_REPLACE_LATEST = (
    " ON CONFLICT (tenant_id, device_id, poll_group) DO UPDATE"
    f" SET {_UPDATED}, lease_epoch = excluded.lease_epoch WHERE l.lease_epoch <= excluded.lease_epoch"
    " AND ((l.ts_collected, l.seq) < (excluded.ts_collected, excluded.seq)"
    f" OR l.ts_collected > from_us(%s) + interval '{CREDIBLE_AHEAD_S} s')"
)
_UPSERT_LATEST = (
    f"INSERT INTO latest AS l (poll_group, lease_epoch, {_COLUMNS})"
    f" SELECT t.poll_group, t.lease_epoch, {_VALUES}"
    f" FROM {_UNNEST.removesuffix(')')}, %s::text[], %s::int8[]) AS t ({_NAMES}, poll_group, lease_epoch)"
    f"{_REPLACE_LATEST}"
)

# The frames stand in telemetry_frame already: found there by the btree and copied, they
# need not be sent and parsed a second time. The bounds let the planner see one partition.
_COPY_LATEST = (
    f"INSERT INTO latest AS l (poll_group, lease_epoch, {_COLUMNS})"
    f" SELECT t.poll_group, t.lease_epoch, {', '.join('f.' + name.strip() for name in _COLUMNS.split(','))}"
    " FROM unnest(%s::uuid[], %s::int8[], %s::int8[], %s::text[], %s::int8[])"
    " AS t (device_id, seq, us, poll_group, lease_epoch)"
    " JOIN telemetry_frame f ON f.device_id = t.device_id AND f.ts_collected = from_us(t.us) AND f.seq = t.seq"
    f" WHERE f.log_id = %s AND f.ts_collected BETWEEN %s AND %s{_REPLACE_LATEST}"
)


class FrameName(NamedTuple):
    """Where a frame stands."""

    device_id: str
    seq: int
    collected_us: int
    poll_group: str
    lease_epoch: int = 0


async def insert_frames(tx: Transaction, log_id: str, rows: Sequence[FrameRow]) -> None:
    """Store frames; their partitions exist."""
    for first in range(0, len(rows), _ROWS_AT_ONCE):
        await tx.execute(_INSERT_FRAMES, [log_id, *_columns(rows[first : first + _ROWS_AT_ONCE])])


async def upsert_latest(
    tx: Transaction, log_id: str, rows: Sequence[FrameRow], poll_groups: Sequence[str]
) -> None:
    """Replace the latest frame of each device and poll group, unless the stored one is newer, or of a newer collector.

    At most one row for each (tenant, device, poll group).
    """
    if rows:
        epochs = literals.plain(row.lease_epoch for row in rows)
        await tx.execute(
            _UPSERT_LATEST,
            [log_id, *_columns(rows), literals.texts(poll_groups), epochs, SYSTEM_CLOCK.now_us()],
        )


def _columns(rows: Sequence[FrameRow]) -> list[str]:
    columns = list(zip(*rows, strict=True))
    return [literals.plain(column) for column in columns[:7]] + [
        literals.nested(column) for column in columns[7:11]
    ]


async def copy_latest(tx: Transaction, log_id: str, frames: Sequence[FrameName]) -> None:
    """Do as ``upsert_latest`` does, for frames that were stored by ``insert_frames``."""
    if not frames:
        return
    devices, seqs, times, groups, epochs = zip(*frames, strict=True)
    await tx.execute(
        _COPY_LATEST,
        [
            literals.plain(devices),
            literals.plain(seqs),
            literals.plain(times),
            literals.texts(groups),
            literals.plain(epochs),
            log_id,
            _EPOCH + dt.timedelta(microseconds=min(times)),
            _EPOCH + dt.timedelta(microseconds=max(times)),
            SYSTEM_CLOCK.now_us(),
        ],
    )
