"""The events of one read of a table: rows that came, went and changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mtd.model.device import Severity
from mtd.model.observation import Observation, StateChange
from mtd.plugin.declaration import Column, Menu, RowEvent
from mtd.plugin.state_events import row_change, state_change
from mtd.plugin.things import Things

MOST_TOLD = 300
"""Rows that came, rows that went, and changes of one column, of which each has an event. When 3,000 sessions drop at
once the operator needs to know that, and not 3,000 names; the log has them all as changes of the table."""


class TableEvents:
    """Raises events, and says how many it did not raise one by one."""

    def __init__(self, menu: Menu, things: Things, watched: Sequence[Column], out: Observation) -> None:
        self._menu = menu
        self._things = things
        self._watched = watched
        self._out = out
        self._came = 0
        self._went = 0
        self._changes: dict[str, list[Severity]] = {}  # by field: how grave each was

    def came(self, key: str) -> None:
        """A row is there that wasn't."""
        event = self._menu.appears
        if event is not None:
            self._came += 1
            if self._came <= MOST_TOLD:
                self._tell_row(event, key, present=True)

    def went(self, key: str) -> None:
        """A row isn't there any more."""
        event = self._menu.vanishes
        if event is not None:
            self._went += 1
            if self._went <= MOST_TOLD:
                self._tell_row(event, key, present=False)

    def changed(self, key: str, before: Mapping[str, str], now: Mapping[str, str]) -> None:
        """A row's watched fields are these now; what isn't there before or now is no change."""
        for field in self._watched:
            was, new = before.get(field.field), now.get(field.field)
            if field.event is None or was is None or new is None or was == new:
                continue
            excuse = field.event.expected_when
            expected = excuse is not None and now.get(excuse[0]) == excuse[1]
            label, logged_as = self._label(key), self._things.logged_as(self._menu.scope, key)
            change = state_change(
                field.event, field.field, key, label, was, new, expected=expected, logged_as=logged_as
            )
            severities = self._changes.setdefault(field.field, [])
            severities.append(change.severity)
            if len(severities) <= MOST_TOLD:
                self._out.state_changes.append(change)

    def finish(self) -> None:
        """Tell how many rows more there were."""
        if self._menu.appears is not None and self._came > MOST_TOLD:
            event = self._menu.appears
            self._summarise(event.entity_type, event.severity, self._came - MOST_TOLD, "appeared")
        if self._menu.vanishes is not None and self._went > MOST_TOLD:
            event = self._menu.vanishes
            self._summarise(event.entity_type, event.severity, self._went - MOST_TOLD, "vanished")
        for field in self._watched:
            untold = self._changes.get(field.field, [])[MOST_TOLD:]
            if field.event is not None and untold:
                gravest = max(untold, key=list(Severity).index)
                self._summarise(
                    field.event.entity_type, gravest, len(untold), f"changed their {field.field}", "changed"
                )

    def _summarise(self, entity_type: str, severity: Severity, more: int, did: str, what: str = "") -> None:
        self._out.state_changes.append(
            StateChange(
                event_type=f"table.rows.{what or did}",
                severity=severity,
                entity_type=entity_type,
                entity_id="",
                entity_label=self._menu.table,
                field="rows",
                old="",
                new=str(more),
                message=f"{more} more rows of {self._menu.table} {did} in the same moment: these aren't told one by one",
            )
        )

    def _tell_row(self, event: RowEvent, key: str, *, present: bool) -> None:
        logged_as = self._things.logged_as(self._menu.scope, key)
        change = row_change(event, key, self._label(key), present=present, logged_as=logged_as)
        self._out.state_changes.append(change)

    def _label(self, key: str) -> str:
        return self._things.label(self._menu.scope, key)
