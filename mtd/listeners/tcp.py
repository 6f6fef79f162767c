"""Lines over TCP: octet-counted, with an end, or with none at all."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from mtd.codec.syslog.framing import Framer
from mtd.core.errors import Misconfigured
from mtd.listeners import metrics
from mtd.listeners.udp import Inbox, Received, bound, plain_address

if TYPE_CHECKING:
    from mtd.core.clock import Clock

logger = logging.getLogger(__name__)

_FULL = 0.5
_TURN_BYTES = 16 * 1024
_SEGMENT = 1200  # bytes: of a line that fills a packet, the rest may be in the next
_LOOK_AGAIN_S = 0.05


def server_context(certificate: Path, key: Path, client_ca: Path | None) -> ssl.SSLContext:
    """Return the TLS side of a listener. Raises Misconfigured if a file can't be used."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    name: Path = certificate
    try:
        context.load_cert_chain(certificate, key)
        if client_ca is not None:
            name = client_ca
            context.load_verify_locations(client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
    except (OSError, ssl.SSLError) as error:
        reason = error.reason if isinstance(error, ssl.SSLError) else error.strerror
        raise Misconfigured(f"{name} can't be used for TLS: {reason or error}") from error
    return context


class TcpListener:
    """Takes connections, and puts their lines into an inbox.

    Reading pauses while that is half full, or what comes after it is ``held_up``: senders wait.
    """

    def __init__(
        self,
        listener: str,
        place: tuple[str, int],
        inbox: Inbox,
        clock: Clock,
        held_up: Callable[[], bool],
        *,
        most: int,
        idle_s: float,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._listener = listener
        self._host, self._port = place
        self._inbox = inbox
        self._clock = clock
        self._most = most
        self._idle_s = idle_s
        self._tls = tls
        self._held_up = held_up
        self._server: asyncio.Server | None = None
        self._open: set[_Connection] = set()

    @property
    def port(self) -> int:
        """The port, once it listens."""
        return int(self._server.sockets[0].getsockname()[1]) if self._server is not None else 0

    async def start(self, advice: str) -> None:
        """Listen. Raises Misconfigured if the port can't be had; ``advice``: what to do about it."""
        made = bound(socket.SOCK_STREAM, self._host, self._port, advice)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self), sock=made, ssl=self._tls)
        over = "TCP" if self._tls is None else "TLS"
        logger.info("listening for %s over %s on %s, port %d", self._listener, over, self._host, self.port)

    async def stop(self) -> None:
        """Close the port and the connections. What was sent up to now is taken in."""
        if self._server is None:
            return
        self._server.close()
        for connection in list(self._open):
            connection.close()
        await self._server.wait_closed()
        self._server = None

    def opened(self, connection: _Connection) -> bool:
        """Count a connection; return whether it may stay."""
        if len(self._open) >= self._most:
            metrics.REFUSED_CONNECTIONS.labels(listener=self._listener).inc()
            return False
        self._open.add(connection)
        metrics.CONNECTIONS.labels(listener=self._listener).inc()
        return True

    def closed(self, connection: _Connection) -> None:
        """Forget a connection."""
        if connection in self._open:
            self._open.discard(connection)
            metrics.CONNECTIONS.labels(listener=self._listener).dec()

    def put(self, sender: str, lines: list[bytes]) -> None:
        """Take lines in."""
        now_us = self._clock.now_us()
        for line in lines:
            self._inbox.put(Received(now_us, line, sender))

    @property
    def must_wait(self) -> bool:
        """Whether connections are not to be read now."""
        return self._inbox.fill > _FULL or self._held_up()

    def after_pause(self, flush: asyncio.TimerHandle | None, connection: _Connection) -> asyncio.TimerHandle:
        """Have a connection's rest taken for a line if nothing more comes."""
        if flush is not None:
            flush.cancel()
        return asyncio.get_running_loop().call_later(self._idle_s, connection.paused)


def _notice_when_gone(connection: socket.socket) -> None:
    """Have the kernel ask who says nothing for some minutes: a router that lost power never says that it is gone."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in ((socket.TCP_KEEPIDLE, 120), (socket.TCP_KEEPINTVL, 30), (socket.TCP_KEEPCNT, 4)):
        connection.setsockopt(socket.IPPROTO_TCP, option, value)


class _Connection(asyncio.Protocol):
    def __init__(self, listener: TcpListener) -> None:
        self._listener = listener
        self._framer = Framer()
        self._transport: asyncio.Transport | None = None
        self._sender = ""
        self._todo = b""  # what came and isn't taken yet
        self._paused = False
        self._flush: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        if not self._listener.opened(self):
            transport.abort()
            return
        self._transport = transport
        _notice_when_gone(transport.get_extra_info("socket"))
        self._sender = plain_address(str((transport.get_extra_info("peername") or ("",))[0]))

    def data_received(self, data: bytes) -> None:
        if self._transport is None:
            return
        if not self._todo and not self._framer.tells_ends and self._framer.waiting < _SEGMENT:
            # RouterOS tells no ends: each of its lines is a segment. What fills one may go on in the next.
            self._listener.put(self._sender, self._framer.flush())
        self._todo += data
        self._go_on()

    def _go_on(self) -> None:
        """Take a turn's worth of what came; while there is more, or somebody is to wait, nothing is read."""
        if self._transport is None:
            return
        now, self._todo = self._todo[:_TURN_BYTES], self._todo[_TURN_BYTES:]
        self._take(now)
        if self._framer.waiting:
            self._flush = self._listener.after_pause(self._flush, self)
        loop, must_wait = asyncio.get_running_loop(), self._listener.must_wait
        if must_wait:
            loop.call_later(_LOOK_AGAIN_S, self._go_on)
        elif self._todo:
            loop.call_soon(self._go_on)
        self._pause(paused=must_wait or bool(self._todo))

    def _pause(self, *, paused: bool) -> None:
        if self._transport is None or paused == self._paused:
            return
        self._paused = paused
        if paused:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def _take(self, data: bytes) -> None:
        if data:
            self._listener.put(self._sender, self._framer.feed(data))

    def paused(self) -> None:
        """Take what waits for an end that doesn't come for a line."""
        if not self._paused:  # else it is we who do
            self._listener.put(self._sender, self._framer.flush())

    def close(self) -> None:
        """End it; what came before is taken in now, for the peer may take its time to agree."""
        if self._transport is not None:
            self._take(self._todo)
            self._todo = b""
            self._listener.put(self._sender, self._framer.flush(ended=True))
            self._transport.close()

    def connection_lost(self, _: Exception | None) -> None:
        if self._flush is not None:
            self._flush.cancel()
        if self._transport is not None:
            self._take(self._todo)
            self._listener.put(self._sender, self._framer.flush(ended=True))
            self._todo, self._transport = b"", None
            self._listener.closed(self)
