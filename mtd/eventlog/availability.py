"""Whether a log can be appended to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Availability:
    """Whether appending works, and if not, since when (microseconds since the epoch) and why."""

    available: bool = True
    reason: str = ""
    since_us: int = 0
