"""The lab's own reading and writing of API sentences."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

_ONE_BYTE = tuple(bytes((length,)) for length in range(0x80))
_CONTROL = 0xF8


class WireError(Exception):
    """What came can't be a sentence: a reserved control byte, or too much of it."""


def encode_length(length: int) -> bytes:
    """Return the length prefix of a word."""
    if length < 0x80:
        return _ONE_BYTE[length]
    if length < 0x4000:
        return (length | 0x8000).to_bytes(2, "big")
    if length < 0x200000:
        return (length | 0xC00000).to_bytes(3, "big")
    if length < 0x10000000:
        return (length | 0xE0000000).to_bytes(4, "big")
    return b"\xf0" + length.to_bytes(4, "big")


def word(content: bytes) -> bytes:
    """Return a word with its length prefix."""
    return encode_length(len(content)) + content


def attribute(key: bytes, value: bytes) -> bytes:
    """Return the encoded word ``=key=value``."""
    content = b"=%b=%b" % (key, value)
    return encode_length(len(content)) + content


def sentence(words: Iterable[bytes]) -> bytes:
    """Return words as an encoded sentence, end mark included."""
    return b"".join(map(word, words)) + b"\x00"


class SentenceReader:
    """Cuts a stream of bytes into sentences.

    ``max_bytes`` bounds one sentence; it is small before login (the router
    protects itself) and larger afterwards.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._buffer = bytearray()
        self._words: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> list[list[bytes]]:
        """Take more bytes and return the sentences that they complete.

        Empty sentences are left out. Raises WireError when the stream can't
        be understood any more.
        """
        buffer = self._buffer
        buffer += data
        position = 0
        sentences: list[list[bytes]] = []
        while True:
            found = _read_length(buffer, position)
            if found is None:
                break
            length, start = found
            if length == 0:
                position = start
                if self._words:
                    sentences.append(self._words)
                self._words, self._size = [], 0
                continue
            if self._size + length > self.max_bytes:
                raise WireError(f"sentence over {self.max_bytes} bytes")
            end = start + length
            if end > len(buffer):
                break
            self._words.append(bytes(buffer[start:end]))
            self._size += length
            position = end
        del buffer[:position]
        return sentences


def _read_length(buffer: bytearray, position: int) -> tuple[int, int] | None:
    """Return (length, where the word starts), or None if bytes are missing."""
    if position >= len(buffer):
        return None
    first = buffer[position]
    if first < 0x80:
        return first, position + 1
    if first >= _CONTROL:
        raise WireError(f"reserved control byte {first:#04x}")
    extra = 1 if first < 0xC0 else 2 if first < 0xE0 else 3 if first < 0xF0 else 4
    if position + 1 + extra > len(buffer):
        return None
    bits = first & (0x7F >> extra)
    rest = int.from_bytes(buffer[position + 1 : position + 1 + extra], "big")
    return (bits << 8 * extra) | rest, position + 1 + extra


@dataclass(slots=True)
class Request:
    """One command sentence, taken apart.

    ``shape`` is the sentence without its tag: requests of one shape get the
    same answer at the same tick.
    """

    path: str
    attributes: dict[bytes, bytes] = field(default_factory=dict)
    queries: tuple[bytes, ...] = ()
    tag: bytes | None = None
    shape: tuple[bytes, ...] = ()

    def flag(self, name: bytes) -> bool:
        """Whether an argument such as ``=once=`` switches something on."""
        return self.attributes.get(name, b"no") not in (b"no", b"false")


def split_tag(words: list[bytes]) -> tuple[bytes | None, tuple[bytes, ...]]:
    """Return (tag, the other words)."""
    for index, content in enumerate(words):
        if content.startswith(b".tag="):
            return content[5:], (*words[:index], *words[index + 1 :])
    return None, tuple(words)


def parse_request(tag: bytes | None, shape: tuple[bytes, ...]) -> Request:
    """Take a sentence apart. Values may hold "=" and any bytes."""
    path = "/" + "/".join(part for part in shape[0].decode("latin-1").split("/") if part)
    attributes: dict[bytes, bytes] = {}
    queries: list[bytes] = []
    for content in shape[1:]:
        if content.startswith(b"?"):
            queries.append(content[1:])
        elif content.startswith((b"=", b".")):
            start = 1 if content.startswith(b"=") else 0
            key, _, value = content[start:].partition(b"=")
            attributes[key] = value
        else:
            raise WireError("a word that is no attribute")
    return Request(path, attributes, tuple(queries), tag, shape)
