"""What of a command SNMP can answer: queries, fields, rows; and what messages take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtd.lab.query import compile_query
from mtd.lab.snmp.wire import NULL, V2C, Kind, Message, Tag, Value
from mtd.model.command import Command
from mtd.model.device import SnmpSettings, SnmpVersion
from mtd.plugin import SnmpField, SnmpTable
from mtd.plugin.snmp_tables import snmp_tables
from mtd.plugin.snmp_values import INTERNAL_ID, number, text
from mtd.sources.snmp.asking import Ask
from mtd.sources.snmp.queries import NotUnderstood, Query
from mtd.sources.snmp.sizes import Sizes, oid_size, value_size
from mtd_collector_interfaces import COLLECTOR as INTERFACES
from mtd_collector_interfaces.declaration import COUNTERS, LINKS
from mtd_collector_system import COLLECTOR as SYSTEM

WORDS = st.sampled_from(
    ("name=a", "=name=a", "name", "-name", "type=x", "type=y", "-type", "#!", "#&", "#|", "#|!")
)
ROWS = st.dictionaries(st.sampled_from(("name", "type")), st.sampled_from((b"a", b"x", b"y", b"")))


@given(st.lists(WORDS, max_size=6), ROWS)
def test_queries_are_heeded_as_the_lab_s_routers_heed_them(
    words: list[str], row: Mapping[str, bytes]
) -> None:
    try:
        query = Query.of(words)
    except NotUnderstood:
        return
    theirs = compile_query(tuple(word.encode() for word in words))
    assert query.matches(row) is theirs.matches({key.encode(): value for key, value in row.items()})


@pytest.mark.parametrize(
    "words", [["<rx-byte=5"], [">rx-byte=5"], ["#|"], ["name=a", "#&"], ["#."], ["a=1", "#0"], [""]]
)
def test_what_is_not_understood_is_not_guessed(words: list[str]) -> None:
    with pytest.raises(NotUnderstood):
        Query.of(words)


@pytest.mark.parametrize(
    ("words", "exact"),
    [
        (["a=1"], ((("a", "1"),),)),
        (["a=1", "a=2", "#|"], ((("a", "1"), ("a", "2")),)),
        (["a=1", "a=2", "a=3", "#||"], ((("a", "1"), ("a", "2"), ("a", "3")),)),
        (["d=x", "#!", "a=1", "a=2", "#|"], ((("a", "1"), ("a", "2")),)),
        (["a=1", "b=2"], ((("a", "1"),), (("b", "2"),))),
        (["a=1", "b", "#&"], ((("a", "1"),),)),
        (["a=1", "b", "#|"], ()),
        (["a=1", "#!"], ()),
        (["a=1", "#!!"], ()),
        (["a"], ()),
        ([], ()),
    ],
)
def test_what_a_row_has_to_be_is_known_before_it_is_read(words: list[str], exact: tuple[Any, ...]) -> None:
    assert Query.of(words).exact == exact


@given(st.lists(WORDS, max_size=6), ROWS)
def test_a_row_that_is_wanted_is_what_it_has_to_be(words: list[str], row: Mapping[str, bytes]) -> None:
    try:
        query = Query.of(words)
    except NotUnderstood:
        return
    if query.matches(row):
        for pairs in query.exact:
            assert any(row.get(field) == value.encode() for field, value in pairs)


TABLE = SnmpTable(
    rows="1.3.1",
    key=INTERNAL_ID,
    name="name",
    arguments=("once",),
    fields=(
        SnmpField(field="byte", oids=("1.3.2",), convert=number),
        SnmpField(field="name", oids=("1.3.1",), convert=text),
        SnmpField(field="comment", oids=("1.3.3",), convert=text),
    ),
)


def ask(*proplist: str, table: SnmpTable = TABLE, **parts: object) -> Ask | None:
    return Ask.of(table, replace(Command("/x/print", proplist), **parts))  # type: ignore[arg-type]


def fields_of(asked: Ask | None) -> list[str]:
    assert asked is not None
    return [entry.field for entry in asked.fields]


def test_only_what_is_asked_for_is_read_and_the_name_besides() -> None:
    assert fields_of(ask(".id", "byte", "colour")) == ["byte", "name"]
    assert fields_of(ask()) == ["byte", "name", "comment"]


def test_a_command_for_nothing_that_snmp_tells_is_not_served() -> None:
    assert ask(".id", "colour") is None
    assert ask("byte", arguments=(("interval", "1"),)) is None
    assert ask("byte", queries=("colour=red",)) is None
    assert ask("byte", queries=("<byte=7",)) is None


def test_what_a_query_depends_on_is_read_as_well() -> None:
    assert fields_of(ask("byte", queries=("comment=x",))) == ["byte", "name", "comment"]


def test_rows_that_the_command_names_are_the_only_ones() -> None:
    named = ask("byte", arguments=(("numbers", "*1,*A"), ("once", "")))
    assert named is not None
    assert named.named == (1, 10)
    exact = ask("byte", queries=(".id=*2", ".id=*B", "#|"))
    assert exact is not None
    assert exact.named == (2, 11)
    chosen = ask("byte", queries=("comment=x", "#!", ".id=*2", ".id=*B", "#|"))
    assert chosen is not None
    assert chosen.named == (2, 11)
    assert ask("byte", arguments=(("numbers", "ether1"),)) is None
    assert ask("byte", queries=(".id=ether1",)) is None
    every = ask("byte")
    assert every is not None
    assert every.named is None


def test_counting() -> None:
    counted = ask(".id", arguments=(("count-only", ""),))
    assert counted is not None
    assert counted.counts
    only = SnmpTable(count="1.3.9.0")
    assert ask(".id", table=only, arguments=(("count-only", ""),)) is not None
    assert ask(".id", table=only, arguments=(("count-only", ""),), queries=("name=a",)) is None
    assert ask(".id", "name", table=only) is None


def test_the_eggs_commands_are_served() -> None:
    tables = snmp_tables([INTERFACES, SYSTEM])
    for menu in (*INTERFACES.menus, *SYSTEM.menus):
        if menu.snmp is not None:
            command = menu.to_command(("*1", "*2") if menu.numbers_of else ())
            assert Ask.of(tables[command.path], command) is not None, menu.name
    counters = Ask.of(tables[COUNTERS.command_path], COUNTERS.to_command())
    assert fields_of(counters)[:2] == ["rx-byte", "tx-byte"]
    links = Ask.of(tables[LINKS.command_path], LINKS.to_command(("*1",)))
    assert links is not None
    assert links.named == (1,)


V2 = SnmpSettings(SnmpVersion.V2C, community="public")
OIDS = st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=20).map(lambda rest: (1, 3, *rest))


def dotted(oid: tuple[int, ...]) -> str:
    return ".".join(map(str, oid))


@given(OIDS)
def test_the_size_of_an_object_s_name(oid: tuple[int, ...]) -> None:
    assert oid_size(dotted(oid)) == len(Value(Tag.OID, oid).encode())


@given(st.integers(-(2**63), 2**64 - 1) | st.binary(max_size=300))
def test_the_size_of_a_value(content: int | bytes) -> None:
    tag = Tag.OCTETS if isinstance(content, bytes) else Tag.INTEGER
    assert value_size(content) == pytest.approx(len(Value(tag, content).encode()), abs=1)


@given(st.lists(OIDS, max_size=30))
def test_the_size_of_a_request_is_about_right(oids: list[tuple[int, ...]]) -> None:
    message = Message(V2C, b"public", Kind.GET, 1_234_567_890, 0, 0, tuple((oid, NULL) for oid in oids))
    assert Sizes(V2).request([dotted(oid) for oid in oids]) == pytest.approx(len(message.encode()), abs=12)
