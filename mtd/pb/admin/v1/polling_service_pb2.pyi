import datetime

from google.protobuf import field_mask_pb2 as _field_mask_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from mtd.pb.common.v1 import access_pb2 as _access_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PollerState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    POLLER_STATE_UNSPECIFIED: _ClassVar[PollerState]
    POLLER_STATE_ONLINE: _ClassVar[PollerState]
    POLLER_STATE_OFFLINE: _ClassVar[PollerState]
    POLLER_STATE_LEFT: _ClassVar[PollerState]
    POLLER_STATE_NEVER: _ClassVar[PollerState]
POLLER_STATE_UNSPECIFIED: PollerState
POLLER_STATE_ONLINE: PollerState
POLLER_STATE_OFFLINE: PollerState
POLLER_STATE_LEFT: PollerState
POLLER_STATE_NEVER: PollerState

class Poller(_message.Message):
    __slots__ = ("id", "name", "edge", "state", "state_time", "version", "devices", "exclusive_devices", "lease_left_s", "draining", "weight", "sites", "sites_only", "canary_percent", "canary_group", "report")
    ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    EDGE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    STATE_TIME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    DEVICES_FIELD_NUMBER: _ClassVar[int]
    EXCLUSIVE_DEVICES_FIELD_NUMBER: _ClassVar[int]
    LEASE_LEFT_S_FIELD_NUMBER: _ClassVar[int]
    DRAINING_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    SITES_FIELD_NUMBER: _ClassVar[int]
    SITES_ONLY_FIELD_NUMBER: _ClassVar[int]
    CANARY_PERCENT_FIELD_NUMBER: _ClassVar[int]
    CANARY_GROUP_FIELD_NUMBER: _ClassVar[int]
    REPORT_FIELD_NUMBER: _ClassVar[int]
    id: str
    name: str
    edge: bool
    state: PollerState
    state_time: _timestamp_pb2.Timestamp
    version: str
    devices: int
    exclusive_devices: int
    lease_left_s: float
    draining: bool
    weight: float
    sites: _containers.RepeatedScalarFieldContainer[str]
    sites_only: bool
    canary_percent: int
    canary_group: str
    report: PollerReport
    def __init__(self, id: _Optional[str] = ..., name: _Optional[str] = ..., edge: _Optional[bool] = ..., state: _Optional[_Union[PollerState, str]] = ..., state_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., version: _Optional[str] = ..., devices: _Optional[int] = ..., exclusive_devices: _Optional[int] = ..., lease_left_s: _Optional[float] = ..., draining: _Optional[bool] = ..., weight: _Optional[float] = ..., sites: _Optional[_Iterable[str]] = ..., sites_only: _Optional[bool] = ..., canary_percent: _Optional[int] = ..., canary_group: _Optional[str] = ..., report: _Optional[_Union[PollerReport, _Mapping]] = ...) -> None: ...

class PollerReport(_message.Message):
    __slots__ = ("report_time", "buffer_events", "buffer_bytes", "last_push_time", "clock_ahead_s", "pressure")
    REPORT_TIME_FIELD_NUMBER: _ClassVar[int]
    BUFFER_EVENTS_FIELD_NUMBER: _ClassVar[int]
    BUFFER_BYTES_FIELD_NUMBER: _ClassVar[int]
    LAST_PUSH_TIME_FIELD_NUMBER: _ClassVar[int]
    CLOCK_AHEAD_S_FIELD_NUMBER: _ClassVar[int]
    PRESSURE_FIELD_NUMBER: _ClassVar[int]
    report_time: _timestamp_pb2.Timestamp
    buffer_events: int
    buffer_bytes: int
    last_push_time: _timestamp_pb2.Timestamp
    clock_ahead_s: float
    pressure: str
    def __init__(self, report_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., buffer_events: _Optional[int] = ..., buffer_bytes: _Optional[int] = ..., last_push_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., clock_ahead_s: _Optional[float] = ..., pressure: _Optional[str] = ...) -> None: ...

class ListPollersRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListPollersResponse(_message.Message):
    __slots__ = ("pollers", "next_page_token")
    POLLERS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    pollers: _containers.RepeatedCompositeFieldContainer[Poller]
    next_page_token: str
    def __init__(self, pollers: _Optional[_Iterable[_Union[Poller, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetPollerRequest(_message.Message):
    __slots__ = ("poller",)
    POLLER_FIELD_NUMBER: _ClassVar[int]
    poller: str
    def __init__(self, poller: _Optional[str] = ...) -> None: ...

class GetPollerResponse(_message.Message):
    __slots__ = ("poller",)
    POLLER_FIELD_NUMBER: _ClassVar[int]
    poller: Poller
    def __init__(self, poller: _Optional[_Union[Poller, _Mapping]] = ...) -> None: ...

class PollerSettings(_message.Message):
    __slots__ = ("draining", "weight", "sites", "sites_only", "canary_percent", "canary_group")
    DRAINING_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    SITES_FIELD_NUMBER: _ClassVar[int]
    SITES_ONLY_FIELD_NUMBER: _ClassVar[int]
    CANARY_PERCENT_FIELD_NUMBER: _ClassVar[int]
    CANARY_GROUP_FIELD_NUMBER: _ClassVar[int]
    draining: bool
    weight: float
    sites: _containers.RepeatedScalarFieldContainer[str]
    sites_only: bool
    canary_percent: int
    canary_group: str
    def __init__(self, draining: _Optional[bool] = ..., weight: _Optional[float] = ..., sites: _Optional[_Iterable[str]] = ..., sites_only: _Optional[bool] = ..., canary_percent: _Optional[int] = ..., canary_group: _Optional[str] = ...) -> None: ...

class UpdatePollerRequest(_message.Message):
    __slots__ = ("poller", "settings", "update_mask")
    POLLER_FIELD_NUMBER: _ClassVar[int]
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    UPDATE_MASK_FIELD_NUMBER: _ClassVar[int]
    poller: str
    settings: PollerSettings
    update_mask: _field_mask_pb2.FieldMask
    def __init__(self, poller: _Optional[str] = ..., settings: _Optional[_Union[PollerSettings, _Mapping]] = ..., update_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ...) -> None: ...

class UpdatePollerResponse(_message.Message):
    __slots__ = ("poller",)
    POLLER_FIELD_NUMBER: _ClassVar[int]
    poller: Poller
    def __init__(self, poller: _Optional[_Union[Poller, _Mapping]] = ...) -> None: ...

class ReleasePollerRequest(_message.Message):
    __slots__ = ("poller",)
    POLLER_FIELD_NUMBER: _ClassVar[int]
    poller: str
    def __init__(self, poller: _Optional[str] = ...) -> None: ...

class ReleasePollerResponse(_message.Message):
    __slots__ = ("devices",)
    DEVICES_FIELD_NUMBER: _ClassVar[int]
    devices: int
    def __init__(self, devices: _Optional[int] = ...) -> None: ...

class PlaceDevicesRequest(_message.Message):
    __slots__ = ("devices", "sites", "poller", "redundancy")
    DEVICES_FIELD_NUMBER: _ClassVar[int]
    SITES_FIELD_NUMBER: _ClassVar[int]
    POLLER_FIELD_NUMBER: _ClassVar[int]
    REDUNDANCY_FIELD_NUMBER: _ClassVar[int]
    devices: _containers.RepeatedScalarFieldContainer[str]
    sites: _containers.RepeatedScalarFieldContainer[str]
    poller: str
    redundancy: int
    def __init__(self, devices: _Optional[_Iterable[str]] = ..., sites: _Optional[_Iterable[str]] = ..., poller: _Optional[str] = ..., redundancy: _Optional[int] = ...) -> None: ...

class PlaceDevicesResponse(_message.Message):
    __slots__ = ("devices", "sites")
    DEVICES_FIELD_NUMBER: _ClassVar[int]
    SITES_FIELD_NUMBER: _ClassVar[int]
    devices: int
    sites: int
    def __init__(self, devices: _Optional[int] = ..., sites: _Optional[int] = ...) -> None: ...

class ListAssignmentsRequest(_message.Message):
    __slots__ = ("poller", "page_size", "page_token")
    POLLER_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    poller: str
    page_size: int
    page_token: str
    def __init__(self, poller: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class Assignment(_message.Message):
    __slots__ = ("device_id", "device", "poller_id", "poller", "assign_time", "releasing", "exclusive", "epoch", "pinned")
    DEVICE_ID_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    POLLER_ID_FIELD_NUMBER: _ClassVar[int]
    POLLER_FIELD_NUMBER: _ClassVar[int]
    ASSIGN_TIME_FIELD_NUMBER: _ClassVar[int]
    RELEASING_FIELD_NUMBER: _ClassVar[int]
    EXCLUSIVE_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    PINNED_FIELD_NUMBER: _ClassVar[int]
    device_id: str
    device: str
    poller_id: str
    poller: str
    assign_time: _timestamp_pb2.Timestamp
    releasing: bool
    exclusive: bool
    epoch: int
    pinned: bool
    def __init__(self, device_id: _Optional[str] = ..., device: _Optional[str] = ..., poller_id: _Optional[str] = ..., poller: _Optional[str] = ..., assign_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., releasing: _Optional[bool] = ..., exclusive: _Optional[bool] = ..., epoch: _Optional[int] = ..., pinned: _Optional[bool] = ...) -> None: ...

class ListAssignmentsResponse(_message.Message):
    __slots__ = ("assignments", "next_page_token")
    ASSIGNMENTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    assignments: _containers.RepeatedCompositeFieldContainer[Assignment]
    next_page_token: str
    def __init__(self, assignments: _Optional[_Iterable[_Union[Assignment, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...
