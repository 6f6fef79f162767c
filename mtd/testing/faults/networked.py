"""Fleets in a network of their own: all on one bad line, or with a collector at the edge behind one."""

from __future__ import annotations

import contextlib
import csv
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mtd.testing.faults.fleet import Fleet, place
from mtd.testing.faults.names import DOMAIN, NameServer
from mtd.testing.faults.network import BadLine, PrivateNetwork
from mtd.testing.harness import HarnessFailed

_COLUMNS = ("host", "port", "username", "password")
# What says nothing is given up sooner than by default.
_PATIENCE = {"connect_timeout_s": 2.0, "command_timeout_s": 3.0}


class NetworkFleet(Fleet):
    """Its routers are called by names, and reached through ``line``."""

    line: BadLine
    names: NameServer

    def add_by_command(self) -> None:
        """Put the lab's routers into the inventory.

        By a command: a client of gRPC in this process would open its connections in threads that are elsewhere.
        """
        path = self.folder / "routers.csv"
        with path.open("w", newline="") as file:
            table = csv.writer(file)
            table.writerow(["name", *_COLUMNS, "tls_mode", "tls_fingerprint", *_PATIENCE])
            for router in self.endpoints:
                host = self.host_of(router)
                fingerprint = router["fingerprint_sha256"] if router["client_tls"] == "pinned" else ""
                row = [router["name"], host, *(router[name] for name in _COLUMNS[1:])]
                table.writerow([*row, router["client_tls"], fingerprint, *_PATIENCE.values()])
        done = self.mtd("device", "import", str(path), "--json")
        if done.get("failed"):
            raise HarnessFailed(f"routers could not be added: {done}")

    def host_of(self, router: Mapping[str, Any]) -> str:
        """Return by what a router is called."""
        return f"{router['name']}.{DOMAIN}"


@contextlib.contextmanager
def on_a_bad_line(
    routers: int, interfaces: int, folder: Path | None = None, **settings: Mapping[str, Any]
) -> Iterator[NetworkFleet]:
    """Run a fleet in a network of its own. Who asks it does so from this thread, or from one that it starts."""
    with contextlib.ExitStack() as stack:
        home = folder or stack.enter_context(place())
        stack.enter_context(PrivateNetwork())
        names = stack.enter_context(NameServer(home))
        fleet = stack.enter_context(NetworkFleet(home, settings=settings, prefix=names.prefix))
        fleet.names = names
        fleet.start_routers(routers, interfaces)
        fleet.line = stack.enter_context(BadLine(router["port"] for router in fleet.endpoints))
        fleet.start_daemon()
        fleet.add_by_command()
        fleet.wait_until_polled()
        try:
            yield fleet
        finally:
            sys.stdout.write(fleet.daemon.tail(60) if fleet.daemon else "no daemon")
