"""What can't be a message of flows."""

from __future__ import annotations


class NotFlows(ValueError):
    """A datagram, or the rest of one, that can't be read. ``reason`` is short and one of few."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


MAX_DATAGRAM_BYTES = 9216
"""Of one jumbo frame. Exporters keep to their link's; a datagram of 64 KiB could hold 16,000 sets."""


def refuse_long(datagram: bytes) -> None:
    """Raise NotFlows if no exporter sends such a long datagram."""
    if len(datagram) > MAX_DATAGRAM_BYTES:
        raise NotFlows("too long")
