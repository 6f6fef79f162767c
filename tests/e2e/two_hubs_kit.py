"""Two daemons on one database, with one lab."""

from __future__ import annotations

import contextlib
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mtd.security.keyfile import new_key_line
from mtd.storage.embedded import EmbeddedPostgres
from mtd.storage.embedded.databases import create_database
from mtd.testing.edges.edge import Edge
from mtd.testing.postgres import quick_config, server_folder
from tests.e2e.edge_kit import QUICK_FORWARD, Hub
from tests.e2e.kit import Rig, folder

QUICK = {
    "coordination": {"lease_s": 4.0, "renew_s": 1.0, "margin_s": 1.0},
    "neighbours": {"lease_s": 3.0},
}


class Daemon(Rig):
    """One of the two. It shares the lab of the first."""

    def __init__(self, where: Path, dsn: str, name: str, **settings: Mapping[str, Any]) -> None:
        daemon = {"collector_id": name, **settings.pop("daemon", {})}
        super().__init__(where, settings={"database": {"dsn": dsn}, "daemon": daemon, **QUICK, **settings})
        self.name = name
        self._dsn = dsn

    def dsn(self) -> str:
        return self._dsn

    def kill(self) -> None:
        assert self.daemon is not None
        self.daemon.kill()


def share_key(*places: Rig) -> None:
    """Give all the same master key."""
    line = new_key_line()
    for place in places:
        place.data_dir.mkdir(parents=True)
        path = place.data_dir / "master.key"
        path.touch(0o600)
        path.write_text(line)


@contextlib.contextmanager
def database() -> Iterator[str]:
    """Give an empty database of a server of its own: two daemons have more connections than the usual one allows."""
    with server_folder() as path:
        server = EmbeddedPostgres(path, quick_config(max_connections=150))
        server.start_blocking()
        try:
            create_database(server.dsn_of("postgres"), "hubs")
            yield server.dsn_of("hubs")
        finally:
            server.stop_blocking()


@contextlib.contextmanager
def two_daemons(scenario: str, **settings: Mapping[str, Any]) -> Iterator[tuple[Daemon, Daemon]]:
    """Give two daemons that aren't started, on an empty database; what they wrote is printed at the end."""
    with database() as dsn, folder() as path:
        pair = [Daemon(path / name, dsn, name, **dict(settings)) for name in ("hub-a", "hub-b")]
        with pair[0] as first, pair[1] as second:
            share_key(first, second)
            first.start_routers(scenario)
            second.routers = first.routers
            try:
                yield first, second
            finally:
                for one in pair:
                    sys.stdout.write(one.daemon.tail(60) if one.daemon else "no daemon")


@contextlib.contextmanager
def two_hubs_with_an_edge(scenario: str) -> Iterator[tuple[Hub, Hub, Edge]]:
    """Run two hubs that poll nothing, and make a collector that knows both."""
    with database() as dsn, folder() as path:
        first, second = (
            Hub(
                path / name,
                {
                    "daemon": {"role": "hub", "collector_id": name},
                    "database": {"dsn": dsn},
                    # Killed with events that it has acknowledged and not projected: it takes its time.
                    "projections": {"batch_events": 20},
                    "coordination": QUICK["coordination"],
                    "neighbours": QUICK["neighbours"],
                },
            )
            for name in ("hub-a", "hub-b")
        )
        edge = Edge(
            path / "edge-1",
            "edge-1",
            settings={"forward": QUICK_FORWARD, "hub": {"targets": [f"127.0.0.1:{second.client_port}"]}},
        )
        with first, second:
            share_key(first, second)
            first.start_routers(scenario)
            first.start()
            shutil.copytree(first.data_dir / "ca", second.data_dir / "ca")
            second.start()
            edge.write_config()
            first.enrol(edge)
            try:
                yield first, second, edge
            finally:
                edge.stop()
                sys.stdout.write(edge.tail(60))
                for hub in (first, second):
                    sys.stdout.write(hub.daemon.tail(60) if hub.daemon else "no daemon")
