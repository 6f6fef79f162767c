"""What the rules are passed over for: never for one that a message is of."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from mtd.codec.syslog import read_line
from mtd.codec.syslog.prefilter import Prefilter, look_of
from mtd.codec.syslog.rules import Rules, compile_rules

OURS = compile_rules(yaml.safe_load(files("mtd.codec.syslog").joinpath("rules.yaml").read_bytes()))
SAMPLES = [read_line(sample.line.encode()) for rule in OURS.all for sample in rule.samples]
WORDS = sorted(
    {rule.contains for rule in OURS.all} | {"", " ", "x", ": ", "->", "ether1", "192.0.2.1", "con", "ed"}
)
TOPICS = sorted({topic for rule in OURS.all for topic in rule.topics} | {"info"})
FEW = st.text("ab-", max_size=6)


def tried_in_order(rules: Rules, topics: tuple[str, ...], text: str) -> tuple[str, dict[str, str]] | None:
    """What is found if each rule is asked, one after the other."""
    for rule in rules.all:
        if topics and rule.topics and rule.topics.isdisjoint(topics):
            continue
        found = rule.pattern.search(text) if rule.contains in text else None
        if found is not None:
            values = {name: value for name, value in found.groupdict().items() if value is not None}
            return rule.event_type, values
    return None


def found(rules: Rules, topics: tuple[str, ...], text: str) -> tuple[str, dict[str, str]] | None:
    finding = rules.find(topics, text)
    return None if finding is None else (finding.event_type, finding.values)


@given(
    st.lists(st.sampled_from(WORDS) | st.sampled_from([line.text for line in SAMPLES]), max_size=4),
    st.lists(st.sampled_from(TOPICS), max_size=2).map(tuple),
)
def test_ours_are_found_as_if_each_was_tried(parts: list[str], topics: tuple[str, ...]) -> None:
    text = " ".join(parts)
    assert found(OURS, topics, text) == tried_in_order(OURS, topics, text)


def test_samples_are_found_as_if_each_was_tried_with_topics_and_without() -> None:
    for line in SAMPLES:
        for topics in (line.topics, ()):
            assert found(OURS, topics, line.text) == tried_in_order(OURS, topics, line.text)


PATTERN = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(["", "^", "(?:^|a)", "(?:^)?", "(?i)^"]),
    st.sampled_from(["a", "(?P<one>b+)", "(?P<one>[a|b]?)(?P<two>-)?", r"[]|]", r"(a|b)", r"\|"]),
    st.sampled_from(["", "|", "|b", "-?", r"\(|", "(?:|b)"]),
    st.sampled_from(["", "a", "$", "(?#|)"]),
)


@given(st.lists(st.tuples(FEW.filter(bool), PATTERN), min_size=1, max_size=12), st.text("ab-|]", max_size=8))
def test_any_rules_are_found_as_if_each_was_tried(written: list[tuple[str, str]], text: str) -> None:
    content = [
        {"event": f"a.n{number}", "contains": word, "pattern": pattern}
        for number, (word, pattern) in enumerate(written)
    ]
    rules = compile_rules({"rules": content})
    assert found(rules, (), text) == tried_in_order(rules, (), text)


@given(PATTERN, st.text("ab-|]", max_size=8))
def test_looking_finds_what_searching_finds(written: str, text: str) -> None:
    pattern = re.compile(written)
    sought, looked = pattern.search(text), look_of(pattern)(text)
    assert (sought and (sought.span(), sought.groups())) == (looked and (looked.span(), looked.groups()))


@pytest.mark.parametrize(
    ("written", "is_at_beginning"),
    [
        ("^a", True),
        (r"^(?P<x>a|b)\|[|]c", True),
        (r"^[\]|]a", True),
        ("^[]|]a", True),
        ("a", False),
        ("^a|b", False),
        ("^(a)|b", False),
        ("(?:^)?a", False),
        ("(?m)^a", False),
        ("^a(?#(|)|b", False),
    ],
)
def test_where_a_pattern_can_be(written: str, is_at_beginning: bool) -> None:
    pattern = re.compile(written)
    assert (look_of(pattern) == pattern.match) is is_at_beginning


@given(st.lists(st.text("abcd", min_size=1, max_size=7), max_size=20), st.text("abcd", max_size=12))
def test_those_are_near_whose_word_is_there(words: list[str], text: str) -> None:
    ones = [(word, number) for number, word in enumerate(words)]
    near = [number for word, number in ones if word in text]
    for grouped in (False, True):
        assert list(Prefilter(ones, grouped=grouped).near(text)) == near
