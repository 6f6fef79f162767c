"""Which rows of a reply are used, and what their instances are."""

from __future__ import annotations

from collections.abc import Sequence

from mtd.model.command import Rows
from mtd.model.numbers import Numbers
from mtd.model.observation import Observation
from mtd.model.values import Raw
from mtd.plugin import metrics
from mtd.plugin.cap import CapWatch
from mtd.plugin.declaration import Menu
from mtd.plugin.session_names import is_sessions
from mtd.plugin.things import Things


class RowPicker:
    """Remembers the row keys of the last reply, so that equal ones cost a comparison."""

    def __init__(self, menu: Menu, collector: str, things: Things, max_instances: int) -> None:
        self.instances: tuple[str, ...] = ()
        self.ids: tuple[str, ...] = ()  # as the router calls them
        self._menu = menu
        self._collector = collector
        self._things = things
        self._cap = CapWatch(menu, collector, min(menu.max_instances, max_instances))
        self._keys: Sequence[Raw] | None = None
        self._rows = -1
        self._all = True  # every row is used, in its order
        self._positions: list[int] = []

    def differs(self, rows: Rows) -> bool:
        """Return whether the rows are others than those of the last reply."""
        if rows.count != self._rows:
            return True
        key = self._menu.row_key
        return bool(key) and rows.column(key) != self._keys

    def arrange(self, rows: Rows, out: Observation) -> None:
        """Choose the rows: each with a key that is known and there once, up to the cap."""
        self._rows = rows.count
        if not self._menu.row_key:
            self._positions = [0] if rows.count else []
            self.instances = ("",) if rows.count else ()
            self._all = rows.count <= 1
            return
        keys = self._keys = rows.column(self._menu.row_key)
        chosen: dict[str, int] = {}
        unknown = 0
        for position, raw in enumerate(keys):
            instance = self._instance(raw) if raw else None
            if instance is None:
                # A name that isn't known yet is no fault: the next read of the table teaches it. That of a
                # session never names a series.
                unknown += bool(raw)
            else:
                chosen.setdefault(instance, position)
        refused = rows.count - len(chosen) - unknown
        positions = list(chosen.values())[: self._cap.rows]
        self.instances = tuple(chosen)[: self._cap.rows]
        self.ids = tuple(keys[position].decode("latin-1") for position in positions)  # type: ignore[union-attr]
        self._cap.watch(len(chosen), out)
        refused += len(chosen) - len(positions)
        if refused:
            metrics.ROWS_REFUSED.labels(self._collector).inc(refused)
        self._positions = positions
        self._all = len(positions) == rows.count

    def clear(self) -> None:
        """Forget the last reply."""
        self.instances, self.ids = (), ()
        self._keys, self._rows, self._all, self._positions = None, -1, True, []

    def column(self, rows: Rows, name: str) -> Sequence[Raw]:
        """Return a column of the chosen rows."""
        column = rows.column(name)
        return column if self._all else [column[position] for position in self._positions]

    def numbers(self, rows: Rows) -> Numbers | None:
        """Return the numbers of the rows, if they were parsed already and every row is used."""
        return rows.numbers if self._all else None

    def _instance(self, raw: bytes) -> str | None:
        if is_sessions(raw):
            return None
        if self._menu.keyed_by_name:
            return self._things.named(self._menu.scope, raw)
        return self._things.instance(self._menu.scope, raw)
