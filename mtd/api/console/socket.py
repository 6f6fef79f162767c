"""A console's WebSocket: Twisted's, with back-pressure, deadlines and limits."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from twisted.internet.interfaces import IPushProducer
from twisted.python.failure import Failure
from twisted.web.server import Request
from twisted.web.websocket import WebSocketTransport
from wsproto.utilities import LocalProtocolError
from zope.interface import implementer

from mtd.api.console import metrics
from mtd.api.console.encode import entry, message
from mtd.api.console.viewer import TICK_S, Viewer

if TYPE_CHECKING:
    from mtd.api.console.config import ConsoleConfig
    from mtd.api.console.live import Live
    from mtd.api.console.worlds import Worlds
    from mtd.api.http.server import CountedConnection
    from mtd.api.http.visits import Visit, Visits

logger = logging.getLogger(__name__)

CLOSE_WITHIN_S = 1.0
GOING_AWAY = 1001


@implementer(IPushProducer)
class LiveSocket:
    """Joins a viewer to a connection; conforms to Twisted's WebSocketProtocol.

    The transport says when it takes no more (`pauseProducing`): about 64 KiB
    then wait for the browser, and the viewer sends nothing on top of them.
    """

    def __init__(self, live: Live, config: ConsoleConfig, request: Request, visit: Visit) -> None:
        self._live = live
        self._visit = visit
        self._forget: Callable[[], None] = _nothing
        self._config = config
        self._request = request
        # The door's factory made it: mtd.api.http.server.
        self._connection = cast("CountedConnection", request.channel.transport)
        self._loop = asyncio.get_running_loop()
        self._transport: WebSocketTransport | None = None
        self._viewer = Viewer(live.world, self._send, lambda: self._full, whole=visit.caller.crosses_tenants)
        self._full = False
        self._timer: asyncio.TimerHandle | None = None
        self._heard = 0.0
        self._pinged = 0.0
        self._ticked = -math.inf  # no moment of a clock that may have begun just now

    # -- WebSocketProtocol -------------------------------------------------------

    def negotiationStarted(self, transport: WebSocketTransport) -> None:
        """Keep the transport; nothing may be written before the negotiation is finished."""
        self._transport = transport

    def negotiationFinished(self) -> None:
        """Begin."""
        transport = self._open_transport()
        transport.detachProducer()  # HTTP's own
        transport.attachProducer(self)
        self._connection.limit_unread((self._config.max_message_bytes, self._flooded))
        self._heard = self._live.world.clock.monotonic()
        self._live.join(self._viewer, self.bye)
        self._forget = self._visit.follow(self.bye)
        self._tick()

    def textMessageReceived(self, message: str) -> None:
        """Take a request."""
        self._hear()
        self._viewer.receive(message)

    def bytesMessageReceived(self, data: bytes | bytearray) -> None:
        """Refuse it: everything here is text."""
        self._hear()
        self._viewer.complain("a message of bytes can't be used", "send JSON as text")

    def pongReceived(self, payload: bytes) -> None:
        """It is still there."""
        self._hear()

    def connectionLost(self, reason: Failure) -> None:
        """Forget the viewer, and let go of all that holds each other: collecting it would be late."""
        self._transport = None
        if self._timer is not None:
            self._timer.cancel()
        self._live.leave(self._viewer)
        forget, self._forget = self._forget, _nothing
        forget()
        self._connection.limit_unread(None)
        self._request.connectionLost(reason)  # Twisted tells it to the WebSocket alone

    # -- IPushProducer -----------------------------------------------------------

    def pauseProducing(self) -> None:
        """The connection takes no more."""
        self._full = True
        metrics.FULL.inc()

    def resumeProducing(self) -> None:
        """It does again. What is new goes with the next tick, what a long list still has at once."""
        self._full = False
        if self._transport is not None:
            self._loop.call_soon(self._go_on)

    def stopProducing(self) -> None:
        """It is gone; `connectionLost` follows."""
        self._full = True

    # -- sending -----------------------------------------------------------------

    def bye(self, reason: str) -> None:
        """Close: in good order if the browser reads, at once after a moment."""
        if self._transport is None:
            return
        if not self._full:
            self._send(message("bye", self._live.world.clock.now_us(), entry("reason", reason)))
        transport, self._transport = self._transport, None
        if self._timer is not None:
            self._timer.cancel()
        transport.detachProducer()
        self._guarded(lambda: transport.loseConnection(GOING_AWAY))
        self._timer = self._loop.call_later(CLOSE_WITHIN_S, self._connection.abortConnection)

    def _tick(self) -> None:
        now = self._live.world.clock.monotonic()
        # Timers may come early by a moment: never closer than a tick, so that a second has four at most.
        wait = TICK_S - (now - self._ticked)
        if wait <= 0:
            self._ticked, wait = now, TICK_S
            self._look_after(now)
            if self._transport is not None and not self._full:
                self._tell(lambda: self._viewer.tick(now))
        if self._transport is not None:
            self._timer = self._loop.call_later(wait, self._tick)

    def _go_on(self) -> None:
        if self._transport is not None and not self._full:
            self._tell(self._viewer.go_on)

    def _tell(self, tell: Callable[[], None]) -> None:
        try:
            tell()
        except Exception:
            # A console that is cut off calls again; one that is left in silence shows what was.
            logger.exception("a console can't be told what is new, by an error of mtd")
            self._drop("error")

    def _look_after(self, now: float) -> None:
        silent = now - self._heard
        if silent > self._config.timeout_s:
            self._drop("silent")
        elif silent > self._config.ping_s and now - self._pinged > self._config.ping_s and not self._full:
            self._pinged = now
            transport = self._open_transport()
            self._guarded(transport.ping)

    def _send(self, text: str) -> None:
        transport = self._transport
        if transport is not None:
            metrics.MESSAGES.inc()
            metrics.SENT_BYTES.inc(len(text))
            self._guarded(lambda: transport.sendTextMessage(text))

    def _guarded(self, send: Callable[[], Any]) -> None:
        try:
            send()
        except LocalProtocolError:
            # The browser closes at this moment: what is said now can't be heard any more.
            self._transport = None

    def _hear(self) -> None:
        self._heard = self._live.world.clock.monotonic()
        self._connection.read_all()

    def _flooded(self) -> None:
        self._drop("flood")

    def _drop(self, reason: str) -> None:
        metrics.DROPPED.labels(reason=reason).inc()
        self._transport = None
        self._connection.abortConnection()

    def _open_transport(self) -> WebSocketTransport:
        if self._transport is None:
            raise RuntimeError("the negotiation has not begun")
        return self._transport


def _nothing() -> None:
    """Forget nothing: nobody follows this page, or not any more."""


class LiveSockets:
    """Makes the protocol of each WebSocket; conforms to Twisted's WebSocketServerFactory."""

    def __init__(self, worlds: Worlds, config: ConsoleConfig, visits: Visits) -> None:
        self._worlds = worlds
        self._config = config
        self._visits = visits

    def buildProtocol(self, request: Request) -> LiveSocket:
        """Return what handles a connection whose request was accepted: of the caller's tenant."""
        visit = self._visits(request)
        return LiveSocket(self._worlds.of(visit.caller.tenant_id), self._config, request, visit)
