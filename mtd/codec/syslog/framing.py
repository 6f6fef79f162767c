"""Lines out of a stream: syslog over TCP and TLS (RFC 6587, RFC 5425).

Who sends decides how: ``length message`` (octet counting), or a newline, carriage return or NUL behind each
message. RouterOS sends its default and syslog forms with nothing at all in between: what came with one
segment is a message then, as far as that can be told, so whoever reads says when nothing more is there.
"""

from __future__ import annotations

import re

from mtd.codec.syslog.line import MAX_BYTES

_COUNT = re.compile(rb"([1-9]\d{0,5}) (?=<)")
_DIGITS = re.compile(rb"[1-9]\d{0,5} ?")
_ENDS = re.compile(rb"[\r\n\0]+")


class Framer:
    """Cuts a stream into messages. ``oversized``: messages of which only the beginning was kept."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self.oversized = 0
        self._max_bytes = max_bytes
        self._rest = b""
        self._skip = 0  # of a counted message that is too long: what is still to come
        self._skipping = False  # of one that isn't counted: up to its end

    @property
    def waiting(self) -> int:
        """Bytes of a message that isn't complete."""
        return len(self._rest)

    def feed(self, data: bytes) -> list[bytes]:
        """Take what came; return the messages that are complete with it."""
        found: list[bytes] = []
        rest = self._rest + data
        while rest:
            before = len(rest)
            if self._skip or self._skipping:
                rest = self._skipped(rest)
            elif (counted := _COUNT.match(rest)) is not None:
                rest = self._counted(rest, counted, found)
            elif _DIGITS.fullmatch(rest):
                break  # perhaps a count, of which the rest is to come
            else:
                rest = self._delimited(rest, found)
            if len(rest) == before:
                break
        self._rest = rest
        return [one for one in found if one]

    def flush(self) -> list[bytes]:
        """Return what waits for an end that won't come: the sender has paused, or closed."""
        rest, self._rest = self._rest, b""
        if self._skip or self._skipping:
            self._skipping = False
            return []
        return [rest] if rest.strip(b"\r\n\0 ") else []

    def _skipped(self, rest: bytes) -> bytes:
        if self._skip:
            passed = min(self._skip, len(rest))
            self._skip -= passed
            return rest[passed:]
        end = _ENDS.search(rest)
        if end is None:
            return b""
        self._skipping = False
        return rest[end.end() :]

    def _counted(self, rest: bytes, counted: re.Match[bytes], found: list[bytes]) -> bytes:
        length, begin = int(counted[1]), counted.end()
        if length > self._max_bytes:
            if len(rest) - begin < self._max_bytes:
                return rest
            found.append(rest[begin : begin + self._max_bytes])
            self.oversized += 1
            self._skip = length - self._max_bytes
            return rest[begin + self._max_bytes :]
        if len(rest) - begin < length:
            return rest
        found.append(rest[begin : begin + length].strip(b"\r\n\0"))
        return rest[begin + length :].lstrip(b"\r\n")

    def _delimited(self, rest: bytes, found: list[bytes]) -> bytes:
        end = _ENDS.search(rest)
        if end is not None:
            if end.start() > self._max_bytes:
                self.oversized += 1
            found.append(rest[: min(end.start(), self._max_bytes)])
            return rest[end.end() :]
        if len(rest) > self._max_bytes:
            found.append(rest[: self._max_bytes])
            self.oversized += 1
            self._skipping = True
            return b""
        return rest
