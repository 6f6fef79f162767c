import datetime

from google.protobuf import field_mask_pb2 as _field_mask_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from mtd.pb.common.v1 import access_pb2 as _access_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DeviceGroupSettings(_message.Message):
    __slots__ = ("name", "labels", "notes")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    NOTES_FIELD_NUMBER: _ClassVar[int]
    name: str
    labels: _containers.ScalarMap[str, str]
    notes: str
    def __init__(self, name: _Optional[str] = ..., labels: _Optional[_Mapping[str, str]] = ..., notes: _Optional[str] = ...) -> None: ...

class DeviceGroup(_message.Message):
    __slots__ = ("id", "tenant_id", "settings", "revision", "create_time", "update_time", "device_count")
    ID_FIELD_NUMBER: _ClassVar[int]
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    DEVICE_COUNT_FIELD_NUMBER: _ClassVar[int]
    id: str
    tenant_id: str
    settings: DeviceGroupSettings
    revision: int
    create_time: _timestamp_pb2.Timestamp
    update_time: _timestamp_pb2.Timestamp
    device_count: int
    def __init__(self, id: _Optional[str] = ..., tenant_id: _Optional[str] = ..., settings: _Optional[_Union[DeviceGroupSettings, _Mapping]] = ..., revision: _Optional[int] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., device_count: _Optional[int] = ...) -> None: ...

class CreateDeviceGroupRequest(_message.Message):
    __slots__ = ("settings", "request_id")
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    settings: DeviceGroupSettings
    request_id: str
    def __init__(self, settings: _Optional[_Union[DeviceGroupSettings, _Mapping]] = ..., request_id: _Optional[str] = ...) -> None: ...

class CreateDeviceGroupResponse(_message.Message):
    __slots__ = ("device_group",)
    DEVICE_GROUP_FIELD_NUMBER: _ClassVar[int]
    device_group: DeviceGroup
    def __init__(self, device_group: _Optional[_Union[DeviceGroup, _Mapping]] = ...) -> None: ...

class GetDeviceGroupRequest(_message.Message):
    __slots__ = ("device_group",)
    DEVICE_GROUP_FIELD_NUMBER: _ClassVar[int]
    device_group: str
    def __init__(self, device_group: _Optional[str] = ...) -> None: ...

class GetDeviceGroupResponse(_message.Message):
    __slots__ = ("device_group",)
    DEVICE_GROUP_FIELD_NUMBER: _ClassVar[int]
    device_group: DeviceGroup
    def __init__(self, device_group: _Optional[_Union[DeviceGroup, _Mapping]] = ...) -> None: ...

class ListDeviceGroupsRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListDeviceGroupsResponse(_message.Message):
    __slots__ = ("device_groups", "next_page_token")
    DEVICE_GROUPS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    device_groups: _containers.RepeatedCompositeFieldContainer[DeviceGroup]
    next_page_token: str
    def __init__(self, device_groups: _Optional[_Iterable[_Union[DeviceGroup, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class UpdateDeviceGroupRequest(_message.Message):
    __slots__ = ("device_group", "settings", "update_mask", "revision")
    DEVICE_GROUP_FIELD_NUMBER: _ClassVar[int]
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    UPDATE_MASK_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    device_group: str
    settings: DeviceGroupSettings
    update_mask: _field_mask_pb2.FieldMask
    revision: int
    def __init__(self, device_group: _Optional[str] = ..., settings: _Optional[_Union[DeviceGroupSettings, _Mapping]] = ..., update_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ..., revision: _Optional[int] = ...) -> None: ...

class UpdateDeviceGroupResponse(_message.Message):
    __slots__ = ("device_group",)
    DEVICE_GROUP_FIELD_NUMBER: _ClassVar[int]
    device_group: DeviceGroup
    def __init__(self, device_group: _Optional[_Union[DeviceGroup, _Mapping]] = ...) -> None: ...

class DeleteDeviceGroupRequest(_message.Message):
    __slots__ = ("device_group",)
    DEVICE_GROUP_FIELD_NUMBER: _ClassVar[int]
    device_group: str
    def __init__(self, device_group: _Optional[str] = ...) -> None: ...

class DeleteDeviceGroupResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
