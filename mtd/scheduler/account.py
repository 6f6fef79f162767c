"""What mtd costs one router: counted where it happens, read by those who show it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from itertools import takewhile

from mtd.scheduler.costs import Cost, CostBook

HOUR_S = 3600.0
# A router that lets us in and throws us out again is tried every second or so at most.
_LOGINS_KEPT = 4000

Traffic = tuple[int, int, int]
"""Commands sent, bytes sent and bytes received in one session."""

NO_TRAFFIC: Traffic = (0, 0, 0)


@dataclass(frozen=True, slots=True)
class Polled:
    """What came of watching a router so far, for those who show it. ``poll_s``: of all polls that were answered."""

    cost: Cost
    polls: int = 0
    failed: int = 0
    skipped: int = 0
    poll_s: float = 0.0


@dataclass(slots=True)
class Account:
    """Grows from the start of a device's loop. A few additions per poll, nothing else."""

    sessions_opened: int = 0
    polls: int = 0
    polls_skipped: int = 0
    polls_failed: int = 0
    poll_s: float = 0.0
    slowest_s: float = 0.0
    """Longest poll since `take_slowest`."""
    costs: CostBook = field(default_factory=CostBook)
    _before: Traffic = NO_TRAFFIC
    _session: Traffic = NO_TRAFFIC
    _logins: deque[float] = field(default_factory=lambda: deque(maxlen=_LOGINS_KEPT))

    def logged_in(self, now: float) -> None:
        """A session was opened. ``now``: monotonic, seconds."""
        self.sessions_opened += 1
        self._logins.append(now)

    def polled(self, took_s: float, traffic: Traffic) -> None:
        """A poll was answered; ``traffic``: of its session so far."""
        self.polls += 1
        self.poll_s += took_s
        self.slowest_s = max(self.slowest_s, took_s)
        self._session = traffic

    def sent(self, now: float) -> float:
        """Commands are under way. ``now``: monotonic, seconds. Returns what ``ended`` wants to know of them."""
        return self.costs.sent(now)

    def ended(self, now: float, traffic: Traffic, sent: float) -> float:
        """They are answered, or given up; return how long the router was busy. ``traffic``: of their session so far."""
        self._session = traffic
        return self.costs.ended(now, self.traffic, sent)

    def session_ended(self, traffic: Traffic) -> None:
        """The session is over; the next one counts from zero."""
        commands, sent, received = self._before
        self._before = (commands + traffic[0], sent + traffic[1], received + traffic[2])
        self._session = NO_TRAFFIC

    @property
    def traffic(self) -> Traffic:
        """Commands, bytes sent and bytes received, of all sessions."""
        before, session = self._before, self._session
        return before[0] + session[0], before[1] + session[1], before[2] + session[2]

    def so_far(self) -> Polled:
        """Return what came of it so far."""
        return Polled(self.costs.total(), self.polls, self.polls_failed, self.polls_skipped, self.poll_s)

    def take_slowest(self) -> float:
        """Return the longest poll since the last call, in seconds; 0 if there was none."""
        slowest, self.slowest_s = self.slowest_s, 0.0
        return slowest

    def logins_within(self, now: float, seconds: float = HOUR_S) -> int:
        """Return how many sessions were opened in the last ``seconds``."""
        return sum(1 for _ in takewhile(lambda at: now - at < seconds, reversed(self._logins)))
