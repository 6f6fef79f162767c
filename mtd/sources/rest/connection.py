"""One HTTP connection: a request at a time, its answer handed on while it comes."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import h11

from mtd.codec.rest import NotRows, Request, TooMuch
from mtd.sources.rest import metrics

if TYPE_CHECKING:
    from mtd.core.clock import Clock
    from mtd.sources.tcp.protocol import Stream

_BEGINNING = b"HTTP/1."
_ERROR_BYTES = 64 * 1024
_HEAD_BYTES = 16 * 1024

Headers = list[tuple[bytes, bytes]]


class Body(Protocol):
    """Where the bytes of an answer go."""

    def feed(self, data: bytes) -> None:
        """Take bytes. Raises TooMuch or NotRows when it wants no more."""


class Dropped(Exception):
    """The connection ended before the answer did. ``unheard``: before its first byte."""

    def __init__(self, error: BaseException, *, unheard: bool) -> None:
        super().__init__(str(error))
        self.error = error
        self.unheard = unheard


class Damaged(Exception):
    """What came isn't HTTP. ``peek`` is how it began."""

    def __init__(self, reason: str, peek: bytes) -> None:
        super().__init__(reason)
        self.reason = reason
        self.peek = peek


@dataclass(slots=True)
class Answer:
    """An answer whose body was handed on. ``error``: the body of one with an error status."""

    status: int = 0
    reason: str = ""
    at: float = 0.0
    us: int = 0
    error: bytes = b""


@dataclass(slots=True)
class Traffic:
    """What a session's connections carried."""

    commands: int = 0
    sent_bytes: int = 0
    received_bytes: int = 0


class HttpConnection:
    """Exchanges requests and answers on a stream. Once it broke it stays so."""

    def __init__(self, stream: Stream, headers: Headers, clock: Clock, traffic: Traffic) -> None:
        self.used = False
        self._stream = stream
        self._headers = headers
        self._clock = clock
        self._traffic = traffic
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=_HEAD_BYTES)
        self._waiting: asyncio.Future[None] | None = None
        self._answer = Answer()
        self._body: Body | None = None
        self._peek = b""
        self._pieces: list[bytes] = []  # of the body, in what was received last
        self._closed = asyncio.Event()
        stream.attach(self._received, self._lost)

    @property
    def reusable(self) -> bool:
        """Whether another request may be sent."""
        return self._waiting is None and not self._closed.is_set() and self._http.our_state is h11.IDLE

    async def exchange(self, request: Request, body: Body) -> Answer:
        """Send a request; return once its answer is whole. Cancelled, or on any error, the connection is cut.

        Raises Dropped, Damaged, and what ``body`` raises.
        """
        self._answer, self._body, self._peek = Answer(), body, b""
        self._pieces.clear()
        self._waiting = asyncio.get_running_loop().create_future()
        if self._stream.lost is not None:
            self._lost(self._stream.lost)
        head = h11.Request(
            method=b"POST",
            target=request.target,
            headers=[*self._headers, (b"content-length", b"%d" % len(request.body))],
        )
        self._write(
            *(self._http.send(event) for event in (head, h11.Data(data=request.body), h11.EndOfMessage()))
        )
        try:
            await self._waiting
        except BaseException:
            self.abort()
            raise
        finally:
            self._waiting, self.used = None, True
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
        else:
            self.abort()  # the router wants no other request on it; over TLS, it might never answer a goodbye
        return self._answer

    def abort(self) -> None:
        """Cut the connection."""
        self._closed.set()
        self._stream.abort()

    async def close(self, timeout_s: float) -> None:
        """End the connection: in good order if possible, within bounded time."""
        try:
            self._stream.lose()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout_s):
                    await self._closed.wait()
        finally:  # also when we are cancelled meanwhile: nothing may stay open
            if not self._closed.is_set():
                self._stream.abort()

    def _write(self, *parts: bytes | None) -> None:
        data = b"".join(part for part in parts if part is not None)
        self._stream.write(data)
        self._traffic.commands += 1
        self._traffic.sent_bytes += len(data)
        metrics.REQUESTS.inc()
        metrics.SENT_BYTES.inc(len(data))

    # What the router sends.

    def _received(self, data: bytes) -> None:
        self._traffic.received_bytes += len(data)
        metrics.RECEIVED_BYTES.inc(len(data))
        if self._waiting is None or self._waiting.done():
            self.abort()  # nobody asked
            return
        if not self._peek:
            self._peek = data[:64]
            self._answer.at, self._answer.us = self._clock.monotonic(), self._clock.now_us()
            if not _BEGINNING.startswith(data[: len(_BEGINNING)]):
                # Noise may have no line at all: told at once, not when the time is up.
                self._end(Damaged("the answer isn't HTTP", self._peek))
                return
        try:
            self._http.receive_data(data)
            self._take_events()
        except h11.RemoteProtocolError as error:
            self._end(Damaged(f"the answer isn't HTTP ({error})", self._peek))
        except (TooMuch, NotRows) as error:
            self._end(error)

    def _take_events(self) -> None:
        while True:
            event = self._http.next_event()
            if isinstance(event, h11.Response):
                self._answer.status, self._answer.reason = event.status_code, event.reason.decode("latin-1")
            elif isinstance(event, h11.Data):
                self._pieces.append(bytes(event.data))
            elif isinstance(event, h11.EndOfMessage):
                self._take_body()
                self._end(None)
                return
            elif not isinstance(event, h11.InformationalResponse):
                self._take_body()
                return  # more is to come, or nothing any more

    def _take_body(self) -> None:
        """Hand on what came of the body, in one piece: a router may send it in chunks of a few bytes."""
        data = b"".join(self._pieces)
        self._pieces.clear()
        if not data:
            return
        if self._answer.status >= 300 or self._body is None:
            self._answer.error = (self._answer.error + data)[:_ERROR_BYTES]
        else:
            self._body.feed(data)

    def _lost(self, error: BaseException) -> None:
        self._closed.set()
        if self._waiting is None or self._waiting.done():
            return
        with contextlib.suppress(h11.RemoteProtocolError):
            # An answer without a length ends with the connection.
            self._http.receive_data(b"")
            self._take_events()
        self._end(Dropped(error, unheard=not self._peek))

    def _end(self, error: Exception | None) -> None:
        waiting = self._waiting
        if waiting is None or waiting.done():
            return
        if error is None:
            waiting.set_result(None)
        else:
            waiting.set_exception(error)
