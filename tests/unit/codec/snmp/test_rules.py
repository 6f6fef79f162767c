"""What traps mean: our rules, and what is wrong with those of others."""

from __future__ import annotations

from typing import Any

import pytest

from mtd.codec.snmp.rules import RuleError, compile_rules, filled
from mtd.listeners.traps.meaning import load_rules

RULE = {"trap": "1.3.6.1.4.1.9.9.1", "name": "mine", "event": "site.door.opened"}


def test_our_rules_are_found_the_longest_first() -> None:
    rules = load_rules()
    found = {
        "1.3.6.1.6.3.1.1.5.1": "coldStart",
        "1.3.6.1.6.3.1.1.5.3": "linkDown",
        "1.3.6.1.4.1.14988.1.1.9.0.2": "mtxrTemperatureException",
        "1.3.6.1.4.1.14988.7.7": "MikroTik",
        "1.3.6.1.4.1.14988": "MikroTik",
    }
    for trap, name in found.items():
        rule = rules.find(tuple(map(int, trap.split("."))))
        assert rule is not None
        assert rule.name == name
    for trap in ("1.3.6.1.6.3.1.1.5.6", "1.3.6.1.4.1.9.9.1", "1.3"):
        assert rules.find(tuple(map(int, trap.split(".")))) is None
    assert rules.find(()) is None


def test_the_first_of_two_for_the_same_is_the_one() -> None:
    rules = compile_rules({"rules": [RULE, RULE | {"name": "other"}]})
    found = rules.find((1, 3, 6, 1, 4, 1, 9, 9, 1))
    assert found is not None
    assert found.name == "mine"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([], "list `rules`"),
        ({"rules": {}}, "list `rules`"),
        ({"rules": [], "fragments": {}}, "nothing else"),
        ({"rules": [RULE] * 2001}, "more than"),
        ({"rules": [RULE, {"name": "x"}]}, "rule 2: trap"),
        ({"rules": [RULE | {"trap": "coldStart"}]}, "is no OID"),
        ({"rules": [RULE | {"trap": 1.3}]}, "rule 1: trap"),
        ({"rules": [RULE | {"event": "Door"}]}, "rule 1: event"),
        ({"rules": [RULE | {"severity": "loud"}]}, "rule 1: severity"),
        ({"rules": [RULE | {"colour": "red"}]}, "colour"),
        ({"rules": [RULE | {"entity": "place"}]}, "no value is called place"),
        ({"rules": [RULE | {"message": "%{place}"}]}, "no value is called place"),
        ({"rules": [RULE | {"expected": {"place": "1"}}]}, "no value is called place"),
        ({"rules": [RULE | {"values": {"place": "x"}}]}, "is no OID"),
        ({"rules": [RULE | {"state": {"old": "x"}}]}, "state.field"),
    ],
)
def test_what_is_wrong_is_told(content: Any, words: str) -> None:
    with pytest.raises(RuleError, match=words):
        compile_rules(content)


def test_what_is_not_told_becomes_nothing() -> None:
    assert filled("%{a} and %{b}%", {"a": "%{b}"}) == "%{b} and %"
