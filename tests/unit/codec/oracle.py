"""librouteros as the judge of what a stream of sentences means."""

from __future__ import annotations

import io
from collections.abc import Iterable

from librouteros.protocol import ApiProtocol, encode_length, parse_word

from mtd.codec.routeros import Answer, Decoder, Event, Fatal, Overflow, PatternCache, Stamp
from mtd.codec.routeros.shapes import Draft, ShapeBook
from mtd.model.command import Command


def sentence(*words: bytes) -> bytes:
    """Return a sentence as bytes, with librouteros' length prefixes."""
    return b"".join(encode_length(len(word)) + word for word in words) + b"\0"


class _Transport:
    """A transport that reads from bytes."""

    def __init__(self, data: bytes) -> None:
        self._stream = io.BytesIO(data)

    def read(self, length: int) -> bytes:
        return self._stream.read(length)

    def close(self) -> None:
        pass


def oracle_rows(data: bytes) -> dict[bytes, list[dict[str, bytes]]]:
    """Return the rows of a stream by tag, as librouteros reads its sentences and splits its words."""
    # Latin-1 maps every byte to one character and back.
    protocol = ApiProtocol(_Transport(data), "latin-1")  # type: ignore[arg-type]
    size, rows = 0, {}  # type: int, dict[bytes, list[dict[str, bytes]]]
    while size < len(data):
        reply, words = protocol.readSentence()
        packed = [word.encode("latin-1") for word in (reply, *words)]
        size += len(sentence(*packed))
        tag = next((word[5:] for word in packed[1:] if word.startswith(b".tag=")), b"")
        attributes = [word for word in words if word.startswith("=")]
        if reply == "!re":
            row = {}
            for word in attributes:
                key, _ = parse_word(word)
                row[key] = word.split("=", 2)[2].encode("latin-1")
            rows.setdefault(tag, []).append(row)
    return rows


class NeverLearns(PatternCache):
    """Patterns switched off: every row is read word by word."""

    class _Book(ShapeBook):
        def learn(self, order: object, values: object, own: object) -> Draft | None:
            return None

    def book(self, command: Command) -> ShapeBook:
        """Return a book that stays empty."""
        return self._Book()


def decode(
    chunks: Iterable[bytes], commands: dict[bytes, Command], patterns: PatternCache
) -> tuple[dict[bytes, Answer], Decoder]:
    """Feed chunks to a new decoder; return the answers by tag, and the decoder."""
    decoder = Decoder(patterns=patterns)
    for tag, command in commands.items():
        decoder.expect(tag, command)
    events: list[Event] = []
    for number, chunk in enumerate(chunks):
        events += decoder.feed(chunk, Stamp(float(number), number))
    assert not any(isinstance(event, Fatal | Overflow) for event in events)
    answers = [event for event in events if isinstance(event, Answer)]
    assert len(answers) == len({answer.tag for answer in answers})
    return {answer.tag: answer for answer in answers}, decoder
