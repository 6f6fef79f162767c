"""What a collector at the edge says of itself."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CollectorReport:
    """How a collector is. Times are microseconds since the epoch by its own clock; 0: there is none.

    ``buffer_events``: what no hub has acknowledged. ``memory_bytes`` 0, and ``clock_synchronised`` None: it
    doesn't know. ``pressure``: the uppermost tier that it thins out, "t0" to "t3", or "none".
    """

    buffer_events: int = 0
    buffer_bytes: int = 0
    oldest_unsent_us: int = 0
    last_push_us: int = 0
    pressure: str = "none"
    devices: int = 0
    poll_errors: int = 0
    memory_bytes: int = 0
    clock_synchronised: bool | None = None
