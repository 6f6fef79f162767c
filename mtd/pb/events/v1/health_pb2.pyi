from mtd.pb.common.v1 import device_pb2 as _device_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PollOutcome(_message.Message):
    __slots__ = ("outcome", "status", "poll_group", "reason", "consecutive_failures", "polls_missed", "retry_in_s")
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    POLL_GROUP_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    CONSECUTIVE_FAILURES_FIELD_NUMBER: _ClassVar[int]
    POLLS_MISSED_FIELD_NUMBER: _ClassVar[int]
    RETRY_IN_S_FIELD_NUMBER: _ClassVar[int]
    outcome: _device_pb2.Outcome
    status: _device_pb2.DeviceStatus
    poll_group: str
    reason: str
    consecutive_failures: int
    polls_missed: int
    retry_in_s: float
    def __init__(self, outcome: _Optional[_Union[_device_pb2.Outcome, str]] = ..., status: _Optional[_Union[_device_pb2.DeviceStatus, str]] = ..., poll_group: _Optional[str] = ..., reason: _Optional[str] = ..., consecutive_failures: _Optional[int] = ..., polls_missed: _Optional[int] = ..., retry_in_s: _Optional[float] = ...) -> None: ...

class Capability(_message.Message):
    __slots__ = ("name", "present", "detail")
    NAME_FIELD_NUMBER: _ClassVar[int]
    PRESENT_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    name: str
    present: bool
    detail: str
    def __init__(self, name: _Optional[str] = ..., present: _Optional[bool] = ..., detail: _Optional[str] = ...) -> None: ...

class CapabilityProbed(_message.Message):
    __slots__ = ("routeros_version", "routeros_major", "board_name", "architecture", "identity", "serial_number", "capabilities")
    ROUTEROS_VERSION_FIELD_NUMBER: _ClassVar[int]
    ROUTEROS_MAJOR_FIELD_NUMBER: _ClassVar[int]
    BOARD_NAME_FIELD_NUMBER: _ClassVar[int]
    ARCHITECTURE_FIELD_NUMBER: _ClassVar[int]
    IDENTITY_FIELD_NUMBER: _ClassVar[int]
    SERIAL_NUMBER_FIELD_NUMBER: _ClassVar[int]
    CAPABILITIES_FIELD_NUMBER: _ClassVar[int]
    routeros_version: str
    routeros_major: int
    board_name: str
    architecture: str
    identity: str
    serial_number: str
    capabilities: _containers.RepeatedCompositeFieldContainer[Capability]
    def __init__(self, routeros_version: _Optional[str] = ..., routeros_major: _Optional[int] = ..., board_name: _Optional[str] = ..., architecture: _Optional[str] = ..., identity: _Optional[str] = ..., serial_number: _Optional[str] = ..., capabilities: _Optional[_Iterable[_Union[Capability, _Mapping]]] = ...) -> None: ...
