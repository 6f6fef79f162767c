"""Lines of devices' logs, as events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import TYPE_CHECKING

import orjson

from mtd.model.events import Origin
from mtd.pb.events.v1.envelope_pb2 import Envelope
from mtd.pb.events.v1.logs_pb2 import LogForm

if TYPE_CHECKING:
    from mtd.pb.events.v1.logs_pb2 import LogLine

FORMS: Mapping[str, LogForm] = {
    "plain": LogForm.LOG_FORM_PLAIN,
    "bsd": LogForm.LOG_FORM_BSD,
    "rfc5424": LogForm.LOG_FORM_RFC5424,
    "cef": LogForm.LOG_FORM_CEF,
}
"""Ways of writing a line, by the names that people read."""

FORM_NAMES: Mapping[LogForm, str] = {number: name for name, number in FORMS.items()}
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
_texts_of = attrgetter(*(name for name, _ in _TEXTS))
_TOLD = tuple(told for _, told in _TEXTS)


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
        line = batch.lines.add(received_at_us=entry.received_us, form=FORMS[entry.form])
        for told, value in zip(_TOLD, _texts_of(entry), strict=True):
            if value:
                setattr(line, told, value)
        _tell_rest(line, entry)
    return envelope


def _tell_rest(line: LogLine, entry: LogEntry) -> None:
    """Set what isn't a text by itself."""
    text, original = entry.text, entry.original
    if text and not original.endswith(text):
        line.original = original
    elif len(original) > len(text):
        line.head = original[: len(original) - len(text)]
    if entry.severity is not None:
        line.severity = entry.severity
    if entry.facility is not None:
        line.facility = entry.facility
    if entry.topics:
        line.topics.extend(entry.topics)
    if entry.values:
        line.values_json = _json_of(entry.values)
    if entry.repeats:
        line.repeats = entry.repeats
    if entry.cut:
        line.cut = True


def _json_of(values: Mapping[str, str]) -> str:
    told = orjson.dumps(values).decode()
    if "\\u0000" not in told:
        return told
    # U+0000 can't be in a jsonb. The texts are cleaned, not the JSON: "\\u0000" may be a text as well.
    cleaned = {name.replace("\0", "�"): value.replace("\0", "�") for name, value in values.items()}
    return orjson.dumps(cleaned).decode()
