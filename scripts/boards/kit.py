"""What a dashboard is made of, and how its expressions are written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Panel:
    """A graph, or the newest number where ``stat`` is set. ``lines``: expression and how its series are called."""

    title: str
    unit: str
    lines: Sequence[tuple[str, str]]
    text: str = ""
    width: int = 8
    stat: bool = False
    red_above: float | None = None
    signed: bool = False


@dataclass(frozen=True, slots=True)
class Board:
    """A dashboard: rows of panels, and what its viewer chooses by."""

    uid: str
    title: str
    text: str
    rows: Sequence[tuple[str, Sequence[Panel]]]
    variables: Sequence[tuple[str, str, str]] = (
        ("instance", "Process", "label_values(mtd_core_loop_late_seconds_count, instance)"),
    )


def rate(metric: str, by: str = "instance", where: str = "") -> str:
    """Return the rate of a counter over what the graph's resolution asks for."""
    return f'sum by ({by}) (rate({metric}{{instance=~"$instance"{where}}}[$__rate_interval]))'


def at(metric: str, where: str = "") -> str:
    """Return a gauge of the chosen processes."""
    return f'{metric}{{instance=~"$instance"{where}}}'


def quantile(share: float, metric: str, by: str = "instance") -> str:
    """Return a quantile of a histogram."""
    return (
        f"histogram_quantile({share}, sum by (le, {by})"
        f' (rate({metric}_bucket{{instance=~"$instance"}}[$__rate_interval])))'
    )


def of_device(metric: str, where: str = "") -> str:
    """Return a value of the chosen router."""
    return f'{metric}{{device=~"$device"{where}}}'
