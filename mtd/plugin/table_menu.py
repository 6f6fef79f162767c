"""Menus kept as text: current-state tables as changes, snapshots as documents."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence

from mtd.model.command import Rows
from mtd.model.observation import Document, Observation, TableChange
from mtd.model.values import Raw, text
from mtd.plugin.declaration import Column, Menu
from mtd.plugin.rows import RowPicker
from mtd.plugin.state_events import row_change, state_change
from mtd.plugin.things import Things


class TableMenu:
    """A current-state table: complete at first, then only what changed."""

    def __init__(self, menu: Menu, collector: str, things: Things, max_instances: int) -> None:
        self.menu = menu
        self.collector = collector
        self.ids: tuple[str, ...] = ()
        self._things = things
        self._things_version = -1
        self._picker = RowPicker(menu, collector, things, max_instances)
        self._names = [field.field for field in menu.fields]
        self._watched = [f for f in menu.fields if isinstance(f, Column) and f.event is not None]
        self._raw: Mapping[str, Sequence[Raw]] | None = None
        self._table: dict[str, Mapping[str, str]] | None = None

    def observe(self, rows: Rows, out: Observation) -> None:
        """Map a reply; what changed goes to ``out``."""
        if rows.columns == self._raw and self._things.version == self._things_version:
            return
        self._raw = rows.columns
        self._picker.arrange(rows, out)
        self.ids = self._picker.ids
        new = self._read(rows)
        self._things_version = self._things.version
        old, self._table = self._table, new
        if old is None:
            out.tables.append(TableChange(self.menu.table, complete=True, upserted=new))
            return
        changed = {key: row for key, row in new.items() if old.get(key) != row}
        gone = [key for key in old if key not in new]
        self._raise_events(old, changed, gone, out)
        for key in gone:
            if self.menu.labels is not None:
                self._things.forget_name(self.menu.scope, key)
        if changed or gone:
            out.tables.append(
                TableChange(self.menu.table, complete=False, upserted=changed, removed=tuple(gone))
            )

    def gone(self, out: Observation) -> None:
        """The menu doesn't exist any more, and so don't its rows."""
        if self._table:
            out.tables.append(TableChange(self.menu.table, complete=True, upserted={}))
        self._table = None
        self._raw = None

    def _read(self, rows: Rows) -> dict[str, Mapping[str, str]]:
        menu, things, picker = self.menu, self._things, self._picker
        names = dict.fromkeys(([menu.row_key] if menu.row_key else []) + self._names)
        taken = [(name, picker.column(rows, name)) for name in names]
        table: dict[str, Mapping[str, str]] = {}
        for position, instance in enumerate(picker.instances):
            row = {
                name: text(column[position] or b"", things.code_page)
                for name, column in taken
                if column[position] is not None
            }
            key = instance
            if menu.labels is not None:
                raw_id = row.get(menu.row_key, instance)
                key = things.learn(menu.scope, raw_id, row, menu.labels, menu.same_thing)
            table[key] = row
        return table

    def _raise_events(
        self,
        old: Mapping[str, Mapping[str, str]],
        changed: Mapping[str, Mapping[str, str]],
        gone: Sequence[str],
        out: Observation,
    ) -> None:
        menu, label = self.menu, self._things.label
        for key, row in changed.items():
            before = old.get(key)
            if before is None:
                if menu.appears is not None:
                    event = row_change(menu.appears, key, label(menu.scope, key), present=True)
                    out.state_changes.append(event)
                continue
            for field in self._watched:
                was, now = before.get(field.field), row.get(field.field)
                if field.event is None or was is None or now is None or was == now:
                    continue
                excuse = field.event.expected_when
                expected = excuse is not None and row.get(excuse[0]) == excuse[1]
                out.state_changes.append(
                    state_change(
                        field.event, field.field, key, label(menu.scope, key), was, now, expected=expected
                    )
                )
        if menu.vanishes is not None:
            for key in gone:
                out.state_changes.append(
                    row_change(menu.vanishes, key, label(menu.scope, key), present=False)
                )


class SnapshotMenu:
    """A document: the first after start, then only when it changed."""

    def __init__(self, menu: Menu, collector: str, things: Things, max_instances: int) -> None:
        self.menu = menu
        self.collector = collector
        self._things = things
        self._cap = min(menu.max_instances, max_instances)
        self._raw: Mapping[str, Sequence[Raw]] | None = None
        self._digest = b""

    def observe(self, rows: Rows, out: Observation) -> None:
        """Map a reply; the document goes to ``out`` if it isn't the last one."""
        if rows.columns == self._raw:
            return
        self._raw = rows.columns
        names = self.menu.proplist
        documents = [
            {name: text(row[name], self._things.code_page) for name in names if name in row}
            for row in rows.dicts()[: self._cap]
        ]
        if not self.menu.row_key and not documents:
            return
        content = canonical_json(documents if self.menu.row_key else documents[0])
        digest = hashlib.sha256(content).digest()
        if digest != self._digest:
            self._digest = digest
            out.documents.append(Document(self.menu.table, content, digest))


def canonical_json(document: object) -> bytes:
    """Return JSON with sorted keys, without spaces, in UTF-8: equal documents are equal bytes."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
