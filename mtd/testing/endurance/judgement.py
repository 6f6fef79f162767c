"""From samples to figures: how steep each of them is after the warm-up, and whether that is a leak."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from mtd.testing.endurance.samples import Sample

HOUR_S = 3600.0
MIB = 1024 * 1024
_CONFIDENCE = 0.95
# A line through fewer says nothing.
_FEWEST = 8
# Samples of a minute are alike, by what the allocator happens to hold; the line goes through their medians.
_BLOCK_S = 60.0
_SHARE_OF_ENDS = 5


@dataclass(frozen=True, slots=True)
class Limits:
    """From where on it is a leak. The loop's executor makes a thread when it needs one more at a time, six at most."""

    rss_mib_per_h: float = 1.0
    descriptors: float = 0.0
    threads: float = 6.0


@dataclass(frozen=True, slots=True)
class Line:
    """A line through samples: its slope per hour, between which values it is with 95 % confidence."""

    per_hour: float
    low: float
    high: float
    first: float
    last: float

    def as_dict(self, unit: float = 1.0) -> dict[str, float]:
        """Return it for JSON, in units of ``unit``."""
        return {
            "per_hour": round(self.per_hour / unit, 3),
            "per_hour_low": round(self.low / unit, 3),
            "per_hour_high": round(self.high / unit, 3),
            "first": round(self.first / unit, 2),
            "last": round(self.last / unit, 2),
        }


def line_through(samples: Sequence[Sample], field: str) -> Line | None:
    """Fit a line by the median of all slopes (Theil and Sen): spikes don't tilt it. None if there is too little.

    First and last are medians of the first and last fifth.
    """
    at, values = blocks(samples, field)
    if len(at) < _FEWEST:
        return None
    slope, _, low, high = stats.theilslopes(values, at, _CONFIDENCE)
    ends = max(1, len(values) // _SHARE_OF_ENDS)
    return Line(
        float(slope) * HOUR_S,
        float(low) * HOUR_S,
        float(high) * HOUR_S,
        float(np.median(values[:ends])),
        float(np.median(values[-ends:])),
    )


def blocks(samples: Sequence[Sample], field: str) -> tuple[np.ndarray, np.ndarray]:
    """Return times and medians of blocks of a minute; shorter ones if there are too few of them."""
    at = np.array([sample.at_s for sample in samples])
    values = np.array([getattr(sample, field) for sample in samples])
    at, values = at[np.isfinite(values)], values[np.isfinite(values)]
    if len(at) < 2:
        return at, values
    width = min(_BLOCK_S, (at[-1] - at[0]) / (2 * _FEWEST))
    numbers = ((at - at[0]) // width).astype(int)
    each = np.unique(numbers)
    return (
        np.array([np.median(at[numbers == number]) for number in each]),
        np.array([np.median(values[numbers == number]) for number in each]),
    )


def after_warm_up(samples: Sequence[Sample], warm_up_s: float) -> list[Sample]:
    """Return the samples that count."""
    return [sample for sample in samples if sample.at_s >= warm_up_s]


def figures_of(samples: Sequence[Sample], warm_up_s: float, limits: Limits) -> dict[str, Any]:
    """Return what a run came to. ``problems`` says what leaks; empty is good."""
    kept = after_warm_up(samples, warm_up_s)
    lines = {
        field: line_through(kept, field)
        for field in (
            "rss_bytes",
            "children_rss_bytes",
            "descriptors",
            "own_descriptors",
            "threads",
            "tasks",
            "log_bytes",
        )
    }
    figures: dict[str, Any] = {
        "samples": len(samples),
        "warm_up_s": round(warm_up_s, 1),
        "measured_s": round(kept[-1].at_s - kept[0].at_s, 1) if kept else 0.0,
    }
    for field, line in lines.items():
        unit = MIB if field.endswith("_bytes") else 1.0
        name = field.replace("_bytes", "_mib")
        figures[name] = None if line is None else line.as_dict(unit)
    if kept:
        seconds = max(1e-9, kept[-1].at_s - kept[0].at_s)
        figures |= {
            "polls_per_s": round((kept[-1].polls - kept[0].polls) / seconds, 1),
            "polls_skipped": int(kept[-1].polls_skipped - kept[0].polls_skipped),
            "dropped": int(kept[-1].dropped),
            "lag_s_max": round(max(sample.lag_s for sample in kept), 2),
            "machine_load": round(float(np.mean([sample.machine_load for sample in kept])), 1),
        }
    figures["problems"] = problems_of(lines, limits)
    return figures


def problems_of(lines: dict[str, Line | None], limits: Limits) -> list[str]:
    """Return what grows: memory by its slope, what can be counted by its ends."""
    rss, descriptors, threads = lines["rss_bytes"], lines["own_descriptors"], lines["threads"]
    if rss is None or descriptors is None or threads is None:
        return ["too few samples were taken after the warm-up to tell: let it run longer"]
    problems = []
    if rss.per_hour > limits.rss_mib_per_h * MIB:
        problems.append(
            f"memory grows by {rss.per_hour / MIB:.2f} MiB an hour, at most {limits.rss_mib_per_h:g} are fine"
        )
    for name, line, limit in (
        ("descriptors", descriptors, limits.descriptors),
        ("threads", threads, limits.threads),
    ):
        if line.last - line.first > limit:
            problems.append(f"{line.last - line.first:g} {name} were not given back")
    return problems
