"""What one poll gave, for menus that are made of several answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from mtd.model.command import Reply, Rows
from mtd.plugin.plan import AnyMenu, Plan, Step, companion_rows


@dataclass(frozen=True, slots=True)
class Given:
    """The rows of each step of a plan that was answered, by the step's id."""

    plan: Plan
    rows: Mapping[int, Rows]
    missing: AbstractSet[int]  # steps whose menu the router doesn't have
    late: bool

    @classmethod
    def of(cls, plan: Plan, answered: Iterable[tuple[Step, Reply]], late: bool) -> Given:
        """Sort the answers to a plan."""
        rows, missing = {}, set()
        for step, reply in answered:
            if reply.trap is None:
                rows[id(step)] = companion_rows(reply)
            elif reply.trap.no_such_command:
                missing.add(id(step))
        return cls(plan, rows, missing, late)

    def lacks(self, mapped: AnyMenu) -> bool:
        """Whether an answer that a menu needs didn't come: of one companion, or of all for want of the menus."""
        needed = [companion.name for companion in mapped.menu.companions if companion.needed]
        steps = [step for name in needed if (step := self._step(mapped, name)) is not None]
        if any(id(step) not in self.rows and id(step) not in self.missing for step in steps):
            return True
        return bool(needed) and not any(id(step) in self.rows for step in steps)

    def companions_of(self, mapped: AnyMenu) -> dict[str, Rows]:
        """Return the rows of a menu's companions that were answered."""
        steps = {companion.name: self._step(mapped, companion.name) for companion in mapped.menu.companions}
        return {
            name: self.rows[id(step)]
            for name, step in steps.items()
            if step is not None and id(step) in self.rows
        }

    def _step(self, mapped: AnyMenu, companion: str) -> Step | None:
        return self.plan.companions.get((id(mapped), companion))
