"""The HTTP door on a real socket."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from prometheus_client import CollectorRegistry, Counter

from mtd.api.config import HttpConfig
from mtd.api.http.server import HttpServer
from mtd.api.interfaces import ReadyCheck
from mtd.core.errors import Misconfigured
from mtd.testing import run_async
from mtd.testing.metrics import metric
from tests.unit.api.fakes import FakeReadiness


@asynccontextmanager
async def opened(
    *checks: ReadyCheck, registry: CollectorRegistry | None = None, **settings: float
) -> AsyncIterator[HttpServer]:
    server = HttpServer(
        FakeReadiness(*checks), HttpConfig(**{"port": 0} | settings), registry or CollectorRegistry()
    )
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


async def get(
    server: HttpServer, path: str, accept: str = "*/*", method: str = "GET"
) -> tuple[int, str, str]:
    """Return status, content type and body."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(
        f"{method} {path} HTTP/1.1\r\nHost: localhost:{server.port}\r\nAccept: {accept}\r\nConnection: close\r\n\r\n".encode()
    )
    answer = (await reader.read()).decode()
    writer.close()
    await writer.wait_closed()
    head, _, body = answer.partition("\r\n\r\n")
    lines = head.split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines[1:])
    return int(lines[0].split()[1]), headers.get("content-type", ""), body


def requests(route: str, code: int) -> float:
    return metric("mtd_api_http_requests_total", route=route, code=str(code))


def test_health_and_the_front_page() -> None:
    async def main() -> None:
        async with opened() as server:
            assert await get(server, "/healthz") == (200, "text/plain; charset=utf-8", "ok\n")
            status, _, body = await get(server, "/")
            assert status == 200
            assert "/metrics" in body
            assert "docs/" in body
            # Without a console there is nowhere to take a browser to.
            assert await get(server, "/", accept="text/html") == (200, "text/plain; charset=utf-8", body)
            assert "/console/" not in body
            before = requests("other", 404)
            assert (await get(server, "/" + "secret"))[0] == 404
            assert requests("other", 404) == before + 1
            assert (await get(server, "/healthz", method="POST"))[0] == 405
            assert await get(server, "/healthz", method="HEAD") == (200, "text/plain; charset=utf-8", "")

    run_async(main())


def test_readiness_gives_its_reasons() -> None:
    async def main() -> None:
        async with opened(
            ReadyCheck("log", ready=True), ReadyCheck("database", False, "connection refused")
        ) as server:
            status, kind, body = await get(server, "/readyz")
            assert (status, kind) == (503, "application/json")
            assert json.loads(body) == {
                "ready": False,
                "reasons": {"database": "connection refused"},
                "checks": {"log": True, "database": False},
            }
        async with opened(ReadyCheck("log", ready=True)) as server:
            status, _, body = await get(server, "/readyz")
            assert (status, json.loads(body)["ready"]) == (200, True)

    run_async(main())


@pytest.mark.parametrize(
    ("accept", "kind", "end"),
    [
        ("*/*", "text/plain; version=0.0.4; charset=utf-8", "42.0\n"),
        ("application/openmetrics-text;version=1.0.0,text/plain;q=0.5", "application/openmetrics-text; version=1.0.0", "# EOF\n"),
    ],
)  # fmt: skip
def test_metrics_come_in_the_format_that_is_asked_for(accept: str, kind: str, end: str) -> None:
    registry = CollectorRegistry()
    Counter("tried", "Things tried.", registry=registry).inc(42)

    async def main() -> None:
        async with opened(registry=registry) as server:
            status, got, body = await get(server, "/metrics", accept)
            assert status == 200
            assert got.startswith(kind)
            assert "tried_total 42.0" in body
            assert body.endswith(end) or "tried_created" in body

    run_async(main())


def test_a_slow_scrape_holds_nobody_and_is_shared() -> None:
    """Metrics that take long to read are read in a thread, once for all who ask meanwhile."""
    import threading

    gate = threading.Event()
    reads = []

    class Slow:
        def collect(self) -> list[object]:
            reads.append(threading.current_thread())
            gate.wait(10)
            return []

    registry = CollectorRegistry()
    registry.register(Slow())  # type: ignore[arg-type]
    reads.clear()

    async def main() -> None:
        async with opened(registry=registry) as server:
            scrapes = [asyncio.ensure_future(get(server, "/metrics")) for _ in range(3)]
            async with asyncio.timeout(5):
                while not reads:
                    await asyncio.sleep(0.005)
                assert (await get(server, "/healthz"))[0] == 200
            gate.set()
            assert [status for status, _, _ in await asyncio.gather(*scrapes)] == [200] * 3
            assert reads[0] is not threading.main_thread()
            assert len(reads) < 3

    gate.set()
    gate.clear()
    run_async(main())


def test_connections_above_the_limit_are_closed_and_counted() -> None:
    async def main() -> None:
        async with opened(max_connections=1) as server:
            before = metric("mtd_api_http_connections_refused_total")
            _, holding = await asyncio.open_connection("127.0.0.1", server.port)
            holding.write(b"GET")
            await holding.drain()
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            assert await reader.read() == b""
            writer.close()
            assert metric("mtd_api_http_connections_refused_total") == before + 1
            holding.close()
            await holding.wait_closed()

    run_async(main())


def test_stop_closes_connections_that_say_nothing() -> None:
    async def main() -> None:
        async with opened() as server:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(b"GET")
            await get(server, "/healthz")
            await server.stop()
            with pytest.raises(ConnectionError):
                raise_if_ended(await reader.read())
            writer.close()

    def raise_if_ended(data: bytes) -> None:
        if not data:
            raise ConnectionResetError

    run_async(main())


def test_a_port_that_can_not_be_had_is_told() -> None:
    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            server = HttpServer(FakeReadiness(), HttpConfig(port=taken.getsockname()[1]))
            with pytest.raises(Misconfigured, match=r"set http\.port"):
                await server.start()
            await server.stop()

    run_async(main())
