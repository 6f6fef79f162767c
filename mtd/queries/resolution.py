"""Which source answers a range, and how wide its buckets are."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

_SPARE_DAYS = 35

SECOND_US = 1_000_000
HOUR_US = 3600 * SECOND_US
DAY_US = 24 * HOUR_US


class Resolution(enum.StrEnum):
    """Where the values of a range come from."""

    AUTO = "auto"
    RAW = "raw"
    TEN_SECONDS = "10s"
    MINUTE = "1m"
    FIVE_MINUTES = "5m"


STEP_S: Mapping[Resolution, int] = MappingProxyType(
    {Resolution.TEN_SECONDS: 10, Resolution.MINUTE: 60, Resolution.FIVE_MINUTES: 300}
)
"""Width of the buckets of rollups."""

ROLLED = tuple(STEP_S)
"""The rollups, the finest first."""


@dataclass(frozen=True, slots=True)
class Kept:
    """How many days each source is kept."""

    raw_days: int = 90
    rollup_days: Mapping[Resolution, int] = field(
        default_factory=lambda: MappingProxyType(
            {Resolution.TEN_SECONDS: 180, Resolution.MINUTE: 730, Resolution.FIVE_MINUTES: 1825}
        )
    )


@dataclass(frozen=True, slots=True)
class Plan:
    """What is read. ``bucket_us`` 0: points as stored; else there are whole buckets from start to end."""

    resolution: Resolution
    start_us: int
    end_us: int
    bucket_us: int = 0

    @property
    def buckets(self) -> int:
        """How many buckets there are; 0 without."""
        return (self.end_us - self.start_us) // self.bucket_us if self.bucket_us else 0


def may_be_raw(asked: Resolution, start_us: int, end_us: int) -> bool:
    """Return whether raw values may answer: over more than a day only who asks for them gets them."""
    return asked is Resolution.RAW or (asked is Resolution.AUTO and end_us - start_us <= DAY_US)


def plan_range(
    asked: Resolution, start_us: int, end_us: int, points: int, stored: int, now_us: int, kept: Kept
) -> Plan:
    """Plan a range. ``stored``: most raw points of one of its series; of no meaning if raw can't answer.

    A bucket is the range divided by ``points``, rounded up to a multiple of
    the rollup's step; of raw values to whole seconds. ``kept`` is what is kept
    of every one of its series: where raw values are gone of a part of the
    range, or there are none, rollups answer.
    """
    whole = Plan(Resolution.RAW, start_us, end_us)
    if asked is Resolution.RAW:
        return whole if stored <= points else _bucketed(whole, SECOND_US, points)
    if asked is not Resolution.AUTO:
        return _bucketed(Plan(asked, start_us, end_us), STEP_S[asked] * SECOND_US, points)
    raw_is_kept = start_us >= _oldest(now_us, kept.raw_days)
    if may_be_raw(asked, start_us, end_us) and raw_is_kept and stored:
        if stored <= points:
            return whole
        if end_us - start_us < points * STEP_S[ROLLED[0]] * SECOND_US:
            return _bucketed(whole, SECOND_US, points)
    resolution = _coarsest((end_us - start_us) / points, start_us, now_us, kept)
    return _bucketed(Plan(resolution, start_us, end_us), STEP_S[resolution] * SECOND_US, points)


def clipped(plan: Plan, now_us: int, kept: Kept) -> Plan:
    """Return the part of a plan with buckets in which something can be stored: whole buckets, or none."""
    width = plan.bucket_us
    if not width:
        return plan
    days = kept.raw_days if plan.resolution is Resolution.RAW else kept.rollup_days[plan.resolution]
    # Partitions go by days and months: a while later than they might.
    oldest = now_us - (days + _SPARE_DAYS) * DAY_US
    newest = now_us + _SPARE_DAYS * DAY_US
    first = min(max(0, (oldest - plan.start_us) // width), plan.buckets)
    end = min(max(first, -(-(newest - plan.start_us) // width)), plan.buckets)
    return Plan(plan.resolution, plan.start_us + first * width, plan.start_us + end * width, width)


def _coarsest(width_us: float, start_us: int, now_us: int, kept: Kept) -> Resolution:
    """Return the coarsest rollup that isn't wider than a bucket; a coarser one where that isn't kept any more."""
    fitting = [one for one in ROLLED if STEP_S[one] * SECOND_US <= width_us] or [ROLLED[0]]
    for one in ROLLED[ROLLED.index(fitting[-1]) :]:
        if start_us >= _oldest(now_us, kept.rollup_days[one]):
            return one
    return ROLLED[-1]


def _oldest(now_us: int, days: int) -> int:
    """Return since when everything is kept: days count with today."""
    return now_us // DAY_US * DAY_US - (days - 1) * DAY_US


def _bucketed(plan: Plan, step_us: int, points: int) -> Plan:
    """Return the plan with buckets that are multiples of a step, as narrow as the number of points allows.

    Buckets begin at multiples of their width, so that a range may touch one
    more than its length tells. A single one would be very wide where such a
    multiple lies within the range: it begins at a multiple of the step.
    """
    span_us = plan.end_us - plan.start_us
    if points == 1:
        whole = _with_buckets(plan, step_us)
        return Plan(plan.resolution, whole.start_us, whole.end_us, whole.end_us - whole.start_us)
    found = _with_buckets(plan, _round_up(-(-span_us // points), step_us))
    # A range touches at most one bucket more than are as long as it.
    return (
        found
        if found.buckets <= points
        else _with_buckets(plan, _round_up(-(-span_us // (points - 1)), step_us))
    )


def _with_buckets(plan: Plan, bucket_us: int) -> Plan:
    start_us = plan.start_us // bucket_us * bucket_us
    end_us = _round_up(plan.end_us, bucket_us)
    return Plan(plan.resolution, start_us, end_us, bucket_us)


def _round_up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple
