from mtd.pb.common.v1 import device_pb2 as _device_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Lane(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LANE_UNSPECIFIED: _ClassVar[Lane]
    LANE_COUNTER: _ClassVar[Lane]
    LANE_GAUGE: _ClassVar[Lane]
    LANE_RATE: _ClassVar[Lane]
LANE_UNSPECIFIED: Lane
LANE_COUNTER: Lane
LANE_GAUGE: Lane
LANE_RATE: Lane

class Series(_message.Message):
    __slots__ = ("metric", "instance", "lane")
    METRIC_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_FIELD_NUMBER: _ClassVar[int]
    LANE_FIELD_NUMBER: _ClassVar[int]
    metric: str
    instance: str
    lane: Lane
    def __init__(self, metric: _Optional[str] = ..., instance: _Optional[str] = ..., lane: _Optional[_Union[Lane, str]] = ...) -> None: ...

class Metric(_message.Message):
    __slots__ = ("key", "unit", "kind", "tier", "description", "since", "expected_min", "expected_max", "states", "collector")
    class StatesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: int
        value: str
        def __init__(self, key: _Optional[int] = ..., value: _Optional[str] = ...) -> None: ...
    KEY_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    TIER_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_MIN_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_MAX_FIELD_NUMBER: _ClassVar[int]
    STATES_FIELD_NUMBER: _ClassVar[int]
    COLLECTOR_FIELD_NUMBER: _ClassVar[int]
    key: str
    unit: str
    kind: _device_pb2.MetricKind
    tier: _device_pb2.Tier
    description: str
    since: str
    expected_min: float
    expected_max: float
    states: _containers.ScalarMap[int, str]
    collector: str
    def __init__(self, key: _Optional[str] = ..., unit: _Optional[str] = ..., kind: _Optional[_Union[_device_pb2.MetricKind, str]] = ..., tier: _Optional[_Union[_device_pb2.Tier, str]] = ..., description: _Optional[str] = ..., since: _Optional[str] = ..., expected_min: _Optional[float] = ..., expected_max: _Optional[float] = ..., states: _Optional[_Mapping[int, str]] = ..., collector: _Optional[str] = ...) -> None: ...
