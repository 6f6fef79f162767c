"""Pages for Prometheus on a real socket."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from mtd.api.config import HttpConfig
from mtd.api.http.exposition import Format
from mtd.api.http.prometheus_pages import PrometheusPages
from mtd.api.http.roster import Rosters
from mtd.api.http.server import HttpServer
from mtd.core.errors import Retryable
from mtd.model.device import DeviceStatus
from mtd.testing import run_async
from mtd.testing.metrics import metric
from tests.unit.api.fakes import FakeInventory, FakeReadiness, declared, frame
from tests.unit.api.prometheus_kit import Exporter, key, samples_of, view

OPENMETRICS = "application/openmetrics-text;version=1.0.0"


class Inventory(FakeInventory):
    """Counts its readers, and can be away."""

    reads = 0

    async def list_page(self, tenant_id: str, page_size: int, page_token: str) -> object:  # type: ignore[override]
        """Return a page, of one device each so that there are several."""
        self.reads += 1
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error
        return await super().list_page(tenant_id, 1, page_token)


@dataclass
class Door:
    """An open door, and what is behind it."""

    server: HttpServer
    exporter: Exporter
    inventory: Inventory

    async def get(self, path: str, **headers: str) -> tuple[int, Mapping[str, str], bytes]:
        """Return status, headers and body."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.server.port)
        lines = [
            f"GET {path} HTTP/1.1",
            f"Host: {headers.pop('host', f'localhost:{self.server.port}')}",
            "Connection: close",
        ]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        writer.write("\r\n".join([*lines, "", ""]).encode())
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        writer.close()
        await writer.wait_closed()
        first, *others = head.decode().split("\r\n")
        found = {name.lower(): value for name, _, value in (line.partition(": ") for line in others)}
        return int(first.split()[1]), found, body

    async def devices_in(self, path: str) -> set[str]:
        """Return which devices a page tells of."""
        status, _, body = await self.get(path)
        assert status == 200, body
        return {dict(labels)["device"] for _, labels in samples_of(body.decode(), Format.TEXT)}


@asynccontextmanager
async def opened(**settings: Any) -> AsyncIterator[Door]:
    """Open a door to two routers that share a host, and one that is switched off."""
    exporter = Exporter(declared(), frame(1_000_000_000_000), names=("core", "edge", "old"))
    inventory = Inventory()
    for number, name in enumerate(("core", "edge", "old"), 1):
        known = view(
            f"d{number}", name, host="192.0.2.7" if name != "old" else "192.0.2.9", port=8000 + number
        )
        inventory.devices[known.device_id] = known
    inventory.devices["d1"] = replace(inventory.devices["d1"], routeros_version="7.16.2", identity="Kärnan")
    inventory.devices["d2"] = replace(inventory.devices["d2"], status=DeviceStatus.DOWN)
    inventory.devices["d3"] = replace(inventory.devices["d3"], status=DeviceStatus.DISABLED)
    server = HttpServer(FakeReadiness(), HttpConfig(port=0, **settings), CollectorRegistry())
    server.mount(PrometheusPages(Rosters(inventory, exporter.clock), exporter.metrics))
    await server.start()
    try:
        yield Door(server, exporter, inventory)
    finally:
        await server.stop()


def counted(route: str, code: int) -> float:
    return metric("mtd_api_http_requests_total", route=route, code=str(code))


EVERYTHING = [
    "/",
    "/metrics",
    "/metrics/devices",
    "/probe?target=core",
    "/sd",
    "/no",
    "/console/",
    "/healthz/",
]
OTHERS = {
    "host": {"host": "rebound.example:9470"},
    "origin": {"origin": "http://evil.example"},
    "site": {"sec_fetch_site": "cross-site", "sec_fetch_mode": "no-cors", "sec_fetch_dest": "script"},
}


def refused(reason: str) -> float:
    return metric("mtd_api_http_requests_refused_total", reason=reason)


@pytest.mark.parametrize("path", EVERYTHING)
@pytest.mark.parametrize("reason", OTHERS)
def test_pages_of_others_read_nothing(path: str, reason: str) -> None:
    async def main() -> None:
        async with opened() as door:
            before = refused(reason)
            status, headers, body = await door.get(path, **OTHERS[reason])
            assert (status, headers["content-type"]) == (403, "application/json")
            assert set(json.loads(body)) == {"error", "hint"}
            assert headers["cross-origin-resource-policy"] == "same-origin"
            assert refused(reason) == before + 1

    run_async(main())


@pytest.mark.parametrize("reason", OTHERS)
def test_probes_answer_everyone(reason: str) -> None:
    async def main() -> None:
        async with opened() as door:
            for path in ("/healthz", "/readyz"):
                assert (await door.get(path, **OTHERS[reason]))[0] == 200

    run_async(main())


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"host": "127.0.0.1:PORT"},
        {"host": "[::1]:PORT"},
        {"origin": "http://localhost:PORT"},
        {"sec_fetch_site": "none"},
        {"sec_fetch_site": "same-origin"},
        # A link in somebody's wiki.
        {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate", "sec_fetch_dest": "document"},
    ],
)
def test_who_may_come_in(headers: Mapping[str, str]) -> None:
    async def main() -> None:
        async with opened(allowed_hosts=["scrape.example.net:19470"]) as door:
            port = str(door.server.port)
            given = {name: value.replace("PORT", port) for name, value in headers.items()}
            assert (await door.get("/sd", **given))[0] == 200

    run_async(main())


def test_who_comes_by_another_name_says_who_they_are() -> None:
    async def main() -> None:
        async with opened(allowed_hosts=["scrape.example.net:19470"]) as door:
            assert (await door.get("/sd", host="scrape.example.net:19470"))[0] == 401

    run_async(main())


def test_all_devices_in_the_format_and_encoding_that_is_asked_for() -> None:
    async def main() -> None:
        async with opened() as door:
            before = counted("/metrics/devices", 200)
            status, headers, plain = await door.get("/metrics/devices")
            assert (status, headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
            found = samples_of(plain.decode(), Format.TEXT)
            ups = [found.get(key("up", device=name)) for name in ("core", "edge", "old")]
            assert ups == [1, 0, None]
            assert found[key("iface_rx_bytes_total", device="core", interface="*1")] == 10
            _, headers, packed = await door.get(
                "/metrics/devices", accept=OPENMETRICS, accept_encoding="gzip"
            )
            assert headers["content-encoding"] == "gzip"
            assert headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
            assert samples_of(gzip.decompress(packed).decode(), Format.OPENMETRICS) == found
            assert counted("/metrics/devices", 200) == before + 2

    run_async(main())


def test_one_device_by_name_id_or_host() -> None:
    async def main() -> None:
        async with opened() as door:
            assert await door.devices_in("/probe?target=core") == {"core"}
            assert await door.devices_in("/probe?target=d2&module=ignored") == {"edge"}
            assert await door.devices_in("/probe?target=192.0.2.9") == {"old"}
            assert await door.devices_in("/probe?target=192.0.2.7:8002") == {"edge"}
            assert await door.devices_in("/probe?target=core&target=edge&target=d1") == {"core", "edge"}

    run_async(main())


@pytest.mark.parametrize(
    ("query", "code", "text"),
    [
        ("", 400, "/probe?target=NAME"),
        ("?target=", 400, "/probe?target=NAME"),
        ("?target=nobody", 404, "there is no device with the name, id or host 'nobody'"),
        ("?target=%FF", 404, "there is no device"),
        (
            "?target=192.0.2.7",
            400,
            "2 devices have the host '192.0.2.7': give the name of one, as core, edge",
        ),
        ("?" + "target=core&" * 101, 400, "over the limit"),
    ],
)
def test_what_can_not_be_answered_is_told(query: str, code: int, text: str) -> None:
    async def main() -> None:
        async with opened() as door:
            before = counted("/probe", code)
            status, headers, body = await door.get("/probe" + query)
            assert (status, headers["content-type"]) == (code, "text/plain; charset=utf-8")
            assert text in body.decode()
            assert counted("/probe", code) == before + 1

    run_async(main())


def test_discovery_lists_what_is_polled() -> None:
    async def main() -> None:
        async with opened() as door:
            door.inventory.devices["d1"] = replace(
                door.inventory.devices["d1"],
                settings=replace(door.inventory.devices["d1"].settings, labels={"site.row": "Moss"}),
            )
            status, headers, body = await door.get("/sd")
            assert (status, headers["content-type"]) == (200, "application/json")
            core, edge = json.loads(body)
            assert core == {
                "targets": ["core"],
                "labels": {
                    "__meta_mtd_id": "d1",
                    "__meta_mtd_name": "core",
                    "__meta_mtd_host": "192.0.2.7",
                    "__meta_mtd_port": "8001",
                    "__meta_mtd_status": "up",
                    "__meta_mtd_version": "7.16.2",
                    "__meta_mtd_board": "",
                    "__meta_mtd_identity": "Kärnan",
                    "__meta_mtd_label_site_row": "Moss",
                },
            }
            assert (edge["targets"], edge["labels"]["__meta_mtd_status"]) == (["edge"], "down")

    run_async(main())


def test_the_inventory_is_read_once_for_many_scrapes() -> None:
    async def main() -> None:
        async with opened() as door:
            await asyncio.gather(
                *(door.devices_in(f"/probe?target={name}") for name in ("core", "edge", "old"))
            )
            # Three pages of one device each.
            assert door.inventory.reads == 3
            await door.devices_in("/metrics/devices")
            assert door.inventory.reads == 3
            door.exporter.clock.now_s += 3
            await door.devices_in("/metrics/devices")
            assert door.inventory.reads == 6

    run_async(main())


def test_without_a_database_scrapers_get_what_was_known() -> None:
    async def main() -> None:
        async with opened() as door:
            door.inventory.error = Retryable("the database is away")
            status, _, body = await door.get("/metrics/devices")
            assert status == 503
            assert b"the inventory can't be read: the database is away" in body
            door.inventory.error = None
            assert await door.devices_in("/metrics/devices") == {"core", "edge", "old"}
            door.inventory.error = Retryable("the database is away")
            door.exporter.clock.now_s += 3
            reads = door.inventory.reads
            for _ in range(3):
                assert await door.devices_in("/metrics/devices") == {"core", "edge", "old"}
            # It isn't asked again and again.
            assert door.inventory.reads == reads + 1
            door.inventory.error = None
            door.exporter.clock.now_s += 6
            del door.inventory.devices["d2"]
            assert await door.devices_in("/metrics/devices") == {"core", "old"}

    run_async(main())


def test_what_goes_on_ends_with_the_door() -> None:
    """A reader that waits for a database doesn't outlive the door that it reads for."""

    async def main() -> None:
        async with opened() as door:
            asked, ended = asyncio.Event(), asyncio.Event()

            async def hang(*_: object) -> object:
                asked.set()
                try:
                    await asyncio.sleep(3600)
                finally:
                    ended.set()

            door.inventory.list_page = hang  # type: ignore[assignment,method-assign]
            scrape = asyncio.ensure_future(door.get("/metrics/devices"))
            async with asyncio.timeout(10):
                await asked.wait()
            await door.server.stop()
            assert ended.is_set()
            with contextlib.suppress(Exception):  # it is cut off
                await scrape

    run_async(main())
