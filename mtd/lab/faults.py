"""Faults of the wire: what a router does to its connections while they last.

Faults of the values (reboots, resets, flaps) are part of the truth; here is
only how a connection notices.
"""

from __future__ import annotations

import asyncio
import random
import socket
import struct
from typing import TYPE_CHECKING

from mtd.lab.reply import ReplyFormat, encode_row
from mtd.lab.scenario import Door, Fault, FaultKind
from mtd.lab.wire import encode_length

if TYPE_CHECKING:
    from mtd.lab.router import LabRouter
    from mtd.lab.visitor import Visitor

_DRIBBLE_S = 0.1
_CUT_AFTER_S = 0.05
_HTTP_REFUSAL = (
    b"HTTP/1.1 400 Bad Request\r\nServer: nginx\r\nContent-Type: text/html\r\n"
    b"Content-Length: 54\r\nConnection: close\r\n\r\n"
    b"<html><body><h1>400 Bad Request</h1></body></html>\r\n\r\n"
)


class WireFault:
    """A fault in force. Does nothing by itself; each kind overrides what it touches.

    ``doors`` are the ports that it hits; ``touches`` those that its kind is of.
    """

    touches: frozenset[Door] = frozenset(Door)

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.doors = self.touches.intersection(fault.doors)

    def begin(self, router: LabRouter) -> None:
        """Come into force."""

    def end(self, router: LabRouter) -> None:
        """Cease."""

    def received(self, _session: Visitor, _data: bytes) -> bool:
        """Whether bytes that came are swallowed."""
        return False

    def asked(self, _session: Visitor, _words: tuple[bytes, ...], _reply: ReplyFormat) -> bytes | None:
        """Return what answers a command instead of the console, or None.

        ``words`` are those of the sentence without its tag.
        """
        return None

    def sending(self, _session: Visitor, _data: bytes) -> bool:
        """Whether an answer is taken over."""
        return False


class BlackHole(WireFault):
    """Nothing answers, and nothing says why."""

    def begin(self, router: LabRouter) -> None:
        """Stop reading, and stop accepting."""
        for listener in router.listeners_of(self.doors):
            listener.hold(accept=self.fault.accept)
        for session in router.sessions_of(self.doors):
            session.transport.pause_reading()

    def end(self, router: LabRouter) -> None:
        """Go on: what waited is read now, as after an outage of the path."""
        for listener in router.listeners_of(self.doors):
            listener.release()
        for session in router.sessions_of(self.doors):
            session.transport.resume_reading()

    def sending(self, _session: Visitor, _data: bytes) -> bool:
        """Lose what streams would send."""
        return True


class PortClosed(WireFault):
    """Sessions drop and the port refuses: the service is off, or the router is starting."""

    def begin(self, router: LabRouter) -> None:
        """Close everything."""
        for listener in router.listeners_of(self.doors):
            listener.close()
        for session in router.sessions_of(self.doors):
            session.abort()

    def end(self, router: LabRouter) -> None:
        """Listen again on the same port."""
        for listener in router.listeners_of(self.doors):
            listener.open()


class Slow(WireFault):
    """Answers wait, then trickle."""

    def sending(self, session: Visitor, data: bytes) -> bool:
        """Write later, in order."""
        loop = asyncio.get_running_loop()
        when = max(loop.time() + self.fault.delay_s, session.slow_until)
        size = (
            len(data) if self.fault.bytes_per_s is None else max(1, int(self.fault.bytes_per_s * _DRIBBLE_S))
        )
        for start in range(0, len(data), size):
            loop.call_at(when, session.write, data[start : start + size])
            when += _DRIBBLE_S if size < len(data) else 0.0
        session.slow_until = when
        return True


class Garbage(WireFault):
    """Answers of the right length and no sense: each begins alike, so that each is seen to be none."""

    def sending(self, session: Visitor, data: bytes) -> bool:
        """Write noise."""
        session.write(random.Random(0).randbytes(len(data)))
        return True


class HalfOpen(WireFault):
    """This end forgot the sessions, and the other doesn't know."""

    def begin(self, router: LabRouter) -> None:
        """Kill the sessions that are open, without a sign."""
        for session in router.sessions_of(self.doors):
            session.dead = True


class Fatal(WireFault):
    """The router throws the session out at its next command."""

    def asked(self, session: Visitor, _words: tuple[bytes, ...], _reply: ReplyFormat) -> bytes | None:
        """Answer with ``!fatal``."""
        return session.close_with(self.fault.message.encode())


class Denied(WireFault):
    """The user has no right to read."""

    def asked(self, _session: Visitor, _words: tuple[bytes, ...], reply: ReplyFormat) -> bytes | None:
        """Refuse."""
        return reply.trap(b"not enough permissions (9)") + reply.done()


class Huge(WireFault):
    """Each table has millions of rows."""

    def asked(self, session: Visitor, words: tuple[bytes, ...], reply: ReplyFormat) -> bytes | None:
        """Begin to send them."""
        if not words[0].endswith((b"/print", b"/getall")):
            return None
        session.start_huge(reply, self.fault.rows)
        return b""


class HugeLength(WireFault):
    """A row announces a word that nobody could hold."""

    touches = frozenset({Door.API})

    def sending(self, session: Visitor, _data: bytes) -> bool:
        """Write the beginning of it, once."""
        row, _ = encode_row({b".id": b"*1"}, None)
        head = ReplyFormat(None, tag_first=True).rows([row])[:-1]
        session.write(head + encode_length(self.fault.word_bytes) + b"=comment=" + b"x" * 4096)
        session.dead = True
        return True


class MenuSilent(WireFault):
    """One menu never answers, unless it is cancelled; all others do."""

    def asked(self, session: Visitor, words: tuple[bytes, ...], reply: ReplyFormat) -> bytes | None:
        """Let a command of the menu hang."""
        menu, _, _ = words[0].rpartition(b"/")
        if menu != self.fault.menu.encode() or (self.fault.only_counts and not _counts(words)):
            return None
        session.hang(reply)
        return b""


def _counts(words: tuple[bytes, ...]) -> bool:
    return any(word.startswith(b"=count-only=") for word in words)


class IgnoreCancel(WireFault):
    """What was begun is not stopped."""

    touches = frozenset({Door.API})

    def asked(self, _session: Visitor, words: tuple[bytes, ...], _reply: ReplyFormat) -> bytes | None:
        """Swallow ``/cancel``."""
        return b"" if words[0] == b"/cancel" else None


class StrayTags(WireFault):
    """Rows that answer nothing, besides the answers."""

    touches = frozenset({Door.API})
    _TAG = b"stray"

    def end(self, router: LabRouter) -> None:
        """Stop the rows."""
        for session in router.sessions_of(self.doors):
            session.stop_stream(self._TAG)

    def asked(self, session: Visitor, _words: tuple[bytes, ...], _reply: ReplyFormat) -> bytes | None:
        """Begin to send them; the command is answered as well."""
        tag_first = session.state.persona.tag_first
        session.stop_stream(self._TAG)
        session.start_huge(ReplyFormat(self._TAG, tag_first=tag_first), self.fault.rows)
        return None


class PlainHttp(WireFault):
    """Something else is on the port."""

    def received(self, session: Visitor, _data: bytes) -> bool:
        """Answer as a web server does."""
        session.write(_HTTP_REFUSAL)
        session.transport.close()
        return True


class Cut(WireFault):
    """The connection breaks in the middle of an answer."""

    def sending(self, session: Visitor, data: bytes) -> bool:
        """Write half of it, then reset."""
        if not session.logged_in:
            return False
        session.write(data[: len(data) // 2])
        session.dead = True
        asyncio.get_running_loop().call_later(_CUT_AFTER_S, _reset, session)
        return True


def _reset(session: Visitor) -> None:
    connection: socket.socket | None = session.transport.get_extra_info("socket")
    if connection is not None and connection.fileno() >= 0:
        # No lingering: the kernel sends RST instead of FIN.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    session.abort()


_KINDS: dict[FaultKind, type[WireFault]] = {
    FaultKind.REBOOT: PortClosed,
    FaultKind.REFUSED: PortClosed,
    FaultKind.BLACK_HOLE: BlackHole,
    FaultKind.SLOW: Slow,
    FaultKind.GARBAGE: Garbage,
    FaultKind.HALF_OPEN: HalfOpen,
    FaultKind.LOGIN_REFUSED: WireFault,
    FaultKind.DENIED: Denied,
    FaultKind.FATAL: Fatal,
    FaultKind.CUT: Cut,
    FaultKind.HUGE: Huge,
    FaultKind.HUGELENGTH: HugeLength,
    FaultKind.PLAINHTTP: PlainHttp,
    FaultKind.MENU_SILENT: MenuSilent,
    FaultKind.IGNORE_CANCEL: IgnoreCancel,
    FaultKind.NO_CATEGORY: WireFault,
    FaultKind.STRAY_TAGS: StrayTags,
}


def wire_fault(fault: Fault) -> WireFault | None:
    """Return what a fault does to connections; None if it is about values only."""
    kind = _KINDS.get(fault.kind)
    return None if kind is None else kind(fault)


def wire_length_s(fault: Fault) -> float | None:
    """Return how long connections suffer, in seconds; None for good."""
    return fault.boot_s if fault.kind is FaultKind.REBOOT else fault.for_s
