"""A router's SNMP traps: that it started, and that links went down or came up."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from mtd.lab.scenario import TrapVersion
from mtd.lab.snmp.wire import V2C, Kind, Message, Oid, Pair, Tag, Value, trap_of_v1

if TYPE_CHECKING:
    from mtd.lab.state import RouterState

_SYS_UPTIME: Oid = (1, 3, 6, 1, 2, 1, 1, 3, 0)
_TRAP_OID: Oid = (1, 3, 6, 1, 6, 3, 1, 1, 4, 1, 0)
_TRAPS: Oid = (1, 3, 6, 1, 6, 3, 1, 1, 5)
_MIKROTIK: Oid = (1, 3, 6, 1, 4, 1, 14988, 1)
_IF_INDEX: Oid = (1, 3, 6, 1, 2, 1, 2, 2, 1, 1)
_COLD_START, _LINK_DOWN, _LINK_UP = 0, 2, 3
_LOW32 = (1 << 32) - 1


class TrapSender:
    """Sends each trap as it happens, to nobody if nobody is there."""

    def __init__(self, state: RouterState, target: str) -> None:
        host, _, port = target.rpartition(":")
        spec = state.truth.spec
        self._state = state
        self._version = spec.trap_version
        self._community = spec.community.encode()
        self._target = (host.strip("[]"), int(port))
        self._address = spec.address or "127.0.0.1"
        self._numbers = 0
        self._socket = socket.socket(
            socket.AF_INET6 if ":" in self._target[0] else socket.AF_INET, socket.SOCK_DGRAM
        )
        self._socket.setblocking(False)
        if spec.address is not None:
            self._socket.bind((spec.address, 0))

    def started(self) -> None:
        """Tell that the router started."""
        self._send(_COLD_START, ())

    def link_changed(self, interface_id: str, *, up: bool) -> None:
        """Tell that a link came up or went down. RouterOS tells the interface's number, and nothing else of it."""
        index = int(interface_id[1:], 16)
        self._send(_LINK_UP if up else _LINK_DOWN, (((*_IF_INDEX, index), Value(Tag.INTEGER, index)),))

    def encode(self, generic: int, pairs: tuple[Pair, ...]) -> bytes:
        """Return a trap as it goes over the wire."""
        state = self._state
        uptime = state.truth.resource(state.clock.now_tick()).uptime_s * 100 & _LOW32
        if self._version is TrapVersion.V1:
            return trap_of_v1(self._community, _MIKROTIK, self._address, generic, uptime, pairs)
        self._numbers += 1
        first = (
            (_SYS_UPTIME, Value(Tag.TICKS, uptime)),
            (_TRAP_OID, Value(Tag.OID, (*_TRAPS, generic + 1))),
        )
        return Message(V2C, self._community, Kind.TRAP, self._numbers, 0, 0, (*first, *pairs)).encode()

    def _send(self, generic: int, pairs: tuple[Pair, ...]) -> None:
        try:
            self._socket.sendto(self.encode(generic, pairs), self._target)
        except OSError:
            self._state.stats.traps_unsent += 1
        else:
            self._state.stats.traps_sent += 1

    def close(self) -> None:
        """Send no more."""
        self._socket.close()
