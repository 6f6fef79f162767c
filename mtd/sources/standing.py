"""How the ways to a device stand at a moment, as those who poll it see it."""

from __future__ import annotations

from dataclasses import dataclass

from mtd.model.device import Outcome, Way
from mtd.model.ways import WayState


@dataclass(frozen=True, slots=True)
class Fall:
    """Why the best way doesn't serve: what became of it, in words as well."""

    way: Way
    outcome: Outcome
    reason: str


@dataclass(frozen=True, slots=True)
class Standing:
    """``serves`` is None while no way is open; ``best`` is the first of ``states`` that can be tried."""

    best: Way
    serves: Way | None
    states: tuple[WayState, ...]
    fall: Fall | None = None
