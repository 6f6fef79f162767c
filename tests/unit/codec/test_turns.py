"""Replies that take turns on one connection, as commands sent together may get them."""

from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st

from mtd.codec.routeros import Answer, Decoder, PatternCache, Stamp
from mtd.codec.routeros.words import encode_word
from mtd.model.command import Command


def row(tag: int, number: int) -> bytes:
    words = (
        b"!re",
        b".tag=%d" % tag,
        b"=.id=*%X" % number,
        b"=rx-byte=%d" % (number * 977),
        b"=name=e%d" % number,
    )
    return b"".join(map(encode_word, words)) + b"\0"


def done(tag: int) -> bytes:
    return encode_word(b"!done") + encode_word(b".tag=%d" % tag) + b"\0"


def command(tag: int) -> Command:
    return Command(f"/menu{tag}/print", (".id", "rx-byte", "name"), max_rows=10**6, max_bytes=10**8)


@given(
    turns=st.lists(st.tuples(st.integers(0, 3), st.integers(1, 40)), max_size=40),
    cut=st.integers(1, 5000),
)
def test_every_row_goes_to_its_reply(turns: list[tuple[int, int]], cut: int) -> None:
    decoder = Decoder(patterns=PatternCache())
    wanted: dict[int, list[str]] = {tag: [] for tag in range(4)}
    stream = b""
    for tag in wanted:
        decoder.expect(b"%d" % tag, command(tag))
    number = 0
    for tag, count in turns:
        for _ in range(count):
            number += 1
            stream += row(tag, number)
            wanted[tag].append(str(number * 977))
    stream += b"".join(map(done, wanted))
    answers: dict[int, Answer] = {}
    for start in range(0, len(stream), cut):
        for event in decoder.feed(stream[start : start + cut], Stamp(1.0, 1)):
            assert isinstance(event, Answer)
            answers[int(event.tag)] = event
    assert set(answers) == set(wanted)
    for tag, values in wanted.items():
        assert [
            value.decode() for value in answers[tag].rows.column("rx-byte") if value is not None
        ] == values
    assert decoder.held_bytes == 0


def seconds_for(turn: int) -> float:
    """Return the best of some times that 64 KiB of two replies take, which change turns after so many rows."""
    decoder = Decoder(patterns=PatternCache())
    for tag in (0, 1):
        decoder.expect(b"%d" % tag, command(tag))
    rows = [row(number // turn % 2, number) for number in range(30_000)]
    stream = b"".join(rows)
    times = []
    for start in range(0, len(stream) - 65_536, 65_536):
        began = time.thread_time()
        decoder.feed(stream[start : start + 65_536], Stamp(1.0, 1))
        times.append(time.thread_time() - began)
    return min(times)


def test_taking_turns_is_not_dear() -> None:
    """Nothing is searched again and again: hundreds of rows at a time cost hardly more than all at once."""
    assert seconds_for(200) < 8 * seconds_for(30_000)
