"""The report of a soak as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("agg")

from matplotlib import pyplot as plt

from mtd.testing.endurance.judgement import HOUR_S, MIB, after_warm_up, line_through
from mtd.testing.endurance.samples import Sample

_PANELS = (
    ("rss_bytes", "Memory of the daemon, MiB", MIB),
    ("descriptors", "Descriptors", 1.0),
    ("threads", "Threads", 1.0),
    ("tasks", "Tasks", 1.0),
    ("lag_s", "Behind the log, seconds", 1.0),
    ("log_bytes", "Log, MiB", MIB),
    ("children_rss_bytes", "Memory of workers, MiB", MIB),
    ("machine_load", "Load of the machine", 1.0),
)
_FITTED = ("rss_bytes", "descriptors", "threads", "tasks")


def draw(samples: Sequence[Sample], warm_up_s: float, title: str, path: Path) -> None:
    """Draw all series over time, the warm-up shaded, with the fitted lines; the ending names the format."""
    figure, axes = plt.subplots(4, 2, figsize=(13, 12), sharex=True, layout="constrained")
    kept = after_warm_up(samples, warm_up_s)
    minutes = [sample.at_s / 60 for sample in samples]
    for axis, (field, label, unit) in zip(axes.flat, _PANELS, strict=True):
        values = [getattr(sample, field) / unit for sample in samples]
        axis.plot(minutes, values, linewidth=0.8, color="#2b6cb0")
        axis.axvspan(0, warm_up_s / 60, color="#000000", alpha=0.06, linewidth=0)
        axis.set_title(label, loc="left", fontsize=10)
        axis.grid(visible=True, alpha=0.3)
        if field in _FITTED:
            _draw_line(axis, kept, field, unit)
    for axis in axes[-1]:
        axis.set_xlabel("minutes; shaded: warm-up")
    figure.suptitle(title, fontsize=12)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _draw_line(axis: Any, kept: Sequence[Sample], field: str, unit: float) -> None:
    line = line_through(kept, field)
    if line is None:
        return
    ends = [kept[0].at_s, kept[-1].at_s]
    middle = (line.first + line.last) / 2
    half = line.per_hour * (ends[1] - ends[0]) / HOUR_S / 2
    text = f"{line.per_hour / unit:+.2f} per hour ({line.low / unit:+.2f} to {line.high / unit:+.2f})"
    axis.plot(
        [end / 60 for end in ends],
        [(middle - half) / unit, (middle + half) / unit],
        color="#c05621",
        linewidth=1.6,
        label=text,
    )
    axis.legend(loc="lower right", fontsize=8)
