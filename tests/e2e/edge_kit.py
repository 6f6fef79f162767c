"""A hub with TLS, and collectors that have enrolled with it."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import psycopg

from mtd.client import MtdClient
from mtd.eventlog.sqlite.reader import DiskReader
from mtd.testing.edges.edge import Edge
from mtd.testing.edges.line import Line
from tests.e2e.kit import QUICK_POSTGRES, folder
from tests.e2e.secure_kit import SecureRig

LOCAL = "127.0.0.1"
# What takes seconds in the field takes less here.
QUICK_FORWARD = {
    "ack_timeout_s": 4.0,
    "retry_first_s": 0.2,
    "retry_cap_s": 0.5,
    "lost_after_s": 1.0,
    "live_horizon_s": 2.0,
}
QUICK_HUB = {"ingest.append": {"projected_interval_s": 0.3}, **QUICK_POSTGRES}


class Hub(SecureRig):
    """Polls nothing itself. ``names``: by which collectors call it, beside those of this machine."""

    def __init__(
        self,
        where: Path,
        settings: Mapping[str, Mapping[str, Any]] | None = None,
        names: Sequence[str] = (),
    ) -> None:
        merged = {"daemon": {"role": "hub"}, **QUICK_HUB, **(settings or {})}
        super().__init__(where, merged)
        tls = {**self._settings["grpc.tls"], "names": list(names)}
        self._settings = {**self._settings, "grpc.tls": tls}

    def start(self) -> None:
        self.start_daemon()
        if not self.ca_file.exists():
            self.ca_file.write_text(self.ask("ca", "show", "--pem"))

    def enrol(self, edge: Edge, server: str = "") -> None:
        token = self.ask("collector", "invite", edge.name, "--json")
        edge.enrol(server or self.server, json.loads(token)["token"])

    def add_routers(self, **settings: Any) -> None:
        """Put the lab's routers into the inventory."""
        with MtdClient(self.server, ca_file=self.ca_file) as client:
            for name, router in self.routers.items():
                fingerprint = router["fingerprint_sha256"] if router["client_tls"] == "pinned" else ""
                client.create_device(
                    name=name,
                    host=router["host"],
                    port=router["port"],
                    username=router["username"],
                    password=router["password"],
                    tls_mode=router["client_tls"],
                    tls_fingerprint=fingerprint,
                    **settings,
                )


class Watchman:
    """Looks at the newest values of all devices again and again; ``moved_back`` lists those that became older."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.moved_back: list[str] = []
        self.looks = 0

    def __enter__(self) -> Watchman:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(10)

    def _watch(self) -> None:
        newest: dict[str, dt.datetime] = {}
        while not self._ended.wait(0.1):
            try:
                rows = self._hub.sql("SELECT device_id || poll_group, ts_collected FROM latest")
            except (psycopg.Error, OSError):
                continue  # the hub is being killed
            self.looks += 1
            for what, at in rows:
                if at < newest.get(what, at):
                    self.moved_back.append(f"{what}: {newest[what]} -> {at}")
                newest[what] = at


def frames_in_log(edge: Edge) -> Counter[tuple[str, int]]:
    """Return which frames the log of a collector holds: device and time."""
    reader = DiskReader(edge.data_dir / "events.db", 5.0, 64 * 2**20)
    found: Counter[tuple[str, int]] = Counter()
    position = 0
    try:
        while batches := reader.read(position, 4096):
            for batch in batches:
                position = batch.last_seq
                found.update(
                    (one.device_id, one.collected_at_us) for one in batch.events if one.HasField("frame")
                )
    finally:
        reader.close()
    return found


def frames_in_database(hub: Hub) -> Counter[tuple[str, int]]:
    """Return which frames the database holds."""
    rows = hub.sql(
        "SELECT device_id::text, (extract(epoch FROM ts_collected) * 1000000)::int8 FROM telemetry_frame"
    )
    return Counter((device, at) for device, at in rows)


@contextlib.contextmanager
def hub_with_edges(
    scenario: str,
    *names: str,
    host: str = LOCAL,
    hub_settings: Mapping[str, Mapping[str, Any]] | None = None,
    edge_settings: Mapping[str, Mapping[str, Any]] | None = None,
) -> Iterator[tuple[Hub, list[Edge]]]:
    """Run a lab and a hub, and make collectors that have enrolled. ``host``: by which they call the hub."""
    with folder() as path, Hub(path, hub_settings, [host]) as hub:
        hub.start_routers(scenario)
        hub.start()
        edges = []
        try:
            for name in names:
                edge = Edge(path / name, name, settings={"forward": QUICK_FORWARD, **(edge_settings or {})})
                edge.write_config()
                with Line(host, [hub.grpc_port]) if host != LOCAL else contextlib.nullcontext():
                    hub.enrol(edge, f"{host}:{hub.grpc_port}")
                edges.append(edge)
            yield hub, edges
        finally:
            for edge in edges:
                edge.stop()
                sys.stdout.write(edge.tail())
            sys.stdout.write(hub.daemon.tail(60) if hub.daemon else "no daemon")
