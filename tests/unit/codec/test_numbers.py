"""Runs of numbers read as arrays are those that reading word by word gives, whatever the bytes."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtd.codec.routeros import PatternCache
from mtd.codec.routeros.numbers import NumberRun
from mtd.codec.routeros.patterns import RowPattern
from mtd.model.command import Command
from tests.unit.codec.oracle import NeverLearns, decode, sentence

NAMES = ("rx-byte", "tx-byte", "rx-drop", "link-downs")
KEYS = tuple(name.encode() for name in NAMES)
RUN = NumberRun(KEYS)
COMMAND = Command("/interface/print", (".id", "running", *NAMES))
MOST = 2**63 - 1


def piece(*numbers: object, keys: Sequence[bytes] = KEYS) -> bytes:
    """Return the words of one row, without its end."""
    texts = [number if isinstance(number, bytes) else str(number).encode() for number in numbers]
    return sentence(*(b"=" + key + b"=" + text for key, text in zip(keys, texts, strict=True)))[:-1]


@pytest.mark.parametrize("number", [0, 9, 2**31, 10**17, MOST - 1])
def test_numbers_are_exact_in_every_row_and_place(number: int) -> None:
    rows = [[number, 1, 2, 3], [4, 5, number, number], [6, number, 7, 8]]
    found = RUN.read([piece(*row) for row in rows])
    assert found is not None
    assert found.values.tolist() == rows
    assert found.text("rx-drop") == tuple(str(row[2]).encode() for row in rows)
    assert found.text("name") is None


def test_the_text_is_what_the_router_wrote() -> None:
    found = RUN.read([piece(b"007", 1, 2, 3)])
    assert found is not None
    assert found.text("rx-byte") == (b"007",)
    assert found.values.tolist() == [[7, 1, 2, 3]]


GOOD = piece(1, 22, 333, 4444)
MOVED = piece(1, 22, 333, 4444, keys=KEYS)[:-4]


@pytest.mark.parametrize(
    "pieces",
    [
        [piece(1, b"", 3, 4)],
        [piece(1, -2, 3, 4)],
        [piece(1, b"2.5", 3, 4)],
        [piece(1, MOST, 3, 4)],
        [piece(1, 10**20, 3, 4)],
        [piece(1, 2, 3, keys=KEYS[:3])],
        [piece(2, 1, 3, 4, keys=(KEYS[1], KEYS[0], *KEYS[2:]))],
        [GOOD, b""],
        # A word too much in one row and one too few in the next.
        [GOOD + piece(5, keys=KEYS[:1]), piece(22, 333, 4444, keys=KEYS[1:])],
        # Length bytes that lie: by one, by a whole word, and the last one of all.
        [GOOD.replace(b"\x0a=rx-byte=1", b"\x0b=rx-byte=1")],
        [GOOD.replace(b"\x0a=rx-byte=1", b"\x16=rx-byte=1")],
        [GOOD.replace(b"\x10=link-downs", b"\x0f=link-downs")],
        [GOOD.replace(b"\x10=link-downs", b"\x11=link-downs")],
        # Digits before, inside and after the key instead of in the value.
        [sentence(b"1=rx-byte=", b"=tx-byte=22", b"=rx-drop=333", b"=link-downs=4")[:-1]],
        [sentence(b"=1rx-byte=", b"=tx-byte=22", b"=rx-drop=333", b"=link-downs=4")[:-1]],
        [sentence(b"=rx-1byte=", b"=tx-byte=22", b"=rx-drop=333", b"=link-downs=4")[:-1]],
        [sentence(b"=rx-byte1=", b"=tx-byte=22", b"=rx-drop=333", b"=link-downs=4")[:-1]],
        [sentence(b"123456789=rx-byte=", b"=tx-byte=22", b"=rx-drop=333", b"=link-downs=4")[:-1]],
        [GOOD[:-20] + b"\x01\x01\x01"],
    ],
)
def test_what_is_anything_else_is_not_read(pieces: list[bytes]) -> None:
    assert RUN.read(pieces) is None


@given(st.lists(st.integers(0, len(GOOD) * 2 - 1), max_size=3), st.binary(max_size=3))
def test_a_damaged_run_is_refused_or_means_what_its_words_say(places: list[int], noise: bytes) -> None:
    damaged = bytearray(GOOD + GOOD)
    for place, byte in zip(places, noise, strict=False):
        damaged[place] = byte
    half = len(GOOD)
    pieces = [bytes(damaged[:half]), bytes(damaged[half:])]
    found = RUN.read(pieces)
    if found is not None:
        for part, numbers in zip(pieces, found.values.tolist(), strict=True):
            texts = iter(numbers)
            at = 0
            for key in KEYS:
                word = part[at + 1 : at + 1 + part[at]]
                assert word.startswith(b"=" + key + b"=")
                assert int(word[len(key) + 2 :]) == next(texts)
                at += 1 + part[at]
            assert at == len(part)


@pytest.mark.parametrize("key", [b"rx-64", b".id", b"", b"a=b", b"rx_byte", b"a" * 24, "ключ".encode()])
def test_keys_that_could_be_taken_for_values_are_left_out(key: bytes) -> None:
    assert not NumberRun.suits(key)


# -- in whole replies -----------------------------------------------------------


def reply(rows: Sequence[Sequence[object]], *, tag_last: bool) -> bytes:
    out = bytearray()
    for number, row in enumerate(rows):
        words = [b"=.id=*%X" % number, b"=running=true"]
        words += [b"=" + key + b"=" + str(value).encode() for key, value in zip(KEYS, row, strict=True)]
        out += sentence(b"!re", *words, b".tag=1") if tag_last else sentence(b"!re", b".tag=1", *words)
    return bytes(out + sentence(b"!done", b".tag=1"))


VALUES = st.one_of(st.integers(0, 10**6), st.integers(0, 2**64), st.integers(-5, 5), st.just(""))
ROWS = st.lists(st.lists(VALUES, min_size=4, max_size=4), min_size=1, max_size=40)


@pytest.fixture
def any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let short replies be read in bulk, too."""
    monkeypatch.setattr("mtd.codec.routeros.patterns._BULK_BYTES", 1)


TRAINING = [[number, number * 7, 10**9 + number, 5] for number in range(16)]


@pytest.mark.usefixtures("any_size")
@pytest.mark.parametrize("tag_last", [False, True])
def test_replies_mean_what_their_words_say(tag_last: bool) -> None:
    @given(ROWS, st.lists(st.integers(1, 2000), max_size=3))
    def check(rows: list[list[object]], cuts: list[int]) -> None:
        data = reply(rows, tag_last=tag_last)
        places = sorted({0, *(cut for cut in cuts if cut < len(data)), len(data)})
        chunks = [data[a:b] for a, b in zip(places, places[1:], strict=False)]
        patterns = PatternCache()
        decode([reply(TRAINING, tag_last=tag_last)] * 1, {b"1": COMMAND}, patterns)
        found, _ = decode(chunks, {b"1": COMMAND}, patterns)
        plain, _ = decode([data], {b"1": COMMAND}, NeverLearns())
        assert found[b"1"].rows.dicts() == plain[b"1"].rows.dicts()
        assert found[b"1"].rows == plain[b"1"].rows
        assert found[b"1"].size_bytes == plain[b"1"].size_bytes

    check()


@pytest.mark.usefixtures("any_size")
@pytest.mark.parametrize("tag_last", [False, True])
def test_a_known_shape_is_read_in_bulk(tag_last: bool) -> None:
    patterns = PatternCache()
    decode([reply(TRAINING, tag_last=tag_last)], {b"1": COMMAND}, patterns)
    data = reply(TRAINING, tag_last=tag_last)
    found, decoder = decode([data[:300], data[300:]], {b"1": COMMAND}, patterns)
    numbers = found[b"1"].rows.numbers
    assert numbers is not None
    assert numbers.names == NAMES
    assert decoder.counts.slow_rows <= 1  # the one that was cut
    assert found[b"1"].rows.column("rx-drop")[3] == b"1000000003"


@pytest.mark.usefixtures("any_size")
def test_what_never_suits_is_tried_seldom_until_it_suits_again(monkeypatch: pytest.MonkeyPatch) -> None:
    patterns = PatternCache()
    decode([reply(TRAINING, tag_last=False)], {b"1": COMMAND}, patterns)
    reads = 0
    read = NumberRun.read

    def counting(self: NumberRun, pieces: Sequence[bytes]) -> object:
        nonlocal reads
        reads += 1
        return read(self, pieces)

    monkeypatch.setattr(NumberRun, "read", counting)
    too_large = reply([[MOST, 1, 2, 3]] * 4, tag_last=False)
    for _ in range(100):
        decode([too_large], {b"1": COMMAND}, patterns)
    assert 2 <= reads < 10
    for _ in range(200):
        found, _ = decode([reply(TRAINING, tag_last=False)], {b"1": COMMAND}, patterns)
    assert found[b"1"].rows.numbers is not None


def test_a_pattern_without_a_run_has_no_quick_way() -> None:
    patterns = PatternCache()
    command = Command("/system/resource/print", ("uptime", "version"))
    rows = sentence(b"!re", b".tag=1", b"=uptime=1d", b"=version=7.16") * 12
    decode([rows + sentence(b"!done", b".tag=1")], {b"1": command}, patterns)
    best = patterns.book(command).best()
    assert best is not None
    assert isinstance(best.pattern, RowPattern)
    assert best.pattern.bulk is None
