"""Lines of devices' logs, as events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import orjson
from google.protobuf.message import DecodeError

from mtd.model.events import Origin
from mtd.pb.events.v1.envelope_pb2 import Envelope
from mtd.pb.events.v1.logs_pb2 import LogForm, LogLine

FORMS: Mapping[str, LogForm] = {
    "plain": LogForm.LOG_FORM_PLAIN,
    "bsd": LogForm.LOG_FORM_BSD,
    "rfc5424": LogForm.LOG_FORM_RFC5424,
    "cef": LogForm.LOG_FORM_CEF,
}
"""Ways of writing a line, by the names that people read."""

FORM_NAMES: Mapping[LogForm, str] = {number: name for name, number in FORMS.items()}


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
    add = batch.lines.add
    for entry in entries:
        line = add()
        line.CopyFrom(
            _common(
                entry.form,
                entry.severity,
                entry.facility,
                entry.topics,
                entry.event_type,
                entry.entity_type,
                entry.state_field,
            )
        )
        line.received_at_us = entry.received_us
        text, original = entry.text, entry.original
        if not original.endswith(text):
            line.text, line.original = text, original
        elif text:
            line.text = text
            if len(original) > len(text):
                line.head = original[: -len(text)]
        elif original:
            line.head = original
        if entry.values:
            line.values_json = _json_of(entry.values)
        _tell_rest(line, entry)
    return envelope


def log_event_of(data: bytes) -> Envelope:
    """Return a serialized event of lines. Raises ValueError for what is none."""
    envelope = Envelope()
    try:
        envelope.ParseFromString(data)
    except DecodeError as error:
        raise ValueError(f"an event of lines can't be read: {error}") from None
    if not envelope.HasField("log_batch"):
        raise ValueError("an event of lines has none")
    return envelope


def _tell_rest(line: LogLine, entry: LogEntry) -> None:
    """Set what only some lines tell."""
    if entry.entity:
        line.entity = entry.entity
    if entry.old:
        line.old_value = entry.old
    if entry.new:
        line.new_value = entry.new
    if entry.host:
        line.host = entry.host
    if entry.told_time:
        line.told_time = entry.told_time
    if entry.program:
        line.program = entry.program
    if entry.process:
        line.process = entry.process
    if entry.repeats:
        line.repeats = entry.repeats
    if entry.cut:
        line.cut = True


# To set these one by one takes as long as all the rest of a line. Bounded: topics come from the wire.
@lru_cache(maxsize=2048)
def _common(
    form: str,
    severity: int | None,
    facility: int | None,
    topics: tuple[str, ...],
    event_type: str,
    entity_type: str,
    state_field: str,
) -> LogLine:
    """Return what many lines have in common."""
    return LogLine(
        form=FORMS[form],
        severity=severity,
        facility=facility,
        topics=topics,
        event_type=event_type,
        entity_type=entity_type,
        field=state_field,
    )


def _json_of(values: Mapping[str, str]) -> str:
    told = orjson.dumps(values).decode()
    if "\\u0000" not in told:
        return told
    # U+0000 can't be in a jsonb. The texts are cleaned, not the JSON: "\\u0000" may be a text as well.
    cleaned = {name.replace("\0", "�"): value.replace("\0", "�") for name, value in values.items()}
    return orjson.dumps(cleaned).decode()
