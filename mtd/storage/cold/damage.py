"""Rows of cold telemetry that can't be read: told with the place where they are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from mtd.codec.blocks import Damaged
from mtd.storage.errors import HistoryDamaged


@contextmanager
def readable(table: str, series_id: int, start_us: int) -> Iterator[None]:
    """Decode a row of a series within this; raises HistoryDamaged, with its place, for Damaged."""
    try:
        yield
    except Damaged as error:
        start = datetime.fromtimestamp(start_us / 1e6, UTC)
        raise HistoryDamaged(
            f"what is stored in {table} of series {series_id} from {start:%Y-%m-%d %H:%M} UTC on"
            f" can't be read ({error})"
        ) from error
