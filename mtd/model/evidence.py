"""Who saw what an event tells, and the number by which two of them know that it is one fact."""

from __future__ import annotations

import enum
import hashlib

_NUMBER_BYTES = 8


class Source(enum.IntEnum):
    """Who tells of an event. The numbers are those of the table ``event``, and mean the same for ever."""

    POLL = 1
    SYSLOG = 2
    TRAP = 3


WORDS = {source: source.name.lower() for source in Source}
"""What people read."""
UNKNOWN = "unknown"
"""What they read of a source that a newer mtd has brought."""


def source_of(number: int) -> Source | None:
    """Return who a number of the table stands for; None if a newer mtd wrote it."""
    return Source(number) if number in Source.__members__.values() else None


def fact_number(tenant_id: str, event_type: str, name: str, value: str | None) -> int:
    """Return the number of what is told of a thing of a device: signed, of 64 bits.

    ``name``: what the device itself calls the thing; empty for the device. ``value``: the new state, None where there is none
    to tell apart: that a router booted is the same fact whatever its uptime is by now.
    """
    told = [tenant_id, event_type, name] if value is None else [tenant_id, event_type, name, value.casefold()]
    digest = hashlib.blake2b("\0".join(told).encode(), digest_size=_NUMBER_BYTES).digest()
    return int.from_bytes(digest, "big", signed=True)
