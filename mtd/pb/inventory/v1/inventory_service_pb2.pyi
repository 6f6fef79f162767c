import datetime

from google.protobuf import field_mask_pb2 as _field_mask_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from mtd.pb.common.v1 import access_pb2 as _access_pb2
from mtd.pb.common.v1 import device_pb2 as _device_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class T0Settings(_message.Message):
    __slots__ = ("interfaces", "metrics", "pins")
    INTERFACES_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    PINS_FIELD_NUMBER: _ClassVar[int]
    interfaces: str
    metrics: str
    pins: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, interfaces: _Optional[str] = ..., metrics: _Optional[str] = ..., pins: _Optional[_Iterable[str]] = ...) -> None: ...

class DeviceSettings(_message.Message):
    __slots__ = ("name", "host", "port", "tls_mode", "tls_fingerprint", "username", "enabled", "interface_naming", "code_page", "connect_timeout_s", "command_timeout_s", "intervals_s", "labels", "notes", "t0", "ways", "rest_port", "rest_tls_mode", "rest_tls_fingerprint", "snmp_version", "snmp_port", "snmp_username", "snmp_auth", "snmp_priv", "site", "groups", "readonly_credentials", "diagnostics_credentials", "config_audit_credentials")
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
    NAME_FIELD_NUMBER: _ClassVar[int]
    HOST_FIELD_NUMBER: _ClassVar[int]
    PORT_FIELD_NUMBER: _ClassVar[int]
    TLS_MODE_FIELD_NUMBER: _ClassVar[int]
    TLS_FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    USERNAME_FIELD_NUMBER: _ClassVar[int]
    ENABLED_FIELD_NUMBER: _ClassVar[int]
    INTERFACE_NAMING_FIELD_NUMBER: _ClassVar[int]
    CODE_PAGE_FIELD_NUMBER: _ClassVar[int]
    CONNECT_TIMEOUT_S_FIELD_NUMBER: _ClassVar[int]
    COMMAND_TIMEOUT_S_FIELD_NUMBER: _ClassVar[int]
    INTERVALS_S_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    NOTES_FIELD_NUMBER: _ClassVar[int]
    T0_FIELD_NUMBER: _ClassVar[int]
    WAYS_FIELD_NUMBER: _ClassVar[int]
    REST_PORT_FIELD_NUMBER: _ClassVar[int]
    REST_TLS_MODE_FIELD_NUMBER: _ClassVar[int]
    REST_TLS_FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    SNMP_VERSION_FIELD_NUMBER: _ClassVar[int]
    SNMP_PORT_FIELD_NUMBER: _ClassVar[int]
    SNMP_USERNAME_FIELD_NUMBER: _ClassVar[int]
    SNMP_AUTH_FIELD_NUMBER: _ClassVar[int]
    SNMP_PRIV_FIELD_NUMBER: _ClassVar[int]
    SITE_FIELD_NUMBER: _ClassVar[int]
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    READONLY_CREDENTIALS_FIELD_NUMBER: _ClassVar[int]
    DIAGNOSTICS_CREDENTIALS_FIELD_NUMBER: _ClassVar[int]
    CONFIG_AUDIT_CREDENTIALS_FIELD_NUMBER: _ClassVar[int]
    name: str
    host: str
    port: int
    tls_mode: _device_pb2.TlsMode
    tls_fingerprint: str
    username: str
    enabled: bool
    interface_naming: _device_pb2.InterfaceNaming
    code_page: str
    connect_timeout_s: float
    command_timeout_s: float
    intervals_s: _containers.ScalarMap[str, float]
    labels: _containers.ScalarMap[str, str]
    notes: str
    t0: T0Settings
    ways: _containers.RepeatedScalarFieldContainer[_device_pb2.Way]
    rest_port: int
    rest_tls_mode: _device_pb2.TlsMode
    rest_tls_fingerprint: str
    snmp_version: _device_pb2.SnmpVersion
    snmp_port: int
    snmp_username: str
    snmp_auth: _device_pb2.SnmpAuth
    snmp_priv: _device_pb2.SnmpPriv
    site: str
    groups: _containers.RepeatedScalarFieldContainer[str]
    readonly_credentials: str
    diagnostics_credentials: str
    config_audit_credentials: str
    def __init__(self, name: _Optional[str] = ..., host: _Optional[str] = ..., port: _Optional[int] = ..., tls_mode: _Optional[_Union[_device_pb2.TlsMode, str]] = ..., tls_fingerprint: _Optional[str] = ..., username: _Optional[str] = ..., enabled: _Optional[bool] = ..., interface_naming: _Optional[_Union[_device_pb2.InterfaceNaming, str]] = ..., code_page: _Optional[str] = ..., connect_timeout_s: _Optional[float] = ..., command_timeout_s: _Optional[float] = ..., intervals_s: _Optional[_Mapping[str, float]] = ..., labels: _Optional[_Mapping[str, str]] = ..., notes: _Optional[str] = ..., t0: _Optional[_Union[T0Settings, _Mapping]] = ..., ways: _Optional[_Iterable[_Union[_device_pb2.Way, str]]] = ..., rest_port: _Optional[int] = ..., rest_tls_mode: _Optional[_Union[_device_pb2.TlsMode, str]] = ..., rest_tls_fingerprint: _Optional[str] = ..., snmp_version: _Optional[_Union[_device_pb2.SnmpVersion, str]] = ..., snmp_port: _Optional[int] = ..., snmp_username: _Optional[str] = ..., snmp_auth: _Optional[_Union[_device_pb2.SnmpAuth, str]] = ..., snmp_priv: _Optional[_Union[_device_pb2.SnmpPriv, str]] = ..., site: _Optional[str] = ..., groups: _Optional[_Iterable[str]] = ..., readonly_credentials: _Optional[str] = ..., diagnostics_credentials: _Optional[str] = ..., config_audit_credentials: _Optional[str] = ...) -> None: ...

class DeviceSecrets(_message.Message):
    __slots__ = ("snmp_community", "snmp_auth_password", "snmp_priv_password")
    SNMP_COMMUNITY_FIELD_NUMBER: _ClassVar[int]
    SNMP_AUTH_PASSWORD_FIELD_NUMBER: _ClassVar[int]
    SNMP_PRIV_PASSWORD_FIELD_NUMBER: _ClassVar[int]
    snmp_community: str
    snmp_auth_password: str
    snmp_priv_password: str
    def __init__(self, snmp_community: _Optional[str] = ..., snmp_auth_password: _Optional[str] = ..., snmp_priv_password: _Optional[str] = ...) -> None: ...

class WayState(_message.Message):
    __slots__ = ("way", "state", "detail")
    WAY_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    way: _device_pb2.Way
    state: str
    detail: str
    def __init__(self, way: _Optional[_Union[_device_pb2.Way, str]] = ..., state: _Optional[str] = ..., detail: _Optional[str] = ...) -> None: ...

class Device(_message.Message):
    __slots__ = ("id", "tenant_id", "settings", "revision", "create_time", "update_time", "status", "status_reason", "last_seen_time", "routeros_version", "board_name", "identity", "capabilities", "ways", "routeros_major", "absent_capabilities")
    class CapabilitiesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class AbsentCapabilitiesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ID_FIELD_NUMBER: _ClassVar[int]
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    STATUS_REASON_FIELD_NUMBER: _ClassVar[int]
    LAST_SEEN_TIME_FIELD_NUMBER: _ClassVar[int]
    ROUTEROS_VERSION_FIELD_NUMBER: _ClassVar[int]
    BOARD_NAME_FIELD_NUMBER: _ClassVar[int]
    IDENTITY_FIELD_NUMBER: _ClassVar[int]
    CAPABILITIES_FIELD_NUMBER: _ClassVar[int]
    WAYS_FIELD_NUMBER: _ClassVar[int]
    ROUTEROS_MAJOR_FIELD_NUMBER: _ClassVar[int]
    ABSENT_CAPABILITIES_FIELD_NUMBER: _ClassVar[int]
    id: str
    tenant_id: str
    settings: DeviceSettings
    revision: int
    create_time: _timestamp_pb2.Timestamp
    update_time: _timestamp_pb2.Timestamp
    status: _device_pb2.DeviceStatus
    status_reason: str
    last_seen_time: _timestamp_pb2.Timestamp
    routeros_version: str
    board_name: str
    identity: str
    capabilities: _containers.ScalarMap[str, str]
    ways: _containers.RepeatedCompositeFieldContainer[WayState]
    routeros_major: int
    absent_capabilities: _containers.ScalarMap[str, str]
    def __init__(self, id: _Optional[str] = ..., tenant_id: _Optional[str] = ..., settings: _Optional[_Union[DeviceSettings, _Mapping]] = ..., revision: _Optional[int] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., status: _Optional[_Union[_device_pb2.DeviceStatus, str]] = ..., status_reason: _Optional[str] = ..., last_seen_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., routeros_version: _Optional[str] = ..., board_name: _Optional[str] = ..., identity: _Optional[str] = ..., capabilities: _Optional[_Mapping[str, str]] = ..., ways: _Optional[_Iterable[_Union[WayState, _Mapping]]] = ..., routeros_major: _Optional[int] = ..., absent_capabilities: _Optional[_Mapping[str, str]] = ...) -> None: ...

class CreateDeviceRequest(_message.Message):
    __slots__ = ("settings", "password", "secrets", "request_id")
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    PASSWORD_FIELD_NUMBER: _ClassVar[int]
    SECRETS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    settings: DeviceSettings
    password: str
    secrets: DeviceSecrets
    request_id: str
    def __init__(self, settings: _Optional[_Union[DeviceSettings, _Mapping]] = ..., password: _Optional[str] = ..., secrets: _Optional[_Union[DeviceSecrets, _Mapping]] = ..., request_id: _Optional[str] = ...) -> None: ...

class CreateDeviceResponse(_message.Message):
    __slots__ = ("device",)
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    device: Device
    def __init__(self, device: _Optional[_Union[Device, _Mapping]] = ...) -> None: ...

class GetDeviceRequest(_message.Message):
    __slots__ = ("device", "read_mask")
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    READ_MASK_FIELD_NUMBER: _ClassVar[int]
    device: str
    read_mask: _field_mask_pb2.FieldMask
    def __init__(self, device: _Optional[str] = ..., read_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ...) -> None: ...

class GetDeviceResponse(_message.Message):
    __slots__ = ("device",)
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    device: Device
    def __init__(self, device: _Optional[_Union[Device, _Mapping]] = ...) -> None: ...

class ListDevicesRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "site", "device_group", "read_mask")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    SITE_FIELD_NUMBER: _ClassVar[int]
    DEVICE_GROUP_FIELD_NUMBER: _ClassVar[int]
    READ_MASK_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    site: str
    device_group: str
    read_mask: _field_mask_pb2.FieldMask
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., site: _Optional[str] = ..., device_group: _Optional[str] = ..., read_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ...) -> None: ...

class ListDevicesResponse(_message.Message):
    __slots__ = ("devices", "next_page_token")
    DEVICES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    devices: _containers.RepeatedCompositeFieldContainer[Device]
    next_page_token: str
    def __init__(self, devices: _Optional[_Iterable[_Union[Device, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class UpdateDeviceRequest(_message.Message):
    __slots__ = ("device", "settings", "update_mask", "password", "revision", "secrets")
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    UPDATE_MASK_FIELD_NUMBER: _ClassVar[int]
    PASSWORD_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    SECRETS_FIELD_NUMBER: _ClassVar[int]
    device: str
    settings: DeviceSettings
    update_mask: _field_mask_pb2.FieldMask
    password: str
    revision: int
    secrets: DeviceSecrets
    def __init__(self, device: _Optional[str] = ..., settings: _Optional[_Union[DeviceSettings, _Mapping]] = ..., update_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ..., password: _Optional[str] = ..., revision: _Optional[int] = ..., secrets: _Optional[_Union[DeviceSecrets, _Mapping]] = ...) -> None: ...

class UpdateDeviceResponse(_message.Message):
    __slots__ = ("device",)
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    device: Device
    def __init__(self, device: _Optional[_Union[Device, _Mapping]] = ...) -> None: ...

class DeleteDeviceRequest(_message.Message):
    __slots__ = ("device",)
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    device: str
    def __init__(self, device: _Optional[str] = ...) -> None: ...

class DeleteDeviceResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class TestConnectionRequest(_message.Message):
    __slots__ = ("device", "settings", "password", "secrets")
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    PASSWORD_FIELD_NUMBER: _ClassVar[int]
    SECRETS_FIELD_NUMBER: _ClassVar[int]
    device: str
    settings: DeviceSettings
    password: str
    secrets: DeviceSecrets
    def __init__(self, device: _Optional[str] = ..., settings: _Optional[_Union[DeviceSettings, _Mapping]] = ..., password: _Optional[str] = ..., secrets: _Optional[_Union[DeviceSecrets, _Mapping]] = ...) -> None: ...

class TestStep(_message.Message):
    __slots__ = ("name", "ok", "duration_us", "detail", "way")
    NAME_FIELD_NUMBER: _ClassVar[int]
    OK_FIELD_NUMBER: _ClassVar[int]
    DURATION_US_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    WAY_FIELD_NUMBER: _ClassVar[int]
    name: str
    ok: bool
    duration_us: int
    detail: str
    way: _device_pb2.Way
    def __init__(self, name: _Optional[str] = ..., ok: _Optional[bool] = ..., duration_us: _Optional[int] = ..., detail: _Optional[str] = ..., way: _Optional[_Union[_device_pb2.Way, str]] = ...) -> None: ...

class TestConnectionResponse(_message.Message):
    __slots__ = ("outcome", "reason", "steps", "routeros_version", "board_name", "identity", "tls_fingerprint", "serves")
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    ROUTEROS_VERSION_FIELD_NUMBER: _ClassVar[int]
    BOARD_NAME_FIELD_NUMBER: _ClassVar[int]
    IDENTITY_FIELD_NUMBER: _ClassVar[int]
    TLS_FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    SERVES_FIELD_NUMBER: _ClassVar[int]
    outcome: _device_pb2.Outcome
    reason: str
    steps: _containers.RepeatedCompositeFieldContainer[TestStep]
    routeros_version: str
    board_name: str
    identity: str
    tls_fingerprint: str
    serves: _device_pb2.Way
    def __init__(self, outcome: _Optional[_Union[_device_pb2.Outcome, str]] = ..., reason: _Optional[str] = ..., steps: _Optional[_Iterable[_Union[TestStep, _Mapping]]] = ..., routeros_version: _Optional[str] = ..., board_name: _Optional[str] = ..., identity: _Optional[str] = ..., tls_fingerprint: _Optional[str] = ..., serves: _Optional[_Union[_device_pb2.Way, str]] = ...) -> None: ...

class RefreshCapabilitiesRequest(_message.Message):
    __slots__ = ("device",)
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    device: str
    def __init__(self, device: _Optional[str] = ...) -> None: ...

class RefreshCapabilitiesResponse(_message.Message):
    __slots__ = ("device",)
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    device: Device
    def __init__(self, device: _Optional[_Union[Device, _Mapping]] = ...) -> None: ...

class PollDeviceRequest(_message.Message):
    __slots__ = ("device", "tiers")
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    TIERS_FIELD_NUMBER: _ClassVar[int]
    device: str
    tiers: _containers.RepeatedScalarFieldContainer[_device_pb2.Tier]
    def __init__(self, device: _Optional[str] = ..., tiers: _Optional[_Iterable[_Union[_device_pb2.Tier, str]]] = ...) -> None: ...

class PollDeviceResponse(_message.Message):
    __slots__ = ("tiers",)
    TIERS_FIELD_NUMBER: _ClassVar[int]
    tiers: _containers.RepeatedCompositeFieldContainer[_device_pb2.PolledTier]
    def __init__(self, tiers: _Optional[_Iterable[_Union[_device_pb2.PolledTier, _Mapping]]] = ...) -> None: ...

class ListInterfacesRequest(_message.Message):
    __slots__ = ("device", "page_size", "page_token")
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    device: str
    page_size: int
    page_token: str
    def __init__(self, device: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class Interface(_message.Message):
    __slots__ = ("id", "name", "comment", "type", "tier", "interval_s", "reason", "detail", "since_time", "pinned", "physical")
    ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    COMMENT_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    TIER_FIELD_NUMBER: _ClassVar[int]
    INTERVAL_S_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    SINCE_TIME_FIELD_NUMBER: _ClassVar[int]
    PINNED_FIELD_NUMBER: _ClassVar[int]
    PHYSICAL_FIELD_NUMBER: _ClassVar[int]
    id: str
    name: str
    comment: str
    type: str
    tier: _device_pb2.Tier
    interval_s: float
    reason: str
    detail: str
    since_time: _timestamp_pb2.Timestamp
    pinned: bool
    physical: bool
    def __init__(self, id: _Optional[str] = ..., name: _Optional[str] = ..., comment: _Optional[str] = ..., type: _Optional[str] = ..., tier: _Optional[_Union[_device_pb2.Tier, str]] = ..., interval_s: _Optional[float] = ..., reason: _Optional[str] = ..., detail: _Optional[str] = ..., since_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., pinned: _Optional[bool] = ..., physical: _Optional[bool] = ...) -> None: ...

class ListInterfacesResponse(_message.Message):
    __slots__ = ("interfaces", "unmatched_pins", "next_page_token")
    INTERFACES_FIELD_NUMBER: _ClassVar[int]
    UNMATCHED_PINS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    interfaces: _containers.RepeatedCompositeFieldContainer[Interface]
    unmatched_pins: _containers.RepeatedScalarFieldContainer[str]
    next_page_token: str
    def __init__(self, interfaces: _Optional[_Iterable[_Union[Interface, _Mapping]]] = ..., unmatched_pins: _Optional[_Iterable[str]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ListCostsRequest(_message.Message):
    __slots__ = ("device", "page_size", "page_token")
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    device: str
    page_size: int
    page_token: str
    def __init__(self, device: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class CategoryCost(_message.Message):
    __slots__ = ("category", "commands_per_hour", "received_bytes_per_hour", "sent_bytes_per_hour", "rows_per_hour", "busy_seconds_per_hour")
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    COMMANDS_PER_HOUR_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_BYTES_PER_HOUR_FIELD_NUMBER: _ClassVar[int]
    SENT_BYTES_PER_HOUR_FIELD_NUMBER: _ClassVar[int]
    ROWS_PER_HOUR_FIELD_NUMBER: _ClassVar[int]
    BUSY_SECONDS_PER_HOUR_FIELD_NUMBER: _ClassVar[int]
    category: str
    commands_per_hour: float
    received_bytes_per_hour: float
    sent_bytes_per_hour: float
    rows_per_hour: float
    busy_seconds_per_hour: float
    def __init__(self, category: _Optional[str] = ..., commands_per_hour: _Optional[float] = ..., received_bytes_per_hour: _Optional[float] = ..., sent_bytes_per_hour: _Optional[float] = ..., rows_per_hour: _Optional[float] = ..., busy_seconds_per_hour: _Optional[float] = ...) -> None: ...

class DeviceCost(_message.Message):
    __slots__ = ("device_id", "device_name", "counted_s", "total", "categories")
    DEVICE_ID_FIELD_NUMBER: _ClassVar[int]
    DEVICE_NAME_FIELD_NUMBER: _ClassVar[int]
    COUNTED_S_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    CATEGORIES_FIELD_NUMBER: _ClassVar[int]
    device_id: str
    device_name: str
    counted_s: float
    total: CategoryCost
    categories: _containers.RepeatedCompositeFieldContainer[CategoryCost]
    def __init__(self, device_id: _Optional[str] = ..., device_name: _Optional[str] = ..., counted_s: _Optional[float] = ..., total: _Optional[_Union[CategoryCost, _Mapping]] = ..., categories: _Optional[_Iterable[_Union[CategoryCost, _Mapping]]] = ...) -> None: ...

class ListCostsResponse(_message.Message):
    __slots__ = ("devices", "next_page_token")
    DEVICES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    devices: _containers.RepeatedCompositeFieldContainer[DeviceCost]
    next_page_token: str
    def __init__(self, devices: _Optional[_Iterable[_Union[DeviceCost, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...
