"""Handshakes of TLS: so many under way at a time, each for so long, and each that comes to nothing is counted.

Whoever can reach the port can begin one. What that costs is bounded here: who never ends his holds a place for some
seconds at most, and gives way before that to those who come after him.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mtd.core.errors import Misconfigured
from mtd.listeners import metrics

if TYPE_CHECKING:
    from mtd.core.clock import Clock
    from mtd.listeners.connection import Connection

logger = logging.getLogger(__name__)

# One takes milliseconds. The oldest gives way if it took this long: else a thousand routers that come at once would push
# each other out, and none would ever be done.
_PATIENCE_S = 1.0
# So long a peer may take to agree that a connection ends.
_GOODBYE_S = 2.0


def server_context(certificate: Path, key: Path, client_ca: Path | None) -> ssl.SSLContext:
    """Return the TLS side of a listener. Raises Misconfigured if a file can't be used."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION  # another handshake, which nothing would bound
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


@dataclass(slots=True, eq=False)
class Handshake:
    """One that is under way."""

    socket: socket.socket
    began: float
    gave_way: bool = False


class Handshakes:
    """Those of one listener. Bound: ``most``; policy: the oldest gives way if it has taken a second, else the newest waits."""

    def __init__(
        self, listener: str, context: ssl.SSLContext, clock: Clock, *, most: int, longest_s: float
    ) -> None:
        self._listener = listener
        self._context = context
        self._clock = clock
        self._most = most
        self._longest_s = longest_s
        self._under_way: list[Handshake] = []  # the oldest first
        self._gauge = metrics.HANDSHAKES.labels(listener=listener)

    def have_room(self) -> bool:
        """Return whether one more may begin, if need be in the place of the oldest."""
        if len(self._under_way) < self._most:
            return True
        return self._clock.monotonic() - self._under_way[0].began >= _PATIENCE_S

    def begin(self, made: socket.socket) -> Handshake:
        """Take a place for the handshake of a connection; ``shake`` is to follow."""
        if len(self._under_way) >= self._most:
            self._give_way(self._under_way.pop(0))
        one = Handshake(made, self._clock.monotonic())
        self._under_way.append(one)
        self._gauge.set(len(self._under_way))
        return one

    async def shake(self, one: Handshake, connection: Connection) -> None:
        """Shake hands, and begin the connection. Raises OSError, and counts it, if that comes to nothing."""
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: connection,
                one.socket,
                ssl=self._context,
                ssl_handshake_timeout=self._longest_s,
                ssl_shutdown_timeout=_GOODBYE_S,
            )
        except OSError as error:
            reason = "gave_way" if one.gave_way else _reason_of(error)
            metrics.FAILED_HANDSHAKES.labels(listener=self._listener, reason=reason).inc()
            logger.debug("%s: no TLS with %s, %s: %s", self._listener, connection.sender, reason, error)
            raise
        finally:
            if not one.gave_way:
                self._under_way.remove(one)
            self._gauge.set(len(self._under_way))

    @staticmethod
    def _give_way(one: Handshake) -> None:
        one.gave_way = True
        try:
            one.socket.shutdown(socket.SHUT_RDWR)  # to the handshake it looks as if the peer had gone
        except OSError as error:
            logger.debug("a handshake that gives way had ended: %s", error)


def _reason_of(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return "not_agreed"
    # So asyncio and uvloop call it when their time-out is over.
    return "timed_out" if isinstance(error, ConnectionAbortedError) else "left"
