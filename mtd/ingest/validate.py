"""What may enter the log, and why something may not. Pure, but for what it remembers of layouts."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from mtd.core.errors import Refused
from mtd.model.metric import Lane

if TYPE_CHECKING:
    from collections.abc import Sized

    from mtd.ingest.config import IngestConfig
    from mtd.model.layout import Layout
    from mtd.model.observation import Document, FrameValues, TableChange

# 2000-01-01: a collector whose clock starts at the epoch is not yet set.
EARLIEST_US = 946_684_800_000_000
_REMEMBERED_LAYOUTS = 10_000
_INT64 = 2**63


class NotAccepted(Refused):
    """A part of an observation can't be recorded. ``reason`` is its short name."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


class Validator:
    """Checks parts of observations against the caps."""

    def __init__(self, settings: IngestConfig) -> None:
        self._settings = settings
        self._lane_sizes: dict[int, tuple[int, int, int]] = {}

    def check_time(self, collected_us: int, now_us: int) -> None:
        """Raise NotAccepted for a time that can't be: far ahead, or before any router's."""
        ahead_s = (collected_us - now_us) / 1e6
        if ahead_s > self._settings.max_future_s:
            raise NotAccepted("future", f"it is dated {ahead_s:.0f} s ahead of the collector's clock")
        if collected_us < EARLIEST_US:
            raise NotAccepted("past", "it is dated before the year 2000: is the collector's clock set?")

    def check_frame(self, frame: FrameValues) -> None:
        """Raise NotAccepted if a frame is too large or doesn't fit its layout."""
        sizes = self._sizes(frame.layout)
        if sum(sizes) > self._settings.max_series:
            raise NotAccepted(
                "too_many_series", f"{sum(sizes)} series are over the cap {self._settings.max_series}"
            )
        found = (len(frame.counters), len(frame.gauges), len(frame.rates))
        if found != sizes:
            raise NotAccepted(
                "layout_mismatch", f"{found} counters, gauges and rates don't fit a layout of {sizes} series"
            )

    def _sizes(self, layout: Layout) -> tuple[int, int, int]:
        sizes = self._lane_sizes.get(layout.layout_id)
        if sizes is None:
            if len(self._lane_sizes) >= _REMEMBERED_LAYOUTS:
                self._lane_sizes.clear()
            lanes = [entry.lane for entry in layout.series]
            sizes = (lanes.count(Lane.COUNTER), lanes.count(Lane.GAUGE), lanes.count(Lane.RATE))
            self._lane_sizes[layout.layout_id] = sizes
        return sizes

    def check_table(self, change: TableChange) -> None:
        """Raise NotAccepted if a table is too long."""
        self._check_count(change.upserted, self._settings.max_table_rows, f"rows of table {change.table}")
        self._check_count(
            change.removed, self._settings.max_table_rows, f"removed rows of table {change.table}"
        )

    def check_document(self, document: Document) -> None:
        """Raise NotAccepted if a document isn't what its checksum says."""
        if hashlib.sha256(document.content).digest() != document.sha256:
            raise NotAccepted(
                "bad_checksum", f"the checksum of document {document.kind} is not that of its content"
            )

    def check_size(self, size: int) -> None:
        """Raise NotAccepted if a single event is too large."""
        if size > self._settings.max_event_bytes:
            raise NotAccepted("too_large", f"{size} bytes are over the cap {self._settings.max_event_bytes}")

    @staticmethod
    def _check_count(things: Sized, cap: int, what: str) -> None:
        if len(things) > cap:
            raise NotAccepted("too_many", f"{len(things)} {what} are over the cap {cap}")


def mask_unusable_counters(frame: FrameValues) -> int:
    """Make counters that are no 64-bit integers absent; return how many there were."""
    kept = [
        value if isinstance(value, int) and -_INT64 <= value < _INT64 else None for value in frame.counters
    ]
    masked = kept.count(None) - list(frame.counters).count(None)
    frame.counters = kept
    return masked
