"""nfdump of Debian, a collector that keeps flows in files: how large these are, of the same datagrams."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from mtd.testing.flows.prepared import Prepared
from mtd.testing.harness import HarnessFailed, Process, free_udp_port

_TOOLS = Path(__file__).parents[3] / ".venv" / "tools" / "nfdump" / "usr" / "bin"
_COMPRESSIONS: Mapping[str, str] = MappingProxyType({"lzo": "-z", "lz4": "-y", "bzip2": "-j"})
_BUFFER_BYTES = 4 << 20
_UP_S, _QUIET_S, _PATIENCE_S = 10.0, 0.5, 60.0
_AT_ONCE = 40  # datagrams, and then it is looked whether it still gets on with reading
_MOST_WAITING_BYTES = 128 << 10


@dataclass(frozen=True, slots=True)
class Kept:
    """What is in its files, as nfdump itself counts it, and how large these are."""

    flows: int
    octets: int
    file_bytes: int


def program(name: str) -> str | None:
    """Return the path of one of its programs; None if it isn't here."""
    unpacked = _TOOLS / name
    return str(unpacked) if unpacked.exists() else shutil.which(name)


def measure_nfdump(prepared: Prepared, folder: Path) -> dict[str, Any]:
    """Let nfcapd keep the datagrams, compressed in each of its ways; return bytes for each record that it kept."""
    if program("nfcapd") is None or program("nfdump") is None:
        return {"skipped": "nfdump isn't here: run scripts/setup_tools nfdump"}
    figures: dict[str, Any] = {}
    sent = (prepared.truth.records, prepared.truth.octets)
    others = 0
    for name, flag in _COMPRESSIONS.items():
        place = folder / f"nfdump-{prepared.name}-{name}"
        place.mkdir(parents=True)
        kept = keep(prepared.datagrams, place, flag)
        figures[f"{name}_bytes_per_record"] = round(kept.file_bytes / kept.flows, 2)
        others += (kept.flows, kept.octets) != sent
    return figures | {"kept_what_was_sent": not others}


def keep(datagrams: list[bytes], folder: Path, *flags: str) -> Kept:
    """Run nfcapd, send it datagrams, end it, and return what it kept."""
    collector, reader = program("nfcapd"), program("nfdump")
    assert collector is not None
    assert reader is not None
    files = folder / "files"
    files.mkdir()
    port = free_udp_port()
    command = [collector, "-w", str(files), "-b", "127.0.0.1", "-p", str(port), "-B", str(_BUFFER_BYTES)]
    process = Process("nfcapd", [*command, "-t", "3600", *flags], folder / "nfcapd.log")
    process.start()
    try:
        _wait_until_bound(process, port)
        _send(datagrams, port, process)
    finally:
        process.stop()
    kept = [path for path in files.iterdir() if not path.name.startswith(".")]
    told = subprocess.run(  # noqa: S603 - a program of the distribution
        [reader, "-R", str(files), "-I", "-N"], capture_output=True, text=True, timeout=120, check=False
    )
    found = dict(re.findall(r"^(Flows|Bytes):\s+(\d+)$", told.stdout, re.MULTILINE))
    if found.keys() != {"Flows", "Bytes"} or found["Flows"] == "0":
        raise HarnessFailed(f"nfdump kept nothing:\n{told.stdout}{told.stderr}{process.tail()}")
    return Kept(int(found["Flows"]), int(found["Bytes"]), sum(path.stat().st_size for path in kept))


def _wait_until_bound(process: Process, port: int) -> None:
    """Wait until somebody has the port."""
    deadline = time.monotonic() + _UP_S
    while True:
        process.check()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return
        if time.monotonic() > deadline:
            raise HarnessFailed(f"nfcapd did not come up:\n{process.tail()}")
        time.sleep(0.02)  # noqa: TID251 - a script's own wait, no reactor here


def _send(datagrams: list[bytes], port: int, process: Process) -> None:
    """Send no faster than it reads, and wait until its buffer is empty."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        for number, datagram in enumerate(datagrams, 1):
            made.sendto(datagram, ("127.0.0.1", port))
            if number % _AT_ONCE == 0:
                _wait_until_read(port, _MOST_WAITING_BYTES, process)
    _wait_until_read(port, 0, process)
    time.sleep(_QUIET_S)  # noqa: TID251 - it may still be at the last one


def _wait_until_read(port: int, most_bytes: int, process: Process) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while _waiting_bytes(port) > most_bytes:
        process.check()
        if time.monotonic() > deadline:
            raise HarnessFailed(f"nfcapd doesn't read what is sent to it:\n{process.tail()}")
        time.sleep(0.002)  # noqa: TID251


def _waiting_bytes(port: int) -> int:
    """Return what the kernel holds for a port."""
    for line in Path("/proc/net/udp").read_text().splitlines()[1:]:
        fields = line.split()
        if int(fields[1].rpartition(":")[2], 16) == port:
            return int(fields[4].rpartition(":")[2], 16)
    return 0
