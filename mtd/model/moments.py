"""Which of two observations is the newer one, where clocks can be set. Pure."""

from __future__ import annotations

CREDIBLE_AHEAD_S = 300
"""What is dated further ahead than this was dated by a clock that has been set back since."""

_AHEAD_US = CREDIBLE_AHEAD_S * 1_000_000


def is_from_future(known_us: int, now_us: int) -> bool:
    """Return whether what is known claims to be of a time that hasn't come yet; both in microseconds.

    It gives way to whatever comes: otherwise a clock that was an hour ahead and was put right would leave all live
    values where they are for that hour.
    """
    return known_us > now_us + _AHEAD_US
