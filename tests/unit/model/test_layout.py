from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mtd.model.layout import Layout, Series
from mtd.model.metric import Lane

SERIES = st.builds(
    Series,
    st.text("m\0\1", max_size=3),
    st.text("i\0\1", max_size=6),
    st.sampled_from(list(Lane)),
)


def test_the_address_is_that_of_the_content() -> None:
    one, two = Series("m", "*1", Lane.COUNTER), Series("m", "*2", Lane.COUNTER)
    known = Layout.of("t0", (one, two)).layout_id
    assert Layout.of("t0", (Series("m", "*1", Lane.COUNTER), two)).layout_id == known
    others = [("t1", (one, two)), ("t0", (two, one)), ("t0", (one,)), ("t0", ()), ("t", (one, two))]
    assert known not in {Layout.of(group, series).layout_id for group, series in others}


def test_an_instance_that_looks_like_more_series_is_one() -> None:
    two = (Series("m", "a", Lane.GAUGE), Series("m", "b", Lane.GAUGE))
    one = (Series("m", f"a\1{Lane.GAUGE}\0m\1b", Lane.GAUGE),)
    assert Layout.of("t0", two).layout_id != Layout.of("t0", one).layout_id


@given(st.tuples(*[st.lists(SERIES, max_size=3).map(tuple)] * 2))
def test_different_series_have_different_addresses(
    both: tuple[tuple[Series, ...], tuple[Series, ...]],
) -> None:
    one, other = (Layout.of("t0", series).layout_id for series in both)
    assert (one == other) == (both[0] == both[1])
