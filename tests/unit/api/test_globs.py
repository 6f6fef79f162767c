from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtd.api.grpc.globs import Globs
from mtd.core.errors import Refused
from mtd.queries.patterns import MAX_LENGTH

ALPHABET = "ab.*?[]\n"
PATTERN = st.text(ALPHABET, min_size=1, max_size=8)
NAME = st.text("ab.[]*\n", max_size=8)


def naive(pattern: str, name: str) -> bool:
    if not pattern:
        return not name
    if pattern[0] == "*":
        return any(naive(pattern[1:], name[cut:]) for cut in range(len(name) + 1))
    return bool(name) and pattern[0] in ("?", name[0]) and naive(pattern[1:], name[1:])


@given(st.lists(PATTERN, min_size=1, max_size=4), NAME)
def test_matches_as_the_definition_says(patterns: list[str], name: str) -> None:
    assert Globs(patterns).matches(name) == any(naive(pattern, name) for pattern in patterns)


def test_no_pattern_matches_everything() -> None:
    assert Globs([]).everything
    assert Globs(["*"]).everything
    assert Globs(["x", "**"]).everything
    assert not Globs(["?*"]).everything


def test_one_of_several_names_is_enough() -> None:
    globs = Globs(["iface.ether1.*"])
    assert globs.matches("iface.rx_bps", "iface.ether1.rx_bps")
    assert not globs.matches("iface.rx_bps", "iface.ether10.rx_bps")


@pytest.mark.parametrize("pattern", ["", "x" * (MAX_LENGTH + 1), "a\0"])
def test_refuses_patterns_of_no_use(pattern: str) -> None:
    with pytest.raises(Refused, match="character"):
        Globs([pattern])


def test_many_stars_do_not_take_exponential_time() -> None:
    globs = Globs(["*a" * 200 + "b"])
    started = time.perf_counter()
    assert not globs.matches("a" * 400)
    assert time.perf_counter() - started < 0.5
