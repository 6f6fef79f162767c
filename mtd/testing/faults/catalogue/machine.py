"""What a machine runs out of, and a clock that is set: descriptors, memory, time."""

from __future__ import annotations

import resource
from dataclasses import dataclass, field
from pathlib import Path

from mtd.testing.faults import victims
from mtd.testing.faults.clock import FakeClock
from mtd.testing.faults.fleet import Fleet

# What a process may take beyond what it has, when its memory is limited.
_SPARE_BYTES = 1024 * 1024


@dataclass(slots=True)
class NoDescriptors:
    """The daemon has no descriptor left, and all routers drop their sessions: each new connection needs one."""

    name: str = "out of file descriptors"
    runbook: str = "unreachable-spike"
    before: tuple[int, int] = (0, 0)

    def strike(self, fleet: Fleet) -> None:
        """Allow no more than are open, less a few."""
        self.before = resource.prlimit(fleet.pid, resource.RLIMIT_NOFILE)
        least = victims.descriptors_of(fleet.pid) - 2 * len(fleet.routers)
        resource.prlimit(fleet.pid, resource.RLIMIT_NOFILE, (least, self.before[1]))
        fleet.inject("reboot", boot_s=1)

    def noticed(self, fleet: Fleet) -> bool:
        """Return whether polls fail for that reason, and are events of their devices."""
        fleet.daemon_is_alive()
        rows = fleet.sql("SELECT count(*) FROM device_health WHERE reason LIKE '%open files%'")
        return bool(rows[0][0])

    def mend(self, fleet: Fleet) -> bool:
        """Raise the limit again."""
        resource.prlimit(fleet.pid, resource.RLIMIT_NOFILE, self.before)
        return True

    def recovered(self, fleet: Fleet) -> bool:
        """Return whether all are polled again."""
        fleet.daemon_is_alive()
        return fleet.is_ready() and fleet.fresh()


@dataclass(slots=True)
class NoMemory:
    """The daemon may take no more memory than it has. It may end, and is started again without the limit."""

    name: str = "memory limit"
    runbook: str = "unreachable-spike"
    at: int = 0
    pid: int = 0

    def strike(self, fleet: Fleet) -> None:
        """Allow what it has, and a little; then have routers answer with far more than they should."""
        self.at, self.pid = fleet.log_end(), fleet.pid
        size = int((Path("/proc") / str(fleet.pid) / "statm").read_text().split()[0]) * resource.getpagesize()
        limit = size + _SPARE_BYTES
        resource.prlimit(fleet.pid, resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
        fleet.inject("huge", fleet.routers[:10])

    def noticed(self, fleet: Fleet) -> bool:
        """Return whether it says so, or ended. That an answer is too large would be told without any limit."""
        return fleet.pid != self.pid or fleet.said("MemoryError", self.at)

    def mend(self, fleet: Fleet) -> bool:
        """Lift the limit."""
        fleet.clear()
        if victims.alive(self.pid):
            unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
            resource.prlimit(self.pid, resource.RLIMIT_AS, unlimited)
        return True

    def recovered(self, fleet: Fleet) -> bool:
        """Return whether all are polled again."""
        return fleet.is_ready() and fleet.fresh()


@dataclass(slots=True)
class ClockStep:
    """The machine's clock is set forward or back; it stays so. The fleet has to be started with ``fake_clock``."""

    clock: FakeClock
    by_s: int
    runbook: str = "time-drift"
    began: float = field(default=0.0)

    @property
    def name(self) -> str:
        """What the figures call it."""
        return f"clock set {'forward' if self.by_s > 0 else 'back'} by {abs(self.by_s) / 3600:g} h"

    def strike(self, fleet: Fleet) -> None:
        """Set it."""
        self.clock.step(self.by_s)
        fleet.offset_s = self.clock.offset_s
        self.began = fleet.clock()

    def noticed(self, fleet: Fleet) -> bool:
        """Return whether an event tells that the clock was set."""
        direction = "%forward%" if self.by_s > 0 else "%back%"
        return fleet.event("collector.clock.stepped", message=direction)

    def mend(self, fleet: Fleet) -> bool:
        """Nobody does anything."""
        return False

    def recovered(self, fleet: Fleet) -> bool:
        """Return whether values are live by the clock as it is now."""
        return fleet.is_ready() and fleet.fresh(self.began) and fleet.fresh()
