"""What one simulated router knows at run time, besides the truth: sessions, log, statistics."""

from __future__ import annotations

import datetime
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from mtd.lab.clock import LabClock
from mtd.lab.personality import Personality
from mtd.lab.scenario import Fault
from mtd.lab.truth import RouterTruth

_LOG_ROWS = 1000
_HISTORY_ROWS = 100


@dataclass(slots=True)
class Stats:
    """What a router did; all are totals since the start but ``sessions_open``."""

    connections: int = 0
    sessions_open: int = 0
    logins: int = 0
    logins_failed: int = 0
    sentences: int = 0
    answers: int = 0
    rows: int = 0
    values: int = 0
    bytes_sent: int = 0
    wire_errors: int = 0
    rest_requests: int = 0
    rest_logins_failed: int = 0
    snmp_requests: int = 0
    snmp_refused: int = 0
    aborted_slow_readers: int = 0
    log_lines_sent: int = 0
    log_lines_unsent: int = 0
    traps_sent: int = 0
    traps_unsent: int = 0
    flow_datagrams_sent: int = 0
    flow_datagrams_unsent: int = 0
    commands: Counter[str] = field(default_factory=Counter)

    def as_dict(self) -> dict[str, Any]:
        """Return the statistics for JSON."""
        plain = {name: getattr(self, name) for name in self.__slots__ if name != "commands"}
        return plain | {"commands": dict(self.commands)}


@dataclass(frozen=True, slots=True)
class LogRow:
    """A line of ``/log``."""

    number: int
    tick: int
    topics: str
    message: str


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """A line of ``/system/history``."""

    number: int
    tick: int
    action: str
    by: str


@dataclass(frozen=True, slots=True)
class ActiveUser:
    """A line of ``/user/active``."""

    number: int
    since_tick: int
    name: str
    address: str


class RouterState:
    """The parts of a router that its menus read and change."""

    def __init__(
        self,
        truth: RouterTruth,
        persona: Personality,
        clock: LabClock,
        inject: Callable[[Fault], object],
    ) -> None:
        self.truth = truth
        self.persona = persona
        self.clock = clock
        self.stats = Stats()
        self.identity = truth.spec.name
        self.port = truth.spec.port
        self.rest_port = 0  # none
        self.inject = inject
        self.users: dict[int, ActiveUser] = {}
        self.log: deque[LogRow] = deque(maxlen=_LOG_ROWS)
        self.on_log: Callable[[LogRow], object] | None = None
        self.history: deque[HistoryRow] = deque(maxlen=_HISTORY_ROWS)
        self._numbers = 0

    def next_number(self) -> int:
        """Return a number that wasn't used before."""
        self._numbers += 1
        return self._numbers

    def date_time(self, tick: int) -> str:
        """Return a tick as this version prints a time."""
        return self.persona.date_time(self.wall(tick))

    def wall(self, tick: int) -> datetime.datetime:
        """Return a tick as wall time in UTC, the routers' time zone."""
        return datetime.datetime.fromtimestamp(self.clock.us_at(tick) / 1e6, datetime.UTC)

    def write_log(self, topics: str, message: str) -> None:
        """Add a line to the router's log."""
        row = LogRow(self.next_number(), self.clock.now_tick(), topics, message)
        self.log.append(row)
        if self.on_log is not None:
            self.on_log(row)

    def write_history(self, tick: int, action: str) -> None:
        """Note that the router's user changed something."""
        self.history.append(HistoryRow(self.next_number(), tick, action, self.truth.spec.username))
