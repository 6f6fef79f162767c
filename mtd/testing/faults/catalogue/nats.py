"""NATS servers that keep the event log, one of which is killed while events are written to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mtd.testing.faults.fleet import Fleet

if TYPE_CHECKING:
    from mtd.testing.nats import NatsServers


@dataclass(slots=True)
class NatsNode:
    """``kill -9`` of the server that leads the stream of the log. Of three, the others go on; one alone is missed."""

    servers: NatsServers
    stream: str
    runbook: str = "ingest-backlog"
    killed: int = -1

    @property
    def name(self) -> str:
        """What the figures call it."""
        return f"kill -9 of {'the leading' if self.servers.nodes > 1 else 'the only'} NATS server of {self.servers.nodes}"

    @property
    def told_by_mtd(self) -> bool:
        """Whether mtd has something to tell. While the others go on it waits, and no more than that."""
        return self.servers.nodes == 1

    def strike(self, fleet: Fleet) -> None:
        """Kill it while events are written."""
        self.killed = self.servers.stream_leader(self.stream) if self.servers.nodes > 1 else 0
        fleet.wait_for_writes()
        self.servers.kill(self.killed)

    def noticed(self, fleet: Fleet) -> bool:
        """Return whether another one leads and writes go on; or, where there is none, whether ``/readyz`` says so."""
        fleet.daemon_is_alive()
        if self.servers.nodes == 1:
            return "event log" in fleet.ready_reasons()
        return self.servers.stream_leader(self.stream) not in (-1, self.killed) and fleet.fresh()

    def mend(self, fleet: Fleet) -> bool:
        """Start it again."""
        self.servers.restart(self.killed)
        return True

    def recovered(self, fleet: Fleet) -> bool:
        """Return whether all is taken again."""
        return fleet.is_ready() and fleet.fresh()
