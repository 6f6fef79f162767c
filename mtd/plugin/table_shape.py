"""The rows of a current-state table: what tells that one changed, what changes by itself, and what is private."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence

from mtd.model.command import Reply, Rows
from mtd.model.text import decode_seldom
from mtd.model.values import Raw, decimal, duration, is_blank, text
from mtd.plugin.declaration import Column, Level, Menu, Moment
from mtd.plugin.session_names import without_login

Stable = tuple[Raw, ...]
Moments = tuple[int | None, ...]
Pseudonym = Callable[[str], str]

_END_OF_TIME_S = 253_402_300_800  # the year 10000
_KINDS_SHARED = 256


class RowShape:
    """What the columns of a table are for. ``stable`` are those whose change makes a row a changed one.

    ``moments`` and levels hold within a tolerance. ``places`` says where in a stable row a field is.
    """

    def __init__(self, menu: Menu, code_page: str, pseudonym: Pseudonym | None) -> None:
        columns = [field for field in menu.fields if isinstance(field, Column)]
        still = [
            field.field for field in columns if not (field.volatile or isinstance(field, Moment | Level))
        ]
        self.stable = tuple(dict.fromkeys(([menu.row_key] if menu.row_key else []) + still))
        self.places = {name: place for place, name in enumerate(self.stable)}
        self.loose = tuple(f.field for f in columns if f.volatile and not isinstance(f, Moment | Level))
        self.moments = tuple(field for field in columns if isinstance(field, Moment | Level))
        self._code_page = code_page
        self._pseudonym = pseudonym
        self._private = frozenset(menu.private) if pseudonym is not None else frozenset()
        # Words that come again and again are one object: a table has 20,000 of them.
        self._shared: list[dict[Raw, Raw] | None] = [{} for _ in self.stable]

    def text(self, name: str, raw: bytes) -> str:
        """Return the text of a field, or the pseudonym of it, or of the login in it."""
        place = self.places.get(name)
        few = place is not None and self._shared[place] is not None
        plain = text(raw, self._code_page) if few else decode_seldom(raw, self._code_page)
        if self._pseudonym is None:
            return plain
        return self._pseudonym(plain) if name in self._private else without_login(plain, self._pseudonym)

    def canonical(self, raw: bytes) -> bytes:
        """Return the one way to write the text of a key."""
        return raw if raw.isascii() else text(raw, self._code_page).encode()

    def shared(self, row: Stable) -> Stable:
        """Return an equal row, made of values that other rows have as well, where there are few of them."""
        values = []
        for place, value in enumerate(row):
            known = self._shared[place]
            if known is not None and len(known) > _KINDS_SHARED:
                known = self._shared[place] = None  # nearly every row has its own
            values.append(value if known is None else known.setdefault(value, value))
        return tuple(values)


class Reading:
    """The rows of one reply, seen by the shape of their table."""

    def __init__(self, shape: RowShape, rows: Rows, reply: Reply) -> None:
        self.shape = shape
        self.count = rows.count
        self.unreadable = 0
        self.stable = [rows.column(name) for name in shape.stable]
        self._rows = rows
        self._moments = [rows.column(moment.field) for moment in shape.moments]
        self._at_s = reply.received_us / 1e6
        # The router counts while it sends: of a long reply the last ages are as much older as it took.
        self._tolerances = [
            moment.tolerance_s + reply.duration_s if isinstance(moment, Moment) else moment.within
            for moment in shape.moments
        ]

    def rows(self, start: int, stop: int) -> Sequence[Stable]:
        """Return the stable rows between two positions."""
        if not self.stable:
            return [()] * (stop - start)
        return list(zip(*[column[start:stop] for column in self.stable], strict=True))

    def moments(self, position: int, before: Moments | None) -> Moments:
        """Return the moments of a row: those of before, as far as they still hold."""
        found = []
        for number in range(len(self.shape.moments)):
            new = self._number(number, position)
            old = before[number] if before is not None else None
            holds = old is not None and new is not None and abs(new - old) <= self._tolerances[number]
            found.append(old if holds else new)
        return tuple(found)

    def moved(self, position: int, before: Moments) -> bool:
        """Whether a moment doesn't hold any more that makes its row a changed one."""
        for number, moment in enumerate(self.shape.moments):
            if moment.volatile:
                continue
            new, old = self._number(number, position), before[number]
            if new is None or old is None:
                if new is not old:
                    return True
            elif abs(new - old) > self._tolerances[number]:
                return True
        return False

    def fields(self, position: int, row: Stable, moments: Moments) -> dict[str, str]:
        """Return a whole row as it is told; absent fields are missing."""
        shape = self.shape
        fields = {
            name: shape.text(name, raw)
            for name, raw in zip(shape.stable, row, strict=True)
            if raw is not None
        }
        for name in shape.loose:
            raw = self._loose(name, position)
            if raw is not None:
                fields[name] = shape.text(name, raw)
        for moment, kept in zip(shape.moments, moments, strict=True):
            if kept is None:
                continue
            if isinstance(moment, Moment):
                fields[moment.name] = _told(kept)
            else:
                fields[moment.field] = str(kept)
        return fields

    def _number(self, number: int, position: int) -> int | None:
        """Return a moment or a level of a row; None if there is none, or none that can be read."""
        column, raw = self.shape.moments[number], self._moments[number][position]
        found = self._moment(raw, ahead=column.ahead) if isinstance(column, Moment) else decimal(raw)
        if found is None:
            self.unreadable += not is_blank(raw)
            return None
        return round(found)

    def _moment(self, raw: Raw, *, ahead: bool) -> float | None:
        seconds = duration(raw)
        if seconds is None:
            return None
        at_s = self._at_s + seconds if ahead else self._at_s - seconds
        return at_s if 0 <= at_s < _END_OF_TIME_S else None

    def _loose(self, name: str, position: int) -> Raw:
        numbers = self._rows.numbers
        if numbers is not None and name in numbers.names:
            # Not the text of the whole column, of which a few rows are wanted.
            return b"%d" % numbers.values[position, numbers.names.index(name)]
        return self._rows.column(name)[position]


def _told(at_s: int) -> str:
    moment = datetime.datetime.fromtimestamp(at_s, datetime.UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}Z"
