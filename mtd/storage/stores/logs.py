"""Lines of devices' logs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from mtd.model.logs import FORM_NAMES
from mtd.storage import literals
from mtd.storage.txn import Transaction

if TYPE_CHECKING:
    from mtd.pb.events.v1.logs_pb2 import LogLine

# Joining and sending a statement holds the loop.
_STATEMENT_LINES = 250
_STATEMENT_CHARACTERS = 500_000

# What events and the table call the same.
_TEXTS = (
    "event_type",
    "entity_type",
    "entity",
    "field",
    "old_value",
    "new_value",
    "text",
    "host",
    "program",
    "process",
    "told_time",
)
_GETTERS = [(name, attrgetter(name)) for name in _TEXTS]
_Literal = Callable[[Sequence[Any]], str]
# Each with its type, how the table is given it, and how its values are written.
_COLUMNS: Sequence[tuple[str, str, str, _Literal]] = (
    ("tenant_id", "uuid", "tenant_id", literals.plain),
    ("device_id", "uuid", "device_id", literals.texts),
    ("seq", "int8", "seq", literals.plain),
    ("part", "int4", "part", literals.plain),
    ("ts", "int8", "from_us(ts)", literals.plain),
    ("severity", "int2", "severity", literals.numbers),
    ("facility", "int2", "facility", literals.numbers),
    ("topics", "text", "topics::text[]", literals.texts),
    ("found", "text", "found::jsonb", literals.texts),
    *((name, "text", name, literals.texts) for name in _TEXTS),
    ("head", "text", "head", literals.texts),
    ("original", "text", "original", literals.texts),
    ("form", "text", "form", literals.texts),
    ("sender", "text", "sender", literals.texts),
    ("repeats", "int8", "repeats", literals.plain),
    ("cut", "bool", "cut", literals.plain),
)
_INSERT = (
    f"INSERT INTO log_record (log_id, {', '.join(name for name, *_ in _COLUMNS)})"
    f" SELECT %s, {', '.join(given for _, _, given, _ in _COLUMNS)} FROM unnest("
    f"{', '.join(f'%s::{kind}[]' for _, kind, _, _ in _COLUMNS)}) AS t ({', '.join(name for name, *_ in _COLUMNS)})"
)


class LogLines:
    """Lines of events, column by column, as the table takes them."""

    def __init__(self) -> None:
        self._columns: Mapping[str, list[Any]] = {name: [] for name, *_ in _COLUMNS}

    def __len__(self) -> int:
        return len(self._columns["seq"])

    def add(
        self, tenant_id: str, device_id: str | None, seq: int, sender: str, lines: Sequence[LogLine]
    ) -> None:
        """Add those of one event, in their order; all of them, or none."""
        count = len(lines)
        added: dict[str, Iterable[Any]] = {name: list(map(told, lines)) for name, told in _GETTERS}
        added |= {
            "tenant_id": [tenant_id] * count,
            "device_id": [device_id] * count,
            "seq": [seq] * count,
            "sender": [sender] * count,
            "part": range(count),
            "ts": [line.received_at_us for line in lines],
            "severity": [line.severity if line.HasField("severity") else None for line in lines],
            "facility": [line.facility if line.HasField("facility") else None for line in lines],
            "topics": [_words(tuple(line.topics[:])) for line in lines],
            "found": [line.values_json or None for line in lines],
            "original": [line.original or None for line in lines],
            "head": ["" if line.original else line.head for line in lines],
            "form": [FORM_NAMES.get(line.form, "plain") for line in lines],
            "repeats": [line.repeats for line in lines],
            "cut": [line.cut for line in lines],
        }
        for name, column in self._columns.items():
            column.extend(added[name])

    def statements(self) -> Iterator[list[str]]:
        """Yield the literals of all columns, of so many lines as one statement holds."""
        first = size = 0
        lengths = zip(
            *(map(_length, self._columns[name]) for name in ("text", "head", "original")), strict=True
        )
        for place, length in enumerate(map(sum, lengths)):
            size += length
            if place > first and (size > _STATEMENT_CHARACTERS or place - first >= _STATEMENT_LINES):
                yield self._literals(first, place)
                first, size = place, length
        if len(self):
            yield self._literals(first, len(self))

    def _literals(self, first: int, end: int) -> list[str]:
        return [literal(self._columns[name][first:end]) for name, _, _, literal in _COLUMNS]


async def insert_lines(tx: Transaction, log_id: str, lines: LogLines) -> None:
    """Store lines. Their partitions are there."""
    for columns in lines.statements():
        await tx.execute(_INSERT, [log_id, *columns])


@lru_cache(maxsize=1024)
def _words(topics: tuple[str, ...]) -> str:
    return literals.texts(topics)


def _length(text: str | None) -> int:
    return len(text) if text else 0
