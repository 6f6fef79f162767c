"""Lines of devices' logs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import orjson

from mtd.model.logs import LogEntry
from mtd.storage import literals
from mtd.storage.txn import Transaction

# Joining and sending a statement holds the loop.
_STATEMENT_LINES = 250
_STATEMENT_CHARACTERS = 500_000


class LogRow(NamedTuple):
    """A row of ``log_record``. ``part``: which line of the event it is, from 0."""

    tenant_id: str
    device_id: str | None
    seq: int
    part: int
    sender: str
    entry: LogEntry


_COLUMNS = (
    ("tenant_id", "uuid"),
    ("device_id", "uuid"),
    ("seq", "int8"),
    ("part", "int4"),
    ("us", "int8"),
    ("severity", "int2"),
    ("facility", "int2"),
    ("topics", "text"),
    ("event_type", "text"),
    ("entity_type", "text"),
    ("entity", "text"),
    ("field", "text"),
    ("old_value", "text"),
    ("new_value", "text"),
    ("found", "text"),
    ("text", "text"),
    ("head", "text"),
    ("original", "text"),
    ("form", "text"),
    ("sender", "text"),
    ("host", "text"),
    ("program", "text"),
    ("process", "text"),
    ("told_time", "text"),
    ("repeats", "int8"),
    ("cut", "bool"),
)
_MADE = {
    "us": ("ts", "from_us(us)"),
    "topics": ("topics", "topics::text[]"),
    "found": ("found", "found::jsonb"),
}
_INSERT = (
    f"INSERT INTO log_record (log_id, {', '.join(_MADE.get(name, (name,))[0] for name, _ in _COLUMNS)})"
    f" SELECT %s, {', '.join(_MADE.get(name, ('', name))[1] for name, _ in _COLUMNS)} FROM unnest("
    f"{', '.join(f'%s::{kind}[]' for _, kind in _COLUMNS)}) AS t ({', '.join(name for name, _ in _COLUMNS)})"
)


async def insert_lines(tx: Transaction, log_id: str, rows: Sequence[LogRow]) -> None:
    """Store lines. Their partitions are there."""
    for some in _portions(rows):
        entries = [row.entry for row in some]
        heads = [_head_of(entry) for entry in entries]
        await tx.execute(
            _INSERT,
            [
                log_id,
                literals.plain(row.tenant_id for row in some),
                literals.texts(row.device_id for row in some),
                literals.plain(row.seq for row in some),
                literals.plain(row.part for row in some),
                literals.plain(entry.received_us for entry in entries),
                literals.numbers([entry.severity for entry in entries]),
                literals.numbers([entry.facility for entry in entries]),
                literals.texts(literals.texts(entry.topics) for entry in entries),
                *(
                    literals.texts(getattr(entry, name) for entry in entries)
                    for name in ("event_type", "entity_type", "entity", "state_field", "old", "new")
                ),
                literals.texts(_json_of(entry) for entry in entries),
                literals.texts(entry.text for entry in entries),
                literals.texts(heads_one or "" for heads_one in heads),
                literals.texts(
                    entry.original if head is None else None
                    for entry, head in zip(entries, heads, strict=True)
                ),
                literals.texts(entry.form for entry in entries),
                literals.texts(row.sender for row in some),
                *(
                    literals.texts(getattr(entry, name) for entry in entries)
                    for name in ("host", "program", "process", "told_time")
                ),
                literals.plain(entry.repeats for entry in entries),
                literals.plain(entry.cut for entry in entries),
            ],
        )


def _portions(rows: Sequence[LogRow]) -> Iterator[Sequence[LogRow]]:
    """Cut rows into what one statement holds."""
    first = size = 0
    for place, row in enumerate(rows):
        size += len(row.entry.original) + len(row.entry.text)
        if place > first and (size > _STATEMENT_CHARACTERS or place - first >= _STATEMENT_LINES):
            yield rows[first:place]
            first, size = place, 0
    if rows:
        yield rows[first:]


def _head_of(entry: LogEntry) -> str | None:
    """Return what came before the text; None if the text isn't the line's end."""
    if not entry.original.endswith(entry.text):
        return None
    return entry.original[: len(entry.original) - len(entry.text)]


def _json_of(entry: LogEntry) -> str | None:
    # U+0000 can't be in a jsonb.
    if not entry.values:
        return None
    return orjson.dumps({name: value.replace("\0", "�") for name, value in entry.values.items()}).decode()
