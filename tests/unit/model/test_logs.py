"""Lines of logs as events, and back."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from mtd.model.events import Origin, payload_kind
from mtd.model.logs import FORM_NAMES, FORMS, LogEntry, log_event
from mtd.pb.events.v1.logs_pb2 import LogLine

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
ENTRY = st.builds(
    LogEntry,
    received_us=st.integers(0, 2**62),
    text=TEXT,
    original=TEXT,
    form=st.sampled_from(sorted(FORMS)),
    severity=st.none() | st.integers(0, 7),
    facility=st.none() | st.integers(0, 23),
    topics=st.lists(TEXT, max_size=3).map(tuple),
    event_type=TEXT,
    entity_type=TEXT,
    entity=TEXT,
    state_field=TEXT,
    old=TEXT,
    new=TEXT,
    values=st.dictionaries(TEXT, TEXT, max_size=3),
    host=TEXT,
    program=TEXT,
    process=TEXT,
    told_time=TEXT,
    repeats=st.integers(0, 2**32 - 1),
    cut=st.booleans(),
).filter(lambda entry: bool(entry.original) or not entry.text)  # the message is a part of its line


def clean(text: str) -> str:
    return text.replace("\0", "�")


def entry_of(line: LogLine) -> LogEntry:
    return LogEntry(
        received_us=line.received_at_us,
        text=line.text,
        original=line.original or line.head + line.text,
        form=FORM_NAMES[line.form],
        severity=line.severity if line.HasField("severity") else None,
        facility=line.facility if line.HasField("facility") else None,
        topics=tuple(line.topics),
        event_type=line.event_type,
        entity_type=line.entity_type,
        entity=line.entity,
        state_field=line.field,
        old=line.old_value,
        new=line.new_value,
        values=json.loads(line.values_json or "{}"),
        host=line.host,
        program=line.program,
        process=line.process,
        told_time=line.told_time,
        repeats=line.repeats,
        cut=line.cut,
    )


@given(st.lists(ENTRY, min_size=1, max_size=4))
def test_what_goes_in_comes_out(entries: list[LogEntry]) -> None:
    event = log_event(Origin("t", "c", "d"), "192.0.2.1", entries, 5)
    assert payload_kind(event) == "log_batch"
    assert event.collected_at_us == entries[0].received_us
    assert event.log_batch.sender == "192.0.2.1"
    for entry in entries:  # PostgreSQL has no U+0000
        entry.values = {clean(name): clean(value) for name, value in entry.values.items()}
    assert [entry_of(line) for line in event.log_batch.lines] == entries


def test_a_message_at_the_end_of_its_line_is_told_once() -> None:
    line = LogEntry(1, "ether1 link down", "interface,info ether1 link down")
    (told,) = log_event(Origin("t", "c", "d"), "192.0.2.1", [line], 5).log_batch.lines
    assert (told.head, told.text, told.original) == ("interface,info ", "ether1 link down", "")
