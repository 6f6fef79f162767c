"""What is wrong with a menu's declaration of what is read at the live tier."""

from __future__ import annotations

from collections.abc import Iterator

from mtd.model.metric import Tier
from mtd.plugin.declaration import Counter, Menu, Selectable, TableKind

_SPEED = {tier: place for place, tier in enumerate(Tier)}


def selection_problems(menu: Menu) -> Iterator[str]:
    """Yield what is wrong, one sentence each."""
    if menu.selectable is not None:
        yield from _selectable_problems(menu, menu.selectable)
    fields = {field.field for field in menu.fields}
    for choice in menu.chooses:
        if menu.kind is not TableKind.CURRENT_STATE:
            yield "only a current-state table chooses"
        for name in sorted({choice.field, *(name for name, _ in choice.where)} - fields):
            yield f"it chooses by {name!r}, and doesn't read that"


def _selectable_problems(menu: Menu, selectable: Selectable) -> Iterator[str]:
    if menu.kind is not TableKind.METRICS or menu.row_key != ".id":
        yield "selectable is for metrics of rows that have ids"
    if menu.sparse or menu.numbers_of or menu.join is not None:
        yield "the rows of a selectable menu are those that it reads"
    if _SPEED[selectable.rest] <= _SPEED[menu.tier]:
        yield f"the rest of it is read at {selectable.rest}, which isn't slower than {menu.tier}"
    counters = {field.field for field in menu.fields if isinstance(field, Counter)}
    for name in sorted(set(selectable.traffic) - counters):
        yield f"its traffic {name!r} isn't a counter that it reads"
