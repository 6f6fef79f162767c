"""How many rows of a menu are kept, and the events that tell when it has more."""

from __future__ import annotations

from mtd.model.device import Severity
from mtd.model.observation import Observation, StateChange
from mtd.plugin.declaration import Menu


class CapWatch:
    """The cap of one menu on one device."""

    def __init__(self, menu: Menu, collector: str, rows: int) -> None:
        self.rows = rows
        self._menu = menu
        self._name = f"{collector}.{menu.name}"
        self._capped = False

    def watch(self, found: int, out: Observation) -> None:
        """Tell when rows begin to be left out, and when all are kept again."""
        over = found > self.rows
        if over == self._capped:
            return
        self._capped = over
        path = self._menu.path
        text = (
            f"{path} has {found} rows; only {self.rows} are kept"
            if over
            else f"{path} has {found} rows: all are kept again"
        )
        out.state_changes.append(
            StateChange(
                event_type="collector.rows.capped" if over else "collector.rows.uncapped",
                severity=Severity.WARNING if over else Severity.INFO,
                entity_type="menu",
                entity_id=self._name,
                entity_label=path,
                field="rows",
                old=str(self.rows),
                new=str(found),
                message=text,
            )
        )
