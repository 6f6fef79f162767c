"""Lines of devices' logs, as events and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mtd.model.events import Origin
from mtd.pb.events.v1.envelope_pb2 import Envelope
from mtd.pb.events.v1.logs_pb2 import LogForm

if TYPE_CHECKING:
    from mtd.pb.events.v1.logs_pb2 import LogBatch

FORMS: Mapping[str, LogForm] = {
    "plain": LogForm.LOG_FORM_PLAIN,
    "bsd": LogForm.LOG_FORM_BSD,
    "rfc5424": LogForm.LOG_FORM_RFC5424,
    "cef": LogForm.LOG_FORM_CEF,
}
"""Ways of writing a line, by the names that people read."""

_FORM_NAMES = {number: name for name, number in FORMS.items()}
_TEXTS = (
    ("text", "text"),
    ("event_type", "event_type"),
    ("entity_type", "entity_type"),
    ("entity", "entity"),
    ("state_field", "field"),
    ("old", "old_value"),
    ("new", "new_value"),
    ("host", "host"),
    ("program", "program"),
    ("process", "process"),
    ("told_time", "told_time"),
)


@dataclass(slots=True)
class LogEntry:
    """One line; becomes a ``LogLine``, which says what each field is. What isn't told is empty or None."""

    received_us: int
    text: str
    original: str
    form: str = "plain"
    severity: int | None = None
    facility: int | None = None
    topics: tuple[str, ...] = ()
    event_type: str = ""
    entity_type: str = ""
    entity: str = ""
    state_field: str = ""
    old: str = ""
    new: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    host: str = ""
    program: str = ""
    process: str = ""
    told_time: str = ""
    repeats: int = 0
    cut: bool = False


def log_event(origin: Origin, sender: str, entries: Sequence[LogEntry], received_us: int) -> Envelope:
    """Build a ``LogBatch`` of lines in the order in which they came; there is at least one."""
    envelope = Envelope(
        tenant_id=origin.tenant_id,
        collector_id=origin.collector_id,
        device_id=origin.device_id,
        collected_at_us=entries[0].received_us,
        received_at_us=received_us,
    )
    batch = envelope.log_batch
    batch.sender = sender
    for entry in entries:
        line = batch.lines.add()
        line.received_at_us = entry.received_us
        for name, told in _TEXTS:
            if value := getattr(entry, name):
                setattr(line, told, value)
        head = entry.original.removesuffix(entry.text) if entry.text else entry.original
        if entry.text and len(head) == len(entry.original):
            line.original = entry.original
        elif head:
            line.head = head
        line.form = FORMS[entry.form]
        if entry.severity is not None:
            line.severity = entry.severity
        if entry.facility is not None:
            line.facility = entry.facility
        if entry.topics:
            line.topics.extend(entry.topics)
        if entry.values:
            line.values.update(entry.values)
        if entry.repeats:
            line.repeats = entry.repeats
        if entry.cut:
            line.cut = True
    return envelope


def log_entries_of(batch: LogBatch) -> list[LogEntry]:
    """Return the lines of a ``LogBatch``."""
    return [
        LogEntry(
            received_us=line.received_at_us,
            original=line.original or line.head + line.text,
            form=_FORM_NAMES.get(line.form, "plain"),
            severity=line.severity if line.HasField("severity") else None,
            facility=line.facility if line.HasField("facility") else None,
            topics=tuple(line.topics),
            values=dict(line.values),
            repeats=line.repeats,
            cut=line.cut,
            **{name: getattr(line, told) for name, told in _TEXTS},
        )
        for line in batch.lines
    ]
