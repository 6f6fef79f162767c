"""A hub, a collector at the edge that polls for it, and a bad line between them, in a network of their own."""

from __future__ import annotations

import contextlib
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mtd.testing.edges.edge import Edge
from mtd.testing.faults.fleet import QUICK, Fleet, place
from mtd.testing.faults.judge import Verdict, judge
from mtd.testing.faults.ledger import ends_of, entries_in
from mtd.testing.faults.names import DOMAIN, NameServer
from mtd.testing.faults.network import BadLine, PrivateNetwork
from mtd.testing.faults.networked import NetworkFleet
from mtd.testing.faults.supervisor import Supervisor
from mtd.testing.faults.victims import Role, alive
from mtd.testing.harness import HarnessFailed, Process, free_port

_HUB = f"hub.{DOMAIN}"
# What takes seconds in the field takes less here.
QUICK_FORWARD: Mapping[str, Any] = {
    "ack_timeout_s": 4.0,
    "retry_first_s": 0.2,
    "retry_cap_s": 0.5,
    "lost_after_s": 1.0,
    "live_horizon_s": 2.0,
}
# What was missed comes slowly enough for something to happen meanwhile.
SLOW_BACKFILL: Mapping[str, Any] = {**QUICK_FORWARD, "batch_bytes": 4096, "backfill_events_per_s": 30.0}
_DRAIN_S = 180.0


class EdgeOnBadLine(Edge):
    """A collector that calls its hub by a name. Its own doors are reached from here: the network is the same."""

    def http(self, path: str) -> str:
        """Read a page of its HTTP door."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}{path}", timeout=5) as answer:
            body: bytes = answer.read()
        return body.decode()


class EdgeFleet(NetworkFleet):
    """The daemon of this fleet is the hub; ``edge`` polls, and writes the ledger that counts.

    ``forward``: the settings with which it sends.
    """

    roles = (*Fleet.roles, Role.COLLECTOR)
    polls = Role.COLLECTOR

    def __init__(self, folder: Path, names: NameServer, forward: Mapping[str, Any]) -> None:
        self.client_port = free_port()
        tls = {"mode": "internal", "client_port": self.client_port, "names": [_HUB]}
        settings: dict[str, Mapping[str, Any]] = {
            "daemon": {"role": "hub"},
            "security": {"trust_loopback": True},
            "grpc.tls": tls,
            "ingest.append": {"projected_interval_s": 0.3},
        }
        super().__init__(folder, settings=settings)
        self.names = names
        self.edge_ledger = folder / "edge-ledger"
        home = folder / "edge"
        launch = ["-m", "mtd.testing.faults.launcher", str(home / "mtd.toml"), str(self.edge_ledger)]
        own = {
            "forward": dict(forward),
            "scheduler": QUICK["scheduler"],
            "event_log": QUICK["event_log"],
            "link": {"longest_retry_s": 0.5},
        }
        self.edge = EdgeOnBadLine(home, "edge-1", settings=own, prefix=names.prefix, run=launch)
        self.edge_supervisor: Supervisor | None = None

    def host_of(self, router: Mapping[str, Any]) -> str:
        """Return the address: names are for the hub alone here."""
        return str(router["host"])

    def start_edge(self) -> None:
        """Enrol it, and start it; whenever it ends it is started again."""
        self.door_ca_file = self.folder / "hub-ca.pem"
        authorities = sorted((self.data_dir / "ca").glob("[0-9]*/authority.pem"))
        self.door_ca_file.write_text(authorities[-1].read_text())
        self.edge.write_config()
        invited = self.mtd("collector", "invite", self.edge.name, "--json")
        self.edge.enrol(f"{_HUB}:{self.grpc_port}", invited["token"])
        self.edge.start(ready=False)
        self.edge_supervisor = Supervisor(self.edge_process)
        self.edge_supervisor.start()

    @property
    def edge_process(self) -> Process:
        """Return its process."""
        if self.edge.process is None:
            raise HarnessFailed("the collector was not started")
        return self.edge.process

    def stop(self) -> dict[str, float]:
        """End everything."""
        if self.edge_supervisor is not None:
            self.edge_supervisor.stop()
        self.edge.stop()
        return super().stop()

    def processes(self) -> dict[Role, list[int]]:
        """Return the processes that run now, by what they are."""
        pid = self.edge_process.pid
        return {**super().processes(), Role.COLLECTOR: [pid] if alive(pid) else []}

    def is_back(self, role: Role, old: int) -> bool:
        """Return whether what replaces a killed process is ready."""
        if role is not Role.COLLECTOR:
            return super().is_back(role, old)
        return self.edge_process.pid != old and self.edge.is_ready()

    def collector_state(self) -> str:
        """Return how the collector takes part, as who is on call sees it."""
        (found,) = [one for one in self.mtd("collector", "list", "--json") if one["name"] == self.edge.name]
        return str(found["polling"]["state"])

    def device_states(self) -> set[str]:
        """Return how routers are, as who is on call sees it."""
        return {str(one["status"]) for one in self.mtd("device", "list", "--json")}

    def waiting(self, lane: str = "backfill") -> float:
        """Return how many events of a lane the hub hasn't got yet."""
        return self.edge.metric("mtd_forwarding_lag_events", lane=lane)

    def connected(self) -> bool:
        """Return whether the collector says that the hub takes events."""
        return self.edge.metric("mtd_forwarding_hub_connected") == 1

    def written(self) -> int:
        """Return how many events were acknowledged so far: by the collector's log."""
        return entries_in(self.edge_ledger)

    def drain(self, timeout_s: float = _DRAIN_S) -> None:
        """Wait until what the collector has acknowledged by now is in the hub's database."""
        end = self.wait_for(lambda: self.edge.metric("mtd_eventlog_last_seq"), "the collector's log's end")
        position = "mtd_forwarding_position"
        self.wait_for(lambda: self.edge.metric(position) >= end, f"event {end:.0f} is at the hub", timeout_s)
        super().drain(timeout_s)

    def verdict(self) -> Verdict:
        """Drain, and hold PostgreSQL against both ledgers."""
        ledgers = ends_of([self.ledger, self.edge_ledger])
        self.drain()
        return judge(self.dsn(), ledgers)


@contextlib.contextmanager
def hub_and_edge(
    routers: int,
    interfaces: int,
    folder: Path | None = None,
    *,
    forward: Mapping[str, Any] = SLOW_BACKFILL,
) -> Iterator[EdgeFleet]:
    """Run them. Who asks them does so from this thread, or from one that it starts."""
    with contextlib.ExitStack() as stack:
        home = folder or stack.enter_context(place())
        stack.enter_context(PrivateNetwork())
        names = stack.enter_context(NameServer(home))
        fleet = stack.enter_context(EdgeFleet(home, names, forward))
        try:
            fleet.start_routers(routers, interfaces)
            fleet.start_daemon()
            fleet.line = stack.enter_context(BadLine([fleet.client_port]))
            fleet.start_edge()
            fleet.add_by_command()
            fleet.wait_until_polled()
            yield fleet
        finally:
            sys.stdout.write(fleet.daemon.tail(60) if fleet.daemon else "no daemon")
            sys.stdout.write(f"\n{fleet.edge.tail(60)}\n")
