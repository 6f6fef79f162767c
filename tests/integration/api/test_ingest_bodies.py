"""Bodies at the HTTP door: refused before they are read, while they are read, and never kept beyond the bound."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

from prometheus_client import CollectorRegistry

from mtd.api.config import HttpConfig
from mtd.api.http.bodies import BATCH, BodyLimits
from mtd.api.http.ingest_pages import HEARTBEAT, IngestPages
from mtd.api.http.server import HttpServer
from mtd.ingest.config import PushConfig
from mtd.ingest.push.limits import Places
from mtd.testing import run_async
from mtd.testing.metrics import metric
from tests.unit.api.fakes import FakeReadiness

MOST = 100_000


def on_the_loop(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Run a test as a task of the loop, which timeouts want."""

    def run() -> None:
        run_async(test(), timeout_s=60)

    run.__name__ = test.__name__
    return run


class Door:
    """An open door whose pages of ingest have nothing behind them: who gets to them is told to come again."""

    def __init__(self, **limits: Any) -> None:
        self.places = Places(PushConfig(waiting_bytes=limits.pop("waiting_bytes", 10**6)))
        self.bodies = BodyLimits(self.places, by_path={BATCH: MOST}, **limits)
        self.server = HttpServer(FakeReadiness(), HttpConfig(port=0), CollectorRegistry(), bodies=self.bodies)
        self.server.mount(IngestPages())

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.server.port)

    def head(self, path: str = BATCH, *lines: str) -> bytes:
        given = (
            f"POST {path} HTTP/1.1",
            f"Host: localhost:{self.server.port}",
            "Content-Type: application/json",
        )
        return "\r\n".join((*given, *lines, "", "")).encode()

    async def until_empty(self) -> None:
        async with asyncio.timeout(20):
            while self.places.held_bytes:
                await asyncio.sleep(0.005)


@asynccontextmanager
async def opened(**limits: Any) -> AsyncIterator[Door]:
    door = Door(**limits)
    await door.server.start()
    try:
        yield door
        await door.until_empty()
    finally:
        await door.server.stop()


async def answer(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], Any]:
    async with asyncio.timeout(20):
        head = await reader.readuntil(b"\r\n\r\n")
        status, *lines = head.decode().rstrip().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines)
        body = await reader.readexactly(int(headers.get("content-length", 0)))
    return int(status.split()[1]), headers, json.loads(body) if body else None


def counted(reason: str) -> float:
    return metric("mtd_api_http_requests_refused_total", reason=reason)


@on_the_loop
async def test_ingest_body_that_says_it_is_too_long_is_not_read() -> None:
    async with opened() as door:
        before = counted("body")
        reader, writer = await door.connect()
        writer.write(door.head(BATCH, f"Content-Length: {MOST + 1}"))  # and nothing of the body
        code, headers, told = await answer(reader)
        assert (code, headers["connection"]) == (413, "close")
        assert told["hint"]
        assert headers["x-content-type-options"] == "nosniff"
        assert counted("body") == before + 1
        writer.close()


@on_the_loop
async def test_ingest_body_that_is_announced_is_refused_before_it_is_asked_for() -> None:
    async with opened() as door:
        reader, writer = await door.connect()
        writer.write(door.head(BATCH, f"Content-Length: {10**9}", "Expect: 100-continue"))
        assert (await answer(reader))[0] == 413
        writer.close()
        reader, writer = await door.connect()
        writer.write(door.head(BATCH, "Content-Length: 2", "Expect: 100-continue"))
        assert (await answer(reader))[0] == 100
        writer.write(b"{}")
        code, headers, _ = await answer(reader)
        assert (code, headers["retry-after"]) == (503, "2")
        writer.close()


@on_the_loop
async def test_ingest_body_in_chunks_is_refused_when_it_gets_too_long() -> None:
    async with opened() as door:
        reader, writer = await door.connect()
        writer.write(door.head(BATCH, "Transfer-Encoding: chunked"))
        chunk = b"x" * 16_384
        for _ in range(20):  # three times what is taken, sent whatever the door says
            writer.write(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")
            await writer.drain()
        writer.write(b"0\r\n\r\n")
        assert (await answer(reader))[0] == 413
        async with asyncio.timeout(20):
            assert await reader.read() == b""  # then the connection ends
        writer.close()
        reader, writer = await door.connect()
        writer.write(door.head(BATCH, "Transfer-Encoding: chunked") + b"2\r\n{}\r\n0\r\n\r\n")
        assert (await answer(reader))[0] == 503
        writer.close()


@on_the_loop
async def test_ingest_leaves_other_pages_a_small_bound() -> None:
    async with opened() as door:
        for path in (HEARTBEAT, "/healthz", "/nothing", BATCH + "/more"):
            reader, writer = await door.connect()
            writer.write(door.head(path, "Content-Length: 70000"))
            assert (await answer(reader))[0] == 413, path
            writer.close()
        reader, writer = await door.connect()
        writer.write(door.head(BATCH + "?query=1", "Content-Length: 70000") + b" " * 70_000)
        assert (await answer(reader))[0] == 503
        writer.close()


@on_the_loop
async def test_ingest_bodies_of_one_sender_leave_room_for_others() -> None:
    async with opened(waiting_bytes=400_000) as door:
        before = counted("memory")
        reader, writer = await door.connect()
        writer.write(door.head(BATCH, "Content-Length: 60000", "Authorization: Bearer mtd_a") + b"x" * 40_000)
        async with asyncio.timeout(20):
            while door.places.held_bytes < 40_000:
                await asyncio.sleep(0.005)
        again, more = await door.connect()
        more.write(door.head(BATCH, "Content-Length: 80000", "Authorization: Bearer mtd_a") + b"x" * 80_000)
        code, headers, _ = await answer(again)
        assert (code, headers["retry-after"]) == (429, "2")
        assert counted("memory") == before + 1
        other, third = await door.connect()
        third.write(door.head(BATCH, "Content-Length: 60000", "X-Mtd-Key: ik_b") + b"x" * 60_000)
        assert (await answer(other))[0] == 503  # it got to the page
        writer.write(b"x" * 20_000)
        assert (await answer(reader))[0] == 503
        for one in (writer, more, third):
            one.close()


@on_the_loop
async def test_ingest_body_that_takes_too_long_ends_its_connection() -> None:
    async with opened(timeout_s=0.05) as door:
        before = counted("slow")
        reader, writer = await door.connect()
        writer.write(door.head(BATCH, "Content-Length: 1000") + b"x" * 10)
        async with asyncio.timeout(20):
            with suppress(ConnectionResetError):
                assert await reader.read() == b""
        assert counted("slow") == before + 1
        writer.close()


@on_the_loop
async def test_ingest_body_of_who_goes_away_is_forgotten() -> None:
    async with opened() as door:
        _, writer = await door.connect()
        writer.write(door.head(BATCH, "Content-Length: 1000") + b"x" * 10)
        async with asyncio.timeout(20):
            while not door.places.held_bytes:
                await asyncio.sleep(0.005)
        writer.transport.abort()
        await door.until_empty()


@on_the_loop
async def test_ingest_pages_take_posts_only() -> None:
    async with opened() as door:
        for method in ("GET", "PUT", "DELETE"):
            reader, writer = await door.connect()
            writer.write(
                f"{method} {BATCH} HTTP/1.1\r\nHost: localhost:{door.server.port}\r\nAuthorization: Bearer x\r\n\r\n".encode()
            )
            async with asyncio.timeout(20):
                assert b" 405 " in await reader.readline()
            writer.close()


@on_the_loop
async def test_ingest_answers_on_a_connection_that_goes_on() -> None:
    async with opened() as door:
        reader, writer = await door.connect()
        for _ in range(3):
            writer.write(door.head(BATCH, "Content-Length: 2") + b"{}")
            assert (await answer(reader))[0] == 503
        assert door.places.held_bytes == 0
        writer.close()
