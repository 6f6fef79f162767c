"""What is asked of current-state tables, and pages of them."""

from __future__ import annotations

import pytest

from mtd.api.grpc.tables import MAX_ROWS, filter_of, key_in, page_message, rows_asked
from mtd.core.errors import Refused
from mtd.pb.telemetry.v1 import telemetry_service_pb2 as pb
from mtd.queries.state import RowFilter, TablePage


def test_a_page_says_where_the_next_begins() -> None:
    token = page_message(TablePage([], "<pppoe-ü>", 7)).next_page_token
    assert key_in(token) == "<pppoe-ü>"
    assert page_message(TablePage([], "", 7)).next_page_token == ""
    assert key_in("") == ""


@pytest.mark.parametrize("token", ["x", "ä", "AAAA", "gICA"])
def test_a_foreign_token_is_refused(token: str) -> None:
    with pytest.raises(Refused, match="page_token"):
        key_in(token)


def test_how_many_rows() -> None:
    assert rows_asked(pb.ListTableRowsRequest(page_size=10**6)) == MAX_ROWS
    assert rows_asked(pb.ListTableRowsRequest(page_size=7)) == 7
    assert 0 < rows_asked(pb.ListTableRowsRequest()) <= MAX_ROWS


def test_what_is_wanted() -> None:
    request = pb.ListTableRowsRequest(table="arp", contains="x", fields={"a": "b"})
    assert filter_of(request) == RowFilter("x", {"a": "b"})
    many = pb.ListTableRowsRequest(table="arp", fields={str(number): "" for number in range(21)})
    for wrong in (
        pb.ListTableRowsRequest(),
        pb.ListTableRowsRequest(table="a\0"),
        pb.ListTableRowsRequest(table="a", fields={"a": "\0"}),
        many,
    ):
        with pytest.raises(Refused):
            filter_of(wrong)
