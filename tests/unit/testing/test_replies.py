from __future__ import annotations

from typing import Any

import pytest

from mtd.model.command import Command
from mtd.testing.replies import matches, replies_from

ROW = {"name": "ether1", "dynamic": True, "mtu": 1500}


@pytest.mark.parametrize(
    ("queries", "found"),
    [
        ((), True),
        (("name=ether1",), True),
        (("mtu=1500", "dynamic=true"), True),
        (("mtu=1500", "dynamic=false"), False),
        (("dynamic=true", "#!"), False),
        (("disabled=true", "#!"), True),
        (("name=ether2", "name=ether1", "#|"), True),
        (("name=ether2", "name=ether1", "#&"), False),
        (("name=ether2", "name=ether3", "#|!"), True),
        (("comment",), False),
        (("-comment",), True),
    ],
)
def test_query_words(queries: tuple[str, ...], found: bool) -> None:
    assert matches(ROW, queries) is found


def test_what_it_does_not_know_is_said() -> None:
    with pytest.raises(ValueError, match="only"):
        matches(ROW, ("name=ether1", "#."))


def test_a_router_sends_or_counts_the_rows_that_were_asked_for() -> None:
    rows: list[dict[str, Any]] = [ROW, {"name": "ether2"}]
    queries = ("dynamic=true", "#!")
    ask = Command("/interface/print", ("name",), queries=queries)
    count = Command("/interface/print", (".id",), queries=queries, arguments=(("count-only", ""),))
    answer, counted = replies_from([ask, count], {"/interface/print": rows})
    assert answer.rows.dicts() == [{"name": b"ether2"}]
    assert counted.done == {"ret": b"1"}
