"""Fields of a menu: what a router's text means."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as attribute
from typing import TypeAlias

from mtd.model.device import Severity
from mtd.model.metric import Unit

_NO_WORDS: Mapping[str, str] = {}


class Parse(enum.StrEnum):
    """How a gauge's text becomes a number."""

    DECIMAL = "decimal"
    BOOLEAN = "boolean"  # 1 or 0
    DURATION = "duration"  # seconds
    RATE = "rate"  # bits per second
    SIZE = "size"  # bytes
    UNTIL = "until"  # a date: seconds until then by the collector's clock, below 0 once it is past


@dataclass(frozen=True, slots=True, kw_only=True)
class DerivedRate:
    """The rate that the host derives from a counter. Never read from the router.

    ``scale`` turns the counter's unit into the rate's: 8 for bytes to bits.
    ``bounded_by_link``: the speed of the link is an upper bound.
    """

    key: str
    unit: Unit
    description: str
    since: str
    scale: float = 1.0
    bounded_by_link: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Counter:
    """A field that only grows, until the router resets it."""

    field: str
    key: str
    unit: Unit
    description: str
    since: str
    rate: DerivedRate | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauge:
    """A field that goes up and down. ``scale`` makes it the metric's unit.

    ``suffix`` is a unit that some versions print behind the number.
    ``is_link_speed``: rates that are bounded by the link are bounded by this.
    """

    field: str
    key: str
    unit: Unit
    description: str
    since: str
    parse: Parse = Parse.DECIMAL
    scale: float = 1.0
    suffix: str = ""
    expected_min: float | None = None
    expected_max: float | None = None
    is_link_speed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StateEvent:
    """The event that a change of a field raises. Never on first sight.

    ``message`` and the texts in ``messages`` (by new value) may name ``{label}``,
    ``{old}`` and ``{new}``. ``severities`` are by new value. With
    ``expected_when`` (field, value) the change is what somebody wanted, and only
    of interest: an interface that goes down because it was disabled.
    """

    event_type: str
    entity_type: str
    message: str
    messages: Mapping[str, str] = attribute(default_factory=lambda: _NO_WORDS)
    severity: Severity = Severity.INFO
    severities: Mapping[str, Severity] = attribute(default_factory=dict)
    expected_when: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """A field with a few known words. ``words`` maps the router's words to states.

    ``states`` numbers the states; a number, once given, keeps its meaning.
    Without ``words``, the router's words are the states.
    """

    field: str
    key: str
    description: str
    since: str
    states: Mapping[str, int]
    words: Mapping[str, str] = attribute(default_factory=lambda: _NO_WORDS)
    event: StateEvent | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A field of a current-state table or of a snapshot, kept as text.

    ``volatile``: in a table, it differs at each read by itself (bytes, when
    something was last seen). That alone makes no row a changed one: of 20,000
    rows, 20,000 would be written each time. The row holds what the field was when
    the row came, or when something else of it changed last.
    """

    field: str
    event: StateEvent | None = None
    volatile: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment(Column):
    """An age, or a time left, of a table's row, kept as the moment that it is counted from or to.

    A router counts ``uptime`` anew at each read; the moment at which it was 0
    stays, and whoever reads the row knows the uptime at any time. So ages are
    kept this way, and not as ``volatile`` text that is wrong a second later.

    The moment is kept under ``name``, in UTC (``2024-11-26T05:49:12Z``). It is
    worked out once, by the collector's clock, and again when it is off by more
    than ``tolerance_s`` and the time that the reply took: then the thing began
    anew, and its row changed. With ``volatile`` it changes with the rest only.

    Attributes:
        name: what the row calls the moment, such as ``since``.
        ahead: the field is a time left (``expires-after``), not an age.
    """

    name: str
    ahead: bool = False
    tolerance_s: float = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Level(Column):
    """A whole number of a table's row that is never quite the same, such as a signal.

    It is kept as it was as long as it is off by no more than ``within``: then
    the row changed, and has what it is now. Steps don't do that: what moves to
    and fro at the edge of one is another at each read.
    """

    within: int


Field: TypeAlias = Counter | Gauge | State | Column


def columns(*names: str) -> tuple[Column, ...]:
    """Return plain columns of these fields."""
    return tuple(Column(field=name) for name in names)
