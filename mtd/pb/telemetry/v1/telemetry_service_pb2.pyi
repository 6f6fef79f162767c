from mtd.pb.common.v1 import device_pb2 as _device_pb2
from mtd.pb.common.v1 import series_pb2 as _series_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Selector(_message.Message):
    __slots__ = ("devices", "metrics")
    DEVICES_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    devices: _containers.RepeatedScalarFieldContainer[str]
    metrics: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, devices: _Optional[_Iterable[str]] = ..., metrics: _Optional[_Iterable[str]] = ...) -> None: ...

class StreamLatestRequest(_message.Message):
    __slots__ = ("selector",)
    SELECTOR_FIELD_NUMBER: _ClassVar[int]
    selector: Selector
    def __init__(self, selector: _Optional[_Union[Selector, _Mapping]] = ...) -> None: ...

class SeriesInfo(_message.Message):
    __slots__ = ("key", "series", "label", "unit")
    KEY_FIELD_NUMBER: _ClassVar[int]
    SERIES_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    key: str
    series: _series_pb2.Series
    label: str
    unit: str
    def __init__(self, key: _Optional[str] = ..., series: _Optional[_Union[_series_pb2.Series, _Mapping]] = ..., label: _Optional[str] = ..., unit: _Optional[str] = ...) -> None: ...

class StreamLayout(_message.Message):
    __slots__ = ("layout", "device_id", "device_name", "poll_group", "series")
    LAYOUT_FIELD_NUMBER: _ClassVar[int]
    DEVICE_ID_FIELD_NUMBER: _ClassVar[int]
    DEVICE_NAME_FIELD_NUMBER: _ClassVar[int]
    POLL_GROUP_FIELD_NUMBER: _ClassVar[int]
    SERIES_FIELD_NUMBER: _ClassVar[int]
    layout: int
    device_id: str
    device_name: str
    poll_group: str
    series: _containers.RepeatedCompositeFieldContainer[SeriesInfo]
    def __init__(self, layout: _Optional[int] = ..., device_id: _Optional[str] = ..., device_name: _Optional[str] = ..., poll_group: _Optional[str] = ..., series: _Optional[_Iterable[_Union[SeriesInfo, _Mapping]]] = ...) -> None: ...

class LatestUpdate(_message.Message):
    __slots__ = ("layout", "collected_at_us", "received_at_us", "counters", "counters_present", "gauges", "rates", "skipped")
    LAYOUT_FIELD_NUMBER: _ClassVar[int]
    COLLECTED_AT_US_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_AT_US_FIELD_NUMBER: _ClassVar[int]
    COUNTERS_FIELD_NUMBER: _ClassVar[int]
    COUNTERS_PRESENT_FIELD_NUMBER: _ClassVar[int]
    GAUGES_FIELD_NUMBER: _ClassVar[int]
    RATES_FIELD_NUMBER: _ClassVar[int]
    SKIPPED_FIELD_NUMBER: _ClassVar[int]
    layout: int
    collected_at_us: int
    received_at_us: int
    counters: _containers.RepeatedScalarFieldContainer[int]
    counters_present: bytes
    gauges: _containers.RepeatedScalarFieldContainer[float]
    rates: _containers.RepeatedScalarFieldContainer[float]
    skipped: int
    def __init__(self, layout: _Optional[int] = ..., collected_at_us: _Optional[int] = ..., received_at_us: _Optional[int] = ..., counters: _Optional[_Iterable[int]] = ..., counters_present: _Optional[bytes] = ..., gauges: _Optional[_Iterable[float]] = ..., rates: _Optional[_Iterable[float]] = ..., skipped: _Optional[int] = ...) -> None: ...

class LatestBatch(_message.Message):
    __slots__ = ("layouts", "updates")
    LAYOUTS_FIELD_NUMBER: _ClassVar[int]
    UPDATES_FIELD_NUMBER: _ClassVar[int]
    layouts: _containers.RepeatedCompositeFieldContainer[StreamLayout]
    updates: _containers.RepeatedCompositeFieldContainer[LatestUpdate]
    def __init__(self, layouts: _Optional[_Iterable[_Union[StreamLayout, _Mapping]]] = ..., updates: _Optional[_Iterable[_Union[LatestUpdate, _Mapping]]] = ...) -> None: ...

class DeviceGone(_message.Message):
    __slots__ = ("device_id",)
    DEVICE_ID_FIELD_NUMBER: _ClassVar[int]
    device_id: str
    def __init__(self, device_id: _Optional[str] = ...) -> None: ...

class StreamLatestResponse(_message.Message):
    __slots__ = ("layout", "update", "batch", "gone")
    LAYOUT_FIELD_NUMBER: _ClassVar[int]
    UPDATE_FIELD_NUMBER: _ClassVar[int]
    BATCH_FIELD_NUMBER: _ClassVar[int]
    GONE_FIELD_NUMBER: _ClassVar[int]
    layout: StreamLayout
    update: LatestUpdate
    batch: LatestBatch
    gone: DeviceGone
    def __init__(self, layout: _Optional[_Union[StreamLayout, _Mapping]] = ..., update: _Optional[_Union[LatestUpdate, _Mapping]] = ..., batch: _Optional[_Union[LatestBatch, _Mapping]] = ..., gone: _Optional[_Union[DeviceGone, _Mapping]] = ...) -> None: ...

class QueryRangeRequest(_message.Message):
    __slots__ = ("device", "metrics", "start_us", "end_us", "max_points")
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    START_US_FIELD_NUMBER: _ClassVar[int]
    END_US_FIELD_NUMBER: _ClassVar[int]
    MAX_POINTS_FIELD_NUMBER: _ClassVar[int]
    device: str
    metrics: _containers.RepeatedScalarFieldContainer[str]
    start_us: int
    end_us: int
    max_points: int
    def __init__(self, device: _Optional[str] = ..., metrics: _Optional[_Iterable[str]] = ..., start_us: _Optional[int] = ..., end_us: _Optional[int] = ..., max_points: _Optional[int] = ...) -> None: ...

class TimeSeries(_message.Message):
    __slots__ = ("info", "times_us", "values", "counters")
    INFO_FIELD_NUMBER: _ClassVar[int]
    TIMES_US_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    COUNTERS_FIELD_NUMBER: _ClassVar[int]
    info: SeriesInfo
    times_us: _containers.RepeatedScalarFieldContainer[int]
    values: _containers.RepeatedScalarFieldContainer[float]
    counters: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, info: _Optional[_Union[SeriesInfo, _Mapping]] = ..., times_us: _Optional[_Iterable[int]] = ..., values: _Optional[_Iterable[float]] = ..., counters: _Optional[_Iterable[int]] = ...) -> None: ...

class QueryRangeResponse(_message.Message):
    __slots__ = ("series", "bucket_us")
    SERIES_FIELD_NUMBER: _ClassVar[int]
    BUCKET_US_FIELD_NUMBER: _ClassVar[int]
    series: _containers.RepeatedCompositeFieldContainer[TimeSeries]
    bucket_us: int
    def __init__(self, series: _Optional[_Iterable[_Union[TimeSeries, _Mapping]]] = ..., bucket_us: _Optional[int] = ...) -> None: ...

class StreamEventsRequest(_message.Message):
    __slots__ = ("after_position", "only_new", "devices", "min_severity", "until_now")
    AFTER_POSITION_FIELD_NUMBER: _ClassVar[int]
    ONLY_NEW_FIELD_NUMBER: _ClassVar[int]
    DEVICES_FIELD_NUMBER: _ClassVar[int]
    MIN_SEVERITY_FIELD_NUMBER: _ClassVar[int]
    UNTIL_NOW_FIELD_NUMBER: _ClassVar[int]
    after_position: int
    only_new: bool
    devices: _containers.RepeatedScalarFieldContainer[str]
    min_severity: _device_pb2.Severity
    until_now: bool
    def __init__(self, after_position: _Optional[int] = ..., only_new: _Optional[bool] = ..., devices: _Optional[_Iterable[str]] = ..., min_severity: _Optional[_Union[_device_pb2.Severity, str]] = ..., until_now: _Optional[bool] = ...) -> None: ...

class Event(_message.Message):
    __slots__ = ("position", "collected_at_us", "device_id", "device_name", "event_type", "severity", "entity_type", "entity_id", "entity_label", "field", "old_value", "new_value", "message")
    POSITION_FIELD_NUMBER: _ClassVar[int]
    COLLECTED_AT_US_FIELD_NUMBER: _ClassVar[int]
    DEVICE_ID_FIELD_NUMBER: _ClassVar[int]
    DEVICE_NAME_FIELD_NUMBER: _ClassVar[int]
    EVENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    SEVERITY_FIELD_NUMBER: _ClassVar[int]
    ENTITY_TYPE_FIELD_NUMBER: _ClassVar[int]
    ENTITY_ID_FIELD_NUMBER: _ClassVar[int]
    ENTITY_LABEL_FIELD_NUMBER: _ClassVar[int]
    FIELD_FIELD_NUMBER: _ClassVar[int]
    OLD_VALUE_FIELD_NUMBER: _ClassVar[int]
    NEW_VALUE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    position: int
    collected_at_us: int
    device_id: str
    device_name: str
    event_type: str
    severity: _device_pb2.Severity
    entity_type: str
    entity_id: str
    entity_label: str
    field: str
    old_value: str
    new_value: str
    message: str
    def __init__(self, position: _Optional[int] = ..., collected_at_us: _Optional[int] = ..., device_id: _Optional[str] = ..., device_name: _Optional[str] = ..., event_type: _Optional[str] = ..., severity: _Optional[_Union[_device_pb2.Severity, str]] = ..., entity_type: _Optional[str] = ..., entity_id: _Optional[str] = ..., entity_label: _Optional[str] = ..., field: _Optional[str] = ..., old_value: _Optional[str] = ..., new_value: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...

class StreamEventsResponse(_message.Message):
    __slots__ = ("event",)
    EVENT_FIELD_NUMBER: _ClassVar[int]
    event: Event
    def __init__(self, event: _Optional[_Union[Event, _Mapping]] = ...) -> None: ...

class ListMetricsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListMetricsResponse(_message.Message):
    __slots__ = ("catalogue_version", "metrics")
    CATALOGUE_VERSION_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    catalogue_version: str
    metrics: _containers.RepeatedCompositeFieldContainer[_series_pb2.Metric]
    def __init__(self, catalogue_version: _Optional[str] = ..., metrics: _Optional[_Iterable[_Union[_series_pb2.Metric, _Mapping]]] = ...) -> None: ...
