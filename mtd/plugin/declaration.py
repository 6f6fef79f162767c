"""What a collector declares: menus to read, and what their fields mean.

Frozen and without behaviour; ``mtd.plugin.checks`` says what is wrong with a
declaration, and the mapper does what it says.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from dataclasses import field as attribute
from typing import TypeAlias

from mtd.model.command import Command, Rows
from mtd.model.device import Severity
from mtd.model.metric import Kind, Metric, Tier, Unit

_NO_WORDS: Mapping[str, str] = {}


class TableKind(enum.StrEnum):
    """What becomes of a menu's rows."""

    METRICS = "metrics"  # counters, gauges and states of a frame
    CURRENT_STATE = "current_state"  # a table of what is there now; changes are kept
    SNAPSHOT = "snapshot"  # a document, stored when it changes
    COUNT_ONLY = "count_only"  # the router counts its rows, and sends the number only


class Parse(enum.StrEnum):
    """How a gauge's text becomes a number."""

    DECIMAL = "decimal"
    BOOLEAN = "boolean"  # 1 or 0
    DURATION = "duration"  # seconds
    RATE = "rate"  # bits per second
    SIZE = "size"  # bytes


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
    """A field of a current-state table or of a snapshot, kept as text."""

    field: str
    event: StateEvent | None = None


Field: TypeAlias = Counter | Gauge | State | Column


def columns(*names: str) -> tuple[Column, ...]:
    """Return plain columns of these fields."""
    return tuple(Column(field=name) for name in names)


@dataclass(frozen=True, slots=True, kw_only=True)
class RowEvent:
    """The event that a row of a current-state table raises when it comes or goes."""

    event_type: str
    entity_type: str
    message: str  # may name {label}
    severity: Severity = Severity.INFO


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """The fields of a current-state table that say what people call its rows."""

    name: str = "name"
    comment: str = "comment"


SameThing: TypeAlias = Callable[[Mapping[str, str], Mapping[str, str]], bool]
Transform: TypeAlias = Callable[[Rows], Rows]


@dataclass(frozen=True, slots=True, kw_only=True)
class Menu:
    """One read of one menu.

    Attributes:
        name: unique within the collector; what logs and errors call it.
        path: menu, such as ``/interface``; the host adds ``command``.
        row_key: field that names a row for as long as it lives; empty if the menu has one row.
        scope: leading part of the metric keys that names the measured thing.
        queries: query words, such as ``type=ether``; several are AND-ed.
        requires: capability without which the menu isn't read.
        rights: what the router's user needs.
        reads: fields to ask for, where they differ from ``fields`` (with a ``transform``).
        table: name of the current-state table, or kind of the snapshot.
        keyed_by_name: ``row_key`` holds names as the table that labels the scope knows them.
        numbers_of: name of another menu of the same tier; its row ids are the argument ``numbers``.
        sparse: rows have different fields; a series exists where the first poll had a value.
        same_thing: tells whether two rows with one id are one thing, or the id was used again.
        transform: code for what a declaration can't say: rows in, rows out; pure.
        max_instances: rows over this are left out, and an event says so.
    """

    name: str
    path: str
    kind: TableKind
    tier: Tier
    fields: tuple[Field, ...]
    command: str = "print"
    row_key: str = ""
    scope: str = ""
    queries: tuple[str, ...] = ()
    arguments: tuple[tuple[str, str], ...] = ()
    requires: str = ""
    rights: tuple[str, ...] = ("api", "read")
    reads: tuple[str, ...] = ()
    table: str = ""
    labels: Labels | None = None
    keyed_by_name: bool = False
    numbers_of: str = ""
    sparse: bool = False
    appears: RowEvent | None = None
    vanishes: RowEvent | None = None
    same_thing: SameThing | None = None
    transform: Transform | None = None
    max_rows: int = 5_000
    max_bytes: int = 4 * 1024 * 1024
    max_instances: int = 2_000

    @property
    def command_path(self) -> str:
        """The whole command, such as ``/interface/print``."""
        return f"{self.path}/{self.command}"

    @property
    def proplist(self) -> tuple[str, ...]:
        """The properties to ask for: the row key, then the fields, each once."""
        names = [self.row_key] if self.row_key else []
        names += self.reads or [entry.field for entry in self.fields]
        for entry in self.fields:
            event = entry.event if isinstance(entry, State | Column) else None
            if event is not None and event.expected_when is not None:
                names.append(event.expected_when[0])
        return tuple(dict.fromkeys(names))

    def to_command(self, numbers: tuple[str, ...] = ()) -> Command:
        """Return the command that reads the menu."""
        arguments = self.arguments
        if self.kind is TableKind.COUNT_ONLY:
            arguments = (("count-only", ""), *arguments)
        if self.numbers_of:
            arguments = (("numbers", ",".join(numbers)), *arguments)
        return Command(
            path=self.command_path,
            proplist=(".id",) if self.kind is TableKind.COUNT_ONLY else self.proplist,
            queries=self.queries,
            arguments=arguments,
            max_rows=self.max_rows,
            max_bytes=self.max_bytes,
        )

    def metrics(self) -> Iterator[Metric]:
        """Yield the metrics of the fields, and of the rates derived from them."""
        for entry in self.fields:
            if isinstance(entry, Column):
                continue
            kind = _KINDS[type(entry)]
            yield Metric(
                key=entry.key,
                unit=Unit.STATE if isinstance(entry, State) else entry.unit,
                kind=kind,
                tier=self.tier,
                description=entry.description,
                since=entry.since,
                scope=self.scope,
                expected_min=entry.expected_min if isinstance(entry, Gauge) else None,
                expected_max=entry.expected_max if isinstance(entry, Gauge) else None,
                states=entry.states if isinstance(entry, State) else {},
            )
            if isinstance(entry, Counter) and entry.rate is not None:
                rate = entry.rate
                yield Metric(
                    key=rate.key,
                    unit=rate.unit,
                    kind=Kind.RATE,
                    tier=self.tier,
                    description=rate.description,
                    since=rate.since,
                    scope=self.scope,
                    expected_min=0.0,
                )


_KINDS = {Counter: Kind.COUNTER, Gauge: Kind.GAUGE, State: Kind.STATE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """A cheap question whose answer tells whether a device has a capability.

    The menu is there unless the router says "no such command". ``count_only``
    lets the router count its rows instead of sending them.
    """

    capability: str
    path: str
    count_only: bool = True

    def to_command(self) -> Command:
        """Return the command that asks."""
        arguments = (("count-only", ""),) if self.count_only else ()
        return Command(
            path=f"{self.path}/print", proplist=(".id",), arguments=arguments, max_rows=100, max_bytes=65_536
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Collector:
    """One category of things that mtd collects: what an egg brings.

    ``api`` is the API_VERSION of ``mtd.plugin`` that it was written for.
    ``version`` is that of its distribution: the host fills it in.
    """

    name: str
    api: int
    description: str
    menus: tuple[Menu, ...]
    probes: tuple[Probe, ...] = ()
    version: str = ""

    def metrics(self) -> Iterator[Metric]:
        """Yield the metrics of all menus."""
        for menu in self.menus:
            yield from menu.metrics()
