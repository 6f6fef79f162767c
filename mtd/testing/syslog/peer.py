"""rsyslog as a peer: the same datagrams, parsed and written to a file as JSON. No rules, no index, no database."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mtd.testing.harness import HarnessFailed, Process, free_port, usage_of
from mtd.testing.syslog.programs import Daemon, rsyslog, rsyslog_command

# The buffer and the queue as large as mtd's: it is to absorb what mtd is to absorb.
_CONFIGURATION = """
global(workDirectory="{folder}" net.enableDNS="off")
main_queue(queue.type="FixedArray" queue.size="400000" queue.dequeueBatchSize="1024")
module(load="imudp" batchSize="128")
template(name="json" type="list" option.jsonf="on") {{
    property(outname="received" name="timegenerated" dateFormat="rfc3339" format="jsonf")
    property(outname="sender" name="fromhost-ip" format="jsonf")
    property(outname="severity" name="syslogseverity-text" format="jsonf")
    property(outname="facility" name="syslogfacility-text" format="jsonf")
    property(outname="host" name="hostname" format="jsonf")
    property(outname="program" name="programname" format="jsonf")
    property(outname="tag" name="syslogtag" format="jsonf")
    property(outname="message" name="msg" format="jsonf")
}}
input(type="imudp" address="127.0.0.1" port="{port}" rcvbufSize="33554432" ruleset="store")
ruleset(name="store") {{ action(type="omfile" file="{file}" template="json" ioBufferSize="64k" flushOnTXEnd="on") }}
"""


@dataclass(slots=True)
class Peer:
    """rsyslog while it runs."""

    process: Process
    port: int
    file: Path
    version: str

    def stored(self) -> int:
        """Return how many lines it has written."""
        if not self.file.exists():
            return 0
        with self.file.open("rb") as file:
            return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))

    def size(self) -> int:
        """Return how much it has written: cheaper than counting."""
        return self.file.stat().st_size if self.file.exists() else 0

    def cpu_s(self) -> float:
        """Return the processor time that it has used."""
        return usage_of(self.process.pid).cpu_s


@contextlib.contextmanager
def running_peer(folder: Path) -> Iterator[Peer]:
    """Run rsyslog, ready to receive."""
    program = rsyslog()
    if program is None:
        raise HarnessFailed("rsyslog isn't installed: run scripts/setup_tools rsyslog, or leave it out")
    folder.mkdir()
    port, configuration, file = free_port(), folder / "rsyslog.conf", folder / "lines.json"
    configuration.write_text(_CONFIGURATION.format(folder=folder, port=port, file=file))
    process = _started(program, configuration, folder)
    try:
        deadline = time.monotonic() + 20
        while not _listens(port):
            process.check()
            if time.monotonic() > deadline:
                raise HarnessFailed(f"rsyslog does not listen:\n{process.tail()}")
            time.sleep(0.05)  # noqa: TID251 - a script's own wait, no reactor here
        yield Peer(process, port, file, program.version("-v"))
    finally:
        process.stop()


def _started(program: Daemon, configuration: Path, folder: Path) -> Process:
    command = rsyslog_command(program, configuration, folder)
    process = Process("rsyslog", command, folder / "rsyslog.log", environment=program.environment)
    process.start()
    return process


def _listens(port: int) -> bool:
    """Return whether somebody has a UDP port."""
    lines = Path("/proc/net/udp").read_text().splitlines()[1:]
    return any(line.split()[1].endswith(f":{port:04X}") for line in lines)
