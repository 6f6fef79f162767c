"""Messages out of a stream, whatever pieces it comes in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtd.codec.syslog import Framer

MESSAGE = st.binary(min_size=1, max_size=60).map(
    lambda body: b"<30>" + body.translate(None, b"\r\n\0").strip(b" ") + b"."
)


def fed(stream: bytes, cuts: list[int], framer: Framer | None = None) -> list[bytes]:
    framer = framer or Framer()
    found, begin = [], 0
    for cut in [*sorted({cut % (len(stream) + 1) for cut in cuts}), len(stream)]:
        found += framer.feed(stream[begin:cut])
        begin = cut
    return found


CUTS = st.lists(st.integers(0, 10_000), max_size=12)


@given(st.lists(MESSAGE, max_size=8), CUTS)
def test_counted_messages(messages: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(b"%d %s" % (len(one), one) for one in messages)
    assert fed(stream, cuts) == messages


@given(st.lists(MESSAGE, max_size=8), CUTS, st.sampled_from([b"\n", b"\r\n", b"\0", b"\n\n"]))
def test_delimited_messages(messages: list[bytes], cuts: list[int], end: bytes) -> None:
    assert fed(b"".join(one + end for one in messages), cuts) == messages


@given(st.lists(st.tuples(MESSAGE, st.booleans()), max_size=8), CUTS)
def test_both_in_one_stream(messages: list[tuple[bytes, bool]], cuts: list[int]) -> None:
    stream = b"".join(b"%d %s" % (len(one), one) if counted else one + b"\n" for one, counted in messages)
    assert fed(stream, cuts) == [one for one, _ in messages]


def test_what_has_no_end_is_given_when_its_sender_pauses() -> None:
    """RouterOS over TCP: nothing stands between its messages."""
    framer = Framer()
    assert framer.feed(b"system,info router rebooted") == []
    assert framer.waiting == 27
    assert framer.flush() == [b"system,info router rebooted"]
    assert framer.flush() == []


@pytest.mark.parametrize("counted", [False, True])
def test_what_is_too_long_is_cut_once_and_costs_the_next_one_nothing(counted: bool) -> None:
    long = b"<30>" + b"x" * 500
    stream = b"%d %s" % (len(long), long) if counted else long + b"\n"
    for step in (1, 7, 2000):
        framer = Framer(max_bytes=100)
        found = []
        whole = stream + b"<30>next\n"
        for begin in range(0, len(whole), step):
            found += framer.feed(whole[begin : begin + step])
        # One byte more than may be: who reads it sees that it was longer.
        assert found == [long[:101], b"<30>next"]
        assert framer.waiting == 0


@given(st.lists(st.binary(max_size=80), max_size=20))
def test_memory_is_bounded_whatever_comes(pieces: list[bytes]) -> None:
    framer = Framer(max_bytes=50)
    for piece in pieces:
        framer.feed(piece)
        assert framer.waiting <= 50 + 7 + 80
    framer.flush(ended=True)
    assert framer.waiting == 0


def test_a_sender_tells_where_messages_end_or_does_not() -> None:
    for stream, tells in (
        (b"system,info a", False),
        (b"a\nb", False),
        (b"system,info a\n", True),
        (b"14 <30>system", True),
    ):
        framer = Framer()
        framer.feed(stream)
        assert framer.tells_ends is tells


def test_a_pause_within_a_counted_message_is_no_end_of_it() -> None:
    framer = Framer()
    assert framer.feed(b"8 <30>") == []
    assert framer.flush() == []
    assert framer.feed(b"abcd9 <30>efghi") == [b"<30>abcd", b"<30>efghi"]
    assert framer.feed(b"9 <30>ef") == []
    assert framer.flush(ended=True) == [b"<30>ef"]
