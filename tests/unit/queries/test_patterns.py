from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtd.core.errors import Refused
from mtd.queries.patterns import MAX_LENGTH, MAX_WILD_LENGTH, check_patterns, like, matcher

ALPHABET = "ab.[_%*?"


def naive(pattern: str, text: str) -> bool:
    """The definition, letter by letter."""
    if not pattern:
        return not text
    if pattern[0] == "*":
        return any(naive(pattern[1:], text[start:]) for start in range(len(text) + 1))
    return bool(text) and pattern[0] in ("?", text[0]) and naive(pattern[1:], text[1:])


@given(st.text(ALPHABET, max_size=7), st.text("ab.[_%", max_size=9))
def test_matches_as_defined(pattern: str, text: str) -> None:
    assert matcher([pattern])(text) is naive(pattern, text)


@given(st.text(ALPHABET + "\\", max_size=7), st.text("ab.[_%\\", max_size=9))
def test_like_matches_as_defined(pattern: str, text: str) -> None:
    expression = ""
    escaped = False
    for character in like(pattern):
        if escaped or character not in "\\%_":
            expression, escaped = expression + re.escape(character), False
        elif character == "\\":
            escaped = True
        else:
            expression += ".*" if character == "%" else "."
    assert bool(re.fullmatch(expression, text, re.DOTALL)) is naive(pattern, text)


def test_no_pattern_matches_everything() -> None:
    assert matcher([])("iface.ether1.rx_bps")


def test_alternatives() -> None:
    matches = matcher(["system.*", "iface.ether?.rx_bps"])
    assert matches("system.cpu.load_pct")
    assert matches("iface.ether1.rx_bps")
    assert not matches("iface.ether10.rx_bps")


@pytest.mark.timeout(5)
def test_many_stars_cost_nothing() -> None:
    assert not matcher(["*a" * 100 + "b"])("a" * 200)


@pytest.mark.timeout(5)
def test_names_without_wildcards_cost_nothing() -> None:
    names = [f"iface.{number:0490}.rx_bps" for number in range(1000)]
    check_patterns(names)
    started = time.thread_time()
    matches = matcher(names)
    assert time.thread_time() - started < 0.05
    assert matches(names[-1])
    assert not matches(names[-1] + "x")
    both = matcher([*names, "system.*"])
    assert both(names[0])
    assert both("system.cpu")


def test_patterns_are_bounded_together() -> None:
    check_patterns(["x*".ljust(MAX_LENGTH, "y")] * (MAX_WILD_LENGTH // MAX_LENGTH))
    with pytest.raises(Refused, match="in several calls"):
        check_patterns(["*" * MAX_LENGTH] * (MAX_WILD_LENGTH // MAX_LENGTH) + ["?"])
    for wrong in ("", "x" * (MAX_LENGTH + 1), "a\0b"):
        with pytest.raises(Refused):
            check_patterns([wrong])
