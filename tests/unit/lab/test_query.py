"""Query words."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtd.lab.query import QueryError, compile_query

ROW = {b"name": b"ether1", b"type": b"ether", b"mtu": b"1500", b"comment": b"a=b", b".id": b"*1"}


def matches(*words: str) -> bool:
    return compile_query(tuple(word.encode() for word in words)).matches(ROW)


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ([], True),
        (["name"], True),
        (["nothing"], False),
        (["-nothing"], True),
        (["-name"], False),
        (["name=ether1"], True),
        (["=name=ether1"], True),
        (["name=ether2"], False),
        (["comment=a=b"], True),
        ([".id=*1"], True),
        (["nothing=1"], False),
        (["<mtu=1501"], True),
        (["<mtu=200"], False),
        ([">mtu=200"], True),
        ([">mtu=1500"], False),
        ([">name=ether0"], True),
        (["<nothing=5"], False),
        (["type=vlan", "name=ether1"], False),
        (["type=ether", "name=ether1"], True),
        (["type=vlan", "#!"], True),
        (["type=vlan", "name=ether1", "#|"], True),
        (["type=vlan", "name=ether1", "#&"], False),
        (["type=vlan", "type=ether", "#|", "mtu=9000", "#!", "#&"], True),
        (["type=vlan", "name=ether1", "#0"], True),
        (["type=vlan", "name=ether1", "#1"], False),
        (["name=ether1", "type=vlan", "#1.!&"], False),
        (["name=ether1", "#.&"], True),
        (["type=vlan", "name=ether1", "#!!|"], True),
        (["type=ether", "type=vlan", "#!&"], True),
    ],
)
def test_queries(words: list[str], wanted: bool) -> None:
    assert matches(*words) is wanted


@pytest.mark.parametrize("words", [["#!"], ["#&"], ["name", "#|"], ["name", "#5"], ["name", "#x"]])
def test_impossible_operations_are_refused(words: list[str]) -> None:
    with pytest.raises(QueryError):
        matches(*words)


def test_the_deciding_keys_are_known() -> None:
    assert compile_query((b"-a", b"b", b"=c=1", b"<d=2", b"#|")).keys == {b"a", b"b", b"c", b"d"}


@given(st.lists(st.binary(min_size=1, max_size=8), max_size=6))
def test_any_words_match_or_are_refused(words: list[bytes]) -> None:
    with contextlib.suppress(QueryError):
        assert compile_query(tuple(words)).matches(ROW) in (True, False)
