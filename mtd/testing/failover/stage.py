"""A lab, a hub with PostgreSQL, and daemons that poll beside it."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import psycopg

from mtd.testing.harness import HarnessFailed, Stage

Say = Callable[[str], None]
Settings = Mapping[str, Mapping[str, Any]]

_SHARED_WITHIN_S = 60.0


class Poller:
    """A daemon that polls, of the role ``all``, on the hub's database."""

    def __init__(self, folder: Path, dsn: str, master_key: Path, name: str, settings: Settings) -> None:
        self.name = name
        folder.mkdir(parents=True)
        merged: dict[str, dict[str, Any]] = {
            "daemon": {"collector_id": name},
            "database": {"dsn": dsn},
            "security": {"master_key_file": str(master_key)},
            "console": {"enabled": False},
        }
        for section, values in settings.items():
            merged.setdefault(section, {}).update(values)
        self.stage = Stage(folder, settings=merged)

    def start(self) -> None:
        """Start it, and wait until it is ready."""
        self.stage.start_daemon()

    @property
    def pid(self) -> int:
        """Return its process."""
        daemon = self.stage.daemon
        if daemon is None or daemon.popen is None:
            raise HarnessFailed(f"{self.name} isn't started")
        return daemon.popen.pid

    def kill(self) -> None:
        """End it as a power cut would."""
        if self.stage.daemon is not None:
            self.stage.daemon.kill()

    def hold(self) -> None:
        """Stop the process where it is: SIGSTOP."""
        os.kill(self.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it go on: SIGCONT."""
        os.kill(self.pid, signal.SIGCONT)

    def log_id(self, connection: psycopg.Connection[Any]) -> str:
        """Return the id of its event log, by a frame that it told."""
        row = connection.execute(
            "SELECT l.log_id::text FROM mtd.latest l JOIN mtd.device_assignment a USING (tenant_id, device_id)"
            " WHERE a.collector_id = %s AND a.state = 'assigned' AND l.ts_collected > a.since LIMIT 1",
            [self.name],
        ).fetchone()
        if row is None:
            raise HarnessFailed(f"nothing that {self.name} polled is stored yet")
        return str(row[0])


class FailoverStage:
    """All of it, in one folder. A context manager. ``dsn``: a database that is there; else a hub brings one."""

    def __init__(
        self, folder: Path, lab_arguments: tuple[str, ...], settings: Settings, say: Say, dsn: str = ""
    ) -> None:
        self._dsn = dsn
        common = {name: dict(values) for name, values in settings.items()}
        hub_settings = {
            **common,
            "daemon": {"role": "hub", "collector_id": "hub"},
            "database.embedded": {"max_connections": 200},
        }
        self.hub = Stage(folder / "hub", settings=hub_settings)
        self.pollers: list[Poller] = []
        self._lab_arguments = lab_arguments
        self._settings = common
        self._say = say

    def __enter__(self) -> FailoverStage:
        self.hub.__enter__()
        try:
            self._say("starting the lab's routers")
            state = self.hub.start_lab(*self._lab_arguments)
            if not self._dsn:
                self._say("starting the hub with its own PostgreSQL")
                self.hub.start_daemon()
            for name in ("first", "second"):
                self._say(f"starting the {name} daemon that polls")
                self.add(name)
            self._say(f"adding {len(state['endpoints'])} routers to the inventory")
            door = self.pollers[0].stage if self._dsn else self.hub
            door.add_devices(state["endpoints"])
        except BaseException:
            self.stop()
            raise
        return self

    def add(self, name: str) -> Poller:
        """Start a daemon that polls."""
        key = self.hub.folder / "master.key" if self._dsn else self.hub.data_dir / "master.key"
        poller = Poller(self.hub.folder / name, self.dsn(), key, name, self._settings)
        self.pollers.append(poller)
        poller.start()
        return poller

    def stop(self) -> None:
        """End everything."""
        for poller in self.pollers:
            daemon = poller.stage.daemon
            if daemon is not None and daemon.popen is not None and daemon.popen.poll() is None:
                poller.go_on()
                daemon.stop()
        self.hub.stop()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def dsn(self) -> str:
        """Return where the database is."""
        return self._dsn or self.hub.dsn()

    def connect(self) -> psycopg.Connection[Any]:
        """Return a connection to the database."""
        return psycopg.connect(self.dsn(), autocommit=True)

    def routers(self) -> int:
        """Return how many routers there are."""
        return len(self.hub.lab_state()["endpoints"])

    def lab_port(self) -> tuple[str, int]:
        """Return where the lab's control door is."""
        control = json.loads(self.hub.lab_state_path.read_text())["control"]
        return control["host"], control["port"]


def wait_for(
    connection: psycopg.Connection[Any],
    sql: str,
    params: list[Any],
    what: str,
    within_s: float = _SHARED_WITHIN_S,
) -> None:
    """Wait until a statement returns true."""
    deadline = time.monotonic() + within_s
    while True:
        row = connection.execute(sql, params).fetchone()
        if row is not None and row[0]:
            return
        if time.monotonic() > deadline:
            raise HarnessFailed(f"not within {within_s:g} s: {what}")
        time.sleep(0.1)  # noqa: TID251 - a script's own wait, no reactor here


SETTLED = """
SELECT count(*) = %s AND bool_and(a.state = 'assigned' AND a.hold = ANY (%s) AND a.collector_id = ANY (%s))
       AND bool_and(EXISTS (SELECT FROM mtd.latest l WHERE l.device_id = a.device_id AND l.poll_group = 't0'
                              AND l.ts_collected > a.since))
  FROM mtd.device_assignment a
"""
"""Whether all devices are polled by some of these collectors, and what they told since is stored."""
