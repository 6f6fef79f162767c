"""A whole mtd on loopback: lab, daemon and PostgreSQL as processes, each with its accounts.

For the demo, the benches and the end-to-end tests. Everything lives in one
folder and ends with it.
"""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_ADDED_AT_ONCE = 4
# Of one device, on a machine that has much else to do.
_ADDING_TIMEOUT_S = 60.0
_ADDING_ATTEMPTS = 5
_OWN_PORTS = (20_000, 32_000)


class HarnessFailed(RuntimeError):
    """A process did not come up, or ended before its time; the text says what it printed."""


def free_port() -> int:
    """Return a TCP port of loopback that nobody listens on at the moment.

    Of those that the system doesn't give out by itself: a thousand lab routers
    would soon have taken it.
    """
    return _free_port(socket.SOCK_STREAM)


def free_udp_port() -> int:
    """Return a UDP port of loopback that nobody has at the moment, of the same ones."""
    return _free_port(socket.SOCK_DGRAM)


def _free_port(kind: socket.SocketKind) -> int:
    while True:
        port = random.randrange(*_OWN_PORTS)  # noqa: S311 - no secret
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port


@dataclass(slots=True)
class Process:
    """One child process, its log file, and what it used."""

    name: str
    command: Sequence[str]
    log_path: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    popen: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, in a process group of its own: Ctrl-C is for us to pass on."""
        with self.log_path.open("ab") as log:
            self.popen = subprocess.Popen(  # noqa: S603 - our own commands
                list(self.command),
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env={**os.environ, **self.environment},
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Return its process id."""
        if self.popen is None:
            raise HarnessFailed(f"{self.name} was not started")
        return self.popen.pid

    def tail(self, lines: int = 25) -> str:
        """Return the end of what it printed."""
        if not self.log_path.exists():
            return "(nothing)"
        return "\n".join(self.log_path.read_text(errors="replace").splitlines()[-lines:])

    def check(self) -> None:
        """Raise HarnessFailed if it ended."""
        if self.popen is not None and self.popen.poll() is not None:
            raise HarnessFailed(f"{self.name} ended with code {self.popen.returncode}:\n{self.tail()}")

    def stop(self, timeout_s: float = 15.0) -> float:
        """End it with SIGTERM, with SIGKILL if it doesn't; return how long it took in seconds."""
        if self.popen is None or self.popen.poll() is not None:
            return 0.0
        started = time.monotonic()
        self.popen.send_signal(signal.SIGTERM)
        try:
            self.popen.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait(5)
        return time.monotonic() - started

    def kill(self) -> None:
        """End it as a power cut would: SIGKILL, no last words."""
        if self.popen is not None:
            self.popen.kill()
            self.popen.wait(10)


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process, with its children, has used so far."""

    cpu_s: float
    rss_bytes: int


def usage_of(pid: int, *, without: Collection[int] = ()) -> Usage:
    """Return CPU seconds and memory of a process and its descendants, less those below ``without``."""
    ticks = os.sysconf("SC_CLK_TCK")
    parents: dict[int, int] = {}
    stats: dict[int, tuple[float, int]] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            rss = _proportional_bytes(entry)
        except OSError:
            continue  # it ended while we looked
        parents[int(entry.name)] = int(fields[1])
        # utime, stime and, for children that ended, cutime and cstime
        stats[int(entry.name)] = (sum(map(int, fields[11:15])) / ticks, rss)
    family = {pid}
    grown = True
    while grown:
        more = {
            child for child, parent in parents.items() if parent in family and child not in without
        } - family
        family |= more
        grown = bool(more)
    found = [stats[member] for member in family if member in stats]
    return Usage(sum(cpu for cpu, _ in found), sum(rss for _, rss in found))


def memory_of(pid: int) -> int:
    """Return the resident bytes of one process, shared pages in proportion."""
    return _proportional_bytes(Path("/proc") / str(pid))


def _proportional_bytes(process: Path) -> int:
    """Return resident bytes without shared pages counted twice, where the kernel tells."""
    try:
        for line in (process / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass  # of another user, or just ended: fall back to plain RSS
    return int((process / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Stage:
    """Lab and daemon on loopback, in one folder."""

    def __init__(self, folder: Path, *, settings: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        self.folder = folder
        self.data_dir = folder / "data"
        self.lab_state_path = folder / "lab.json"
        self.grpc_port = free_port()
        self.http_port = free_port()
        self.config_path = folder / "mtd.toml"
        self._settings = settings or {}
        self.lab: Process | None = None
        self.daemon: Process | None = None
        self.door_ca_file: Path | None = None
        """By which the gRPC door is known, if it speaks TLS."""
        self.adding_s = 0.0
        """How long it took to put devices into the inventory, in all."""

    @property
    def server(self) -> str:
        """Return the address of the gRPC door."""
        return f"127.0.0.1:{self.grpc_port}"

    @property
    def console_url(self) -> str:
        """Return where the console is."""
        return f"http://127.0.0.1:{self.http_port}/console/"

    def start_lab(self, *arguments: str, timeout_s: float = 30.0) -> dict[str, Any]:
        """Start lab routers; return what the lab says about itself."""
        self.lab_state_path.unlink(missing_ok=True)
        command = [sys.executable, "-m", "mtd", "lab", "--state-file", str(self.lab_state_path), *arguments]
        self.lab = Process("lab", command, self.folder / "lab.log")
        self.lab.start()
        deadline = time.monotonic() + timeout_s
        while not self.lab_state_path.exists():
            self.lab.check()
            if time.monotonic() > deadline:
                raise HarnessFailed(f"the lab did not come up in {timeout_s} s:\n{self.lab.tail()}")
            time.sleep(0.05)  # noqa: TID251 - a script's own wait, no reactor here
        return self.lab_state()

    def lab_state(self) -> dict[str, Any]:
        """Return what the lab wrote about itself: routers, epoch, control port."""
        state: dict[str, Any] = json.loads(self.lab_state_path.read_text())
        return state

    def write_config(self) -> None:
        """Write the daemon's configuration."""
        sections: dict[str, dict[str, Any]] = {
            "daemon": {"data_dir": str(self.data_dir)},
            "grpc": {"port": self.grpc_port},
            "http": {"port": self.http_port},
            # What lab routers did is known of each interface and second: all of it is read, unless settings differ.
            "t0": {"interfaces": "all"},
        }
        for name, values in self._settings.items():
            sections.setdefault(name, {}).update(values)
        lines = []
        for name, values in sections.items():
            lines.append(f"[{name}]")
            lines += [f"{key} = {json.dumps(value)}" for key, value in values.items()]
        self.config_path.write_text("\n".join(lines) + "\n")

    def start_daemon(self, timeout_s: float = 120.0, arguments: Sequence[str] | None = None) -> None:
        """Start the daemon and wait until it is ready. ``arguments`` of Python start another than the usual one."""
        self.write_config()
        command = [sys.executable, *(arguments or ("-m", "mtd", "run", "--config", str(self.config_path)))]
        self.daemon = Process("daemon", command, self.folder / "daemon.log")
        self.daemon.start()
        deadline = time.monotonic() + timeout_s
        while not self.is_ready():
            self.daemon.check()
            if time.monotonic() > deadline:
                raise HarnessFailed(f"the daemon wasn't ready in {timeout_s} s:\n{self.daemon.tail()}")
            time.sleep(0.05)  # noqa: TID251

    def is_ready(self) -> bool:
        """Return whether the daemon says that it is ready."""
        try:
            self.http("/readyz")
        except (urllib.error.URLError, OSError):
            return False
        return True

    def http(self, path: str) -> str:
        """Read a page of the daemon's HTTP door."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}{path}", timeout=5) as answer:
            body: bytes = answer.read()
        return body.decode()

    def metric(self, name: str) -> float:
        """Return the sum over all labels of one of the daemon's own metrics; 0 if it isn't there."""
        total = 0.0
        for line in self.http("/metrics").splitlines():
            if line.startswith((name + " ", name + "{")):
                total += float(line.rpartition(" ")[2])
        return total

    def dsn(self) -> str:
        """Return the DSN of the database that the daemon uses."""
        runtime = json.loads((self.data_dir / "runtime.json").read_text())
        return str(runtime["dsn"])

    def add_devices(
        self,
        routers: Sequence[Mapping[str, Any]],
        labels_of: Callable[[str], Mapping[str, str]] | None = None,
        **settings: Any,
    ) -> None:
        """Put lab routers into the inventory. ``labels_of`` gives the labels of a router by its name."""
        from mtd.client import MtdClient, MtdClientError

        def add(router: Mapping[str, Any]) -> None:
            request_id = str(uuid.uuid4())  # so that what is asked again is done once
            for attempt in range(_ADDING_ATTEMPTS):
                try:
                    create(router, request_id)
                except MtdClientError:
                    if attempt == _ADDING_ATTEMPTS - 1:
                        raise
                else:
                    return

        def create(router: Mapping[str, Any], request_id: str) -> None:
            own: dict[str, Any] = {"labels": labels_of(router["name"])} if labels_of else {}
            client.create_device(
                request_id=request_id,
                name=router["name"],
                host=router["host"],
                port=router["port"],
                username=router["username"],
                password=router["password"],
                tls_mode=router["client_tls"],
                tls_fingerprint=router["fingerprint_sha256"] if router["client_tls"] == "pinned" else "",
                **own,
                **settings,
            )

        started = time.monotonic()
        with (
            MtdClient(self.server, timeout_s=_ADDING_TIMEOUT_S, ca_file=self.door_ca_file) as client,
            ThreadPoolExecutor(_ADDED_AT_ONCE) as threads,
        ):
            list(threads.map(add, routers))
        self.adding_s += time.monotonic() - started

    def stop(self) -> dict[str, float]:
        """End everything; return how long each took in seconds."""
        took = {}
        for process in (self.daemon, self.lab):
            if process is not None:
                took[process.name] = process.stop()
        return took

    def __enter__(self) -> Stage:
        self.folder.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
