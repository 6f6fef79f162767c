from __future__ import annotations

import json
import math
from base64 import b64decode

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mtd.storage import literals

INT64 = st.integers(-(2**63), 2**63 - 1)


def test_numbers_exact_and_absent() -> None:
    assert literals.numbers([0, 2**63 - 1, None, -5]) == "{0,9223372036854775807,null,-5}"
    assert literals.numbers([1.5, math.nan, 1e300]) == "{1.5,null,1e+300}"
    assert literals.numbers([]) == "{}"


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False)))
def test_doubles_survive(values: list[float]) -> None:
    text = literals.numbers(values)
    assert [float(part) for part in text[1:-1].split(",") if part] == values


def parts(literal: str) -> list[str]:
    """Take a literal apart again."""
    assert (literal[0], literal[-1]) == ("{", "}")
    return literal[1:-1].split(",") if literal != "{}" else []


@given(st.lists(st.none() | INT64))
def test_integers_are_exact_and_absent_ones_null(values: list[int | None]) -> None:
    assert [None if part == "null" else int(part) for part in parts(literals.numbers(values))] == values


@given(st.lists(INT64))
def test_an_array_of_integers_reads_like_the_list(values: list[int]) -> None:
    assert literals.numbers(np.array(values, dtype=np.int64)) == literals.numbers(values)


@given(st.lists(st.floats()))
def test_an_array_of_doubles_reads_like_the_list(values: list[float]) -> None:
    literal = literals.numbers(np.array(values, dtype=np.float64))
    assert literal == literals.numbers(values)
    for part, value in zip(parts(literal), values, strict=True):
        # What is no finite number is NULL; -0.0 keeps its sign.
        assert part == "null" if not math.isfinite(value) else repr(float(part)) == repr(value)


@given(st.lists(st.binary(max_size=20)))
def test_base64_needs_no_escaping(values: list[bytes]) -> None:
    literal = literals.base64(values).getquoted().decode()
    assert (literal[:2], literal[-2:]) == ("'{", "}'")
    assert not set(literal[1:-1]) & set("'\\%")
    found = [b64decode(part.strip('"')) for part in literal[2:-2].split(",") if part]
    assert found == values


@given(st.lists(st.floats(width=32)))
def test_a_float32_is_read_back_as_itself(values: list[float]) -> None:
    literal = literals.numbers(np.array(values, dtype=np.float32))
    for part, value in zip(parts(literal), values, strict=True):
        assert part == "null" if not math.isfinite(value) else np.float32(part) == np.float32(value)


def test_a_float32_reads_like_one() -> None:
    assert literals.numbers(np.array([0.1, 123456.78], dtype=np.float32)) == "{0.1,123456.78}"


@given(st.lists(st.none() | st.floats() | INT64))
def test_no_element_needs_quotes_in_an_array_of_literals(values: list[float | None]) -> None:
    assert not set(literals.numbers(values)) & set('"\\')


def test_nested() -> None:
    assert literals.nested(["{1,2}", "{}"]) == '{"{1,2}","{}"}'
    assert literals.nested([]) == "{}"


def test_texts_escape_what_ends_an_element() -> None:
    assert literals.texts(['a"b', "c\\d", None, "", "NULL"]) == '{"a\\"b","c\\\\d",NULL,"","NULL"}'


@given(st.lists(st.none() | st.text('ab\0\\"\x1e\x1f,{}')))
def test_texts_are_written_together_as_each_by_itself(values: list[str | None]) -> None:
    each = ",".join(literals.texts([value])[1:-1] for value in values)
    assert literals.texts(values) == "{" + each + "}"
    assert literals.texts(iter(values)) == literals.texts(values)


@given(
    st.lists(
        st.text(st.sampled_from("a\x1e\x1f\x01\x02\\\"'") | st.characters(exclude_categories=["Cs"])),
        min_size=1,
    )
)
def test_what_is_joined_comes_apart_at_what_is_between(values: list[str]) -> None:
    text, between = literals.joined(values)
    assert text.split(between) == [value.replace("\0", "\ufffd") for value in values]
    assert len(between) == 1


def test_no_nul_reaches_postgres() -> None:
    assert "\0" not in literals.texts(["a\0b"])
    assert "\\u0000" not in literals.document({"comment": "a\0b"})


@given(st.dictionaries(st.text('ab\0\\u"é'), st.text('0\0\\u"é')))
def test_documents_are_json(fields: dict[str, str]) -> None:
    def clean(text: str) -> str:
        return text.replace("\0", "\N{REPLACEMENT CHARACTER}")

    assert json.loads(literals.document(fields)) == {
        clean(key): clean(value) for key, value in fields.items()
    }


def test_a_backslash_before_u0000_stays_text() -> None:
    # "\\u0000" in JSON is the text \u0000, not a NUL: it may stay.
    assert json.loads(literals.document({"comment": "\\u0000"})) == {"comment": "\\u0000"}


def test_bytea() -> None:
    assert literals.bytea([b"\x00\xff", b""]) == '{"\\\\x00ff","\\\\x"}'
