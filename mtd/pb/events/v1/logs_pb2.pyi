from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class LogForm(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LOG_FORM_UNSPECIFIED: _ClassVar[LogForm]
    LOG_FORM_PLAIN: _ClassVar[LogForm]
    LOG_FORM_BSD: _ClassVar[LogForm]
    LOG_FORM_RFC5424: _ClassVar[LogForm]
    LOG_FORM_CEF: _ClassVar[LogForm]
LOG_FORM_UNSPECIFIED: LogForm
LOG_FORM_PLAIN: LogForm
LOG_FORM_BSD: LogForm
LOG_FORM_RFC5424: LogForm
LOG_FORM_CEF: LogForm

class LogBatch(_message.Message):
    __slots__ = ("lines", "sender")
    LINES_FIELD_NUMBER: _ClassVar[int]
    SENDER_FIELD_NUMBER: _ClassVar[int]
    lines: _containers.RepeatedCompositeFieldContainer[LogLine]
    sender: str
    def __init__(self, lines: _Optional[_Iterable[_Union[LogLine, _Mapping]]] = ..., sender: _Optional[str] = ...) -> None: ...

class LogLine(_message.Message):
    __slots__ = ("received_at_us", "text", "head", "original", "form", "severity", "facility", "topics", "event_type", "entity_type", "entity", "field", "old_value", "new_value", "host", "program", "process", "told_time", "repeats", "cut", "values_json")
    RECEIVED_AT_US_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    HEAD_FIELD_NUMBER: _ClassVar[int]
    ORIGINAL_FIELD_NUMBER: _ClassVar[int]
    FORM_FIELD_NUMBER: _ClassVar[int]
    SEVERITY_FIELD_NUMBER: _ClassVar[int]
    FACILITY_FIELD_NUMBER: _ClassVar[int]
    TOPICS_FIELD_NUMBER: _ClassVar[int]
    EVENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    ENTITY_TYPE_FIELD_NUMBER: _ClassVar[int]
    ENTITY_FIELD_NUMBER: _ClassVar[int]
    FIELD_FIELD_NUMBER: _ClassVar[int]
    OLD_VALUE_FIELD_NUMBER: _ClassVar[int]
    NEW_VALUE_FIELD_NUMBER: _ClassVar[int]
    HOST_FIELD_NUMBER: _ClassVar[int]
    PROGRAM_FIELD_NUMBER: _ClassVar[int]
    PROCESS_FIELD_NUMBER: _ClassVar[int]
    TOLD_TIME_FIELD_NUMBER: _ClassVar[int]
    REPEATS_FIELD_NUMBER: _ClassVar[int]
    CUT_FIELD_NUMBER: _ClassVar[int]
    VALUES_JSON_FIELD_NUMBER: _ClassVar[int]
    received_at_us: int
    text: str
    head: str
    original: str
    form: LogForm
    severity: int
    facility: int
    topics: _containers.RepeatedScalarFieldContainer[str]
    event_type: str
    entity_type: str
    entity: str
    field: str
    old_value: str
    new_value: str
    host: str
    program: str
    process: str
    told_time: str
    repeats: int
    cut: bool
    values_json: str
    def __init__(self, received_at_us: _Optional[int] = ..., text: _Optional[str] = ..., head: _Optional[str] = ..., original: _Optional[str] = ..., form: _Optional[_Union[LogForm, str]] = ..., severity: _Optional[int] = ..., facility: _Optional[int] = ..., topics: _Optional[_Iterable[str]] = ..., event_type: _Optional[str] = ..., entity_type: _Optional[str] = ..., entity: _Optional[str] = ..., field: _Optional[str] = ..., old_value: _Optional[str] = ..., new_value: _Optional[str] = ..., host: _Optional[str] = ..., program: _Optional[str] = ..., process: _Optional[str] = ..., told_time: _Optional[str] = ..., repeats: _Optional[int] = ..., cut: _Optional[bool] = ..., values_json: _Optional[str] = ...) -> None: ...
