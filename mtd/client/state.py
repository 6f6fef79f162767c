"""Current-state tables, as calls give them back."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mtd.client.values import moment
from mtd.pb.telemetry.v1 import telemetry_service_pb2 as pb


@dataclass(frozen=True, slots=True)
class TableInfo:
    """A table that has rows."""

    name: str
    rows: int
    changed_at: dt.datetime


@dataclass(frozen=True, slots=True)
class TableRow:
    """A thing that is there now; a field that the router doesn't give is missing."""

    key: str
    fields: Mapping[str, str]
    first_seen: dt.datetime
    changed_at: dt.datetime


@dataclass(frozen=True, slots=True)
class TablePage:
    """Rows by key; an empty token ends them. ``total``: of all pages."""

    rows: Sequence[TableRow]
    next_token: str
    total: int


def tables_of(message: pb.ListTablesResponse) -> list[TableInfo]:
    """Read ListTablesResponse."""
    return [TableInfo(one.name, one.rows, moment(one.changed_at_us)) for one in message.tables]


def table_page_of(message: pb.ListTableRowsResponse) -> TablePage:
    """Read ListTableRowsResponse."""
    rows = [
        TableRow(row.key, dict(row.fields), moment(row.first_seen_us), moment(row.changed_at_us))
        for row in message.rows
    ]
    return TablePage(rows, message.next_page_token, message.total_rows)
