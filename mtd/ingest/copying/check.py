"""Events of a collector's log: whose they are, and whether they can stand in ours. Pure, for a thread."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from google.protobuf.unknown_fields import UnknownFieldSet

from mtd.core.errors import Forbidden
from mtd.ingest.validate import EARLIEST_US
from mtd.model.events import layout_of, payload_kind
from mtd.model.layout import Layout
from mtd.pb.events.v1.envelope_pb2 import Envelope

if TYPE_CHECKING:
    from collections.abc import Set

_EVENT_ID_BYTES = (0, 16)
_TRACE_BYTES = (0, 24)
_MOST_SEVERITY = 2**15 - 1  # newer collectors may know more of them
_MOST_POSITION = 2**15 - 1
_LATEST_US = 253_402_300_799_000_000  # of the year 9999


class NotItsOwn(Forbidden):
    """A collector sent what belongs to a tenant that it doesn't work for."""


@dataclass(frozen=True, slots=True)
class Speaker:
    """Who sends a log. ``tenants``: those that it works for; None: all. ``collector_id``: stamped, unless empty."""

    name: str
    tenant_id: str
    tenants: Set[str] | None
    collector_id: str = ""
    caller_id: str = ""


@dataclass(slots=True)
class Stamped:
    """Events as they are appended. ``points``: how many values of which tenant; ``left_out``: how many, and why.

    ``unknown``: how many hold what only a newer mtd knows. They are kept as they are.
    """

    envelopes: list[Envelope]
    unknown: int = 0
    points: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)


def stamp(
    envelopes: Sequence[Envelope],
    log: bytes,
    first_seq: int,
    speaker: Speaker,
    tenants_of: Mapping[str, str],
    now_us: int,
) -> Stamped:
    """Return the events with where they come from. Raises NotItsOwn if one is none of the speaker's.

    What can't be stored keeps its place, emptied: positions have no holes.
    """
    stamped = Stamped([])
    for seq, envelope in enumerate(envelopes, first_seq):
        _check_owner(envelope, speaker, tenants_of)
        wrong = _problem(envelope, tenants_of)
        if wrong:
            stamped.left_out[wrong] += 1
            emptied = Envelope(tenant_id=envelope.tenant_id, collected_at_us=envelope.collected_at_us)
            emptied.collector_id = envelope.collector_id
        else:
            emptied = envelope
            stamped.points[envelope.tenant_id] += _points(envelope)
            stamped.unknown += not payload_kind(envelope) and len(UnknownFieldSet(envelope)) > 0
            if len(envelope.trace_context) not in _TRACE_BYTES:
                envelope.ClearField("trace_context")
        emptied.source_log_id, emptied.source_seq = log, seq
        emptied.received_at_us = now_us
        if speaker.collector_id:
            emptied.collector_id = speaker.collector_id
        stamped.envelopes.append(emptied)
    return stamped


def _check_owner(envelope: Envelope, speaker: Speaker, tenants_of: Mapping[str, str]) -> None:
    tenant_id = envelope.tenant_id
    if speaker.tenants is None:
        if not _is_uuid(tenant_id):
            raise NotItsOwn(f"{speaker.name} sent an event of no tenant")
    elif tenant_id not in speaker.tenants:
        raise NotItsOwn(f"{speaker.name} sent an event of a tenant that it doesn't work for")
    owner = tenants_of.get(envelope.device_id) if envelope.device_id else tenant_id
    if owner is not None and owner != tenant_id:
        raise NotItsOwn(f"{speaker.name} sent an event of a device of another tenant")


def _problem(envelope: Envelope, tenants_of: Mapping[str, str]) -> str:
    """Return the short name of why an event can't be stored; empty if it can."""
    if envelope.device_id and envelope.device_id not in tenants_of:
        return "unknown_device"
    if len(envelope.event_id) not in _EVENT_ID_BYTES or not _fits(envelope):
        return "malformed"
    if envelope.HasField("series_layout"):
        declared = layout_of(envelope.series_layout)
        # A layout is named by its content: under another name, it would change what frames mean.
        if Layout.of(declared.poll_group, declared.series).layout_id != declared.layout_id:
            return "malformed"
    return ""


def _fits(envelope: Envelope) -> bool:
    """Return whether the numbers of an event are such as tables hold; the rest is for projections to judge."""
    if not EARLIEST_US <= envelope.collected_at_us < _LATEST_US:
        return False
    if envelope.HasField("state_changed"):
        return 0 <= envelope.state_changed.severity <= _MOST_SEVERITY
    if envelope.HasField("frame"):
        return all(position < _MOST_POSITION for position in envelope.frame.low_confidence)
    return True


def _points(envelope: Envelope) -> int:
    if not envelope.HasField("frame"):
        return 1
    frame = envelope.frame
    return len(frame.counters) + len(frame.gauges) + len(frame.rates)


def _is_uuid(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False
