"""What a command asks for, as far as SNMP can tell it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mtd.sources.snmp.queries import NotUnderstood, Query

if TYPE_CHECKING:
    from mtd.model.command import Command
    from mtd.plugin.declaration.snmp import SnmpField, SnmpTable

_COUNT = "count-only"
_NUMBERS = "numbers"


@dataclass(frozen=True, slots=True)
class Ask:
    """A command in terms of a table: which fields, of which rows."""

    table: SnmpTable
    fields: tuple[SnmpField, ...]  # in the order in which they are read
    query: Query
    named: tuple[int, ...] | None  # rows that the command names; None: those that there are
    counts: bool = False
    otherwise: Ask | None = None

    @classmethod
    def of(cls, table: SnmpTable, command: Command) -> Ask | None:
        """Return what a command asks for; None if SNMP can't answer it."""
        try:
            return cls._of(table, command)
        except NotUnderstood:
            return None

    @classmethod
    def _of(cls, table: SnmpTable, command: Command) -> Ask | None:
        arguments = dict(command.arguments)
        counts = arguments.pop(_COUNT, None) is not None
        numbers = arguments.pop(_NUMBERS, None)
        if not arguments.keys() <= set(table.arguments):
            return None
        query = Query.of((*table.only, *command.queries))
        if not query.fields <= table.names():
            return None
        if counts:
            whole = bool(table.count) and not command.queries
            return cls(table, (), query, None, counts=True) if whole or table.rows else None
        wanted = set(command.proplist) or set(table.names())
        fields = tuple(
            entry
            for entry in table.fields
            if entry.field in wanted or entry.field == table.name or entry.field in query.fields
        )
        otherwise = None
        if table.otherwise is not None:
            otherwise = cls._of(table.otherwise, replace(command, queries=()))
        if not any(entry.field in wanted for entry in fields) and otherwise is None:
            return None
        named = _named(table, numbers.split(",")) if numbers is not None else None
        if named is None:
            named = _exact(table, query)
        return cls(table, fields, query, named, otherwise=otherwise)


def _named(table: SnmpTable, written: list[str]) -> tuple[int, ...]:
    """Return the indices of rows that are named by their key. Raises `NotUnderstood`."""
    if table.key is None or table.key.index_of is None:
        raise NotUnderstood(",".join(written))
    indices = [table.key.index_of(one.encode()) for one in written]
    known = tuple(index for index in indices if index is not None)
    if len(known) != len(written):
        raise NotUnderstood(",".join(written))
    return known


def _exact(table: SnmpTable, query: Query) -> tuple[int, ...] | None:
    """Return the rows that a query can want at all, if it names them by their key: no other has to be looked for."""
    for pairs in query.exact:
        if table.key is not None and all(field == table.key.field for field, _ in pairs):
            return _named(table, [value for _, value in pairs])
    return None
