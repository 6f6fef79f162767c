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
_LAST = (b"\r", b"\n", b"\0")
_ENDS = re.compile(rb"[\r\n\0]+")


class Framer:
    """Cuts a stream into messages. Of one that is too long, the beginning is returned, one byte longer than may be."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self.tells_ends = False
        """Whether the sender tells where messages end: it has counted one, or ended what it sent with an end, or sent several
        ends at once, and has not paused without one since. A single end in the middle may be a part of a message."""
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
        text = self._rest + data if self._rest else data
        place, end = 0, len(text)
        while place < end:
            before = place
            if self._skip or self._skipping:
                place = self._skipped(text, place)
            elif (counted := _COUNT.match(text, place)) is not None:
                self.tells_ends = True
                place = self._counted(text, counted, found)
            elif _DIGITS.fullmatch(text, place):
                break  # perhaps a count, of which the rest is to come
            else:
                place = self._delimited(text, place, found)
            if place == before:
                break
        self._rest = text[place:]
        self.tells_ends = self.tells_ends or data[-1:] in _LAST or len(found) > 1
        return [one for one in found if one]

    def flush(self, *, ended: bool = False) -> list[bytes]:
        """Return what waits for an end that won't come: the sender has paused.

        ``ended``: or it has closed. Only then is a counted message given up, and what came of it returned.
        """
        counted = _COUNT.match(self._rest)
        if counted is not None and not ended:
            return []
        rest, self._rest = self._rest[counted.end() if counted else 0 :], b""
        if rest:
            self.tells_ends = False  # this one has none
        if self._skip or self._skipping:
            self._skipping = False
            return []
        return [rest] if rest.strip(b"\r\n\0 ") else []

    def _skipped(self, text: bytes, place: int) -> int:
        if self._skip:
            passed = min(self._skip, len(text) - place)
            self._skip -= passed
            return place + passed
        end = _ENDS.search(text, place)
        if end is None:
            return len(text)
        self._skipping = False
        return end.end()

    def _counted(self, text: bytes, counted: re.Match[bytes], found: list[bytes]) -> int:
        length, begin = int(counted[1]), counted.end()
        most = self._max_bytes + 1
        if length > most:
            if len(text) - begin < most:
                return counted.start()
            found.append(text[begin : begin + most])
            self._skip = length - most
            return begin + most
        if len(text) - begin < length:
            return counted.start()
        found.append(text[begin : begin + length].strip(b"\r\n\0"))
        after = _ENDS.match(text, begin + length)
        return begin + length if after is None else after.end()

    def _delimited(self, text: bytes, place: int, found: list[bytes]) -> int:
        most = self._max_bytes + 1
        end = _ENDS.search(text, place)
        if end is not None:
            found.append(text[place : min(end.start(), place + most)])
            return end.end()
        if len(text) - place > self._max_bytes:
            found.append(text[place : place + most])
            self._skipping = True
            return len(text)
        return place
