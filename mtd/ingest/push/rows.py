"""Batches as they are read, before anything in them was checked against what mtd knows."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from mtd.core.errors import Refused

Value = int | float | str
GROUP = re.compile(r"[A-Za-z0-9_-]{1,32}", re.ASCII)
BATCH_ID_CHARACTERS = 128
_EARLIEST_S, _LATEST_S = 946_684_800, 100_000_000_000  # 2000-01-01; what is above is no count of seconds
_TEXT_CHARACTERS = 1000


class Unreadable(Refused):
    """A batch as a whole can't be read."""


class TooLarge(Refused):
    """A batch is larger than mtd takes: send it in parts."""


class Problem(NamedTuple):
    """A row that is not taken, and why. ``reason`` is its short name."""

    row: str
    reason: str
    text: str


class SampleRow(NamedTuple):
    """Values of a device by full key. ``number``: which row, from 0."""

    number: int
    device: str
    at_us: int
    metrics: Mapping[str, Value]


class EventRow(NamedTuple):
    """An event of a device. ``severity`` is a word of `Severity`."""

    number: int
    event_id: str
    device: str
    at_us: int
    severity: str
    event_type: str
    entity_type: str
    entity_id: str
    entity_label: str
    field: str
    old_value: str
    new_value: str
    message: str


EVENT_TEXTS = ("entity_type", "entity_id", "entity_label", "field", "old_value", "new_value", "message")


@dataclass(slots=True)
class PushBatch:
    """What somebody sent. ``digest`` is of its content."""

    digest: bytes
    batch_id: str = ""
    group: str = ""
    samples: list[SampleRow] = field(default_factory=list)
    events: list[EventRow] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def size(self) -> int:
        """How many values and events it has."""
        return sum(len(sample.metrics) for sample in self.samples) + len(self.events)

    @property
    def rows(self) -> int:
        """How many rows it has, those that can't be read included."""
        return len(self.samples) + len(self.events) + len(self.problems)


class Malformed(ValueError):
    """A row can't be read. ``reason`` is its short name."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


def check_names(batch_id: str, group: str) -> None:
    """Raise Unreadable for names that a batch can't have."""
    if len(batch_id) > BATCH_ID_CHARACTERS or not batch_id.isprintable():
        raise Unreadable(f"the name of a batch has at most {BATCH_ID_CHARACTERS} printable characters")
    if group and not GROUP.fullmatch(group):
        raise Unreadable(f"group {group[:50]!r}: a group has at most 32 letters, digits, - and _")


def check_size(batch: PushBatch, max_values: int, max_events: int) -> None:
    """Raise TooLarge for a batch of too many values or events."""
    values = sum(len(sample.metrics) for sample in batch.samples)
    for count, most, what in ((values, max_values, "values"), (len(batch.events), max_events, "events")):
        if count > most:
            raise TooLarge(f"a batch has at most {most:,} {what}, not {count:,}: send it in parts")


def seconds_to_us(seconds: float) -> int:
    """Return a time in microseconds. Raises Malformed for what is no time of ours in seconds."""
    if not math.isfinite(seconds) or not _EARLIEST_S <= seconds < _LATEST_S:
        raise Malformed("bad_time", f"ts {seconds!r} isn't in seconds since 1970, after the year 2000")
    return seconds * 1_000_000 if isinstance(seconds, int) else round(seconds * 1e6)


def check_texts(texts: Sequence[str]) -> None:
    """Raise Malformed for a text that is too long, or can't be stored."""
    for text in texts:
        if len(text) > _TEXT_CHARACTERS:
            raise Malformed("too_long", f"a text of {len(text)} characters is over {_TEXT_CHARACTERS}")
        if "\0" in text:
            raise Malformed("bad_text", "a text holds U+0000, which can't be stored")
