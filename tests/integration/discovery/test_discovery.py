"""Announcements on a real socket of loopback, and scans that find routers of the lab there."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest

from mtd.core.clock import SYSTEM_CLOCK
from mtd.core.errors import Misconfigured, Refused
from mtd.discovery.config import DiscoveryConfig
from mtd.discovery.errors import ScanBusy, SubnetNotListed
from mtd.discovery.knocks import Answer, Door, knock
from mtd.discovery.listener import MndpListener
from mtd.discovery.scan import Finding, Scanner
from mtd.discovery.sightings import Sightings
from mtd.lab.scenario import RouterSpec, Scenario
from mtd.lab.service import Endpoint, Lab
from mtd.model.device import DEFAULT_TENANT_ID
from mtd.model.observation import StateChange
from mtd.model.sighting import FoundBy, Sighting
from mtd.sources.tcp.reactor import default_reactor
from mtd.sources.tcp.services import API, REST
from mtd.testing import run_async
from mtd.testing.metrics import metric

ANNOUNCEMENT = (
    b"\0\0\0\1"
    + struct.pack(">HH", 1, 6) + bytes.fromhex("488f5a0000a1")
    + struct.pack(">HH", 5, 6) + b"core-1"
)  # fmt: skip


class Notes:
    """A recorder that keeps what it is told."""

    def __init__(self) -> None:
        self.sightings: list[Sighting] = []
        self.changes: list[StateChange] = []

    def record_sighting(self, _tenant_id: str, sighting: Sighting) -> None:
        self.sightings.append(sighting)

    def record_event(self, change: StateChange) -> None:
        self.changes.append(change)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.005)


# -- announcements ------------------------------------------------------------


def listening(body: Callable[[MndpListener, list[Sighting]], Awaitable[None]], **settings: Any) -> None:
    async def main() -> None:
        seen: list[Sighting] = []
        config = DiscoveryConfig(mndp=True, mndp_host="127.0.0.1", mndp_port=0, **settings)
        listener = MndpListener(config, seen.append, SYSTEM_CLOCK, default_reactor())
        listener.start()
        try:
            await body(listener, seen)
        finally:
            await listener.stop()

    run_async(main())


def send(port: int, *datagrams: bytes) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for datagram in datagrams:
            sender.sendto(datagram, ("127.0.0.1", port))


def test_an_announcement_is_a_sighting_and_the_rest_is_counted() -> None:
    dropped = "mtd_discovery_datagrams_dropped_total"

    async def body(listener: MndpListener, seen: list[Sighting]) -> None:
        before = {reason: metric(dropped, reason=reason) for reason in ("a request", "cut off")}
        send(listener.port, bytes(4), ANNOUNCEMENT[:-1], b"", ANNOUNCEMENT)
        await until(lambda: bool(seen))
        assert seen == [Sighting(FoundBy.MNDP, "127.0.0.1", "48:8F:5A:00:00:A1", "core-1")]
        assert {reason: metric(dropped, reason=reason) - was for reason, was in before.items()} == {
            "a request": 1,
            "cut off": 1,
        }

    listening(body)


def test_a_flood_is_dropped_and_counted() -> None:
    async def body(listener: MndpListener, seen: list[Sighting]) -> None:
        before, received = (
            metric("mtd_discovery_datagrams_dropped_total", reason="too many"),
            metric("mtd_discovery_datagrams_total"),
        )
        send(listener.port, *[ANNOUNCEMENT] * 50)
        await until(lambda: metric("mtd_discovery_datagrams_total") - received == 50)
        assert len(seen) < 50
        assert metric("mtd_discovery_datagrams_dropped_total", reason="too many") - before == 50 - len(seen)

    listening(body, max_datagrams_per_s=1)


def test_a_port_that_is_taken_is_told() -> None:
    async def body(listener: MndpListener, _: list[Sighting]) -> None:
        config = DiscoveryConfig(mndp_host="127.0.0.1", mndp_port=listener.port)
        with pytest.raises(Misconfigured, match=r"set discovery\.mndp = false"):
            MndpListener(config, print, SYSTEM_CLOCK, default_reactor()).start()

    listening(body)


# -- scans --------------------------------------------------------------------


@asynccontextmanager
async def lab(**routers: dict[str, Any]) -> AsyncIterator[dict[str, Endpoint]]:
    specs = [RouterSpec.model_validate({"name": name} | settings) for name, settings in routers.items()]
    running = Lab(Scenario(router=specs))
    endpoints = {endpoint.name: endpoint for endpoint in await running.start()}
    try:
        yield endpoints
    finally:
        await running.stop()


def scanner(notes: Notes, doors: tuple[Door, ...], web: tuple[Door, ...] = (), **settings: Any) -> Scanner:
    config = DiscoveryConfig(
        **({"subnets": ["127.0.0.0/28"], "scan_per_s": 10_000, "scan_timeout_s": 20} | settings)
    )
    sightings = Sightings(notes, config, SYSTEM_CLOCK)  # type: ignore[arg-type]
    return Scanner(
        config, DEFAULT_TENANT_ID, sightings, notes, default_reactor(), api_doors=doors, web_doors=web  # type: ignore[arg-type]
    )  # fmt: skip


def door(endpoint: Endpoint, *, tls: bool = False) -> Door:
    return Door(endpoint.port, Answer.API_SSL if tls else Answer.API, tls=tls, service=API)


def test_a_scan_tells_who_answers_and_how_far_it_is() -> None:
    async def main() -> None:
        notes = Notes()
        async with lab(plain={}, old={"version": "6.42.12"}) as found:
            doors = (door(found["plain"]), door(found["old"]))
            reports = [
                report
                async for report in scanner(notes, doors).scan(DEFAULT_TENANT_ID, "127.0.0.0/30", "ann")
            ]
            sessions = {name: endpoint for name, endpoint in found.items()}
        findings = [finding for report in reports for finding in report.findings]
        assert findings == [
            Finding("127.0.0.1", sessions["plain"].port, Answer.API),
            Finding("127.0.0.1", sessions["old"].port, Answer.API),
        ]
        assert (reports[-1].addresses, reports[-1].done, reports[-1].complete) == (2, 2, True)
        (sighting,) = notes.sightings
        assert (sighting.address, sighting.ports) == ("127.0.0.1", tuple(d.port for d in doors))
        assert [change.new for change in notes.changes] == ["running", "done"]
        assert "ann had scanned, done: 2 of 2 addresses, 1 routers" in notes.changes[1].message

    run_async(main())


@pytest.mark.parametrize("tls", ["self-signed", "anonymous"])
def test_the_api_is_found_behind_tls_of_either_kind(tls: str) -> None:
    async def main() -> None:
        async with lab(secret={"tls": tls}) as found:
            secure = door(found["secret"], tls=True)
            assert await knock("127.0.0.1", secure, default_reactor(), 20.0) is Answer.API_SSL
            plain = door(found["secret"])
            assert await knock("127.0.0.1", plain, default_reactor(), 0.5) is Answer.OPEN

    run_async(main())


def test_nobody_ever_tries_to_log_in() -> None:
    async def main() -> None:
        running = Lab(Scenario(router=[RouterSpec(name="gw")]))
        (endpoint,) = await running.start()
        try:
            assert await knock("127.0.0.1", door(endpoint), default_reactor(), 20.0) is Answer.API
            stats = running.routers["gw"].state.stats
            assert (stats.logins, stats.logins_failed, stats.wire_errors) == (0, 0, 0)
        finally:
            await running.stop()

    run_async(main())


def test_rest_is_known_and_a_web_server_is_just_open() -> None:
    async def serve(answer: bytes) -> Answer | None:
        async def reply(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            request = await reader.readuntil(b"\r\n\r\n")
            assert b"authorization" not in request.lower()
            writer.write(answer)
            writer.close()

        server = await asyncio.start_server(reply, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        try:
            rest = Door(port, Answer.REST, tls=False, service=REST)
            return await knock("127.0.0.1", rest, default_reactor(), 20.0)
        finally:
            server.close()
            await server.wait_closed()

    async def main() -> None:
        refusal = b'HTTP/1.1 401 Unauthorized\r\n\r\n{"error":401,"message":"Unauthorized"}'
        assert await serve(refusal) is Answer.REST
        assert await serve(b"HTTP/1.1 401 Unauthorized\r\n\r\nwho are you?") is Answer.OPEN
        assert await serve(b"HTTP/1.1 404 Not Found\r\n\r\n") is Answer.OPEN

    run_async(main())


def test_a_closed_port_and_a_silent_one() -> None:
    async def main() -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            closed = Door(taken.getsockname()[1], Answer.API, tls=False, service=API)
            assert await knock("127.0.0.1", closed, default_reactor(), 20.0) is None
            taken.listen()
            assert await knock("127.0.0.1", closed, default_reactor(), 0.5) is Answer.OPEN

    run_async(main())


@pytest.mark.parametrize(
    ("subnet", "error"),
    [
        ("10.0.0.0/24", SubnetNotListed),
        ("127.0.0.0/24", SubnetNotListed),  # larger than what is listed
        ("::1/128", SubnetNotListed),
        ("127.0.0.0/28", Refused),  # more than a scan may have
        ("everything", Refused),
    ],
)
def test_only_what_is_listed_is_scanned(subnet: str, error: type[Exception]) -> None:
    async def main() -> None:
        notes = Notes()
        with pytest.raises(error):
            await anext(scanner(notes, (), scan_max_addresses=4).scan(DEFAULT_TENANT_ID, subnet, "ann"))
        assert notes.changes == []

    run_async(main())


def test_another_tenant_has_no_subnets() -> None:
    async def main() -> None:
        with pytest.raises(SubnetNotListed):
            await anext(
                scanner(Notes(), ()).scan("20000000-0000-4000-8000-000000000002", "127.0.0.0/30", "eve")
            )

    run_async(main())


def test_a_scan_can_be_cancelled_and_one_runs_at_a_time() -> None:
    async def main() -> None:
        notes = Notes()
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen()
            port = silent.getsockname()[1]
            one = scanner(notes, (Door(port, Answer.API, tls=False, service=API),))
            parts = one.scan(DEFAULT_TENANT_ID, "127.0.0.1/32", "ann")
            async with aclosing(parts):
                first = await anext(parts)
                assert (first.done, first.complete) == (0, False)
                with pytest.raises(ScanBusy, match="127.0.0.1/32 is being scanned"):
                    await anext(one.scan(DEFAULT_TENANT_ID, "127.0.0.2/32", "ann"))
            assert notes.changes[-1].new == "cancelled"
            again = one.scan(DEFAULT_TENANT_ID, "127.0.0.1/32", "ann")
            await anext(again)
            await again.aclose()

    run_async(main())
