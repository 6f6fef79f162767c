from mtd.pb.common.v1 import access_pb2 as _access_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AuditEntry(_message.Message):
    __slots__ = ("position", "entry_id", "time_us", "tenant_id", "action", "outcome", "caller_kind", "caller", "caller_id", "role", "peer", "target", "detail", "prev_hash", "hash")
    class DetailEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    POSITION_FIELD_NUMBER: _ClassVar[int]
    ENTRY_ID_FIELD_NUMBER: _ClassVar[int]
    TIME_US_FIELD_NUMBER: _ClassVar[int]
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    CALLER_KIND_FIELD_NUMBER: _ClassVar[int]
    CALLER_FIELD_NUMBER: _ClassVar[int]
    CALLER_ID_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    PEER_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    PREV_HASH_FIELD_NUMBER: _ClassVar[int]
    HASH_FIELD_NUMBER: _ClassVar[int]
    position: int
    entry_id: str
    time_us: int
    tenant_id: str
    action: str
    outcome: str
    caller_kind: str
    caller: str
    caller_id: str
    role: str
    peer: str
    target: str
    detail: _containers.ScalarMap[str, str]
    prev_hash: bytes
    hash: bytes
    def __init__(self, position: _Optional[int] = ..., entry_id: _Optional[str] = ..., time_us: _Optional[int] = ..., tenant_id: _Optional[str] = ..., action: _Optional[str] = ..., outcome: _Optional[str] = ..., caller_kind: _Optional[str] = ..., caller: _Optional[str] = ..., caller_id: _Optional[str] = ..., role: _Optional[str] = ..., peer: _Optional[str] = ..., target: _Optional[str] = ..., detail: _Optional[_Mapping[str, str]] = ..., prev_hash: _Optional[bytes] = ..., hash: _Optional[bytes] = ...) -> None: ...

class AuditFilter(_message.Message):
    __slots__ = ("all_tenants", "start_us", "end_us", "caller", "action", "outcome", "target")
    ALL_TENANTS_FIELD_NUMBER: _ClassVar[int]
    START_US_FIELD_NUMBER: _ClassVar[int]
    END_US_FIELD_NUMBER: _ClassVar[int]
    CALLER_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    all_tenants: bool
    start_us: int
    end_us: int
    caller: str
    action: str
    outcome: str
    target: str
    def __init__(self, all_tenants: _Optional[bool] = ..., start_us: _Optional[int] = ..., end_us: _Optional[int] = ..., caller: _Optional[str] = ..., action: _Optional[str] = ..., outcome: _Optional[str] = ..., target: _Optional[str] = ...) -> None: ...

class ListAuditEntriesRequest(_message.Message):
    __slots__ = ("filter", "page_size", "page_token")
    FILTER_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    filter: AuditFilter
    page_size: int
    page_token: str
    def __init__(self, filter: _Optional[_Union[AuditFilter, _Mapping]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListAuditEntriesResponse(_message.Message):
    __slots__ = ("entries", "next_page_token")
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.RepeatedCompositeFieldContainer[AuditEntry]
    next_page_token: str
    def __init__(self, entries: _Optional[_Iterable[_Union[AuditEntry, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ExportAuditEntriesRequest(_message.Message):
    __slots__ = ("filter", "after_position")
    FILTER_FIELD_NUMBER: _ClassVar[int]
    AFTER_POSITION_FIELD_NUMBER: _ClassVar[int]
    filter: AuditFilter
    after_position: int
    def __init__(self, filter: _Optional[_Union[AuditFilter, _Mapping]] = ..., after_position: _Optional[int] = ...) -> None: ...

class ExportAuditEntriesResponse(_message.Message):
    __slots__ = ("entries",)
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.RepeatedCompositeFieldContainer[AuditEntry]
    def __init__(self, entries: _Optional[_Iterable[_Union[AuditEntry, _Mapping]]] = ...) -> None: ...

class KnownEntry(_message.Message):
    __slots__ = ("position", "hash")
    POSITION_FIELD_NUMBER: _ClassVar[int]
    HASH_FIELD_NUMBER: _ClassVar[int]
    position: int
    hash: bytes
    def __init__(self, position: _Optional[int] = ..., hash: _Optional[bytes] = ...) -> None: ...

class VerifyAuditLogRequest(_message.Message):
    __slots__ = ("known",)
    KNOWN_FIELD_NUMBER: _ClassVar[int]
    known: _containers.RepeatedCompositeFieldContainer[KnownEntry]
    def __init__(self, known: _Optional[_Iterable[_Union[KnownEntry, _Mapping]]] = ...) -> None: ...

class VerifyAuditLogResponse(_message.Message):
    __slots__ = ("done", "total", "report")
    DONE_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    REPORT_FIELD_NUMBER: _ClassVar[int]
    done: int
    total: int
    report: AuditReport
    def __init__(self, done: _Optional[int] = ..., total: _Optional[int] = ..., report: _Optional[_Union[AuditReport, _Mapping]] = ...) -> None: ...

class AuditProblem(_message.Message):
    __slots__ = ("position", "kind", "message")
    POSITION_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    position: int
    kind: str
    message: str
    def __init__(self, position: _Optional[int] = ..., kind: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...

class AuditReport(_message.Message):
    __slots__ = ("ok", "chain_id", "entries", "first_position", "last_position", "head_hash", "pruned_to", "anchors", "anchors_unchecked", "newest_anchor_us", "unanchored", "problem_count", "problems")
    OK_FIELD_NUMBER: _ClassVar[int]
    CHAIN_ID_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    FIRST_POSITION_FIELD_NUMBER: _ClassVar[int]
    LAST_POSITION_FIELD_NUMBER: _ClassVar[int]
    HEAD_HASH_FIELD_NUMBER: _ClassVar[int]
    PRUNED_TO_FIELD_NUMBER: _ClassVar[int]
    ANCHORS_FIELD_NUMBER: _ClassVar[int]
    ANCHORS_UNCHECKED_FIELD_NUMBER: _ClassVar[int]
    NEWEST_ANCHOR_US_FIELD_NUMBER: _ClassVar[int]
    UNANCHORED_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_COUNT_FIELD_NUMBER: _ClassVar[int]
    PROBLEMS_FIELD_NUMBER: _ClassVar[int]
    ok: bool
    chain_id: str
    entries: int
    first_position: int
    last_position: int
    head_hash: bytes
    pruned_to: int
    anchors: int
    anchors_unchecked: int
    newest_anchor_us: int
    unanchored: int
    problem_count: int
    problems: _containers.RepeatedCompositeFieldContainer[AuditProblem]
    def __init__(self, ok: _Optional[bool] = ..., chain_id: _Optional[str] = ..., entries: _Optional[int] = ..., first_position: _Optional[int] = ..., last_position: _Optional[int] = ..., head_hash: _Optional[bytes] = ..., pruned_to: _Optional[int] = ..., anchors: _Optional[int] = ..., anchors_unchecked: _Optional[int] = ..., newest_anchor_us: _Optional[int] = ..., unanchored: _Optional[int] = ..., problem_count: _Optional[int] = ..., problems: _Optional[_Iterable[_Union[AuditProblem, _Mapping]]] = ...) -> None: ...
