from mtd.pb.collector.v1 import assignment_pb2 as _assignment_pb2
from mtd.pb.collector.v1 import collector_link_service_pb2 as _collector_link_service_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class KeptAssignment(_message.Message):
    __slots__ = ("collector_id", "revision", "tenants", "devices")
    COLLECTOR_ID_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    TENANTS_FIELD_NUMBER: _ClassVar[int]
    DEVICES_FIELD_NUMBER: _ClassVar[int]
    collector_id: str
    revision: int
    tenants: _containers.RepeatedCompositeFieldContainer[_collector_link_service_pb2.ServedTenant]
    devices: _containers.RepeatedCompositeFieldContainer[_assignment_pb2.AssignedDevice]
    def __init__(self, collector_id: _Optional[str] = ..., revision: _Optional[int] = ..., tenants: _Optional[_Iterable[_Union[_collector_link_service_pb2.ServedTenant, _Mapping]]] = ..., devices: _Optional[_Iterable[_Union[_assignment_pb2.AssignedDevice, _Mapping]]] = ...) -> None: ...
