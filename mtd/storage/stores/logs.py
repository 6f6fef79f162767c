"""Lines of devices' logs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from mtd.model.logs import FORM_NAMES
from mtd.storage import literals
from mtd.storage.txn import Transaction

if TYPE_CHECKING:
    from mtd.pb.events.v1.logs_pb2 import LogLine

# Joining and sending a statement holds the loop.
_STATEMENT_LINES = 500
_STATEMENT_CHARACTERS = 500_000


Owner = tuple[str, str | None, str]
"""The tenant of lines, their device, and the address that they came from."""


class _Column(NamedTuple):
    """A column that isn't told line by line: its type, and how its values are written."""

    name: str
    kind: str
    literal: Callable[[Sequence[Any]], str]

    @property
    def given(self) -> str:
        """What the table is given: rows that hold arrays are arrays of their literals."""
        return f"{self.name}::text[]" if self.name == "topics" else self.name


# Told once for all lines of an event.
_OF_EVENTS = (
    _Column("tenant_id", "uuid", literals.plain),
    _Column("device_id", "uuid", literals.texts),
    _Column("sender", "text", literals.texts),
)
# What many lines have in common is told once for all that are of a kind.
_OF_KINDS = (
    _Column("severity", "int2", literals.numbers),
    _Column("facility", "int2", literals.numbers),
    _Column("topics", "text", literals.texts),
    _Column("form", "text", literals.texts),
    _Column("event_type", "text", literals.texts),
    _Column("entity_type", "text", literals.texts),
    _Column("field", "text", literals.texts),
    _Column("old_value", "text", literals.texts),
    _Column("new_value", "text", literals.texts),
    _Column("program", "text", literals.texts),
    _Column("process", "text", literals.texts),
    _Column("repeats", "int8", literals.numbers),
    _Column("cut", "bool", literals.plain),
)
_common_of = attrgetter(
    "severity",
    "facility",
    "form",
    "event_type",
    "entity_type",
    "field",
    "old_value",
    "new_value",
    "program",
    "process",
    "repeats",
    "cut",
)
_NUMBERS_OF_LINES = (("seq", "int8"), ("kind", "int4"), ("part", "int4"), ("ts", "int8"))
# `string_to_array` makes no array of one text that is empty: it is absent then.
_TEXTS_OF_LINES = (
    ("entity", "coalesce(entity, '')"),
    ("text", "coalesce(text, '')"),
    ("head", "coalesce(head, '')"),
    ("original", "nullif(original, '')"),
    ("host", "coalesce(host, '')"),
    ("told_time", "coalesce(told_time, '')"),
    ("found", "nullif(found, '')::jsonb"),
)
_TEXT_GETTERS = [
    (name, attrgetter("values_json" if name == "found" else name)) for name, _ in _TEXTS_OF_LINES
]


def _insert() -> str:
    columns = {"seq": "seq", "part": "part", "ts": "from_us(ts)", **dict(_TEXTS_OF_LINES)}
    columns |= {column.name: column.given for column in (*_OF_EVENTS, *_OF_KINDS)}
    numbers, texts = [name for name, _ in _NUMBERS_OF_LINES], [name for name, _ in _TEXTS_OF_LINES]
    arrays = [f"%s::{kind}[]" for _, kind in _NUMBERS_OF_LINES] + ["string_to_array(%s, %s)" for _ in texts]
    return (
        f"INSERT INTO log_record (log_id, {', '.join(columns)}) SELECT %s, {', '.join(columns.values())}"
        f" FROM unnest({', '.join(arrays)}) AS line ({', '.join(numbers + texts)})"
        f" JOIN {_table('event', 'seq', 'int8', _OF_EVENTS)} USING (seq)"
        f" JOIN {_table('kind', 'kind', 'int4', _OF_KINDS)} USING (kind)"
    )


def _table(name: str, key: str, key_type: str, columns: Sequence[_Column]) -> str:
    arrays = [f"%s::{kind}[]" for kind in (key_type, *(column.kind for column in columns))]
    names = [key, *(column.name for column in columns)]
    return f"unnest({', '.join(arrays)}) AS {name} ({', '.join(names)})"


_INSERT = _insert()


class LogLines:
    """Lines of events, column by column, as the table takes them."""

    def __init__(self) -> None:
        self._numbers: dict[str, list[int]] = {name: [] for name, _ in _NUMBERS_OF_LINES}
        self._texts: dict[str, list[str]] = {name: [] for name, _ in _TEXTS_OF_LINES}
        self._events: dict[int, Owner] = {}
        self._kinds: dict[tuple[Any, ...], int] = {}
        self._told: list[tuple[Any, ...]] = []  # of kinds, as the table takes them

    def __len__(self) -> int:
        return len(self._numbers["seq"])

    def add(self, seq: int, owner: Owner, lines: Sequence[LogLine], times_us: Sequence[int]) -> None:
        """Add those of one event, in their order, with when each came in; all of them, or none."""
        texts = {name: list(map(told, lines)) for name, told in _TEXT_GETTERS}
        if any(texts["original"]):
            whole = zip(texts["head"], texts["original"], strict=True)
            texts["head"] = ["" if original else head for head, original in whole]
        numbers = {
            "seq": [seq] * len(lines),
            "kind": list(map(self._kind_of, lines)),
            "part": range(len(lines)),
            "ts": times_us,
        }
        self._events[seq] = owner
        for name, column in self._texts.items():
            column.extend(texts[name])
        for name, figures in self._numbers.items():
            figures.extend(numbers[name])

    def _kind_of(self, line: LogLine) -> int:
        """Return the number of what a line has in common with others."""
        common = _common_of(line)
        severity, facility = common[0], common[1]
        key = (
            severity or line.HasField("severity"),
            facility or line.HasField("facility"),
            common,
            *line.topics[:],
        )
        kind = self._kinds.get(key)
        if kind is None:
            kind = self._kinds[key] = len(self._told)
            self._told.append(_told(line, common))
        return kind

    def statements(self) -> Iterator[list[object]]:
        """Yield what a statement is given, of so many lines as one holds."""
        sizes = list(map(sum, zip(*(map(len, column) for column in self._texts.values()), strict=True)))
        first = 0
        while first < len(self):
            end = min(first + _STATEMENT_LINES, len(self))
            while end > first + 1 and sum(sizes[first:end]) > _STATEMENT_CHARACTERS:
                end = (first + end) // 2
            yield self._parameters(first, end)
            first = end

    def _parameters(self, first: int, end: int) -> list[object]:
        given: list[object] = [literals.numbers(column[first:end]) for column in self._numbers.values()]
        for column in self._texts.values():
            given += literals.joined(column[first:end])
        events = list(dict.fromkeys(self._numbers["seq"][first:end]))
        given += _written(_OF_EVENTS, events, [self._events[seq] for seq in events])
        kinds = list(dict.fromkeys(self._numbers["kind"][first:end]))
        given += _written(_OF_KINDS, kinds, [self._told[kind] for kind in kinds])
        return given


def _told(line: LogLine, common: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return what the table is told of a kind of lines."""
    severity, facility, form, *rest = common
    return (
        severity if line.HasField("severity") else None,
        facility if line.HasField("facility") else None,
        literals.texts(line.topics),
        FORM_NAMES.get(form, "plain"),
        *rest,
    )


def _written(columns: Sequence[_Column], keys: Sequence[int], rows: Sequence[tuple[Any, ...]]) -> list[str]:
    told = zip(columns, zip(*rows, strict=True), strict=True)
    return [literals.numbers(keys), *(column.literal(values) for column, values in told)]


async def insert_lines(tx: Transaction, log_id: str, lines: LogLines) -> None:
    """Store lines. Their partitions are there."""
    for given in lines.statements():
        await tx.execute(_INSERT, [log_id, *given])
