"""What happens between the daemon and its routers: packets that are lost, late, or fall into a hole; no names."""

from __future__ import annotations

from dataclasses import dataclass

from mtd.testing.faults.fleet import Fleet
from mtd.testing.faults.names import NameServer
from mtd.testing.faults.network import BadLine

_NOT_MADE = ("missed", "skipped", "failed")
# What a round trip takes of a delay, at the least.
_SEEN = 0.9


@dataclass(slots=True)
class PacketLoss:
    """The line to all routers loses packets: polls fail, or are not made, and are counted."""

    line: BadLine
    loss: float = 0.3
    runbook: str = "unreachable-spike"
    before: float = 0.0

    @property
    def name(self) -> str:
        """What the figures call it."""
        return f"{self.loss:.0%} packet loss to routers"

    def strike(self, fleet: Fleet) -> None:
        """Begin to lose."""
        self.before = _not_made(fleet)
        self.line.loss = self.loss

    def noticed(self, fleet: Fleet) -> bool:
        """Return whether so many polls as there are routers are counted as not made."""
        fleet.daemon_is_alive()
        return _not_made(fleet) >= self.before + len(fleet.routers)

    def mend(self, fleet: Fleet) -> bool:
        """Lose nothing more."""
        self.line.mend()
        return True

    def recovered(self, fleet: Fleet) -> bool:
        """Return whether all are polled again."""
        return fleet.is_ready() and fleet.fresh()


def _not_made(fleet: Fleet) -> float:
    return sum(fleet.metric(f"mtd_scheduler_polls_{what}_total") for what in _NOT_MADE)


@dataclass(slots=True)
class Latency:
    """The line to all routers is long: each answer takes 800 ms more. Polling goes on, and mtd tells how long it takes."""

    line: BadLine
    round_trip_s: float = 0.8
    runbook: str = "unreachable-spike"
    began: float = 0.0
    before: tuple[float, float] = (0.0, 0.0)

    @property
    def name(self) -> str:
        """What the figures call it."""
        return f"latency {self.round_trip_s * 1000:.0f} ms to routers"

    def strike(self, fleet: Fleet) -> None:
        """Make it long."""
        self.line.delay_s = self.round_trip_s / 2
        self.began = fleet.clock()
        self.before = self._polls(fleet)

    def noticed(self, fleet: Fleet) -> bool:
        """Return whether polls take so long by mtd's own count, and all routers are polled all the same."""
        fleet.daemon_is_alive()
        seconds, polls = (now - then for now, then in zip(self._polls(fleet), self.before, strict=True))
        self.before = self._polls(fleet) if polls and seconds / polls < self.round_trip_s else self.before
        return polls > 0 and seconds / polls >= self.round_trip_s * _SEEN and fleet.fresh(self.began + 1)

    @staticmethod
    def _polls(fleet: Fleet) -> tuple[float, float]:
        name = "mtd_scheduler_poll_seconds"
        return fleet.metric(f"{name}_sum"), fleet.metric(f"{name}_count")

    def mend(self, fleet: Fleet) -> bool:
        """Make it short."""
        self.line.mend()
        return True

    def recovered(self, fleet: Fleet) -> bool:
        """Return whether all are polled within a second or two."""
        return fleet.is_ready() and fleet.fresh()


@dataclass(slots=True)
class HalfOpen:
    """A firewall between the daemon and all routers forgets every connection and says nothing; new ones pass."""

    line: BadLine
    name: str = "connections to routers forgotten on the way"
    runbook: str = "unreachable-spike"
    began: float = 0.0

    def strike(self, fleet: Fleet) -> None:
        """Forget."""
        self.began = fleet.clock()
        self.line.forget()

    def noticed(self, fleet: Fleet) -> bool:
        """Return whether each router has timed out."""
        fleet.daemon_is_alive()
        return _failed(fleet, "timed_out", self.began) == len(fleet.routers)

    def mend(self, fleet: Fleet) -> bool:
        """Nobody does anything."""
        return False

    def recovered(self, fleet: Fleet) -> bool:
        """Return whether all are polled again, by new connections."""
        return fleet.is_ready() and fleet.fresh()


@dataclass(slots=True)
class NoNames:
    """The name server is gone, and all routers drop their sessions: each new one needs a name."""

    names: NameServer
    name: str = "DNS gone"
    runbook: str = "unreachable-spike"
    began: float = 0.0

    def strike(self, fleet: Fleet) -> None:
        """Silence it; sessions that stand need no name, so they end."""
        self.began = fleet.clock()
        self.names.silent = True
        fleet.inject("fatal", for_s=1.0)

    def noticed(self, fleet: Fleet) -> bool:
        """Return whether it is said of each router that its name can't be found."""
        fleet.daemon_is_alive()
        return _failed(fleet, "name_not_found", self.began) == len(fleet.routers)

    def mend(self, fleet: Fleet) -> bool:
        """Bring it back."""
        self.names.silent = False
        return True

    def recovered(self, fleet: Fleet) -> bool:
        """Return whether all are polled again."""
        return fleet.is_ready() and fleet.fresh()


def _failed(fleet: Fleet, outcome: str, since: float) -> int:
    return int(
        fleet.value(
            "SELECT count(DISTINCT device_id) FROM device_health WHERE outcome = %s AND ts_collected >= to_timestamp(%s)",
            outcome,
            since,
        )
    )
