"""Menus: one read of one menu each, and what becomes of its rows."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from mtd.model.command import Command, Rows
from mtd.model.metric import Kind, Metric, Tier, Unit
from mtd.plugin.declaration.fields import Column, Counter, Field, Gauge, State, columns
from mtd.plugin.declaration.selection import Chooses, Selectable
from mtd.plugin.declaration.snmp import SnmpTable
from mtd.plugin.declaration.tables import Counted, DocumentEvent, Labels, RowEvent, SameThing, Tally


class TableKind(enum.StrEnum):
    """What becomes of a menu's rows."""

    METRICS = "metrics"  # counters, gauges and states of a frame
    CURRENT_STATE = "current_state"  # a table of what is there now; changes are kept
    SNAPSHOT = "snapshot"  # a document, stored when it changes
    COUNT_ONLY = "count_only"  # the router counts its rows, and sends the number only


@dataclass(frozen=True, slots=True, kw_only=True)
class Companion:
    """Another read of the same poll, whose rows a menu's ``join`` sees.

    A companion that the router doesn't have, or whose answer didn't come, is
    missing among what ``join`` gets: that is not the same as no rows. With
    ``needed`` the menu isn't mapped at all while the router has the companion
    and its answer didn't come: a sum without one part is wrong.

    Where the router only counts (argument ``count-only``), there is one row
    with the number in ``ret``.
    """

    name: str
    path: str
    reads: tuple[str, ...]
    command: str = "print"
    queries: tuple[str, ...] = ()
    arguments: tuple[tuple[str, str], ...] = ()
    requires: str = ""
    needed: bool = False
    max_rows: int = 5_000
    max_bytes: int = 4 * 1024 * 1024

    @property
    def command_path(self) -> str:
        """The whole command, such as ``/routing/bgp/session/print``."""
        return f"{self.path}/{self.command}"

    def to_command(self) -> Command:
        """Return the command that reads it."""
        return Command(
            path=self.command_path,
            proplist=self.reads,
            queries=self.queries,
            arguments=self.arguments,
            max_rows=self.max_rows,
            max_bytes=self.max_bytes,
        )


Transform: TypeAlias = Callable[[Rows], Rows]
Join: TypeAlias = Callable[[Rows, Mapping[str, Rows]], Rows]


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
        instead_of: name of another menu of the collector; this one is read on devices that don't have that.
        rights: what the router's user needs.
        reads: fields to ask for, where they differ from ``fields`` (with a ``transform``).
        table: name of the current-state table, or kind of the snapshot.
        keyed_by_name: ``row_key`` holds names as the table that labels the scope knows them.
        numbers_of: name of a current-state table of the collector, of any tier; its row ids are the argument
            ``numbers``. With ``row_key=".id"`` the rows are those ids in their order: some monitors tell no name.
        sparse: rows have different fields; a series exists where the first poll had a value.
        breaks: field of a menu of metrics that says what a row's counters are made of: where it is another than at the
            read before, they have no rate this time. A sum that a row came into has grown by what that had.
        changes: the event of a snapshot that changed.
        same_thing: tells whether two rows with one id are one thing, or the id was used again.
        transform: code for what a declaration can't say: rows in, rows out; pure.
        companions: other reads of the same poll, for ``join``.
        join: like ``transform``, with the rows of the companions by their names.
        private: fields that tell who a subscriber is; kept or hashed as the configuration says.
        tallies: what the host counts of a current-state table.
        selectable: says how the rows of a menu of metrics are chosen where they are too many for its tier.
        chooses: which things the rows of a current-state table bring to the live tier.
        max_instances: rows over this are left out, and an event says so.
        snmp: what SNMP tells of it, where the API is closed; without, it is read over the API and REST only.
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
    instead_of: str = ""
    rights: tuple[str, ...] = ("api", "read")
    reads: tuple[str, ...] = ()
    table: str = ""
    labels: Labels | None = None
    keyed_by_name: bool = False
    numbers_of: str = ""
    sparse: bool = False
    breaks: str = ""
    appears: RowEvent | None = None
    vanishes: RowEvent | None = None
    changes: DocumentEvent | None = None
    same_thing: SameThing | None = None
    transform: Transform | None = None
    companions: tuple[Companion, ...] = ()
    join: Join | None = None
    private: tuple[str, ...] = ()
    tallies: tuple[Tally, ...] = ()
    selectable: Selectable | None = None
    chooses: tuple[Chooses, ...] = ()
    max_rows: int = 5_000
    max_bytes: int = 4 * 1024 * 1024
    max_instances: int = 2_000
    snmp: SnmpTable | None = None

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
                    rate_of=entry.key,
                    rate_scale=rate.scale,
                )
        for tally in self.tallies:
            yield from _metrics_of(tally, self.tier)


def _metrics_of(tally: Tally, tier: Tier) -> Iterator[Metric]:
    rows = tally.counts is Counted.ROWS
    yield Metric(
        key=tally.key,
        unit=Unit.COUNT if rows else Unit.EVENTS,
        kind=Kind.GAUGE if rows else Kind.COUNTER,
        tier=tier,
        description=tally.description,
        since=tally.since,
        scope=tally.scope,
        expected_min=0.0 if rows else None,
    )
    if tally.rate is not None:
        yield Metric(
            key=tally.rate.key,
            unit=tally.rate.unit,
            kind=Kind.RATE,
            tier=tier,
            description=tally.rate.description,
            since=tally.rate.since,
            scope=tally.scope,
            expected_min=0.0,
            rate_of=tally.key,
            rate_scale=tally.rate.scale,
        )


_KINDS = {Counter: Kind.COUNTER, Gauge: Kind.GAUGE, State: Kind.STATE}


def snapshot(
    kind: str,
    path: str,
    *fields: str,
    row_key: str = "",
    requires: str = "",
    queries: tuple[str, ...] = (),
    changes: DocumentEvent | None = None,
    transform: Transform | None = None,
    max_rows: int = 1_000,
    max_bytes: int = 1024 * 1024,
) -> Menu:
    """Return a menu of tier T3 whose rows are kept as the document ``kind``."""
    return Menu(
        name=f"snapshot-{kind}",
        path=path,
        kind=TableKind.SNAPSHOT,
        tier=Tier.T3,
        table=kind,
        row_key=row_key,
        requires=requires,
        queries=queries,
        changes=changes,
        reads=fields if transform is not None else (),
        transform=transform,
        max_rows=max_rows,
        max_bytes=max_bytes,
        fields=columns(*fields),
    )
