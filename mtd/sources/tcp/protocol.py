"""The Twisted edge of a session: callbacks in, callbacks out, no decisions."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IHandshakeListener
from twisted.internet.protocol import ClientFactory, Protocol, connectionDone
from twisted.internet.tcp import Connection
from zope.interface import implementer

if TYPE_CHECKING:
    from twisted.internet.interfaces import IAddress, ITransport
    from twisted.python.failure import Failure

    from mtd.sources.tcp.tls import TlsClient


_EARLY_BYTES = 4096
# What is decoded in one go, at worst word by word, before other work of the loop has its turn.
_READ_BYTES = 16 * 1024


@implementer(IHandshakeListener)
class Stream(Protocol):
    """One TCP connection. Its owner sets the callbacks that it is interested in."""

    def __init__(self) -> None:
        self.early = b""  # what came before anybody listened, as far as it serves to know a stranger
        self.on_data: Callable[[bytes], None] = self._keep_early
        self.on_secured: Callable[[], None] = lambda: None
        self.on_lost: Callable[[BaseException], None] = lambda error: None
        self.lost: BaseException | None = None

    def dataReceived(self, data: bytes) -> None:
        """Pass on what was received."""
        self.on_data(data)

    def handshakeCompleted(self) -> None:
        """Pass on that TLS is up; the peer is not checked yet."""
        self.on_secured()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Pass on how it ended."""
        self.lost = reason.value or ConnectionLost()
        self.on_lost(self.lost)

    def attach(self, on_data: Callable[[bytes], None], on_lost: Callable[[BaseException], None]) -> None:
        """Hand the connection over; what happened before is told at once."""
        self.on_data, self.on_lost = on_data, on_lost
        early, self.early = self.early, b""
        if early:
            on_data(early)
        if self.lost is not None:
            on_lost(self.lost)

    def _keep_early(self, data: bytes) -> None:
        self.early = (self.early + data)[:_EARLY_BYTES]

    def tune(self) -> None:
        """Send at once, and notice a peer that is gone even when idle."""
        if self.transport is not None and self.lost is None:
            self.transport.setTcpNoDelay(True)  # type: ignore[attr-defined]  # ITCPTransport has it
            self.transport.setTcpKeepAlive(True)  # type: ignore[attr-defined]
            self.transport.bufferSize = _READ_BYTES  # type: ignore[attr-defined]  # of twisted.internet.abstract

    def start_tls(self, client: TlsClient) -> None:
        """Begin the TLS handshake; ``on_secured`` is called when it is done."""
        if self.transport is not None and self.lost is None:
            self.transport.startTLS(client)  # type: ignore[attr-defined]  # ITLSTransport has it

    def write(self, data: bytes) -> None:
        """Send bytes, all in one go."""
        transport = self.transport
        if transport is None or self.lost is not None:
            return
        # Now, not when the reactor comes to it: that would be a second event for each poll.
        sent = self._send_at_once(transport, data)
        if sent < len(data):
            transport.write(data[sent:])

    @staticmethod
    def _send_at_once(transport: ITransport, data: bytes) -> int:
        """Send as much as the socket takes; return how many bytes that was.

        None if something waits already, or if TLS is in between. What goes
        wrong is left to the reactor, which will meet it again.
        """
        # Twisted keeps what waits in two places, one of them private: without it, nothing is sent past them.
        waiting = getattr(transport, "_tempDataBuffer", True)
        if not isinstance(transport, Connection) or transport.TLS or waiting:
            return 0
        if transport.dataBuffer or transport.disconnecting or not transport.connected:
            return 0
        sent = transport.writeSomeData(data)
        return sent if isinstance(sent, int) else 0

    def lose(self) -> None:
        """Close in good order, once all is sent."""
        if self.transport is not None and self.lost is None:
            self.transport.loseConnection()

    def abort(self) -> None:
        """Cut the connection."""
        if self.transport is not None and self.lost is None:
            self.transport.abortConnection()  # type: ignore[attr-defined]  # ITCPTransport has it


class OneConnection(ClientFactory):
    """Builds one protocol that was made already."""

    noisy = False

    def __init__(self, protocol: Stream) -> None:
        self._protocol = protocol

    def buildProtocol(self, addr: IAddress | None) -> Stream:
        """Return the protocol."""
        return self._protocol
