"""What the rows of a command look like, learned from rows read word by word.

Routers print the same keys in the same order poll after poll. A session merges
the key orders it sees into a `Draft` (one per order, since RouterOS 6 and 7
differ), compiles that into a `RowPattern` once it has seen enough, and then puts
it into the command's `ShapeBook`, which all sessions of a process share through
a bounded `PatternCache`.

A router chooses what it sends, so it must not be able to make this dear for the
others: no draft grows beyond what compiles within milliseconds, a session keeps
its draft whatever becomes of the book, and a full book gives up what serves the
fewest answers.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING

from mtd.codec.routeros.patterns import LONGEST_KEY, RowPattern, compile_pattern, effort

if TYPE_CHECKING:
    from mtd.model.command import Command, Shape

TAG = b""
"""Stands for the tag word among the keys of a row: no key is empty."""


_FIRST_ROWS = 8
# Ever more rows between compilations, but what a draft can still learn has an end.
_MOST_ROWS = 256
_FADE_S = 3600.0
MOST_EFFORT = 5000
"""Of `effort`: compiles in about 4 milliseconds."""


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


@dataclass(slots=True, eq=False)
class Draft:
    """One order of keys: what was seen of it, and the pattern made from that.

    ``uses`` counts the answers that it served, lately.
    """

    order: tuple[bytes, ...] = ()
    kinds: dict[bytes, Kind] = field(default_factory=dict)
    optional: set[bytes] = field(default_factory=set)
    pattern: RowPattern | None = None
    uses: float = 0
    _changed: bool = True
    _rows_since_compiled: int = 0
    _rows_wanted: int = _FIRST_ROWS
    _full: frozenset[bytes] = frozenset()

    @property
    def due(self) -> bool:
        """Whether enough was seen, and changed, to compile."""
        return self._changed and self._rows_since_compiled >= self._rows_wanted

    def learn(self, order: tuple[bytes, ...], values: Sequence[bytes], max_keys: int) -> bool:
        """Widen the draft by one row; return False if the row doesn't fit."""
        if order != self.order and not self._widen(order, max_keys):
            return False
        kinds = self.kinds
        for key, value in zip((key for key in order if key != TAG), values, strict=True):
            seen, known = kind_of(value), kinds.get(key)
            wider = seen if known is None else join_kinds(known, seen)
            if wider != known:
                kinds[key] = wider
                self._changed = True
        self._rows_since_compiled += 1
        return True

    def compile(self) -> None:
        """Make the pattern. Takes milliseconds."""
        kinds = {key: kind.name for key, kind in self.kinds.items()}
        # An older pattern reads fewer rows, but those rightly.
        self.pattern = compile_pattern(self.order, TAG, self.optional, kinds) or self.pattern
        self._changed = False
        self._rows_since_compiled = 0
        self._rows_wanted = min(_MOST_ROWS, self._rows_wanted * 2)

    def _widen(self, order: tuple[bytes, ...], max_keys: int) -> bool:
        """Take the keys of a row in, unless the order forbids it or the pattern would be too large."""
        merged = merge_orders(self.order, order)
        if merged is None or len(merged) > max_keys:
            return False
        # What a draft begins with is absent from no row yet.
        absent = self._full.symmetric_difference(order) - self.optional if self._full else set()
        if absent or merged != self.order:
            optional = self.optional | absent
            if effort(merged, TAG, optional) > MOST_EFFORT:
                return False
            self.order, self._full, self._changed = merged, frozenset(merged), True
            self.optional = optional
        return True


class ShapeBook:
    """The shapes of one command that were compiled, by whatever session."""

    def __init__(self, max_orders: int = 4, max_keys: int = 64) -> None:
        self._drafts: list[Draft] = []
        self._max_orders = max_orders
        self._max_keys = max_keys
        self._faded_at = 0.0

    def __len__(self) -> int:
        return len(self._drafts)

    def best(self) -> Draft | None:
        """Return the draft to try first for a session that has none yet."""
        return max(self._drafts, key=_uses, default=None)

    def learn(self, order: tuple[bytes, ...], values: Sequence[bytes], own: Draft | None) -> Draft | None:
        """Learn from a row; return the draft it belongs to, None if it isn't worth one.

        ``order`` is the row's keys with `TAG` where the tag stood; ``values``
        are those of the keys, without the tag's. ``own`` is the draft that the
        session uses now; the answer may be another, or a new one.
        """
        if (
            TAG not in order
            or len(order) > self._max_keys
            or len(set(order)) != len(order)
            or max(map(len, order)) > LONGEST_KEY
        ):
            return None
        for draft in self._drafts:
            if draft.learn(order, values, self._max_keys):
                return draft
        if own is not None and own not in self._drafts and own.learn(order, values, self._max_keys):
            return own
        draft = Draft()
        return draft if draft.learn(order, values, self._max_keys) else None

    def publish(self, draft: Draft, now: float) -> None:
        """Share a draft with all sessions; the least used one makes room. ``now``: monotonic seconds."""
        if draft in self._drafts:
            return
        if now - self._faded_at >= _FADE_S:  # by time: nobody can hurry it
            self._faded_at = now
            for known in self._drafts:
                known.uses /= 2
        if len(self._drafts) >= self._max_orders:
            self._drafts.remove(min(self._drafts, key=_uses))
        self._drafts.append(draft)


def _uses(draft: Draft) -> float:
    return draft.uses


class PatternCache:
    """The books of the commands used last; one cache serves all sessions of a process.

    Commands that differ only in the rows that they ask for share a book: each router has its own.
    """

    def __init__(self, max_commands: int = 1024) -> None:
        self._books: OrderedDict[Shape, ShapeBook] = OrderedDict()
        self._max_commands = max_commands

    def __len__(self) -> int:
        return len(self._books)

    def book(self, command: Command) -> ShapeBook:
        """Return the book of a command, a new one if need be."""
        shape = command.shape
        book = self._books.get(shape)
        if book is None:
            book = self._books[shape] = ShapeBook()
            if len(self._books) > self._max_commands:
                self._books.popitem(last=False)
        else:
            self._books.move_to_end(shape)
        return book
