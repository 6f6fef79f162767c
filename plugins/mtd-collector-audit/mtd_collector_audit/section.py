"""Documents of one menu of the configuration each.

A menu and its properties are read only if they stand on the list: never
passwords, keys, communities, or the text of scripts. What a router changes by
itself isn't on it either, nor are rows that it makes by itself. So a document
is stored, and an event raised, when somebody changed something.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from mtd.model.command import Rows
from mtd.plugin import DocumentEvent, Menu, snapshot

# Rows that the router made by itself come and go by themselves.
STATIC = ("dynamic=true", "#!")

MenuOf = Callable[..., Menu]


def sorted_by(key: str, rows: Rows) -> Rows:
    """Return the rows in the order of their keys: the order in which they were made says nothing."""
    keys = rows.column(key)
    order = sorted(range(rows.count), key=lambda place: keys[place] or b"")
    return Rows(
        rows.count, {name: [values[place] for place in order] for name, values in rows.columns.items()}
    )


class Section:
    """A section of the configuration: its menus raise events under its name."""

    def __init__(self, name: str) -> None:
        self.name = name

    def settings(self, name: str, path: str, what: str, *fields: str, requires: str = "") -> Menu:
        """Return the document of a menu with one row."""
        return snapshot(self._kind(name), path, *fields, requires=requires, changes=self._event(what))

    def named(
        self,
        name: str,
        path: str,
        what: str,
        *fields: str,
        key: str = "name",
        requires: str = "",
        queries: tuple[str, ...] = STATIC,
    ) -> Menu:
        """Return the document of a menu whose rows have names, in their order."""
        return snapshot(
            self._kind(name),
            path,
            *fields,
            row_key=key,
            requires=requires,
            queries=queries,
            transform=partial(sorted_by, key),
            changes=self._event(what),
            max_rows=5_000,
            max_bytes=4 * 1024 * 1024,
        )

    def rules(
        self,
        name: str,
        path: str,
        what: str,
        *fields: str,
        requires: str = "",
        queries: tuple[str, ...] = STATIC,
    ) -> Menu:
        """Return the document of a menu whose rows have no names; their order may mean something."""
        return snapshot(
            self._kind(name),
            path,
            *fields,
            row_key=".id",
            requires=requires,
            queries=queries,
            changes=self._event(what),
            max_rows=5_000,
            max_bytes=4 * 1024 * 1024,
        )

    def _kind(self, name: str) -> str:
        return f"config.{self.name}.{name}"

    def _event(self, what: str) -> DocumentEvent:
        return DocumentEvent(
            event_type="config.changed",
            entity_type="configuration",
            message=f"{what}: {{changes}}",
            section=self.name,
        )
