from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mtd.api.grpc.slices import page_of


@given(st.lists(st.text(max_size=3), unique=True, max_size=30), st.integers(1, 7))
def test_pages_hold_everything_once_in_order(items: list[str], size: int) -> None:
    items = [item for item in items if item]
    found: list[str] = []
    after = ""
    while True:
        page, after = page_of(items, str, size, 1000, after)
        assert len(page) <= size
        found += page
        if not after:
            break
    assert found == sorted(items)


def test_a_page_is_no_longer_than_allowed() -> None:
    assert page_of("abcdef", str, 100, 4, "") == (list("abcd"), "d")
    assert page_of("abcdef", str, 0, 6, "") == (list("abcdef"), "")
