"""What is wrong with what a menu declares of SNMP."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mtd.plugin.declaration import Menu, SnmpTable

_OID = re.compile(r"[012](?:\.(?:0|[1-9][0-9]*))+")


def snmp_problems(menu: Menu) -> Iterator[str]:
    """Yield what is wrong, one sentence each."""
    table = menu.snmp
    if table is None:
        return
    yield from _table_problems(table)
    told = table.names()
    if not table.count and not told & set(menu.proplist):
        yield "SNMP tells none of the fields that it reads"
    if bool(table.rows) and not menu.row_key:
        yield "SNMP has rows for it, and it is one row"
    if menu.row_key and not table.count:
        if not table.rows:
            yield f"SNMP has one row for it, and its rows are named by {menu.row_key!r}"
        elif menu.row_key not in told and menu.transform is None:
            yield f"SNMP doesn't tell {menu.row_key!r}, by which its rows are named"
    needed = {word.lstrip("-=").partition("=")[0] for word in menu.queries if not word.startswith("#")}
    for field in sorted(needed - told):
        yield f"SNMP doesn't tell {field!r}, by which its rows are chosen"


def _table_problems(table: SnmpTable) -> Iterator[str]:
    oids = [oid for entry in table.fields for oid in entry.oids]
    oids += [oid for oid in (table.rows, table.count) if oid]
    for oid in oids:
        if not _OID.fullmatch(oid):
            yield f"{oid!r} names no object of SNMP: numbers with dots, without one in front"
    names = [entry.field for entry in table.fields]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"SNMP tells {name!r} in two ways"
    for entry in table.fields:
        if not entry.oids:
            yield f"SNMP tells {entry.field!r} by no object"
        if entry.column and (table.rows or len(entry.oids) != 1):
            yield f"{entry.field!r}: a column as a list is one object of a single row"
    if table.key is not None and not table.rows:
        yield "a key of SNMP's rows, and no rows"
    if table.name and table.name not in names:
        yield f"rows are known by {table.name!r}, which SNMP doesn't tell"
    if table.otherwise is not None:
        if table.otherwise.rows or not table.rows:
            yield "`otherwise` is one row, for a table that may have none"
        yield from _table_problems(table.otherwise)
