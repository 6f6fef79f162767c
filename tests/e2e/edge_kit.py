"""A hub with TLS, and collectors that have enrolled with it."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mtd.testing.edges.edge import Edge, device_fields
from tests.e2e.kit import QUICK_POSTGRES, folder
from tests.e2e.secure_kit import SecureRig

# What takes seconds in the field takes less here.
QUICK_FORWARD = {"retry_first_s": 0.2, "retry_cap_s": 0.5, "lost_after_s": 1.0, "live_horizon_s": 2.0}
QUICK_HUB = {"ingest.append": {"projected_interval_s": 0.3}, **QUICK_POSTGRES}


class Hub(SecureRig):
    """Polls nothing itself."""

    def __init__(self, where: Path, settings: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        merged = {"daemon": {"role": "hub"}, **QUICK_HUB, **(settings or {})}
        super().__init__(where, merged)

    def start(self) -> None:
        self.start_daemon()
        if not self.ca_file.exists():
            self.ca_file.write_text(self.ask("ca", "show", "--pem"))

    def enrol(self, edge: Edge, server: str = "") -> None:
        token = self.ask("collector", "invite", edge.name, "--json")
        edge.enrol(server or self.server, json.loads(token)["token"])

    def add_routers(self) -> dict[str, dict[str, Any]]:
        """Put the lab's routers into the inventory; return what a seat says of each."""
        from mtd.client import MtdClient

        found = {}
        with MtdClient(self.server, ca_file=self.ca_file) as client:
            for name, router in self.routers.items():
                device = client.create_device(
                    name=name,
                    host=router["host"],
                    port=router["port"],
                    username=router["username"],
                    password=router["password"],
                    tls_mode=router["client_tls"],
                    tls_fingerprint=router["fingerprint_sha256"] if router["client_tls"] == "pinned" else "",
                )
                found[name] = device_fields(router, device)
        return found


@contextlib.contextmanager
def hub_with_edges(
    scenario: str,
    *names: str,
    hub_settings: Mapping[str, Mapping[str, Any]] | None = None,
    edge_settings: Mapping[str, Mapping[str, Any]] | None = None,
) -> Iterator[tuple[Hub, list[Edge]]]:
    """Run a lab and a hub, and make collectors that have enrolled."""
    with folder() as path, Hub(path, hub_settings) as hub:
        hub.start_routers(scenario)
        hub.start()
        edges = []
        try:
            for name in names:
                edge = Edge(path / name, name, settings={"forward": QUICK_FORWARD, **(edge_settings or {})})
                edge.write_config()
                hub.enrol(edge)
                edges.append(edge)
            yield hub, edges
        finally:
            for edge in edges:
                edge.stop()
                sys.stdout.write(edge.tail())
            sys.stdout.write(hub.daemon.tail(60) if hub.daemon else "no daemon")
