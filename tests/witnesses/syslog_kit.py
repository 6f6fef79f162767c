"""A daemon that stores what programs of others send, and these programs as forwarders of routers' lines."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mtd.testing.harness import Process, free_port
from mtd.testing.missing import skip_without
from mtd.testing.syslog.programs import Daemon, rsyslog, rsyslog_command, syslog_ng, syslog_ng_command
from tests.e2e.kit import Rig, folder, wait_for
from tests.unit.listeners.syslog.kit import certificates

DEVICE = "relay"
TIME = "Nov 27 20:41:00"


class Stored(NamedTuple):
    """What is kept of a line. ``severity`` and ``facility`` are syslog's."""

    form: str
    host: str
    program: str
    process: str
    severity: int | None
    facility: int | None
    topics: tuple[str, ...]
    event_type: str
    text: str


class Collecting(Rig):
    """A daemon that listens on all three ports."""

    def __init__(self, path: Path) -> None:
        self.udp_port, self.tcp_port, self.tls_port = free_port(), free_port(), free_port()
        self.ca_path = path / "ca.pem"
        settings = {
            "syslog": {
                "enabled": True,
                "host": "127.0.0.1",
                "udp_port": self.udp_port,
                "tcp_port": self.tcp_port,
                "tls_port": self.tls_port,
                "flush_s": 0.1,
                **certificates(path),
            }
        }
        super().__init__(path, settings=settings)

    def send(self, line: str) -> None:
        """Send a line by ourselves."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
            made.sendto(line.encode(), ("127.0.0.1", self.udp_port))

    def know_the_sender(self) -> None:
        """Have a device at the address that everything comes from, and wait until its lines are stored."""
        device = {"host": "127.0.0.1", "port": free_port(), "username": "u", "password": "p"}
        self.add_devices([{"name": DEVICE, "client_tls": "off", **device}])

        def known() -> bool:
            self.send("script,info are you there?")
            return bool(self.value("SELECT count(*) FROM log_record"))

        wait_for(known, "lines of the device are stored")

    def stored(self, mark: str, count: int) -> list[Stored]:
        """Return what is stored with a mark, in order, once there are so many lines; more must not follow."""
        self._lines_with(mark, count)
        self.send(f"script,info behind the lines with {mark[::-1]}")
        self._lines_with(mark[::-1], 1)
        found = self._lines_with(mark, count)
        return [Stored(*row[:6], tuple(row[6]), *row[7:]) for row in found]

    def _lines_with(self, mark: str, count: int) -> list[tuple[Any, ...]]:
        statement = (
            "SELECT form, host, program, process, severity, facility, topics, event_type, text FROM log_record"
            " WHERE coalesce(original, head || text) LIKE %s ORDER BY ts, seq, part"
        )
        return wait_for(
            lambda: found if len(found := self.sql(statement, f"%{mark}%")) >= count else [],
            f"{count} lines with {mark}",
        )


@contextlib.contextmanager
def collecting() -> Iterator[Collecting]:
    """Run the daemon."""
    with folder() as path, Collecting(path) as stage:
        stage.start_daemon()
        try:
            stage.know_the_sender()
            yield stage
        finally:
            print(stage.daemon.tail(60) if stage.daemon else "no daemon")  # noqa: T201 - pytest shows it upon a failure


@contextlib.contextmanager
def forwarding(
    name: str, command: Sequence[str], program: Daemon, port: int, place: Path
) -> Iterator[socket.socket]:
    """Run a forwarder; give a connection to it, as a router's."""
    process = Process(name, command, place / f"{name}.log", environment=program.environment)
    process.start()
    try:

        def connected() -> socket.socket | None:
            process.check()
            try:
                return socket.create_connection(("127.0.0.1", port), timeout=5)
            except OSError:
                return None

        with wait_for(connected, f"{name} listens") as router:
            yield router
    finally:
        process.stop()
        print(process.tail())  # noqa: T201


@contextlib.contextmanager
def rsyslog_forwarding(action: str, place: Path) -> Iterator[socket.socket]:
    """Run rsyslog with an action; skips without it."""
    program = rsyslog()
    if program is None:
        skip_without("rsyslog is not installed: run scripts/setup_tools")
    port, path = free_port(), place / "rsyslog.conf"
    path.write_text(
        f'global(workDirectory="{place}" net.enableDNS="off" preserveFQDN="on")\nmodule(load="imptcp")\n'
        f'input(type="imptcp" address="127.0.0.1" port="{port}")\n{action}\n'
    )
    with forwarding("rsyslog", rsyslog_command(program, path, place), program, port, place) as router:
        yield router


@contextlib.contextmanager
def syslog_ng_forwarding(destination: str, place: Path) -> Iterator[socket.socket]:
    """Run syslog-ng with a destination; skips without it."""
    program = syslog_ng()
    if program is None:
        skip_without("syslog-ng is not installed: run scripts/setup_tools")
    port, path = free_port(), place / "syslog-ng.conf"
    path.write_text(
        f"@version: {'.'.join(program.version('--version').split('.')[:2])}\n"
        "options { keep-hostname(yes); use-dns(no); stats-freq(0); };\n"
        f'source routers {{ network(ip("127.0.0.1") port({port}) transport("tcp")); }};\n'
        f"destination mtd {{ {destination}; }};\n"
        "log { source(routers); destination(mtd); };\n"
    )
    with forwarding("syslog-ng", syslog_ng_command(program, path, place), program, port, place) as router:
        yield router


def router_lines(mark: str) -> tuple[bytes, ...]:
    """Return lines as routers send them, in BSD form, and one of another system."""
    lines = (
        f"<30>{TIME} core-1 script,info {mark} Zürich",
        f"<28>{TIME} core-2 system,error,critical login failure for user {mark} from 192.0.2.7 via ssh",
        f'<155>{TIME} web-1 backup[4711]: {mark} "failed" 100%',
    )
    return tuple(line.encode() for line in lines)
