"""The whole that tests here look at: mtd with lab routers, Odoo, its bridge, and the people who look."""

from __future__ import annotations

import contextlib
import sys
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from mtd.client import MtdClient
from mtd.testing.odoo.bus import BusClient, channel_of
from mtd.testing.odoo.companies import Company, set_up
from mtd.testing.odoo.rpc import OdooSession
from mtd.testing.odoo.server import Bridge, Odoo, OdooServer
from tests.e2e.kit import Rig, wait_for

DEVICE = "mikrotik.device"


@dataclass
class Ground:
    """A running whole, and its ids by name."""

    rig: Rig
    odoo: Odoo
    database: str
    server: OdooServer
    bridge: Bridge
    ids: dict[str, dict[str, int]] = field(default_factory=dict)

    def device(self, name: str) -> int:
        """Return the id of a device in Odoo."""
        return self.ids["devices"][name]

    def login(self, login: str) -> OdooSession:
        """Return the session of a user whose password is the login."""
        return self.server.login(login)

    def sql(self, statement: str, *params: Any) -> list[tuple[Any, ...]]:
        """Ask Odoo's database."""
        return self.odoo.postgres.sql(self.database, statement, *params)

    def tails(self) -> str:
        """Return the ends of the logs, for who reads of a failure."""
        logs = {"odoo": self.server.log, "bridge": self.bridge.log}
        return "\n".join(f"--- {name}\n{log.text()[-6000:]}" for name, log in logs.items())


@contextlib.contextmanager
def ground(
    rig: Rig, odoo: Odoo, database: str, companies: Sequence[Company], *, workers: int = 0
) -> Iterator[Ground]:
    """Run Odoo and its bridge beside an mtd, with these companies."""
    ids = set_up(odoo, database, rig.server, companies)
    server = OdooServer(odoo, database, workers, name=f"server-{database}")
    bridge = Bridge(odoo, database, name=f"bridge-{database}")
    whole = Ground(rig, odoo, database, server, bridge, ids)
    try:
        with server, bridge:
            yield whole
    finally:
        sys.stdout.write(whole.tails())


@dataclass
class Tab:
    """A page of a device in somebody's browser: it watches, and hears what comes."""

    session: OdooSession
    bus: BusClient
    device_id: int
    viewer: str = field(default_factory=lambda: str(uuid.uuid4()))

    def watch(self) -> dict[str, Any]:
        """Say that somebody looks, as the page does each 20 s."""
        answer: dict[str, Any] = self.session.call(DEVICE, "live_watch", [self.device_id], self.viewer)
        return answer


@contextlib.contextmanager
def tab(session: OdooSession, device_id: int) -> Iterator[Tab]:
    """Open the page of a device."""
    with BusClient(session) as bus:
        opened = Tab(session, bus, device_id)
        channel = opened.watch()["channel"]
        assert channel == channel_of(device_id)
        bus.subscribe(channel)
        yield opened
        session.call(DEVICE, "live_unwatch", [device_id], opened.viewer)


def add_device(rig: Rig, tenant: str, name: str, router: str, **settings: Any) -> None:
    """Put a lab router into the inventory of a tenant, by a name of its own."""
    lab = rig.routers[router]
    login = {key: lab[key] for key in ("host", "port", "username", "password")}
    with MtdClient(rig.server, tenant=tenant) as client:
        client.create_device(name=name, **login, **settings)


__all__ = ["DEVICE", "Ground", "Tab", "add_device", "ground", "tab", "wait_for"]
