from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class TlsMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TLS_MODE_UNSPECIFIED: _ClassVar[TlsMode]
    TLS_MODE_OFF: _ClassVar[TlsMode]
    TLS_MODE_VERIFY: _ClassVar[TlsMode]
    TLS_MODE_PINNED: _ClassVar[TlsMode]
    TLS_MODE_ANONYMOUS: _ClassVar[TlsMode]
    TLS_MODE_INSECURE: _ClassVar[TlsMode]

class Way(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    WAY_UNSPECIFIED: _ClassVar[Way]
    WAY_API: _ClassVar[Way]
    WAY_REST: _ClassVar[Way]
    WAY_SNMP: _ClassVar[Way]

class SnmpVersion(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SNMP_VERSION_UNSPECIFIED: _ClassVar[SnmpVersion]
    SNMP_VERSION_V2C: _ClassVar[SnmpVersion]
    SNMP_VERSION_V3: _ClassVar[SnmpVersion]

class SnmpAuth(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SNMP_AUTH_UNSPECIFIED: _ClassVar[SnmpAuth]
    SNMP_AUTH_NONE: _ClassVar[SnmpAuth]
    SNMP_AUTH_MD5: _ClassVar[SnmpAuth]
    SNMP_AUTH_SHA1: _ClassVar[SnmpAuth]

class SnmpPriv(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SNMP_PRIV_UNSPECIFIED: _ClassVar[SnmpPriv]
    SNMP_PRIV_NONE: _ClassVar[SnmpPriv]
    SNMP_PRIV_DES: _ClassVar[SnmpPriv]
    SNMP_PRIV_AES: _ClassVar[SnmpPriv]

class InterfaceNaming(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    INTERFACE_NAMING_UNSPECIFIED: _ClassVar[InterfaceNaming]
    INTERFACE_NAMING_NAME: _ClassVar[InterfaceNaming]
    INTERFACE_NAMING_COMMENT: _ClassVar[InterfaceNaming]
    INTERFACE_NAMING_BOTH: _ClassVar[InterfaceNaming]

class DeviceStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DEVICE_STATUS_UNSPECIFIED: _ClassVar[DeviceStatus]
    DEVICE_STATUS_UP: _ClassVar[DeviceStatus]
    DEVICE_STATUS_DEGRADED: _ClassVar[DeviceStatus]
    DEVICE_STATUS_DOWN: _ClassVar[DeviceStatus]
    DEVICE_STATUS_DISABLED: _ClassVar[DeviceStatus]

class Outcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OUTCOME_UNSPECIFIED: _ClassVar[Outcome]
    OUTCOME_OK: _ClassVar[Outcome]
    OUTCOME_UNREACHABLE: _ClassVar[Outcome]
    OUTCOME_REFUSED: _ClassVar[Outcome]
    OUTCOME_TLS_FAILED: _ClassVar[Outcome]
    OUTCOME_LOGIN_FAILED: _ClassVar[Outcome]
    OUTCOME_TIMED_OUT: _ClassVar[Outcome]
    OUTCOME_NOT_PERMITTED: _ClassVar[Outcome]
    OUTCOME_BUSY: _ClassVar[Outcome]
    OUTCOME_PROTOCOL_ERROR: _ClassVar[Outcome]
    OUTCOME_REPLY_TOO_LARGE: _ClassVar[Outcome]
    OUTCOME_COMMAND_FAILED: _ClassVar[Outcome]
    OUTCOME_NAME_NOT_FOUND: _ClassVar[Outcome]

class Severity(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SEVERITY_UNSPECIFIED: _ClassVar[Severity]
    SEVERITY_INFO: _ClassVar[Severity]
    SEVERITY_WARNING: _ClassVar[Severity]
    SEVERITY_CRITICAL: _ClassVar[Severity]

class MetricKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    METRIC_KIND_UNSPECIFIED: _ClassVar[MetricKind]
    METRIC_KIND_COUNTER: _ClassVar[MetricKind]
    METRIC_KIND_GAUGE: _ClassVar[MetricKind]
    METRIC_KIND_STATE: _ClassVar[MetricKind]
    METRIC_KIND_RATE: _ClassVar[MetricKind]

class Tier(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TIER_UNSPECIFIED: _ClassVar[Tier]
    TIER_T0: _ClassVar[Tier]
    TIER_T1: _ClassVar[Tier]
    TIER_T2: _ClassVar[Tier]
    TIER_T3: _ClassVar[Tier]

class PollResult(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    POLL_RESULT_UNSPECIFIED: _ClassVar[PollResult]
    POLL_RESULT_POLLED: _ClassVar[PollResult]
    POLL_RESULT_FRESH: _ClassVar[PollResult]
    POLL_RESULT_SKIPPED: _ClassVar[PollResult]
    POLL_RESULT_UNFINISHED: _ClassVar[PollResult]
TLS_MODE_UNSPECIFIED: TlsMode
TLS_MODE_OFF: TlsMode
TLS_MODE_VERIFY: TlsMode
TLS_MODE_PINNED: TlsMode
TLS_MODE_ANONYMOUS: TlsMode
TLS_MODE_INSECURE: TlsMode
WAY_UNSPECIFIED: Way
WAY_API: Way
WAY_REST: Way
WAY_SNMP: Way
SNMP_VERSION_UNSPECIFIED: SnmpVersion
SNMP_VERSION_V2C: SnmpVersion
SNMP_VERSION_V3: SnmpVersion
SNMP_AUTH_UNSPECIFIED: SnmpAuth
SNMP_AUTH_NONE: SnmpAuth
SNMP_AUTH_MD5: SnmpAuth
SNMP_AUTH_SHA1: SnmpAuth
SNMP_PRIV_UNSPECIFIED: SnmpPriv
SNMP_PRIV_NONE: SnmpPriv
SNMP_PRIV_DES: SnmpPriv
SNMP_PRIV_AES: SnmpPriv
INTERFACE_NAMING_UNSPECIFIED: InterfaceNaming
INTERFACE_NAMING_NAME: InterfaceNaming
INTERFACE_NAMING_COMMENT: InterfaceNaming
INTERFACE_NAMING_BOTH: InterfaceNaming
DEVICE_STATUS_UNSPECIFIED: DeviceStatus
DEVICE_STATUS_UP: DeviceStatus
DEVICE_STATUS_DEGRADED: DeviceStatus
DEVICE_STATUS_DOWN: DeviceStatus
DEVICE_STATUS_DISABLED: DeviceStatus
OUTCOME_UNSPECIFIED: Outcome
OUTCOME_OK: Outcome
OUTCOME_UNREACHABLE: Outcome
OUTCOME_REFUSED: Outcome
OUTCOME_TLS_FAILED: Outcome
OUTCOME_LOGIN_FAILED: Outcome
OUTCOME_TIMED_OUT: Outcome
OUTCOME_NOT_PERMITTED: Outcome
OUTCOME_BUSY: Outcome
OUTCOME_PROTOCOL_ERROR: Outcome
OUTCOME_REPLY_TOO_LARGE: Outcome
OUTCOME_COMMAND_FAILED: Outcome
OUTCOME_NAME_NOT_FOUND: Outcome
SEVERITY_UNSPECIFIED: Severity
SEVERITY_INFO: Severity
SEVERITY_WARNING: Severity
SEVERITY_CRITICAL: Severity
METRIC_KIND_UNSPECIFIED: MetricKind
METRIC_KIND_COUNTER: MetricKind
METRIC_KIND_GAUGE: MetricKind
METRIC_KIND_STATE: MetricKind
METRIC_KIND_RATE: MetricKind
TIER_UNSPECIFIED: Tier
TIER_T0: Tier
TIER_T1: Tier
TIER_T2: Tier
TIER_T3: Tier
POLL_RESULT_UNSPECIFIED: PollResult
POLL_RESULT_POLLED: PollResult
POLL_RESULT_FRESH: PollResult
POLL_RESULT_SKIPPED: PollResult
POLL_RESULT_UNFINISHED: PollResult

class PolledTier(_message.Message):
    __slots__ = ("tier", "result", "detail", "commands", "duration_us")
    TIER_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    COMMANDS_FIELD_NUMBER: _ClassVar[int]
    DURATION_US_FIELD_NUMBER: _ClassVar[int]
    tier: Tier
    result: PollResult
    detail: str
    commands: int
    duration_us: int
    def __init__(self, tier: _Optional[_Union[Tier, str]] = ..., result: _Optional[_Union[PollResult, str]] = ..., detail: _Optional[str] = ..., commands: _Optional[int] = ..., duration_us: _Optional[int] = ...) -> None: ...
