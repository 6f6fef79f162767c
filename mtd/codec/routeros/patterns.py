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

from mtd.codec.routeros.bulk import BulkPattern
from mtd.codec.routeros.columns import Column, Portion
from mtd.codec.routeros.fields import Field
from mtd.codec.routeros.numbers import NumberRun
from mtd.model.text import decode_text

_LONGEST = 0x7F  # words with longer prefixes are read word by word
_DIGITS = 20
LONGEST_KEY = _LONGEST - _DIGITS - 3
"""Of a key in bytes, that a pattern can have: its two equals signs and a number fit into the word."""
_WORD_EFFORT = 60
_NEXT_EFFORT = 8
# The row's end; or all that comes after the rows that match, so that nothing is skipped.
_END = rb"\x00|(.+)"
_FLAGS = (b"true", b"false", b"yes", b"no")
# Fewer bytes are read as quickly value by value.
_BULK_BYTES = 1500
_LEAST_RUN = 3


class RowPattern:
    """A compiled shape. Immutable; shared by sessions."""

    def __init__(
        self,
        regex: re.Pattern[bytes],
        tag_group: int,
        fields: tuple[Field, ...],
        bulk: BulkPattern | None = None,
    ) -> None:
        self.bulk = bulk
        self._findall = regex.findall
        self._scanner = regex.scanner  # type: ignore[attr-defined]  # undocumented, but typed nowhere
        self._tag_group = tag_group
        self._fields = fields
        self.names = tuple(field.name for field in fields)

    def read_portion(
        self, buffer: bytes, position: int, end: int, tag_word: bytes
    ) -> tuple[Portion | None, int]:
        """Read as ``read`` does, the quickest way there is; return the rows, and the position after them."""
        if self.bulk is not None and end - position >= _BULK_BYTES:
            portion, after = self.bulk.read(buffer, position, end, tag_word)
            if portion is not None:
                return portion, after
        count, columns, after = self.read(buffer, position, end, tag_word)
        return (Portion(count, self.names, columns) if count else None), after

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
        columns = tuple([field.column(groups) for field in self._fields])
        if None in columns:
            return self._read_one_by_one(buffer, position, tag_word)
        return count, columns, after  # type: ignore[return-value]  # no None in it

    def _after(self, buffer: bytes, position: int, count: int) -> int:
        """Return where so many rows, which are known to match, end."""
        match = self._scanner(buffer, position).match
        for _ in range(count - 1):
            match()
        return int(match().end())

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
            values = [field.column(groups) for field in self._fields]
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
    parts, tag_group, fields = _groups(words, words)
    parts.append(_END)
    regex = re.compile(b"".join(parts), re.DOTALL)
    return RowPattern(regex, tag_group, tuple(fields), _compile_bulk(words))


def _groups(words: Sequence[_Word], taken: Sequence[_Word]) -> tuple[list[bytes], int, list[Field]]:
    """Return the pattern of the first words of a row, the group of its tag, and where the values are."""
    parts = [re.escape(b"\x03!re")]
    fields: list[Field] = []
    groups = tag_group = 0
    for place, word in enumerate(taken):
        parts.append(word.regex(_following(words, place)))
        if word.kind == "TAG":
            tag_group = groups
            groups += 1
            continue
        free = word.kind != "FLAG"
        fields.append(
            Field(
                name=decode_text(word.key),
                value=groups + free,
                length=groups if free else None,
                to_value_length=bytes((byte - word.shortest) % 256 for byte in range(256)),
                optional=word.optional,
            )
        )
        groups += 1 + free
    return parts, tag_group, fields


def _compile_bulk(words: Sequence[_Word]) -> BulkPattern | None:
    """Compile a shape whose rows end in a run of numbers, with or without the tag behind it."""
    stop = len(words)
    tag_is_last = words[-1].kind == "TAG"
    if tag_is_last:
        stop -= 1
    start = stop
    while start and words[start - 1].is_plain_number:
        start -= 1
    if stop - start < _LEAST_RUN:
        return None
    parts, tag_group, fields = _groups(words, words[:start])
    # Taken as they are, and told apart for all rows together.
    parts.append(rb"([^\x00.]++\.tag=[0-9]{0,20}+)" if tag_is_last else rb"([^\x00]++)")
    parts.append(_END)
    run = NumberRun([word.key for word in words[start:stop]])
    regex = re.compile(b"".join(parts), re.DOTALL)
    return BulkPattern(regex, None if tag_is_last else tag_group, tuple(fields), run)


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
    def is_plain_number(self) -> bool:
        """Whether it can be one of a `NumberRun`."""
        return self.kind == "NUMBER" and not self.optional and NumberRun.suits(self.key)

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
