"""Rows of two tenants in every table that there is, made from the catalogue of PostgreSQL: no table can be forgotten.

A table of a new migration is filled like the others. Only what a view joins by needs values that meet.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg2
import psycopg2.errors
import psycopg2.extensions

from mtd.storage.partitioned import TABLES as PARTITIONED
from mtd.storage.partitioned import create_class, create_partition

NIL = "00000000-0000-0000-0000-000000000000"
A, B = "aaaaaaaa-0000-4000-8000-00000000000a", "bbbbbbbb-0000-4000-8000-00000000000b"
OWNERS = (A, B, NIL)
"""Whose rows every table has: two tenants, and nobody."""
TS = "2026-03-01 12:30:00+00"
TS_US = 1_772_368_200_000_000
HOUR = "2026-03-01 12:00:00+00"

# Views join by these, or they would have no row; by type and name.
_MEETING: dict[str, dict[str, Any]] = {
    "text": {
        **{"metric": "iface.x", "key": "iface.x", "instance": "*1", "row_key": "*1", "scope": "iface"},
        **{"label_table": "interface", "name_field": "name", "comment_field": "comment", "rate_of": ""},
        **{"lane": "counter", "kind": "counter", "tier": "t0", "poll_group": "t0", "naming": "name"},
        **{"retention": "standard", "table_name": "other"},
    },
    "smallint": {"position": 1, "place": 0},
    "integer": {"divisor": 1, "points": 1, "polls": 1, "step_ms": 1000},
    "text[]": {"label_tables": "{interface}"},
    "bigint[]": {"counters": "{7}"},
    "timestamp with time zone": {"hour": HOUR, "start": HOUR},
}
_BY_TYPE = {
    **{"bytea": "\\x00", "jsonb": "{}", "timestamp with time zone": TS},
    **{"double precision": "1", "real": "1", '"char"': "c", "inet": "192.0.2.1", "date": "2026-03-01"},
}
_INTEGERS = ("smallint", "integer", "bigint")
_STATE = (
    ("interface", '{"name": "ether1", "comment": "up", "mac-address": "02:00:00:00:00:%02d"}'),
    ("neighbor", '{"interface": "ether1", "identity": "next", "mac-address": "02:00:00:00:01:%02d"}'),
    ("ip_address", '{"address": "192.0.2.%d/24"}'),
)


@dataclass(frozen=True, slots=True)
class Column:
    """A column as the catalogue has it."""

    name: str
    type: str


@contextmanager
def session(dsn: str, role: str = "", tenant: str | None = None, **parts: str) -> Iterator[Any]:
    """Give a cursor in one transaction, which is rolled back if it raises."""
    options = "-c search_path=" + (f" -c role={role}" if role else "")
    connection = psycopg2.connect(psycopg2.extensions.make_dsn(dsn, **parts), options=options)
    try:
        with connection, connection.cursor() as cursor:
            if tenant is not None:
                cursor.execute("SELECT set_config('app.tenant_id', %s, true)", (tenant,))
            yield cursor
    finally:
        connection.close()


class Doors:
    """Sessions of doors, one for each role, kept open; what is done in them is undone."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._kept: dict[str, Any] = {}

    @contextmanager
    def __call__(self, tenant: str | None, role: str = "mtd_door") -> Iterator[Any]:
        """Give a cursor in a transaction of a tenant."""
        if role not in self._kept:
            self._kept[role] = psycopg2.connect(self._dsn, options=f"-c search_path= -c role={role}")
        try:
            with self._kept[role].cursor() as cursor:
                if tenant is not None:
                    cursor.execute("SELECT set_config('app.tenant_id', %s, true)", (tenant,))
                yield cursor
        finally:
            self._kept[role].rollback()

    def close(self) -> None:
        """Close them."""
        for connection in self._kept.values():
            connection.close()


def ask(dsn: str, statement: str, *params: Any) -> list[tuple[Any, ...]]:
    """Ask as the owner."""
    with session(dsn) as cursor:
        cursor.execute(statement, params or None)
        return list(cursor.fetchall()) if cursor.description else []


def tables(dsn: str) -> list[str]:
    """Return all tables that are asked by their names: partitions aren't."""
    return _relations(dsn, "relkind IN ('r', 'p') AND NOT relispartition")


def views(dsn: str) -> list[str]:
    """Return all views."""
    return _relations(dsn, "relkind IN ('v', 'm')")


def leaves(dsn: str) -> list[str]:
    """Return all partitions, those that have partitions themselves included."""
    return _relations(dsn, "relispartition")


def _relations(dsn: str, which: str) -> list[str]:
    rows = ask(
        dsn,
        "SELECT relname FROM pg_class WHERE relnamespace = 'mtd'::regnamespace"
        f" AND relkind IN ('r', 'p', 'v', 'm') AND {which} ORDER BY 1",
    )
    return [f"mtd.{name}" for (name,) in rows]


def columns(dsn: str, table: str) -> list[Column]:
    """Return the columns that can be written."""
    rows = ask(
        dsn,
        "SELECT attname, format_type(atttypid, NULL) FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0"
        " AND NOT attisdropped AND attgenerated = '' ORDER BY attnum",
        table,
    )
    return [Column(*row) for row in rows]


def door_may(dsn: str, table: str, change: str) -> bool:
    """Whether doors have the right to change a table at all."""
    return (
        bool(ask(dsn, "SELECT has_any_column_privilege('mtd_door', %s, %s)", table, change)[0][0])
        if (change != "DELETE")
        else bool(ask(dsn, "SELECT has_table_privilege('mtd_door', %s, 'DELETE')", table)[0][0])
    )


def readable(dsn: str, table: str) -> list[str]:
    """Return the columns that doors may read."""
    rows = ask(
        dsn,
        "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped"
        " AND has_column_privilege('mtd_door', attrelid, attnum, 'SELECT') ORDER BY attnum",
        table,
    )
    return [name for (name,) in rows]


def fill(dsn: str) -> None:
    """Make partitions, and a row of each owner in every table: as many as PostgreSQL has, or it raises."""
    with session(dsn) as cursor:
        for table in PARTITIONED:
            if table.classed:
                cursor.execute(create_class(table, "standard"))
            cursor.execute(create_partition(table, TS_US))
    for table in tables(dsn):
        _drop_checks(dsn, table)
        for number, owner in enumerate(OWNERS, 1):
            _insert(dsn, table, row_of(dsn, table, owner, number))
    for number, owner in enumerate(OWNERS, 1):
        for place, (name, fields) in enumerate(_STATE, 1):
            row = row_of(dsn, "mtd.state_row", owner, number + 10 * place)
            device_id = device_of(owner)
            _insert(
                dsn,
                "mtd.state_row",
                {**row, "device_id": device_id, "table_name": name, "fields": fields % number},
            )


def device_of(owner: str) -> str:
    """Return the device of a tenant."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, owner))


def row_of(dsn: str, table: str, owner: str, number: int) -> dict[str, Any]:
    """Return a row for a table."""
    return {column.name: _value(table, column, owner, number) for column in columns(dsn, table)}


def _value(table: str, column: Column, owner: str, number: int) -> Any:
    named = {"tenant_id": owner, "device_id": device_of(owner)} | _MEETING.get(column.type, {})
    if table == "mtd.label_source":
        named["table_name"] = "interface"
    if column.name in named:
        return named[column.name]
    if column.type in _INTEGERS:
        return number
    if column.type.endswith(("[]", "multirange")):
        return "{}"
    return {
        **_BY_TYPE,
        "uuid": str(uuid.uuid4()),
        "boolean": number % 2 == 0,
        "text": f"{column.name} {number}",
    }[
        column.type  # KeyError: a type that no table had so far; name a value for it above
    ]


def _insert(dsn: str, table: str, row: dict[str, Any]) -> None:
    names, marks = ", ".join(row), ", ".join(["%s"] * len(row))
    statement = f"INSERT INTO {table} ({names}) OVERRIDING SYSTEM VALUE VALUES ({marks})"
    while True:
        try:
            with session(dsn) as cursor:
                # Rows need not belong together here, and no trigger is to say what they are.
                cursor.execute("SET LOCAL session_replication_role = replica")
                cursor.execute(statement, list(row.values()))
        except psycopg2.errors.UniqueViolation as taken:
            # A table of one row: what keeps it so is no wall.
            with session(dsn) as cursor:
                cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT {taken.diag.constraint_name} CASCADE")
        else:
            return


def _drop_checks(dsn: str, table: str) -> None:
    with session(dsn) as cursor:
        cursor.execute(
            "SELECT conname FROM pg_constraint WHERE conrelid = %s::regclass AND contype = 'c'", (table,)
        )
        for (name,) in cursor.fetchall():
            cursor.execute(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"')
