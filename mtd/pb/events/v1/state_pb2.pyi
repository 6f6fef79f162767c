from mtd.pb.common.v1 import device_pb2 as _device_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class StateChanged(_message.Message):
    __slots__ = ("event_type", "severity", "entity_type", "entity_id", "entity_label", "field", "old_value", "new_value", "message", "logged_as", "told_by")
    EVENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    SEVERITY_FIELD_NUMBER: _ClassVar[int]
    ENTITY_TYPE_FIELD_NUMBER: _ClassVar[int]
    ENTITY_ID_FIELD_NUMBER: _ClassVar[int]
    ENTITY_LABEL_FIELD_NUMBER: _ClassVar[int]
    FIELD_FIELD_NUMBER: _ClassVar[int]
    OLD_VALUE_FIELD_NUMBER: _ClassVar[int]
    NEW_VALUE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    LOGGED_AS_FIELD_NUMBER: _ClassVar[int]
    TOLD_BY_FIELD_NUMBER: _ClassVar[int]
    event_type: str
    severity: _device_pb2.Severity
    entity_type: str
    entity_id: str
    entity_label: str
    field: str
    old_value: str
    new_value: str
    message: str
    logged_as: str
    told_by: str
    def __init__(self, event_type: _Optional[str] = ..., severity: _Optional[_Union[_device_pb2.Severity, str]] = ..., entity_type: _Optional[str] = ..., entity_id: _Optional[str] = ..., entity_label: _Optional[str] = ..., field: _Optional[str] = ..., old_value: _Optional[str] = ..., new_value: _Optional[str] = ..., message: _Optional[str] = ..., logged_as: _Optional[str] = ..., told_by: _Optional[str] = ...) -> None: ...

class TableRow(_message.Message):
    __slots__ = ("key", "fields")
    class FieldsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    KEY_FIELD_NUMBER: _ClassVar[int]
    FIELDS_FIELD_NUMBER: _ClassVar[int]
    key: str
    fields: _containers.ScalarMap[str, str]
    def __init__(self, key: _Optional[str] = ..., fields: _Optional[_Mapping[str, str]] = ...) -> None: ...

class TableDelta(_message.Message):
    __slots__ = ("table", "complete", "upserted", "removed", "complete_within")
    TABLE_FIELD_NUMBER: _ClassVar[int]
    COMPLETE_FIELD_NUMBER: _ClassVar[int]
    UPSERTED_FIELD_NUMBER: _ClassVar[int]
    REMOVED_FIELD_NUMBER: _ClassVar[int]
    COMPLETE_WITHIN_FIELD_NUMBER: _ClassVar[int]
    table: str
    complete: bool
    upserted: _containers.RepeatedCompositeFieldContainer[TableRow]
    removed: _containers.RepeatedScalarFieldContainer[str]
    complete_within: KeyRange
    def __init__(self, table: _Optional[str] = ..., complete: _Optional[bool] = ..., upserted: _Optional[_Iterable[_Union[TableRow, _Mapping]]] = ..., removed: _Optional[_Iterable[str]] = ..., complete_within: _Optional[_Union[KeyRange, _Mapping]] = ...) -> None: ...

class KeyRange(_message.Message):
    __slots__ = ("after", "up_to")
    AFTER_FIELD_NUMBER: _ClassVar[int]
    UP_TO_FIELD_NUMBER: _ClassVar[int]
    after: str
    up_to: str
    def __init__(self, after: _Optional[str] = ..., up_to: _Optional[str] = ...) -> None: ...

class Snapshot(_message.Message):
    __slots__ = ("kind", "content", "sha256")
    KIND_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    kind: str
    content: bytes
    sha256: bytes
    def __init__(self, kind: _Optional[str] = ..., content: _Optional[bytes] = ..., sha256: _Optional[bytes] = ...) -> None: ...
