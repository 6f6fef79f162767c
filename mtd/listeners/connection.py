"""One connection over which lines come: octet-counted, with an end, or with none at all."""

from __future__ import annotations

import asyncio
from typing import Protocol, cast

from mtd.codec.syslog.framing import Framer

_TURN_BYTES = 16 * 1024
_SEGMENT = 1200  # bytes: of a line that fills a packet, the rest may be in the next
_LOOK_AGAIN_S = 0.05


class Taker(Protocol):
    """What takes lines of connections."""

    @property
    def must_wait(self) -> bool:
        """Whether connections are not to be read now."""

    def put(self, sender: str, lines: list[bytes]) -> None:
        """Take lines in."""

    def after_pause(self, flush: asyncio.TimerHandle | None, connection: Connection) -> asyncio.TimerHandle:
        """Have a connection's rest taken for a line if nothing more comes."""

    def closed(self, connection: Connection) -> None:
        """Forget a connection."""


class Connection(asyncio.Protocol):
    """Cuts what a sender sends into lines, a turn's worth at a time."""

    def __init__(self, taker: Taker, sender: str) -> None:
        self.sender = sender
        self._taker = taker
        self._framer = Framer()
        self._transport: asyncio.Transport | None = None
        self._todo = b""  # what came and isn't taken yet
        self._paused = False
        self._flush: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin; behind TLS, once hands are shaken."""
        # Not asserted: that of uvloop's TLS has all that a transport has, and says of itself that it is none.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Take what came."""
        if self._transport is None:
            return
        if not self._todo and not self._framer.tells_ends and self._framer.waiting < _SEGMENT:
            # RouterOS tells no ends: each of its lines is a segment. What fills one may go on in the next.
            self._taker.put(self.sender, self._framer.flush())
        self._todo += data
        self._go_on()

    def _go_on(self) -> None:
        """Take a turn's worth of what came; while there is more, or somebody is to wait, nothing is read."""
        if self._transport is None:
            return
        now, self._todo = self._todo[:_TURN_BYTES], self._todo[_TURN_BYTES:]
        self._take(now)
        if self._framer.waiting:
            self._flush = self._taker.after_pause(self._flush, self)
        loop, must_wait = asyncio.get_running_loop(), self._taker.must_wait
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
            self._taker.put(self.sender, self._framer.feed(data))

    def paused(self) -> None:
        """Take what waits for an end that doesn't come for a line."""
        if not self._paused:  # else it is we who do
            self._taker.put(self.sender, self._framer.flush())

    def close(self) -> None:
        """End it; what came before is taken in now, for the peer may take its time to agree."""
        if self._transport is not None:
            self._take(self._todo)
            self._todo = b""
            self._taker.put(self.sender, self._framer.flush(ended=True))
            self._transport.close()

    def connection_lost(self, _: Exception | None) -> None:
        """Take in what is left."""
        if self._flush is not None:
            self._flush.cancel()
        if self._transport is not None:
            self._take(self._todo)
            self._taker.put(self.sender, self._framer.flush(ended=True))
            self._todo, self._transport = b"", None
        self._taker.closed(self)
