"""Current-state tables: what people call their rows, and what is told and counted of them."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from mtd.model.device import Severity
from mtd.plugin.declaration.fields import DerivedRate


@dataclass(frozen=True, slots=True, kw_only=True)
class RowEvent:
    """The event that a row of a current-state table raises when it comes or goes."""

    event_type: str
    entity_type: str
    message: str  # may name {label}
    severity: Severity = Severity.INFO


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentEvent:
    """The event that a snapshot raises when it changes. Never on first sight.

    ``message`` may name ``{changes}``: what came, went and changed, in a few
    words. ``section`` groups documents that belong together.
    """

    event_type: str
    entity_type: str
    message: str
    section: str = ""
    severity: Severity = Severity.INFO


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """The fields of a current-state table that say what people call its rows.

    ``logged``: the field by which lines of the router's log call them, where that isn't the name.
    """

    name: str = "name"
    comment: str = "comment"
    logged: str = ""


SameThing: TypeAlias = Callable[[Mapping[str, str], Mapping[str, str]], bool]


class Counted(enum.StrEnum):
    """What a tally counts of a table."""

    ROWS = "rows"  # those that are there now: a gauge
    APPEARED = "appeared"  # those that came since mtd watches: a counter
    VANISHED = "vanished"  # those that went


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """A number that the host counts from the rows of a current-state table.

    How many sessions there are, and how many came and went: what is worth a
    graph of rows that are too many, and too personal, for series of their own.

    Attributes:
        counts: the rows that are there, or that came or went between two reads.
        where: (field, value) pairs that a row must have to be counted.
        by: field each of whose values has a series of its own, up to ``max_values``; the rest isn't told apart.
        scope: leading part of ``key`` before the value, with ``by``.
        rate: of those that came or went, per second.
    """

    key: str
    description: str
    since: str
    counts: Counted = Counted.ROWS
    where: tuple[tuple[str, str], ...] = ()
    by: str = ""
    scope: str = ""
    max_values: int = 100
    rate: DerivedRate | None = None
