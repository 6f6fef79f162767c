from __future__ import annotations

import zlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtd.eventlog.errors import LogDamaged
from mtd.eventlog.interfaces import Source
from mtd.eventlog.jetstream.messages import (
    BATCH,
    STATE,
    Assembler,
    Head,
    Message,
    assemble,
    check,
    cut,
    parse,
    place_crc,
)

SEQ = st.integers(1, 2**53)
TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
SOURCES = st.builds(
    lambda log_id, first, more: Source(log_id, first, first + more), TEXT, SEQ, st.integers(0, 100)
)


@st.composite
def heads(draw: st.DrawFn) -> Head:
    first = draw(SEQ)
    return Head(
        draw(st.sampled_from([BATCH, STATE])),
        f"writer.{draw(st.integers(1, 1000))}",
        first,
        first + draw(st.integers(0, 100)),
        draw(st.integers(0, 2**53)),
        draw(st.integers(0, 2**32 - 1)),
        draw(st.integers(0, 2**31)),
        draw(st.none() | st.binary(max_size=32)),
        draw(st.none() | SOURCES),
        draw(st.integers(1, 9)),
    )


def messages_of(number: int, head: Head, body: bytes, chunk: int) -> list[Message]:
    parts = list(cut(body, chunk))
    head = replace(head, parts=len(parts), size=len(body), kind=BATCH)
    crc = place_crc(head.first_seq, head.last_seq, head.at_us, zlib.crc32(body))
    head = replace(head, crc=crc)
    return [Message(number + at, head.headers(at + 1), part) for at, part in enumerate(parts)]


@given(heads(), st.integers(1, 9))
def test_headers_say_what_they_were_told(head: Head, part: int) -> None:
    headers = head.headers(min(part, head.parts))
    assert all(
        "\n" not in value and "\r" not in value and value == value.strip() for value in headers.values()
    )
    assert parse(headers) == (head, min(part, head.parts))


@given(
    st.dictionaries(
        st.sampled_from(["Mtd-Kind", "Mtd-Part", "Mtd-Seqs", "Mtd-At", "Mtd-Crc", "Mtd-Size", "Mtd-Uid"]),
        TEXT,
    )
)
def test_what_strangers_write_is_told_apart(headers: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="mtd didn't write"):
        parse(headers)


@given(heads(), st.binary(max_size=50), st.integers(1, 20), st.integers(1, 1000))
def test_parts_come_together_again(head: Head, body: bytes, chunk: int, number: int) -> None:
    messages = messages_of(number, head, body, chunk)
    (placed,) = assemble(messages)
    assert placed.body == body
    assert (placed.first_message, placed.last_message) == (number, number + len(messages) - 1)
    check(placed)
    if body:
        with pytest.raises(LogDamaged):
            check(replace(placed, body=bytes([body[0] ^ 1]) + body[1:]))


@given(st.data())
def test_of_a_broken_attempt_nothing_is_left(data: st.DataObject) -> None:
    """Whatever is missing of a batch: it is whole, or it isn't there, and what follows it is."""
    broken = messages_of(1, data.draw(heads()), b"0123456789", 2)
    kept = [message for message in broken if data.draw(st.booleans())]
    after = messages_of(20, replace(data.draw(heads()), uid="writer.next"), b"abcdef", 3)
    stranger = [Message(19, {"X": "y"}, b"?")] if data.draw(st.booleans()) else []
    found = list(assemble([*kept, *stranger, *after]))
    assert found[-1].body == b"abcdef"
    assert [placed.body for placed in found[:-1]] == ([b"0123456789"] if kept == broken else [])


def test_what_is_passed_over_is_counted() -> None:
    head = Head(BATCH, "w.1", 1, 1, 1, 0, 10)
    first, _, third = messages_of(1, head, b"abcdefghi", 3)
    assembler = Assembler()
    assert [assembler.add(message) for message in (first, third, Message(4, {}))] == [None, None, None]
    assert (assembler.orphans, assembler.strangers) == (2, 1)
