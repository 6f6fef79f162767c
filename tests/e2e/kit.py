"""mtd as its users meet it: processes, the command line, PostgreSQL by another driver."""

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
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

import psycopg
from click.testing import CliRunner

from mtd.cli import main
from mtd.client import MtdClient
from mtd.lab.control import LabControl
from mtd.testing.harness import Stage

T = TypeVar("T")

# Small and not waiting for the disk: what is tested is mtd.
QUICK_POSTGRES = {"database.embedded": {"durable": False, "shared_buffers_mb": 64}}
# Failures are tried again soon, so that recovery is seen within a test.
QUICK_RETRIES = {"backoff_first_s": 0.3, "backoff_cap_s": 1.0, "breaker_open_s": 1.0}
# Names of interfaces and other tables are read every two seconds.
QUICK_TIERS = {"scheduler.intervals_s": {"t1": 2.0}}
# Commands that want a reactor of their own.
OWN_REACTOR = frozenset({"poll", "rebuild", "secrets"})


@dataclass(frozen=True, slots=True)
class Answer:
    """How a command ended and what it printed."""

    code: int
    out: str
    err: str

    def lines(self) -> list[Any]:
        """Return its standard output, each line parsed as JSON."""
        return [json.loads(line) for line in self.out.splitlines()]

    def json(self) -> Any:
        """Return its standard output, which is one line of JSON."""
        (line,) = self.lines()
        return line


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """Give a folder that the user of PostgreSQL can pass through, and remove it afterwards."""
    path = Path(tempfile.mkdtemp(prefix="mtd-e2e-"))
    path.chmod(0o711)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def run(
    *command: str, environment: Mapping[str, str] | None = None, code: int | None = 0, timeout_s: float = 30
) -> Answer:
    """Run a command of Python's to its end; it must end with ``code``, unless that is None."""
    done = subprocess.run(
        [sys.executable, *command],
        env={**os.environ, "COLUMNS": "200", **(environment or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    answer = Answer(done.returncode, done.stdout, done.stderr)
    assert "Traceback" not in answer.err, answer.err
    assert code is None or answer.code == code, f"{command}: {answer}"
    return answer


def call(*arguments: str, environment: Mapping[str, str], code: int | None = 0) -> Answer:
    """Call an ``mtd`` command in this process; it must end with ``code``, unless that is None."""
    runner = CliRunner(env={"COLUMNS": "200", **environment})
    result = runner.invoke(main, arguments, catch_exceptions=False)
    answer = Answer(result.exit_code, result.stdout, result.stderr)
    assert "Traceback" not in answer.err, answer.err
    assert code is None or answer.code == code, f"{arguments}: {answer}"
    return answer


class Rig(Stage):
    """A stage, and what tests ask of it."""

    def __init__(self, folder: Path, *, settings: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        merged: dict[str, Mapping[str, Any]] = {
            "scheduler": QUICK_RETRIES,
            **QUICK_POSTGRES,
            **(settings or {}),
        }
        super().__init__(folder, settings=merged)
        self.routers: dict[str, dict[str, Any]] = {}
        self.notes: dict[str, Any] = {}
        """What the fixture of a module saw, for its tests."""

    def start_routers(self, scenario: str, *arguments: str) -> None:
        """Start the lab with a scenario: the name of one that is shipped, or TOML."""
        if "\n" in scenario:
            path = self.folder / "scenario.toml"
            path.write_text(scenario)
            scenario = str(path)
        state = self.start_lab("--scenario", scenario, *arguments)
        self.routers = {router["name"]: router for router in state["endpoints"]}

    def __enter__(self) -> Self:
        super().__enter__()
        return self

    def add_all(self, **settings: Any) -> None:
        """Put all routers of the lab into the inventory, and wait until they are polled."""
        self.add_devices(list(self.routers.values()), **settings)
        self.wait_until_polled(*self.routers)

    def wait_until_polled(self, *names: str, timeout_s: float = 20.0) -> None:
        """Wait until these devices have live values in PostgreSQL."""
        wait_for(lambda: set(names) <= set(self.collected()), f"{names} polled", timeout_s)

    @property
    def pid(self) -> int:
        """Return the process id of the daemon."""
        assert self.daemon is not None
        return self.daemon.pid

    def control(self) -> LabControl:
        """Return a connection to the lab's control door, to be used as a context manager."""
        return LabControl(**self.lab_state()["control"])

    def client(self) -> MtdClient:
        """Return a client of the gRPC door, to be used as a context manager."""
        return MtdClient(self.server)

    def mtd(self, *arguments: str, code: int | None = 0, timeout_s: float = 30) -> Answer:
        """Call an ``mtd`` command against this daemon; it must end with ``code``, unless that is None.

        In this process, which is quicker, unless the command wants a reactor of its own.
        """
        environment = {"MTD_SERVER": self.server, "MTD_CONFIG": str(self.config_path)}
        if arguments[0] in OWN_REACTOR:
            return run("-m", "mtd", *arguments, environment=environment, code=code, timeout_s=timeout_s)
        return call(*arguments, environment=environment, code=code)

    def sql(self, statement: str, *params: Any) -> list[tuple[Any, ...]]:
        """Ask PostgreSQL."""
        with psycopg.connect(self.dsn(), autocommit=True, options="-c search_path=mtd") as connection:
            cursor = connection.execute(statement, params or None)
            return cursor.fetchall() if cursor.description else []

    def value(self, statement: str, *params: Any) -> Any:
        """Return the one value that PostgreSQL answers."""
        ((found,),) = self.sql(statement, *params)
        return found

    def collected(self) -> dict[str, float]:
        """Return device -> age of its newest live values, in seconds."""
        rows = self.sql(
            "SELECT d.name, extract(epoch FROM clock_timestamp() - l.ts_collected)::float8"
            " FROM latest l JOIN device d USING (tenant_id, device_id) WHERE l.poll_group = 't0'"
        )
        return dict(rows)

    def devices(self) -> dict[str, dict[str, Any]]:
        """Return the inventory as ``mtd device list`` shows it, by name."""
        return {device["name"]: device for device in self.mtd("device", "list", "--json").json()}

    def events(self, *arguments: str) -> list[dict[str, Any]]:
        """Return the events as ``mtd events`` shows them."""
        return self.mtd("events", "--json", *arguments).lines()

    def daemon_log(self) -> str:
        """Return what the daemon wrote."""
        return (self.folder / "daemon.log").read_text()

    def verify(self) -> dict[str, Any]:
        """Return what ``mtd log verify --database`` finds; it must find nothing wrong."""
        report: dict[str, Any] = self.mtd("log", "verify", "--database", "--json").json()
        assert report["ok"], report
        return report


@contextlib.contextmanager
def rig(
    scenario: str, *arguments: str, settings: Mapping[str, Mapping[str, Any]] | None = None
) -> Iterator[Rig]:
    """Run lab and daemon. What the daemon wrote is printed at the end, for pytest to show upon a failure."""
    with folder() as path, Rig(path, settings=settings) as stage:
        stage.start_routers(scenario, *arguments)
        stage.start_daemon()
        try:
            yield stage
        finally:
            sys.stdout.write(stage.daemon.tail(60) if stage.daemon else "no daemon")


def wait_for(condition: Callable[[], T], what: str, timeout_s: float = 30.0, every_s: float = 0.1) -> T:
    """Wait until a condition holds; return what it gave."""
    deadline = time.monotonic() + timeout_s
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {what}"
        time.sleep(every_s)  # noqa: TID251 - no reactor here
    return found


def pause(seconds: float) -> None:
    """Let things happen for a time; for what can't be waited for, because nothing must come of it."""
    time.sleep(seconds)  # noqa: TID251
