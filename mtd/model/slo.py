"""What is promised of mtd as a service, and how well it is kept."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass


class Objective(enum.StrEnum):
    """What is promised. Each is a share: of looks at devices, of time, of batches."""

    FRESHNESS_2S = "freshness_2s"
    FRESHNESS_5S = "freshness_5s"
    AVAILABILITY = "availability"
    ACCEPTANCE = "acceptance"
    DETECTION = "detection"


MEANING: Mapping[Objective, str] = {
    Objective.FRESHNESS_2S: "Live values in the database are at most 2 s old, of routers that can be polled.",
    Objective.FRESHNESS_5S: "Live values in the database are at most 5 s old, of routers that can be polled.",
    Objective.AVAILABILITY: "Collectors are there: the time that they take part in.",
    Objective.ACCEPTANCE: "Batches of events are taken at the first try.",
    Objective.DETECTION: "A router that doesn't answer any more is told of within 10 s.",
}


class Window(enum.StrEnum):
    """Over how long a promise is reckoned."""

    HOUR = "1h"
    DAY = "1d"
    MONTH = "30d"

    @property
    def seconds(self) -> int:
        """How long it is."""
        return {Window.HOUR: 3600, Window.DAY: 86_400, Window.MONTH: 30 * 86_400}[self]


@dataclass(frozen=True, slots=True)
class Count:
    """How much was good, of how much."""

    good: float
    total: float

    @property
    def ratio(self) -> float | None:
        """The share that was good; None if there was nothing."""
        return self.good / self.total if self.total else None


@dataclass(frozen=True, slots=True)
class ServiceLevel:
    """How well a promise is kept. ``counts`` by window."""

    objective: Objective
    target: float
    counts: Mapping[Window, Count]

    def burn_rate(self, window: Window) -> float | None:
        """Return how fast the error budget is used: at 1, all of it is gone at the end of the window."""
        ratio = self.counts[window].ratio
        return None if ratio is None else (1 - ratio) / (1 - self.target)

    @property
    def budget_left(self) -> float | None:
        """What is left of the error budget of 30 days, 1 for all of it; below zero: the promise is broken."""
        rate = self.burn_rate(Window.MONTH)
        return None if rate is None else 1 - rate

    @property
    def kept(self) -> bool | None:
        """Whether the promise is kept over 30 days; None if nothing is known."""
        left = self.budget_left
        return None if left is None else left >= 0
