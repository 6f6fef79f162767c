from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class FlowForm(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FLOW_FORM_UNSPECIFIED: _ClassVar[FlowForm]
    FLOW_FORM_NETFLOW_5: _ClassVar[FlowForm]
    FLOW_FORM_NETFLOW_9: _ClassVar[FlowForm]
    FLOW_FORM_IPFIX: _ClassVar[FlowForm]
    FLOW_FORM_SFLOW_5: _ClassVar[FlowForm]

class FlowSampling(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FLOW_SAMPLING_UNSPECIFIED: _ClassVar[FlowSampling]
    FLOW_SAMPLING_TOLD: _ClassVar[FlowSampling]
    FLOW_SAMPLING_CONFIGURED: _ClassVar[FlowSampling]
    FLOW_SAMPLING_ASSUMED: _ClassVar[FlowSampling]
FLOW_FORM_UNSPECIFIED: FlowForm
FLOW_FORM_NETFLOW_5: FlowForm
FLOW_FORM_NETFLOW_9: FlowForm
FLOW_FORM_IPFIX: FlowForm
FLOW_FORM_SFLOW_5: FlowForm
FLOW_SAMPLING_UNSPECIFIED: FlowSampling
FLOW_SAMPLING_TOLD: FlowSampling
FLOW_SAMPLING_CONFIGURED: FlowSampling
FLOW_SAMPLING_ASSUMED: FlowSampling

class FlowBatch(_message.Message):
    __slots__ = ("exporter", "form", "records", "octets", "packets", "estimated_octets", "estimated_packets", "first_ms", "last_ms", "sampling", "block", "domain")
    EXPORTER_FIELD_NUMBER: _ClassVar[int]
    FORM_FIELD_NUMBER: _ClassVar[int]
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    OCTETS_FIELD_NUMBER: _ClassVar[int]
    PACKETS_FIELD_NUMBER: _ClassVar[int]
    ESTIMATED_OCTETS_FIELD_NUMBER: _ClassVar[int]
    ESTIMATED_PACKETS_FIELD_NUMBER: _ClassVar[int]
    FIRST_MS_FIELD_NUMBER: _ClassVar[int]
    LAST_MS_FIELD_NUMBER: _ClassVar[int]
    SAMPLING_FIELD_NUMBER: _ClassVar[int]
    BLOCK_FIELD_NUMBER: _ClassVar[int]
    DOMAIN_FIELD_NUMBER: _ClassVar[int]
    exporter: str
    form: FlowForm
    records: int
    octets: int
    packets: int
    estimated_octets: int
    estimated_packets: int
    first_ms: int
    last_ms: int
    sampling: FlowSampling
    block: bytes
    domain: int
    def __init__(self, exporter: _Optional[str] = ..., form: _Optional[_Union[FlowForm, str]] = ..., records: _Optional[int] = ..., octets: _Optional[int] = ..., packets: _Optional[int] = ..., estimated_octets: _Optional[int] = ..., estimated_packets: _Optional[int] = ..., first_ms: _Optional[int] = ..., last_ms: _Optional[int] = ..., sampling: _Optional[_Union[FlowSampling, str]] = ..., block: _Optional[bytes] = ..., domain: _Optional[int] = ...) -> None: ...
