"""Which part of a range comes from the sums of hours, and which from those of minutes."""

from __future__ import annotations

from dataclasses import dataclass

from mtd.core.errors import Refused
from mtd.model.flows import MINUTE_US
from mtd.storage.config import RetentionConfig
from mtd.storage.partitioned import DAY_US, HOUR_US

LONG_US = 2 * HOUR_US
"""Longer ranges are read by the hour where they can be: sixty times less is read."""


@dataclass(frozen=True, slots=True)
class Spans:
    """A range, and the whole hours within that are read as such. They are none if their ends are the same."""

    start_us: int
    end_us: int
    hours_start_us: int
    hours_end_us: int

    @property
    def by_hours(self) -> bool:
        """Whether there are such hours."""
        return self.hours_start_us < self.hours_end_us

    @property
    def edges(self) -> list[tuple[int, int]]:
        """What is beside the hours."""
        if not self.by_hours:
            return [(self.start_us, self.end_us)]
        around = [(self.start_us, self.hours_start_us), (self.hours_end_us, self.end_us)]
        return [(start, end) for start, end in around if start < end]


@dataclass(frozen=True, slots=True)
class Kept:
    """Since when something is kept."""

    records_us: int
    minutes_us: int

    @classmethod
    def of(cls, config: RetentionConfig, now_us: int) -> Kept:
        """Return it by the configuration: days count with today."""
        today_us = now_us // DAY_US * DAY_US
        return cls(
            *(today_us - (days - 1) * DAY_US for days in (config.flows_days, config.flow_sums_1m_days))
        )


def spans_of(start_us: int, end_us: int, kept: Kept, step_us: int = 0) -> Spans:
    """Return what is read for [start, end): whole minutes, or steps; whole hours where minutes aren't kept any more.

    ``step_us``: what has to be told apart, a multiple of minutes; 0 if nothing has to.
    Raises Refused for steps within hours of which only the whole is kept.
    """
    start_us, end_us = (
        start_us // (step_us or MINUTE_US) * (step_us or MINUTE_US),
        _up(end_us, step_us or MINUTE_US),
    )
    hourly = step_us % HOUR_US == 0
    if start_us < kept.minutes_us:
        if not hourly:
            raise Refused(
                "start_time: sums of flows by the minute aren't kept for so long: ask for steps of whole hours,"
                " or a later start"
            )
        start_us = start_us // HOUR_US * HOUR_US
        if end_us // HOUR_US * HOUR_US < kept.minutes_us:
            end_us = _up(end_us, HOUR_US)
    first_us, last_us = _up(start_us, HOUR_US), end_us // HOUR_US * HOUR_US
    long = end_us - start_us > LONG_US or start_us < kept.minutes_us
    if not (hourly and long) or first_us >= last_us:
        return Spans(start_us, end_us, start_us, start_us)
    return Spans(start_us, end_us, first_us, last_us)


def _up(us: int, step_us: int) -> int:
    return -(-us // step_us) * step_us
