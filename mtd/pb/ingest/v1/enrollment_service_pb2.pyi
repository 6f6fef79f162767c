import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from mtd.pb.common.v1 import access_pb2 as _access_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class IssuedCertificate(_message.Message):
    __slots__ = ("certificate_chain", "authorities", "collector_id", "collector_name", "tenant_ids", "expire_time", "collector_port")
    CERTIFICATE_CHAIN_FIELD_NUMBER: _ClassVar[int]
    AUTHORITIES_FIELD_NUMBER: _ClassVar[int]
    COLLECTOR_ID_FIELD_NUMBER: _ClassVar[int]
    COLLECTOR_NAME_FIELD_NUMBER: _ClassVar[int]
    TENANT_IDS_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    COLLECTOR_PORT_FIELD_NUMBER: _ClassVar[int]
    certificate_chain: bytes
    authorities: bytes
    collector_id: str
    collector_name: str
    tenant_ids: _containers.RepeatedScalarFieldContainer[str]
    expire_time: _timestamp_pb2.Timestamp
    collector_port: int
    def __init__(self, certificate_chain: _Optional[bytes] = ..., authorities: _Optional[bytes] = ..., collector_id: _Optional[str] = ..., collector_name: _Optional[str] = ..., tenant_ids: _Optional[_Iterable[str]] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., collector_port: _Optional[int] = ...) -> None: ...

class EnrollRequest(_message.Message):
    __slots__ = ("enrollment_token", "certificate_request")
    ENROLLMENT_TOKEN_FIELD_NUMBER: _ClassVar[int]
    CERTIFICATE_REQUEST_FIELD_NUMBER: _ClassVar[int]
    enrollment_token: str
    certificate_request: bytes
    def __init__(self, enrollment_token: _Optional[str] = ..., certificate_request: _Optional[bytes] = ...) -> None: ...

class EnrollResponse(_message.Message):
    __slots__ = ("issued",)
    ISSUED_FIELD_NUMBER: _ClassVar[int]
    issued: IssuedCertificate
    def __init__(self, issued: _Optional[_Union[IssuedCertificate, _Mapping]] = ...) -> None: ...

class RenewCertificateRequest(_message.Message):
    __slots__ = ("certificate_request",)
    CERTIFICATE_REQUEST_FIELD_NUMBER: _ClassVar[int]
    certificate_request: bytes
    def __init__(self, certificate_request: _Optional[bytes] = ...) -> None: ...

class RenewCertificateResponse(_message.Message):
    __slots__ = ("issued",)
    ISSUED_FIELD_NUMBER: _ClassVar[int]
    issued: IssuedCertificate
    def __init__(self, issued: _Optional[_Union[IssuedCertificate, _Mapping]] = ...) -> None: ...
