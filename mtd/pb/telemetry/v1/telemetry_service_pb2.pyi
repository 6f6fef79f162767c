from mtd.pb.common.v1 import access_pb2 as _access_pb2
from mtd.pb.common.v1 import device_pb2 as _device_pb2
from mtd.pb.common.v1 import series_pb2 as _series_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Resolution(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RESOLUTION_UNSPECIFIED: _ClassVar[Resolution]
    RESOLUTION_AUTO: _ClassVar[Resolution]
    RESOLUTION_RAW: _ClassVar[Resolution]
    RESOLUTION_10S: _ClassVar[Resolution]
    RESOLUTION_1M: _ClassVar[Resolution]
    RESOLUTION_5M: _ClassVar[Resolution]

class TopBy(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TOP_BY_UNSPECIFIED: _ClassVar[TopBy]
    TOP_BY_RX: _ClassVar[TopBy]
    TOP_BY_TX: _ClassVar[TopBy]
    TOP_BY_UTILIZATION: _ClassVar[TopBy]
    TOP_BY_ERRORS: _ClassVar[TopBy]

class EvidenceSource(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EVIDENCE_SOURCE_UNSPECIFIED: _ClassVar[EvidenceSource]
    EVIDENCE_SOURCE_POLL: _ClassVar[EvidenceSource]
    EVIDENCE_SOURCE_SYSLOG: _ClassVar[EvidenceSource]
    EVIDENCE_SOURCE_TRAP: _ClassVar[EvidenceSource]
RESOLUTION_UNSPECIFIED: Resolution
RESOLUTION_AUTO: Resolution
RESOLUTION_RAW: Resolution
RESOLUTION_10S: Resolution
RESOLUTION_1M: Resolution
RESOLUTION_5M: Resolution
TOP_BY_UNSPECIFIED: TopBy
TOP_BY_RX: TopBy
TOP_BY_TX: TopBy
TOP_BY_UTILIZATION: TopBy
TOP_BY_ERRORS: TopBy
EVIDENCE_SOURCE_UNSPECIFIED: EvidenceSource
EVIDENCE_SOURCE_POLL: EvidenceSource
EVIDENCE_SOURCE_SYSLOG: EvidenceSource
EVIDENCE_SOURCE_TRAP: EvidenceSource

class Selector(_message.Message):
    __slots__ = ("devices", "metrics")
    DEVICES_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    devices: _containers.RepeatedScalarFieldContainer[str]
    metrics: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, devices: _Optional[_Iterable[str]] = ..., metrics: _Optional[_Iterable[str]] = ...) -> None: ...

class StreamLatestRequest(_message.Message):
    __slots__ = ("selector", "resume_token")
    SELECTOR_FIELD_NUMBER: _ClassVar[int]
    RESUME_TOKEN_FIELD_NUMBER: _ClassVar[int]
    selector: Selector
    resume_token: str
    def __init__(self, selector: _Optional[_Union[Selector, _Mapping]] = ..., resume_token: _Optional[str] = ...) -> None: ...

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
    __slots__ = ("layout", "update", "batch", "gone", "resume_token")
    LAYOUT_FIELD_NUMBER: _ClassVar[int]
    UPDATE_FIELD_NUMBER: _ClassVar[int]
    BATCH_FIELD_NUMBER: _ClassVar[int]
    GONE_FIELD_NUMBER: _ClassVar[int]
    RESUME_TOKEN_FIELD_NUMBER: _ClassVar[int]
    layout: StreamLayout
    update: LatestUpdate
    batch: LatestBatch
    gone: DeviceGone
    resume_token: str
    def __init__(self, layout: _Optional[_Union[StreamLayout, _Mapping]] = ..., update: _Optional[_Union[LatestUpdate, _Mapping]] = ..., batch: _Optional[_Union[LatestBatch, _Mapping]] = ..., gone: _Optional[_Union[DeviceGone, _Mapping]] = ..., resume_token: _Optional[str] = ...) -> None: ...

class QueryRangeRequest(_message.Message):
    __slots__ = ("device", "metrics", "start_us", "end_us", "max_points", "resolution")
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    START_US_FIELD_NUMBER: _ClassVar[int]
    END_US_FIELD_NUMBER: _ClassVar[int]
    MAX_POINTS_FIELD_NUMBER: _ClassVar[int]
    RESOLUTION_FIELD_NUMBER: _ClassVar[int]
    device: str
    metrics: _containers.RepeatedScalarFieldContainer[str]
    start_us: int
    end_us: int
    max_points: int
    resolution: Resolution
    def __init__(self, device: _Optional[str] = ..., metrics: _Optional[_Iterable[str]] = ..., start_us: _Optional[int] = ..., end_us: _Optional[int] = ..., max_points: _Optional[int] = ..., resolution: _Optional[_Union[Resolution, str]] = ...) -> None: ...

class TimeSeries(_message.Message):
    __slots__ = ("info", "times_us", "values", "counters", "min_values", "max_values", "p95_values", "increases", "counts")
    INFO_FIELD_NUMBER: _ClassVar[int]
    TIMES_US_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    COUNTERS_FIELD_NUMBER: _ClassVar[int]
    MIN_VALUES_FIELD_NUMBER: _ClassVar[int]
    MAX_VALUES_FIELD_NUMBER: _ClassVar[int]
    P95_VALUES_FIELD_NUMBER: _ClassVar[int]
    INCREASES_FIELD_NUMBER: _ClassVar[int]
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    info: SeriesInfo
    times_us: _containers.RepeatedScalarFieldContainer[int]
    values: _containers.RepeatedScalarFieldContainer[float]
    counters: _containers.RepeatedScalarFieldContainer[int]
    min_values: _containers.RepeatedScalarFieldContainer[float]
    max_values: _containers.RepeatedScalarFieldContainer[float]
    p95_values: _containers.RepeatedScalarFieldContainer[float]
    increases: _containers.RepeatedScalarFieldContainer[int]
    counts: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, info: _Optional[_Union[SeriesInfo, _Mapping]] = ..., times_us: _Optional[_Iterable[int]] = ..., values: _Optional[_Iterable[float]] = ..., counters: _Optional[_Iterable[int]] = ..., min_values: _Optional[_Iterable[float]] = ..., max_values: _Optional[_Iterable[float]] = ..., p95_values: _Optional[_Iterable[float]] = ..., increases: _Optional[_Iterable[int]] = ..., counts: _Optional[_Iterable[int]] = ...) -> None: ...

class QueryRangeResponse(_message.Message):
    __slots__ = ("series", "bucket_us", "resolution")
    SERIES_FIELD_NUMBER: _ClassVar[int]
    BUCKET_US_FIELD_NUMBER: _ClassVar[int]
    RESOLUTION_FIELD_NUMBER: _ClassVar[int]
    series: _containers.RepeatedCompositeFieldContainer[TimeSeries]
    bucket_us: int
    resolution: Resolution
    def __init__(self, series: _Optional[_Iterable[_Union[TimeSeries, _Mapping]]] = ..., bucket_us: _Optional[int] = ..., resolution: _Optional[_Union[Resolution, str]] = ...) -> None: ...

class QueryLatestRequest(_message.Message):
    __slots__ = ("selector", "page_size", "page_token")
    SELECTOR_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    selector: Selector
    page_size: int
    page_token: str
    def __init__(self, selector: _Optional[_Union[Selector, _Mapping]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class LatestValue(_message.Message):
    __slots__ = ("device_id", "device_name", "info", "collected_at_us", "value", "counter")
    DEVICE_ID_FIELD_NUMBER: _ClassVar[int]
    DEVICE_NAME_FIELD_NUMBER: _ClassVar[int]
    INFO_FIELD_NUMBER: _ClassVar[int]
    COLLECTED_AT_US_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    COUNTER_FIELD_NUMBER: _ClassVar[int]
    device_id: str
    device_name: str
    info: SeriesInfo
    collected_at_us: int
    value: float
    counter: int
    def __init__(self, device_id: _Optional[str] = ..., device_name: _Optional[str] = ..., info: _Optional[_Union[SeriesInfo, _Mapping]] = ..., collected_at_us: _Optional[int] = ..., value: _Optional[float] = ..., counter: _Optional[int] = ...) -> None: ...

class QueryLatestResponse(_message.Message):
    __slots__ = ("values", "next_page_token", "age_ms")
    VALUES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    AGE_MS_FIELD_NUMBER: _ClassVar[int]
    values: _containers.RepeatedCompositeFieldContainer[LatestValue]
    next_page_token: str
    age_ms: int
    def __init__(self, values: _Optional[_Iterable[_Union[LatestValue, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., age_ms: _Optional[int] = ...) -> None: ...

class TopNRequest(_message.Message):
    __slots__ = ("by", "limit", "window_s", "devices")
    BY_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    WINDOW_S_FIELD_NUMBER: _ClassVar[int]
    DEVICES_FIELD_NUMBER: _ClassVar[int]
    by: TopBy
    limit: int
    window_s: int
    devices: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, by: _Optional[_Union[TopBy, str]] = ..., limit: _Optional[int] = ..., window_s: _Optional[int] = ..., devices: _Optional[_Iterable[str]] = ...) -> None: ...

class TopEntry(_message.Message):
    __slots__ = ("device_id", "device_name", "instance", "label", "value", "max_value")
    DEVICE_ID_FIELD_NUMBER: _ClassVar[int]
    DEVICE_NAME_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    MAX_VALUE_FIELD_NUMBER: _ClassVar[int]
    device_id: str
    device_name: str
    instance: str
    label: str
    value: float
    max_value: float
    def __init__(self, device_id: _Optional[str] = ..., device_name: _Optional[str] = ..., instance: _Optional[str] = ..., label: _Optional[str] = ..., value: _Optional[float] = ..., max_value: _Optional[float] = ...) -> None: ...

class TopNResponse(_message.Message):
    __slots__ = ("entries", "unit", "age_ms")
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    AGE_MS_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.RepeatedCompositeFieldContainer[TopEntry]
    unit: str
    age_ms: int
    def __init__(self, entries: _Optional[_Iterable[_Union[TopEntry, _Mapping]]] = ..., unit: _Optional[str] = ..., age_ms: _Optional[int] = ...) -> None: ...

class StatusCountsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class StatusCount(_message.Message):
    __slots__ = ("status", "devices")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    DEVICES_FIELD_NUMBER: _ClassVar[int]
    status: _device_pb2.DeviceStatus
    devices: int
    def __init__(self, status: _Optional[_Union[_device_pb2.DeviceStatus, str]] = ..., devices: _Optional[int] = ...) -> None: ...

class StatusCountsResponse(_message.Message):
    __slots__ = ("counts", "age_ms")
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    AGE_MS_FIELD_NUMBER: _ClassVar[int]
    counts: _containers.RepeatedCompositeFieldContainer[StatusCount]
    age_ms: int
    def __init__(self, counts: _Optional[_Iterable[_Union[StatusCount, _Mapping]]] = ..., age_ms: _Optional[int] = ...) -> None: ...

class EventsPerDayRequest(_message.Message):
    __slots__ = ("days", "devices")
    DAYS_FIELD_NUMBER: _ClassVar[int]
    DEVICES_FIELD_NUMBER: _ClassVar[int]
    days: int
    devices: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, days: _Optional[int] = ..., devices: _Optional[_Iterable[str]] = ...) -> None: ...

class EventDay(_message.Message):
    __slots__ = ("day", "info", "warning", "critical")
    DAY_FIELD_NUMBER: _ClassVar[int]
    INFO_FIELD_NUMBER: _ClassVar[int]
    WARNING_FIELD_NUMBER: _ClassVar[int]
    CRITICAL_FIELD_NUMBER: _ClassVar[int]
    day: str
    info: int
    warning: int
    critical: int
    def __init__(self, day: _Optional[str] = ..., info: _Optional[int] = ..., warning: _Optional[int] = ..., critical: _Optional[int] = ...) -> None: ...

class EventsPerDayResponse(_message.Message):
    __slots__ = ("days", "age_ms")
    DAYS_FIELD_NUMBER: _ClassVar[int]
    AGE_MS_FIELD_NUMBER: _ClassVar[int]
    days: _containers.RepeatedCompositeFieldContainer[EventDay]
    age_ms: int
    def __init__(self, days: _Optional[_Iterable[_Union[EventDay, _Mapping]]] = ..., age_ms: _Optional[int] = ...) -> None: ...

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

class Evidence(_message.Message):
    __slots__ = ("source", "collected_at_us", "after_first_us", "log_id", "seq", "part", "message")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    COLLECTED_AT_US_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIRST_US_FIELD_NUMBER: _ClassVar[int]
    LOG_ID_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    PART_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    source: EvidenceSource
    collected_at_us: int
    after_first_us: int
    log_id: str
    seq: int
    part: int
    message: str
    def __init__(self, source: _Optional[_Union[EvidenceSource, str]] = ..., collected_at_us: _Optional[int] = ..., after_first_us: _Optional[int] = ..., log_id: _Optional[str] = ..., seq: _Optional[int] = ..., part: _Optional[int] = ..., message: _Optional[str] = ...) -> None: ...

class Event(_message.Message):
    __slots__ = ("position", "collected_at_us", "device_id", "device_name", "event_type", "severity", "entity_type", "entity_id", "entity_label", "field", "old_value", "new_value", "message", "evidences", "replaced_positions")
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
    EVIDENCES_FIELD_NUMBER: _ClassVar[int]
    REPLACED_POSITIONS_FIELD_NUMBER: _ClassVar[int]
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
    evidences: _containers.RepeatedCompositeFieldContainer[Evidence]
    replaced_positions: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, position: _Optional[int] = ..., collected_at_us: _Optional[int] = ..., device_id: _Optional[str] = ..., device_name: _Optional[str] = ..., event_type: _Optional[str] = ..., severity: _Optional[_Union[_device_pb2.Severity, str]] = ..., entity_type: _Optional[str] = ..., entity_id: _Optional[str] = ..., entity_label: _Optional[str] = ..., field: _Optional[str] = ..., old_value: _Optional[str] = ..., new_value: _Optional[str] = ..., message: _Optional[str] = ..., evidences: _Optional[_Iterable[_Union[Evidence, _Mapping]]] = ..., replaced_positions: _Optional[_Iterable[int]] = ...) -> None: ...

class StreamEventsResponse(_message.Message):
    __slots__ = ("event",)
    EVENT_FIELD_NUMBER: _ClassVar[int]
    event: Event
    def __init__(self, event: _Optional[_Union[Event, _Mapping]] = ...) -> None: ...

class ListMetricsRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListMetricsResponse(_message.Message):
    __slots__ = ("catalogue_version", "metrics", "next_page_token")
    CATALOGUE_VERSION_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    catalogue_version: str
    metrics: _containers.RepeatedCompositeFieldContainer[_series_pb2.Metric]
    next_page_token: str
    def __init__(self, catalogue_version: _Optional[str] = ..., metrics: _Optional[_Iterable[_Union[_series_pb2.Metric, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ListTablesRequest(_message.Message):
    __slots__ = ("device", "page_size", "page_token")
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    device: str
    page_size: int
    page_token: str
    def __init__(self, device: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class Table(_message.Message):
    __slots__ = ("name", "rows", "changed_at_us")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    CHANGED_AT_US_FIELD_NUMBER: _ClassVar[int]
    name: str
    rows: int
    changed_at_us: int
    def __init__(self, name: _Optional[str] = ..., rows: _Optional[int] = ..., changed_at_us: _Optional[int] = ...) -> None: ...

class ListTablesResponse(_message.Message):
    __slots__ = ("tables", "next_page_token")
    TABLES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    tables: _containers.RepeatedCompositeFieldContainer[Table]
    next_page_token: str
    def __init__(self, tables: _Optional[_Iterable[_Union[Table, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ListTableRowsRequest(_message.Message):
    __slots__ = ("device", "table", "contains", "fields", "page_size", "page_token")
    class FieldsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    TABLE_FIELD_NUMBER: _ClassVar[int]
    CONTAINS_FIELD_NUMBER: _ClassVar[int]
    FIELDS_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    device: str
    table: str
    contains: str
    fields: _containers.ScalarMap[str, str]
    page_size: int
    page_token: str
    def __init__(self, device: _Optional[str] = ..., table: _Optional[str] = ..., contains: _Optional[str] = ..., fields: _Optional[_Mapping[str, str]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class TableRow(_message.Message):
    __slots__ = ("key", "fields", "first_seen_us", "changed_at_us")
    class FieldsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    KEY_FIELD_NUMBER: _ClassVar[int]
    FIELDS_FIELD_NUMBER: _ClassVar[int]
    FIRST_SEEN_US_FIELD_NUMBER: _ClassVar[int]
    CHANGED_AT_US_FIELD_NUMBER: _ClassVar[int]
    key: str
    fields: _containers.ScalarMap[str, str]
    first_seen_us: int
    changed_at_us: int
    def __init__(self, key: _Optional[str] = ..., fields: _Optional[_Mapping[str, str]] = ..., first_seen_us: _Optional[int] = ..., changed_at_us: _Optional[int] = ...) -> None: ...

class ListTableRowsResponse(_message.Message):
    __slots__ = ("rows", "next_page_token", "total_rows")
    ROWS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    TOTAL_ROWS_FIELD_NUMBER: _ClassVar[int]
    rows: _containers.RepeatedCompositeFieldContainer[TableRow]
    next_page_token: str
    total_rows: int
    def __init__(self, rows: _Optional[_Iterable[_Union[TableRow, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., total_rows: _Optional[int] = ...) -> None: ...

class ListSnapshotsRequest(_message.Message):
    __slots__ = ("device", "page_size", "page_token")
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    device: str
    page_size: int
    page_token: str
    def __init__(self, device: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class Snapshot(_message.Message):
    __slots__ = ("kind", "versions", "collected_at_us", "sha256", "size_bytes")
    KIND_FIELD_NUMBER: _ClassVar[int]
    VERSIONS_FIELD_NUMBER: _ClassVar[int]
    COLLECTED_AT_US_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    kind: str
    versions: int
    collected_at_us: int
    sha256: bytes
    size_bytes: int
    def __init__(self, kind: _Optional[str] = ..., versions: _Optional[int] = ..., collected_at_us: _Optional[int] = ..., sha256: _Optional[bytes] = ..., size_bytes: _Optional[int] = ...) -> None: ...

class ListSnapshotsResponse(_message.Message):
    __slots__ = ("snapshots", "next_page_token")
    SNAPSHOTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    snapshots: _containers.RepeatedCompositeFieldContainer[Snapshot]
    next_page_token: str
    def __init__(self, snapshots: _Optional[_Iterable[_Union[Snapshot, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ListSnapshotVersionsRequest(_message.Message):
    __slots__ = ("device", "kind", "limit", "before_us", "page_size", "page_token")
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    BEFORE_US_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    device: str
    kind: str
    limit: int
    before_us: int
    page_size: int
    page_token: str
    def __init__(self, device: _Optional[str] = ..., kind: _Optional[str] = ..., limit: _Optional[int] = ..., before_us: _Optional[int] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class SnapshotVersion(_message.Message):
    __slots__ = ("collected_at_us", "sha256", "content")
    COLLECTED_AT_US_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    collected_at_us: int
    sha256: bytes
    content: str
    def __init__(self, collected_at_us: _Optional[int] = ..., sha256: _Optional[bytes] = ..., content: _Optional[str] = ...) -> None: ...

class ListSnapshotVersionsResponse(_message.Message):
    __slots__ = ("versions", "next_page_token")
    VERSIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    versions: _containers.RepeatedCompositeFieldContainer[SnapshotVersion]
    next_page_token: str
    def __init__(self, versions: _Optional[_Iterable[_Union[SnapshotVersion, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class QueryHealthRequest(_message.Message):
    __slots__ = ("device", "seconds", "end_us")
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    END_US_FIELD_NUMBER: _ClassVar[int]
    device: str
    seconds: int
    end_us: int
    def __init__(self, device: _Optional[str] = ..., seconds: _Optional[int] = ..., end_us: _Optional[int] = ...) -> None: ...

class HealthSegment(_message.Message):
    __slots__ = ("from_us", "to_us", "status", "reason")
    FROM_US_FIELD_NUMBER: _ClassVar[int]
    TO_US_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    from_us: int
    to_us: int
    status: _device_pb2.DeviceStatus
    reason: str
    def __init__(self, from_us: _Optional[int] = ..., to_us: _Optional[int] = ..., status: _Optional[_Union[_device_pb2.DeviceStatus, str]] = ..., reason: _Optional[str] = ...) -> None: ...

class QueryHealthResponse(_message.Message):
    __slots__ = ("start_us", "end_us", "segments")
    START_US_FIELD_NUMBER: _ClassVar[int]
    END_US_FIELD_NUMBER: _ClassVar[int]
    SEGMENTS_FIELD_NUMBER: _ClassVar[int]
    start_us: int
    end_us: int
    segments: _containers.RepeatedCompositeFieldContainer[HealthSegment]
    def __init__(self, start_us: _Optional[int] = ..., end_us: _Optional[int] = ..., segments: _Optional[_Iterable[_Union[HealthSegment, _Mapping]]] = ...) -> None: ...
