"""A router's log on its way to a syslog server: one datagram for each line, in the forms that RouterOS has."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import TYPE_CHECKING

from mtd.lab.clock import to_ticks
from mtd.lab.scenario import LogForm

if TYPE_CHECKING:
    from mtd.lab.state import LogRow, RouterState
    from mtd.lab.timeline import AppliedFault

_DAEMON = 3
_SEVERITIES = {"critical": 2, "error": 3, "warning": 4, "info": 6, "debug": 7}
_FLAPS_S = 24 * 3600.0


class LogSender:
    """Sends each line as it is written."""

    def __init__(self, state: RouterState, target: str, form: LogForm) -> None:
        host, _, port = target.rpartition(":")
        self._state = state
        self._form = form
        self._target = (host.strip("[]"), int(port))
        self._socket = socket.socket(
            socket.AF_INET6 if ":" in self._target[0] else socket.AF_INET, socket.SOCK_DGRAM
        )
        self._socket.setblocking(False)
        if state.truth.spec.address is not None:
            self._socket.bind((state.truth.spec.address, 0))

    def send(self, row: LogRow) -> None:
        """Send a line. As a router does, it doesn't mind if nobody is there."""
        try:
            self._socket.sendto(self.encode(row), self._target)
        except OSError:
            self._state.stats.log_lines_unsent += 1
        else:
            self._state.stats.log_lines_sent += 1

    def encode(self, row: LogRow) -> bytes:
        """Return a line as it goes over the wire."""
        if self._form is LogForm.DEFAULT:
            return f"{row.topics} {row.message}".encode()
        wall = self._state.wall(row.tick)
        time, name = f"{wall:%b} {wall.day:2} {wall:%H:%M:%S}", self._state.identity
        severity = min((_SEVERITIES[one] for one in row.topics.split(",") if one in _SEVERITIES), default=6)
        if self._form is LogForm.CEF:
            level = {2: "Very-High", 3: "High", 4: "Medium"}.get(severity, "Low")
            return (
                f"{time} {name} CEF:0|MikroTik|{self._state.persona.version}|{self._state.persona.version}|{row.number}|"
                f"{row.topics}|{level}|dvchost={name} msg={row.message}"
            ).encode()
        return f"<{_DAEMON * 8 + severity}>{time} {name} {row.message}".encode()

    def close(self) -> None:
        """Send no more."""
        self._socket.close()


def link_changes(applied: AppliedFault, interface_ids: list[str]) -> Iterator[tuple[int, str, bool]]:
    """Yield when which of the interfaces that flap change: tick, id, and whether the link is there then."""
    fault, start = applied.fault, applied.start_tick
    if fault.every_s is None:
        moments = [(start, False)]
        if applied.end_tick is not None:
            moments.append((applied.end_tick, True))
    else:
        every, low = to_ticks(fault.every_s), to_ticks(fault.down_s)
        end = applied.end_tick or start + to_ticks(_FLAPS_S)
        moments = [
            moment
            for tick in range(start, end, every)
            for moment in ((tick, False), (min(tick + low, end), True))
        ]
    for tick, up in moments:
        for one in interface_ids:
            yield tick, one, up


def link_message(name: str, *, up: bool) -> str:
    """Return what a router logs when a link comes or goes."""
    return f"{name} link up (speed 1G, full duplex)" if up else f"{name} link down"
