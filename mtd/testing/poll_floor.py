"""The least that a client in this language can do on mtd's reactor: receive, and match one pattern.

No task, no deadline, no number is made of what was matched: what is measured
here nobody could use. It is what the rest is compared with.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.protocol import Factory, Protocol

from mtd.codec.routeros import encode_command, encode_sentence
from mtd.model.command import Command
from mtd.model.device import Device
from mtd.testing.poll_check import Reading

_DONE = b"!done"
_FLAG = rb"(true|false|yes|no)"
_NUMBER = rb"([0-9]*)"
_VALUES = {".id": rb"(\*[0-9A-F]*)", "running": _FLAG, "disabled": _FLAG, "uptime": rb"([0-9a-z:]*)"}


def one_pattern(commands: Sequence[Command]) -> re.Pattern[bytes]:
    """Return the pattern of a row of any of these commands: a group for each field of each."""
    rows = [
        rb".".join(b"=%b=%b" % (re.escape(name.encode()), _VALUES.get(name, _NUMBER)) for name in c.proplist)
        for c in commands
    ]
    return re.compile(rb"|".join(rows), re.DOTALL)


class FloorSession(Protocol):
    """One router: the same bytes sent each second, whole replies received and matched."""

    def __init__(self, device: Device, request: bytes, replies: int, pattern: re.Pattern[bytes]) -> None:
        self.device = device
        self.polls = 0
        self.rows: list[tuple[bytes, ...]] = []
        self.rows_read = 0
        self.overruns = 0
        self.read_between_ns = (0, 0)
        self._sent_ns = 0
        self._request = request
        self._replies = replies
        self._match = pattern.findall
        self._parts: list[bytes] = []
        self._missing = 1
        self.ready = asyncio.Event()
        self.failure: BaseException | None = None

    def connectionMade(self) -> None:
        """Log in."""
        user, password = self.device.username.encode(), self.device.password.encode()
        login = encode_sentence((b"/login", b"=name=" + user, b"=password=" + password))
        self._write(login)

    def connectionLost(self, reason: Any = None) -> None:
        """Note it: a floor with fewer routers would be lower."""
        self.failure = reason.value
        self.ready.set()

    def dataReceived(self, data: bytes) -> None:
        """Take bytes; when the last reply is whole, match."""
        self._parts.append(data)
        self._missing -= data.count(_DONE)
        if self._missing > 0:
            return
        received = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        self._parts.clear()
        if not self.ready.is_set():
            self.ready.set()
            return
        self.read_between_ns = (self._sent_ns, time.time_ns())
        self.rows = self._match(received)
        self.rows_read += len(self.rows)
        self.polls += 1

    def begin(self, at: float) -> None:
        """Poll each second, first at a moment of the loop's clock."""
        self._loop = asyncio.get_running_loop()
        self._due = at
        self._timer = self._loop.call_at(at, self._poll)

    def end(self) -> None:
        """Poll no more."""
        self._timer.cancel()

    def _poll(self) -> None:
        if self._missing > 0:
            self.overruns += 1
        else:
            self._missing = self._replies
            self._sent_ns = time.time_ns()
            self._write(self._request)
        self._due += 1.0
        self._timer = self._loop.call_at(self._due, self._poll)

    def _write(self, data: bytes) -> None:
        assert self.transport is not None
        # At once, as mtd does: through the reactor it would be an event more.
        self.transport.writeSomeData(data)  # type: ignore[attr-defined]


async def open_floor(devices: Sequence[Device], commands: Sequence[Command]) -> list[FloorSession]:
    """Connect and log in to all routers, and begin to poll them, spread over the second."""
    from twisted.internet import reactor

    loop = asyncio.get_running_loop()
    pattern = one_pattern(commands)
    request = b"".join(encode_command(command, b"%d" % number) for number, command in enumerate(commands, 1))
    sessions = []
    for device in devices:
        session = FloorSession(device, request, len(commands), pattern)
        endpoint = TCP4ClientEndpoint(reactor, device.host, device.port)
        await endpoint.connect(Factory.forProtocol(partial(_itself, session))).asFuture(loop)
        session.transport.setTcpNoDelay(True)  # type: ignore[union-attr]  # ITCPTransport has it
        await session.ready.wait()
        sessions.append(session)
    for number, session in enumerate(sessions):
        session.begin(loop.time() + number / len(sessions))
    return sessions


def _itself(session: FloorSession) -> FloorSession:
    return session


def reading_of(session: FloorSession, commands: Sequence[Command]) -> Reading:
    """Return what a session matched last, as values."""
    fields = [name for command in commands for name in command.proplist]
    interfaces: dict[str, dict[str, bytes]] = {}
    resource: dict[str, bytes] = {}
    for row in session.rows:
        found = {name: value for name, value in zip(fields, row, strict=True) if value}
        if ".id" in found:
            interfaces[found.pop(".id").decode()] = found
        else:
            resource |= found
    sent_ns, received_ns = session.read_between_ns
    return Reading.of_text(session.device.name, sent_ns // 1000, received_ns // 1000, interfaces, resource)
