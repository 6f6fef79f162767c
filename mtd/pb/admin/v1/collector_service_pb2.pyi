import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from mtd.pb.common.v1 import access_pb2 as _access_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CollectorState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    COLLECTOR_STATE_UNSPECIFIED: _ClassVar[CollectorState]
    COLLECTOR_STATE_INVITED: _ClassVar[CollectorState]
    COLLECTOR_STATE_ACTIVE: _ClassVar[CollectorState]
    COLLECTOR_STATE_DISABLED: _ClassVar[CollectorState]
COLLECTOR_STATE_UNSPECIFIED: CollectorState
COLLECTOR_STATE_INVITED: CollectorState
COLLECTOR_STATE_ACTIVE: CollectorState
COLLECTOR_STATE_DISABLED: CollectorState

class Certificate(_message.Message):
    __slots__ = ("serial", "fingerprint_sha256", "issue_time", "expire_time", "revoke_time", "revoke_reason")
    SERIAL_FIELD_NUMBER: _ClassVar[int]
    FINGERPRINT_SHA256_FIELD_NUMBER: _ClassVar[int]
    ISSUE_TIME_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    REVOKE_TIME_FIELD_NUMBER: _ClassVar[int]
    REVOKE_REASON_FIELD_NUMBER: _ClassVar[int]
    serial: str
    fingerprint_sha256: str
    issue_time: _timestamp_pb2.Timestamp
    expire_time: _timestamp_pb2.Timestamp
    revoke_time: _timestamp_pb2.Timestamp
    revoke_reason: str
    def __init__(self, serial: _Optional[str] = ..., fingerprint_sha256: _Optional[str] = ..., issue_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., revoke_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., revoke_reason: _Optional[str] = ...) -> None: ...

class Collector(_message.Message):
    __slots__ = ("id", "name", "state", "create_time", "created_by", "enroll_time", "last_seen_time", "last_seen_peer", "certificates", "served_tenant_ids")
    ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    CREATED_BY_FIELD_NUMBER: _ClassVar[int]
    ENROLL_TIME_FIELD_NUMBER: _ClassVar[int]
    LAST_SEEN_TIME_FIELD_NUMBER: _ClassVar[int]
    LAST_SEEN_PEER_FIELD_NUMBER: _ClassVar[int]
    CERTIFICATES_FIELD_NUMBER: _ClassVar[int]
    SERVED_TENANT_IDS_FIELD_NUMBER: _ClassVar[int]
    id: str
    name: str
    state: CollectorState
    create_time: _timestamp_pb2.Timestamp
    created_by: str
    enroll_time: _timestamp_pb2.Timestamp
    last_seen_time: _timestamp_pb2.Timestamp
    last_seen_peer: str
    certificates: _containers.RepeatedCompositeFieldContainer[Certificate]
    served_tenant_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, id: _Optional[str] = ..., name: _Optional[str] = ..., state: _Optional[_Union[CollectorState, str]] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., created_by: _Optional[str] = ..., enroll_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., last_seen_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., last_seen_peer: _Optional[str] = ..., certificates: _Optional[_Iterable[_Union[Certificate, _Mapping]]] = ..., served_tenant_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class CreateEnrollmentTokenRequest(_message.Message):
    __slots__ = ("collector", "life_seconds", "request_id")
    COLLECTOR_FIELD_NUMBER: _ClassVar[int]
    LIFE_SECONDS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    collector: str
    life_seconds: int
    request_id: str
    def __init__(self, collector: _Optional[str] = ..., life_seconds: _Optional[int] = ..., request_id: _Optional[str] = ...) -> None: ...

class CreateEnrollmentTokenResponse(_message.Message):
    __slots__ = ("token", "expire_time", "collector")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    COLLECTOR_FIELD_NUMBER: _ClassVar[int]
    token: str
    expire_time: _timestamp_pb2.Timestamp
    collector: Collector
    def __init__(self, token: _Optional[str] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., collector: _Optional[_Union[Collector, _Mapping]] = ...) -> None: ...

class ListCollectorsRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListCollectorsResponse(_message.Message):
    __slots__ = ("collectors", "next_page_token")
    COLLECTORS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    collectors: _containers.RepeatedCompositeFieldContainer[Collector]
    next_page_token: str
    def __init__(self, collectors: _Optional[_Iterable[_Union[Collector, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetCollectorRequest(_message.Message):
    __slots__ = ("collector",)
    COLLECTOR_FIELD_NUMBER: _ClassVar[int]
    collector: str
    def __init__(self, collector: _Optional[str] = ...) -> None: ...

class GetCollectorResponse(_message.Message):
    __slots__ = ("collector",)
    COLLECTOR_FIELD_NUMBER: _ClassVar[int]
    collector: Collector
    def __init__(self, collector: _Optional[_Union[Collector, _Mapping]] = ...) -> None: ...

class DisableCollectorRequest(_message.Message):
    __slots__ = ("collector",)
    COLLECTOR_FIELD_NUMBER: _ClassVar[int]
    collector: str
    def __init__(self, collector: _Optional[str] = ...) -> None: ...

class DisableCollectorResponse(_message.Message):
    __slots__ = ("collector",)
    COLLECTOR_FIELD_NUMBER: _ClassVar[int]
    collector: Collector
    def __init__(self, collector: _Optional[_Union[Collector, _Mapping]] = ...) -> None: ...

class EnableCollectorRequest(_message.Message):
    __slots__ = ("collector",)
    COLLECTOR_FIELD_NUMBER: _ClassVar[int]
    collector: str
    def __init__(self, collector: _Optional[str] = ...) -> None: ...

class EnableCollectorResponse(_message.Message):
    __slots__ = ("collector",)
    COLLECTOR_FIELD_NUMBER: _ClassVar[int]
    collector: Collector
    def __init__(self, collector: _Optional[_Union[Collector, _Mapping]] = ...) -> None: ...

class RevokeCollectorRequest(_message.Message):
    __slots__ = ("collector", "serial", "reason")
    COLLECTOR_FIELD_NUMBER: _ClassVar[int]
    SERIAL_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    collector: str
    serial: str
    reason: str
    def __init__(self, collector: _Optional[str] = ..., serial: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class RevokeCollectorResponse(_message.Message):
    __slots__ = ("collector", "revoked")
    COLLECTOR_FIELD_NUMBER: _ClassVar[int]
    REVOKED_FIELD_NUMBER: _ClassVar[int]
    collector: Collector
    revoked: int
    def __init__(self, collector: _Optional[_Union[Collector, _Mapping]] = ..., revoked: _Optional[int] = ...) -> None: ...

class SetServedTenantsRequest(_message.Message):
    __slots__ = ("collector", "tenants")
    COLLECTOR_FIELD_NUMBER: _ClassVar[int]
    TENANTS_FIELD_NUMBER: _ClassVar[int]
    collector: str
    tenants: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, collector: _Optional[str] = ..., tenants: _Optional[_Iterable[str]] = ...) -> None: ...

class SetServedTenantsResponse(_message.Message):
    __slots__ = ("collector",)
    COLLECTOR_FIELD_NUMBER: _ClassVar[int]
    collector: Collector
    def __init__(self, collector: _Optional[_Union[Collector, _Mapping]] = ...) -> None: ...
