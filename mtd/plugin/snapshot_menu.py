"""Menus kept as documents: each version once, and an event that says what changed."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Mapping, Sequence, Set
from dataclasses import replace

from mtd.model.command import Rows
from mtd.model.documents import DocumentChanges, Row, canonical_json, compare, title_of
from mtd.model.observation import Document, Observation, StateChange
from mtd.model.values import Raw, text
from mtd.plugin import metrics
from mtd.plugin.cap import CapWatch
from mtd.plugin.declaration import DocumentEvent, Menu
from mtd.plugin.state_events import fill
from mtd.plugin.things import Things

_MAX_TEXT = 200


class SnapshotMenu:
    """A document: the first after start, then only when it changed."""

    def __init__(self, menu: Menu, collector: str, things: Things, max_instances: int) -> None:
        self.menu = menu
        self.collector = collector
        self._things = things
        self._cap = CapWatch(menu, collector, min(menu.max_instances, max_instances))
        self._left_out: frozenset[Raw] = frozenset()  # keys of rows over the cap
        self._raw: Mapping[str, Sequence[Raw]] | None = None
        self._digest = b""
        self._last = b""  # the document itself, packed, where its changes are told

    def observe(self, rows: Rows, out: Observation) -> None:
        """Map a reply; the document goes to ``out`` if it isn't the last one."""
        if rows.columns == self._raw:
            return
        self._raw = rows.columns
        before, self._left_out = self._left_out, self._over_the_cap(rows, out)
        names = self.menu.proplist
        documents = [
            {name: text(row[name], self._things.code_page) for name in names if name in row}
            for row in rows.dicts()[: self._cap.rows]
        ]
        if not self.menu.row_key and not documents:
            return
        content = canonical_json(documents if self.menu.row_key else documents[0])
        digest = hashlib.sha256(content).digest()
        if digest == self._digest:
            return
        self._digest = digest
        out.documents.append(Document(self.menu.table, content, digest))
        if self.menu.changes is not None:
            self._tell(self.menu.changes, content, before, out)

    def _over_the_cap(self, rows: Rows, out: Observation) -> frozenset[Raw]:
        """Tell if there are more rows than a document may have; return the keys of those that are left out."""
        self._cap.watch(rows.count, out)
        if rows.count <= self._cap.rows:
            return frozenset()
        metrics.ROWS_REFUSED.labels(self.collector).inc(rows.count - self._cap.rows)
        return frozenset(rows.column(self.menu.row_key)[self._cap.rows :])

    def _tell(self, event: DocumentEvent, content: bytes, before: Set[Raw], out: Observation) -> None:
        last, self._last = self._last, zlib.compress(content, 1)
        if not last:
            return
        changes = compare(json.loads(zlib.decompress(last)), json.loads(content))
        if before or self._left_out:
            # A row that another pushed over the cap wasn't removed, and one that came back wasn't added.
            changes = replace(
                changes,
                added=self._but(changes.added, before),
                removed=self._but(changes.removed, self._left_out),
            )
        if changes:
            out.state_changes.append(_event(event, self.menu, changes))

    def _but(self, rows: Sequence[Row], left_out: Set[Raw]) -> tuple[Row, ...]:
        return tuple(row for row in rows if row.get(self.menu.row_key, "").encode() not in left_out)


def _event(event: DocumentEvent, menu: Menu, changes: DocumentChanges) -> StateChange:
    old, new = _values(changes)
    return StateChange(
        event_type=event.event_type,
        severity=event.severity,
        entity_type=event.entity_type,
        entity_id=menu.table,
        entity_label=menu.path,
        field=event.section,
        old=old,
        new=new,
        message=fill(event.message, changes=changes.summary()),
    )


def _values(changes: DocumentChanges) -> tuple[str, str]:
    """Return what was there, and what is now, as far as there is room."""
    old = [title_of(row) for row in changes.removed]
    new = [title_of(row) for row in changes.added]
    for row in changes.changed:
        old += [f"{field.field}={field.old}" for field in row.fields if field.old is not None]
        new += [f"{field.field}={field.new}" for field in row.fields if field.new is not None]
    return ", ".join(old)[:_MAX_TEXT], ", ".join(new)[:_MAX_TEXT]
