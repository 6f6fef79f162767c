"""What can't be a message of SNMP."""

from __future__ import annotations


class NotSnmp(ValueError):
    """A datagram, or a part of one, that can't be read. ``reason`` is short and one of few."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class NoTrap(NotSnmp):
    """A message that can be read, and tells of nothing: a request, or an answer to one."""
