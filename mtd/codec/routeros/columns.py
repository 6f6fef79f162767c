"""Rows gathered column by column, in whatever portions they were read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mtd.model.command import Rows
from mtd.model.numbers import Numbers

Column = Sequence[bytes | None]


@dataclass(frozen=True, slots=True)
class Portion:
    """Rows that were read together. ``numbers`` are further columns, if there are any."""

    count: int
    names: tuple[str, ...]
    columns: tuple[Column, ...]
    numbers: Numbers | None = None


class RowsBuilder:
    """Collects the rows of one reply in order."""

    def __init__(self) -> None:
        self.count = 0
        self._portions: list[Portion] = []
        self._loose: list[dict[str, bytes]] = []

    def add(self, portion: Portion) -> None:
        """Add rows that were read together."""
        self._bind_loose()
        self._portions.append(portion)
        self.count += portion.count

    def add_row(self, row: dict[str, bytes]) -> None:
        """Add one row."""
        self._loose.append(row)
        self.count += 1

    def clear(self) -> None:
        """Forget all rows; keep the count."""
        self._portions.clear()
        self._loose.clear()

    def build(self) -> Rows:
        """Return the rows."""
        self._bind_loose()
        portions: Sequence[Portion] = self._portions
        if not portions:
            return Rows()
        if len(portions) == 1:
            only = portions[0]
            return Rows(only.count, dict(zip(only.names, only.columns, strict=True)), only.numbers)
        numbers, portions = _joined_numbers(portions)
        gathered: dict[str, list[bytes | None]] = {}
        done = 0
        for portion in portions:
            for name, values in _columns_of(portion, with_numbers=numbers is None):
                column = gathered.setdefault(name, [])
                if len(column) < done:  # the key was absent in the portions before
                    column.extend([None] * (done - len(column)))
                column.extend(values)
            done += portion.count
        for column in gathered.values():
            column.extend([None] * (done - len(column)))
        return Rows(done, {name: tuple(values) for name, values in gathered.items()}, numbers)

    def _bind_loose(self) -> None:
        rows = self._loose
        if not rows:
            return
        names = tuple(dict.fromkeys(name for row in rows for name in row))
        columns = tuple([tuple([row.get(name) for row in rows]) for name in names])
        self._portions.append(Portion(len(rows), names, columns))
        self._loose = []


def _joined_numbers(portions: Sequence[Portion]) -> tuple[Numbers | None, Sequence[Portion]]:
    """Return the numbers of all portions and what else they hold, if all have the same ones.

    A row that was cut, and so was read word by word, takes part if its words do.
    """
    names = next((portion.numbers.names for portion in portions if portion.numbers is not None), ())
    if not names:
        return None, portions
    parsed = [_with_numbers(portion, names) for portion in portions]
    joined: Numbers | None = None
    for portion in parsed:
        numbers = portion.numbers
        if numbers is None or numbers.names != names:
            return None, portions
        joined = numbers if joined is None else joined.followed_by(numbers)
    return joined, parsed


def _with_numbers(portion: Portion, names: tuple[str, ...]) -> Portion:
    """Return a portion with those of its columns that have these names as numbers, if they are."""
    if portion.numbers is not None:
        return portion
    columns = dict(zip(portion.names, portion.columns, strict=True))
    taken = [columns.pop(name, ()) for name in names]
    numbers = Numbers.of_columns(names, taken) if all(taken) else None
    return (
        portion
        if numbers is None
        else Portion(portion.count, tuple(columns), tuple(columns.values()), numbers)
    )


def _columns_of(portion: Portion, *, with_numbers: bool) -> Iterator[tuple[str, Column]]:
    yield from zip(portion.names, portion.columns, strict=True)
    if with_numbers and portion.numbers is not None:
        for name in portion.numbers.names:
            text = portion.numbers.text(name)
            assert text is not None
            yield name, text
