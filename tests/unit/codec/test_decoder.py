"""The decoder: what sentences mean, and what no router can make it do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtd.codec.routeros import Answer, Decoder, Event, Fatal, Limits, Overflow, ProtocolDamaged, Stamp
from mtd.model.command import Command, Rows, Trap
from tests.unit.codec.oracle import sentence

NOW = Stamp(1.0, 1)
PRINT = Command("/x/print")


def waiting(*tags: bytes, limits: Limits | None = None, command: Command = PRINT) -> Decoder:
    decoder = Decoder(limits)
    for tag in tags or (b"1",):
        decoder.expect(tag, command)
    return decoder


def answer(decoder: Decoder, data: bytes) -> Answer:
    (event,) = decoder.feed(data, NOW)
    assert isinstance(event, Answer)
    return event


def test_rows_keep_absent_apart_from_empty() -> None:
    data = (
        sentence(b"!re", b".tag=1", b"=a=1", b"=b=")
        + sentence(b"!re", b"=b=2", b"=c==x=y", b".tag=1")
        + sentence(b"!done", b".tag=1")
    )
    result = answer(waiting(), data)
    assert result.rows == Rows(2, {"a": (b"1", None), "b": (b"", b"2"), "c": (None, b"=x=y")})
    assert result.size_bytes == len(data)


def test_done_carries_ret() -> None:
    assert answer(waiting(), sentence(b"!done", b".tag=1", b"=ret=42")).done == {"ret": b"42"}


def test_empty_is_no_row() -> None:
    result = answer(waiting(), sentence(b"!empty", b".tag=1") + sentence(b"!done", b".tag=1"))
    assert result.rows == Rows()
    assert result.trap is None


@pytest.mark.parametrize(
    ("words", "trap"),
    [
        ((b"=category=0", b"=message=no such command prefix"), Trap("no such command prefix", 0)),
        ((b"=message=caf\xe9",), Trap("café", None)),
        ((), Trap("", None)),
        ((b"=category=9999999999999", b"=message=x"), Trap("x", None)),
        ((b"=category=-1", b"=message=x"), Trap("x", None)),
        (("=category=²".encode(), b"=message=x"), Trap("x", None)),
    ],
)
def test_a_trap_has_its_message_and_category(words: tuple[bytes, ...], trap: Trap) -> None:
    data = sentence(b"!trap", b".tag=1", *words) + sentence(b"!done", b".tag=1")
    assert answer(waiting(), data).trap == trap


def test_the_first_of_two_traps_counts() -> None:
    data = sentence(b"!trap", b".tag=1", b"=message=a") + sentence(b"!trap", b".tag=1", b"=message=b")
    result = answer(waiting(), data + sentence(b"!done", b".tag=1"))
    assert result.trap == Trap("a")


@pytest.mark.parametrize(
    "words", [(b"session terminated", b"on request"), (b"=message=session terminated on request",)]
)
def test_fatal_has_its_reason(words: tuple[bytes, ...]) -> None:
    assert waiting().feed(sentence(b"!fatal", *words), NOW) == [Fatal("session terminated on request")]


def test_what_is_unknown_is_skipped_and_counted() -> None:
    decoder = waiting()
    data = (
        sentence()
        + sentence(b"!new", b".tag=1", b"=a=1")
        + sentence(b"!re", b".tag=99", b"=a=1")
        + sentence(b"!re", b"=a=1")
        + sentence(b"!re", b".tag=1", b"=a=1", b".about=x", b"=nothing", b"bare", b"==x")
        + sentence(b"!done", b".tag=1")
    )
    assert answer(decoder, data).rows.dicts() == [{"a": b"1"}]
    assert decoder.counts.unknown_sentences == 3
    assert decoder.counts.unknown_words == 4


def test_sentences_without_a_tag_belong_to_the_empty_tag() -> None:
    decoder = waiting(b"")
    assert answer(decoder, sentence(b"!done", b"=ret=00")).done == {"ret": b"00"}


def test_a_tag_can_be_used_again_once_it_is_answered_but_not_before() -> None:
    decoder = waiting(b"1")
    with pytest.raises(ValueError, match="in flight"):
        decoder.expect(b"1", PRINT)
    answer(decoder, sentence(b"!done", b".tag=1"))
    decoder.expect(b"1", PRINT)


def test_the_last_of_equal_keys_counts() -> None:
    data = sentence(b"!re", b".tag=1", b"=a=1", b"=a=2") * 20 + sentence(b"!done", b".tag=1")
    assert answer(waiting(), data).rows == Rows(20, {"a": (b"2",) * 20})


def flood(rows: int, tag: bytes = b"1") -> bytes:
    return b"".join(sentence(b"!re", b".tag=" + tag, b"=n=%d" % n) for n in range(rows))


@pytest.mark.parametrize(
    ("command", "limits", "reason"),
    [
        (Command("/x/print", max_rows=100), None, "over 100 rows"),
        (Command("/x/print", max_bytes=1000), None, "over 1,000 bytes"),
        (PRINT, Limits(session_bytes=1000), "over 1,000 bytes under way in the session"),
    ],
)
def test_a_reply_over_its_limits_is_thrown_away_and_told_once(
    command: Command, limits: Limits | None, reason: str
) -> None:
    decoder = waiting(b"1", b"2", limits=limits, command=command)
    events: list[Event] = []
    for _ in range(5):
        events += decoder.feed(flood(1000), NOW)
        assert decoder.held_bytes == 0
    assert events == [Overflow(b"1", reason)]
    # The other command is not disturbed.
    result = answer(decoder, flood(9, b"2") + sentence(b"!done", b".tag=2"))
    assert result.rows.count == 9
    trap = sentence(b"!trap", b".tag=1", b"=category=2", b"=message=interrupted")
    ended = answer(decoder, trap + sentence(b"!done", b".tag=1"))
    assert ended.overflow
    assert ended.rows == Rows()
    assert ended.trap == Trap("interrupted", 2)


def test_exactly_at_the_limit_is_within_it() -> None:
    decoder = waiting(command=Command("/x/print", max_rows=100))
    assert answer(decoder, flood(100) + sentence(b"!done", b".tag=1")).rows.count == 100


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\xf0\x40\x00\x00\x00", "a word of 1,073,741,824 bytes"),
        (b"\xe0\x20\x00\x00", "a word of 2,097,152 bytes"),
        (b"\xff", "control byte 0xff"),
        (b"HT", "not the RouterOS API"),
        (b"SSH-2.0-OpenSSH\r\n", "not the RouterOS API"),
        (b"\x15\x03\x03\x00\x02\x02\x46", "not the RouterOS API"),
        (b"\x03!re\xf8", "control byte 0xf8"),
        (b"\x03!re" + b"\x02=a" * 5000, "over 4096 words"),
        (sentence(b"!re", *[b"=a=" + b"x" * 1_000_000] * 5), "a sentence of over 4,194,304 bytes"),
    ],
)
def test_damage_is_told_at_once(data: bytes, reason: str) -> None:
    with pytest.raises(ProtocolDamaged, match=reason):
        waiting().feed(data, NOW)


def test_damage_shows_the_first_bytes() -> None:
    with pytest.raises(ProtocolDamaged) as caught:
        waiting().feed(b"HTTP/1.1 400 Bad Request\r\n", NOW)
    assert caught.value.peek == b"HTTP/1.1 400 Bad Request\r\n"


def test_damage_is_known_from_the_second_byte_of_a_slow_stranger() -> None:
    decoder = waiting()
    assert decoder.feed(b"H", NOW) == []
    with pytest.raises(ProtocolDamaged, match="not the RouterOS API"):
        decoder.feed(b"T", NOW)


def test_a_long_word_fed_byte_by_byte_costs_linear_time() -> None:
    data = sentence(b"!re", b".tag=1", b"=a=" + b"x" * 200_000) + sentence(b"!done", b".tag=1")
    decoder = waiting()
    events = [event for at in range(len(data)) for event in decoder.feed(data[at : at + 1], NOW)]
    assert len(events) == 1


@given(st.lists(st.binary(max_size=300), max_size=12))
def test_any_bytes_give_events_or_damage_and_stay_within_limits(chunks: list[bytes]) -> None:
    decoder = waiting(b"1", b"", limits=Limits(word_bytes=64, sentence_bytes=256, sentence_words=16))
    total = 0
    for chunk in chunks:
        total += len(chunk)
        try:
            decoder.feed(chunk, NOW)
        except ProtocolDamaged:
            return
        assert decoder.held_bytes <= min(total, 64 + 256 + 5 + 300)


WORDS = st.sampled_from(
    [
        b"!re",
        b"!done",
        b"!trap",
        b"!empty",
        b"!fatal",
        b".tag=1",
        b".tag=",
        b".tag=2",
        b"=a=1",
        b"=a",
        b"=",
        b"x",
    ]
)


@given(
    st.lists(st.lists(st.one_of(WORDS, st.binary(max_size=200)), max_size=6), max_size=20), st.integers(1, 50)
)
def test_any_sentences_give_the_same_events_in_any_chunks(sentences: list[list[bytes]], size: int) -> None:
    data = b"".join(sentence(*[word for word in words if word]) for words in sentences)

    def events(chunks: list[bytes]) -> list[Event | str]:
        decoder = waiting(b"1", b"2", b"")
        found: list[Event | str] = []
        try:
            for chunk in chunks:
                found += decoder.feed(chunk, NOW)
        except ProtocolDamaged as damage:
            found.append(damage.reason)
        return found

    whole = events([data])
    pieces = events([data[at : at + size] for at in range(0, len(data), size)])
    # Damage in a chunk hides the events before it in that chunk: nobody may trust them.
    if whole and isinstance(whole[-1], str):
        assert pieces[-1] == whole[-1]
    else:
        assert pieces == whole


def test_rows_of_a_reply_that_goes_on_can_be_taken() -> None:
    decoder = waiting(command=Command("/ping", max_rows=2, max_bytes=1000))
    row = sentence(b"!re", b".tag=1", b"=seq=0")
    for _ in range(3):  # more than max_rows in all, but never at a time
        assert decoder.feed(row + row, NOW) == []
        assert decoder.take(b"1").column("seq") == (b"0", b"0")
        assert decoder.held_bytes == 0
    assert decoder.take(b"1") == Rows()
    assert decoder.take(b"unknown") == Rows()
    result = answer(decoder, row + sentence(b"!done", b".tag=1"))
    assert result.rows.count == 1
    assert result.size_bytes == 7 * len(row) + len(sentence(b"!done", b".tag=1"))
    assert decoder.held_bytes == 0


def test_a_reply_that_goes_on_is_bounded_as_a_whole() -> None:
    row = sentence(b"!re", b".tag=1", b"=seq=0")
    decoder = waiting(command=Command("/ping", max_bytes=2 * len(row)))
    for _ in range(2):
        assert decoder.feed(row, NOW) == []
        decoder.take(b"1")
    assert [type(event) for event in decoder.feed(row, NOW)] == [Overflow]
    assert decoder.take(b"1") == Rows()
    assert decoder.held_bytes == 0


@given(st.lists(st.integers(1, 60), max_size=30), st.integers(0, 20))
def test_taken_rows_are_the_rows_however_the_bytes_come(cuts: list[int], count: int) -> None:
    data = b"".join(sentence(b"!re", b".tag=1", b"=seq=%d" % number) for number in range(count))
    data += sentence(b"!done", b".tag=1")
    decoder, got, done = waiting(), [], 0
    for cut in [*cuts, len(data)]:
        events = decoder.feed(data[:cut], NOW)
        data = data[cut:]
        got += decoder.take(b"1").column("seq")
        for event in events:
            assert isinstance(event, Answer)
            got, done = [*got, *event.rows.column("seq")], done + 1
        if not data:
            break
    assert got == [b"%d" % number for number in range(count)]
    assert done == 1
