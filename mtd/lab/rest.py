"""REST of RouterOS 7: the same console as the API's, asked over HTTP."""

from __future__ import annotations

import asyncio
import base64
import binascii
from typing import TYPE_CHECKING, cast

from mtd.lab.http import HttpError, HttpReader, HttpRequest, chunk, chunked_head, response
from mtd.lab.menus.base import CommandError
from mtd.lab.reply import Answer, ReplyFormat
from mtd.lab.rest_words import BadRequest, as_json, error_json, json_row, parse_answer, words_of
from mtd.lab.scenario import Door, FaultKind
from mtd.lab.streams import Stream, start_stream
from mtd.lab.wire import WireError, parse_request

if TYPE_CHECKING:
    from mtd.lab.router import LabRouter

_SINCE = (7, 1)
_SINCE_WITHOUT_TLS = (7, 9)
_LONGEST_S = 60.0
_UNREAD_BYTES = 64 * 1024 * 1024
_HUGE_ROWS_AT_ONCE = 500
_NO_SUCH_PAGE = b"<html><head><title>Error 404: Not Found</title></head><body>Not Found</body></html>"


class RestVisitor(asyncio.Protocol):
    """One HTTP connection. Requests are answered in order, each when it is whole.

    On versions without REST it is a web server that knows no such page.
    """

    door = Door.REST

    def __init__(self, router: LabRouter) -> None:
        self.router = router
        self.state = router.state
        self.transport: asyncio.Transport = cast("asyncio.Transport", None)
        self.logged_in = False
        self.dead = False
        self.slow_until = 0.0
        self._reader = HttpReader()
        self._waiting: list[HttpRequest] = []
        self._busy = False  # with a request that isn't answered yet
        self._stream: Stream | None = None
        self._huge: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._writable = asyncio.Event()
        self._writable.set()

    # -- transport ------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection over."""
        self.transport = cast("asyncio.Transport", transport)
        self.state.stats.connections += 1
        self.router.sessions.add(self)

    def connection_lost(self, _error: Exception | None) -> None:
        """Forget the connection."""
        self._answered()
        self._writable.set()
        self.router.sessions.discard(self)

    def pause_writing(self) -> None:
        """Hold endless answers back."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """Let endless answers go on."""
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        """Answer the requests that have come."""
        if self.dead or any(fault.received(self, data) for fault in self.router.faults_at(self.door)):
            return
        try:
            self._waiting += self._reader.feed(data)
        except HttpError:
            self.state.stats.wire_errors += 1
            self.transport.close()
            return
        self._go_on()

    def send(self, data: bytes) -> None:
        """Write an answer, unless a fault does something else with it."""
        if not self.dead and not any(fault.sending(self, data) for fault in self.router.faults_at(self.door)):
            self.write(data)

    def write(self, data: bytes) -> None:
        """Write bytes as they are."""
        if self.transport.is_closing():
            return
        self.transport.write(data)
        self.state.stats.bytes_sent += len(data)
        if self.transport.get_write_buffer_size() > _UNREAD_BYTES:
            self.state.stats.aborted_slow_readers += 1
            self.transport.abort()

    def abort(self) -> None:
        """Drop the connection without a word."""
        self.transport.abort()

    def close_with(self, _reason: bytes) -> bytes:
        """Close the connection: HTTP has no word for why."""
        asyncio.get_running_loop().call_soon(self.transport.close)
        return b""

    def hang(self, _reply: ReplyFormat) -> None:
        """Take a command and say nothing; after a minute the router gives it up."""
        self._end_after_a_minute()

    def stop_stream(self, _tag: bytes) -> None:
        """Nothing to do: there are no tags."""

    def start_huge(self, _reply: ReplyFormat, rows: int) -> None:
        """Answer with more rows than anybody wants."""
        self._huge = asyncio.get_running_loop().create_task(self._send_huge(rows))

    # -- requests -------------------------------------------------------------

    def _go_on(self) -> None:
        while self._waiting and not self._busy and not self.transport.is_closing():
            self._busy = True
            request = self._waiting.pop(0)
            self.state.stats.rest_requests += 1
            answer = self._answer(request)
            if answer is not None:
                self._finish(answer)
                if not request.keeps_alive:
                    self.transport.close()

    def _answer(self, request: HttpRequest) -> bytes | None:
        """Return the answer; None if it comes later."""
        if not self._has_rest():
            return response(404, _NO_SUCH_PAGE, b"text/html")
        if not self._may_enter(request) or self.router.has_fault(FaultKind.LOGIN_REFUSED, self.door):
            self.state.stats.rest_logins_failed += 1
            ask = (b"WWW-Authenticate", b'Basic realm="RouterOS"')
            return response(401, error_json(401), b"application/json", ask)
        self.logged_in = True
        try:
            shape, one = words_of(request, self.router.console.menus)
            data = self._run(shape)
            return None if data is None else self._told(data, one=one)
        except BadRequest as bad:
            return response(bad.status, error_json(bad.status, bad.detail.encode()))
        except (CommandError, WireError) as error:
            text = error.message if isinstance(error, CommandError) else str(error).encode()
            return response(400, error_json(400, text))

    def _has_rest(self) -> bool:
        plain = self.router.truth.spec.rest_tls == "off"
        return self.state.persona.version >= (_SINCE_WITHOUT_TLS if plain else _SINCE)

    def _may_enter(self, request: HttpRequest) -> bool:
        scheme, _, login = request.headers.get(b"authorization", b"").partition(b" ")
        spec = self.router.truth.spec
        try:
            given = base64.b64decode(login, validate=True)
        except binascii.Error:
            return False
        return scheme.lower() == b"basic" and given == f"{spec.username}:{spec.password}".encode()

    def _run(self, shape: tuple[bytes, ...]) -> bytes | None:
        """Return the console's sentences; None if they come later."""
        reply = ReplyFormat(None, tag_first=True)
        for fault in self.router.faults_at(self.door):
            instead = fault.asked(self, shape, reply)
            if instead is not None:
                return instead or None
        console, tick = self.router.console, self.state.clock.now_tick()
        plan = console.known_plan(shape)
        if plan is not None:
            return self._count(shape[0].decode("latin-1"), plan(tick, reply))
        request = parse_request(None, shape)
        menu, command = console.resolve(request.path)
        if not console.streams(menu, command, request):
            return self._count(request.path, console.answer(request, tick, reply))
        parts: list[bytes] = []

        def finished(_stream: Stream) -> None:
            self._stream = None
            self._finish(self._told(b"".join(parts), one=False))

        self._end_after_a_minute()
        stream = start_stream(
            console, menu, command, request, reply, lambda answer: parts.append(answer.data), finished
        )
        if self._busy:
            self._stream = stream
        return None

    def _told(self, data: bytes, *, one: bool) -> bytes:
        try:
            rows, done = parse_answer(data)
        except CommandError as error:
            return response(400, error_json(400, error.message))
        if one and not rows:
            return response(404, error_json(404))
        return response(200, as_json(rows, done, one=one))

    def _count(self, path: str, answer: Answer) -> bytes:
        stats = self.state.stats
        stats.answers += 1
        stats.rows += answer.rows
        stats.values += answer.values
        stats.commands[path] += 1
        return answer.data

    # -- what takes long ------------------------------------------------------

    def _finish(self, answer: bytes) -> None:
        self._answered()
        self.send(answer)
        self._go_on()

    def _answered(self) -> None:
        self._busy = False
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.stop()
        if self._huge is not None:
            self._huge.cancel()
            self._huge = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _end_after_a_minute(self) -> None:
        end = response(400, error_json(400, b"Session closed"))
        self._timer = asyncio.get_running_loop().call_later(_LONGEST_S, self._finish, end)

    async def _send_huge(self, rows: int) -> None:
        self.send(chunked_head() + chunk(b"["))
        for first in range(1, rows + 1, _HUGE_ROWS_AT_ONCE):
            await self._writable.wait()
            numbers = range(first, min(first + _HUGE_ROWS_AT_ONCE, rows + 1))
            self.send(chunk(b"".join(map(_huge_row, numbers))))
            self.state.stats.rows += len(numbers)
            await asyncio.sleep(0)
        self._huge = None
        self._finish(chunk(b"]") + chunk(b""))


def _huge_row(number: int) -> bytes:
    address = b"10.%d.%d.%d/32" % (number >> 16 & 255, number >> 8 & 255, number & 255)
    separator = b"" if number == 1 else b","
    return separator + json_row({b".id": b"*%X" % number, b"dst-address": address})
