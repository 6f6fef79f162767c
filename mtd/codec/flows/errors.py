"""What can't be a message of flows."""

from __future__ import annotations


class NotFlows(ValueError):
    """A datagram, or the rest of one, that can't be read. ``reason`` is short and one of few."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
