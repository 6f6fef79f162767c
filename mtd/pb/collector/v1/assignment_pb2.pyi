from mtd.pb.common.v1 import device_pb2 as _device_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Login(_message.Message):
    __slots__ = ("username", "password", "problem")
    USERNAME_FIELD_NUMBER: _ClassVar[int]
    PASSWORD_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    username: str
    password: str
    problem: str
    def __init__(self, username: _Optional[str] = ..., password: _Optional[str] = ..., problem: _Optional[str] = ...) -> None: ...

class RestSettings(_message.Message):
    __slots__ = ("port", "tls_mode", "tls_fingerprint")
    PORT_FIELD_NUMBER: _ClassVar[int]
    TLS_MODE_FIELD_NUMBER: _ClassVar[int]
    TLS_FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    port: int
    tls_mode: _device_pb2.TlsMode
    tls_fingerprint: str
    def __init__(self, port: _Optional[int] = ..., tls_mode: _Optional[_Union[_device_pb2.TlsMode, str]] = ..., tls_fingerprint: _Optional[str] = ...) -> None: ...

class SnmpSettings(_message.Message):
    __slots__ = ("version", "port", "community", "username", "auth", "auth_password", "priv", "priv_password")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    PORT_FIELD_NUMBER: _ClassVar[int]
    COMMUNITY_FIELD_NUMBER: _ClassVar[int]
    USERNAME_FIELD_NUMBER: _ClassVar[int]
    AUTH_FIELD_NUMBER: _ClassVar[int]
    AUTH_PASSWORD_FIELD_NUMBER: _ClassVar[int]
    PRIV_FIELD_NUMBER: _ClassVar[int]
    PRIV_PASSWORD_FIELD_NUMBER: _ClassVar[int]
    version: _device_pb2.SnmpVersion
    port: int
    community: str
    username: str
    auth: _device_pb2.SnmpAuth
    auth_password: str
    priv: _device_pb2.SnmpPriv
    priv_password: str
    def __init__(self, version: _Optional[_Union[_device_pb2.SnmpVersion, str]] = ..., port: _Optional[int] = ..., community: _Optional[str] = ..., username: _Optional[str] = ..., auth: _Optional[_Union[_device_pb2.SnmpAuth, str]] = ..., auth_password: _Optional[str] = ..., priv: _Optional[_Union[_device_pb2.SnmpPriv, str]] = ..., priv_password: _Optional[str] = ...) -> None: ...

class LiveSettings(_message.Message):
    __slots__ = ("interfaces", "metrics", "pins")
    INTERFACES_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    PINS_FIELD_NUMBER: _ClassVar[int]
    interfaces: str
    metrics: str
    pins: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, interfaces: _Optional[str] = ..., metrics: _Optional[str] = ..., pins: _Optional[_Iterable[str]] = ...) -> None: ...

class PolledDevice(_message.Message):
    __slots__ = ("device_id", "tenant_id", "name", "host", "port", "username", "password", "tls_mode", "tls_fingerprint", "code_page", "naming", "enabled", "connect_timeout_s", "command_timeout_s", "intervals_s", "labels", "revision", "ways", "rest", "snmp", "t0", "config_login", "redundancy")
    class IntervalsSEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    DEVICE_ID_FIELD_NUMBER: _ClassVar[int]
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    HOST_FIELD_NUMBER: _ClassVar[int]
    PORT_FIELD_NUMBER: _ClassVar[int]
    USERNAME_FIELD_NUMBER: _ClassVar[int]
    PASSWORD_FIELD_NUMBER: _ClassVar[int]
    TLS_MODE_FIELD_NUMBER: _ClassVar[int]
    TLS_FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    CODE_PAGE_FIELD_NUMBER: _ClassVar[int]
    NAMING_FIELD_NUMBER: _ClassVar[int]
    ENABLED_FIELD_NUMBER: _ClassVar[int]
    CONNECT_TIMEOUT_S_FIELD_NUMBER: _ClassVar[int]
    COMMAND_TIMEOUT_S_FIELD_NUMBER: _ClassVar[int]
    INTERVALS_S_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    WAYS_FIELD_NUMBER: _ClassVar[int]
    REST_FIELD_NUMBER: _ClassVar[int]
    SNMP_FIELD_NUMBER: _ClassVar[int]
    T0_FIELD_NUMBER: _ClassVar[int]
    CONFIG_LOGIN_FIELD_NUMBER: _ClassVar[int]
    REDUNDANCY_FIELD_NUMBER: _ClassVar[int]
    device_id: str
    tenant_id: str
    name: str
    host: str
    port: int
    username: str
    password: str
    tls_mode: _device_pb2.TlsMode
    tls_fingerprint: str
    code_page: str
    naming: _device_pb2.InterfaceNaming
    enabled: bool
    connect_timeout_s: float
    command_timeout_s: float
    intervals_s: _containers.ScalarMap[str, float]
    labels: _containers.ScalarMap[str, str]
    revision: int
    ways: _containers.RepeatedScalarFieldContainer[_device_pb2.Way]
    rest: RestSettings
    snmp: SnmpSettings
    t0: LiveSettings
    config_login: Login
    redundancy: int
    def __init__(self, device_id: _Optional[str] = ..., tenant_id: _Optional[str] = ..., name: _Optional[str] = ..., host: _Optional[str] = ..., port: _Optional[int] = ..., username: _Optional[str] = ..., password: _Optional[str] = ..., tls_mode: _Optional[_Union[_device_pb2.TlsMode, str]] = ..., tls_fingerprint: _Optional[str] = ..., code_page: _Optional[str] = ..., naming: _Optional[_Union[_device_pb2.InterfaceNaming, str]] = ..., enabled: _Optional[bool] = ..., connect_timeout_s: _Optional[float] = ..., command_timeout_s: _Optional[float] = ..., intervals_s: _Optional[_Mapping[str, float]] = ..., labels: _Optional[_Mapping[str, str]] = ..., revision: _Optional[int] = ..., ways: _Optional[_Iterable[_Union[_device_pb2.Way, str]]] = ..., rest: _Optional[_Union[RestSettings, _Mapping]] = ..., snmp: _Optional[_Union[SnmpSettings, _Mapping]] = ..., t0: _Optional[_Union[LiveSettings, _Mapping]] = ..., config_login: _Optional[_Union[Login, _Mapping]] = ..., redundancy: _Optional[int] = ...) -> None: ...

class AssignedDevice(_message.Message):
    __slots__ = ("device", "epoch", "exclusive")
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    EXCLUSIVE_FIELD_NUMBER: _ClassVar[int]
    device: PolledDevice
    epoch: int
    exclusive: bool
    def __init__(self, device: _Optional[_Union[PolledDevice, _Mapping]] = ..., epoch: _Optional[int] = ..., exclusive: _Optional[bool] = ...) -> None: ...

class AssignmentPart(_message.Message):
    __slots__ = ("revision", "full", "more", "devices", "withdrawn_device_ids")
    REVISION_FIELD_NUMBER: _ClassVar[int]
    FULL_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    DEVICES_FIELD_NUMBER: _ClassVar[int]
    WITHDRAWN_DEVICE_IDS_FIELD_NUMBER: _ClassVar[int]
    revision: int
    full: bool
    more: bool
    devices: _containers.RepeatedCompositeFieldContainer[AssignedDevice]
    withdrawn_device_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, revision: _Optional[int] = ..., full: _Optional[bool] = ..., more: _Optional[bool] = ..., devices: _Optional[_Iterable[_Union[AssignedDevice, _Mapping]]] = ..., withdrawn_device_ids: _Optional[_Iterable[str]] = ...) -> None: ...
