"""Answers that go on: ``listen``, ``=follow=``, ``=interval=``, monitors, tools, and endless tables."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from mtd.lab.menus.base import CommandError, Menu, Row
from mtd.lab.menus.durations import seconds
from mtd.lab.menus.interface import is_counter
from mtd.lab.render import asked_keys, body_maker, order, selection
from mtd.lab.reply import Answer, ReplyFormat, encode_row
from mtd.lab.wire import Request, attribute

if TYPE_CHECKING:
    from mtd.lab.console import Console

_WATCH_S = 0.1
_SHORTEST_S = 0.02
_HUGE_CHUNK_ROWS = 500

Send = Callable[[Answer], None]


class Stream:
    """A command under way. ``stop`` ends it without a word."""

    def __init__(self, reply: ReplyFormat, finished: Callable[[Stream], None]) -> None:
        self.reply = reply
        self._finished = finished
        self._handle: asyncio.TimerHandle | None = None

    def stop(self) -> None:
        """Send nothing any more."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _later(self, delay_s: float, step: Callable[[], None]) -> None:
        self._handle = asyncio.get_running_loop().call_later(delay_s, step)


class Repeating(Stream):
    """Runs something each interval, until cancelled or for a duration."""

    def __init__(
        self,
        reply: ReplyFormat,
        finished: Callable[[Stream], None],
        send: Send,
        request: Request,
        make: Callable[[], Answer],
    ) -> None:
        super().__init__(reply, finished)
        self._send, self._make = send, make
        self._interval_s = max(_SHORTEST_S, seconds(request.attributes.get(b"interval") or b"1s"))
        bound = request.attributes.get(b"duration")
        self._left_s = None if bound is None else seconds(bound)
        self._step()

    def _step(self) -> None:
        try:
            self._send(self._make())
        except CommandError as error:
            self._send(Answer(self.reply.trap(error.message, error.category) + self.reply.done()))
            self._finished(self)
            return
        if self._left_s is not None:
            self._left_s -= self._interval_s
            if self._left_s <= 0:
                self._send(Answer(self.reply.done()))
                self._finished(self)
                return
        self._later(self._interval_s, self._step)


class Scripted(Stream):
    """Sends the rows of a tool, each when it is their time."""

    def __init__(
        self,
        reply: ReplyFormat,
        finished: Callable[[Stream], None],
        send: Send,
        steps: Iterator[tuple[list[Row], float]],
    ) -> None:
        super().__init__(reply, finished)
        self._send, self._steps = send, steps
        self._later(0.0, self._step)

    def _step(self) -> None:
        try:
            rows, pause_s = next(self._steps, (None, 0.0))
        except CommandError as error:
            self._send(Answer(self.reply.trap(error.message, error.category) + self.reply.done()))
            self._finished(self)
            return
        if rows is None:
            self._send(Answer(self.reply.done()))
            self._finished(self)
            return
        encoded = [encode_row(row, None) for row in rows]
        data = self.reply.rows([words for words, _ in encoded])
        self._send(Answer(data, len(rows), sum(count for _, count in encoded)))
        self._later(pause_s, self._step)


class Listening(Stream):
    """Sends the rows of a menu that changed. Counters are no change."""

    def __init__(
        self,
        reply: ReplyFormat,
        finished: Callable[[Stream], None],
        send: Send,
        console: Console,
        menu: Menu,
        request: Request,
    ) -> None:
        super().__init__(reply, finished)
        self._send, self._console, self._menu = send, console, menu
        self._select, self._keys = selection(request), asked_keys(request)
        self._known = self._look()
        self._later(_WATCH_S, self._step)

    def _look(self) -> dict[bytes, Row]:
        state = self._console.state
        rows = self._menu.rows(state, state.clock.now_tick())
        return {row.get(b".id", b""): row for row in rows if self._select.matches(row)}

    def _step(self) -> None:
        now = self._look()
        rows = [row for key, row in now.items() if _lasting(row) != _lasting(self._known.get(key, {}))]
        gone = [{b".id": key, b".dead": b"true"} for key in self._known if key not in now]
        self._known = now
        if rows or gone:
            asked_order = self._console.state.persona.asked_order
            encoded = [encode_row(r, order(r, self._keys, asked_order=asked_order)) for r in rows]
            encoded += [encode_row(row, None) for row in gone]
            data = self.reply.rows([words for words, _ in encoded])
            self._send(Answer(data, len(encoded), sum(count for _, count in encoded)))
        self._later(_WATCH_S, self._step)


class Huge(Stream):
    """Sends rows by the million, as fast as the client reads them."""

    def __init__(
        self,
        reply: ReplyFormat,
        finished: Callable[[Stream], None],
        send: Send,
        rows: int,
        writable: asyncio.Event,
    ) -> None:
        super().__init__(reply, finished)
        self._task = asyncio.get_running_loop().create_task(self._run(send, rows, writable))

    def stop(self) -> None:
        """Send nothing any more."""
        self._task.cancel()

    async def _run(self, send: Send, rows: int, writable: asyncio.Event) -> None:
        for first in range(1, rows + 1, _HUGE_CHUNK_ROWS):
            await writable.wait()
            numbers = range(first, min(first + _HUGE_CHUNK_ROWS, rows + 1))
            data = self.reply.rows([_huge_row(number) for number in numbers])
            send(Answer(data, len(numbers), 2 * len(numbers)))
            await asyncio.sleep(0)
        send(Answer(self.reply.done()))
        self._finished(self)


def _huge_row(number: int) -> bytes:
    address = b"10.%d.%d.%d/32" % (number >> 16 & 255, number >> 8 & 255, number & 255)
    return attribute(b".id", b"*%X" % number) + attribute(b"dst-address", address)


def _lasting(row: Row) -> Row:
    return {key: value for key, value in row.items() if not is_counter(key)}


def start_stream(
    console: Console,
    menu: Menu,
    command: str,
    request: Request,
    reply: ReplyFormat,
    send: Send,
    finished: Callable[[Stream], None],
) -> Stream:
    """Begin a command that goes on; CommandError if its words are wrong."""
    clock = console.state.clock
    if command in menu.streams:
        steps = menu.streams[command](console.state, clock.now_tick(), request.attributes)
        return Scripted(reply, finished, send, steps)
    if command in menu.monitors:
        return Repeating(
            reply,
            finished,
            send,
            request,
            lambda: console.once(menu, command, request, clock.now_tick(), reply),
        )
    body = body_maker(console.state, menu, request)
    if b"interval" in request.attributes:
        return Repeating(reply, finished, send, request, lambda: body(clock.now_tick(), reply))
    if request.flag(b"follow"):
        send(body(clock.now_tick(), reply))
    return Listening(reply, finished, send, console, menu, request)
