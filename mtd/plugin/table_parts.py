"""Changes of a table in parts of bounded size: no event of the log is larger than one part."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence

from mtd.core.slices import Steps
from mtd.model.observation import KeyRange, TableChange

PART_ROWS = 250
PART_CHARACTERS = 128 * 1024
_SORTED_AT_ONCE = 2_000

Row = tuple[str, dict[str, str]]
"""A row's key and its fields."""


def delta_parts(table: str, upserted: Sequence[Row], removed: Sequence[str]) -> Steps[list[TableChange]]:
    """Return what changed, in parts."""
    parts = [
        TableChange(table, complete=False, upserted={}, removed=tuple(removed[start : start + PART_ROWS]))
        for start in range(0, len(removed), PART_ROWS)
    ]
    for rows in _bounded(upserted):
        if parts and not parts[-1].upserted and len(parts[-1].removed) + len(rows) <= PART_ROWS:
            parts[-1].upserted = dict(rows)
        else:
            parts.append(TableChange(table, complete=False, upserted=dict(rows)))
        yield None
    return parts


def complete_parts(table: str, rows: Sequence[Row]) -> Steps[list[TableChange]]:
    """Return a whole table, in parts that are each complete for a range of keys.

    So each part says by itself what is gone, and none of them has to name all keys.
    """
    pieces: list[list[Row]] = []
    for start in range(0, len(rows), _SORTED_AT_ONCE):
        pieces.append(sorted(rows[start : start + _SORTED_AT_ONCE], key=_key_of))
        yield None
    parts: list[TableChange] = []
    after = ""
    for part in _bounded(heapq.merge(*pieces, key=_key_of)):
        up_to = part[-1][0]
        parts.append(TableChange(table, False, dict(part), complete_within=KeyRange(after, up_to)))
        after = up_to
        yield None
    if len(parts) <= 1:
        whole = parts[0].upserted if parts else {}
        return [TableChange(table, complete=True, upserted=whole)]
    last = parts[-1].complete_within
    assert last is not None
    parts[-1].complete_within = KeyRange(last.after)
    return parts


def _key_of(row: Row) -> str:
    return row[0]


def _bounded(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Yield rows in lists that are neither long nor large; a row that is too large alone is alone."""
    part: list[Row] = []
    size = 0
    for key, fields in rows:
        row_size = len(key) + sum(map(len, fields)) + sum(map(len, fields.values()))
        if part and (len(part) >= PART_ROWS or size + row_size > PART_CHARACTERS):
            yield part
            part, size = [], 0
        part.append((key, fields))
        size += row_size
    if part:
        yield part
