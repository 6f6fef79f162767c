"""A second PostgreSQL that follows the first by streaming, until it is promoted: what a standby is in production."""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from mtd.storage.embedded import EmbeddedPostgres
from mtd.storage.embedded.account import choose_account, find_installation, reachable_installation
from mtd.testing.faults import victims
from mtd.testing.harness import HarnessFailed, free_port

_LOOK_S = 0.1


class Replica:
    """Follows a server that runs. Its logins and passwords are those of the first."""

    def __init__(self, first: EmbeddedPostgres, folder: Path) -> None:
        self._first = first
        self._folder = folder
        self._data = folder / "data"
        self._account = choose_account("")
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()

    def start(self) -> None:
        """Copy the first one, and follow it."""
        self._account.make_dir(self._folder)
        program = find_installation() / "bin" / "pg_basebackup"
        subprocess.run(  # noqa: S603 - our own server
            [program, "-D", self._data, "-d", self._first.dsn, "-R", "-X", "stream", "-c", "fast"], check=True
        )
        for path in (self._data, *self._data.rglob("*")):
            self._account.own(path)
        installation = reachable_installation(self._account, self._folder)
        command = self._account.command(
            installation / "bin" / "postgres",
            *("-D", str(self._data), "-p", str(self.port)),
            *("-k", str(self._folder), "-c", "hot_standby=on"),
        )
        with (self._folder / "postgres.log").open("ab") as log:
            self._process = subprocess.Popen(command, cwd="/", stdout=log, stderr=log, start_new_session=True)  # noqa: S603
        self._wait("SELECT count(*) > 0 FROM pg_stat_wal_receiver WHERE status = 'streaming'")

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)  # PostgreSQL: fast
            self._process.wait(30)

    def cut_off(self) -> None:
        """Let it follow no more: what the first one writes from now on it doesn't have."""
        self.ask("ALTER SYSTEM SET primary_conninfo = ''")
        self.ask("SELECT pg_reload_conf()")
        self._wait("SELECT count(*) = 0 FROM pg_stat_wal_receiver")

    def promote(self) -> None:
        """Make it the first: what somebody, or a program of the cluster, does."""
        self.ask("SELECT pg_promote()")

    def hosts(self, dsn: str) -> str:
        """Return a connection string of both servers, for whichever is the first.

        Not ``read-write``: readers of mtd ask for sessions that are read-only, and no server would do then.
        """
        given: dict[str, Any] = conninfo_to_dict(dsn)
        given["host"], given["port"] = "127.0.0.1,127.0.0.1", f"{given['port']},{self.port}"
        return make_conninfo(**given, target_session_attrs="primary")

    def ask(self, statement: str) -> Any:
        """Ask it."""
        given: dict[str, Any] = conninfo_to_dict(self._first.dsn)
        given["host"], given["port"] = "127.0.0.1", str(self.port)
        with psycopg.connect(make_conninfo(**given), autocommit=True) as connection:
            row = connection.execute(statement)
            return row.fetchone() if row.description else None

    def _wait(self, statement: str, timeout_s: float = 30.0) -> None:
        deadline = time.monotonic() + timeout_s
        while True:
            with contextlib.suppress(psycopg.OperationalError):
                if self.ask(statement)[0]:
                    return
            if time.monotonic() > deadline:
                log = (self._folder / "postgres.log").read_text(errors="replace")
                raise HarnessFailed(f"not within {timeout_s:g} s: {statement}\n{log[-2000:]}")
            time.sleep(_LOOK_S)  # noqa: TID251 - no reactor here


class Pair:
    """A first server and its replica, for a `Fleet`: both are reached by one connection string."""

    def __init__(self, first: EmbeddedPostgres, replica: Replica) -> None:
        self.first, self.replica = first, replica
        self.dsn = replica.hosts(first.dsn)
        self.door_dsn = replica.hosts(first.door_dsn)

    def lose_first(self) -> None:
        """Kill the first server and all its backends, for good: its machine is gone."""
        victims.kill_family(self.first.pid)


@contextlib.contextmanager
def followed(first: EmbeddedPostgres, folder: Path) -> Iterator[Pair]:
    """Run a replica of a server."""
    replica = Replica(first, folder)
    try:
        replica.start()
        yield Pair(first, replica)
    finally:
        replica.stop()
        shutil.rmtree(folder, ignore_errors=True)
