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

class FlowOrder(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FLOW_ORDER_UNSPECIFIED: _ClassVar[FlowOrder]
    FLOW_ORDER_OCTETS: _ClassVar[FlowOrder]
    FLOW_ORDER_PACKETS: _ClassVar[FlowOrder]
    FLOW_ORDER_FLOWS: _ClassVar[FlowOrder]
FLOW_ORDER_UNSPECIFIED: FlowOrder
FLOW_ORDER_OCTETS: FlowOrder
FLOW_ORDER_PACKETS: FlowOrder
FLOW_ORDER_FLOWS: FlowOrder

class FlowAmounts(_message.Message):
    __slots__ = ("octets", "packets", "flows")
    OCTETS_FIELD_NUMBER: _ClassVar[int]
    PACKETS_FIELD_NUMBER: _ClassVar[int]
    FLOWS_FIELD_NUMBER: _ClassVar[int]
    octets: int
    packets: int
    flows: int
    def __init__(self, octets: _Optional[int] = ..., packets: _Optional[int] = ..., flows: _Optional[int] = ...) -> None: ...

class FlowFilter(_message.Message):
    __slots__ = ("address", "src_address", "dst_address", "port", "src_port", "dst_port", "protocol", "interface", "in_interface", "out_interface")
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    SRC_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    DST_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    PORT_FIELD_NUMBER: _ClassVar[int]
    SRC_PORT_FIELD_NUMBER: _ClassVar[int]
    DST_PORT_FIELD_NUMBER: _ClassVar[int]
    PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    INTERFACE_FIELD_NUMBER: _ClassVar[int]
    IN_INTERFACE_FIELD_NUMBER: _ClassVar[int]
    OUT_INTERFACE_FIELD_NUMBER: _ClassVar[int]
    address: str
    src_address: str
    dst_address: str
    port: int
    src_port: int
    dst_port: int
    protocol: int
    interface: int
    in_interface: int
    out_interface: int
    def __init__(self, address: _Optional[str] = ..., src_address: _Optional[str] = ..., dst_address: _Optional[str] = ..., port: _Optional[int] = ..., src_port: _Optional[int] = ..., dst_port: _Optional[int] = ..., protocol: _Optional[int] = ..., interface: _Optional[int] = ..., in_interface: _Optional[int] = ..., out_interface: _Optional[int] = ...) -> None: ...

class ListTopFlowsRequest(_message.Message):
    __slots__ = ("dimension", "devices", "start_time", "end_time", "limit", "order_by", "filter")
    DIMENSION_FIELD_NUMBER: _ClassVar[int]
    DEVICES_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    ORDER_BY_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    dimension: str
    devices: _containers.RepeatedScalarFieldContainer[str]
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    limit: int
    order_by: FlowOrder
    filter: FlowFilter
    def __init__(self, dimension: _Optional[str] = ..., devices: _Optional[_Iterable[str]] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., limit: _Optional[int] = ..., order_by: _Optional[_Union[FlowOrder, str]] = ..., filter: _Optional[_Union[FlowFilter, _Mapping]] = ...) -> None: ...

class ListTopFlowsResponse(_message.Message):
    __slots__ = ("rows", "others", "total", "start_time", "end_time")
    ROWS_FIELD_NUMBER: _ClassVar[int]
    OTHERS_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    rows: _containers.RepeatedCompositeFieldContainer[TopFlowsRow]
    others: FlowAmounts
    total: FlowAmounts
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    def __init__(self, rows: _Optional[_Iterable[_Union[TopFlowsRow, _Mapping]]] = ..., others: _Optional[_Union[FlowAmounts, _Mapping]] = ..., total: _Optional[_Union[FlowAmounts, _Mapping]] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class TopFlowsRow(_message.Message):
    __slots__ = ("key", "label", "amounts", "share")
    KEY_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    AMOUNTS_FIELD_NUMBER: _ClassVar[int]
    SHARE_FIELD_NUMBER: _ClassVar[int]
    key: str
    label: str
    amounts: FlowAmounts
    share: float
    def __init__(self, key: _Optional[str] = ..., label: _Optional[str] = ..., amounts: _Optional[_Union[FlowAmounts, _Mapping]] = ..., share: _Optional[float] = ...) -> None: ...

class GetFlowSeriesRequest(_message.Message):
    __slots__ = ("dimension", "devices", "start_time", "end_time", "limit", "order_by", "step_s")
    DIMENSION_FIELD_NUMBER: _ClassVar[int]
    DEVICES_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    ORDER_BY_FIELD_NUMBER: _ClassVar[int]
    STEP_S_FIELD_NUMBER: _ClassVar[int]
    dimension: str
    devices: _containers.RepeatedScalarFieldContainer[str]
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    limit: int
    order_by: FlowOrder
    step_s: int
    def __init__(self, dimension: _Optional[str] = ..., devices: _Optional[_Iterable[str]] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., limit: _Optional[int] = ..., order_by: _Optional[_Union[FlowOrder, str]] = ..., step_s: _Optional[int] = ...) -> None: ...

class GetFlowSeriesResponse(_message.Message):
    __slots__ = ("times_us", "step_s", "series", "others")
    TIMES_US_FIELD_NUMBER: _ClassVar[int]
    STEP_S_FIELD_NUMBER: _ClassVar[int]
    SERIES_FIELD_NUMBER: _ClassVar[int]
    OTHERS_FIELD_NUMBER: _ClassVar[int]
    times_us: _containers.RepeatedScalarFieldContainer[int]
    step_s: int
    series: _containers.RepeatedCompositeFieldContainer[FlowSeries]
    others: FlowSeries
    def __init__(self, times_us: _Optional[_Iterable[int]] = ..., step_s: _Optional[int] = ..., series: _Optional[_Iterable[_Union[FlowSeries, _Mapping]]] = ..., others: _Optional[_Union[FlowSeries, _Mapping]] = ...) -> None: ...

class FlowSeries(_message.Message):
    __slots__ = ("key", "label", "octets", "packets", "flows")
    KEY_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    OCTETS_FIELD_NUMBER: _ClassVar[int]
    PACKETS_FIELD_NUMBER: _ClassVar[int]
    FLOWS_FIELD_NUMBER: _ClassVar[int]
    key: str
    label: str
    octets: _containers.RepeatedScalarFieldContainer[int]
    packets: _containers.RepeatedScalarFieldContainer[int]
    flows: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, key: _Optional[str] = ..., label: _Optional[str] = ..., octets: _Optional[_Iterable[int]] = ..., packets: _Optional[_Iterable[int]] = ..., flows: _Optional[_Iterable[int]] = ...) -> None: ...

class SearchFlowsRequest(_message.Message):
    __slots__ = ("address", "port", "protocol", "time", "window_s", "devices", "page_size", "page_token")
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    PORT_FIELD_NUMBER: _ClassVar[int]
    PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    WINDOW_S_FIELD_NUMBER: _ClassVar[int]
    DEVICES_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    address: str
    port: int
    protocol: int
    time: _timestamp_pb2.Timestamp
    window_s: int
    devices: _containers.RepeatedScalarFieldContainer[str]
    page_size: int
    page_token: str
    def __init__(self, address: _Optional[str] = ..., port: _Optional[int] = ..., protocol: _Optional[int] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., window_s: _Optional[int] = ..., devices: _Optional[_Iterable[str]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class SearchFlowsResponse(_message.Message):
    __slots__ = ("flows", "next_page_token", "truncated")
    FLOWS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    TRUNCATED_FIELD_NUMBER: _ClassVar[int]
    flows: _containers.RepeatedCompositeFieldContainer[FlowRecord]
    next_page_token: str
    truncated: bool
    def __init__(self, flows: _Optional[_Iterable[_Union[FlowRecord, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., truncated: _Optional[bool] = ...) -> None: ...

class FlowRecord(_message.Message):
    __slots__ = ("receive_time", "device_id", "device", "exporter", "start_time", "end_time", "src_address", "dst_address", "src_port", "dst_port", "protocol", "octets", "packets", "sampling", "post_nat_src_address", "post_nat_dst_address", "post_nat_src_port", "post_nat_dst_port", "in_interface", "out_interface", "in_interface_name", "out_interface_name", "next_hop", "tcp_flags", "more")
    class MoreEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    RECEIVE_TIME_FIELD_NUMBER: _ClassVar[int]
    DEVICE_ID_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    EXPORTER_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    SRC_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    DST_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    SRC_PORT_FIELD_NUMBER: _ClassVar[int]
    DST_PORT_FIELD_NUMBER: _ClassVar[int]
    PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    OCTETS_FIELD_NUMBER: _ClassVar[int]
    PACKETS_FIELD_NUMBER: _ClassVar[int]
    SAMPLING_FIELD_NUMBER: _ClassVar[int]
    POST_NAT_SRC_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    POST_NAT_DST_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    POST_NAT_SRC_PORT_FIELD_NUMBER: _ClassVar[int]
    POST_NAT_DST_PORT_FIELD_NUMBER: _ClassVar[int]
    IN_INTERFACE_FIELD_NUMBER: _ClassVar[int]
    OUT_INTERFACE_FIELD_NUMBER: _ClassVar[int]
    IN_INTERFACE_NAME_FIELD_NUMBER: _ClassVar[int]
    OUT_INTERFACE_NAME_FIELD_NUMBER: _ClassVar[int]
    NEXT_HOP_FIELD_NUMBER: _ClassVar[int]
    TCP_FLAGS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    receive_time: _timestamp_pb2.Timestamp
    device_id: str
    device: str
    exporter: str
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    src_address: str
    dst_address: str
    src_port: int
    dst_port: int
    protocol: int
    octets: int
    packets: int
    sampling: int
    post_nat_src_address: str
    post_nat_dst_address: str
    post_nat_src_port: int
    post_nat_dst_port: int
    in_interface: int
    out_interface: int
    in_interface_name: str
    out_interface_name: str
    next_hop: str
    tcp_flags: int
    more: _containers.ScalarMap[str, str]
    def __init__(self, receive_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., device_id: _Optional[str] = ..., device: _Optional[str] = ..., exporter: _Optional[str] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., src_address: _Optional[str] = ..., dst_address: _Optional[str] = ..., src_port: _Optional[int] = ..., dst_port: _Optional[int] = ..., protocol: _Optional[int] = ..., octets: _Optional[int] = ..., packets: _Optional[int] = ..., sampling: _Optional[int] = ..., post_nat_src_address: _Optional[str] = ..., post_nat_dst_address: _Optional[str] = ..., post_nat_src_port: _Optional[int] = ..., post_nat_dst_port: _Optional[int] = ..., in_interface: _Optional[int] = ..., out_interface: _Optional[int] = ..., in_interface_name: _Optional[str] = ..., out_interface_name: _Optional[str] = ..., next_hop: _Optional[str] = ..., tcp_flags: _Optional[int] = ..., more: _Optional[_Mapping[str, str]] = ...) -> None: ...

class CompareFlowsWithInterfacesRequest(_message.Message):
    __slots__ = ("devices", "start_time", "end_time")
    DEVICES_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    devices: _containers.RepeatedScalarFieldContainer[str]
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    def __init__(self, devices: _Optional[_Iterable[str]] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class CompareFlowsWithInterfacesResponse(_message.Message):
    __slots__ = ("interfaces", "left_out", "start_time", "end_time")
    INTERFACES_FIELD_NUMBER: _ClassVar[int]
    LEFT_OUT_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    interfaces: _containers.RepeatedCompositeFieldContainer[ComparedInterface]
    left_out: int
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    def __init__(self, interfaces: _Optional[_Iterable[_Union[ComparedInterface, _Mapping]]] = ..., left_out: _Optional[int] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ComparedInterface(_message.Message):
    __slots__ = ("device_id", "device", "index", "name", "in_octets", "out_octets", "rx_bytes", "tx_bytes", "in_ratio", "out_ratio")
    DEVICE_ID_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    IN_OCTETS_FIELD_NUMBER: _ClassVar[int]
    OUT_OCTETS_FIELD_NUMBER: _ClassVar[int]
    RX_BYTES_FIELD_NUMBER: _ClassVar[int]
    TX_BYTES_FIELD_NUMBER: _ClassVar[int]
    IN_RATIO_FIELD_NUMBER: _ClassVar[int]
    OUT_RATIO_FIELD_NUMBER: _ClassVar[int]
    device_id: str
    device: str
    index: int
    name: str
    in_octets: int
    out_octets: int
    rx_bytes: int
    tx_bytes: int
    in_ratio: float
    out_ratio: float
    def __init__(self, device_id: _Optional[str] = ..., device: _Optional[str] = ..., index: _Optional[int] = ..., name: _Optional[str] = ..., in_octets: _Optional[int] = ..., out_octets: _Optional[int] = ..., rx_bytes: _Optional[int] = ..., tx_bytes: _Optional[int] = ..., in_ratio: _Optional[float] = ..., out_ratio: _Optional[float] = ...) -> None: ...
