"""What a router can do, as the command line shows it."""

from __future__ import annotations

from typing import Any

from rich.table import Table

from mtd.cli.output import plain
from mtd.client.values import Device

_STYLE = {"serves": "green", "closed": "red"}


def capability_record(found: Device) -> dict[str, Any]:
    """Return the record of a router (S000-6.2b): what it is, and a flag for each thing that is known."""
    flags = {name: True for name in found.capabilities} | {name: False for name in found.absent_capabilities}
    return {
        "name": found.name,
        "routeros_major": found.routeros_major,
        "routeros_version": found.routeros_version,
        "board_name": found.board_name,
        "wifi_mode": _detail(found, "wifi_mode"),
        "supports_rest": flags.get("rest"),
        "rest": _detail(found, "rest"),
        "flags": dict(sorted(flags.items())),
        "details": dict(sorted({**found.absent_capabilities, **found.capabilities}.items())),
        "ways": found.way_states,
    }


def capability_table(found: Device) -> Table:
    """Return the record as a table."""
    table = Table(
        "Capability", "There", "What the router said", title=plain(found.name), title_justify="left"
    )
    version = found.routeros_version or "not probed yet"
    table.add_row("RouterOS", str(found.routeros_major or ""), plain(f"{version} {found.board_name}".strip()))
    for name in sorted({*found.capabilities, *found.absent_capabilities}):
        there = name in found.capabilities
        mark = "[green]yes[/]" if there else "[dim]no[/]"
        detail = found.capabilities[name] if there else found.absent_capabilities[name]
        table.add_row(plain(name), mark, plain(detail))
    for state in found.way_states:
        table.add_row(f"way {plain(state.way)}", _marked(state.state), plain(state.detail))
    return table


def way_lines(found: Device) -> list[str]:
    """Return the ways to a router, one a line, the best first."""
    if not found.way_states:
        return [plain(way) for way in found.ways]
    return [
        f"{plain(state.way):4} {_marked(state.state)} {plain(state.detail)}" for state in found.way_states
    ]


def _marked(state: str) -> str:
    style = _STYLE.get(state, "dim")
    return f"[{style}]{plain(state)}[/]"


def _detail(found: Device, name: str) -> str | None:
    return found.capabilities.get(name, found.absent_capabilities.get(name))
