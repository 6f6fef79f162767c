"""Hours of hot frames: which there are, their values as arrays, and their end."""

from __future__ import annotations

import struct
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mtd.core.errors import Bug
from mtd.storage.cold import frame_rows
from mtd.storage.cold.connection import ColdConnection, from_postgres_us, timestamp
from mtd.storage.partitioned import TELEMETRY_FRAME, Bounds, bounds_of

HOUR_US = 3_600_000_000


@dataclass(frozen=True, slots=True, eq=False)
class FrameRun:
    """Frames of one layout within one hour, ordered by (``us``, ``seq``).

    ``counters`` are 0 where ``counters_absent``, which is None if all are
    there; ``gauges`` are NaN where absent. Of rates it is only told which weren't
    told; None: all were. A layout whose frames are of different lengths, which no
    mtd writes, gives a run for each.
    """

    layout_id: int
    tenant_id: str
    us: NDArray[np.int64]  # n
    seq: NDArray[np.int64]  # n
    counters: NDArray[np.int64]  # n, c
    counters_absent: NDArray[np.bool_] | None  # n, c
    gauges: NDArray[np.float64]  # n, g
    rates_absent: NDArray[np.bool_] | None = None  # n, r

    def __len__(self) -> int:
        return len(self.us)


@dataclass(frozen=True, slots=True)
class StoredLayout:
    """What the values of frames are: (metric, instance) of each place.

    For each rate it is those of the counter that it is of; the metric is empty if
    the catalogue names none.
    """

    poll_group: str
    counters: tuple[tuple[str, str], ...]
    gauges: tuple[tuple[str, str], ...]
    rated: tuple[tuple[str, str], ...] = ()


def closed_hours(connection: ColdConnection, before_us: int) -> list[int]:
    """Return the hours that have frames and end at or before a time, oldest first.

    Whatever partitions hold them: of days there are some from before frames
    were partitioned by the hour.
    """
    hours = [
        hour
        for found in bounds_of_frames(connection)
        for hour in range(found.start_us, min(found.end_us, before_us - HOUR_US + 1), HOUR_US)
        if hour + HOUR_US <= before_us
    ]
    if not hours:
        return []
    rows = connection.fetch(
        "SELECT h.us FROM unnest(%s::int8[]) AS h (us) WHERE EXISTS ("
        " SELECT FROM mtd.telemetry_frame f WHERE f.ts_collected >= mtd.from_us(h.us)"
        " AND f.ts_collected < mtd.from_us(h.us + 3600000000)) ORDER BY 1",
        [hours],
    )
    return [us for (us,) in rows]


def bounds_of_frames(connection: ColdConnection) -> list[Bounds]:
    """Return the partitions of frames with their real bounds, in order."""
    return bounds_of(connection.fetch, TELEMETRY_FRAME)


def devices_in(connection: ColdConnection, hour_us: int) -> list[tuple[str, str]]:
    """Return (tenant, device) of those that have frames in an hour.

    Goes from one device to the next in the index, however many frames each has.
    """
    rows = connection.fetch(
        "WITH RECURSIVE devices AS ("
        " (SELECT f.tenant_id, f.device_id FROM mtd.telemetry_frame f"
        "  WHERE f.ts_collected >= %(since)s AND f.ts_collected < %(until)s ORDER BY f.device_id LIMIT 1)"
        " UNION ALL"
        " SELECT n.tenant_id, n.device_id FROM devices d CROSS JOIN LATERAL ("
        "  SELECT f.tenant_id, f.device_id FROM mtd.telemetry_frame f WHERE f.device_id > d.device_id"
        "  AND f.ts_collected >= %(since)s AND f.ts_collected < %(until)s ORDER BY f.device_id LIMIT 1) n"
        ") SELECT tenant_id::text, device_id::text FROM devices",
        {"since": timestamp(hour_us), "until": timestamp(hour_us + HOUR_US)},
    )
    return [(str(tenant), str(device)) for tenant, device in rows]


def layouts(
    connection: ColdConnection, keys: Collection[tuple[str, int]]
) -> dict[tuple[str, int], StoredLayout]:
    """Return the layouts that are known, by (tenant, layout)."""
    rows = connection.fetch(
        "SELECT s.tenant_id::text, s.layout_id, s.poll_group, e.lane,"
        " CASE e.lane WHEN 'rate' THEN coalesce(m.rate_of, '') ELSE e.metric END, e.instance"
        " FROM mtd.series_layout s JOIN unnest(%s::uuid[], %s::int8[]) AS k (tenant_id, layout_id)"
        "  USING (tenant_id, layout_id)"
        " LEFT JOIN mtd.series_layout_entry e ON e.tenant_id = s.tenant_id AND e.layout_id = s.layout_id"
        " LEFT JOIN mtd.metric m ON m.tenant_id = e.tenant_id AND m.key = e.metric AND e.lane = 'rate'"
        " ORDER BY e.position",
        [[tenant for tenant, _ in keys], [layout_id for _, layout_id in keys]],
    )
    groups: dict[tuple[str, int], str] = {}
    places: dict[tuple[str, int, str], list[tuple[str, str]]] = {}
    for tenant, layout_id, poll_group, lane, metric, instance in rows:
        groups[tenant, layout_id] = poll_group
        if lane is not None:
            places.setdefault((tenant, layout_id, lane), []).append((metric, instance))
    return {
        key: StoredLayout(
            group,
            tuple(places.get((*key, "counter"), ())),
            tuple(places.get((*key, "gauge"), ())),
            tuple(places.get((*key, "rate"), ())),
        )
        for key, group in groups.items()
    }


def read_unit(
    connection: ColdConnection, device_id: str, hour_us: int, poll_group: str | None = None
) -> list[FrameRun]:
    """Return the frames of a device within an hour, of one poll group or of all.

    Frames whose layout was never declared belong to no poll group.
    """
    sql = (
        "COPY (SELECT f.tenant_id, f.layout_id, f.ts_collected, f.seq, f.counters, f.gauges,"
        # Only whether one of them is NULL is looked at, which its header tells.
        " CASE WHEN array_position(f.rates, NULL) IS NOT NULL THEN f.rates END"
        " FROM mtd.telemetry_frame f WHERE f.device_id = %s AND f.ts_collected >= %s AND f.ts_collected < %s"
    )
    params: list[object] = [uuid.UUID(device_id), timestamp(hour_us), timestamp(hour_us + HOUR_US)]
    if poll_group is not None:
        sql += (
            " AND f.layout_id IN (SELECT s.layout_id FROM mtd.series_layout s"
            " WHERE s.tenant_id = f.tenant_id AND s.poll_group = %s)"
        )
        params.append(poll_group)
    parts = frame_rows.parse(connection.copy_out(f"{sql}) TO STDOUT (FORMAT BINARY)", params))
    runs: dict[tuple[bytes, int, int], list[frame_rows.Part]] = {}
    for part in parts:
        runs.setdefault((part.names, part.counters.shape[1], part.gauges.shape[1]), []).append(part)
    return [_run(names, found) for (names, _, _), found in runs.items()]


def _run(names: bytes, parts: Sequence[frame_rows.Part]) -> FrameRun:
    us = np.concatenate([part.postgres_us for part in parts])
    us += from_postgres_us(0)
    seq = np.concatenate([part.seq for part in parts])
    counters = np.concatenate([part.counters for part in parts])
    gauges = np.concatenate([part.gauges for part in parts])
    absent = None
    if any(part.counters_absent is not None for part in parts):
        absent = np.concatenate([part.absent_counters() for part in parts])
    unrated = _absent_rates(parts)
    order = np.lexsort((seq, us))
    if not (order[1:] > order[:-1]).all():  # as they come from the heap they usually are in order
        us, seq, counters, gauges = us[order], seq[order], counters[order], gauges[order]
        absent = None if absent is None else absent[order]
        unrated = None if unrated is None else unrated[order]
    return FrameRun(
        struct.unpack(">q", names[16:])[0],
        str(uuid.UUID(bytes=names[:16])),
        us,
        seq,
        counters,
        absent,
        gauges,
        unrated,
    )


def _absent_rates(parts: Sequence[frame_rows.Part]) -> NDArray[np.bool_] | None:
    counts = {len(part.rates_absent) for part in parts if part.rates_absent is not None}
    if not counts:
        return None
    # Of different numbers of rates, which no mtd writes, nothing is known.
    if len(counts) > 1:
        return None
    (rates,) = counts
    return np.concatenate([part.absent_rates(rates) for part in parts])


def delete_unit(
    connection: ColdConnection, device_id: str, hour_us: int, layout_ids: Collection[int] | None = None
) -> int:
    """Delete the frames of a device within an hour, of some layouts or of all; return how many.

    Within the transaction that read them: then those that came since stay.
    """
    if not connection.in_transaction:
        raise Bug("frames are deleted in the transaction that stores what became of them")
    sql = "DELETE FROM mtd.telemetry_frame WHERE device_id = %s AND ts_collected >= %s AND ts_collected < %s"
    params: list[object] = [uuid.UUID(device_id), timestamp(hour_us), timestamp(hour_us + HOUR_US)]
    if layout_ids is not None:
        sql += " AND layout_id = ANY (%s::int8[])"
        params.append(list(layout_ids))
    return connection.execute(sql, params)
