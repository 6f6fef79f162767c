from mtd.pb.events.v1 import discovery_pb2 as _discovery_pb2
from mtd.pb.events.v1 import flows_pb2 as _flows_pb2
from mtd.pb.events.v1 import health_pb2 as _health_pb2
from mtd.pb.events.v1 import logs_pb2 as _logs_pb2
from mtd.pb.events.v1 import state_pb2 as _state_pb2
from mtd.pb.events.v1 import telemetry_pb2 as _telemetry_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Envelope(_message.Message):
    __slots__ = ("tenant_id", "collector_id", "device_id", "collected_at_us", "received_at_us", "source_log_id", "source_seq", "event_id", "lease_epoch", "trace_context", "redundant", "series_layout", "frame", "state_changed", "table_delta", "poll_outcome", "capability_probed", "snapshot", "device_seen", "log_batch", "flow_batch")
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    COLLECTOR_ID_FIELD_NUMBER: _ClassVar[int]
    DEVICE_ID_FIELD_NUMBER: _ClassVar[int]
    COLLECTED_AT_US_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_AT_US_FIELD_NUMBER: _ClassVar[int]
    SOURCE_LOG_ID_FIELD_NUMBER: _ClassVar[int]
    SOURCE_SEQ_FIELD_NUMBER: _ClassVar[int]
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    LEASE_EPOCH_FIELD_NUMBER: _ClassVar[int]
    TRACE_CONTEXT_FIELD_NUMBER: _ClassVar[int]
    REDUNDANT_FIELD_NUMBER: _ClassVar[int]
    SERIES_LAYOUT_FIELD_NUMBER: _ClassVar[int]
    FRAME_FIELD_NUMBER: _ClassVar[int]
    STATE_CHANGED_FIELD_NUMBER: _ClassVar[int]
    TABLE_DELTA_FIELD_NUMBER: _ClassVar[int]
    POLL_OUTCOME_FIELD_NUMBER: _ClassVar[int]
    CAPABILITY_PROBED_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    DEVICE_SEEN_FIELD_NUMBER: _ClassVar[int]
    LOG_BATCH_FIELD_NUMBER: _ClassVar[int]
    FLOW_BATCH_FIELD_NUMBER: _ClassVar[int]
    tenant_id: str
    collector_id: str
    device_id: str
    collected_at_us: int
    received_at_us: int
    source_log_id: bytes
    source_seq: int
    event_id: bytes
    lease_epoch: int
    trace_context: bytes
    redundant: Redundant
    series_layout: _telemetry_pb2.SeriesLayout
    frame: _telemetry_pb2.Frame
    state_changed: _state_pb2.StateChanged
    table_delta: _state_pb2.TableDelta
    poll_outcome: _health_pb2.PollOutcome
    capability_probed: _health_pb2.CapabilityProbed
    snapshot: _state_pb2.Snapshot
    device_seen: _discovery_pb2.DeviceSeen
    log_batch: _logs_pb2.LogBatch
    flow_batch: _flows_pb2.FlowBatch
    def __init__(self, tenant_id: _Optional[str] = ..., collector_id: _Optional[str] = ..., device_id: _Optional[str] = ..., collected_at_us: _Optional[int] = ..., received_at_us: _Optional[int] = ..., source_log_id: _Optional[bytes] = ..., source_seq: _Optional[int] = ..., event_id: _Optional[bytes] = ..., lease_epoch: _Optional[int] = ..., trace_context: _Optional[bytes] = ..., redundant: _Optional[_Union[Redundant, _Mapping]] = ..., series_layout: _Optional[_Union[_telemetry_pb2.SeriesLayout, _Mapping]] = ..., frame: _Optional[_Union[_telemetry_pb2.Frame, _Mapping]] = ..., state_changed: _Optional[_Union[_state_pb2.StateChanged, _Mapping]] = ..., table_delta: _Optional[_Union[_state_pb2.TableDelta, _Mapping]] = ..., poll_outcome: _Optional[_Union[_health_pb2.PollOutcome, _Mapping]] = ..., capability_probed: _Optional[_Union[_health_pb2.CapabilityProbed, _Mapping]] = ..., snapshot: _Optional[_Union[_state_pb2.Snapshot, _Mapping]] = ..., device_seen: _Optional[_Union[_discovery_pb2.DeviceSeen, _Mapping]] = ..., log_batch: _Optional[_Union[_logs_pb2.LogBatch, _Mapping]] = ..., flow_batch: _Optional[_Union[_flows_pb2.FlowBatch, _Mapping]] = ...) -> None: ...

class Redundant(_message.Message):
    __slots__ = ("interval_us", "poll_group")
    INTERVAL_US_FIELD_NUMBER: _ClassVar[int]
    POLL_GROUP_FIELD_NUMBER: _ClassVar[int]
    interval_us: int
    poll_group: str
    def __init__(self, interval_us: _Optional[int] = ..., poll_group: _Optional[str] = ...) -> None: ...

class EventBatch(_message.Message):
    __slots__ = ("events",)
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[Envelope]
    def __init__(self, events: _Optional[_Iterable[_Union[Envelope, _Mapping]]] = ...) -> None: ...
