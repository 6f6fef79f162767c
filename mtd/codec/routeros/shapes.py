"""What the rows of a command look like, learned from rows read word by word.

Routers print the same keys in the same order poll after poll. A `ShapeBook`
merges the key orders it sees into drafts (one per order, since RouterOS 6 and
7 differ), and compiles a draft into a `RowPattern` once it has seen enough.
Books are shared by all sessions of a process, through a bounded `PatternCache`.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING

from mtd.codec.routeros.patterns import RowPattern, compile_pattern

if TYPE_CHECKING:
    from mtd.model.command import Command

TAG = b""
"""Stands for the tag word among the keys of a row: no key is empty."""


class Kind(IntEnum):
    """What the values of a key look like; how they are matched follows from it."""

    FLAG = 0
    NUMBER = 1
    TOKEN = 2
    TEXT = 3


_FLAGS = frozenset((b"true", b"false", b"yes", b"no"))
_NUMBER = re.compile(rb"-?[0-9]{1,20}")
_TOKEN = re.compile(rb"[ -~]*")


def kind_of(value: bytes) -> Kind:
    """Return the narrowest kind that a value belongs to."""
    if value in _FLAGS:
        return Kind.FLAG
    if _NUMBER.fullmatch(value):
        return Kind.NUMBER
    return Kind.TOKEN if _TOKEN.fullmatch(value) else Kind.TEXT


def join_kinds(one: Kind, other: Kind) -> Kind:
    """Return the narrowest kind that covers both."""
    return one if one == other else max(one, other, Kind.TOKEN)


def merge_orders(old: Sequence[bytes], new: Sequence[bytes]) -> tuple[bytes, ...] | None:
    """Return an order that holds both, or None if they contradict each other."""
    places = {key: place for place, key in enumerate(old)}
    merged: list[bytes] = []
    taken = 0
    for key in new:
        place = places.get(key)
        if place is None:
            merged.append(key)
        elif place < taken:
            return None
        else:
            merged.extend(old[taken : place + 1])
            taken = place + 1
    merged.extend(old[taken:])
    return tuple(merged)


@dataclass(slots=True)
class Draft:
    """One order of keys: what was seen of it, and the pattern made from that."""

    order: tuple[bytes, ...]
    kinds: dict[bytes, Kind]
    optional: set[bytes] = field(default_factory=set)
    pattern: RowPattern | None = None
    _changed: bool = True
    _rows_since_compiled: int = 0
    _rows_wanted: int = 8
    _full: frozenset[bytes] = frozenset()

    def learn(self, order: tuple[bytes, ...], merged: tuple[bytes, ...], values: Sequence[bytes]) -> None:
        """Widen the draft by one row, and compile it anew if that is due."""
        self._widen(order, merged, values)
        self._rows_since_compiled += 1
        # Ever more rows between compilations: compiling takes milliseconds.
        if self._changed and self._rows_since_compiled >= self._rows_wanted:
            self.pattern = compile_pattern(
                self.order, TAG, self.optional, {key: kind.name for key, kind in self.kinds.items()}
            )
            self._changed = False
            self._rows_since_compiled = 0
            self._rows_wanted *= 2

    def _widen(self, order: tuple[bytes, ...], merged: tuple[bytes, ...], values: Sequence[bytes]) -> None:
        if order != self.order:
            if not self._full:
                self._full = frozenset(self.order)
            absent = self._full.symmetric_difference(order) - self.optional
            if absent or merged != self.order:
                self.optional |= absent
                self.order, self._full, self._changed = merged, frozenset(merged), True
        kinds = self.kinds
        for key, value in zip((key for key in order if key != TAG), values, strict=True):
            seen, known = kind_of(value), kinds.get(key)
            wider = seen if known is None else join_kinds(known, seen)
            if wider != known:
                kinds[key] = wider
                self._changed = True


class ShapeBook:
    """What is known of the rows of one command."""

    def __init__(self, max_orders: int = 4, max_keys: int = 64) -> None:
        self._drafts: list[Draft] = []
        self._max_orders = max_orders
        self._max_keys = max_keys

    def latest(self) -> Draft | None:
        """Return the draft to try first for a session that has none yet."""
        return self._drafts[0] if self._drafts else None

    def learn(self, order: tuple[bytes, ...], values: Sequence[bytes]) -> Draft | None:
        """Learn from a row; return the draft it belongs to, None if it fits no draft.

        ``order`` is the row's keys with `TAG` where the tag stood; ``values``
        are those of the keys, without the tag's.
        """
        if TAG not in order or len(order) > self._max_keys or len(set(order)) != len(order):
            return None
        for draft in self._drafts:
            merged = draft.order if order == draft.order else merge_orders(draft.order, order)
            if merged is not None and len(merged) <= self._max_keys:
                draft.learn(order, merged, values)
                return draft
        if len(self._drafts) >= self._max_orders:
            return None
        draft = Draft(order, {})
        draft.learn(order, order, values)
        self._drafts.append(draft)
        return draft


class PatternCache:
    """The books of the commands used last; one cache serves all sessions of a process."""

    def __init__(self, max_commands: int = 1024) -> None:
        self._books: OrderedDict[Command, ShapeBook] = OrderedDict()
        self._max_commands = max_commands

    def __len__(self) -> int:
        return len(self._books)

    def book(self, command: Command) -> ShapeBook:
        """Return the book of a command, a new one if need be."""
        book = self._books.get(command)
        if book is None:
            book = self._books[command] = ShapeBook()
            if len(self._books) > self._max_commands:
                self._books.popitem(last=False)
        else:
            self._books.move_to_end(command)
        return book
