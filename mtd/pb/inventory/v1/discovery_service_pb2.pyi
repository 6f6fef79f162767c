import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from mtd.pb.common.v1 import access_pb2 as _access_pb2
from mtd.pb.common.v1 import discovery_pb2 as _discovery_pb2
from mtd.pb.inventory.v1 import inventory_service_pb2 as _inventory_service_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ProposalState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PROPOSAL_STATE_UNSPECIFIED: _ClassVar[ProposalState]
    PROPOSAL_STATE_NEW: _ClassVar[ProposalState]
    PROPOSAL_STATE_IGNORED: _ClassVar[ProposalState]
    PROPOSAL_STATE_ADOPTED: _ClassVar[ProposalState]
PROPOSAL_STATE_UNSPECIFIED: ProposalState
PROPOSAL_STATE_NEW: ProposalState
PROPOSAL_STATE_IGNORED: ProposalState
PROPOSAL_STATE_ADOPTED: ProposalState

class SeenAt(_message.Message):
    __slots__ = ("device_id", "device_name", "interface")
    DEVICE_ID_FIELD_NUMBER: _ClassVar[int]
    DEVICE_NAME_FIELD_NUMBER: _ClassVar[int]
    INTERFACE_FIELD_NUMBER: _ClassVar[int]
    device_id: str
    device_name: str
    interface: str
    def __init__(self, device_id: _Optional[str] = ..., device_name: _Optional[str] = ..., interface: _Optional[str] = ...) -> None: ...

class Proposal(_message.Message):
    __slots__ = ("id", "state", "address", "mac_address", "identity", "platform", "version", "board", "software_id", "ports", "found_by", "first_seen_time", "last_seen_time", "seen_at", "known_device_id", "known_device_name", "known_by")
    ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    MAC_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    IDENTITY_FIELD_NUMBER: _ClassVar[int]
    PLATFORM_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    BOARD_FIELD_NUMBER: _ClassVar[int]
    SOFTWARE_ID_FIELD_NUMBER: _ClassVar[int]
    PORTS_FIELD_NUMBER: _ClassVar[int]
    FOUND_BY_FIELD_NUMBER: _ClassVar[int]
    FIRST_SEEN_TIME_FIELD_NUMBER: _ClassVar[int]
    LAST_SEEN_TIME_FIELD_NUMBER: _ClassVar[int]
    SEEN_AT_FIELD_NUMBER: _ClassVar[int]
    KNOWN_DEVICE_ID_FIELD_NUMBER: _ClassVar[int]
    KNOWN_DEVICE_NAME_FIELD_NUMBER: _ClassVar[int]
    KNOWN_BY_FIELD_NUMBER: _ClassVar[int]
    id: str
    state: ProposalState
    address: str
    mac_address: str
    identity: str
    platform: str
    version: str
    board: str
    software_id: str
    ports: _containers.RepeatedScalarFieldContainer[int]
    found_by: _containers.RepeatedScalarFieldContainer[_discovery_pb2.FoundBy]
    first_seen_time: _timestamp_pb2.Timestamp
    last_seen_time: _timestamp_pb2.Timestamp
    seen_at: _containers.RepeatedCompositeFieldContainer[SeenAt]
    known_device_id: str
    known_device_name: str
    known_by: str
    def __init__(self, id: _Optional[str] = ..., state: _Optional[_Union[ProposalState, str]] = ..., address: _Optional[str] = ..., mac_address: _Optional[str] = ..., identity: _Optional[str] = ..., platform: _Optional[str] = ..., version: _Optional[str] = ..., board: _Optional[str] = ..., software_id: _Optional[str] = ..., ports: _Optional[_Iterable[int]] = ..., found_by: _Optional[_Iterable[_Union[_discovery_pb2.FoundBy, str]]] = ..., first_seen_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., last_seen_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., seen_at: _Optional[_Iterable[_Union[SeenAt, _Mapping]]] = ..., known_device_id: _Optional[str] = ..., known_device_name: _Optional[str] = ..., known_by: _Optional[str] = ...) -> None: ...

class ListProposalsRequest(_message.Message):
    __slots__ = ("states", "include_known", "page_size", "page_token")
    STATES_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_KNOWN_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    states: _containers.RepeatedScalarFieldContainer[ProposalState]
    include_known: bool
    page_size: int
    page_token: str
    def __init__(self, states: _Optional[_Iterable[_Union[ProposalState, str]]] = ..., include_known: _Optional[bool] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListProposalsResponse(_message.Message):
    __slots__ = ("proposals", "next_page_token")
    PROPOSALS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    proposals: _containers.RepeatedCompositeFieldContainer[Proposal]
    next_page_token: str
    def __init__(self, proposals: _Optional[_Iterable[_Union[Proposal, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class AdoptProposalRequest(_message.Message):
    __slots__ = ("proposal", "settings", "password", "request_id")
    PROPOSAL_FIELD_NUMBER: _ClassVar[int]
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    PASSWORD_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    proposal: str
    settings: _inventory_service_pb2.DeviceSettings
    password: str
    request_id: str
    def __init__(self, proposal: _Optional[str] = ..., settings: _Optional[_Union[_inventory_service_pb2.DeviceSettings, _Mapping]] = ..., password: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class AdoptProposalResponse(_message.Message):
    __slots__ = ("device",)
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    device: _inventory_service_pb2.Device
    def __init__(self, device: _Optional[_Union[_inventory_service_pb2.Device, _Mapping]] = ...) -> None: ...

class IgnoreProposalRequest(_message.Message):
    __slots__ = ("proposal", "restore")
    PROPOSAL_FIELD_NUMBER: _ClassVar[int]
    RESTORE_FIELD_NUMBER: _ClassVar[int]
    proposal: str
    restore: bool
    def __init__(self, proposal: _Optional[str] = ..., restore: _Optional[bool] = ...) -> None: ...

class IgnoreProposalResponse(_message.Message):
    __slots__ = ("proposal",)
    PROPOSAL_FIELD_NUMBER: _ClassVar[int]
    proposal: Proposal
    def __init__(self, proposal: _Optional[_Union[Proposal, _Mapping]] = ...) -> None: ...

class ScanSubnetRequest(_message.Message):
    __slots__ = ("subnet", "web")
    SUBNET_FIELD_NUMBER: _ClassVar[int]
    WEB_FIELD_NUMBER: _ClassVar[int]
    subnet: str
    web: bool
    def __init__(self, subnet: _Optional[str] = ..., web: _Optional[bool] = ...) -> None: ...

class ScanFinding(_message.Message):
    __slots__ = ("address", "port", "service")
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    PORT_FIELD_NUMBER: _ClassVar[int]
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    address: str
    port: int
    service: str
    def __init__(self, address: _Optional[str] = ..., port: _Optional[int] = ..., service: _Optional[str] = ...) -> None: ...

class ScanSubnetResponse(_message.Message):
    __slots__ = ("addresses", "done", "findings", "complete")
    ADDRESSES_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    FINDINGS_FIELD_NUMBER: _ClassVar[int]
    COMPLETE_FIELD_NUMBER: _ClassVar[int]
    addresses: int
    done: int
    findings: _containers.RepeatedCompositeFieldContainer[ScanFinding]
    complete: bool
    def __init__(self, addresses: _Optional[int] = ..., done: _Optional[int] = ..., findings: _Optional[_Iterable[_Union[ScanFinding, _Mapping]]] = ..., complete: _Optional[bool] = ...) -> None: ...

class ListNeighborsRequest(_message.Message):
    __slots__ = ("device", "page_size", "page_token")
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    device: str
    page_size: int
    page_token: str
    def __init__(self, device: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class Neighbor(_message.Message):
    __slots__ = ("seen_at", "interface_id", "address", "mac_address", "identity", "platform", "version", "board", "system_description", "discovered_by", "interface_name", "neighbor_device_id", "neighbor_device_name", "neighbor_interface_id", "first_seen_time")
    SEEN_AT_FIELD_NUMBER: _ClassVar[int]
    INTERFACE_ID_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    MAC_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    IDENTITY_FIELD_NUMBER: _ClassVar[int]
    PLATFORM_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    BOARD_FIELD_NUMBER: _ClassVar[int]
    SYSTEM_DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    DISCOVERED_BY_FIELD_NUMBER: _ClassVar[int]
    INTERFACE_NAME_FIELD_NUMBER: _ClassVar[int]
    NEIGHBOR_DEVICE_ID_FIELD_NUMBER: _ClassVar[int]
    NEIGHBOR_DEVICE_NAME_FIELD_NUMBER: _ClassVar[int]
    NEIGHBOR_INTERFACE_ID_FIELD_NUMBER: _ClassVar[int]
    FIRST_SEEN_TIME_FIELD_NUMBER: _ClassVar[int]
    seen_at: SeenAt
    interface_id: str
    address: str
    mac_address: str
    identity: str
    platform: str
    version: str
    board: str
    system_description: str
    discovered_by: str
    interface_name: str
    neighbor_device_id: str
    neighbor_device_name: str
    neighbor_interface_id: str
    first_seen_time: _timestamp_pb2.Timestamp
    def __init__(self, seen_at: _Optional[_Union[SeenAt, _Mapping]] = ..., interface_id: _Optional[str] = ..., address: _Optional[str] = ..., mac_address: _Optional[str] = ..., identity: _Optional[str] = ..., platform: _Optional[str] = ..., version: _Optional[str] = ..., board: _Optional[str] = ..., system_description: _Optional[str] = ..., discovered_by: _Optional[str] = ..., interface_name: _Optional[str] = ..., neighbor_device_id: _Optional[str] = ..., neighbor_device_name: _Optional[str] = ..., neighbor_interface_id: _Optional[str] = ..., first_seen_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ListNeighborsResponse(_message.Message):
    __slots__ = ("neighbors", "next_page_token")
    NEIGHBORS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    neighbors: _containers.RepeatedCompositeFieldContainer[Neighbor]
    next_page_token: str
    def __init__(self, neighbors: _Optional[_Iterable[_Union[Neighbor, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...
