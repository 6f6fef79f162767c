"""One API connection to one simulated router."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

from mtd.lab.login import Login
from mtd.lab.menus.base import CommandError
from mtd.lab.reply import Answer, ReplyFormat, fatal
from mtd.lab.scenario import Door, FaultKind
from mtd.lab.state import ActiveUser
from mtd.lab.streams import Huge, Stream, start_stream
from mtd.lab.wire import Request, SentenceReader, WireError, parse_request, split_tag

if TYPE_CHECKING:
    from mtd.lab.router import LabRouter

_BEFORE_LOGIN_BYTES = 4096
_BEFORE_LOGIN_SENTENCES = 16
_SENTENCE_BYTES = 64 * 1024
_LOGIN_TIME_S = 60.0
# A client that reads nothing while it goes on asking is cut off here.
_UNREAD_BYTES = 64 * 1024 * 1024
_INTERRUPTED = 2


class Session(asyncio.Protocol):
    """Login, commands, streams and their cancelling.

    What it writes goes through the router's faults, if there are any.
    """

    door = Door.API

    def __init__(self, router: LabRouter) -> None:
        self.router = router
        self.state = router.state
        self.transport: asyncio.Transport = cast("asyncio.Transport", None)
        self.logged_in = False
        self.dead = False  # half-open: the other side doesn't know that this end is gone
        self.slow_until = 0.0
        self.writable = asyncio.Event()
        self.writable.set()
        self._reader = SentenceReader(_BEFORE_LOGIN_BYTES)
        self._logins = Login(router.truth.spec, router.state.persona)
        self._seen = 0
        self._streams: dict[bytes | None, Stream] = {}
        self._number = 0
        self._login_timer: asyncio.TimerHandle | None = None

    # -- transport ------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection over."""
        self.transport = cast("asyncio.Transport", transport)
        self.state.stats.connections += 1
        self.state.stats.sessions_open += 1
        self.router.sessions.add(self)
        self._login_timer = asyncio.get_running_loop().call_later(_LOGIN_TIME_S, self.transport.close)

    def connection_lost(self, _error: Exception | None) -> None:
        """Forget the connection."""
        self._stop_streams()
        if self._login_timer is not None:
            self._login_timer.cancel()
        self.writable.set()
        self.router.sessions.discard(self)
        self.state.stats.sessions_open -= 1
        user = self.state.users.pop(self._number, None)
        if user is not None:
            self.state.write_log(
                "system,info,account", f"user {user.name} logged out from {user.address} via api"
            )

    def pause_writing(self) -> None:
        """Hold endless answers back: the client reads slower than we write."""
        self.writable.clear()

    def resume_writing(self) -> None:
        """Let endless answers go on."""
        self.writable.set()

    def data_received(self, data: bytes) -> None:
        """Answer all sentences that have come, with one write and of one tick."""
        if self.dead or any(fault.received(self, data) for fault in self.router.faults_at(self.door)):
            return
        tick = self.state.clock.now_tick()
        try:
            answers = [self._sentence(words, tick) for words in self._reader.feed(data)]
        except WireError:
            self.state.stats.wire_errors += 1
            self.transport.close()
            return
        self.send(b"".join(answers))

    def send(self, data: bytes) -> None:
        """Write an answer, unless a fault does something else with it."""
        if (
            not data
            or self.dead
            or any(fault.sending(self, data) for fault in self.router.faults_at(self.door))
        ):
            return
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

    def close_with(self, reason: bytes) -> bytes:
        """Return ``!fatal`` and close the connection once it is written."""
        asyncio.get_running_loop().call_soon(self.transport.close)
        return fatal(reason)

    # -- sentences ------------------------------------------------------------

    def _sentence(self, words: list[bytes], tick: int) -> bytes:
        stats = self.state.stats
        stats.sentences += 1
        tag, shape = split_tag(words)
        reply = ReplyFormat(tag, tag_first=self.state.persona.tag_first)
        if not self.logged_in:
            return self._before_login(parse_request(tag, shape), reply)
        for fault in self.router.faults_at(self.door):
            instead = fault.asked(self, shape, reply)
            if instead is not None:
                return instead
        plan = self.router.console.known_plan(shape)
        if plan is not None:
            return self._count(shape[0].decode("latin-1"), plan(tick, reply))
        request = parse_request(tag, shape)
        try:
            return self._command(request, tick, reply)
        except CommandError as error:
            return self._trap(reply, error.message, error.category) + reply.done()

    def _command(self, request: Request, tick: int, reply: ReplyFormat) -> bytes:
        match request.path:
            case "/quit":
                return self.close_with(b"session terminated on request")
            case "/cancel":
                return self._cancel(request, reply)
            case "/login":
                return self._login(request, reply)
        console = self.router.console
        menu, command = console.resolve(request.path)
        if not console.streams(menu, command, request):
            return self._count(request.path, console.answer(request, tick, reply))
        stream = start_stream(console, menu, command, request, reply, self._emit, self._finished)
        self._streams[request.tag] = stream
        return b""

    def hang(self, reply: ReplyFormat) -> None:
        """Take a command and say nothing until it is cancelled."""
        self._streams[reply.tag] = Stream(reply, self._finished)

    def stop_stream(self, tag: bytes) -> None:
        """End what goes on with a tag, without a word."""
        stream = self._streams.pop(tag, None)
        if stream is not None:
            stream.stop()

    def start_huge(self, reply: ReplyFormat, rows: int) -> None:
        """Answer with more rows than anybody wants."""
        self._streams[reply.tag] = Huge(reply, self._finished, self._emit, rows, self.writable)

    def _count(self, path: str, answer: Answer) -> bytes:
        stats = self.state.stats
        stats.answers += 1
        stats.rows += answer.rows
        stats.values += answer.values
        stats.commands[path] += 1
        return answer.data

    def _emit(self, answer: Answer) -> None:
        self.state.stats.rows += answer.rows
        self.state.stats.values += answer.values
        self.send(answer.data)

    # -- streams --------------------------------------------------------------

    def _finished(self, stream: Stream) -> None:
        self._streams = {tag: other for tag, other in self._streams.items() if other is not stream}

    def _cancel(self, request: Request, reply: ReplyFormat) -> bytes:
        wanted = request.attributes.get(b"tag")
        tags = list(self._streams) if wanted is None else [wanted]
        data = b""
        for tag in tags:
            stream = self._streams.pop(tag, None)
            if stream is not None:
                stream.stop()
                data += self._trap(stream.reply, b"interrupted", _INTERRUPTED) + stream.reply.done()
        return data + reply.done()

    def _trap(self, reply: ReplyFormat, message: bytes, category: int | None) -> bytes:
        return reply.trap(
            message, None if self.router.has_fault(FaultKind.NO_CATEGORY, self.door) else category
        )

    def _stop_streams(self) -> None:
        for stream in self._streams.values():
            stream.stop()
        self._streams = {}

    # -- login ----------------------------------------------------------------

    def _before_login(self, request: Request, reply: ReplyFormat) -> bytes:
        self._seen += 1
        if self._seen > _BEFORE_LOGIN_SENTENCES:
            return self.close_with(b"too many commands before login")
        if request.path == "/quit":
            return self.close_with(b"session terminated on request")
        if request.path != "/login":
            return self.close_with(b"not logged in")
        return self._login(request, reply)

    def _login(self, request: Request, reply: ReplyFormat) -> bytes:
        attributes = request.attributes
        if self._logins.wants_challenge(attributes):
            return reply.done(self._logins.challenge())
        if not self._logins.accepts(attributes) or self.router.has_fault(FaultKind.LOGIN_REFUSED, self.door):
            return self._refuse(attributes, reply)
        self._enter(attributes[b"name"].decode("latin-1"))
        return reply.done()

    def _refuse(self, attributes: dict[bytes, bytes], reply: ReplyFormat) -> bytes:
        self.state.stats.logins_failed += 1
        name = attributes.get(b"name", b"").decode("latin-1")
        self.state.write_log(
            "system,error,critical", f"login failure for user {name} from {self._peer()} via api"
        )
        return reply.trap(self.state.persona.login_refusal) + reply.done()

    def _enter(self, name: str) -> None:
        if self._login_timer is not None:
            self._login_timer.cancel()
        if not self.logged_in:
            self.state.stats.logins += 1
            self._number = self.state.next_number()
            address, now = self._peer(), self.state.clock.now_tick()
            self.state.users[self._number] = ActiveUser(self._number, now, name, address)
            self.state.write_log("system,info,account", f"user {name} logged in from {address} via api")
        self.logged_in = True
        self._reader.max_bytes = _SENTENCE_BYTES

    def _peer(self) -> str:
        peer: Any = self.transport.get_extra_info("peername")
        return str(peer[0]) if peer else ""
