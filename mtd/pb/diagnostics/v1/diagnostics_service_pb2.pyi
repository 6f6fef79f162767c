import datetime

from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from mtd.pb.common.v1 import access_pb2 as _access_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class EndReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    END_REASON_UNSPECIFIED: _ClassVar[EndReason]
    END_REASON_FINISHED: _ClassVar[EndReason]
    END_REASON_TIME: _ClassVar[EndReason]
    END_REASON_ROWS: _ClassVar[EndReason]
END_REASON_UNSPECIFIED: EndReason
END_REASON_FINISHED: EndReason
END_REASON_TIME: EndReason
END_REASON_ROWS: EndReason

class Bounds(_message.Message):
    __slots__ = ("seconds", "rows")
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    seconds: float
    rows: int
    def __init__(self, seconds: _Optional[float] = ..., rows: _Optional[int] = ...) -> None: ...

class RunEnd(_message.Message):
    __slots__ = ("reason", "rows", "seconds")
    REASON_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    reason: EndReason
    rows: int
    seconds: float
    def __init__(self, reason: _Optional[_Union[EndReason, str]] = ..., rows: _Optional[int] = ..., seconds: _Optional[float] = ...) -> None: ...

class PingRequest(_message.Message):
    __slots__ = ("device", "address", "count", "interval_ms", "size_bytes", "source_address", "interface", "do_not_fragment", "bounds", "from_collector")
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    INTERVAL_MS_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    SOURCE_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    INTERFACE_FIELD_NUMBER: _ClassVar[int]
    DO_NOT_FRAGMENT_FIELD_NUMBER: _ClassVar[int]
    BOUNDS_FIELD_NUMBER: _ClassVar[int]
    FROM_COLLECTOR_FIELD_NUMBER: _ClassVar[int]
    device: str
    address: str
    count: int
    interval_ms: int
    size_bytes: int
    source_address: str
    interface: str
    do_not_fragment: bool
    bounds: Bounds
    from_collector: bool
    def __init__(self, device: _Optional[str] = ..., address: _Optional[str] = ..., count: _Optional[int] = ..., interval_ms: _Optional[int] = ..., size_bytes: _Optional[int] = ..., source_address: _Optional[str] = ..., interface: _Optional[str] = ..., do_not_fragment: _Optional[bool] = ..., bounds: _Optional[_Union[Bounds, _Mapping]] = ..., from_collector: _Optional[bool] = ...) -> None: ...

class PingReply(_message.Message):
    __slots__ = ("sequence", "host", "size_bytes", "ttl", "time_ms", "status", "sent", "received", "loss_pct", "min_ms", "avg_ms", "max_ms")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    HOST_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    TTL_FIELD_NUMBER: _ClassVar[int]
    TIME_MS_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    SENT_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_FIELD_NUMBER: _ClassVar[int]
    LOSS_PCT_FIELD_NUMBER: _ClassVar[int]
    MIN_MS_FIELD_NUMBER: _ClassVar[int]
    AVG_MS_FIELD_NUMBER: _ClassVar[int]
    MAX_MS_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    host: str
    size_bytes: int
    ttl: int
    time_ms: float
    status: str
    sent: int
    received: int
    loss_pct: int
    min_ms: float
    avg_ms: float
    max_ms: float
    def __init__(self, sequence: _Optional[int] = ..., host: _Optional[str] = ..., size_bytes: _Optional[int] = ..., ttl: _Optional[int] = ..., time_ms: _Optional[float] = ..., status: _Optional[str] = ..., sent: _Optional[int] = ..., received: _Optional[int] = ..., loss_pct: _Optional[int] = ..., min_ms: _Optional[float] = ..., avg_ms: _Optional[float] = ..., max_ms: _Optional[float] = ...) -> None: ...

class PingResponse(_message.Message):
    __slots__ = ("rows", "end")
    ROWS_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    rows: _containers.RepeatedCompositeFieldContainer[PingReply]
    end: RunEnd
    def __init__(self, rows: _Optional[_Iterable[_Union[PingReply, _Mapping]]] = ..., end: _Optional[_Union[RunEnd, _Mapping]] = ...) -> None: ...

class TracerouteRequest(_message.Message):
    __slots__ = ("device", "address", "count", "max_hops", "udp", "resolve_names", "source_address", "bounds", "from_collector")
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    MAX_HOPS_FIELD_NUMBER: _ClassVar[int]
    UDP_FIELD_NUMBER: _ClassVar[int]
    RESOLVE_NAMES_FIELD_NUMBER: _ClassVar[int]
    SOURCE_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    BOUNDS_FIELD_NUMBER: _ClassVar[int]
    FROM_COLLECTOR_FIELD_NUMBER: _ClassVar[int]
    device: str
    address: str
    count: int
    max_hops: int
    udp: bool
    resolve_names: bool
    source_address: str
    bounds: Bounds
    from_collector: bool
    def __init__(self, device: _Optional[str] = ..., address: _Optional[str] = ..., count: _Optional[int] = ..., max_hops: _Optional[int] = ..., udp: _Optional[bool] = ..., resolve_names: _Optional[bool] = ..., source_address: _Optional[str] = ..., bounds: _Optional[_Union[Bounds, _Mapping]] = ..., from_collector: _Optional[bool] = ...) -> None: ...

class TracerouteHop(_message.Message):
    __slots__ = ("section", "address", "loss_pct", "sent", "last_ms", "avg_ms", "best_ms", "worst_ms", "std_dev_ms", "status")
    SECTION_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    LOSS_PCT_FIELD_NUMBER: _ClassVar[int]
    SENT_FIELD_NUMBER: _ClassVar[int]
    LAST_MS_FIELD_NUMBER: _ClassVar[int]
    AVG_MS_FIELD_NUMBER: _ClassVar[int]
    BEST_MS_FIELD_NUMBER: _ClassVar[int]
    WORST_MS_FIELD_NUMBER: _ClassVar[int]
    STD_DEV_MS_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    section: int
    address: str
    loss_pct: int
    sent: int
    last_ms: float
    avg_ms: float
    best_ms: float
    worst_ms: float
    std_dev_ms: float
    status: str
    def __init__(self, section: _Optional[int] = ..., address: _Optional[str] = ..., loss_pct: _Optional[int] = ..., sent: _Optional[int] = ..., last_ms: _Optional[float] = ..., avg_ms: _Optional[float] = ..., best_ms: _Optional[float] = ..., worst_ms: _Optional[float] = ..., std_dev_ms: _Optional[float] = ..., status: _Optional[str] = ...) -> None: ...

class TracerouteResponse(_message.Message):
    __slots__ = ("rows", "end")
    ROWS_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    rows: _containers.RepeatedCompositeFieldContainer[TracerouteHop]
    end: RunEnd
    def __init__(self, rows: _Optional[_Iterable[_Union[TracerouteHop, _Mapping]]] = ..., end: _Optional[_Union[RunEnd, _Mapping]] = ...) -> None: ...

class TorchRequest(_message.Message):
    __slots__ = ("device", "interface", "source", "destination", "ip_protocol", "port", "vlan_id", "by", "bounds")
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    INTERFACE_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    DESTINATION_FIELD_NUMBER: _ClassVar[int]
    IP_PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    PORT_FIELD_NUMBER: _ClassVar[int]
    VLAN_ID_FIELD_NUMBER: _ClassVar[int]
    BY_FIELD_NUMBER: _ClassVar[int]
    BOUNDS_FIELD_NUMBER: _ClassVar[int]
    device: str
    interface: str
    source: str
    destination: str
    ip_protocol: str
    port: int
    vlan_id: int
    by: _containers.RepeatedScalarFieldContainer[str]
    bounds: Bounds
    def __init__(self, device: _Optional[str] = ..., interface: _Optional[str] = ..., source: _Optional[str] = ..., destination: _Optional[str] = ..., ip_protocol: _Optional[str] = ..., port: _Optional[int] = ..., vlan_id: _Optional[int] = ..., by: _Optional[_Iterable[str]] = ..., bounds: _Optional[_Union[Bounds, _Mapping]] = ...) -> None: ...

class TorchFlow(_message.Message):
    __slots__ = ("section", "mac_protocol", "ip_protocol", "source_address", "source_port", "destination_address", "destination_port", "vlan_id", "dscp", "tx_bps", "rx_bps", "tx_packets_per_s", "rx_packets_per_s")
    SECTION_FIELD_NUMBER: _ClassVar[int]
    MAC_PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    IP_PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    SOURCE_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    SOURCE_PORT_FIELD_NUMBER: _ClassVar[int]
    DESTINATION_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    DESTINATION_PORT_FIELD_NUMBER: _ClassVar[int]
    VLAN_ID_FIELD_NUMBER: _ClassVar[int]
    DSCP_FIELD_NUMBER: _ClassVar[int]
    TX_BPS_FIELD_NUMBER: _ClassVar[int]
    RX_BPS_FIELD_NUMBER: _ClassVar[int]
    TX_PACKETS_PER_S_FIELD_NUMBER: _ClassVar[int]
    RX_PACKETS_PER_S_FIELD_NUMBER: _ClassVar[int]
    section: int
    mac_protocol: str
    ip_protocol: str
    source_address: str
    source_port: str
    destination_address: str
    destination_port: str
    vlan_id: int
    dscp: int
    tx_bps: int
    rx_bps: int
    tx_packets_per_s: int
    rx_packets_per_s: int
    def __init__(self, section: _Optional[int] = ..., mac_protocol: _Optional[str] = ..., ip_protocol: _Optional[str] = ..., source_address: _Optional[str] = ..., source_port: _Optional[str] = ..., destination_address: _Optional[str] = ..., destination_port: _Optional[str] = ..., vlan_id: _Optional[int] = ..., dscp: _Optional[int] = ..., tx_bps: _Optional[int] = ..., rx_bps: _Optional[int] = ..., tx_packets_per_s: _Optional[int] = ..., rx_packets_per_s: _Optional[int] = ...) -> None: ...

class TorchResponse(_message.Message):
    __slots__ = ("rows", "end")
    ROWS_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    rows: _containers.RepeatedCompositeFieldContainer[TorchFlow]
    end: RunEnd
    def __init__(self, rows: _Optional[_Iterable[_Union[TorchFlow, _Mapping]]] = ..., end: _Optional[_Union[RunEnd, _Mapping]] = ...) -> None: ...

class SniffRequest(_message.Message):
    __slots__ = ("device", "interface", "address", "ip_protocol", "port", "mac_address", "vlan_id", "direction", "bounds")
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    INTERFACE_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    IP_PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    PORT_FIELD_NUMBER: _ClassVar[int]
    MAC_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    VLAN_ID_FIELD_NUMBER: _ClassVar[int]
    DIRECTION_FIELD_NUMBER: _ClassVar[int]
    BOUNDS_FIELD_NUMBER: _ClassVar[int]
    device: str
    interface: str
    address: str
    ip_protocol: str
    port: int
    mac_address: str
    vlan_id: int
    direction: str
    bounds: Bounds
    def __init__(self, device: _Optional[str] = ..., interface: _Optional[str] = ..., address: _Optional[str] = ..., ip_protocol: _Optional[str] = ..., port: _Optional[int] = ..., mac_address: _Optional[str] = ..., vlan_id: _Optional[int] = ..., direction: _Optional[str] = ..., bounds: _Optional[_Union[Bounds, _Mapping]] = ...) -> None: ...

class SniffedPacket(_message.Message):
    __slots__ = ("number", "time_s", "interface", "direction", "source_mac", "destination_mac", "vlan", "source_address", "destination_address", "protocol", "size_bytes", "cpu", "tcp_flags", "ttl", "dscp")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    TIME_S_FIELD_NUMBER: _ClassVar[int]
    INTERFACE_FIELD_NUMBER: _ClassVar[int]
    DIRECTION_FIELD_NUMBER: _ClassVar[int]
    SOURCE_MAC_FIELD_NUMBER: _ClassVar[int]
    DESTINATION_MAC_FIELD_NUMBER: _ClassVar[int]
    VLAN_FIELD_NUMBER: _ClassVar[int]
    SOURCE_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    DESTINATION_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    CPU_FIELD_NUMBER: _ClassVar[int]
    TCP_FLAGS_FIELD_NUMBER: _ClassVar[int]
    TTL_FIELD_NUMBER: _ClassVar[int]
    DSCP_FIELD_NUMBER: _ClassVar[int]
    number: int
    time_s: float
    interface: str
    direction: str
    source_mac: str
    destination_mac: str
    vlan: str
    source_address: str
    destination_address: str
    protocol: str
    size_bytes: int
    cpu: int
    tcp_flags: str
    ttl: int
    dscp: int
    def __init__(self, number: _Optional[int] = ..., time_s: _Optional[float] = ..., interface: _Optional[str] = ..., direction: _Optional[str] = ..., source_mac: _Optional[str] = ..., destination_mac: _Optional[str] = ..., vlan: _Optional[str] = ..., source_address: _Optional[str] = ..., destination_address: _Optional[str] = ..., protocol: _Optional[str] = ..., size_bytes: _Optional[int] = ..., cpu: _Optional[int] = ..., tcp_flags: _Optional[str] = ..., ttl: _Optional[int] = ..., dscp: _Optional[int] = ...) -> None: ...

class SniffResponse(_message.Message):
    __slots__ = ("rows", "end")
    ROWS_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    rows: _containers.RepeatedCompositeFieldContainer[SniffedPacket]
    end: RunEnd
    def __init__(self, rows: _Optional[_Iterable[_Union[SniffedPacket, _Mapping]]] = ..., end: _Optional[_Union[RunEnd, _Mapping]] = ...) -> None: ...

class BandwidthTestRequest(_message.Message):
    __slots__ = ("device", "address", "protocol", "direction", "max_bps", "user", "password", "bounds")
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    DIRECTION_FIELD_NUMBER: _ClassVar[int]
    MAX_BPS_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    PASSWORD_FIELD_NUMBER: _ClassVar[int]
    BOUNDS_FIELD_NUMBER: _ClassVar[int]
    device: str
    address: str
    protocol: str
    direction: str
    max_bps: int
    user: str
    password: str
    bounds: Bounds
    def __init__(self, device: _Optional[str] = ..., address: _Optional[str] = ..., protocol: _Optional[str] = ..., direction: _Optional[str] = ..., max_bps: _Optional[int] = ..., user: _Optional[str] = ..., password: _Optional[str] = ..., bounds: _Optional[_Union[Bounds, _Mapping]] = ...) -> None: ...

class BandwidthSample(_message.Message):
    __slots__ = ("status", "duration_s", "tx_bps", "tx_10s_bps", "tx_total_bps", "rx_bps", "rx_10s_bps", "rx_total_bps", "lost_packets", "connections", "local_cpu_pct", "remote_cpu_pct")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    DURATION_S_FIELD_NUMBER: _ClassVar[int]
    TX_BPS_FIELD_NUMBER: _ClassVar[int]
    TX_10S_BPS_FIELD_NUMBER: _ClassVar[int]
    TX_TOTAL_BPS_FIELD_NUMBER: _ClassVar[int]
    RX_BPS_FIELD_NUMBER: _ClassVar[int]
    RX_10S_BPS_FIELD_NUMBER: _ClassVar[int]
    RX_TOTAL_BPS_FIELD_NUMBER: _ClassVar[int]
    LOST_PACKETS_FIELD_NUMBER: _ClassVar[int]
    CONNECTIONS_FIELD_NUMBER: _ClassVar[int]
    LOCAL_CPU_PCT_FIELD_NUMBER: _ClassVar[int]
    REMOTE_CPU_PCT_FIELD_NUMBER: _ClassVar[int]
    status: str
    duration_s: float
    tx_bps: int
    tx_10s_bps: int
    tx_total_bps: int
    rx_bps: int
    rx_10s_bps: int
    rx_total_bps: int
    lost_packets: int
    connections: int
    local_cpu_pct: int
    remote_cpu_pct: int
    def __init__(self, status: _Optional[str] = ..., duration_s: _Optional[float] = ..., tx_bps: _Optional[int] = ..., tx_10s_bps: _Optional[int] = ..., tx_total_bps: _Optional[int] = ..., rx_bps: _Optional[int] = ..., rx_10s_bps: _Optional[int] = ..., rx_total_bps: _Optional[int] = ..., lost_packets: _Optional[int] = ..., connections: _Optional[int] = ..., local_cpu_pct: _Optional[int] = ..., remote_cpu_pct: _Optional[int] = ...) -> None: ...

class BandwidthTestResponse(_message.Message):
    __slots__ = ("rows", "end")
    ROWS_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    rows: _containers.RepeatedCompositeFieldContainer[BandwidthSample]
    end: RunEnd
    def __init__(self, rows: _Optional[_Iterable[_Union[BandwidthSample, _Mapping]]] = ..., end: _Optional[_Union[RunEnd, _Mapping]] = ...) -> None: ...

class ListRunsRequest(_message.Message):
    __slots__ = ("device", "tool", "page_size", "page_token")
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    TOOL_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    device: str
    tool: str
    page_size: int
    page_token: str
    def __init__(self, device: _Optional[str] = ..., tool: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class Run(_message.Message):
    __slots__ = ("tool", "from_collector", "arguments", "caller", "start_time", "seconds", "result", "detail", "row_count", "rows", "rows_left_out", "summary")
    class ArgumentsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    TOOL_FIELD_NUMBER: _ClassVar[int]
    FROM_COLLECTOR_FIELD_NUMBER: _ClassVar[int]
    ARGUMENTS_FIELD_NUMBER: _ClassVar[int]
    CALLER_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    ROW_COUNT_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    ROWS_LEFT_OUT_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    tool: str
    from_collector: bool
    arguments: _containers.ScalarMap[str, str]
    caller: str
    start_time: _timestamp_pb2.Timestamp
    seconds: float
    result: str
    detail: str
    row_count: int
    rows: _containers.RepeatedCompositeFieldContainer[_struct_pb2.Struct]
    rows_left_out: int
    summary: _struct_pb2.Struct
    def __init__(self, tool: _Optional[str] = ..., from_collector: _Optional[bool] = ..., arguments: _Optional[_Mapping[str, str]] = ..., caller: _Optional[str] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., seconds: _Optional[float] = ..., result: _Optional[str] = ..., detail: _Optional[str] = ..., row_count: _Optional[int] = ..., rows: _Optional[_Iterable[_Union[_struct_pb2.Struct, _Mapping]]] = ..., rows_left_out: _Optional[int] = ..., summary: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ...) -> None: ...

class ListRunsResponse(_message.Message):
    __slots__ = ("runs", "next_page_token")
    RUNS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    runs: _containers.RepeatedCompositeFieldContainer[Run]
    next_page_token: str
    def __init__(self, runs: _Optional[_Iterable[_Union[Run, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...
