"""Which rows of a reply are used, and what their instances are."""

from __future__ import annotations

from collections.abc import Sequence

from mtd.model.command import Rows
from mtd.model.device import Severity
from mtd.model.observation import Observation, StateChange
from mtd.model.values import Raw
from mtd.plugin import metrics
from mtd.plugin.declaration import Menu
from mtd.plugin.things import Things


class RowPicker:
    """Remembers the row keys of the last reply, so that equal ones cost a comparison."""

    def __init__(self, menu: Menu, collector: str, things: Things, max_instances: int) -> None:
        self.instances: tuple[str, ...] = ()
        self.ids: tuple[str, ...] = ()  # as the router calls them
        self._menu = menu
        self._collector = collector
        self._things = things
        self._cap = min(menu.max_instances, max_instances)
        self._keys: Sequence[Raw] | None = None
        self._rows = -1
        self._all = True  # every row is used, in its order
        self._positions: list[int] = []
        self._capped = False

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
                # A name that isn't known yet is no fault: the next read of the table teaches it.
                unknown += bool(raw)
            else:
                chosen.setdefault(instance, position)
        refused = rows.count - len(chosen) - unknown
        positions = list(chosen.values())[: self._cap]
        self.instances = tuple(chosen)[: self._cap]
        self.ids = tuple(keys[position].decode("latin-1") for position in positions)  # type: ignore[union-attr]
        self._watch_cap(len(chosen), out)
        refused += len(chosen) - len(positions)
        if refused:
            metrics.ROWS_REFUSED.labels(self._collector).inc(refused)
        self._positions = positions
        self._all = len(positions) == rows.count

    def column(self, rows: Rows, name: str) -> Sequence[Raw]:
        """Return a column of the chosen rows."""
        column = rows.columns.get(name)
        if column is None:
            return (None,) * len(self.instances)
        return column if self._all else [column[position] for position in self._positions]

    def _instance(self, raw: bytes) -> str | None:
        if self._menu.keyed_by_name:
            return self._things.named(self._menu.scope, raw)
        return self._things.instance(self._menu.scope, raw)

    def _watch_cap(self, found: int, out: Observation) -> None:
        over = found > self._cap
        if over == self._capped:
            return
        self._capped = over
        name = f"{self._collector}.{self._menu.name}"
        text = (
            f"{self._menu.path} has {found} rows; only {self._cap} are kept"
            if over
            else (f"{self._menu.path} has {found} rows: all are kept again")
        )
        out.state_changes.append(
            StateChange(
                event_type="collector.rows.capped" if over else "collector.rows.uncapped",
                severity=Severity.WARNING if over else Severity.INFO,
                entity_type="menu",
                entity_id=name,
                entity_label=self._menu.path,
                field="rows",
                old=str(self._cap),
                new=str(found),
                message=text,
            )
        )
