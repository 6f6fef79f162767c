"""Whether an egg's README says what its declaration reads."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mtd.plugin.declaration import Collector, Menu, TableKind


def readme_problems(collector: Collector, readme: str) -> list[str]:
    """Return what is missing in a README: a row for each menu and tier, tables, rights, and events."""
    found = []
    for menu in collector.menus:
        shown = menu.path if menu.command == "print" else menu.command_path
        if not re.search(rf"`{re.escape(shown)}` \| {menu.tier.upper()}\b[^|\n]*\|", readme):
            found.append(f"a row of the table of menus that begins | `{shown}` | {menu.tier.upper()} |")
        if menu.kind in {TableKind.CURRENT_STATE, TableKind.SNAPSHOT} and f"`{menu.table}`" not in readme:
            found.append(f"the table or document `{menu.table}`")
        found += [f"the right `{right}`" for right in menu.rights if f"`{right}`" not in readme]
    events = {event for menu in collector.menus for event in _events(menu)}
    found += [f"the event `{event}`" for event in sorted(events) if f"`{event}`" not in readme]
    return list(dict.fromkeys(found))


def _events(menu: Menu) -> Iterator[str]:
    of_fields = (getattr(field, "event", None) for field in menu.fields)
    for event in (menu.appears, menu.vanishes, menu.changes, *of_fields):
        if event is not None:
            yield event.event_type
