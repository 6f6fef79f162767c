"""Words and sentences: the length prefix, and commands as bytes to send.

Length prefixes are big-endian: 1 byte up to 0x7F, then 2 bytes (0x8000), 3
(0xC00000), 4 (0xE0000000), and 5 with a first byte of 0xF0. First bytes above
that are control bytes, reserved: after one the stream can't be read.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING

from mtd.codec.routeros.errors import ProtocolDamaged

if TYPE_CHECKING:
    from mtd.model.command import Command

END = b"\x00"
INCOMPLETE = -1


def encode_length(length: int) -> bytes:
    """Return the length prefix of a word of ``length`` bytes."""
    if length < 0x80:
        return length.to_bytes(1, "big")
    if length < 0x4000:
        return (length | 0x8000).to_bytes(2, "big")
    if length < 0x20_0000:
        return (length | 0xC0_0000).to_bytes(3, "big")
    if length < 0x1000_0000:
        return (length | 0xE000_0000).to_bytes(4, "big")
    return b"\xf0" + length.to_bytes(4, "big")


def decode_length(buffer: bytes, position: int) -> tuple[int, int]:
    """Return the length of the word at ``position``, and where its content starts.

    The start is `INCOMPLETE` if the prefix itself is not all there yet.
    Raises `ProtocolDamaged` at a control byte.
    """
    first = buffer[position]
    if first < 0x80:
        return first, position + 1
    if first < 0xC0:
        size, mask = 2, 0x3FFF
    elif first < 0xE0:
        size, mask = 3, 0x1F_FFFF
    elif first < 0xF0:
        size, mask = 4, 0xFFF_FFFF
    elif first == 0xF0:
        size, mask = 5, 0xFFFF_FFFF
    else:
        raise ProtocolDamaged(
            f"control byte 0x{first:02x} in place of a word length", buffer[position : position + 16]
        )
    start = position + size
    if start > len(buffer):
        return size, INCOMPLETE
    return int.from_bytes(buffer[position:start], "big") & mask, start


def encode_word(word: bytes) -> bytes:
    """Return a word with its length prefix."""
    return encode_length(len(word)) + word


def encode_sentence(words: Iterable[bytes]) -> bytes:
    """Return a sentence, its end included."""
    return b"".join(map(encode_word, words)) + END


def encode_command(command: Command, tag: bytes = b"") -> bytes:
    """Return a command as the bytes to send, tagged if ``tag`` isn't empty."""
    words = _command_words(command)
    return words + encode_word(b".tag=" + tag) + END if tag else words + END


def encode_cancel(target: bytes, tag: bytes) -> bytes:
    """Return the request to cancel the command that was tagged ``target``."""
    return encode_sentence((b"/cancel", b"=tag=" + target, b".tag=" + tag))


@lru_cache(maxsize=32_768)
def _command_words(command: Command) -> bytes:
    # Every poll sends the same few commands, some of them with the ids of its router's interfaces.
    words = [command.path.encode()]
    words += [f"={name}={value}".encode() for name, value in command.arguments]
    if command.proplist:
        words.append(b"=.proplist=" + ",".join(command.proplist).encode())
    words += [b"?" + query.encode() for query in command.queries]
    return b"".join(map(encode_word, words))
