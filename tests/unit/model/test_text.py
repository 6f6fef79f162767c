"""Text of routers: UTF-8, else the code page, never an error."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtd.model import values
from mtd.model.text import decode_text


@pytest.mark.parametrize(
    ("value", "code_page", "text"),
    [
        (b"uplink", "latin-1", "uplink"),
        ("кабель".encode(), "latin-1", "кабель"),
        ("кабель".encode("cp1251"), "cp1251", "кабель"),
        (b"caf\xe9", "latin-1", "café"),
        (b"caf\xe9", "no-such-page", "café"),
        (b"caf\xe9", "rot13", "café"),  # a codec, but none of text
        (b"caf\xe9", "", "café"),
        (b"\x98", "cp1251", "\ufffd"),  # undefined there
        (b"nul\x00inside", "latin-1", "nul\ufffdinside"),
        (b"long " * 100, "latin-1", "long " * 100),
    ],
)
def test_text_by_utf8_else_code_page(value: bytes, code_page: str, text: str) -> None:
    assert decode_text(value, code_page) == text
    assert values.text(value, code_page) == text


CODE_PAGES = [
    "latin-1",
    "cp1251",
    "gbk",
    "big5",
    "shift_jis",
    "utf-16",
    "utf-7",
    "idna",
    "punycode",
    "hex",
    "x\0y",
]


@given(st.binary(), st.sampled_from([*CODE_PAGES, "raw_unicode_escape", "unicode_escape", "hz", "zlib", "é"]))
def test_nothing_raises_and_nothing_breaks_the_database(value: bytes, code_page: str) -> None:
    text = decode_text(value, code_page)
    assert "\0" not in text
    text.encode()  # no lone surrogates either
