from mtd.pb.common.v1 import series_pb2 as _series_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SeriesLayout(_message.Message):
    __slots__ = ("layout_id", "poll_group", "series")
    LAYOUT_ID_FIELD_NUMBER: _ClassVar[int]
    POLL_GROUP_FIELD_NUMBER: _ClassVar[int]
    SERIES_FIELD_NUMBER: _ClassVar[int]
    layout_id: int
    poll_group: str
    series: _containers.RepeatedCompositeFieldContainer[_series_pb2.Series]
    def __init__(self, layout_id: _Optional[int] = ..., poll_group: _Optional[str] = ..., series: _Optional[_Iterable[_Union[_series_pb2.Series, _Mapping]]] = ...) -> None: ...

class Frame(_message.Message):
    __slots__ = ("layout_id", "counters", "counters_present", "gauges", "rates", "low_confidence", "poll_duration_us")
    LAYOUT_ID_FIELD_NUMBER: _ClassVar[int]
    COUNTERS_FIELD_NUMBER: _ClassVar[int]
    COUNTERS_PRESENT_FIELD_NUMBER: _ClassVar[int]
    GAUGES_FIELD_NUMBER: _ClassVar[int]
    RATES_FIELD_NUMBER: _ClassVar[int]
    LOW_CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    POLL_DURATION_US_FIELD_NUMBER: _ClassVar[int]
    layout_id: int
    counters: _containers.RepeatedScalarFieldContainer[int]
    counters_present: bytes
    gauges: _containers.RepeatedScalarFieldContainer[float]
    rates: _containers.RepeatedScalarFieldContainer[float]
    low_confidence: _containers.RepeatedScalarFieldContainer[int]
    poll_duration_us: int
    def __init__(self, layout_id: _Optional[int] = ..., counters: _Optional[_Iterable[int]] = ..., counters_present: _Optional[bytes] = ..., gauges: _Optional[_Iterable[float]] = ..., rates: _Optional[_Iterable[float]] = ..., low_confidence: _Optional[_Iterable[int]] = ..., poll_duration_us: _Optional[int] = ...) -> None: ...
