"""Rows read by a learned pattern are those that reading word by word gives, whatever the bytes."""

from __future__ import annotations

import time
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtd.codec.routeros import Answer, Decoder, PatternCache, Stamp
from mtd.codec.routeros.patterns import compile_pattern
from mtd.codec.routeros.shapes import TAG, Kind, kind_of, merge_orders
from mtd.model.command import Command
from tests.unit.codec.oracle import NeverLearns, decode, oracle_rows, sentence

COMMAND = Command(
    "/interface/print", ("name", "running", "rx-byte", "comment", "a-key-of-more-than-thirty-two-bytes")
)
KEYS = tuple(key.encode() for key in COMMAND.proplist)
TAME = {
    KEYS[0]: st.from_regex(rb"ether[0-9]{1,2}", fullmatch=True),
    KEYS[1]: st.sampled_from([b"true", b"false"]),
    KEYS[2]: st.integers(0, 2**64 - 1).map(lambda number: b"%d" % number),
    KEYS[3]: st.sampled_from([b"", b"uplink", b"speed=100", "кабель".encode(), b"\xe0\xef"]),
    KEYS[4]: st.integers(-99, 99).map(lambda number: b"%d" % number),
}
IMITATIONS = st.sampled_from(
    [
        b"\x05=x=1",
        b"1\x0d=comment=fine",
        b"7\x0e=running=false",
        b"\x09.tag=1\x00\x03!re",
        b"\x00\x03!re\x06.tag=1\x06=name=",
        b"\x00\x05!done\x06.tag=1\x00",
        b"=",
        b"5",
        b"\x00",
        b"\x0a=rx-byte=",
        b"(" * 40 + b"\x0b=rx-byte=1" * 5,
    ]
)
WILD = st.one_of(
    st.binary(max_size=8),
    st.lists(st.one_of(IMITATIONS, st.binary(max_size=4)), max_size=4).map(b"".join),
    st.integers(100, 400).map(lambda size: b"v" * size),
)


@st.composite
def rows(draw: st.DrawFn, count: int, tags: tuple[bytes, ...] = (b"1",), tame_share: int = 3) -> bytes:
    """Draw sentences of rows: mostly as routers send them, some hostile."""
    out = bytearray()
    for _ in range(count):
        words = []
        for key in KEYS:
            kind = draw(st.integers(0, tame_share + 1))
            if kind == 0:
                words.append(b"=" + key + b"=" + draw(WILD))
            elif kind > 1 or tame_share > 50:
                words.append(b"=" + key + b"=" + draw(TAME[key]))
        tag = b".tag=" + draw(st.sampled_from(tags))
        words.insert(draw(st.sampled_from([0, 0, 0, 0, len(words)])), tag)
        out += sentence(b"!re", *words)
    return bytes(out)


TRAINING = st.sampled_from([8, 100]).flatmap(lambda share: rows(16, tame_share=share))


def trained(training: bytes) -> PatternCache:
    """Return a cache that knows the command already, from tame rows."""
    patterns = PatternCache()
    decode([training + done(b"1")], {b"1": COMMAND}, patterns)
    return patterns


def done(*tags: bytes) -> bytes:
    return b"".join(sentence(b"!done", b".tag=" + tag) for tag in tags)


@given(training=TRAINING, data=rows(12))
@settings(max_examples=300)
def test_pattern_words_and_librouteros_agree_on_hostile_rows(training: bytes, data: bytes) -> None:
    patterns = trained(training)
    data += done(b"1")
    expected = oracle_rows(data).get(b"1", [])
    fast, _ = decode([data], {b"1": COMMAND}, patterns)
    slow, _ = decode([data], {b"1": COMMAND}, NeverLearns())
    assert slow[b"1"].rows.dicts() == expected
    assert fast[b"1"].rows.dicts() == expected
    assert fast[b"1"].size_bytes == slow[b"1"].size_bytes == len(data)


@given(training=TRAINING, data=rows(14, tags=(b"1", b"22", b"c3")), cuts=st.lists(st.integers(0, 4000)))
@settings(max_examples=150)
def test_interleaved_tags_in_any_chunks_agree(training: bytes, data: bytes, cuts: list[int]) -> None:
    tags = (b"1", b"22", b"c3")
    patterns = trained(training)
    data += done(*tags)
    bounds = [0, *sorted(cut for cut in set(cuts) if cut < len(data)), len(data)]
    chunks = [data[start:stop] for start, stop in pairwise(bounds)]
    answers, decoder = decode(chunks, dict.fromkeys(tags, COMMAND), patterns)
    expected = oracle_rows(data)
    assert {tag: answer.rows.dicts() for tag, answer in answers.items()} == {
        tag: expected.get(tag, []) for tag in tags
    }
    assert decoder.in_flight == decoder.held_bytes == 0


@given(training=TRAINING, data=rows(3))
@settings(max_examples=12)
def test_every_byte_boundary_agrees(training: bytes, data: bytes) -> None:
    patterns = trained(training)
    data += done(b"1")
    expected = oracle_rows(data).get(b"1", [])
    for cut in range(1, len(data)):
        answers, _ = decode([data[:cut], data[cut:]], {b"1": COMMAND}, patterns)
        assert answers[b"1"].rows.dicts() == expected
    answers, _ = decode([data[at : at + 1] for at in range(len(data))], {b"1": COMMAND}, patterns)
    assert answers[b"1"].rows.dicts() == expected


def interface_row(number: int, tag: bytes = b"1", *, extra: bytes | None = None) -> bytes:
    words = [b".tag=" + tag, b"=.id=*%X" % number, b"=running=true", b"=rx-byte=%d" % (number * 10**9)]
    if extra is not None:
        words.append(b"=comment=" + extra)
    return sentence(b"!re", *words)


def test_a_known_shape_is_read_by_its_pattern() -> None:
    patterns = PatternCache()
    data = b"".join(map(interface_row, range(40))) + done(b"1")
    _, first = decode([data], {b"1": COMMAND}, patterns)
    _, second = decode([data], {b"1": COMMAND}, patterns)
    assert first.counts.slow_rows == 8
    assert second.counts.slow_rows == 0
    assert second.counts.rows == 40


def test_routers_that_are_asked_for_other_rows_share_what_was_learned() -> None:
    patterns = PatternCache(max_commands=4)
    data = b"".join(map(interface_row, range(40))) + done(b"1")
    counts = []
    for router in range(20):
        some = replace(COMMAND, queries=(f".id=*{router}", ".id=*99", "#|"))
        counts.append(decode([data], {b"1": some}, patterns)[1].counts.slow_rows)
    assert counts == [8] + [0] * 19
    assert len(patterns) == 1


def test_keys_that_come_and_go_are_learned() -> None:
    patterns = PatternCache()
    mixed = b"".join(interface_row(n, extra=b"text %d" % n if n % 3 else None) for n in range(90)) + done(
        b"1"
    )
    for _ in range(3):
        answers, decoder = decode([mixed], {b"1": COMMAND}, patterns)
    assert decoder.counts.slow_rows == 0
    comments = answers[b"1"].rows.column("comment")
    assert [comments[n] for n in range(4)] == [None, b"text 1", b"text 2", None]


def test_two_orders_of_keys_are_both_learned() -> None:
    patterns = PatternCache()
    swapped = sentence(b"!re", b".tag=1", b"=rx-byte=5", b"=running=true", b"=.id=*1") * 20 + done(b"1")
    straight = b"".join(map(interface_row, range(20))) + done(b"1")
    for data in (swapped, straight) * 3:
        decode([data], {b"1": COMMAND}, patterns)
    session = Decoder(patterns=patterns)
    for turn in range(2):
        session.expect(b"1", COMMAND)
        before = session.counts.slow_rows
        session.feed(swapped, Stamp(0, 0))
        # The first row may tell which of the two orders this router uses; then it is known.
        assert session.counts.slow_rows - before <= (1 if turn == 0 else 0)


def test_an_empty_value_is_not_an_absent_one() -> None:
    patterns = PatternCache()
    data = b"".join(interface_row(n, extra=[None, b"", b"x"][n % 3]) for n in range(60)) + done(b"1")
    for _ in range(3):
        answers, decoder = decode([data], {b"1": COMMAND}, patterns)
    assert decoder.counts.slow_rows == 0
    assert answers[b"1"].rows.column("comment")[:3] == (None, b"", b"x")


def test_hostile_repetition_costs_linear_time() -> None:
    patterns = PatternCache()
    tame = b"".join(interface_row(n, extra=b"c") for n in range(20)) + done(b"1")
    decode([tame], {b"1": COMMAND}, patterns)
    lies = (b"\x0a=rx-byte=1" * 6 + b"\x0c=comment=ab" * 4)[:100]
    hostile = b"".join(interface_row(n, extra=lies) for n in range(400)) + done(b"1")
    started = time.process_time()
    answers, _ = decode([hostile], {b"1": COMMAND}, patterns)
    assert time.process_time() - started < 1.0
    assert answers[b"1"].rows.count == 400
    assert set(answers[b"1"].rows.column("comment")) == {lies}


def test_the_cache_of_patterns_is_bounded() -> None:
    patterns = PatternCache(max_commands=3)
    for number in range(10):
        patterns.book(Command(f"/menu{number}/print"))
    assert len(patterns) == 3


def test_a_router_with_ever_new_keys_teaches_no_more_than_is_bounded() -> None:
    patterns = PatternCache()
    data = b"".join(sentence(b"!re", b".tag=1", b"=key-%d=1" % n, b"=other=2") for n in range(500))
    answers, _ = decode([data + done(b"1")], {b"1": COMMAND}, patterns)
    assert answers[b"1"].rows.count == 500
    draft = patterns.book(COMMAND).best()
    assert draft is not None
    assert len(draft.order) <= 64


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (b"true", Kind.FLAG),
        (b"no", Kind.FLAG),
        (b"-12", Kind.NUMBER),
        (b"123456789012345678901", Kind.TOKEN),
        (b"", Kind.TOKEN),
        (b"1Gbps", Kind.TOKEN),
        (b"caf\xe9", Kind.TEXT),
        (b"two\nlines", Kind.TEXT),
    ],
)
def test_values_have_kinds(value: bytes, kind: Kind) -> None:
    assert kind_of(value) is kind


@pytest.mark.parametrize(
    ("old", "new", "merged"),
    [
        ("abc", "abc", "abc"),
        ("abc", "ac", "abc"),
        ("ac", "abc", "abc"),
        ("ab", "bc", "abc"),
        ("abc", "ba", None),
        ("", "ab", "ab"),
    ],
)
def test_orders_merge_unless_they_contradict(old: str, new: str, merged: str | None) -> None:
    result = merge_orders([key.encode() for key in old], [key.encode() for key in new])
    assert result == (None if merged is None else tuple(key.encode() for key in merged))


def test_shapes_that_are_better_read_word_by_word_have_no_pattern() -> None:
    long_key = b"k" * 120
    assert compile_pattern((TAG, long_key), TAG, (), {long_key: "TOKEN"}) is None
    same_name = (TAG, "é".encode(), b"\xe9")
    assert compile_pattern(same_name, TAG, (), dict.fromkeys(same_name[1:], "TOKEN")) is None


def test_an_answer_says_when_its_first_byte_came() -> None:
    decoder = Decoder()
    decoder.expect(b"1", COMMAND)
    decoder.expect(b"2", COMMAND)
    data = interface_row(1, b"1") + done(b"1") + interface_row(1, b"2")
    assert decoder.feed(data[:3], Stamp(1.0, 10)) == []
    (one,) = decoder.feed(data[3:], Stamp(2.0, 20))
    (two,) = decoder.feed(done(b"2"), Stamp(3.0, 30))
    assert isinstance(one, Answer)
    assert isinstance(two, Answer)
    assert (one.stamp, two.stamp) == (Stamp(1.0, 10), Stamp(2.0, 20))
