"""Lines over TCP: who may connect, and for whom the others wait."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mtd.core.service import TaskGroup
from mtd.listeners import metrics
from mtd.listeners.connection import Connection
from mtd.listeners.udp import Inbox, Received, bound, plain_address

if TYPE_CHECKING:
    from mtd.core.clock import Clock
    from mtd.listeners.handshakes import Handshake, Handshakes

logger = logging.getLogger(__name__)

_FULL = 0.5
_BACKLOG = 512
# So many in one turn of the loop.
_AT_ONCE = 16
# While there is no room for one more handshake; and while the process has no more files.
_LOOK_AGAIN_S = 0.05
_WITHOUT_FILES_S = 1.0


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many connections there may be at a time, and how many of one address."""

    connections: int
    of_sender: int


class TcpListener:
    """Takes connections, and puts their lines into an inbox.

    Reading pauses while that is half full, or what comes after it is ``held_up``: senders wait. ``handshakes``: of TLS.
    """

    def __init__(
        self,
        listener: str,
        place: tuple[str, int],
        inbox: Inbox,
        clock: Clock,
        held_up: Callable[[], bool],
        *,
        bounds: Bounds,
        idle_s: float,
        handshakes: Handshakes | None = None,
    ) -> None:
        self._listener = listener
        self._host, self._port = place
        self._inbox = inbox
        self._clock = clock
        self._held_up = held_up
        self._bounds = bounds
        self._idle_s = idle_s
        self._handshakes = handshakes
        self._socket: socket.socket | None = None
        self._again: asyncio.TimerHandle | None = None
        self._open: set[Connection] = set()
        self._of_sender: Counter[str] = Counter()
        self._tasks = TaskGroup("listeners.tcp")
        self._gauge = metrics.CONNECTIONS.labels(listener=listener)

    @property
    def port(self) -> int:
        """The port, once it listens."""
        return int(self._socket.getsockname()[1]) if self._socket is not None else 0

    async def start(self, advice: str) -> None:
        """Listen. Raises Misconfigured if the port can't be had; ``advice``: what to do about it."""
        self._socket = bound(socket.SOCK_STREAM, self._host, self._port, advice)
        self._socket.listen(_BACKLOG)
        self._accept_from_now_on()
        over = "TCP" if self._handshakes is None else "TLS"
        logger.info("listening for %s over %s on %s, port %d", self._listener, over, self._host, self.port)

    async def stop(self) -> None:
        """Close the port and the connections. What was sent up to now is taken in."""
        if self._socket is None:
            return
        if self._again is not None:
            self._again.cancel()
        asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()
        self._socket = None
        await asyncio.sleep(0)  # those that were just accepted begin: then they can be ended
        await self._tasks.stop()
        for connection in list(self._open):
            connection.close()

    # -- who connects ------------------------------------------------------------

    def _accept_from_now_on(self) -> None:
        self._again = None
        if self._socket is not None:
            asyncio.get_running_loop().add_reader(self._socket, self._acceptable)

    def _rest(self, seconds: float) -> None:
        """Accept nothing for a moment: the kernel holds who comes."""
        loop = asyncio.get_running_loop()
        if self._socket is not None:
            loop.remove_reader(self._socket)
        self._again = loop.call_later(seconds, self._accept_from_now_on)

    def _acceptable(self) -> None:
        """Accept who has come, up to a turn's worth."""
        assert self._socket is not None
        for _ in range(_AT_ONCE):
            if self._handshakes is not None and not self._handshakes.have_room():
                self._rest(_LOOK_AGAIN_S)
                return
            try:
                made, address = self._socket.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                self._refused("no_resources")
                logger.warning("%s: a connection can't be taken: %s", self._listener, error)
                self._rest(_WITHOUT_FILES_S)
                return
            self._welcome(made, plain_address(str(address[0])))

    def _welcome(self, made: socket.socket, sender: str) -> None:
        if len(self._open) >= self._bounds.connections:
            self._refused("too_many")
            made.close()
        elif self._of_sender[sender] >= self._bounds.of_sender:
            self._refused("too_many_of_sender")
            made.close()
        else:
            made.setblocking(False)
            _notice_when_gone(made)
            connection = Connection(self, sender)
            self._open.add(connection)
            self._of_sender[sender] += 1
            self._gauge.inc()
            handshake = None if self._handshakes is None else self._handshakes.begin(made)
            self._tasks.spawn("begin", self._begin(made, connection, handshake))

    def _refused(self, reason: str) -> None:
        metrics.REFUSED_CONNECTIONS.labels(listener=self._listener, reason=reason).inc()

    async def _begin(self, made: socket.socket, connection: Connection, handshake: Handshake | None) -> None:
        begun = False
        try:
            if self._handshakes is not None and handshake is not None:
                await self._handshakes.shake(handshake, connection)
            else:
                await asyncio.get_running_loop().connect_accepted_socket(lambda: connection, made)
            begun = True
        except OSError as error:
            logger.debug(
                "%s: nothing came of a connection of %s: %s", self._listener, connection.sender, error
            )
        finally:
            if not begun:
                self.closed(connection)

    # -- what connections ask for ------------------------------------------------

    def closed(self, connection: Connection) -> None:
        """Forget a connection."""
        if connection not in self._open:
            return
        self._open.discard(connection)
        self._gauge.dec()
        self._of_sender[connection.sender] -= 1
        if not self._of_sender[connection.sender]:
            del self._of_sender[connection.sender]

    def put(self, sender: str, lines: list[bytes]) -> None:
        """Take lines in."""
        now_us = self._clock.now_us()
        for line in lines:
            self._inbox.put(Received(now_us, line, sender))

    @property
    def must_wait(self) -> bool:
        """Whether connections are not to be read now."""
        return self._inbox.fill > _FULL or self._held_up()

    def after_pause(self, flush: asyncio.TimerHandle | None, connection: Connection) -> asyncio.TimerHandle:
        """Have a connection's rest taken for a line if nothing more comes."""
        if flush is not None:
            flush.cancel()
        return asyncio.get_running_loop().call_later(self._idle_s, connection.paused)


def _notice_when_gone(connection: socket.socket) -> None:
    """Have the kernel ask who says nothing for some minutes: a router that lost power never says that it is gone."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in ((socket.TCP_KEEPIDLE, 120), (socket.TCP_KEEPINTVL, 30), (socket.TCP_KEEPCNT, 4)):
        connection.setsockopt(socket.IPPROTO_TCP, option, value)
