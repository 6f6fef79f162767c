"""By which ways a metric can come: its fallbacks, as the declarations have them (S000-G1)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mtd.codec.rest import request_of
from mtd.model.device import Way
from mtd.plugin.declaration import Collector, Column, Counter, Menu, TableKind


def ways_by_key(collectors: Iterable[Collector]) -> dict[str, tuple[Way, ...]]:
    """Return the ways of each metric, the best first. Several menus may bring one: each of theirs counts."""
    found: dict[str, set[Way]] = {}
    for collector in collectors:
        for menu in collector.menus:
            for key, ways in _of_menu(menu):
                found.setdefault(key, set()).update(ways)
    return {key: tuple(way for way in Way if way in ways) for key, ways in found.items()}


def _of_menu(menu: Menu) -> Iterator[tuple[str, set[Way]]]:
    ways = {Way.API}
    if request_of(menu.to_command(("*1",))) is not None:
        ways.add(Way.REST)
    for entry in menu.fields:
        if isinstance(entry, Column):
            continue
        reached = ways | ({Way.SNMP} if _over_snmp(menu, entry.field) else set())
        yield entry.key, reached
        if isinstance(entry, Counter) and entry.rate is not None:
            yield entry.rate.key, reached
    rows = ways | ({Way.SNMP} if _over_snmp(menu, menu.row_key) else set())
    for tally in menu.tallies:
        yield tally.key, rows
        if tally.rate is not None:
            yield tally.rate.key, rows


def _over_snmp(menu: Menu, field: str) -> bool:
    if menu.snmp is None:
        return False
    if menu.kind is TableKind.COUNT_ONLY:
        return bool(menu.snmp.count)
    told = menu.snmp.names()
    if menu.transform is not None or menu.join is not None:
        # What becomes of the rows is code: it is given what SNMP tells of them.
        return bool(told.intersection(menu.proplist) - {menu.row_key})
    return field in told
