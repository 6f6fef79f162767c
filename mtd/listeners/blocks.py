"""Datagrams and lines that wait, without an object for each: their bytes one behind the other, and numbers beside them."""

from __future__ import annotations

from array import array
from typing import Any

EACH_BYTES = 16
"""What one takes beside its bytes: when it came, where it ends, and whose it is."""
SENDER_BYTES = 400
"""What a sender takes, once in each block: its address, where an answer goes, and its number."""


class Block:
    """Some that came one after the other. They are taken in that order, and its memory is free when it is."""

    __slots__ = ("_at_us", "_data", "_ends", "_numbers", "_senders", "_taken", "_whose", "size")

    def __init__(self) -> None:
        self._data: bytearray | bytes = bytearray()
        self._at_us = array("Q")
        self._ends = array("I")
        self._whose = array("I")
        self._senders: list[tuple[str, Any]] = []
        self._numbers: dict[tuple[str, Any], int] = {}
        self._taken = 0
        self.size = 0
        """What it takes, in bytes."""

    def put(self, at_us: int, data: bytes, sender: str, peer: Any) -> int:
        """Take one in; return by how many bytes that made it larger."""
        whose = (sender, peer)
        number = self._numbers.get(whose)
        more = len(data) + EACH_BYTES
        if number is None:
            number = self._numbers[whose] = len(self._senders)
            self._senders.append(whose)
            more += SENDER_BYTES
        self._data += data
        self._at_us.append(at_us)
        self._ends.append(len(self._data))
        self._whose.append(number)
        self.size += more
        return more

    def seal(self) -> None:
        """Give back what was reserved for more: none comes."""
        self._data = bytes(self._data)
        self._numbers = {}

    @property
    def is_taken(self) -> bool:
        """Whether nothing is left in it."""
        return self._taken == len(self._ends)

    def take(self) -> tuple[int, bytes, str, Any]:
        """Return the oldest that wasn't taken: when it came, its bytes, whose it is. There must be one."""
        place = self._taken
        self._taken += 1
        start = self._ends[place - 1] if place else 0
        return (
            self._at_us[place],
            bytes(self._data[start : self._ends[place]]),
            *self._senders[self._whose[place]],
        )
