"""Encoding of answers: rows, ends and errors, with the tag where the version puts it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mtd.lab.wire import attribute, word

_RE = word(b"!re")
_END = b"\x00"


@dataclass(slots=True)
class Answer:
    """Encoded sentences, and what they hold, for the statistics."""

    data: bytes
    rows: int = 0
    values: int = 0


class ReplyFormat:
    """Encodes the sentences of one command."""

    __slots__ = ("_after", "_before", "tag")

    def __init__(self, tag: bytes | None, *, tag_first: bool) -> None:
        self.tag = tag
        tag_word = b"" if tag is None else word(b".tag=" + tag)
        self._before = tag_word if tag_first else b""
        self._after = (b"" if tag_first else tag_word) + _END

    def rows(self, bodies: list[bytes]) -> bytes:
        """Return ``!re`` sentences of encoded attribute words."""
        if not bodies:
            return b""
        head = _RE + self._before
        return head + (self._after + head).join(bodies) + self._after

    def sentence(self, reply_word: bytes, attributes: Iterable[tuple[bytes, bytes]] = ()) -> bytes:
        """Return one sentence."""
        body = b"".join(attribute(key, value) for key, value in attributes)
        return word(reply_word) + self._before + body + self._after

    def done(self, ret: bytes | None = None) -> bytes:
        """Return ``!done``."""
        return self.sentence(b"!done", () if ret is None else ((b"ret", ret),))

    def trap(self, message: bytes, category: int | None = None) -> bytes:
        """Return ``!trap`` without the ``!done`` that follows it."""
        attributes = [] if category is None else [(b"category", b"%d" % category)]
        return self.sentence(b"!trap", [*attributes, (b"message", message)])


def encode_row(row: Mapping[bytes, bytes], keys: Iterable[bytes] | None) -> tuple[bytes, int]:
    """Return the attribute words of a row and their number; ``keys`` None means all."""
    pairs = row.items() if keys is None else [(key, row[key]) for key in keys if key in row]
    words = [attribute(key, value) for key, value in pairs]
    return b"".join(words), len(words)


def fatal(reason: bytes) -> bytes:
    """Return ``!fatal`` with its reason; the connection is closed after it."""
    return word(b"!fatal") + word(reason) + _END
