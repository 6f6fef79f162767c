"""Which commands a poll of a tier sends, and which menus each answer is for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from mtd.model.command import Command, shared_command
from mtd.plugin.declaration import TableKind
from mtd.plugin.metrics_menu import MetricsMenu
from mtd.plugin.reboot import UPTIME_COMMAND, UPTIME_FIELD
from mtd.plugin.table_menu import SnapshotMenu, TableMenu

AnyMenu = MetricsMenu | TableMenu | SnapshotMenu


@dataclass(slots=True)
class Step:
    """One command and the menus that its answer feeds."""

    command: Command
    menus: list[AnyMenu] = field(default_factory=list)
    tells_uptime: bool = False


@dataclass(slots=True)
class Plan:
    """The steps of one tier. ``metrics`` are in the order of the frame's lanes."""

    steps: list[Step]
    commands: list[Command]
    metrics: list[MetricsMenu]
    by_command: dict[Command, Step]


def build_plan(menus: Iterable[AnyMenu], ids: Mapping[tuple[str, str], tuple[str, ...]]) -> Plan:
    """Plan a poll. Menus that read the same thing share one command, which asks for all they need.

    ``ids`` are the row ids of menus, by collector and menu name; a menu whose
    numbers aren't known yet is left out.
    """
    steps: dict[Command, Step] = {}
    metrics = []
    rated = False
    for mapped in menus:
        menu = mapped.menu
        numbers = ids.get((mapped.collector, menu.numbers_of), ()) if menu.numbers_of else ()
        if menu.numbers_of and not numbers:
            continue
        command = menu.to_command(numbers)
        shared = steps.setdefault(replace(command, proplist=(), max_rows=0, max_bytes=0), Step(command))
        shared.command = _widened(shared.command, command)
        shared.menus.append(mapped)
        if isinstance(mapped, MetricsMenu):
            metrics.append(mapped)
            rated = rated or mapped.has_rates
    if rated:
        blank = replace(UPTIME_COMMAND, proplist=(), max_rows=0, max_bytes=0)
        shared = steps.setdefault(blank, Step(UPTIME_COMMAND))
        shared.command = _widened(shared.command, UPTIME_COMMAND)
    planned = list(steps.values())
    for step in planned:
        step.command = shared_command(step.command)
        step.tells_uptime = step.command.path == UPTIME_COMMAND.path and UPTIME_FIELD in step.command.proplist
    return Plan(planned, [s.command for s in planned], metrics, {s.command: s for s in planned})


def _widened(one: Command, other: Command) -> Command:
    return replace(
        one,
        proplist=tuple(dict.fromkeys(one.proplist + other.proplist)),
        max_rows=max(one.max_rows, other.max_rows),
        max_bytes=max(one.max_bytes, other.max_bytes),
    )


def is_count(mapped: AnyMenu) -> bool:
    """Whether the answer is a number in ``!done``, not rows."""
    return mapped.menu.kind is TableKind.COUNT_ONLY
