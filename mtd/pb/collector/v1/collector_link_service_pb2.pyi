import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from mtd.pb.collector.v1 import assignment_pb2 as _assignment_pb2
from mtd.pb.common.v1 import access_pb2 as _access_pb2
from mtd.pb.common.v1 import device_pb2 as _device_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class HeldDevice(_message.Message):
    __slots__ = ("device_id", "epoch", "exclusive")
    DEVICE_ID_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    EXCLUSIVE_FIELD_NUMBER: _ClassVar[int]
    device_id: str
    epoch: int
    exclusive: bool
    def __init__(self, device_id: _Optional[str] = ..., epoch: _Optional[int] = ..., exclusive: _Optional[bool] = ...) -> None: ...

class Hello(_message.Message):
    __slots__ = ("version", "instance_id", "log_id", "capabilities", "held", "resumes", "applied_revision", "sent_at")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    LOG_ID_FIELD_NUMBER: _ClassVar[int]
    CAPABILITIES_FIELD_NUMBER: _ClassVar[int]
    HELD_FIELD_NUMBER: _ClassVar[int]
    RESUMES_FIELD_NUMBER: _ClassVar[int]
    APPLIED_REVISION_FIELD_NUMBER: _ClassVar[int]
    SENT_AT_FIELD_NUMBER: _ClassVar[int]
    version: str
    instance_id: str
    log_id: str
    capabilities: _containers.RepeatedScalarFieldContainer[str]
    held: _containers.RepeatedCompositeFieldContainer[HeldDevice]
    resumes: bool
    applied_revision: int
    sent_at: _timestamp_pb2.Timestamp
    def __init__(self, version: _Optional[str] = ..., instance_id: _Optional[str] = ..., log_id: _Optional[str] = ..., capabilities: _Optional[_Iterable[str]] = ..., held: _Optional[_Iterable[_Union[HeldDevice, _Mapping]]] = ..., resumes: _Optional[bool] = ..., applied_revision: _Optional[int] = ..., sent_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class CollectorReport(_message.Message):
    __slots__ = ("buffer_events", "buffer_bytes", "oldest_unsent_time", "last_push_time", "pressure", "devices", "poll_errors", "memory_bytes", "clock_synchronized")
    BUFFER_EVENTS_FIELD_NUMBER: _ClassVar[int]
    BUFFER_BYTES_FIELD_NUMBER: _ClassVar[int]
    OLDEST_UNSENT_TIME_FIELD_NUMBER: _ClassVar[int]
    LAST_PUSH_TIME_FIELD_NUMBER: _ClassVar[int]
    PRESSURE_FIELD_NUMBER: _ClassVar[int]
    DEVICES_FIELD_NUMBER: _ClassVar[int]
    POLL_ERRORS_FIELD_NUMBER: _ClassVar[int]
    MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    CLOCK_SYNCHRONIZED_FIELD_NUMBER: _ClassVar[int]
    buffer_events: int
    buffer_bytes: int
    oldest_unsent_time: _timestamp_pb2.Timestamp
    last_push_time: _timestamp_pb2.Timestamp
    pressure: str
    devices: int
    poll_errors: int
    memory_bytes: int
    clock_synchronized: bool
    def __init__(self, buffer_events: _Optional[int] = ..., buffer_bytes: _Optional[int] = ..., oldest_unsent_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., last_push_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., pressure: _Optional[str] = ..., devices: _Optional[int] = ..., poll_errors: _Optional[int] = ..., memory_bytes: _Optional[int] = ..., clock_synchronized: _Optional[bool] = ...) -> None: ...

class Renew(_message.Message):
    __slots__ = ("sequence", "sent_at", "round_trip_s", "report")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    SENT_AT_FIELD_NUMBER: _ClassVar[int]
    ROUND_TRIP_S_FIELD_NUMBER: _ClassVar[int]
    REPORT_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    sent_at: _timestamp_pb2.Timestamp
    round_trip_s: float
    report: CollectorReport
    def __init__(self, sequence: _Optional[int] = ..., sent_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., round_trip_s: _Optional[float] = ..., report: _Optional[_Union[CollectorReport, _Mapping]] = ...) -> None: ...

class Applied(_message.Message):
    __slots__ = ("revision",)
    REVISION_FIELD_NUMBER: _ClassVar[int]
    revision: int
    def __init__(self, revision: _Optional[int] = ...) -> None: ...

class Released(_message.Message):
    __slots__ = ("sequence", "epochs")
    class EpochsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    EPOCHS_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    epochs: _containers.ScalarMap[str, int]
    def __init__(self, sequence: _Optional[int] = ..., epochs: _Optional[_Mapping[str, int]] = ...) -> None: ...

class Leave(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ToolValue(_message.Message):
    __slots__ = ("text", "whole", "number", "large")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    WHOLE_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    LARGE_FIELD_NUMBER: _ClassVar[int]
    text: str
    whole: int
    number: float
    large: int
    def __init__(self, text: _Optional[str] = ..., whole: _Optional[int] = ..., number: _Optional[float] = ..., large: _Optional[int] = ...) -> None: ...

class ToolRow(_message.Message):
    __slots__ = ("values",)
    class ValuesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: ToolValue
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[ToolValue, _Mapping]] = ...) -> None: ...
    VALUES_FIELD_NUMBER: _ClassVar[int]
    values: _containers.MessageMap[str, ToolValue]
    def __init__(self, values: _Optional[_Mapping[str, ToolValue]] = ...) -> None: ...

class ToolRows(_message.Message):
    __slots__ = ("rows",)
    ROWS_FIELD_NUMBER: _ClassVar[int]
    rows: _containers.RepeatedCompositeFieldContainer[ToolRow]
    def __init__(self, rows: _Optional[_Iterable[_Union[ToolRow, _Mapping]]] = ...) -> None: ...

class ToolEnd(_message.Message):
    __slots__ = ("reason", "rows", "seconds")
    REASON_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    reason: str
    rows: int
    seconds: float
    def __init__(self, reason: _Optional[str] = ..., rows: _Optional[int] = ..., seconds: _Optional[float] = ...) -> None: ...

class RefreshedCapabilities(_message.Message):
    __slots__ = ("log_id", "log_seq")
    LOG_ID_FIELD_NUMBER: _ClassVar[int]
    LOG_SEQ_FIELD_NUMBER: _ClassVar[int]
    log_id: str
    log_seq: int
    def __init__(self, log_id: _Optional[str] = ..., log_seq: _Optional[int] = ...) -> None: ...

class PolledNow(_message.Message):
    __slots__ = ("log_id", "log_seq", "tiers")
    LOG_ID_FIELD_NUMBER: _ClassVar[int]
    LOG_SEQ_FIELD_NUMBER: _ClassVar[int]
    TIERS_FIELD_NUMBER: _ClassVar[int]
    log_id: str
    log_seq: int
    tiers: _containers.RepeatedCompositeFieldContainer[_device_pb2.PolledTier]
    def __init__(self, log_id: _Optional[str] = ..., log_seq: _Optional[int] = ..., tiers: _Optional[_Iterable[_Union[_device_pb2.PolledTier, _Mapping]]] = ...) -> None: ...

class TestedStep(_message.Message):
    __slots__ = ("name", "ok", "duration_us", "detail")
    NAME_FIELD_NUMBER: _ClassVar[int]
    OK_FIELD_NUMBER: _ClassVar[int]
    DURATION_US_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    name: str
    ok: bool
    duration_us: int
    detail: str
    def __init__(self, name: _Optional[str] = ..., ok: _Optional[bool] = ..., duration_us: _Optional[int] = ..., detail: _Optional[str] = ...) -> None: ...

class TestedWay(_message.Message):
    __slots__ = ("way", "outcome", "reason", "steps", "routeros_version", "board_name", "identity", "tls_fingerprint")
    WAY_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    ROUTEROS_VERSION_FIELD_NUMBER: _ClassVar[int]
    BOARD_NAME_FIELD_NUMBER: _ClassVar[int]
    IDENTITY_FIELD_NUMBER: _ClassVar[int]
    TLS_FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    way: _device_pb2.Way
    outcome: _device_pb2.Outcome
    reason: str
    steps: _containers.RepeatedCompositeFieldContainer[TestedStep]
    routeros_version: str
    board_name: str
    identity: str
    tls_fingerprint: str
    def __init__(self, way: _Optional[_Union[_device_pb2.Way, str]] = ..., outcome: _Optional[_Union[_device_pb2.Outcome, str]] = ..., reason: _Optional[str] = ..., steps: _Optional[_Iterable[_Union[TestedStep, _Mapping]]] = ..., routeros_version: _Optional[str] = ..., board_name: _Optional[str] = ..., identity: _Optional[str] = ..., tls_fingerprint: _Optional[str] = ...) -> None: ...

class TestedConnection(_message.Message):
    __slots__ = ("ways",)
    WAYS_FIELD_NUMBER: _ClassVar[int]
    ways: _containers.RepeatedCompositeFieldContainer[TestedWay]
    def __init__(self, ways: _Optional[_Iterable[_Union[TestedWay, _Mapping]]] = ...) -> None: ...

class CommandFailure(_message.Message):
    __slots__ = ("error", "message", "hint", "retry_after_s")
    ERROR_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    HINT_FIELD_NUMBER: _ClassVar[int]
    RETRY_AFTER_S_FIELD_NUMBER: _ClassVar[int]
    error: str
    message: str
    hint: str
    retry_after_s: float
    def __init__(self, error: _Optional[str] = ..., message: _Optional[str] = ..., hint: _Optional[str] = ..., retry_after_s: _Optional[float] = ...) -> None: ...

class CommandUpdate(_message.Message):
    __slots__ = ("command_id", "rows", "tool_end", "refreshed", "tested", "failure", "polled")
    COMMAND_ID_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    TOOL_END_FIELD_NUMBER: _ClassVar[int]
    REFRESHED_FIELD_NUMBER: _ClassVar[int]
    TESTED_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    POLLED_FIELD_NUMBER: _ClassVar[int]
    command_id: str
    rows: ToolRows
    tool_end: ToolEnd
    refreshed: RefreshedCapabilities
    tested: TestedConnection
    failure: CommandFailure
    polled: PolledNow
    def __init__(self, command_id: _Optional[str] = ..., rows: _Optional[_Union[ToolRows, _Mapping]] = ..., tool_end: _Optional[_Union[ToolEnd, _Mapping]] = ..., refreshed: _Optional[_Union[RefreshedCapabilities, _Mapping]] = ..., tested: _Optional[_Union[TestedConnection, _Mapping]] = ..., failure: _Optional[_Union[CommandFailure, _Mapping]] = ..., polled: _Optional[_Union[PolledNow, _Mapping]] = ...) -> None: ...

class AttachRequest(_message.Message):
    __slots__ = ("hello", "renew", "applied", "released", "command", "leave")
    HELLO_FIELD_NUMBER: _ClassVar[int]
    RENEW_FIELD_NUMBER: _ClassVar[int]
    APPLIED_FIELD_NUMBER: _ClassVar[int]
    RELEASED_FIELD_NUMBER: _ClassVar[int]
    COMMAND_FIELD_NUMBER: _ClassVar[int]
    LEAVE_FIELD_NUMBER: _ClassVar[int]
    hello: Hello
    renew: Renew
    applied: Applied
    released: Released
    command: CommandUpdate
    leave: Leave
    def __init__(self, hello: _Optional[_Union[Hello, _Mapping]] = ..., renew: _Optional[_Union[Renew, _Mapping]] = ..., applied: _Optional[_Union[Applied, _Mapping]] = ..., released: _Optional[_Union[Released, _Mapping]] = ..., command: _Optional[_Union[CommandUpdate, _Mapping]] = ..., leave: _Optional[_Union[Leave, _Mapping]] = ...) -> None: ...

class ServedTenant(_message.Message):
    __slots__ = ("tenant_id", "pseudonym_key", "names_kept")
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    PSEUDONYM_KEY_FIELD_NUMBER: _ClassVar[int]
    NAMES_KEPT_FIELD_NUMBER: _ClassVar[int]
    tenant_id: str
    pseudonym_key: bytes
    names_kept: bool
    def __init__(self, tenant_id: _Optional[str] = ..., pseudonym_key: _Optional[bytes] = ..., names_kept: _Optional[bool] = ...) -> None: ...

class Welcome(_message.Message):
    __slots__ = ("collector_id", "collector_name", "lease_s", "renew_interval_s", "hub_time", "hub_version", "tenants", "lease_epoch")
    COLLECTOR_ID_FIELD_NUMBER: _ClassVar[int]
    COLLECTOR_NAME_FIELD_NUMBER: _ClassVar[int]
    LEASE_S_FIELD_NUMBER: _ClassVar[int]
    RENEW_INTERVAL_S_FIELD_NUMBER: _ClassVar[int]
    HUB_TIME_FIELD_NUMBER: _ClassVar[int]
    HUB_VERSION_FIELD_NUMBER: _ClassVar[int]
    TENANTS_FIELD_NUMBER: _ClassVar[int]
    LEASE_EPOCH_FIELD_NUMBER: _ClassVar[int]
    collector_id: str
    collector_name: str
    lease_s: float
    renew_interval_s: float
    hub_time: _timestamp_pb2.Timestamp
    hub_version: str
    tenants: _containers.RepeatedCompositeFieldContainer[ServedTenant]
    lease_epoch: int
    def __init__(self, collector_id: _Optional[str] = ..., collector_name: _Optional[str] = ..., lease_s: _Optional[float] = ..., renew_interval_s: _Optional[float] = ..., hub_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., hub_version: _Optional[str] = ..., tenants: _Optional[_Iterable[_Union[ServedTenant, _Mapping]]] = ..., lease_epoch: _Optional[int] = ...) -> None: ...

class Renewed(_message.Message):
    __slots__ = ("sequence", "lease_s", "hub_time", "held_s", "clock_ahead_s")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    LEASE_S_FIELD_NUMBER: _ClassVar[int]
    HUB_TIME_FIELD_NUMBER: _ClassVar[int]
    HELD_S_FIELD_NUMBER: _ClassVar[int]
    CLOCK_AHEAD_S_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    lease_s: float
    hub_time: _timestamp_pb2.Timestamp
    held_s: float
    clock_ahead_s: float
    def __init__(self, sequence: _Optional[int] = ..., lease_s: _Optional[float] = ..., hub_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., held_s: _Optional[float] = ..., clock_ahead_s: _Optional[float] = ...) -> None: ...

class Noted(_message.Message):
    __slots__ = ("sequence",)
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    def __init__(self, sequence: _Optional[int] = ...) -> None: ...

class RefreshCapabilities(_message.Message):
    __slots__ = ("device_id",)
    DEVICE_ID_FIELD_NUMBER: _ClassVar[int]
    device_id: str
    def __init__(self, device_id: _Optional[str] = ...) -> None: ...

class PollNow(_message.Message):
    __slots__ = ("device_id", "tiers")
    DEVICE_ID_FIELD_NUMBER: _ClassVar[int]
    TIERS_FIELD_NUMBER: _ClassVar[int]
    device_id: str
    tiers: _containers.RepeatedScalarFieldContainer[_device_pb2.Tier]
    def __init__(self, device_id: _Optional[str] = ..., tiers: _Optional[_Iterable[_Union[_device_pb2.Tier, str]]] = ...) -> None: ...

class TestConnection(_message.Message):
    __slots__ = ("device", "told_rest")
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    TOLD_REST_FIELD_NUMBER: _ClassVar[int]
    device: _assignment_pb2.PolledDevice
    told_rest: str
    def __init__(self, device: _Optional[_Union[_assignment_pb2.PolledDevice, _Mapping]] = ..., told_rest: _Optional[str] = ...) -> None: ...

class RunTool(_message.Message):
    __slots__ = ("device", "tool", "arguments", "seconds", "rows", "max_bytes", "interface", "from_collector")
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    TOOL_FIELD_NUMBER: _ClassVar[int]
    ARGUMENTS_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    MAX_BYTES_FIELD_NUMBER: _ClassVar[int]
    INTERFACE_FIELD_NUMBER: _ClassVar[int]
    FROM_COLLECTOR_FIELD_NUMBER: _ClassVar[int]
    device: _assignment_pb2.PolledDevice
    tool: str
    arguments: _containers.RepeatedCompositeFieldContainer[ToolArgument]
    seconds: float
    rows: int
    max_bytes: int
    interface: str
    from_collector: bool
    def __init__(self, device: _Optional[_Union[_assignment_pb2.PolledDevice, _Mapping]] = ..., tool: _Optional[str] = ..., arguments: _Optional[_Iterable[_Union[ToolArgument, _Mapping]]] = ..., seconds: _Optional[float] = ..., rows: _Optional[int] = ..., max_bytes: _Optional[int] = ..., interface: _Optional[str] = ..., from_collector: _Optional[bool] = ...) -> None: ...

class ToolArgument(_message.Message):
    __slots__ = ("name", "value")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    name: str
    value: str
    def __init__(self, name: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...

class Command(_message.Message):
    __slots__ = ("command_id", "timeout_s", "refresh_capabilities", "test_connection", "run_tool", "poll_now")
    COMMAND_ID_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_S_FIELD_NUMBER: _ClassVar[int]
    REFRESH_CAPABILITIES_FIELD_NUMBER: _ClassVar[int]
    TEST_CONNECTION_FIELD_NUMBER: _ClassVar[int]
    RUN_TOOL_FIELD_NUMBER: _ClassVar[int]
    POLL_NOW_FIELD_NUMBER: _ClassVar[int]
    command_id: str
    timeout_s: float
    refresh_capabilities: RefreshCapabilities
    test_connection: TestConnection
    run_tool: RunTool
    poll_now: PollNow
    def __init__(self, command_id: _Optional[str] = ..., timeout_s: _Optional[float] = ..., refresh_capabilities: _Optional[_Union[RefreshCapabilities, _Mapping]] = ..., test_connection: _Optional[_Union[TestConnection, _Mapping]] = ..., run_tool: _Optional[_Union[RunTool, _Mapping]] = ..., poll_now: _Optional[_Union[PollNow, _Mapping]] = ...) -> None: ...

class CancelCommand(_message.Message):
    __slots__ = ("command_id",)
    COMMAND_ID_FIELD_NUMBER: _ClassVar[int]
    command_id: str
    def __init__(self, command_id: _Optional[str] = ...) -> None: ...

class AttachResponse(_message.Message):
    __slots__ = ("welcome", "renewed", "assignment", "noted", "command", "cancel")
    WELCOME_FIELD_NUMBER: _ClassVar[int]
    RENEWED_FIELD_NUMBER: _ClassVar[int]
    ASSIGNMENT_FIELD_NUMBER: _ClassVar[int]
    NOTED_FIELD_NUMBER: _ClassVar[int]
    COMMAND_FIELD_NUMBER: _ClassVar[int]
    CANCEL_FIELD_NUMBER: _ClassVar[int]
    welcome: Welcome
    renewed: Renewed
    assignment: _assignment_pb2.AssignmentPart
    noted: Noted
    command: Command
    cancel: CancelCommand
    def __init__(self, welcome: _Optional[_Union[Welcome, _Mapping]] = ..., renewed: _Optional[_Union[Renewed, _Mapping]] = ..., assignment: _Optional[_Union[_assignment_pb2.AssignmentPart, _Mapping]] = ..., noted: _Optional[_Union[Noted, _Mapping]] = ..., command: _Optional[_Union[Command, _Mapping]] = ..., cancel: _Optional[_Union[CancelCommand, _Mapping]] = ...) -> None: ...

class StreamKnownRowsRequest(_message.Message):
    __slots__ = ("device_ids", "tables")
    DEVICE_IDS_FIELD_NUMBER: _ClassVar[int]
    TABLES_FIELD_NUMBER: _ClassVar[int]
    device_ids: _containers.RepeatedScalarFieldContainer[str]
    tables: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, device_ids: _Optional[_Iterable[str]] = ..., tables: _Optional[_Iterable[str]] = ...) -> None: ...

class KnownRow(_message.Message):
    __slots__ = ("device_id", "table_name", "row_key", "fields")
    class FieldsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    DEVICE_ID_FIELD_NUMBER: _ClassVar[int]
    TABLE_NAME_FIELD_NUMBER: _ClassVar[int]
    ROW_KEY_FIELD_NUMBER: _ClassVar[int]
    FIELDS_FIELD_NUMBER: _ClassVar[int]
    device_id: str
    table_name: str
    row_key: str
    fields: _containers.ScalarMap[str, str]
    def __init__(self, device_id: _Optional[str] = ..., table_name: _Optional[str] = ..., row_key: _Optional[str] = ..., fields: _Optional[_Mapping[str, str]] = ...) -> None: ...

class StreamKnownRowsResponse(_message.Message):
    __slots__ = ("rows",)
    ROWS_FIELD_NUMBER: _ClassVar[int]
    rows: _containers.RepeatedCompositeFieldContainer[KnownRow]
    def __init__(self, rows: _Optional[_Iterable[_Union[KnownRow, _Mapping]]] = ...) -> None: ...
