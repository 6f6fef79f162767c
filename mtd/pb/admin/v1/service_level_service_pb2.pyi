from mtd.pb.common.v1 import access_pb2 as _access_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ServiceLevelWindow(_message.Message):
    __slots__ = ("window", "good", "total", "good_ratio", "burn_rate")
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    GOOD_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    GOOD_RATIO_FIELD_NUMBER: _ClassVar[int]
    BURN_RATE_FIELD_NUMBER: _ClassVar[int]
    window: str
    good: float
    total: float
    good_ratio: float
    burn_rate: float
    def __init__(self, window: _Optional[str] = ..., good: _Optional[float] = ..., total: _Optional[float] = ..., good_ratio: _Optional[float] = ..., burn_rate: _Optional[float] = ...) -> None: ...

class ServiceLevel(_message.Message):
    __slots__ = ("objective", "description", "target", "windows", "budget_left")
    OBJECTIVE_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    WINDOWS_FIELD_NUMBER: _ClassVar[int]
    BUDGET_LEFT_FIELD_NUMBER: _ClassVar[int]
    objective: str
    description: str
    target: float
    windows: _containers.RepeatedCompositeFieldContainer[ServiceLevelWindow]
    budget_left: float
    def __init__(self, objective: _Optional[str] = ..., description: _Optional[str] = ..., target: _Optional[float] = ..., windows: _Optional[_Iterable[_Union[ServiceLevelWindow, _Mapping]]] = ..., budget_left: _Optional[float] = ...) -> None: ...

class GetServiceLevelsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetServiceLevelsResponse(_message.Message):
    __slots__ = ("levels",)
    LEVELS_FIELD_NUMBER: _ClassVar[int]
    levels: _containers.RepeatedCompositeFieldContainer[ServiceLevel]
    def __init__(self, levels: _Optional[_Iterable[_Union[ServiceLevel, _Mapping]]] = ...) -> None: ...
