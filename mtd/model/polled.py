"""What came of polls that somebody asked for."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from mtd.model.metric import Tier


class PollResult(enum.StrEnum):
    """What came of polling a tier when somebody asked for it."""

    POLLED = "polled"
    FRESH = "fresh"  # it was polled a moment before, and isn't again
    SKIPPED = "skipped"  # it may not be polled at the moment
    UNFINISHED = "unfinished"  # it wasn't done when nobody waited any longer


@dataclass(frozen=True, slots=True)
class PolledTier:
    """A tier that was asked for. ``detail``: the result in words, empty for one that was polled.

    ``commands``: those that the router answered, within ``duration_us``.
    """

    tier: Tier
    result: PollResult
    detail: str = ""
    commands: int = 0
    duration_us: int = 0
