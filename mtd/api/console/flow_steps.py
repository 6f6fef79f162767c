"""Which time a chart of flows shows, and in steps of which length. Pure."""

from __future__ import annotations

from dataclasses import dataclass

MINUTE_US = 60_000_000
LATE_US = 10_000_000
"""After a minute its last records are on their way for so long: they are stored some seconds after they came."""

_STEPS_S = (60, 300, 900, 3600, 10_800, 21_600, 86_400)
_MOST_STEPS = 400
_HOUR_S = 3600


@dataclass(frozen=True, slots=True)
class Span:
    """[start, end), whole steps."""

    start_us: int
    end_us: int
    step_s: int


def span_of(seconds: int, end_us: int | None, now_us: int, minutes_kept_us: int) -> Span:
    """Return the steps that hold the ``seconds`` before an end; without one, up to the last step that is over.

    Before ``minutes_kept_us`` there are sums of whole hours only.
    """
    until_us = now_us - LATE_US if end_us is None else end_us
    hourly = until_us - seconds * 1_000_000 < minutes_kept_us
    step_s = next(
        (one for one in _STEPS_S if seconds <= one * _MOST_STEPS and (not hourly or one >= _HOUR_S)),
        _STEPS_S[-1],
    )
    step_us = step_s * 1_000_000
    if end_us is None:
        until_us = until_us // step_us * step_us
    start_us = max(0, until_us - seconds * 1_000_000) // step_us * step_us
    return Span(start_us, max(start_us + step_us, -(-until_us // step_us) * step_us), step_s)
