import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from mtd.pb.common.v1 import access_pb2 as _access_pb2
from mtd.pb.common.v1 import device_pb2 as _device_pb2
from mtd.pb.events.v1 import envelope_pb2 as _envelope_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Lane(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LANE_UNSPECIFIED: _ClassVar[Lane]
    LANE_LIVE: _ClassVar[Lane]
    LANE_BACKFILL: _ClassVar[Lane]
LANE_UNSPECIFIED: Lane
LANE_LIVE: Lane
LANE_BACKFILL: Lane

class Sample(_message.Message):
    __slots__ = ("device", "time", "metrics")
    class MetricsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Value
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Value, _Mapping]] = ...) -> None: ...
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    device: str
    time: _timestamp_pb2.Timestamp
    metrics: _containers.MessageMap[str, Value]
    def __init__(self, device: _Optional[str] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., metrics: _Optional[_Mapping[str, Value]] = ...) -> None: ...

class Value(_message.Message):
    __slots__ = ("number", "whole", "state")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    WHOLE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    number: float
    whole: int
    state: str
    def __init__(self, number: _Optional[float] = ..., whole: _Optional[int] = ..., state: _Optional[str] = ...) -> None: ...

class PushedEvent(_message.Message):
    __slots__ = ("event_id", "device", "time", "event_type", "severity", "entity_type", "entity_id", "entity_label", "field", "old_value", "new_value", "message")
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    EVENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    SEVERITY_FIELD_NUMBER: _ClassVar[int]
    ENTITY_TYPE_FIELD_NUMBER: _ClassVar[int]
    ENTITY_ID_FIELD_NUMBER: _ClassVar[int]
    ENTITY_LABEL_FIELD_NUMBER: _ClassVar[int]
    FIELD_FIELD_NUMBER: _ClassVar[int]
    OLD_VALUE_FIELD_NUMBER: _ClassVar[int]
    NEW_VALUE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    event_id: str
    device: str
    time: _timestamp_pb2.Timestamp
    event_type: str
    severity: _device_pb2.Severity
    entity_type: str
    entity_id: str
    entity_label: str
    field: str
    old_value: str
    new_value: str
    message: str
    def __init__(self, event_id: _Optional[str] = ..., device: _Optional[str] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., event_type: _Optional[str] = ..., severity: _Optional[_Union[_device_pb2.Severity, str]] = ..., entity_type: _Optional[str] = ..., entity_id: _Optional[str] = ..., entity_label: _Optional[str] = ..., field: _Optional[str] = ..., old_value: _Optional[str] = ..., new_value: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...

class IngestRequest(_message.Message):
    __slots__ = ("batch_id", "group", "samples", "events")
    BATCH_ID_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    SAMPLES_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    batch_id: str
    group: str
    samples: _containers.RepeatedCompositeFieldContainer[Sample]
    events: _containers.RepeatedCompositeFieldContainer[PushedEvent]
    def __init__(self, batch_id: _Optional[str] = ..., group: _Optional[str] = ..., samples: _Optional[_Iterable[_Union[Sample, _Mapping]]] = ..., events: _Optional[_Iterable[_Union[PushedEvent, _Mapping]]] = ...) -> None: ...

class RowResult(_message.Message):
    __slots__ = ("row", "reason", "error")
    ROW_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    row: str
    reason: str
    error: str
    def __init__(self, row: _Optional[str] = ..., reason: _Optional[str] = ..., error: _Optional[str] = ...) -> None: ...

class IngestResponse(_message.Message):
    __slots__ = ("batch_id", "accepted", "refused", "duplicates", "results", "duplicate")
    BATCH_ID_FIELD_NUMBER: _ClassVar[int]
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    DUPLICATES_FIELD_NUMBER: _ClassVar[int]
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    DUPLICATE_FIELD_NUMBER: _ClassVar[int]
    batch_id: str
    accepted: int
    refused: int
    duplicates: int
    results: _containers.RepeatedCompositeFieldContainer[RowResult]
    duplicate: bool
    def __init__(self, batch_id: _Optional[str] = ..., accepted: _Optional[int] = ..., refused: _Optional[int] = ..., duplicates: _Optional[int] = ..., results: _Optional[_Iterable[_Union[RowResult, _Mapping]]] = ..., duplicate: _Optional[bool] = ...) -> None: ...

class SeqRange(_message.Message):
    __slots__ = ("first_seq", "last_seq")
    FIRST_SEQ_FIELD_NUMBER: _ClassVar[int]
    LAST_SEQ_FIELD_NUMBER: _ClassVar[int]
    first_seq: int
    last_seq: int
    def __init__(self, first_seq: _Optional[int] = ..., last_seq: _Optional[int] = ...) -> None: ...

class AppendOpen(_message.Message):
    __slots__ = ("log_id", "lane", "next_seq", "version")
    LOG_ID_FIELD_NUMBER: _ClassVar[int]
    LANE_FIELD_NUMBER: _ClassVar[int]
    NEXT_SEQ_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    log_id: str
    lane: Lane
    next_seq: int
    version: str
    def __init__(self, log_id: _Optional[str] = ..., lane: _Optional[_Union[Lane, str]] = ..., next_seq: _Optional[int] = ..., version: _Optional[str] = ...) -> None: ...

class AppendBatch(_message.Message):
    __slots__ = ("first_seq", "last_seq", "events")
    FIRST_SEQ_FIELD_NUMBER: _ClassVar[int]
    LAST_SEQ_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    first_seq: int
    last_seq: int
    events: _containers.RepeatedCompositeFieldContainer[_envelope_pb2.Envelope]
    def __init__(self, first_seq: _Optional[int] = ..., last_seq: _Optional[int] = ..., events: _Optional[_Iterable[_Union[_envelope_pb2.Envelope, _Mapping]]] = ...) -> None: ...

class AppendRequest(_message.Message):
    __slots__ = ("open", "batch")
    OPEN_FIELD_NUMBER: _ClassVar[int]
    BATCH_FIELD_NUMBER: _ClassVar[int]
    open: AppendOpen
    batch: AppendBatch
    def __init__(self, open: _Optional[_Union[AppendOpen, _Mapping]] = ..., batch: _Optional[_Union[AppendBatch, _Mapping]] = ...) -> None: ...

class AppendOpened(_message.Message):
    __slots__ = ("stored", "projected", "window_batches", "window_bytes", "max_batch_bytes", "version", "tenant_ids")
    STORED_FIELD_NUMBER: _ClassVar[int]
    PROJECTED_FIELD_NUMBER: _ClassVar[int]
    WINDOW_BATCHES_FIELD_NUMBER: _ClassVar[int]
    WINDOW_BYTES_FIELD_NUMBER: _ClassVar[int]
    MAX_BATCH_BYTES_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    TENANT_IDS_FIELD_NUMBER: _ClassVar[int]
    stored: _containers.RepeatedCompositeFieldContainer[SeqRange]
    projected: _containers.RepeatedCompositeFieldContainer[SeqRange]
    window_batches: int
    window_bytes: int
    max_batch_bytes: int
    version: str
    tenant_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, stored: _Optional[_Iterable[_Union[SeqRange, _Mapping]]] = ..., projected: _Optional[_Iterable[_Union[SeqRange, _Mapping]]] = ..., window_batches: _Optional[int] = ..., window_bytes: _Optional[int] = ..., max_batch_bytes: _Optional[int] = ..., version: _Optional[str] = ..., tenant_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class AppendAck(_message.Message):
    __slots__ = ("first_seq", "last_seq", "duplicates", "dropped")
    FIRST_SEQ_FIELD_NUMBER: _ClassVar[int]
    LAST_SEQ_FIELD_NUMBER: _ClassVar[int]
    DUPLICATES_FIELD_NUMBER: _ClassVar[int]
    DROPPED_FIELD_NUMBER: _ClassVar[int]
    first_seq: int
    last_seq: int
    duplicates: int
    dropped: int
    def __init__(self, first_seq: _Optional[int] = ..., last_seq: _Optional[int] = ..., duplicates: _Optional[int] = ..., dropped: _Optional[int] = ...) -> None: ...

class AppendResend(_message.Message):
    __slots__ = ("next_seq",)
    NEXT_SEQ_FIELD_NUMBER: _ClassVar[int]
    next_seq: int
    def __init__(self, next_seq: _Optional[int] = ...) -> None: ...

class AppendProjected(_message.Message):
    __slots__ = ("projected",)
    PROJECTED_FIELD_NUMBER: _ClassVar[int]
    projected: _containers.RepeatedCompositeFieldContainer[SeqRange]
    def __init__(self, projected: _Optional[_Iterable[_Union[SeqRange, _Mapping]]] = ...) -> None: ...

class AppendResponse(_message.Message):
    __slots__ = ("opened", "ack", "resend", "projected")
    OPENED_FIELD_NUMBER: _ClassVar[int]
    ACK_FIELD_NUMBER: _ClassVar[int]
    RESEND_FIELD_NUMBER: _ClassVar[int]
    PROJECTED_FIELD_NUMBER: _ClassVar[int]
    opened: AppendOpened
    ack: AppendAck
    resend: AppendResend
    projected: AppendProjected
    def __init__(self, opened: _Optional[_Union[AppendOpened, _Mapping]] = ..., ack: _Optional[_Union[AppendAck, _Mapping]] = ..., resend: _Optional[_Union[AppendResend, _Mapping]] = ..., projected: _Optional[_Union[AppendProjected, _Mapping]] = ...) -> None: ...

class HeartbeatRequest(_message.Message):
    __slots__ = ("agent", "version", "sent_at", "buffer_depth", "jobs_running", "poll_errors", "capabilities")
    AGENT_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    SENT_AT_FIELD_NUMBER: _ClassVar[int]
    BUFFER_DEPTH_FIELD_NUMBER: _ClassVar[int]
    JOBS_RUNNING_FIELD_NUMBER: _ClassVar[int]
    POLL_ERRORS_FIELD_NUMBER: _ClassVar[int]
    CAPABILITIES_FIELD_NUMBER: _ClassVar[int]
    agent: str
    version: str
    sent_at: _timestamp_pb2.Timestamp
    buffer_depth: int
    jobs_running: int
    poll_errors: int
    capabilities: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, agent: _Optional[str] = ..., version: _Optional[str] = ..., sent_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., buffer_depth: _Optional[int] = ..., jobs_running: _Optional[int] = ..., poll_errors: _Optional[int] = ..., capabilities: _Optional[_Iterable[str]] = ...) -> None: ...

class HeartbeatResponse(_message.Message):
    __slots__ = ("server_time", "clock_ahead_s", "interval_s")
    SERVER_TIME_FIELD_NUMBER: _ClassVar[int]
    CLOCK_AHEAD_S_FIELD_NUMBER: _ClassVar[int]
    INTERVAL_S_FIELD_NUMBER: _ClassVar[int]
    server_time: _timestamp_pb2.Timestamp
    clock_ahead_s: float
    interval_s: float
    def __init__(self, server_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., clock_ahead_s: _Optional[float] = ..., interval_s: _Optional[float] = ...) -> None: ...
