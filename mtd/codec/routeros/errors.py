"""The one error of this codec."""

from __future__ import annotations


class ProtocolDamaged(Exception):
    """The stream is not, or no longer, a readable API stream: drop the session.

    ``peek`` holds the first bytes that could not be read, so that whoever
    knows other protocols can tell the user what is listening there.
    """

    def __init__(self, reason: str, peek: bytes = b"") -> None:
        super().__init__(reason)
        self.reason = reason
        self.peek = peek
