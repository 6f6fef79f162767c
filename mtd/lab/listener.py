"""A router's listening socket, which can also misbehave as networks do."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import Callable

logger = logging.getLogger(__name__)

_BACKLOG = 128
_ACCEPTS_AT_ONCE = 32
_HANDSHAKE_S = 10.0
# Connections that fill a backlog of nought, so that the kernel drops further SYNs.
_FILLERS = 2


class Listener:
    """Accepts connections by hand, so that accepting can be withheld.

    ``port`` 0 takes any free port; ``close`` and ``open`` keep the one taken.
    """

    def __init__(
        self,
        host: str,
        port: int,
        context: ssl.SSLContext | None,
        make_protocol: Callable[[], asyncio.Protocol],
        failed: Callable[[], None],
    ) -> None:
        self._host = host
        self.port = port
        self._context = context
        self._make_protocol = make_protocol
        self._failed = failed
        self._socket: socket.socket | None = None
        self._fillers: list[socket.socket] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._holds = 0
        self._closes = 0

    def start(self) -> None:
        """Bind and listen."""
        self._bind()
        self._listen()

    def stop(self) -> None:
        """Close the port for good, and give up handshakes under way."""
        self._drop_fillers()
        self._unbind()
        for task in self._tasks:
            task.cancel()

    def close(self) -> None:
        """Refuse connections, but keep the port: bound, not listening."""
        self._closes += 1
        if self._closes == 1:
            self._unbind()
            self._bind()

    def open(self) -> None:
        """End one ``close``."""
        self._closes -= 1
        if self._closes == 0:
            self._listen()
            if self._holds:
                self._watch(on=False)

    def hold(self, *, accept: bool) -> None:
        """Answer nobody. With ``accept`` the kernel still establishes connections; else SYNs are lost."""
        self._holds += 1
        self._watch(on=False)
        if not accept and self._socket is not None and not self._closes:
            self._socket.listen(0)
            for _ in range(_FILLERS):
                filler = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
                filler.setblocking(False)
                filler.connect_ex((self._host, self.port))
                self._fillers.append(filler)

    def release(self) -> None:
        """End one ``hold``; who waited is accepted now."""
        self._holds -= 1
        if self._holds == 0:
            self._drop_fillers()
            if self._socket is not None and not self._closes:
                self._listen()

    def _bind(self) -> None:
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setblocking(False)
        try:
            sock.bind((self._host, self.port))
        except OSError:
            sock.close()
            raise
        self.port = sock.getsockname()[1]
        self._socket = sock

    def _listen(self) -> None:
        if self._socket is not None:
            self._socket.listen(_BACKLOG)
            self._watch(on=True)

    def _unbind(self) -> None:
        if self._socket is not None:
            self._watch(on=False)
            self._socket.close()
            self._socket = None

    def _watch(self, *, on: bool) -> None:
        if self._socket is None:
            return
        loop = asyncio.get_running_loop()
        if on:
            loop.add_reader(self._socket.fileno(), self._accept)
        else:
            loop.remove_reader(self._socket.fileno())

    def _drop_fillers(self) -> None:
        for filler in self._fillers:
            filler.close()
        self._fillers = []

    def _accept(self) -> None:
        for _ in range(_ACCEPTS_AT_ONCE):
            if self._socket is None:
                return
            try:
                connection, _ = self._socket.accept()
            except BlockingIOError:
                return
            except OSError as error:
                # Out of descriptors, or gone before it was accepted: the next one may do.
                logger.warning("lab port %d can't accept: %s", self.port, error)
                self._failed()
                return
            connection.setblocking(False)
            task = asyncio.get_running_loop().create_task(self._adopt(connection))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _adopt(self, connection: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        limit = None if self._context is None else _HANDSHAKE_S
        try:
            await loop.connect_accepted_socket(
                self._make_protocol, connection, ssl=self._context, ssl_handshake_timeout=limit
            )
        except (OSError, TimeoutError) as error:
            # ssl.SSLError is an OSError: wrong protocol, or the client doesn't trust us.
            logger.debug("lab port %d: handshake failed: %s", self.port, error)
            self._failed()
            with contextlib.suppress(OSError):
                connection.close()
