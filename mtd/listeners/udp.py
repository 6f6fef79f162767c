"""A UDP socket that loses nothing silently: it takes what is there and stamps it, and counts what the kernel drops."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import socket
import struct
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from mtd.core.errors import Misconfigured
from mtd.core.queues import Policy, declare
from mtd.listeners import metrics
from mtd.listeners.blocks import EACH_BYTES, SENDER_BYTES, Block

if TYPE_CHECKING:
    from mtd.core.clock import Clock

logger = logging.getLogger(__name__)

WAITING = declare(
    "listeners.waiting",
    "bytes",
    Policy.DROP_NEWEST,
    "Lines and traps that were received and wait to be looked at.",
    limited_by="syslog.max_waiting_bytes, traps.max_waiting_bytes",
    counted_by="mtd_listeners_dropped_total",
)

_LARGEST = 65_535
# So long in one turn of the loop; the clock is looked at after each few. The kernel holds the others meanwhile.
_TURN_S = 0.003
_AT_ONCE = 64
_MOST_AT_END = 500
_OVERHEAD_BYTES = EACH_BYTES + SENDER_BYTES
# The larger a block is, the less its senders take; the smaller, the sooner memory is free.
_BLOCK_BYTES = 512 * 1024
_LEAST_BLOCKS = 16
# To count costs as much as to take one in. When none waits, all are counted.
_COUNTED_AT_ONCE = 64
# Of Linux, which Python doesn't name: the buffer beyond rmem_max, with CAP_NET_ADMIN; and what a socket holds and dropped.
_SO_RCVBUFFORCE = 33
_SO_MEMINFO = 55
_MEMINFO = struct.Struct("=9I")
_DROPS = 8


class PortTaken(Misconfigured):
    """Somebody has the port."""


class Received(NamedTuple):
    """What came, when (microseconds since the epoch), and from which address. ``peer``: where an answer goes, as sockets have it."""

    at_us: int
    data: bytes
    sender: str
    peer: Any = None


class Inbox:
    """What was received and isn't looked at yet, bounded in bytes. The newest is dropped when it is full.

    Bytes of a block count until all of it is taken.
    """

    def __init__(self, listener: str, max_bytes: int) -> None:
        self._dropped = metrics.DROPPED.labels(listener=listener, reason="queue_full")
        self._received = metrics.RECEIVED.labels(listener=listener)
        self._max_bytes = max_bytes
        self._block_bytes = min(_BLOCK_BYTES, max_bytes // _LEAST_BLOCKS)
        self._blocks: deque[Block] = deque()  # the last one takes what comes
        self._waiting = 0
        self._bytes = 0
        self._came = 0  # not counted yet
        self.filled = asyncio.Event()
        WAITING.watch(self, lambda inbox: inbox._bytes, lambda inbox: inbox._max_bytes)

    def __len__(self) -> int:
        return self._waiting

    @property
    def size(self) -> int:
        """What it holds, in bytes."""
        return self._bytes

    @property
    def fill(self) -> float:
        """How full it is, 0 to 1."""
        return self._bytes / self._max_bytes

    def put(self, one: Received) -> None:
        """Take one in."""
        self._came += 1
        if self._came >= _COUNTED_AT_ONCE:
            self._count()
        if self._bytes + len(one.data) + _OVERHEAD_BYTES > self._max_bytes:
            self._dropped.inc()
            return
        blocks = self._blocks
        if not blocks or blocks[-1].size >= self._block_bytes:
            if blocks:
                blocks[-1].seal()
            blocks.append(Block())
        self._bytes += blocks[-1].put(*one)
        self._waiting += 1
        if self._waiting == 1:
            self.filled.set()

    def take(self) -> Received:
        """Return the oldest. There must be one."""
        block = self._blocks[0]
        one = Received(*block.take())
        self._waiting -= 1
        if block.is_taken:
            self._blocks.popleft()
            self._bytes -= block.size
        if not self._waiting:
            self.filled.clear()
            self._count()
        return one

    def _count(self) -> None:
        self._received.inc(self._came)
        self._came = 0


class Sink(Protocol):
    """Takes what is received."""

    def put(self, one: Received) -> None:
        """Take one in."""


class UdpListener:
    """Receives datagrams into an inbox, or another sink.

    ``gather_s``: so long nothing is read once all is: what comes meanwhile is read together, which costs a tenth.
    """

    def __init__(
        self,
        listener: str,
        host: str,
        port: int,
        inbox: Sink,
        clock: Clock,
        buffer_bytes: int,
        *,
        gather_s: float = 0.0,
    ) -> None:
        self._listener = listener
        self._host = host
        self._port = port
        self._inbox = inbox
        self._clock = clock
        self._wanted_bytes = buffer_bytes
        self._gather_s = gather_s
        self._again: asyncio.TimerHandle | None = None
        self._socket: socket.socket | None = None
        self.dropped = 0
        """Datagrams that the kernel dropped, as it was told last."""
        # Kept: one of that size for each datagram costs more than all else, since the kernel clears its pages each time.
        self._buffer = bytearray(_LARGEST)
        self._view = memoryview(self._buffer)
        self.is_behind = False
        """Whether the kernel may hold more than could be taken in in the last turn."""

    @property
    def port(self) -> int:
        """The port, once it listens."""
        return int(self._socket.getsockname()[1]) if self._socket is not None else 0

    def start(self, advice: str) -> None:
        """Listen. Raises Misconfigured if the port can't be had; ``advice``: what to do about it."""
        self.listen(udp_socket(self._listener, self._host, self._port, self._wanted_bytes, advice))
        logger.info("listening for %s on %s, UDP port %d", self._listener, self._host, self.port)

    def listen(self, made: socket.socket) -> None:
        """Receive from a socket, which is this listener's from now on."""
        self._socket = made
        self._read_from_now_on()

    def _read_from_now_on(self) -> None:
        self._again = None
        if self._socket is not None:
            asyncio.get_running_loop().add_reader(self._socket, self._readable)

    def _readable(self) -> None:
        assert self._socket is not None
        self.is_behind = self._take_turn()
        if self.is_behind or not self._gather_s:
            return
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._socket)
        self._again = loop.call_later(self._gather_s, self._read_from_now_on)

    def answer(self, data: bytes, peer: Any) -> bool:
        """Send something back to where it came from; return whether the kernel took it."""
        if self._socket is None:
            return False
        try:
            self._socket.sendto(data, peer)
        except OSError as error:
            logger.debug("%s: no answer to %s: %s", self._listener, peer, error)
            return False
        return True

    def stop(self) -> None:
        """Close the port. What the kernel still holds is taken in first, up to what has room."""
        if self._socket is None:
            return
        if self._again is not None:
            self._again.cancel()
        for _ in range(_MOST_AT_END):
            if not self._take_turn():
                break
        self.count_drops()
        asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()
        self._socket = None

    def count_drops(self) -> None:
        """Count what the kernel dropped since the last time."""
        if self._socket is None:
            return
        dropped = dropped_by_kernel(self._socket)
        if dropped > self.dropped:
            metrics.KERNEL_DROPPED.labels(listener=self._listener).inc(dropped - self.dropped)
        self.dropped = dropped

    def _take_turn(self) -> bool:
        """Take in what is there, up to a turn's worth; return whether there may be more."""
        end = self._clock.monotonic() + _TURN_S
        while self._take_some():
            if self._clock.monotonic() >= end:
                return True
        return False

    def _take_some(self) -> bool:
        """Take in a few; return whether there may be more."""
        assert self._socket is not None
        receive, put, now_us = self._socket.recvfrom_into, self._inbox.put, self._clock.now_us()
        buffer, view = self._buffer, self._view
        for _ in range(_AT_ONCE):
            try:
                size, address = receive(buffer)
            except (BlockingIOError, InterruptedError):
                return False
            except OSError as error:  # of an ICMP answer to nothing that we sent, or of the network that went
                logger.debug("%s: nothing received: %s", self._listener, error)
                return False
            put(Received(now_us, bytes(view[:size]), plain_address(address[0]), address))
        return True


def plain_address(text: str) -> str:
    """Return a sender's address without the zone of a link; an IPv4 address that came over an IPv6 socket as such."""
    return text.partition("%")[0].removeprefix("::ffff:") if ":" in text else text


def udp_socket(
    listener: str, host: str, port: int, buffer_bytes: int, advice: str, *, shared: bool = False
) -> socket.socket:
    """Return a socket that has a port, and a buffer if it can be had. Raises Misconfigured; see ``bound``."""
    made = bound(socket.SOCK_DGRAM, host, port, advice, shared=shared)
    got = set_buffer(made, buffer_bytes)
    metrics.BUFFER_BYTES.labels(listener=listener).set(got)
    if got < buffer_bytes:
        logger.warning(
            "%s: the kernel holds %d bytes at most, not the %d that are wanted: raise net.core.rmem_max, or give mtd "
            "the capability CAP_NET_ADMIN",
            listener,
            got,
            buffer_bytes,
        )
    return made


def bound(
    kind: socket.SocketKind, host: str, port: int, advice: str, *, shared: bool = False
) -> socket.socket:
    """Return a socket that has a port. Raises Misconfigured if it can't be had; PortTaken, if somebody has it.

    ``shared``: others of this user may have it as well, and each gets what comes from some of the senders.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, kind)
    try:
        made.setblocking(False)
        if kind is socket.SOCK_STREAM:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family is socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        made.bind((host, port))
    except OSError as error:
        made.close()
        protocol = "UDP" if kind is socket.SOCK_DGRAM else "TCP"
        raised = PortTaken if error.errno == errno.EADDRINUSE else Misconfigured
        raise raised(
            f"can't listen on {host}, {protocol} port {port}: {error.strerror or os.strerror(error.errno or 0)}; {advice}"
        ) from None
    return made


def set_buffer(made: socket.socket, wanted: int) -> int:
    """Have the kernel hold so many bytes; return how many it does."""
    for option in (_SO_RCVBUFFORCE, socket.SO_RCVBUF):
        with contextlib.suppress(OSError):
            made.setsockopt(socket.SOL_SOCKET, option, wanted)
            break
    # Linux doubles what is asked for, for its own book-keeping, and tells that.
    return made.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // 2


def dropped_by_kernel(made: socket.socket) -> int:
    """Return how many datagrams didn't fit into the kernel's buffer; 0 where it doesn't tell."""
    try:
        told = made.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, _MEMINFO.size)
    except OSError:
        return 0
    return int(_MEMINFO.unpack(told)[_DROPS]) if len(told) == _MEMINFO.size else 0
