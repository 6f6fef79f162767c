"""When a way that is closed is tried again."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Retries:
    """As the device itself is tried: longer and longer, and rarely once it keeps failing. Seconds."""

    first_s: float = 1.0
    cap_s: float = 30.0
    breaker_failures: int = 5
    breaker_open_s: float = 60.0
