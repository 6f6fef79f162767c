"""Current-state tables as the protocol shows them, and what was asked of them."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence

from mtd.api.grpc.slices import page_of
from mtd.core.errors import Refused
from mtd.pb.telemetry.v1 import telemetry_service_pb2 as pb
from mtd.queries.state import RowFilter, TablePage, TableSummary

DEFAULT_ROWS = 500
MAX_ROWS = 1000
MAX_TABLES = 1000
_MOST_FIELDS = 20


def tables_message(
    tables: Sequence[TableSummary], page_size: int = 0, after: str = ""
) -> pb.ListTablesResponse:
    """Return a page of tables, by name, as a message."""
    page, following = page_of(tables, lambda one: one.name, page_size, MAX_TABLES, after)
    return pb.ListTablesResponse(
        tables=[pb.Table(name=one.name, rows=one.rows, changed_at_us=one.changed_us) for one in page],
        next_page_token=following,
    )


def page_message(page: TablePage) -> pb.ListTableRowsResponse:
    """Return a page of rows as a message."""
    return pb.ListTableRowsResponse(
        rows=[
            pb.TableRow(
                key=row.key, fields=row.fields, first_seen_us=row.first_seen_us, changed_at_us=row.changed_us
            )
            for row in page.rows
        ],
        next_page_token=base64.urlsafe_b64encode(page.after.encode()).decode(),
        total_rows=page.total,
    )


def filter_of(request: pb.ListTableRowsRequest) -> RowFilter:
    """Return which rows are wanted. Raises Refused."""
    if not request.table:
        raise Refused("say which table: ListTables names those that the device has")
    if len(request.fields) > _MOST_FIELDS:
        raise Refused(f"{len(request.fields)} fields are too many: {_MOST_FIELDS} are allowed")
    texts = (request.table, request.contains, *request.fields, *request.fields.values())
    if any("\0" in text for text in texts):
        raise Refused("a text with NUL can't be looked for")
    return RowFilter(request.contains, dict(request.fields))


def rows_asked(request: pb.ListTableRowsRequest) -> int:
    """Return how many rows a page may have."""
    return min(request.page_size or DEFAULT_ROWS, MAX_ROWS)


def key_in(token: str) -> str:
    """Return the key that a page begins behind. Raises Refused for a token that isn't ours."""
    try:
        key = base64.b64decode(token.encode(), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        key = "\0"
    if "\0" in key:
        raise Refused("page_token is not one that this server gave out; begin without a token")
    return key
