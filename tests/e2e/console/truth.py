"""What stands on a page, read at one moment, and what the lab's routers truly had at that time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Page

from mtd.lab.truth import RouterTruth
from mtd.lab.world import World
from tests.e2e.kit import Rig

# Between the router's reading of its counters and the collector's stamp, on a busy machine.
SLACK_US = 1_500_000
# Slower flows are coarse by the rounding of the counter itself.
SLOWEST_BPS = 8_000
CPU = "system.cpu.load_pct"

READ = """
() => {
  const number = (text) => (text === undefined ? null : Number(text));
  const cells = (row) => Object.fromEntries([...row.querySelectorAll("[data-key]")].map(
    (cell) => [cell.dataset.key, { value: cell.dataset.value ?? null, tUs: number(cell.dataset.tUs) }]));
  return {
    interfaces: [...document.querySelectorAll("[data-testid=interface]")].map((row) => (
      { id: row.dataset.interface, state: row.dataset.state, cells: cells(row) })),
    kpis: Object.fromEntries([...document.querySelectorAll("[data-testid=kpi]")].map((tile) => (
      [tile.dataset.key, { value: number(tile.dataset.value), tUs: number(tile.dataset.tUs) }]))),
  };
}
"""


def read(page: Page) -> dict[str, Any]:
    """Return the figures of a device's page: those of one moment, as they were sent."""
    found: dict[str, Any] = page.evaluate(READ)
    return found


@dataclass(frozen=True)
class Truth:
    """The truth of one router."""

    world: World
    router: RouterTruth

    @classmethod
    def of(cls, stage: Rig, name: str) -> Truth:
        """Return that of a router of the rig's lab."""
        world = World.from_state_file(stage.lab_state_path)
        return cls(world, world.router(name))

    def ticks(self, t_us: int) -> tuple[int, int]:
        """Return the ticks at which what is stamped with this time may have been read."""
        clock = self.world.clock
        return max(0, clock.tick_at(t_us - SLACK_US)), clock.tick_at(t_us + 5_000)

    def tick_with(self, counters: dict[str, dict[str, int]], t_us: int) -> int | None:
        """Return the tick at which all these counters had these values; interface id -> property -> value."""
        return self.router.match(counters, *self.ticks(t_us))

    def rates(self, interface: str, prop: str, t_us: int) -> list[float]:
        """Return true rates over a second that ended about then, in bits per second."""
        first, last = self.ticks(t_us)
        second = self.world.clock.tick_at(t_us) - self.world.clock.tick_at(t_us - 1_000_000)
        found = [
            self.router.true_rate(interface, prop, tick - second, tick)
            for tick in range(max(first, second), last + 1)
        ]
        return [8 * rate for rate in found if rate is not None]

    def cpu(self, t_us: int) -> set[int]:
        """Return the CPU loads that the router may have shown then."""
        first, last = self.ticks(t_us)
        return {self.router.resource(tick).cpu_load_pct for tick in range(first, last + 1)}

    def memory(self, t_us: int) -> list[float]:
        """Return the shares of memory in use that the router may have had then, percent."""
        first, last = self.ticks(t_us)
        seen = [self.router.resource(tick) for tick in range(first, last + 1)]
        return [100 * (1 - one.free_memory_bytes / one.total_memory_bytes) for one in seen]

    def states(self, t_us: int) -> dict[str, str]:
        """Return interface id -> state as the page names it."""
        return {
            one.id: "disabled" if one.disabled else "up" if one.running else "down"
            for one in self.router.interfaces(self.world.clock.tick_at(t_us))
            if not one.dynamic
        }
