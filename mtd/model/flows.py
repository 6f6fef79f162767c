"""Flow records, as events and back, and what they are summed up by."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from google.protobuf.message import DecodeError

from mtd.model.events import Origin
from mtd.pb.events.v1.envelope_pb2 import Envelope
from mtd.pb.events.v1.flows_pb2 import FlowForm, FlowSampling

FORMS: Mapping[str, FlowForm] = MappingProxyType(
    {
        "netflow5": FlowForm.FLOW_FORM_NETFLOW_5,
        "netflow9": FlowForm.FLOW_FORM_NETFLOW_9,
        "ipfix": FlowForm.FLOW_FORM_IPFIX,
        "sflow5": FlowForm.FLOW_FORM_SFLOW_5,
    }
)
"""Ways of sending flows, by the names that people read."""

SAMPLINGS: Mapping[str, FlowSampling] = MappingProxyType(
    {
        "told": FlowSampling.FLOW_SAMPLING_TOLD,
        "configured": FlowSampling.FLOW_SAMPLING_CONFIGURED,
        "assumed": FlowSampling.FLOW_SAMPLING_ASSUMED,
    }
)
"""Where a sampling comes from, by the names that people read."""

TRAFFIC: Mapping[str, int] = MappingProxyType({"outbound": 1, "inbound": 2, "internal": 3, "transit": 4})
"""Where a flow goes, seen from our network. Inbound ones come from outside, transit ones pass through."""

_TRAFFIC_NAMES = {number: name for name, number in TRAFFIC.items()}

MINUTE_US = 60_000_000


@dataclass(frozen=True, slots=True)
class FlowPortion:
    """Records of one template that came within one minute. Becomes a ``FlowBatch``, which says what each field is."""

    exporter: str
    domain: int
    form: str
    records: int
    octets: int
    packets: int
    estimated_octets: int
    estimated_packets: int
    received_us: int
    """When the first of them came; all came within the same minute."""
    first_ms: int
    last_ms: int
    sampling: str
    block: bytes


_COUNTRIES = frozenset({"src_country", "dst_country"})


@dataclass(frozen=True, slots=True)
class Dimension:
    """What records are summed up by.

    ``columns``: of a block (see ``mtd.codec.flows.elements``), one behind the other in a key. ``width``: of a
    key, in bytes: 16 for an address (IPv4 as ``::ffff:a.b.c.d``), else big-endian. A record that has none of the
    columns isn't in any sum but that of all.
    """

    name: str
    columns: tuple[str, ...]
    width: int

    def text(self, key: bytes) -> str:
        """Return a key as people read it."""
        if not self.columns:
            return ""
        if self.name == "conversation":
            return f"{address_text(key[:16])} > {address_text(key[16:])}"
        if self.width == 16:
            return address_text(key)
        number = int.from_bytes(key, "big")
        if self.name == "traffic":
            return _TRAFFIC_NAMES.get(number, str(number))
        if self.name in _COUNTRIES:
            return key.decode("ascii", "replace") if number else ""  # not known
        return str(number)


DIMENSIONS: Mapping[str, Dimension] = MappingProxyType(
    {
        one.name: one
        for one in (
            Dimension("total", (), 0),
            Dimension("src_address", ("src_address",), 16),
            Dimension("dst_address", ("dst_address",), 16),
            Dimension("conversation", ("src_address", "dst_address"), 32),
            Dimension("src_port", ("src_port",), 2),
            Dimension("dst_port", ("dst_port",), 2),
            Dimension("protocol", ("protocol",), 1),
            Dimension("src_as", ("src_as",), 4),
            Dimension("dst_as", ("dst_as",), 4),
            Dimension("in_interface", ("in_interface",), 4),
            Dimension("out_interface", ("out_interface",), 4),
            Dimension("src_country", ("src_country",), 2),
            Dimension("dst_country", ("dst_country",), 2),
            Dimension("traffic", ("traffic",), 1),
        )
    }
)
"""By their names; "total" has one key, of no bytes."""


def address_text(key: bytes) -> str:
    """Return 16 bytes as an address: an IPv4 one as such."""
    address = ipaddress.IPv6Address(key)
    return str(address.ipv4_mapped or address)


def address_key(text: str) -> bytes:
    """Return an address as 16 bytes. Raises ValueError."""
    address = ipaddress.ip_address(text)
    return address.packed if address.version == 6 else b"\0" * 10 + b"\xff\xff" + address.packed


def flow_event(origin: Origin, portion: FlowPortion, received_us: int) -> Envelope:
    """Build a ``FlowBatch``."""
    envelope = Envelope(
        tenant_id=origin.tenant_id,
        collector_id=origin.collector_id,
        device_id=origin.device_id,
        collected_at_us=portion.received_us,
        received_at_us=received_us,
    )
    batch = envelope.flow_batch
    batch.exporter, batch.domain = portion.exporter, portion.domain
    batch.form = FORMS[portion.form]
    batch.records = portion.records
    batch.octets, batch.packets = portion.octets, portion.packets
    batch.estimated_octets, batch.estimated_packets = portion.estimated_octets, portion.estimated_packets
    batch.first_ms, batch.last_ms = portion.first_ms, portion.last_ms
    batch.sampling = SAMPLINGS[portion.sampling]
    batch.block = portion.block
    return envelope


def flow_event_of(data: bytes) -> Envelope:
    """Return a serialized event of flows. Raises ValueError for what is none."""
    envelope = Envelope()
    try:
        envelope.ParseFromString(data)
    except DecodeError as error:
        raise ValueError(f"an event of flows can't be read: {error}") from None
    if not envelope.HasField("flow_batch"):
        raise ValueError("an event of flows has none")
    return envelope
