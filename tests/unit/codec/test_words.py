"""Lengths, words, commands: the same bytes as librouteros makes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from librouteros.protocol import encode_length as librouteros_length
from librouteros.protocol import encode_sentence as librouteros_sentence

from mtd.codec.routeros import ProtocolDamaged, encode_command, encode_sentence
from mtd.codec.routeros.words import INCOMPLETE, decode_length, encode_cancel, encode_length
from mtd.model.command import Command

EDGES = [0, 1, 0x7F, 0x80, 0x3FFF, 0x4000, 0x1FFFFF, 0x200000, 0xFFFFFFF]


@given(st.one_of(st.sampled_from(EDGES), st.integers(0, 0xFFFFFFF)))
def test_lengths_are_those_of_librouteros_and_come_back(length: int) -> None:
    prefix = encode_length(length)
    assert prefix == librouteros_length(length)
    assert decode_length(b"?" + prefix + b"rest", 1) == (length, 1 + len(prefix))


@given(st.integers(0x10000000, 0xFFFFFFFF))
def test_the_longest_lengths_take_five_bytes(length: int) -> None:
    assert decode_length(encode_length(length), 0) == (length, 5)


@pytest.mark.parametrize("length", EDGES[3:])
def test_a_prefix_that_is_not_all_there_asks_for_its_size(length: int) -> None:
    prefix = encode_length(length)
    for cut in range(1, len(prefix)):
        assert decode_length(prefix[:cut], 0) == (len(prefix), INCOMPLETE)


@pytest.mark.parametrize("control", range(0xF1, 0x100))
def test_control_bytes_are_damage(control: int) -> None:
    with pytest.raises(ProtocolDamaged, match=f"control byte 0x{control:02x}"):
        decode_length(bytes([control]), 0)


@given(st.lists(st.text(st.characters(codec="utf-8")).filter(bool), min_size=1))
def test_sentences_are_those_of_librouteros(words: list[str]) -> None:
    ours = encode_sentence([word.encode() for word in words])
    assert ours == librouteros_sentence(*words, encoding="utf-8")


def test_a_command_is_path_arguments_proplist_queries_and_tag() -> None:
    command = Command(
        "/interface/print", (".id", "name"), ("dynamic=true", "#!"), (("without-paging", ""), ("as", "x"))
    )
    words = ("/interface/print", "=without-paging=", "=as=x", "=.proplist=.id,name", "?dynamic=true", "?#!")
    assert encode_command(command) == librouteros_sentence(*words, encoding="utf-8")
    assert encode_command(command, b"12") == librouteros_sentence(*words, ".tag=12", encoding="utf-8")


def test_a_cancel_names_its_target_and_has_a_tag_of_its_own() -> None:
    expected = librouteros_sentence("/cancel", "=tag=7", ".tag=c1", encoding="utf-8")
    assert encode_cancel(b"7", b"c1") == expected
