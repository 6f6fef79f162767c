"""A fleet to break: lab routers, a daemon that is started again when it dies, and a ledger beside it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self, TypeVar

import psycopg

from mtd.lab.control import LabControl
from mtd.storage.config import EmbeddedConfig
from mtd.storage.embedded import EmbeddedPostgres
from mtd.testing.faults import victims
from mtd.testing.faults.judge import Verdict, judge
from mtd.testing.faults.ledger import ends_of, entries_in
from mtd.testing.faults.supervisor import Supervisor
from mtd.testing.faults.victims import Role
from mtd.testing.harness import HarnessFailed, Process, Stage

T = TypeVar("T")

# Failures are tried again soon, and recovery is seen soon: all else is waiting.
QUICK: Mapping[str, Mapping[str, Any]] = {
    "database.embedded": {"shared_buffers_mb": 64},
    "scheduler": {"backoff_first_s": 0.3, "backoff_cap_s": 1.0, "breaker_open_s": 1.0},
    "projections": {"retry_cap_s": 1.0},
    "event_log": {"maintenance_interval_s": 1.0, "min_free_bytes": 1_000_000},
}
_DRAIN_S = 120.0


class Fleet(Stage):
    """See the package. ``settings`` are merged into the daemon's; ``environment`` is what it starts with.

    ``postgres``: a server that isn't the daemon's to run, and that nobody starts again when it is gone.
    """

    roles: tuple[Role, ...] = (Role.DAEMON, Role.WORKER, Role.POSTMASTER, Role.BACKEND)
    polls: Role = Role.DAEMON
    """Whose process it is that polls."""

    def __init__(
        self,
        folder: Path,
        *,
        settings: Mapping[str, Mapping[str, Any]] | None = None,
        environment: Mapping[str, str] | None = None,
        prefix: tuple[str, ...] = (),
        postgres: EmbeddedPostgres | None = None,
    ) -> None:
        merged = {name: dict(values) for name, values in QUICK.items()}
        for name, values in (settings or {}).items():
            merged.setdefault(name, {}).update(values)
        super().__init__(folder, settings=merged)
        if postgres is not None:
            merged.setdefault("database", {}).update(dsn=postgres.dsn, door_dsn=postgres.door_dsn)
        self.postgres = postgres
        self.ledger = folder / "ledger"
        self.environment = dict(environment or {})
        self._prefix = prefix
        self.supervisor: Supervisor | None = None
        self.routers: list[str] = []
        self.offset_s = 0.0
        """By how much the fleet's clock is set ahead of ours."""
        self.dsn_seen = ""
        self.postmaster_seen = 0

    # -- starting and ending ---------------------------------------------------

    def launch(self, routers: int, interfaces: int, scenario: str = "fleet", **device_settings: Any) -> None:
        """Start everything, and wait until every router is polled."""
        self.start_routers(routers, interfaces, scenario)
        self.start_daemon()
        self.add_devices(self.endpoints, **device_settings)
        self.wait_until_polled()

    def start_routers(self, routers: int, interfaces: int, scenario: str = "fleet") -> None:
        """Start the lab."""
        size = ("--routers", str(routers), "--interfaces", str(interfaces)) if scenario == "fleet" else ()
        state = self.start_lab("--scenario", scenario, *size)
        self.endpoints: list[dict[str, Any]] = state["endpoints"]
        self.routers = [router["name"] for router in self.endpoints]

    def start_daemon(self, timeout_s: float = 60.0, arguments: object = None) -> None:
        """Start the daemon with its ledger, and from then on again whenever it ends."""
        self.write_config()
        module = "mtd.testing.faults.launcher"
        command = [*self._prefix, sys.executable, "-m", module, str(self.config_path), str(self.ledger)]
        self.daemon = Process("daemon", command, self.folder / "daemon.log", self.environment)
        self.daemon.start()
        self.supervisor = Supervisor(self.daemon)
        self.supervisor.start()
        self.wait_for(self.is_ready, "the daemon is ready", timeout_s)
        self._look()

    def _look(self) -> None:
        """Remember where PostgreSQL is: a daemon that was killed can't tell."""
        self.dsn_seen = super().dsn()
        self.postmaster_seen = self.postmaster()

    def dsn(self) -> str:
        """Return how to reach PostgreSQL; as it was last, while no daemon runs."""
        try:
            return super().dsn()
        except (OSError, ValueError, KeyError):
            return self.dsn_seen

    def stop(self) -> dict[str, float]:
        """End everything."""
        if self.supervisor is not None:
            self.supervisor.stop()
        took = super().stop()
        # A daemon that was killed and not started again leaves its PostgreSQL behind.
        with contextlib.suppress(ValueError, IndexError):
            for pid_file in self.folder.glob("**/postmaster.pid"):
                victims.kill_family(int(pid_file.read_text().split()[0]))
        return took

    # -- asking ------------------------------------------------------------------

    def wait_for(self, condition: Callable[[], T], what: str, timeout_s: float = 30.0) -> T:
        """Wait until a condition holds; return what it gave. A question that can't be asked counts as no."""
        deadline = time.monotonic() + timeout_s
        while True:
            with contextlib.suppress(OSError, psycopg.Error, KeyError, ValueError):
                if found := condition():
                    return found
            if time.monotonic() > deadline:
                log = self.daemon.tail(40) if self.daemon else ""
                raise HarnessFailed(f"not within {timeout_s:g} s: {what}\n{log}")
            time.sleep(0.05)  # noqa: TID251 - no reactor here

    def sql(self, statement: str, *params: Any) -> list[tuple[Any, ...]]:
        """Ask PostgreSQL."""
        with psycopg.connect(
            self.dsn(),
            autocommit=True,
            connect_timeout=5,
            options="-c search_path=mtd -c statement_timeout=20s",
        ) as connection:
            cursor = connection.execute(statement, params or None)
            return cursor.fetchall() if cursor.description else []

    def value(self, statement: str, *params: Any) -> Any:
        """Return the one value that PostgreSQL answers."""
        ((found,),) = self.sql(statement, *params)
        return found

    def mtd(self, *arguments: str) -> Any:
        """Run an ``mtd`` command that prints one line of JSON; return it, whatever the exit code."""
        ca = {} if self.door_ca_file is None else {"MTD_CA_FILE": str(self.door_ca_file)}
        done = subprocess.run(  # noqa: S603 - our own command
            [sys.executable, "-m", "mtd", *arguments],
            env={**os.environ, "MTD_SERVER": self.server, "MTD_CONFIG": str(self.config_path), **ca},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        if not done.stdout.startswith(("{", "[")):
            raise HarnessFailed(f"mtd {' '.join(arguments)}: {done.stdout}{done.stderr}")
        return json.loads(done.stdout)

    def control(self) -> LabControl:
        """Return a connection to the lab's control door, to be used as a context manager."""
        return LabControl(**self.lab_state()["control"])

    def inject(self, kind: str, routers: list[str] | None = None, **settings: Any) -> None:
        """Let something go wrong with routers; with all, unless some are named."""
        with self.control() as control:
            for router in self.routers if routers is None else routers:
                control.inject(router, kind, **settings)

    def clear(self, routers: list[str] | None = None) -> None:
        """End the faults of routers."""
        with self.control() as control:
            for router in self.routers if routers is None else routers:
                control.clear(router)

    def polls_answered(self) -> int:
        """Return how many commands the routers answered, by their own count: a witness that isn't mtd."""
        with self.control() as control:
            return sum(one["answers"] for one in control.stats().values())

    def fresh(self, since: float | None = None, routers: int | None = None) -> bool:
        """Return whether all routers have live values newer than a time of PostgreSQL's clock; 2 s old at most without one."""
        moment = self.clock() - 2 if since is None else since
        statement = (
            "SELECT count(*) FROM latest WHERE poll_group = 't0' AND ts_collected > to_timestamp(%s)"
            " AND ts_collected < clock_timestamp() + interval '5 s'"
        )
        return int(self.value(statement, moment)) >= (len(self.routers) if routers is None else routers)

    def clock(self) -> float:
        """Return what time PostgreSQL has."""
        return float(self.value("SELECT extract(epoch FROM clock_timestamp())"))

    def wait_until_polled(self, timeout_s: float = 120.0) -> None:
        """Wait until every router has been polled anew."""
        moment = self.wait_for(self.clock, "PostgreSQL answers", timeout_s)
        self.wait_for(lambda: self.fresh(moment), "all are polled", timeout_s)
        self._look()

    def event(self, event_type: str, **where: Any) -> bool:
        """Return whether an event of a type is in PostgreSQL, with these values of its columns."""
        conditions = "".join(f" AND {column} LIKE %s" for column in where)
        statement = f"SELECT count(*) FROM event WHERE event_type = %s{conditions}"  # noqa: S608 - our own words
        return bool(self.value(statement, event_type, *where.values()))

    def ready_reasons(self) -> dict[str, str]:
        """Return what ``/readyz`` complains about, by part."""
        import urllib.error
        import urllib.request

        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}/readyz", timeout=5) as answer:
                body = answer.read()
        except urllib.error.HTTPError as refused:
            body = refused.read()
        reasons: dict[str, str] = json.loads(body)["reasons"]
        return reasons

    def said(self, text: str, after: int = 0) -> bool:
        """Return whether the daemon wrote something, behind a place in its log file."""
        with (self.folder / "daemon.log").open("rb") as log:
            log.seek(after)
            return text.encode() in log.read()

    def log_end(self) -> int:
        """Return where the daemon's log file ends now."""
        path = self.folder / "daemon.log"
        return path.stat().st_size if path.exists() else 0

    # -- processes ----------------------------------------------------------------

    @property
    def pid(self) -> int:
        """Return the process id of the daemon that runs, or ran last."""
        assert self.daemon is not None
        return self.daemon.pid

    def daemon_is_alive(self) -> None:
        """Raise HarnessFailed if the daemon ended: the fault at hand is one that it has to live with."""
        if not victims.alive(self.pid):
            raise HarnessFailed(f"the daemon ended:\n{self.daemon.tail(40) if self.daemon else ''}")

    def without_daemon(self, work: Callable[[], object], *, kill: bool = True) -> None:
        """Do something while no daemon runs: it is killed, or stopped, and started again after."""
        assert self.daemon is not None
        assert self.supervisor is not None
        self.supervisor.hold()
        if kill:
            self.daemon.kill()
        else:
            self.daemon.stop()
        try:
            work()
        finally:
            self.supervisor.release()

    def postmaster(self) -> int:
        """Return the process id of PostgreSQL."""
        return int(str(self.value("SELECT pg_read_file('postmaster.pid')")).splitlines()[0])

    def processes(self) -> dict[Role, list[int]]:
        """Return the processes that run now, by what they are."""
        return victims.find(self.pid, self.postmaster_seen)

    def is_back(self, role: Role, old: int) -> bool:
        """Return whether what replaces a killed process is ready. Of all but mtd's own it doesn't matter here."""
        return role is not Role.DAEMON or (self.pid != old and self.is_ready())

    def written(self) -> int:
        """Return how many events were acknowledged so far."""
        return entries_in(self.ledger)

    def wait_for_writes(self, more: int = 1, timeout_s: float = 30.0) -> None:
        """Wait until so many more events were acknowledged."""
        least = self.written() + more
        self.wait_for(lambda: self.written() >= least, f"{more} more events are acknowledged", timeout_s)

    # -- the verdict ----------------------------------------------------------------

    def drain(self, timeout_s: float = _DRAIN_S) -> None:
        """Wait until what is acknowledged now is projected."""
        moment = self.wait_for(self.clock, "PostgreSQL answers", timeout_s)
        self.wait_for(lambda: self.fresh(moment), "all are polled", timeout_s)
        end = int(self.wait_for(lambda: self.metric("mtd_eventlog_last_seq"), "the log's end", timeout_s))
        self.wait_for(lambda: self._projected(end), f"event {end} is projected", timeout_s)

    def _projected(self, end: int) -> bool:
        log_id = self.sql("SELECT log_id FROM projection_position ORDER BY position DESC LIMIT 1")
        least = "SELECT min(position) FROM projection_position WHERE log_id = %s"
        return bool(log_id) and int(self.value(least, log_id[0][0])) >= end

    def verdict(self) -> Verdict:
        """Drain, and hold PostgreSQL against the ledger."""
        ledgers = ends_of([self.ledger])
        self.drain()
        return judge(self.dsn(), ledgers)

    def __enter__(self) -> Self:
        super().__enter__()
        return self


@contextlib.contextmanager
def place() -> Iterator[Path]:
    """Give a folder that the user of PostgreSQL can pass through, and remove it afterwards."""
    path = Path(tempfile.mkdtemp(prefix="mtd-faults-"))
    path.chmod(0o711)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def postgres_in(folder: Path) -> Iterator[EmbeddedPostgres]:
    """Run a PostgreSQL that is nobody's but ours: to be stopped, and started again on the same port."""
    server = EmbeddedPostgres(folder, EmbeddedConfig(shared_buffers_mb=64))
    server.start_blocking()
    try:
        yield server
    finally:
        server.stop_blocking()


@contextlib.contextmanager
def running(
    routers: int,
    interfaces: int,
    *,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    environment: Mapping[str, str] | None = None,
    prefix: tuple[str, ...] = (),
    postgres: EmbeddedPostgres | None = None,
    folder: Path | None = None,
    scenario: str = "fleet",
) -> Iterator[Fleet]:
    """Run a fleet, in a folder of its own if none is given; pytest shows what the daemon wrote last."""
    with contextlib.ExitStack() as stack:
        home = folder or stack.enter_context(place())
        fleet = stack.enter_context(
            Fleet(home, settings=settings, environment=environment, prefix=prefix, postgres=postgres)
        )
        fleet.launch(routers, interfaces, scenario)
        try:
            yield fleet
        finally:
            if "PYTEST_CURRENT_TEST" in os.environ:  # which shows it if the test fails
                sys.stdout.write(fleet.daemon.tail(60) if fleet.daemon else "no daemon")
