"""Which current-state tables say what people call the instances of metrics."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LabelSource:
    """A table whose rows name the instances of a scope, and the fields that do.

    Where several tables name one scope (those of two protocols), each has its
    ``place``: the lowest that knows an instance names it.
    """

    scope: str
    table: str
    name: str = "name"
    comment: str = "comment"
    place: int = 0

    def names(self, fields: Mapping[str, str]) -> tuple[str, str]:
        """Return name and comment of a row; empty where it has none."""
        return fields.get(self.name, ""), fields.get(self.comment, "")


INTERFACES = "iface"
"""The scope of interfaces: the one whose things have types as well."""


def label_sources(declared: Iterable[tuple[str, str, str, str]]) -> tuple[LabelSource, ...]:
    """Return the sources made of (scope, table, name field, comment field), each table once. The first counts."""
    found: dict[str, LabelSource] = {}
    places: dict[str, int] = {}
    for scope, table, name, comment in declared:
        if table not in found:
            place = places.get(scope, 0)
            places[scope] = place + 1
            found[table] = LabelSource(scope, table, name, comment, place)
    return tuple(found.values())
