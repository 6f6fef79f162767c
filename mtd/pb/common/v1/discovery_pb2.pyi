from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from typing import ClassVar as _ClassVar

DESCRIPTOR: _descriptor.FileDescriptor

class FoundBy(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FOUND_BY_UNSPECIFIED: _ClassVar[FoundBy]
    FOUND_BY_MNDP: _ClassVar[FoundBy]
    FOUND_BY_NEIGHBOR: _ClassVar[FoundBy]
    FOUND_BY_SCAN: _ClassVar[FoundBy]
    FOUND_BY_SYSLOG: _ClassVar[FoundBy]
    FOUND_BY_FLOWS: _ClassVar[FoundBy]
    FOUND_BY_TRAPS: _ClassVar[FoundBy]
FOUND_BY_UNSPECIFIED: FoundBy
FOUND_BY_MNDP: FoundBy
FOUND_BY_NEIGHBOR: FoundBy
FOUND_BY_SCAN: FoundBy
FOUND_BY_SYSLOG: FoundBy
FOUND_BY_FLOWS: FoundBy
FOUND_BY_TRAPS: FoundBy
