"""Reading a table: which rows there are, what is asked of them, and how it is written."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from mtd.model.command import Rows
from mtd.sources.snmp import metrics
from mtd.sources.snmp.link import TooManyRows

if TYPE_CHECKING:
    from mtd.core.clock import Clock
    from mtd.plugin.declaration.snmp import SnmpField, SnmpTable, SnmpValue
    from mtd.sources.snmp.asking import Ask
    from mtd.sources.snmp.config import SnmpConfig
    from mtd.sources.snmp.link import SnmpLink

logger = logging.getLogger(__name__)

# Rows that are read together: their byte counters come first, and nobody waits for what is made of them.
_ROWS_AT_ONCE = 100

Values = dict[str, "SnmpValue"]
Row = dict[str, bytes]


@dataclass(slots=True)
class Told:
    """What was told: rows or their number, and when the first of it came."""

    rows: Rows = field(default_factory=Rows)
    count: int | None = None
    at: float = 0.0
    at_us: int = 0


@dataclass(slots=True)
class _Found:
    """The rows that a walk found, and what it told of them."""

    values: Mapping[int, SnmpValue]
    at: float


class Reader:
    """Reads tables of one device; remembers which rows it found."""

    def __init__(self, link: SnmpLink, settings: SnmpConfig, clock: Clock) -> None:
        self._link = link
        self._settings = settings
        self._clock = clock
        self._found: dict[str, _Found] = {}  # by the column that was walked
        self._failing: set[str] = set()  # fields whose conversion was told of

    async def read(self, ask: Ask, max_rows: int) -> Told:
        """Read what was asked for. Raises `TooManyRows`, over the command's cap or ours."""
        told = Told()
        if ask.counts:
            await self._count(ask, told)
        elif not ask.table.rows:
            await self._read_one(ask, told)
        else:
            await self._read_rows(ask, told, max_rows)
        if told.rows.count > max_rows:
            raise TooManyRows(f"over {max_rows} rows")
        return told

    async def _count(self, ask: Ask, told: Told) -> None:
        oid = ask.table.count
        if oid:
            value = (await self._get([oid], told)).get(oid)
            told.count = value if isinstance(value, int) else None
            return
        known, _ = await self._rows(ask.table)
        told.count = len(await self._choose(ask, known, told))

    async def _read_one(self, ask: Ask, told: Told) -> None:
        """Read a menu that is one row: objects by their whole names, and columns as lists."""
        single = [entry for entry in ask.fields if not entry.column]
        oids = list(dict.fromkeys(oid for entry in single for oid in entry.oids))
        values = await self._get(oids, told) if oids else {}
        row: Row = {}
        for entry in ask.fields:
            if entry.column:
                column = await self._link.walk(entry.oids[0], self._settings.walk_rows)
                arguments: list[object] = [list(column.values())] if column else []
                self._stamp(told)
            else:
                arguments = [values.get(oid) for oid in entry.oids]
            written = self._written(entry, arguments)
            if written is not None:
                row[entry.field] = written
        if row:
            told.rows = Rows(1, {name: (value,) for name, value in row.items()})

    async def _read_rows(self, ask: Ask, told: Told, max_rows: int) -> None:
        table = ask.table
        known: Mapping[int, SnmpValue] = {}
        fresh: Collection[int] = ()
        indices: Sequence[int] = ask.named or ()
        if ask.named is None:
            known, fresh = await self._rows(table)
            if not known and ask.otherwise is not None:
                await self._read_one(ask.otherwise, told)
                return
            indices = await self._choose(ask, known, told)
        if len(indices) > max_rows:
            raise TooManyRows(f"over {max_rows} rows")
        rows: dict[int, Row] = {}
        now: dict[int, SnmpValue] = {}
        for some in _batches(indices):
            values: Values = {f"{table.rows}.{index}": known[index] for index in some if index in fresh}
            wanted = [f"{oid}.{index}" for entry in ask.fields for oid in entry.oids for index in some]
            wanted += [f"{table.rows}.{index}" for index in some]
            asked = [oid for oid in dict.fromkeys(wanted) if oid not in values]
            values |= await self._get(asked, told) if asked else {}
            now |= {index: values.get(f"{table.rows}.{index}") for index in some}
            there = [index for index in some if now[index] is not None]
            rows |= self._rows_of(table, ask.fields, there, values)
        self._compare(table, known, now)
        told.rows = _columns(ask, {index: row for index, row in rows.items() if ask.query.matches(row)})

    # -- which rows there are --------------------------------------------------

    async def _rows(self, table: SnmpTable) -> tuple[Mapping[int, SnmpValue], Collection[int]]:
        """Return what is known of the rows, and which of them were found just now by a walk.

        An agent that fails in the middle of a walk looks like one that is at its
        end: rows that were known stay until they are asked for and aren't there.
        """
        found = self._found.get(table.rows)
        now = self._clock.monotonic()
        if found is not None and now - found.at < self._settings.rows_known_for_s:
            return found.values, ()
        walked = await self._link.walk(table.rows, self._settings.walk_rows, table.below)
        values = dict(sorted((dict(found.values if found is not None else {}) | walked).items()))
        self._found[table.rows] = _Found(values, now)
        return values, walked.keys()

    def _compare(
        self, table: SnmpTable, known: Mapping[int, SnmpValue], now: Mapping[int, SnmpValue]
    ) -> None:
        """Look for rows anew at the next read, if something else was told of one than was known."""
        found = self._found.get(table.rows)
        told = {index: value for index, value in now.items() if index in known}
        if found is None or all(known[index] == value for index, value in told.items()):
            return
        kept = {index: value for index, value in (dict(found.values) | told).items() if value is not None}
        self._found[table.rows] = _Found(kept, float("-inf"))

    async def _choose(self, ask: Ask, known: Mapping[int, SnmpValue], told: Told) -> list[int]:
        """Return the rows that the command asks for, as far as that is known before they are read.

        So that what isn't wanted, such as the interfaces of sessions, costs nothing more.
        """
        table = ask.table
        if not ask.query.fields:
            return list(known)
        fields = [entry for entry in table.fields if entry.field in ask.query.fields]
        needed = dict.fromkeys(oid for entry in fields for oid in entry.oids if oid != table.rows)
        chosen: list[int] = []
        for some in _batches(list(known)):
            values: Values = {f"{table.rows}.{index}": known[index] for index in some}
            asked = [f"{oid}.{index}" for oid in needed for index in some]
            if asked:
                values |= await self._get(asked, told)
            else:
                await asyncio.sleep(0)  # to read names takes no wait, and there may be thousands
            rows = self._rows_of(table, fields, some, values)
            chosen += [index for index in some if ask.query.matches(rows[index])]
        return chosen

    # -- what is written of them -----------------------------------------------

    async def _get(self, oids: Sequence[str], told: Told) -> Values:
        values = await self._link.get(oids, partial(self._stamp, told))
        self._stamp(told)
        return values

    def _stamp(self, told: Told) -> None:
        if not told.at_us:
            told.at, told.at_us = self._clock.monotonic(), self._clock.now_us()

    def _rows_of(
        self, table: SnmpTable, fields: Sequence[SnmpField], indices: Sequence[int], values: Values
    ) -> dict[int, Row]:
        rows: dict[int, Row] = {}
        for index in indices:
            row: Row = {} if table.key is None else {table.key.field: table.key.text_of(index)}
            for entry in fields:
                written = self._written(entry, [values.get(f"{oid}.{index}") for oid in entry.oids])
                if written is not None:
                    row[entry.field] = written
            rows[index] = row
        return rows

    def _written(self, entry: SnmpField, arguments: Sequence[object]) -> bytes | None:
        if all(argument is None for argument in arguments):
            return None
        try:
            return entry.convert(*arguments)
        except Exception:
            # A mistake of a plugin: its field is absent, loudly and counted; all others go on.
            metrics.CONVERSIONS_FAILED.inc()
            if entry.field not in self._failing:
                self._failing.add(entry.field)
                logger.exception("what SNMP tells of %s can't be written", entry.field)
            return None


def _batches(indices: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(indices), _ROWS_AT_ONCE):
        yield indices[start : start + _ROWS_AT_ONCE]


def _columns(ask: Ask, rows: Mapping[int, Row]) -> Rows:
    """Return rows column by column: every field that SNMP can tell has one, so that absence is told as well."""
    names = [entry.field for entry in ask.fields]
    if ask.table.key is not None:
        names.insert(0, ask.table.key.field)
    return Rows(len(rows), {name: tuple(row.get(name) for row in rows.values()) for name in names})
