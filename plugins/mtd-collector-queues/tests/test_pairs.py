import pytest
from hypothesis import given

from mtd.model.command import Rows
from mtd.testing.strategies import rows
from mtd_collector_queues.pairs import COUNTED, LIMITS, WAYS, lasting_interfaces, limits, tree_limits, usage


def test_the_first_half_is_the_upload() -> None:
    halves = usage(Rows(2, {".id": (b"*1", b"*2"), "bytes": (b"10/20", None)}))
    assert halves.column("upload-bytes") == [b"10", None]
    assert halves.column("download-bytes") == [b"20", None]
    assert halves.column(".id") == (b"*1", b"*2")


@pytest.mark.parametrize("text", [b"", b"15", b"/", b"unlimited"])
def test_what_is_no_pair_of_numbers_is_no_number(text: bytes) -> None:
    [row] = usage(Rows(1, {"bytes": (text,)})).dicts()
    assert not row.get("upload-bytes")
    assert not row.get("download-bytes")


def test_a_limit_of_nothing_is_none() -> None:
    [row] = limits(Rows(1, {"max-limit": (b"0/10M",), "limit-at": (b"0/0",)})).dicts()
    assert {name: value for name, value in row.items() if name.startswith(WAYS)} == {
        "download-max-limit": b"10M"
    }
    assert tree_limits(Rows(1, {"max-limit": (b"0",), "limit-at": (b"64k",)})).dicts() == [
        {"limit-at": b"64k"}
    ]


def test_interfaces_of_sessions_are_left_out() -> None:
    found = lasting_interfaces(
        Rows(3, {"interface": (b"ether1", b"<l2tp-ann>", None), "queue": (b"a", b"b", b"c")})
    )
    assert found.dicts() == [{"interface": b"ether1", "queue": b"a"}]


@given(rows(".id", "interface", *COUNTED, *LIMITS))
def test_whatever_a_router_sends_rows_stay_rows(given_rows: Rows) -> None:
    for changed in (usage(given_rows), limits(given_rows), tree_limits(given_rows)):
        assert changed.count == given_rows.count
        assert all(len(column) == changed.count for column in changed.columns.values())
    assert lasting_interfaces(given_rows).count <= given_rows.count
