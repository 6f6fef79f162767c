"""Menus kept as text: current-state tables, as changes.

A table may have 20,000 rows of which 200 differ from the read before. So a row
is compared as the router sent it, and only what differs is turned into text,
hashed where it is private, counted and told. Everything goes in steps, between
which others have their turn; what the next read is compared with is exchanged
in the last of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mtd.core.slices import Steps
from mtd.model.command import Reply, Rows
from mtd.model.observation import Observation, TableChange
from mtd.model.values import Raw
from mtd.plugin import metrics
from mtd.plugin.cap import CapWatch
from mtd.plugin.declaration import Column, Menu
from mtd.plugin.table_events import TableEvents
from mtd.plugin.table_parts import Row, complete_parts, delta_parts
from mtd.plugin.table_shape import Moments, Pseudonym, Reading, RowShape, Stable
from mtd.plugin.tallies import Tallies
from mtd.plugin.things import Things

# Rows of one step: about half a millisecond of each kind of work.
_COMPARED = 500
_BUILT = 50
# A table that isn't larger is compared with the last reply as a whole first.
_SMALL = 500


Kept = tuple[str, Stable, Moments]
"""What is kept of a row for the next read: its key, and what it was. Plain tuples of texts and
numbers, because the garbage collector lets go of those: there are 20,000, and it walks all that it follows."""


@dataclass(slots=True)
class _Found:
    """Positions of the rows of a reply that aren't as they were, and the raw keys of all rows."""

    seen: set[bytes] = field(default_factory=set)
    changed: list[int] = field(default_factory=list)
    new: list[int] = field(default_factory=list)
    refused: int = 0


@dataclass(slots=True)
class _Change:
    """What a read comes to."""

    kept: dict[bytes, Kept] = field(default_factory=dict)
    gone: list[bytes] = field(default_factory=list)
    upserted: list[Row] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)


class TableMenu:
    """A current-state table: complete at first, then only what changed."""

    def __init__(
        self,
        menu: Menu,
        collector: str,
        things: Things,
        max_rows: int,
        interval_s: float,
        pseudonym: Pseudonym | None = None,
    ) -> None:
        self.menu = menu
        self.collector = collector
        self.ids_version = 0
        self._things = things
        self._names = things.scope(menu.scope)
        self._names_version = -1
        self._shape = RowShape(menu, things.code_page, pseudonym)
        self.tallies = (
            Tallies(menu, collector, self._shape.places, interval_s, things.code_page)
            if menu.tallies
            else None
        )
        self._cap = CapWatch(menu, collector, min(menu.max_instances, max_rows))
        self._watched = [f for f in menu.fields if isinstance(f, Column) and f.event is not None]
        self._small: Mapping[str, Sequence[Raw]] | None = None  # the last reply, if it was short
        self._rows: dict[bytes, Kept] | None = None  # by the key as the router writes it
        self._ids: tuple[str, ...] | None = None
        self._tell_all = False
        self._cut = False  # rows of the last read were left out, because there is no room for them
        self._whole = False  # neither in this read nor in the one before: what is new now came since

    @property
    def ids(self) -> tuple[str, ...]:
        """The row keys as the router calls them; ``ids_version`` grows when there are others."""
        if self._ids is None:
            self._ids = tuple([raw.decode("latin-1") for raw in self._rows or ()])
        return self._ids

    @property
    def row_count(self) -> int | None:
        """How many rows there are; None as long as the table wasn't read."""
        return None if self._rows is None else len(self._rows)

    def values_of(self, *names: str) -> list[tuple[str | None, ...]] | None:
        """Return these fields of all rows; None as long as the table wasn't read."""
        if self._rows is None:
            return None
        shape = self._shape
        places = [(name, shape.places[name]) for name in names]
        raws = [[(name, row[place]) for name, place in places] for _, row, _ in self._rows.values()]
        return [tuple([None if raw is None else shape.text(name, raw) for name, raw in row]) for row in raws]

    def steps(self, rows: Rows, reply: Reply, late: bool, out: Observation) -> Steps[None]:
        """Map the rows of a reply; what changed goes to ``out``."""
        if not self._is_as_last(rows):
            names_version = self._names.version
            reading = Reading(self._shape, rows, reply)
            yield from self._take(reading, out)
            # Names that others taught meanwhile are for the next read, unless we are who teaches.
            self._names_version = names_version if self.menu.labels is None else self._names.version
            if reading.unreadable:
                metrics.UNREADABLE.labels(self.collector).inc(reading.unreadable)
        if self.tallies is not None and self._cut:
            self.tallies.absent()  # some rows were left out: nobody knows how many there are
        elif self.tallies is not None:
            self.tallies.read(reply.received_at, late, out)

    def gone(self, out: Observation) -> None:
        """The menu doesn't exist any more, and so don't its rows."""
        if self._rows:
            out.tables.append(TableChange(self.menu.table, complete=True, upserted={}))
        self.start_over()

    def start_over(self) -> None:
        """Forget the rows: the next read is as the first. What was counted stays."""
        self._rows = self._small = self._ids = None
        self._cut = self._whole = False
        self.ids_version += 1
        if self.tallies is not None:
            self.tallies.forget_rows()

    def tell_all(self) -> None:
        """Some of what was told got lost: tell the whole table with the next read."""
        self._tell_all = True
        self._small = None

    def _is_as_last(self, rows: Rows) -> bool:
        if rows.count > _SMALL:
            self._small = None
            return False
        if rows.columns != self._small:
            self._small = rows.columns
            return False
        # The same text anew each time would scatter memory: what was kept stays.
        return self._names.version == self._names_version

    def _take(self, reading: Reading, out: Observation) -> Steps[None]:
        known = self._rows
        whole, self._tell_all = known is None or self._tell_all, False
        found = yield from self._compare(reading, known or {}, everything=whole)
        self._keep_to_cap(found, known or {}, out)
        change = _Change()
        events = TableEvents(self.menu, self._things, self._watched, out)
        yield from self._build(reading, found, change, events)
        if known:
            yield from self._drop(known, found, change, events)
        events.finish()
        if whole:
            out.tables += yield from complete_parts(self.menu.table, change.upserted)
        else:
            out.tables += yield from delta_parts(self.menu.table, change.upserted, change.removed)
        self._commit(change)

    # -- what differs ---------------------------------------------------------

    def _compare(self, reading: Reading, known: Mapping[bytes, Kept], *, everything: bool) -> Steps[_Found]:
        """Sort the rows: as before, changed, new. Each key counts once, the first time."""
        found = _Found()
        seen, changed, new = found.seen, found.changed, found.new
        canonical, moving = self._shape.canonical, bool(self._shape.moments)
        everything = everything or self._keys_may_differ()
        for start in range(0, self._count(reading), _COMPARED):
            stop = min(start + _COMPARED, self._count(reading))
            for position, row in enumerate(reading.rows(start, stop), start):
                raw = self._raw_key(row)
                if raw is None:
                    continue
                raw = canonical(raw)
                if raw in seen:
                    continue
                seen.add(raw)
                before = known.get(raw)
                if before is None:
                    new.append(position)
                elif everything or before[1] != row or (moving and reading.moved(position, before[2])):
                    changed.append(position)
            yield None
        found.refused = self._count(reading) - len(seen)
        return found

    def _count(self, reading: Reading) -> int:
        return reading.count if self.menu.row_key else min(reading.count, 1)

    def _raw_key(self, row: Stable) -> bytes | None:
        """Return the key in a row; None if there is none."""
        return (row[0] or None) if self.menu.row_key else b""

    def _keys_may_differ(self) -> bool:
        """Whether rows that are as before may be called otherwise: another table taught new names or ids."""
        if self._names.version == self._names_version or self.menu.labels is not None:
            return False
        return self.menu.keyed_by_name or bool(self._names.aliases)

    def _keep_to_cap(self, found: _Found, known: Mapping[bytes, Kept], out: Observation) -> None:
        """Leave out new rows that there is no room for; those that are known stay, wherever they stand."""
        total = len(found.seen)
        self._cap.watch(total, out)
        excess = min(len(found.new), max(0, total - self._cap.rows))
        self._whole = self._rows is not None and not (self._cut or excess)
        self._cut = bool(excess)
        if excess:
            del found.new[len(found.new) - excess :]
        refused = found.refused + excess
        if refused:
            metrics.ROWS_REFUSED.labels(self.collector).inc(refused)

    # -- what is told ---------------------------------------------------------

    def _build(self, reading: Reading, found: _Found, change: _Change, events: TableEvents) -> Steps[None]:
        """Turn the rows that differ into text."""
        positions = found.changed + found.new
        for start in range(0, len(positions), _BUILT):
            for position in positions[start : start + _BUILT]:
                self._build_row(reading, position, change, events)
            yield None

    def _build_row(self, reading: Reading, position: int, change: _Change, events: TableEvents) -> None:
        row = reading.rows(position, position + 1)[0]
        raw = self._shape.canonical(self._raw_key(row) or b"")
        known = self._rows.get(raw) if self._rows is not None else None
        old_key, before, old_moments = known or (None, None, None)
        moments = reading.moments(position, old_moments)
        fields = reading.fields(position, row, moments)
        key = self._key(raw, fields)
        if known is not None and key is None:
            change.gone.append(raw)
        if key is None:
            return  # A name that isn't known yet is no fault: the next read of the table teaches it.
        if known is not None and old_key != key:
            self._went(known, change, events)
            before = None
        if before is not None:
            events.changed(key, self._watched_of(before), fields)
        elif self._whole:
            events.came(key)
        if self.tallies is not None:
            self.tallies.changed(before, row, counting=self._whole or before is not None)
        change.kept[raw] = (key, self._shape.shared(row), moments)
        change.upserted.append((key, fields))

    def _key(self, raw: bytes, fields: Mapping[str, str]) -> str | None:
        """Return what a row is called for as long as it lives."""
        menu, things = self.menu, self._things
        if not menu.row_key:
            return ""
        if menu.keyed_by_name:
            return things.named(menu.scope, raw)
        raw_id = self._shape.text(menu.row_key, raw)
        if menu.labels is not None:
            return things.learn(menu.scope, raw_id, fields, menu.labels, menu.same_thing)
        return things.alias(menu.scope, raw_id)

    def _watched_of(self, row: Stable) -> dict[str, str]:
        shape = self._shape
        raws = [(column.field, row[shape.places[column.field]]) for column in self._watched]
        return {name: shape.text(name, raw) for name, raw in raws if raw is not None}

    def _drop(
        self, known: Mapping[bytes, Kept], found: _Found, change: _Change, events: TableEvents
    ) -> Steps[None]:
        """Take out the rows that aren't there any more."""
        missing = known.keys() - found.seen
        if missing:
            change.gone += [raw for raw in known if raw in missing]
        yield None
        for number, raw in enumerate(change.gone):
            self._went(known[raw], change, events)
            if self.menu.labels is not None:
                self._things.forget_id(self.menu.scope, self._shape.text(self.menu.row_key, raw))
            if number % _BUILT == _BUILT - 1:
                yield None

    def _went(self, known: Kept, change: _Change, events: TableEvents) -> None:
        key, row, _ = known
        events.went(key)
        change.removed.append(key)
        if self.tallies is not None:
            self.tallies.changed(row, None)
        if self.menu.labels is not None:
            self._things.forget(self.menu.scope, key)

    def _commit(self, change: _Change) -> None:
        """Keep what the next read is compared with."""
        if self._rows is None:
            self._rows = change.kept
            self._ids = None
            self.ids_version += 1
        elif change.kept or change.gone:
            known = self._rows
            before = len(known)
            known.update(change.kept)
            if len(known) != before or change.gone:
                self._ids = None
                self.ids_version += 1
            for raw in change.gone:
                del known[raw]
