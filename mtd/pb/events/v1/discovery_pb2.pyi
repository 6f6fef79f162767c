from mtd.pb.common.v1 import discovery_pb2 as _discovery_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DeviceSeen(_message.Message):
    __slots__ = ("found_by", "address", "mac_address", "identity", "platform", "version", "board", "software_id", "interface_name", "ports")
    FOUND_BY_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    MAC_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    IDENTITY_FIELD_NUMBER: _ClassVar[int]
    PLATFORM_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    BOARD_FIELD_NUMBER: _ClassVar[int]
    SOFTWARE_ID_FIELD_NUMBER: _ClassVar[int]
    INTERFACE_NAME_FIELD_NUMBER: _ClassVar[int]
    PORTS_FIELD_NUMBER: _ClassVar[int]
    found_by: _discovery_pb2.FoundBy
    address: str
    mac_address: str
    identity: str
    platform: str
    version: str
    board: str
    software_id: str
    interface_name: str
    ports: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, found_by: _Optional[_Union[_discovery_pb2.FoundBy, str]] = ..., address: _Optional[str] = ..., mac_address: _Optional[str] = ..., identity: _Optional[str] = ..., platform: _Optional[str] = ..., version: _Optional[str] = ..., board: _Optional[str] = ..., software_id: _Optional[str] = ..., interface_name: _Optional[str] = ..., ports: _Optional[_Iterable[int]] = ...) -> None: ...
