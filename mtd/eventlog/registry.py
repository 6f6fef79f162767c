"""Names of what can stand in the log, apart from classes and fields.

The name and version of a payload are what people, configurations and tools may
store; the field of ``Envelope`` is where it is on the wire. A change of meaning
gets a new field, a new version of the same name, and a step in
:mod:`mtd.eventlog.upcast`.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

from mtd.core.errors import NotFound
from mtd.model.events import payload_kind
from mtd.pb.events.v1.envelope_pb2 import Envelope


@dataclass(frozen=True, slots=True)
class PayloadType:
    """One version of one kind of event. ``field`` is its field in ``Envelope``."""

    name: str
    version: int
    field: str

    def __str__(self) -> str:
        return f"{self.name}.v{self.version}"


PAYLOAD_TYPES: tuple[PayloadType, ...] = (
    PayloadType("mtd.telemetry.layout", 1, "series_layout"),
    PayloadType("mtd.telemetry.frame", 1, "frame"),
    PayloadType("mtd.state.changed", 1, "state_changed"),
    PayloadType("mtd.table.delta", 1, "table_delta"),
    PayloadType("mtd.poll.outcome", 1, "poll_outcome"),
    PayloadType("mtd.device.capabilities", 1, "capability_probed"),
    PayloadType("mtd.document.snapshot", 1, "snapshot"),
    PayloadType("mtd.device.seen", 1, "device_seen"),
    PayloadType("mtd.log.batch", 1, "log_batch"),
    PayloadType("mtd.flow.batch", 1, "flow_batch"),
)
BY_FIELD = MappingProxyType({entry.field: entry for entry in PAYLOAD_TYPES})
BY_NAME = MappingProxyType({(entry.name, entry.version): entry for entry in PAYLOAD_TYPES})


def payload_type(envelope: Envelope) -> PayloadType:
    """Return what an envelope holds. NotFound if a newer mtd wrote it, or it is empty."""
    field = payload_kind(envelope)
    found = BY_FIELD.get(field)
    if found is None:
        raise NotFound(f"payload {field!r} is unknown to this version of mtd")
    return found
