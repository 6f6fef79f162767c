"""What reading a collector costs a router at most: commands, properties, rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from mtd.model.command import Command
from mtd.model.metric import DEFAULT_INTERVAL_S, Tier
from mtd.plugin.declaration import Collector, Menu


@dataclass(frozen=True, slots=True)
class TierCost:
    """What one poll of a tier costs, if the router has every menu.

    ``properties`` are those asked for of each row, over all commands. ``max_rows``
    and ``max_bytes`` are where replies are given up; usual ones are far smaller.
    """

    tier: Tier
    commands: int
    properties: int
    max_rows: int
    max_bytes: int

    @property
    def commands_per_hour(self) -> float:
        """How many commands that makes at the tier's own interval."""
        return self.commands * 3600.0 / DEFAULT_INTERVAL_S[self.tier]


def cost_of(collector: Collector) -> list[TierCost]:
    """Return what a collector costs, tier by tier. Of two menus of which a router has one, one is counted."""
    costs = []
    for tier in Tier:
        asked: dict[Command, set[str]] = {}
        limits: dict[Command, tuple[int, int]] = {}
        for command in _commands(collector, tier):
            # Menus that read the same share a command, which asks for all they need.
            same = replace(command, proplist=(), max_rows=0, max_bytes=0)
            asked.setdefault(same, set()).update(command.proplist)
            rows, size = limits.get(same, (0, 0))
            limits[same] = max(rows, command.max_rows), max(size, command.max_bytes)
        if asked:
            costs.append(
                TierCost(
                    tier=tier,
                    commands=len(asked),
                    properties=sum(map(len, asked.values())),
                    max_rows=sum(rows for rows, _ in limits.values()),
                    max_bytes=sum(size for _, size in limits.values()),
                )
            )
    return costs


def _commands(collector: Collector, tier: Tier) -> Iterator[Command]:
    for menu in collector.menus:
        if menu.tier is tier and not menu.instead_of:
            yield menu.to_command(_numbers_of(menu))
            for companion in menu.companions:
                yield companion.to_command()


def _numbers_of(menu: Menu) -> tuple[str, ...]:
    """Return what stands for the rows that a monitor is asked for."""
    return (f"the rows of {menu.numbers_of}",) if menu.numbers_of else ()
