"""Values over time as the protocol shows them, and what was asked of them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from mtd.api.grpc.packed import Parts, delimited, packed_doubles, packed_int64s
from mtd.core.errors import Refused
from mtd.model.metric import Lane
from mtd.model.pb_enums import LANE
from mtd.pb.common.v1 import series_pb2
from mtd.pb.telemetry.v1 import telemetry_service_pb2 as pb
from mtd.queries.records import RangeAnswer, SeriesPoints
from mtd.queries.resolution import Resolution

_RESOLUTIONS: Mapping[Resolution, pb.Resolution] = MappingProxyType(
    {
        Resolution.AUTO: pb.RESOLUTION_AUTO,
        Resolution.RAW: pb.RESOLUTION_RAW,
        Resolution.TEN_SECONDS: pb.RESOLUTION_10S,
        Resolution.MINUTE: pb.RESOLUTION_1M,
        Resolution.FIVE_MINUTES: pb.RESOLUTION_5M,
    }
)
_ASKED = {number: one for one, number in _RESOLUTIONS.items()}
_ASKED[pb.RESOLUTION_UNSPECIFIED] = Resolution.AUTO

_FIELDS = {field.name: field.number for field in pb.TimeSeries.DESCRIPTOR.fields}
_SERIES = pb.QueryRangeResponse.DESCRIPTOR.fields_by_name["series"].number


def resolution_of(number: int) -> Resolution:
    """Return the resolution that a caller asks for. Raises Refused for one that is newer than we are."""
    if number not in _ASKED:
        raise Refused(f"there is no resolution {number}: name one that this server has, or none")
    return _ASKED[number]  # type: ignore[index]


def range_message(answer: RangeAnswer) -> pb.QueryRangeResponse:
    """Return stored points as the protocol shows them."""
    return pb.QueryRangeResponse.FromString(range_bytes(answer))


def range_bytes(answer: RangeAnswer) -> bytes:
    """Return ``range_message`` as it is sent. For a thread if it is large."""
    head = pb.QueryRangeResponse(bucket_us=answer.bucket_us, resolution=_RESOLUTIONS[answer.resolution])
    # Messages that are joined are one message with all that is repeated in them.
    parts: Parts = [head.SerializeToString()]
    for one in answer.series:
        parts += delimited(_SERIES, _series(one))
    return b"".join(parts)


def _series(points: SeriesPoints) -> Parts:
    counter = points.lane is Lane.COUNTER
    return [
        *delimited(_FIELDS["info"], [_info(points).SerializeToString()]),
        *packed_int64s(_FIELDS["times_us"], points.times_us),
        *packed_doubles(_FIELDS["values"], () if counter else points.values),
        *packed_int64s(_FIELDS["counters"], points.counters if counter else ()),
        *packed_doubles(_FIELDS["min_values"], points.minimum),
        *packed_doubles(_FIELDS["max_values"], points.maximum),
        *packed_doubles(_FIELDS["p95_values"], points.p95),
        *packed_int64s(_FIELDS["increases"], points.increases),
        *packed_int64s(_FIELDS["counts"], points.counts),
    ]


def _info(points: SeriesPoints) -> pb.SeriesInfo:
    return pb.SeriesInfo(
        key=points.key,
        series=series_pb2.Series(
            metric=points.metric, instance=points.instance, lane=LANE.to_pb(points.lane)
        ),
        label=points.label,
        unit=points.unit,
    )
