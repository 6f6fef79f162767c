"""What the log was told already, and needn't be told again: layouts and documents."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mtd.model.events import payload_kind

if TYPE_CHECKING:
    from mtd.ingest.config import IngestConfig
    from mtd.model.layout import Layout
    from mtd.model.observation import Document
    from mtd.pb.events.v1.envelope_pb2 import Envelope

_Owner = tuple[str, str]  # tenant, device


class Known:
    """Remembers per device, and forgets what was not seen for long. Times are monotonic seconds."""

    def __init__(self, settings: IngestConfig) -> None:
        self._settings = settings
        self._layouts: dict[tuple[_Owner, int], float] = {}  # when to declare it again
        self._documents: dict[tuple[_Owner, str], tuple[bytes, float]] = {}  # checksum, when last seen
        self._tables: dict[tuple[str, str], float] = {}  # device, table: when it changed last
        self._next_sweep = 0.0

    def layout_is_due(self, owner: _Owner, layout: Layout, now: float) -> bool:
        """Return whether a layout has to be declared in front of its next frame."""
        return now >= self._layouts.get((owner, layout.layout_id), now)

    def layout_declared(self, owner: _Owner, layout: Layout, now: float) -> None:
        """Note that a layout was declared."""
        interval = self._settings.redeclare_interval_s
        # Spread by device: they were all declared together when mtd started.
        share = 1.0 - 0.25 * (hash(owner) % 256) / 256
        self._layouts[owner, layout.layout_id] = now + interval * share
        self._sweep(now)

    def forget_layouts(self) -> None:
        """Have all layouts declared again, each in front of its next frame."""
        self._layouts.clear()

    def table_told(self, owner: _Owner, table: str, now: float) -> None:
        """Note that a change of a current-state table was recorded."""
        self._tables[owner[1], table] = now

    def tables_told_since(self, since: float) -> list[tuple[str, str]]:
        """Return the tables that changed from a time on, each with its device; those before are forgotten."""
        self._tables = {key: told for key, told in self._tables.items() if told >= since}
        return list(self._tables)

    def document_changed(self, owner: _Owner, document: Document, now: float) -> bool:
        """Return whether a document differs from the one recorded last."""
        key = (owner, document.kind)
        known = self._documents.get(key)
        if known is None or known[0] != document.sha256:
            return True
        self._documents[key] = (document.sha256, now)
        return False

    def document_recorded(self, owner: _Owner, document: Document, now: float) -> None:
        """Note that a document was recorded."""
        self._documents[owner, document.kind] = (document.sha256, now)

    def lost(self, envelope: Envelope) -> None:
        """Note that an event did not reach the log after all."""
        owner = (envelope.tenant_id, envelope.device_id)
        kind = payload_kind(envelope)
        if kind == "series_layout":
            self._layouts.pop((owner, envelope.series_layout.layout_id), None)
        elif kind == "snapshot":
            self._documents.pop((owner, envelope.snapshot.kind), None)

    def _sweep(self, now: float) -> None:
        """Forget layouts that are out of use and documents of devices that are gone."""
        if now < self._next_sweep:
            return
        self._next_sweep = now + self._settings.redeclare_interval_s
        unused_since = now - self._settings.redeclare_interval_s
        self._layouts = {key: due for key, due in self._layouts.items() if due > unused_since}
        forgotten = now - self._settings.document_memory_s
        self._documents = {key: known for key, known in self._documents.items() if known[1] > forgotten}
        self._tables = {key: told for key, told in self._tables.items() if told > forgotten}
