"""Which log lines are events on the timeline, and by what polls, lines and traps know that they tell the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from typing import TYPE_CHECKING, Self

import orjson

from mtd.codec.syslog.rules import Finding, Rules, Telling
from mtd.model.evidence import WORDS, Source, fact_number
from mtd.storage.stores.events import EventRow

if TYPE_CHECKING:
    from mtd.pb.events.v1.envelope_pb2 import Envelope
    from mtd.pb.events.v1.logs_pb2 import LogLine

MOST_LINES = 100
"""Lines of one event of the log that become events each: a router that floods fills no timeline."""
_MOST_PART = 2**15 - 1  # as the table numbers parts
_LONGEST_MESSAGE = 1000
_DEVICE = "device"
_INFO, _WARNING, _CRITICAL = 1, 2, 3
_SOURCES = {"": Source.POLL, WORDS[Source.TRAP]: Source.TRAP}
_LEAST = ((2, _CRITICAL), (4, _WARNING))  # severity of syslog, from 0 emergency on


Find = Callable[[tuple[str, ...], str, str], Finding | None]
"""Returns what a message means, by its topics, its text, and a name that may stand before it."""


def _nothing(topics: tuple[str, ...], text: str, identity: str) -> None:
    return None


class Timeline:
    """Knows what the rules of this hub say of types of events. ``tellings``: by type; nothing is joined without.

    ``find`` reads lines that a collector's older rules took apart into less than these rules want.
    """

    def __init__(self, tellings: Mapping[str, Telling] | None = None, find: Find = _nothing) -> None:
        self._tellings = tellings or {}
        self._find = find

    @classmethod
    def of(cls, rules: Rules) -> Self:
        """Return the one of these rules."""
        return cls(rules.tellings(), rules.find)

    def of_change(self, envelope: Envelope, row: EventRow) -> EventRow:
        """Return the row of a state that changed with who told it, and with what others are compared with, if they can tell it."""
        # What was sent by another program says who saw it in no word.
        if row.device_id is None or envelope.event_id:
            return row
        told_by = envelope.state_changed.told_by
        source = _SOURCES.get(told_by)
        telling = self._tellings.get(row.event_type)
        if source is Source.TRAP:
            row = row._replace(source=source.value)
        if source is None or telling is None or not telling.on_timeline:
            return row
        name = ""
        if row.entity_type != _DEVICE:
            name = envelope.state_changed.logged_as or row.entity_label
            if not name:
                return row  # a trap may tell of an interface by its number alone
        return self._with_facts(telling, row._replace(source=source.value), name)

    def of_lines(self, seq: int, envelope: Envelope) -> tuple[list[EventRow], int]:
        """Return the rows of those lines that are events, and how many more there would be."""
        if not envelope.device_id:
            return [], 0
        found = list(self._events_of(envelope))
        told = [(part, line) for part, line in found[:MOST_LINES] if part <= _MOST_PART]
        return [self._row(seq, part, envelope, line) for part, line in told], len(found) - len(told)

    def _events_of(self, envelope: Envelope) -> Iterator[tuple[int, LogLine]]:
        for part, told in enumerate(envelope.log_batch.lines):
            if not told.event_type:
                continue
            line, telling = told, self._tellings.get(told.event_type)
            if telling is not None and telling.known_as and _name_of(telling, told) is None:
                ours = self._read_anew(told)
                if ours is None:
                    continue
                line, telling = ours, self._tellings.get(ours.event_type)
            # Of a type that this hub has no rule for, the line itself tells: it is of a collector's own rules.
            is_event = bool(line.field or line.new_value) if telling is None else telling.on_timeline
            if is_event:
                yield part, line

    def _read_anew(self, line: LogLine) -> LogLine | None:
        """Return a line that lacks what its thing is called by as these rules read it; None if they don't know it.

        Rules of the release before had one type of events for steps that are several by now, and took less out of them.
        """
        found = self._find(tuple(line.topics), line.text, line.host)
        if found is None:
            return None
        ours = deepcopy(line)
        ours.event_type, ours.entity_type, ours.entity = found.event_type, found.entity_type, found.entity
        ours.field, ours.old_value, ours.new_value = found.state_field, found.old, found.new
        ours.values_json = orjson.dumps(found.values).decode()
        if found.severity is not None:
            ours.severity = int(found.severity)
        return ours

    def _row(self, seq: int, part: int, envelope: Envelope, line: LogLine) -> EventRow:
        is_of_device = not line.entity and line.entity_type in ("", _DEVICE)
        row = EventRow(
            tenant_id=envelope.tenant_id,
            device_id=envelope.device_id,
            seq=seq,
            part=part,
            collected_us=line.received_at_us,
            received_us=envelope.received_at_us,
            event_type=line.event_type,
            severity=_severity(line),
            entity_type=line.entity_type or _DEVICE,
            entity_id=envelope.device_id if is_of_device else "",
            entity_label=line.entity,
            field=line.field,
            old_value=line.old_value,
            new_value=line.new_value,
            message=line.text[:_LONGEST_MESSAGE],
            source=Source.SYSLOG.value,
        )
        telling = self._tellings.get(line.event_type)
        if telling is None:
            return row
        name = _name_of(telling, line)
        return row if name is None else self._with_facts(telling, row, name)

    def _with_facts(self, telling: Telling, row: EventRow, name: str) -> EventRow:
        fact = self._fact(telling, row, name, row.new_value)
        before = None
        if telling.of_state and row.old_value:
            before = self._fact(telling, row, name, row.old_value)
        return row._replace(fact=fact, fact_before=before)

    def _fact(self, telling: Telling, row: EventRow, name: str, value: str) -> int:
        return fact_number(row.tenant_id, row.event_type, name, value if telling.of_state else None)


def _name_of(telling: Telling, line: LogLine) -> str | None:
    values = orjson.loads(line.values_json) if telling.known_as and line.values_json else {}
    return telling.name(line.entity, values)


def _severity(line: LogLine) -> int:
    if line.HasField("severity"):
        for least, severity in _LEAST:
            if line.severity <= least:
                return severity
    return _INFO
