"""Web servers with habits of their own: connections that don't last, chunks of a byte, no goodbye."""

from __future__ import annotations

import asyncio
import gc
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from mtd.codec.rest import RowReader
from mtd.lab.certificates import Authority
from mtd.lab.scenario import Tls
from mtd.model.command import Command
from mtd.model.device import RestSettings, TlsMode
from mtd.sources.rest import RestSource
from mtd.sources.steps import TestStep
from mtd.testing import run_async
from tests.integration.sources.devices import device

if TYPE_CHECKING:
    import pytest

RESOURCE = Command("/system/resource/print", ("version",))
NAMES = Command("/interface/print", ("name",))
VERSION = b'[{"version":"7.16"}]'
PARTING = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b" % (len(VERSION), VERSION)

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def web(handler: Handler) -> AsyncIterator[int]:
    """Serve with a handler for the time of a block; gives the port."""
    server = await asyncio.start_server(handler, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@asynccontextmanager
async def asked(rest: RestSettings) -> AsyncIterator[RestSource]:
    source = RestSource(device(1, rest=rest, command_timeout_s=10.0))
    await source.connect()
    try:
        yield source
    finally:
        await source.close()


async def request(reader: asyncio.StreamReader) -> bytes:
    """Read a request; return its path."""
    head = await reader.readuntil(b"\r\n\r\n")
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    await reader.readexactly(int(lengths[0].split(b":")[1]))
    return head.split()[1]


def steps_in_memory() -> int:
    gc.collect()
    return sum(type(found) is TestStep for found in gc.get_objects())


def test_a_router_that_wants_a_connection_for_each_request_costs_no_memory() -> None:
    async def parting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(PARTING)
        writer.close()

    async def main() -> None:
        async with web(parting) as port, asked(RestSettings(port, TlsMode.OFF)) as source:
            before = steps_in_memory()
            for _ in range(20):
                [reply] = await source.run([RESOURCE])
                assert reply.rows.column("version") == (b"7.16",)
            assert steps_in_memory() <= before

    run_async(main())


def test_chunks_of_a_byte_are_read_as_much_at_a_time_as_came(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or a long row would be looked through again with each byte of it."""
    rows = b'[{"name":"%b"}]' % (b"x" * 20_000)
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in rows)
    fed: list[int] = []
    feed = RowReader.feed

    def noted(self: RowReader, data: bytes) -> None:
        fed.append(len(data))
        feed(self, data)

    async def chunked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(VERSION), VERSION))
        await request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%b0\r\n\r\n" % chunks)
        await reader.read()
        writer.close()

    async def main() -> None:
        async with web(chunked) as port, asked(RestSettings(port, TlsMode.OFF)) as source:
            monkeypatch.setattr(RowReader, "feed", noted)
            [reply] = await source.run([NAMES])
            assert reply.rows.column("name") == (b"x" * 20_000,)
            assert sum(fed) == len(rows)
            assert len(fed) < len(rows) / 100

    run_async(main())


def test_a_server_that_parts_without_a_goodbye_over_tls_leaves_no_connection_open(tmp_path: Path) -> None:
    tls = Authority(tmp_path).server(Tls.SELF_SIGNED)
    assert tls is not None
    cut = 0

    async def parting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal cut
        heard, said = ssl.MemoryBIO(), ssl.MemoryBIO()
        secured = tls.context.wrap_bio(heard, said, server_side=True)
        plain = b""
        while b"}" not in plain:
            heard.write(await reader.read(65536))
            with suppress(ssl.SSLWantReadError):
                plain += secured.read(65536)
            writer.write(said.read())
        secured.write(PARTING)
        writer.write(said.read())
        try:
            while await reader.read(65536):
                pass  # a goodbye of TLS is not answered
        except ConnectionError:
            pass
        cut += 1
        writer.close()

    async def main() -> None:
        async with web(parting) as port:
            rest = RestSettings(port, TlsMode.PINNED, tls.fingerprint_sha256)
            async with asked(rest) as source:
                for _ in range(3):
                    await source.run([RESOURCE])
                async with asyncio.timeout(5):
                    while cut < 3:
                        await asyncio.sleep(0.01)

    run_async(main())
