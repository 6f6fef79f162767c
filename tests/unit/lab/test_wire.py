"""The lab's own framing and requests."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtd.lab.wire import SentenceReader, WireError, encode_length, parse_request, sentence, split_tag

words = st.lists(st.binary(min_size=1, max_size=300), min_size=1, max_size=6)


@pytest.mark.parametrize(
    ("length", "encoded"),
    [
        (0, "00"),
        (0x7F, "7f"),
        (0x80, "8080"),
        (0x3FFF, "bfff"),
        (0x4000, "c04000"),
        (0x1FFFFF, "dfffff"),
        (0x200000, "e0200000"),
        (0xFFFFFFF, "efffffff"),
        (0x10000000, "f010000000"),
        (1 << 30, "f040000000"),
    ],
)
def test_length_prefixes_are_those_of_the_manual(length: int, encoded: str) -> None:
    assert encode_length(length).hex() == encoded


@given(st.lists(words, min_size=1, max_size=4), st.integers(1, 50))
def test_sentences_survive_any_cut(sentences: list[list[bytes]], size: int) -> None:
    stream = b"".join(map(sentence, sentences))
    reader = SentenceReader(max_bytes=10_000)
    found = []
    for start in range(0, len(stream), size):
        found += reader.feed(stream[start : start + size])
    assert found == sentences


@given(st.binary(max_size=400))
def test_noise_is_read_or_refused(noise: bytes) -> None:
    reader = SentenceReader(max_bytes=1_000)
    try:
        for found in reader.feed(noise):
            assert found
    except WireError:
        pass


def test_a_long_sentence_is_refused_before_it_is_there() -> None:
    reader = SentenceReader(max_bytes=100)
    with pytest.raises(WireError):
        reader.feed(encode_length(1 << 30))


def test_long_words_are_read() -> None:
    reader = SentenceReader(max_bytes=100_000)
    assert reader.feed(sentence([b"x" * 20_000, b"y" * 200])) == [[b"x" * 20_000, b"y" * 200]]


def test_a_request_is_taken_apart() -> None:
    tag, shape = split_tag([b"/a//b", b".tag=7", b"=k=v=w", b"=once=", b"?x=1", b"?#!"])
    request = parse_request(tag, shape)
    assert (request.path, request.tag, request.queries) == ("/a/b", b"7", (b"x=1", b"#!"))
    assert request.attributes == {b"k": b"v=w", b"once": b""}
    assert request.flag(b"once")
    assert not request.flag(b"k2")


def test_once_false_switches_nothing_on() -> None:
    assert not parse_request(None, (b"/x", b"=once=false")).flag(b"once")
