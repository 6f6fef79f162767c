"""The truth about all routers of a lab run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mtd.lab.clock import LabClock
from mtd.lab.scenario import Fault, Scenario, load
from mtd.lab.truth import RouterTruth


class World:
    """The routers' truth by name, and the clock whose ticks it is told in.

    Another process that makes a World of the same scenario and epoch computes
    the same values: the lab writes both into its state file.
    """

    def __init__(self, scenario: Scenario, epoch_us: int | None = None) -> None:
        self.scenario = scenario
        self.clock = LabClock(epoch_us)
        self._routers = {spec.name: RouterTruth(spec, scenario.seed) for spec in scenario.routers()}

    @classmethod
    def from_file(cls, path: str | Path, epoch_us: int | None = None) -> World:
        """Make the world of a scenario file, or of a shipped scenario's name."""
        return cls(load(path), epoch_us)

    @classmethod
    def from_state_file(cls, path: str | Path) -> World:
        """Make the world of a running lab from the state file that it wrote."""
        state = json.loads(Path(path).read_text(encoding="utf-8"))
        return cls(Scenario.model_validate(state["scenario"]), state["epoch_us"])

    def router(self, name: str) -> RouterTruth:
        """Return the truth about a router."""
        return self._routers[name]

    def __iter__(self) -> Iterator[RouterTruth]:
        return iter(self._routers.values())

    def __len__(self) -> int:
        return len(self._routers)

    def replay(self, timeline: list[dict[str, Any]]) -> None:
        """Apply the faults that were injected live: the answer to the control's ``timeline``.

        Each is {"router", "fault", "start_tick", "end_tick"}. Call it once, on
        a world as it was made.
        """
        for entry in timeline:
            truth = self.router(entry["router"])
            applied = truth.schedule(Fault.model_validate(entry["fault"]), entry["start_tick"])
            applied.end_tick = entry["end_tick"]
            truth.apply(applied)
