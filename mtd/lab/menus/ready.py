"""Ready-made answers of menus with very many rows.

Of 20,000 rows nearly all bytes stay as they are from one read to the next. They
are made once; a read fills in the ages, of which there are few different ones.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import TYPE_CHECKING

from mtd.lab.clock import TICKS_PER_S
from mtd.lab.personality import duration
from mtd.lab.reply import Answer, ReplyFormat
from mtd.lab.wire import attribute

if TYPE_CHECKING:
    from mtd.lab.menus.base import Row
    from mtd.lab.query import Query
    from mtd.lab.subscribers import Churn

Moments = Mapping[bytes, Hashable]
"""What the ages of a row count from, by key; an age that the row doesn't have is missing."""


@dataclass(frozen=True, slots=True)
class ReadyTable:
    """Rows of places that change hands. ``keys`` are all that a row may have, in the menu's order.

    ``holder`` gives the row of a (place, generation), with an empty cell for each
    of ``ages``, and the moments of those that it has. ``ages`` gives the seconds
    that a cell shows, from its moment and the second of now.
    """

    churn: Churn
    keys: tuple[bytes, ...]
    holder: Callable[[int, int], tuple[Row, Moments]]
    ages: Mapping[bytes, Callable[[Hashable, int], int]]


class ReadyRows:
    """Answers of one request: pieces of rows, between which the ages go."""

    def __init__(
        self, table: ReadyTable, select: Query, keys: tuple[bytes, ...] | None, *, asked_order: bool
    ) -> None:
        places = table.churn.places
        self._table = table
        self._select = select
        self._hands = (-1, 0)
        self._keys = _in_order(table, keys, asked_order=asked_order)
        ages = [key for key in self._keys if key in table.ages]
        self._moments: dict[bytes, list[Hashable]] = {key: [None] * places for key in ages}
        # Before the first age, between the first and the second, ..., behind the last.
        self._pieces: list[list[bytes]] = [[b""] * places for _ in range(len(ages) + 1)]
        self._wanted = [True] * places
        self._values = [0] * places

    def __call__(self, tick: int, reply: ReplyFormat) -> Answer:
        """Return the rows at a tick, without an end."""
        hands = self._table.churn.hands(tick)
        if hands != self._hands:
            self._change_hands(hands)
        second = tick // TICKS_PER_S
        parts: list[Sequence[bytes]] = [self._pieces[0]]
        for (key, moments), behind in zip(self._moments.items(), self._pieces[1:], strict=True):
            parts += [self._words(key, moments, second), behind]
        bodies = list(map(b"".join, zip(*parts, strict=True)))
        ahead = hands[1]  # who came last stands last
        bodies = bodies[ahead:] + bodies[:ahead]
        values = self._values
        if not all(self._wanted):
            bodies = list(compress(bodies, self._wanted[ahead:] + self._wanted[:ahead]))
            values = list(compress(values, self._wanted))
        return Answer(reply.rows(bodies), len(bodies), sum(values))

    def _words(self, key: bytes, moments: Sequence[Hashable], second: int) -> list[bytes]:
        """Return an age of all rows as it stands on the wire now."""
        age = self._table.ages[key]
        words = {
            moment: attribute(key, duration(age(moment, second)).encode())
            for moment in set(moments)
            if moment is not None
        }
        words[None] = b""
        return [words[moment] for moment in moments]

    def _change_hands(self, hands: tuple[int, int]) -> None:
        """Make the rows of places whose holder isn't who it was."""
        (rounds, ahead), (old_rounds, old_ahead) = hands, self._hands
        for place in range(self._table.churn.places):
            generation = rounds + (place < ahead)
            if old_rounds < 0 or generation != old_rounds + (place < old_ahead):
                self._make(place, generation)
        self._hands = hands

    def _make(self, place: int, generation: int) -> None:
        content, moments = self._table.holder(place, generation)
        chunks: list[list[bytes]] = [[]]
        for key in self._keys:
            if key in self._table.ages:
                self._moments[key][place] = moments.get(key)
                chunks.append([])
            elif key in content:
                chunks[-1].append(attribute(key, content[key]))
        for pieces, chunk in zip(self._pieces, chunks, strict=True):
            pieces[place] = b"".join(chunk)
        self._wanted[place] = self._select.matches(content)
        self._values[place] = sum(map(len, chunks)) + sum(key in self._moments for key in moments)


def _in_order(table: ReadyTable, keys: tuple[bytes, ...] | None, *, asked_order: bool) -> tuple[bytes, ...]:
    """Return the keys to send, in the order in which this version sends them."""
    if keys is None:
        return table.keys
    if asked_order:
        return tuple(key for key in keys if key in table.keys)
    return tuple(key for key in table.keys if key in keys)
