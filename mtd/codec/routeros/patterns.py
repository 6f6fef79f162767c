r"""Rows read many at a time, by one compiled pattern for their known shape.

A pattern alone can't know that a length byte tells the truth: a value may hold
bytes that look like the next word. So the length byte of every value of free
length is captured too, and whole columns of them are compared with the lengths
of the values that were matched. By induction from the row's first byte, a row
that passes is the row that reading word by word gives; any other is left to that.

Rows come from ``findall``, which makes one tuple per row without a match object
or any Python code in between. A last alternative, ``|(.+)``, swallows what comes
after the first row that doesn't match, so that nothing is ever skipped.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from mtd.model.text import decode_text

_LONGEST = 0x7F  # words with longer prefixes are read word by word
_DIGITS = 20
LONGEST_KEY = _LONGEST - _DIGITS - 3
"""Of a key in bytes, that a pattern can have: its two equals signs and a number fit into the word."""
_WORD_EFFORT = 60
_NEXT_EFFORT = 8
_FLAGS = (b"true", b"false", b"yes", b"no")
Column = Sequence[bytes | None]


@dataclass(frozen=True, slots=True)
class _Field:
    """Where a key's value is among the groups of a match, and its length byte."""

    name: str
    value: int
    length: int | None  # None: the pattern itself ties the length to the value
    to_value_length: bytes  # translates a length byte to the length of the value
    optional: bool


class RowPattern:
    """A compiled shape. Immutable; shared by sessions."""

    def __init__(self, regex: re.Pattern[bytes], tag_group: int, fields: tuple[_Field, ...]) -> None:
        self._findall = regex.findall
        self._scanner = regex.scanner  # type: ignore[attr-defined]  # undocumented, but typed nowhere
        self._tag_group = tag_group
        self._fields = fields
        self.names = tuple(field.name for field in fields)

    def read(
        self, buffer: bytes, position: int, end: int, tag_word: bytes
    ) -> tuple[int, tuple[Column, ...], int]:
        """Read the rows of one tag between ``position`` and ``end``, as far as they match.

        ``tag_word`` is the tag's whole word, length byte included. Returns the
        number of rows, their columns in the order of ``names``, and the
        position after them.
        """
        rows = self._findall(buffer, position, end)
        after = end
        if rows and rows[-1][-1]:
            after -= len(rows.pop()[-1])
        if not rows:
            return 0, (), position
        groups = list(zip(*rows, strict=True))
        count = len(rows)
        tags = groups[self._tag_group]
        if tags.count(tag_word) != count:
            # Replies that take turns: ours goes up to the first row of another.
            count = next(place for place, tag in enumerate(tags) if tag != tag_word)
            if not count:
                return 0, (), position
            groups = list(zip(*rows[:count], strict=True))
            after = self._after(buffer, position, count)
        columns = tuple([self._column(field, groups) for field in self._fields])
        if None in columns:
            return self._read_one_by_one(buffer, position, tag_word)
        return count, columns, after  # type: ignore[return-value]  # no None in it

    def _after(self, buffer: bytes, position: int, count: int) -> int:
        """Return where so many rows, which are known to match, end."""
        match = self._scanner(buffer, position).match
        for _ in range(count - 1):
            match()
        return int(match().end())

    def _column(self, field: _Field, groups: Sequence[tuple[bytes, ...]]) -> Column | None:
        """Return a column, or None if a length byte in it lies."""
        values = groups[field.value]
        if field.length is None:
            # A flag is never empty: an empty group is one that took no part.
            if field.optional and b"" in values:
                return tuple([value or None for value in values])
            return values
        lengths = groups[field.length]
        if field.optional and b"" in lengths:
            return self._optional_column(field, lengths, values)
        told = b"".join(lengths).translate(field.to_value_length)
        return values if told == bytes(map(len, values)) else None

    def _optional_column(
        self, field: _Field, lengths: tuple[bytes, ...], values: tuple[bytes, ...]
    ) -> Column | None:
        told = b"".join(lengths).translate(field.to_value_length)
        present = tuple([value if length else None for length, value in zip(lengths, values, strict=True)])
        return present if told == bytes([len(value) for value in present if value is not None]) else None

    def _read_one_by_one(
        self, buffer: bytes, position: int, tag_word: bytes
    ) -> tuple[int, tuple[Column, ...], int]:
        """Read up to the first row of another tag, or with a length byte that lies."""
        match = self._scanner(buffer, position).match
        rows: list[tuple[bytes | None, ...]] = []
        while (found := match()) is not None:
            row = found.groups(b"")
            if row[-1] or row[self._tag_group] != tag_word:
                break
            groups = [(group,) for group in row]
            values = [self._column(field, groups) for field in self._fields]
            if None in values:
                break
            rows.append(tuple(value[0] for value in values if value is not None))
            position = found.end()
        return len(rows), tuple(zip(*rows, strict=True)), position


def compile_pattern(
    order: Sequence[bytes], tag: bytes, optional: Collection[bytes], kinds: Mapping[bytes, str]
) -> RowPattern | None:
    """Compile a shape, or return None if its rows are better read word by word.

    ``order`` is the keys with ``tag`` standing for the tag's word; ``kinds``
    says of each key FLAG, NUMBER, TOKEN (printable ASCII) or TEXT (any bytes).
    """
    words = [_Word.of(key, tag, key in optional, kinds) for key in order]
    names = [decode_text(word.key) for word in words if word.kind != "TAG"]
    too_long = any(len(word.key) > LONGEST_KEY for word in words)
    if too_long or len(set(names)) != len(names):
        return None
    parts = [re.escape(b"\x03!re")]
    fields: list[_Field] = []
    groups = tag_group = 0
    for place, word in enumerate(words):
        parts.append(word.regex(_following(words, place)))
        if word.kind == "TAG":
            tag_group = groups
            groups += 1
            continue
        free = word.kind != "FLAG"
        fields.append(
            _Field(
                name=decode_text(word.key),
                value=groups + free,
                length=groups if free else None,
                to_value_length=bytes((byte - word.shortest) % 256 for byte in range(256)),
                optional=word.optional,
            )
        )
        groups += 1 + free
    parts.append(rb"\x00|(.+)")
    return RowPattern(re.compile(b"".join(parts), re.DOTALL), tag_group, tuple(fields))


def effort(order: Sequence[bytes], tag: bytes, optional: Collection[bytes]) -> int:
    """Return what compiling a shape takes at most; 1,000 are just under a millisecond.

    Any value may have to be told from each word that may follow, and after an
    optional word follow many.
    """
    total = chain = 0
    for key in reversed(order):
        length = len(key) + 2
        total += _WORD_EFFORT + 2 * length + chain
        own = length + _NEXT_EFFORT
        chain = chain + own if key != tag and key in optional else own
    return total


@dataclass(frozen=True, slots=True)
class _Word:
    """One word of a row: its fixed beginning, and what may follow that."""

    key: bytes
    kind: str
    prefix: bytes
    optional: bool

    @classmethod
    def of(cls, key: bytes, tag: bytes, optional: bool, kinds: Mapping[bytes, str]) -> _Word:
        if key == tag:
            return cls(key, "TAG", b".tag=", False)
        return cls(key, kinds[key], b"=" + key + b"=", optional)

    @property
    def shortest(self) -> int:
        """Length of the word if its value is empty."""
        return len(self.prefix)

    @property
    def length_bytes(self) -> range:
        """What its length byte can be."""
        least = self.shortest
        if self.kind == "FLAG":
            return range(least + 2, least + 6)
        if self.kind == "NUMBER":
            return range(least + 1, min(least + _DIGITS, _LONGEST) + 1)
        return range(least, _LONGEST + 1)

    @property
    def beginning(self) -> bytes:
        """Pattern of its first bytes, up to the value."""
        return _one_of(self.length_bytes) + re.escape(self.prefix)

    def regex(self, following: Sequence[_Word | None]) -> bytes:
        """Return the pattern of the word, given what may come after it (None: the row's end)."""
        prefix = re.escape(self.prefix)
        if self.kind == "FLAG":
            ahead = b"|".join(
                re.escape(bytes([self.shortest + len(flag)])) + b"(?=" + prefix + flag + b")"
                for flag in _FLAGS
            )
            word = b"(?:" + ahead + b")" + prefix + b"(" + b"|".join(_FLAGS) + b")"
        elif self.kind == "TAG":
            word = b"(." + prefix + self._value(b"[0-9]", following) + b")"
        else:
            allowed = {"NUMBER": b"[0-9]", "TOKEN": b"[ -~]", "TEXT": b"."}[self.kind]
            sign = b"-?" if self.kind == "NUMBER" else b""
            value = sign + self._value(allowed, following)
            word = b"(" + _one_of(self.length_bytes) + b")" + prefix + b"(" + value + b")"
        # Atomic: without it, a hostile value could make the engine try without end.
        return b"(?>" + word + b")" + (b"?+" if self.optional else b"")

    def _value(self, allowed: bytes, following: Sequence[_Word | None]) -> bytes:
        most = _LONGEST - self.shortest
        if self.kind in ("NUMBER", "TAG"):
            most = min(most, _DIGITS)
        one = re.compile(allowed, re.DOTALL)
        next_bytes = {byte for word in following for byte in (word.length_bytes if word else (0,))}
        if not any(one.match(bytes([byte])) for byte in next_bytes):
            return allowed + b"{0,%d}+" % most
        ahead = b"|".join(word.beginning if word else rb"\x00" for word in following)
        return allowed + b"{0,%d}?(?=" % most + ahead + b")"


def _following(words: Sequence[_Word], place: int) -> list[_Word | None]:
    """Return the words that may come right after the one at ``place``."""
    following: list[_Word | None] = []
    for word in words[place + 1 :]:
        following.append(word)
        if not word.optional:
            return following
    return [*following, None]


def _one_of(values: range) -> bytes:
    return b"[" + re.escape(bytes([values[0]])) + b"-" + re.escape(bytes([values[-1]])) + b"]"
