"""softflowd, an exporter that nobody here wrote: what it saw in a capture is what its records say, once they are read here."""

from __future__ import annotations

import ipaddress
import os
import shutil
import socket
import struct
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from mtd.codec.flows import text_of
from mtd.codec.flows.block import decode_block
from mtd.listeners.flows.config import FlowsConfig
from mtd.listeners.flows.receiver import Receiver
from mtd.listeners.udp import Received
from mtd.model.flows import FlowPortion
from mtd.testing.missing import skip_without

TOOLS = Path(__file__).parents[2] / ".venv" / "tools" / "softflowd"
EXPORTER = "127.0.0.1"
BEGAN_S = 1_767_323_045
TCP, UDP = 6, 17


class Flow(NamedTuple):
    src: str
    dst: str
    protocol: int
    src_port: int
    dst_port: int


SENT = {
    Flow("10.0.0.5", "198.51.100.7", TCP, 40_000, 443): [60, 52, 1500, 1500, 52],
    Flow("198.51.100.7", "10.0.0.5", TCP, 443, 40_000): [60, 1500, 1500, 1500],
    Flow("10.0.0.6", "192.0.2.53", UDP, 5353, 53): [70],
    Flow("192.0.2.53", "10.0.0.6", UDP, 53, 5353): [512],
    Flow("2001:db8::5", "2001:db8::7", TCP, 40_001, 22): [80, 72, 1400],
    Flow("2001:db8::7", "2001:db8::5", TCP, 22, 40_001): [80, 900],
}


def ip_packet(flow: Flow, length: int) -> bytes:
    src, dst = ipaddress.ip_address(flow.src), ipaddress.ip_address(flow.dst)
    ports = struct.pack(">HH", flow.src_port, flow.dst_port)
    if flow.protocol == TCP:
        transport = ports + struct.pack(">IIBBHHH", 1, 1, 0x50, 0x10, 1000, 0, 0)
    else:
        transport = ports + struct.pack(">HH", length - 20, 0)
    if src.version == 4:
        head = struct.pack(">BBHHHBBH", 0x45, 0, length, 1, 0, 64, flow.protocol, 0) + src.packed + dst.packed
    else:
        head = struct.pack(">IHBB", 6 << 28, length - 40, flow.protocol, 64) + src.packed + dst.packed
    return (head + transport).ljust(length, b"\0")


def write_capture(path: Path) -> None:
    """Write what was sent as a capture of Ethernet frames (pcap), some milliseconds apart."""
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65_535, 1))
        at_us = 0
        for flow, lengths in SENT.items():
            kind = 0x0800 if "." in flow.src else 0x86DD
            for length in lengths:
                frame = bytes(12) + struct.pack(">H", kind) + ip_packet(flow, length)
                at_us += 7_000
                file.write(struct.pack("<IIII", BEGAN_S, at_us, len(frame), len(frame)) + frame)


def program() -> tuple[str, dict[str, str]]:
    """Return softflowd, and the environment that it needs."""
    unpacked = TOOLS / "usr" / "sbin" / "softflowd"
    if unpacked.exists():
        folders = ":".join(
            str(one) for one in (*TOOLS.glob("usr/lib/*-linux-gnu"), *TOOLS.glob("lib/*-linux-gnu"))
        )
        return str(unpacked), {**os.environ, "LD_LIBRARY_PATH": folders}
    found = shutil.which("softflowd") or shutil.which("softflowd", path="/usr/sbin")
    if found is None:
        skip_without("softflowd is not installed: run scripts/setup_tools softflowd")
    return found, dict(os.environ)


def exported(folder: Path, version: int) -> Iterator[bytes]:
    """Have softflowd export a capture; yield its datagrams."""
    command, environment = program()
    write_capture(folder / "sent.pcap")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as collector:
        collector.bind((EXPORTER, 0))
        collector.settimeout(0.5)
        subprocess.run(
            [
                command, "-D", "-r", str(folder / "sent.pcap"), "-v", str(version),
                "-n", f"{EXPORTER}:{collector.getsockname()[1]}", "-p", str(folder / "pid"), "-c", "none",
            ],
            env=environment, check=True, timeout=30, capture_output=True,
        )  # fmt: skip
        while True:
            try:
                yield collector.recv(65_535)
            except TimeoutError:
                return


def counted(portions: list[FlowPortion]) -> tuple[Counter[Flow], Counter[Flow]]:
    """Return octets and packets of each flow."""
    octets: Counter[Flow] = Counter()
    packets: Counter[Flow] = Counter()
    for portion in portions:
        count, columns = decode_block(portion.block)
        for place in range(count):
            flow = Flow(
                text_of(columns["src_address"][place]),
                text_of(columns["dst_address"][place]),
                int(columns["protocol"][place]),
                int(columns["src_port"][place]),
                int(columns["dst_port"][place]),
            )
            octets[flow] += int(columns["octets"][place])
            packets[flow] += int(columns["packets"][place])
    return octets, packets


@pytest.mark.parametrize(("version", "form"), [(5, "netflow5"), (9, "netflow9"), (10, "ipfix")])
def test_what_softflowd_saw_is_what_is_kept(tmp_path: Path, version: int, form: str) -> None:
    portions: list[FlowPortion] = []

    def keep(portion: FlowPortion, _: str) -> bool:
        portions.append(portion)
        return True

    receiver = Receiver(FlowsConfig(), keep)
    receiver.know({EXPORTER: "t"})
    for datagram in exported(tmp_path, version):
        receiver.put(Received((BEGAN_S + 60) * 1_000_000, datagram, EXPORTER))
    receiver.flush()
    expected = {flow: lengths for flow, lengths in SENT.items() if version != 5 or ":" not in flow.src}
    octets, packets = counted(portions)
    assert octets == {flow: sum(lengths) for flow, lengths in expected.items()}
    assert packets == {flow: len(lengths) for flow, lengths in expected.items()}
    assert {portion.form for portion in portions} == {form}
    news = receiver.news()["exporters"][EXPORTER]
    assert news["stored"] == len(expected)
    assert not {
        name for name in news if name.startswith(("malformed", "held_dropped", "insane", "odd", "byte_order"))
    }
