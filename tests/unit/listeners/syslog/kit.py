"""A syslog listener on this machine, and who sends to it."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from mtd.core.clock import SYSTEM_CLOCK
from mtd.listeners.syslog.config import SyslogConfig
from mtd.listeners.syslog.service import SyslogService
from mtd.model.sighting import Sighting
from mtd.security.ca import Authority
from mtd.security.certificates import certificate_pem, key_pem, new_key
from mtd.testing import run_async
from mtd.testing.metrics import metric
from tests.unit.listeners.kit import Told, device


class Bench:
    """A listener on this machine, and what came of what was sent to it."""

    def __init__(self, **settings: Any) -> None:
        config = SyslogConfig.model_validate(
            {"enabled": True, "host": "127.0.0.1", "udp_port": 0, "flush_s": 0.02, **settings}
        )
        self.told = Told()
        self.strangers: list[Sighting] = []
        self.service = SyslogService(config, self.told, self.strangers.append)  # type: ignore[arg-type]
        self.service.apply_devices([device("core-1", "127.0.0.1"), device("core-2", "127.0.0.2")])
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    def send(self, *lines: bytes) -> None:
        for line in lines:
            self.socket.sendto(line, ("127.0.0.1", self.service.udp_port))

    def send_from(self, source: str, *lines: bytes) -> None:
        """Send from an address, and a port that nobody had before."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.bind((source, 0))
            for line in lines:
                sender.sendto(line, ("127.0.0.1", self.service.udp_port))

    async def until(self, lines: int) -> None:
        async with asyncio.timeout(20):
            while len(self.told.stored) < lines:
                await asyncio.sleep(0.005)


async def running(work: Callable[[Bench], Awaitable[None]], **settings: Any) -> Bench:
    """Do something with a listener; return it when it has ended."""
    bench = Bench(**settings)
    await bench.service.start()
    try:
        await work(bench)
    finally:
        await bench.service.stop()
        bench.socket.close()
    return bench


def with_bench(work: Callable[[Bench], Awaitable[None]], **settings: Any) -> Bench:
    """Do something with a listener on the loop of the tests; return it when it has ended."""
    return run_async(running(work, **settings))


def dropped(reason: str) -> float:
    return metric("mtd_listeners_dropped_total", listener="syslog", reason=reason)


async def sent_over_tcp(bench: Bench, *pieces: bytes, pause_s: float = 0.0) -> None:
    assert bench.service.tcp is not None
    _, writer = await asyncio.open_connection("127.0.0.1", bench.service.tcp.port)
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(pause_s)
    writer.close()


def certificates(folder: Path) -> dict[str, str]:
    """Write a CA, and a certificate of it for this machine; return the settings that name the latter."""
    now_us, key = SYSTEM_CLOCK.now_us(), new_key()
    authority = Authority.new("test", now_us, 1)
    (folder / "ca.pem").write_bytes(certificate_pem(authority.certificate))
    made = authority.issue_server(key.public_key(), ["localhost"], now_us, 1)
    (folder / "cert.pem").write_bytes(certificate_pem(made, authority.certificate))
    (folder / "key.pem").write_bytes(key_pem(key))
    return {"tls_certificate": str(folder / "cert.pem"), "tls_key": str(folder / "key.pem")}


async def connected(
    bench: Bench, folder: Path, address: str = "127.0.0.1"
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect to the port for TLS, from an address."""
    assert bench.service.tls is not None
    context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
    return await asyncio.open_connection(
        "127.0.0.1",
        bench.service.tls.port,
        ssl=context,
        server_hostname="localhost",
        local_addr=(address, 0),
    )
