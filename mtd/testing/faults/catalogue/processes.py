"""Processes that are killed, and a PostgreSQL that hangs or is gone."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass, field

from mtd.testing.faults import victims
from mtd.testing.faults.fleet import Fleet
from mtd.testing.faults.victims import Role


@dataclass(slots=True)
class Kill:
    """``kill -9`` of processes of one role, while they write; whoever watches over them starts them again."""

    role: Role
    runbook: str
    all_of_them: bool = False
    killed: set[int] = field(default_factory=set)
    before: float = 0

    @property
    def name(self) -> str:
        """What the figures call it."""
        return f"kill -9 of {'every ' if self.all_of_them else ''}{self.role.value}"

    def strike(self, fleet: Fleet) -> None:
        """Kill."""
        found = fleet.wait_for(lambda: fleet.processes()[self.role], f"there is a {self.role.value}")
        fleet.wait_for_writes()
        self.killed = set(found if self.all_of_them else found[-1:])
        self.before = self._signs(fleet)
        for pid in self.killed:
            victims.kill(pid)

    def noticed(self, fleet: Fleet) -> bool:
        """Return whether mtd tells: what lives on by a metric, the daemon as it comes back."""
        return self._signs(fleet) > self.before

    def _signs(self, fleet: Fleet) -> float:
        """Return how often such an end was seen so far."""
        if self.role is Role.DAEMON:
            return float(fleet.value("SELECT count(*) FROM event WHERE event_type = 'collector.started'"))
        if self.role is Role.WORKER:
            return fleet.metric("mtd_compaction_failures_total")
        if self.role is Role.POSTMASTER:
            return fleet.metric("mtd_storage_embedded_restarts_total")
        # The server ends all of them when one is killed, and recovers: what mtd was about to write fails.
        return fleet.metric("mtd_storage_transaction_failures_total")

    def mend(self, fleet: Fleet) -> bool:
        """Nobody does anything."""
        return False

    def recovered(self, fleet: Fleet) -> bool:
        """Return whether another runs, and routers are polled into PostgreSQL."""
        if self.role is Role.POSTMASTER:
            fleet.postmaster_seen = fleet.postmaster()
        running = set(fleet.processes()[self.role])
        return bool(running - self.killed) and fleet.fresh()


@dataclass(slots=True)
class Freeze:
    """PostgreSQL hangs: connections stand, nothing answers. Its disk, or its machine, does so at times."""

    name: str = "PostgreSQL hangs"
    runbook: str = "database-down"

    def strike(self, fleet: Fleet) -> None:
        """Stop it in its tracks."""
        self._signal(fleet, signal.SIGSTOP)

    def noticed(self, fleet: Fleet) -> bool:
        """Return whether ``/readyz`` says so."""
        return "database" in fleet.ready_reasons()

    def mend(self, fleet: Fleet) -> bool:
        """Let it go on."""
        self._signal(fleet, signal.SIGCONT)
        return True

    def recovered(self, fleet: Fleet) -> bool:
        """Return whether the daemon is ready, and values are live."""
        return fleet.is_ready() and fleet.fresh()

    @staticmethod
    def _signal(fleet: Fleet, number: signal.Signals) -> None:
        for pid in (fleet.postmaster_seen, *victims.children_of(fleet.postmaster_seen)):
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue


@dataclass(slots=True)
class StopPostgres:
    """PostgreSQL is stopped, and started again when somebody comes. For a fleet with a server of its own."""

    name: str = "PostgreSQL stopped"
    runbook: str = "database-down"

    def strike(self, fleet: Fleet) -> None:
        """Stop it."""
        assert fleet.postgres is not None
        fleet.postgres.stop_blocking()

    def noticed(self, fleet: Fleet) -> bool:
        """Return whether ``/readyz`` says so, and events wait in the log."""
        return "database" in fleet.ready_reasons() and fleet.metric("mtd_projections_lag_events") > 0

    def mend(self, fleet: Fleet) -> bool:
        """Start it."""
        assert fleet.postgres is not None
        fleet.postgres.start_blocking()
        return True

    def recovered(self, fleet: Fleet) -> bool:
        """Return whether the daemon is ready, and values are live."""
        return fleet.is_ready() and fleet.fresh()
