from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtd.model.values import decimal, integer
from mtd.testing.replies import rows_of
from mtd.testing.strategies import rows
from mtd_collector_dhcp import pools


def told(**pool: Any) -> dict[str, bytes]:
    [row] = pools.as_told(rows_of([{"name": "p"} | pool])).dicts()
    return row


@pytest.mark.parametrize(
    ("ranges", "size"),
    [
        ("10.0.0.2-10.0.0.99", b"98"),
        ("10.0.0.2-10.0.0.99,10.0.0.101-10.0.0.126", b"124"),
        ("10.0.0.254", b"1"),
        ("10.0.0.0/24", b"256"),
        ("10.0.0.2-10.0.0.99, 10.0.0.254", b"99"),
        ("10.0.0.99-10.0.0.2", None),
        ("10.0.0.2-10.0.0.99,elsewhere", None),
        ("", None),
    ],
)
def test_size_of_ranges(ranges: str, size: bytes | None) -> None:
    assert told(ranges=ranges).get("size") == size


@pytest.mark.parametrize(
    ("prefix", "length", "size"),
    [
        ("2001:db8::/40", 56, 65_536),
        ("2001:db8::/56", 56, 1),
        ("2001:db8::/64", 128, None),
        ("2001:db8::/64", 48, None),
        ("2001:db8::/64", 129, None),
        ("none", 64, None),
    ],
)
def test_size_of_a_prefix(prefix: str, length: int, size: int | None) -> None:
    [row] = pools.prefixes(rows_of([{"name": "p", "prefix": prefix, "prefix-length": length}]), {}).dicts()
    assert integer(row.get("size")) == size


def test_what_the_router_says_counts_more_than_what_was_worked_out() -> None:
    assert told(ranges="10.0.0.2-10.0.0.99", total="90", used="45")["used-pct"] == b"50.0000"


@pytest.mark.parametrize("pool", [{"ranges": "10.0.0.1"}, {"used": "3"}, {"total": "0", "used": "0"}, {}])
def test_a_share_that_cannot_be_told_is_absent(pool: dict[str, str]) -> None:
    assert "used-pct" not in told(**pool)


def test_use_is_counted_from_the_list_where_the_router_does_not_say_it() -> None:
    listed = {"used": rows_of([{"pool": "a"}, {"pool": "a"}, {"pool": "other"}])}
    given_pools = rows_of([{"name": name, "ranges": "10.0.0.1-10.0.0.4"} for name in ("a", "b")])
    assert pools.as_listed(given_pools, listed).column("used") == [b"2", b"0"]
    assert pools.as_listed(given_pools, {}).column("used") == [None, None]


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_whatever_a_router_sends_shares_are_numbers(data: st.DataObject) -> None:
    used = {"used": data.draw(rows(*pools.USED_READS))}
    for fields, read in ((pools.READS, pools.as_listed), (pools.V6_READS, pools.prefixes)):
        made = read(data.draw(rows(*fields)), used)
        assert all(share is None or decimal(share) is not None for share in made.column("used-pct"))
