"""JSON of REST becomes the rows that the API gives for the same values."""

from __future__ import annotations

import json
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtd.codec.rest import NotRows, RowReader, TooMuch
from mtd.codec.routeros import Answer, Decoder, Stamp
from mtd.model.command import Command, Rows
from tests.unit.codec.oracle import sentence

PRINT = Command("/x/print")
_ESCAPED = {0x22: b'\\"', 0x5C: b"\\\\", 0x0A: b"\\n", 0x0D: b"\\r", 0x09: b"\\t"}

names = st.text(string.ascii_lowercase + "-.", min_size=1, max_size=8).filter(
    lambda name: name not in {".tag", "ret"}
)
tables = st.lists(st.dictionaries(names, st.binary(max_size=12), max_size=5), max_size=8)


def as_json(value: bytes, *, escaped: bool) -> bytes:
    """Write a value as a router does: its bytes as they are, or with escapes where they are UTF-8."""
    if escaped:
        try:
            return json.dumps(value.decode()).encode()
        except UnicodeDecodeError:
            pass
    return (
        b'"'
        + b"".join(_ESCAPED.get(byte, b"\\u%04x" % byte if byte < 0x20 else bytes((byte,))) for byte in value)
        + b'"'
    )


def rest(rows: list[dict[str, bytes]], *, escaped: bool) -> bytes:
    objects = [
        b"{"
        + b",".join(
            b'"%b":%b' % (key.encode(), as_json(value, escaped=escaped)) for key, value in row.items()
        )
        + b"}"
        for row in rows
    ]
    return b"[" + b",\r\n".join(objects) + b"]"


def read(data: bytes, command: Command = PRINT, cuts: tuple[int, ...] = ()) -> tuple[Rows, dict[str, bytes]]:
    reader = RowReader(command)
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    for start, end in zip(places, places[1:], strict=False):
        reader.feed(data[start:end])
    return reader.finish()


def over_the_api(rows: list[dict[str, bytes]], command: Command) -> Rows:
    decoder = Decoder()
    decoder.expect(b"1", command)
    data = b"".join(
        sentence(b"!re", b".tag=1", *(b"=%b=%b" % (key.encode(), value) for key, value in row.items()))
        for row in rows
    )
    (answer,) = decoder.feed(data + sentence(b"!done", b".tag=1"), Stamp(1.0, 1))
    assert isinstance(answer, Answer)
    return answer.rows


@given(tables, st.booleans(), st.lists(st.integers(0, 4096), max_size=6).map(tuple))
def test_rows_are_those_of_the_api_however_they_come(
    rows: list[dict[str, bytes]], escaped: bool, cuts: tuple[int, ...]
) -> None:
    found, done = read(rest(rows, escaped=escaped), cuts=cuts)
    api = over_the_api(rows, PRINT)
    assert found.count == api.count == len(rows)
    assert found.dicts() == api.dicts() == rows
    assert done == {}


@given(tables, st.lists(names, min_size=1, max_size=4, unique=True).map(tuple))
def test_only_what_was_asked_for_becomes_columns(
    rows: list[dict[str, bytes]], proplist: tuple[str, ...]
) -> None:
    found, _ = read(rest(rows, escaped=False), Command("/x/print", proplist))
    assert found.dicts() == [{key: row[key] for key in row if key in proplist} for row in rows]
    assert {len(found.column(key)) for key in proplist} == {len(rows)}


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=4).map(tuple))
def test_noise_is_told_and_never_raises_otherwise(data: bytes, cuts: tuple[int, ...]) -> None:
    try:
        rows, _ = read(data, cuts=cuts)
    except (NotRows, TooMuch):
        return
    assert rows.count <= 200


def test_absent_is_not_empty() -> None:
    found, _ = read(b'[{"a":"1","b":""},{"b":"2","c":null}]')
    assert found == Rows(2, {"a": (b"1", None), "b": (b"", b"2"), "c": (None, None)})


def test_a_number_of_rows_is_what_the_api_says_with_done() -> None:
    assert read(b'{"ret":"42"}') == (Rows(), {"ret": b"42"})
    assert read(b'\n{"ret":\n"42"}\n', cuts=(3, 9)) == (Rows(), {"ret": b"42"})


def test_an_object_is_the_row_of_a_menu_that_has_one() -> None:
    found, done = read(
        b'{"version":"7.16.2 (stable)","cpu":"x"}', Command("/system/resource/print", ("version",))
    )
    assert found.dicts() == [{"version": b"7.16.2 (stable)"}]
    assert done == {}


@pytest.mark.parametrize("data", [b"[]", b" [ ] ", b"{}"])
def test_nothing_is_no_row(data: bytes) -> None:
    assert read(data, cuts=(1,)) == (Rows(), {})


def test_values_that_are_no_strings_read_as_routers_write_them() -> None:
    found, _ = read(b'[{"a":true,"b":7,"c":1.5,"d":["x","y"],"e":"\\ud800"}]')
    assert found.dicts() == [{"a": b"true", "b": b"7", "c": b"1.5", "d": b"x,y", "e": b"\xed\xa0\x80"}]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<html></html>",
        b"[",
        b'[{"a":"1"}',
        b'[{"a":"1"',
        b"[1]",
        b'[{"a":"1"}] and more',
        b'{"a":"1"}{"b":"2"}',
        b'{"a":"1"},{"b":"2"}',
        b'[{"a":{"b":"c"}}]',
        b'[{"a"}]',
        b'[["a"]]',
        b'[{"name":' + b"[" * 800 + b"]" * 800 + b"}]",
        b'{"ret":' + b"[" * 800 + b"]" * 800 + b"}",
    ],
)
def test_what_is_not_rows_is_told(data: bytes) -> None:
    with pytest.raises(NotRows):
        read(data)


def test_limits_hold_while_it_comes() -> None:
    rows = b",".join([b'{"a":"%d"}' % number for number in range(100)])
    with pytest.raises(TooMuch, match="over 99 rows"):
        read(b"[" + rows, Command("/x/print", max_rows=99))
    with pytest.raises(TooMuch, match="over 500 bytes"):
        read(b"[" + rows, Command("/x/print", max_bytes=500))
    assert read(b"[" + rows + b"]", Command("/x/print", max_rows=100))[0].count == 100


def test_a_row_without_end_is_not_held() -> None:
    reader = RowReader(PRINT, row_bytes=1000)
    reader.feed(b'[{"a":"')
    with pytest.raises(TooMuch, match="a row over 1000 bytes"):
        reader.feed(b"x" * 2000)
