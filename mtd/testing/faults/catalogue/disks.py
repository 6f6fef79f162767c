"""Disks that are full or can't be written, and a log that a disk spoils."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mtd.testing.faults.disks import Disk
from mtd.testing.faults.fleet import Fleet
from mtd.testing.faults.judge import judge
from mtd.testing.faults.ledger import ends_of


@dataclass(slots=True)
class FullDisk:
    """Nothing more fits on disks: of the log, of PostgreSQL, or of both."""

    disks: list[Disk]
    holds: str = "the log"
    runbook: str = "queue-growth"

    @property
    def name(self) -> str:
        """What the figures call it."""
        return f"disk full: {self.holds}"

    def strike(self, fleet: Fleet) -> None:
        """Fill them."""
        for disk in self.disks:
            disk.fill()

    def noticed(self, fleet: Fleet) -> bool:
        """Return whether ``/readyz`` names a part, and the log or the projections count what waits."""
        reasons = fleet.ready_reasons()
        if "log" in self.holds:
            return "event log" in reasons and fleet.metric("mtd_ingest_append_failures_total") > 0
        return bool(reasons) and fleet.metric("mtd_projections_lag_events") > 0

    def mend(self, fleet: Fleet) -> bool:
        """Make room."""
        for disk in self.disks:
            disk.empty()
        return True

    def recovered(self, fleet: Fleet) -> bool:
        """Return whether all is taken again."""
        return fleet.is_ready() and fleet.fresh()


@dataclass(slots=True)
class ReadOnlyDisk:
    """The disk of the log goes read-only, as file systems do when their device fails."""

    disk: Disk
    name: str = "disk read-only: the log"
    runbook: str = "ingest-backlog"

    def strike(self, fleet: Fleet) -> None:
        """Take the right to write away, from who writes now as well."""
        self.disk.fail()

    def noticed(self, fleet: Fleet) -> bool:
        """Return whether ``/readyz`` says so, and the process lives."""
        fleet.daemon_is_alive()
        return "event log" in fleet.ready_reasons()

    def mend(self, fleet: Fleet) -> bool:
        """Stop, check the disk, mount it again, start: what an operator does."""
        fleet.without_daemon(self.disk.repair)
        return True

    def recovered(self, fleet: Fleet) -> bool:
        """Return whether all is taken again."""
        return fleet.is_ready() and fleet.fresh()


@dataclass(slots=True)
class SpoiledLog:
    """The log's file is damaged while nobody has it open. ``harm`` is told where it is."""

    name: str
    harm: Callable[[Path], None]
    runbook: str = "partition-failure"
    before: float = 0.0
    alone: int | None = None

    def strike(self, fleet: Fleet) -> None:
        """Kill the daemon and damage the log, while PostgreSQL has most of what is in it."""
        self.before = fleet.clock()
        fleet.without_daemon(lambda: self._harm(fleet))

    def _harm(self, fleet: Fleet) -> None:
        """Count what the file has alone, then spoil it."""
        self.alone = judge(fleet.dsn(), ends_of([fleet.ledger])).lost
        self.harm(fleet.data_dir / "events.db")

    def noticed(self, fleet: Fleet) -> bool:
        """Return whether what was lost is an event, or a metric tells that the file was mended and nothing is lost."""
        told = "SELECT count(*) FROM event WHERE event_type = 'collector.log.damaged' AND ts_received > to_timestamp(%s)"
        return bool(fleet.value(told, self.before)) or fleet.metric("mtd_eventlog_mended_files_total") > 0

    def mend(self, fleet: Fleet) -> bool:
        """Nobody does anything."""
        return False

    def recovered(self, fleet: Fleet) -> bool:
        """Return whether all goes on."""
        return fleet.is_ready() and fleet.fresh()
