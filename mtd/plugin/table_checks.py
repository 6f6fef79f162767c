"""What is wrong with the declaration of a current-state table: its columns, what is private, what is counted."""

from __future__ import annotations

from collections.abc import Iterator

from mtd.model.metric import Unit
from mtd.plugin.declaration import Column, Counted, Level, Menu, Moment, TableKind, Tally

_RATE = (Unit.EVENTS_PER_SECOND, 1.0)


def table_problems(menu: Menu) -> Iterator[str]:
    """Yield one sentence for each thing that is wrong."""
    is_table = menu.kind is TableKind.CURRENT_STATE
    if (menu.tallies or menu.private) and not is_table:
        yield "tallies and private fields are a current-state table's"
    columns = [field for field in menu.fields if isinstance(field, Column)]
    moving = {field.field for field in columns if field.volatile or isinstance(field, Moment | Level)}
    if moving and not is_table:
        yield f"{', '.join(sorted(moving))}: volatile columns, moments and levels are a current-state table's"
    yield from _moment_problems(menu, columns)
    for field in columns:
        if field.event is not None and field.field in moving:
            yield f"{field.field!r} changes by itself: that is no event"
    counted = {name for tally in menu.tallies for name in _counted_by(tally)}
    used = {*menu.private, *counted}
    for name in sorted(used - {menu.row_key, *(field.field for field in menu.fields)}):
        yield f"{name!r} is counted or private, and not read"
    for name in sorted(moving & {*counted, menu.row_key}):
        yield f"{name!r} changes by itself: rows can't be known or counted by it"
    for tally in menu.tallies:
        yield from _tally_problems(tally, menu)


def _moment_problems(menu: Menu, columns: list[Column]) -> Iterator[str]:
    names = [field.name if isinstance(field, Moment) else field.field for field in columns]
    for field in columns:
        if isinstance(field, Level):
            yield from _level_problems(menu, field)
        if not isinstance(field, Moment):
            continue
        if names.count(field.name) > 1 or field.name == menu.row_key:
            yield f"{field.field!r}: its moment is called {field.name!r}, as another column is"
        if field.field in menu.private:
            yield f"{field.field!r} is a moment, and can't be private"
        if field.tolerance_s <= 0:
            yield f"{field.field!r}: tolerance_s has to be over 0"


def _level_problems(menu: Menu, field: Level) -> Iterator[str]:
    if field.field in menu.private:
        yield f"{field.field!r} is a level, and can't be private"
    if field.within <= 0:
        yield f"{field.field!r}: within has to be over 0"


def _counted_by(tally: Tally) -> list[str]:
    return [name for name, _ in tally.where] + ([tally.by] if tally.by else [])


def _tally_problems(tally: Tally, menu: Menu) -> Iterator[str]:
    if bool(tally.by) is not bool(tally.scope):
        yield f"{tally.key}: by and scope go together"
    if tally.by in menu.private:
        yield f"{tally.key}: {tally.by!r} is private: it would be a series for each person"
    if tally.rate is not None and tally.counts is Counted.ROWS:
        yield f"{tally.key}: rows that are there have no rate"
    if tally.rate is not None and (tally.rate.unit, tally.rate.scale) != _RATE:
        yield f"{tally.rate.key}: the rate of {Unit.EVENTS} is {Unit.EVENTS_PER_SECOND}"
    if tally.max_values <= 0:
        yield f"{tally.key}: max_values has to be over 0"
