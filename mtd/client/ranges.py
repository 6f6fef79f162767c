"""Values over time, as calls give them back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mtd.client.values import word
from mtd.pb.common.v1 import series_pb2
from mtd.pb.telemetry.v1 import telemetry_service_pb2 as pb


@dataclass(frozen=True, slots=True)
class TimeSeries:
    """Values of one series over time; counters come as exact integers.

    In buckets, ``values`` are means, of counters the last ones, and the others
    tell of each bucket: ``minimum``, ``maximum`` and ``p95`` of what isn't a
    counter, ``increases`` of counters, ``counts`` of all. Otherwise they are empty.
    """

    key: str
    metric: str
    instance: str
    label: str
    unit: str
    lane: str
    times_us: Sequence[int]
    values: Sequence[float] | Sequence[int]
    minimum: Sequence[float] = ()
    maximum: Sequence[float] = ()
    p95: Sequence[float] = ()
    increases: Sequence[int] = ()
    counts: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class RangeResult:
    """Series with at least one point; ``bucket_us`` is 0 if the points are as stored.

    ``resolution`` is what was read: ``raw``, ``10s``, ``1m`` or ``5m``.
    """

    series: Sequence[TimeSeries]
    bucket_us: int
    resolution: str = "raw"


def range_of(message: pb.QueryRangeResponse) -> RangeResult:
    """Return stored values of the protocol."""
    series = []
    for found in message.series:
        info = found.info
        is_counter = info.series.lane == series_pb2.LANE_COUNTER
        # Slices are lists, copied whole.
        series.append(
            TimeSeries(
                key=info.key,
                metric=info.series.metric,
                instance=info.series.instance,
                label=info.label,
                unit=info.unit,
                lane=word(series_pb2.Lane, info.series.lane, "LANE_"),
                times_us=found.times_us[:],
                values=found.counters[:] if is_counter else found.values[:],
                minimum=found.min_values[:],
                maximum=found.max_values[:],
                p95=found.p95_values[:],
                increases=found.increases[:],
                counts=found.counts[:],
            )
        )
    return RangeResult(series, message.bucket_us, word(pb.Resolution, message.resolution, "RESOLUTION_"))
