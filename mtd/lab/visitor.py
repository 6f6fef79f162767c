"""What faults do to a connection, whatever is spoken on it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from mtd.lab.reply import ReplyFormat
from mtd.lab.scenario import Door
from mtd.lab.state import RouterState

if TYPE_CHECKING:
    from mtd.lab.router import LabRouter


class Visitor(Protocol):
    """A connection to one of a router's doors.

    ``dead``: the other side doesn't know that this end is gone. ``slow_until``:
    when the last of what was slowed down leaves, on the loop's clock.
    """

    door: Door
    router: LabRouter
    state: RouterState
    transport: asyncio.Transport
    logged_in: bool
    dead: bool
    slow_until: float

    def write(self, data: bytes) -> None:
        """Write bytes as they are."""

    def abort(self) -> None:
        """Drop the connection without a word."""

    def close_with(self, reason: bytes) -> bytes:
        """Return what ends the session, and close it once that is written."""

    def hang(self, reply: ReplyFormat) -> None:
        """Take a command and say nothing."""

    def start_huge(self, reply: ReplyFormat, rows: int) -> None:
        """Answer with more rows than anybody wants."""

    def stop_stream(self, tag: bytes) -> None:
        """End what goes on with a tag, without a word."""
