"""Which commands a poll of a tier sends, and which menus each answer is for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from mtd.model.command import Command, Reply, Rows, shared_command
from mtd.plugin.declaration import Companion, TableKind
from mtd.plugin.metrics_menu import MetricsMenu
from mtd.plugin.reboot import UPTIME_COMMAND, UPTIME_FIELD
from mtd.plugin.snapshot_menu import SnapshotMenu
from mtd.plugin.table_menu import TableMenu
from mtd.plugin.tallies import Tallies

AnyMenu = MetricsMenu | TableMenu | SnapshotMenu
_ID = ".id"
_COUNT_ONLY = ("count-only", "")


Part = tuple[AnyMenu, MetricsMenu | Tallies]
"""Series and lanes of a frame, and the menu whose reads fill them."""


@dataclass(slots=True)
class Step:
    """One command and the menus that its answer feeds."""

    command: Command
    menus: list[AnyMenu] = field(default_factory=list)
    owners: dict[str, None] = field(default_factory=dict)  # collectors that asked for it; none: the host did
    tells_uptime: bool = False


@dataclass(slots=True)
class Plan:
    """The steps of one tier. ``parts`` are in the order of the frame's lanes, each with the menu that feeds it."""

    steps: list[Step]
    commands: list[Command]
    parts: list[Part]
    by_command: dict[Command, Step]
    companions: dict[tuple[int, str], Step]  # by id of the menu and name of the companion
    owners: dict[
        Command, tuple[str, ...]
    ]  # collectors that asked for a command; those of the host's own are missing


def build_plan(
    menus: Iterable[AnyMenu],
    ids: Mapping[tuple[str, str], tuple[str, ...]],
    is_there: Callable[[Companion], bool] = lambda _: True,
    narrowed: Callable[[AnyMenu, Command], Command | None] = lambda _, command: command,
    *,
    mark_documents: bool = False,
) -> Plan:
    """Plan a poll. Menus that read the same thing share one command, which asks for all they need.

    ``ids`` are the row ids of menus, by collector and menu name; a menu whose
    numbers aren't known yet is left out, and so is a companion that isn't there.
    ``narrowed`` says which rows of a menu are read; None if there are none.
    With ``mark_documents`` commands that read nothing but documents say so.
    """
    companions: dict[tuple[int, str], Step] = {}
    steps: dict[Command, Step] = {}
    parts: list[Part] = []
    counted: list[Part] = []
    rated = False
    for mapped in menus:
        menu = mapped.menu
        numbers = ids.get((mapped.collector, menu.numbers_of), ()) if menu.numbers_of else ()
        if menu.numbers_of and not numbers:
            continue
        command = narrowed(mapped, menu.to_command(numbers))
        if command is None:
            continue
        step = _step(steps, command, mapped.collector)
        step.menus.append(mapped)
        for companion in filter(is_there, menu.companions):
            companions[id(mapped), companion.name] = _step(steps, companion.to_command(), mapped.collector)
        if isinstance(mapped, MetricsMenu):
            parts.append((mapped, mapped))
            rated = rated or mapped.has_rates
        elif isinstance(mapped, TableMenu) and mapped.tallies is not None:
            counted.append((mapped, mapped.tallies))
    if rated:
        _step(steps, UPTIME_COMMAND)
    planned = list(steps.values())
    for step in planned:
        if mark_documents and step.menus and all(isinstance(menu, SnapshotMenu) for menu in step.menus):
            step.command = replace(step.command, document=True)
        step.command = shared_command(step.command)
        step.tells_uptime = step.command.path == UPTIME_COMMAND.path and UPTIME_FIELD in step.command.proplist
    by_command = {step.command: step for step in planned}
    owners = {step.command: tuple(step.owners) for step in planned if step.owners}
    return Plan(planned, [s.command for s in planned], parts + counted, by_command, companions, owners)


def _step(steps: dict[Command, Step], command: Command, owner: str = "") -> Step:
    """Return the step that reads what a command reads, widened by what this one asks for, and also its owner's."""
    step = steps.setdefault(replace(command, proplist=(), max_rows=0, max_bytes=0), Step(command))
    step.command = _widened(step.command, command)
    if owner:
        step.owners[owner] = None
    return step


def _widened(one: Command, other: Command) -> Command:
    return replace(
        one,
        proplist=tuple(dict.fromkeys(one.proplist + other.proplist)),
        max_rows=max(one.max_rows, other.max_rows),
        max_bytes=max(one.max_bytes, other.max_bytes),
    )


def rows_for(mapped: AnyMenu, reply: Reply) -> Rows:
    """Return the rows of an answer as a menu sees them, before any transform."""
    menu = mapped.menu
    if menu.kind is TableKind.COUNT_ONLY:
        return _counted(reply, [field.field for field in menu.fields])
    if menu.numbers_of and menu.row_key == _ID:
        return _numbered(reply)
    return reply.rows


def companion_rows(reply: Reply) -> Rows:
    """Return the rows of an answer as a companion's."""
    return _counted(reply, ["ret"]) if _COUNT_ONLY in reply.command.arguments else reply.rows


def _counted(reply: Reply, names: Sequence[str]) -> Rows:
    """Return the number in ``!done`` as one row."""
    return Rows(1, {name: (reply.done.get("ret"),) for name in names})


def unclear(mapped: AnyMenu, reply: Reply) -> bool:
    """Whether nobody knows which row of a monitor is which: there are more or fewer than were asked for."""
    menu = mapped.menu
    return bool(menu.numbers_of) and menu.row_key == _ID and reply.rows.count != len(_ids(reply))


def _ids(reply: Reply) -> list[str]:
    return dict(reply.command.arguments).get("numbers", "").split(",")


def _numbered(reply: Reply) -> Rows:
    """Give rows the ids that were asked for, in their order."""
    ids = _ids(reply)
    return Rows(len(ids), {**reply.rows.columns, _ID: tuple(name.encode("latin-1") for name in ids)})
