"""API tokens: known when they are seen, and by nothing else."""

from __future__ import annotations

import hashlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtd.security.tokens import PATTERN, Token, new_token, new_token_id, parse_token


def test_a_token_is_found_by_its_text() -> None:
    token_id = new_token_id()
    token = new_token(token_id)
    assert parse_token(token.text) == token
    assert token.token_id == token_id
    assert token.digest == hashlib.sha256(token.text.encode()).digest()


def test_no_two_are_alike() -> None:
    token_id = new_token_id()
    assert len({new_token(token_id).text for _ in range(100)}) == 100
    assert len({new_token_id() for _ in range(100)}) == 100


def test_scanners_find_it_in_a_text() -> None:
    token = new_token(new_token_id())
    assert re.findall(PATTERN, f"MTD_TOKEN={token.text}\n") == [token.text]


def test_it_isnt_told_by_accident() -> None:
    token = new_token(new_token_id())
    assert token.text not in f"{token!r} {token}"


@given(st.integers(0, 65), st.sampled_from("0aZ_-\x00é"))
def test_a_mistyped_token_is_none(place: int, character: str) -> None:
    text = new_token("0" * 12).text
    changed = text[:place] + character + text[place + 1 :]
    assert changed == text or parse_token(changed) is None


@given(st.text())
def test_other_texts_are_no_tokens(text: str) -> None:
    assert parse_token(text) is None


@pytest.mark.parametrize("cut", [1, 6, 48])
def test_a_cut_token_is_none(cut: int) -> None:
    text = new_token(new_token_id()).text
    assert parse_token(text[:-cut]) is None
    assert parse_token(text + text[-cut:]) is None


def test_the_checksum_stays_as_it_is() -> None:
    """Tokens that were given out have to stay good."""
    text = "mtd_" + "A" * 12 + "_" + "b" * 43
    assert parse_token(text + "2BYZUF") == Token("A" * 12, text + "2BYZUF")
