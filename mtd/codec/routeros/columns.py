"""Rows gathered column by column, in whatever portions they were read."""

from __future__ import annotations

from collections.abc import Sequence

from mtd.model.command import Rows

Column = Sequence[bytes | None]


class RowsBuilder:
    """Collects the rows of one reply in order."""

    def __init__(self) -> None:
        self.count = 0
        self._portions: list[tuple[int, tuple[str, ...], tuple[Column, ...]]] = []
        self._loose: list[dict[str, bytes]] = []

    def add_columns(self, count: int, names: tuple[str, ...], columns: tuple[Column, ...]) -> None:
        """Add ``count`` rows that were read together."""
        self._bind_loose()
        self._portions.append((count, names, columns))
        self.count += count

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
        if not self._portions:
            return Rows()
        if len(self._portions) == 1:
            count, names, columns = self._portions[0]
            return Rows(count, dict(zip(names, columns, strict=True)))
        gathered: dict[str, list[bytes | None]] = {}
        done = 0
        for count, names, columns in self._portions:
            for name, values in zip(names, columns, strict=True):
                column = gathered.setdefault(name, [])
                if len(column) < done:  # the key was absent in the portions before
                    column.extend([None] * (done - len(column)))
                column.extend(values)
            done += count
        for column in gathered.values():
            column.extend([None] * (done - len(column)))
        return Rows(done, {name: tuple(values) for name, values in gathered.items()})

    def _bind_loose(self) -> None:
        rows = self._loose
        if not rows:
            return
        names = tuple(dict.fromkeys(name for row in rows for name in row))
        columns = tuple([tuple([row.get(name) for row in rows]) for name in names])
        self._portions.append((len(rows), names, columns))
        self._loose = []
