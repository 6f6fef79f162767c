"""Answers to ``print``: the general way, and a fast one for interfaces.

A poller sends the same sentence each second. What it asks for is worked out
once and kept; of an interface row only the digits of counters are new.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np

from mtd.lab.curves import WIDTH, Curves
from mtd.lab.menus.base import CommandError, Menu, Row
from mtd.lab.menus.interface import Cell, cells, is_counter
from mtd.lab.menus.ready import ReadyRows
from mtd.lab.query import Query, QueryError, compile_query
from mtd.lab.reply import Answer, ReplyFormat, encode_row
from mtd.lab.state import RouterState
from mtd.lab.timeline import Segment
from mtd.lab.wave import Ints
from mtd.lab.wire import Request, attribute, encode_length

Plan = Callable[[int, ReplyFormat], Answer]

_ARGUMENTS = frozenset(
    b".proplist .tag detail brief terse value-list without-paging count-only follow follow-only interval "
    b"duration stats stats-detail bytes packets from once".split()
)


class BodyMaker(Protocol):
    """Makes the ``!re`` sentences of one request."""

    def __call__(self, tick: int, reply: ReplyFormat) -> Answer:
        """Return the rows at a tick, without an end."""


def print_plan(state: RouterState, menu: Menu, request: Request) -> Plan:
    """Return what answers a ``print`` request, ``!done`` included."""
    body = body_maker(state, menu, request)
    if request.flag(b"count-only"):
        return lambda tick, reply: Answer(reply.done(b"%d" % body(tick, reply).rows))
    empty = state.persona.empty_reply

    def answer(tick: int, reply: ReplyFormat) -> Answer:
        found = body(tick, reply)
        if not found.rows and empty:
            found.data = reply.sentence(b"!empty")
        found.data += reply.done()
        return found

    return answer


def body_maker(state: RouterState, menu: Menu, request: Request) -> BodyMaker:
    """Check a request's words and return what makes its rows."""
    for key in request.attributes:
        if key not in _ARGUMENTS:
            raise CommandError(b"unknown parameter " + key)
    select = selection(request)
    keys = asked_keys(request)
    if menu.path == "/interface" and not any(map(is_counter, select.keys)):
        return InterfaceRows(state, select, keys)
    asked_order = state.persona.asked_order
    if menu.ready is not None and select.keys.isdisjoint(menu.ready.ages):
        return ReadyRows(menu.ready, select, keys, asked_order=asked_order)

    def general(tick: int, reply: ReplyFormat) -> Answer:
        rows = [content for content in menu.rows(state, tick) if select.matches(content)]
        encoded = [encode_row(content, order(content, keys, asked_order=asked_order)) for content in rows]
        data = reply.rows([words for words, _ in encoded])
        return Answer(data, len(rows), sum(count for _, count in encoded))

    return general


def selection(request: Request) -> Query:
    """Return the request's query, ``=from=`` included."""
    words = request.queries
    if b"from" in request.attributes:
        ids = request.attributes[b"from"].split(b",")
        words = (*words, *(b".id=" + identity for identity in ids), b"#" + b"|" * (len(ids) - 1))
    try:
        query = compile_query(words)
        query.matches({})
    except QueryError as error:
        raise CommandError(str(error), 5) from error
    return query


def asked_keys(request: Request) -> tuple[bytes, ...] | None:
    """Return the properties in ``.proplist``; None for all."""
    proplist = request.attributes.get(b".proplist")
    return None if not proplist else tuple(dict.fromkeys(proplist.split(b",")))


def order(content: Row, keys: tuple[bytes, ...] | None, *, asked_order: bool) -> tuple[bytes, ...] | None:
    """Return the keys to send, in the order in which this version sends them."""
    if keys is None or asked_order:
        return keys
    return tuple(key for key in content if key in keys)


class InterfaceRows:
    """Rows of ``/interface``: templates per segment, filled with the counters of a tick."""

    def __init__(self, state: RouterState, select: Query, keys: tuple[bytes, ...] | None) -> None:
        self._state = state
        self._select = select
        self._keys = keys
        self._segment: Segment | None = None
        self._curves: Curves | None = None
        self._low = self._high = np.zeros(0, dtype=np.int64)
        self._rows: list[list[tuple[bytes, Cell]]] = []
        self._templates: list[tuple[bytes, int, int]] = []
        self._values = 0

    def __call__(self, tick: int, reply: ReplyFormat) -> Answer:
        """Return the rows at a tick."""
        segment = self._state.truth.segment(tick)
        if segment is not self._segment:
            self._enter(segment)
        if self._curves is None:
            bodies = [template for template, _, _ in self._templates]
            return Answer(reply.rows(bodies), len(bodies), self._values)
        values = self._curves.at(tick)
        if ((values < self._low) | (values >= self._high)).any():
            self._measure(values)
        numbers = values.tolist()
        bodies = [template % tuple(numbers[start:end]) for template, start, end in self._templates]
        return Answer(reply.rows(bodies), len(bodies), self._values)

    def _enter(self, segment: Segment) -> None:
        """Choose rows and cells for a segment."""
        state, asked = self._state, self._state.persona.asked_order
        self._rows, indices = [], []
        for item in state.truth.shown(segment):
            row = dict(cells(state, segment, item))
            if not self._select.matches({key: b"" if isinstance(c, int) else c for key, c in row.items()}):
                continue
            keys = self._keys if self._keys is not None and asked else tuple(row)
            wanted = [(k, row[k]) for k in keys if k in row and (self._keys is None or k in self._keys)]
            self._rows.append(wanted)
            indices += [item.index * WIDTH + cell for _, cell in wanted if isinstance(cell, int)]
        self._values = sum(map(len, self._rows))
        self._segment = segment
        self._curves = segment.curves.take(np.array(indices)) if indices else None
        self._low = self._high = np.zeros(len(indices), dtype=np.int64)
        if self._curves is None:
            bodies = [b"".join(attribute(key, _text(cell)) for key, cell in row) for row in self._rows]
            self._templates = [(body, 0, 0) for body in bodies]

    def _measure(self, values: Ints) -> None:
        """Make templates for the present numbers of digits, and note how long they hold."""
        digits = [len(str(value)) for value in values.tolist()]
        top = np.iinfo(np.int64).max
        self._high = np.array([min(10**count, top) for count in digits], dtype=np.int64)
        self._low = np.array([10 ** (count - 1) if count > 1 else 0 for count in digits], dtype=np.int64)
        self._templates, end = [], 0
        for row in self._rows:
            start, parts = end, []
            for key, cell in row:
                if isinstance(cell, int):
                    length = encode_length(len(key) + 2 + digits[end])
                    parts.append(_escaped(length + b"=" + key + b"=") + b"%d")
                    end += 1
                else:
                    parts.append(_escaped(attribute(key, cell)))
            self._templates.append((b"".join(parts), start, end))


def _text(cell: Cell) -> bytes:
    return cell if isinstance(cell, bytes) else b""


def _escaped(data: bytes) -> bytes:
    return data.replace(b"%", b"%%")
