"""What callers of a hub ask of devices that edges poll."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mtd.api.link.reach import NotLinked, Reach
from mtd.core.errors import NotFound, Refused, Retryable
from mtd.diagnostics.config import DiagnosticsConfig
from mtd.diagnostics.errors import RouterRefused, ToolForbidden
from mtd.diagnostics.performing import EndReason, Performer, RunEnd
from mtd.diagnostics.plans import Bounds, Ping, Torch, Wish
from mtd.diagnostics.runner import ToolRunner
from mtd.lab.scenario import RouterSpec, Scenario
from mtd.lab.service import Lab
from mtd.link.hands import EdgeHands
from mtd.model.assignment import AssignedDevice
from mtd.model.device import DEFAULT_TENANT_ID, Device, Outcome, Way
from mtd.model.metric import Tier
from mtd.model.polled import PolledTier, PollResult
from mtd.model.principal import CallerKind, Principal, Role
from mtd.queries.pollers import Poller
from mtd.scheduler.errors import PollTooSoon
from mtd.sources.errors import SessionFailed
from mtd.sources.routeros_api import test_connection as try_connection
from tests.integration.diagnostics.test_runner import Timeline, interface_of
from tests.integration.link.kit import Decided, Site, until, with_site
from tests.integration.sources.devices import lab_device

ANN = Principal(CallerKind.USER, "ann", DEFAULT_TENANT_ID, Role.OPERATOR, "ipv4:192.0.2.1:4711")


class Probes:
    """The scheduler of an edge, as far as commands know it."""

    def __init__(self) -> None:
        self.probed: list[str] = []
        self.failure: Exception | None = None

    async def refresh_capabilities(self, device_id: str) -> None:
        if self.failure is not None:
            raise self.failure
        self.probed.append(device_id)

    async def poll_now(self, device_id: str, tiers: frozenset[Tier]) -> list[PolledTier]:
        if self.failure is not None:
            raise self.failure
        return [PolledTier(tier, PollResult.POLLED, "", 3, 1500) for tier in sorted(tiers)]


class Bench:
    """A hub, an edge with a router of the lab, and what callers get of it."""

    def __init__(self, site: Site, lab: Lab, device: Device, probes: Probes) -> None:
        self.site, self.lab, self.device, self.probes = site, lab, device, probes
        self.poller: Poller | None = None
        self.reach = Reach(site.desk, self._poller_of)
        self.timeline = Timeline()
        recorder: Any = self.timeline
        self.runner = ToolRunner(self._find, recorder, DiagnosticsConfig(), elsewhere=self.reach.tools_of)

    async def _poller_of(self, device_id: str, tenant_id: str) -> Poller | None:
        return self.poller

    async def _find(self, tenant_id: str, name: str) -> Device:
        return self.device

    async def run(self, wish: Wish) -> tuple[list[Any], RunEnd]:
        parts = [part async for part in self.runner.run(DEFAULT_TENANT_ID, "gw", wish, ANN)]
        end = parts.pop()
        assert isinstance(end, RunEnd)
        return [row for part in parts if not isinstance(part, RunEnd) for row in part], end


@asynccontextmanager
async def edge_with_router(
    site: Site, decided: Decided, router: dict[str, Any], config: dict[str, Any]
) -> AsyncIterator[Bench]:
    lab = Lab(Scenario(router=[RouterSpec.model_validate({"name": "gw"} | router)]))
    (endpoint,) = await lab.start()
    try:
        device = lab_device(endpoint, command_timeout_s=20.0, connect_timeout_s=20.0)
        probes: Any = Probes()
        settings = DiagnosticsConfig(**config)

        async def written() -> tuple[str, int]:
            return "log-1", 42

        hands = EdgeHands(settings, Performer(settings), {Way.API: try_connection}, lambda: probes, written)
        decided.assign("edge-1", 1, AssignedDevice(device, 1))
        edge = await site.edge("edge-1", handler=hands)
        await edge.until(AssignedDevice(device, 1))
        yield Bench(site, lab, device, probes)
    finally:
        await lab.stop()


def on_bench(
    folder: Path,
    dsn: str,
    body: Callable[[Bench], Awaitable[None]],
    config: dict[str, Any] | None = None,
    **router: Any,
) -> None:
    async def main(site: Site, decided: Decided) -> None:
        async with edge_with_router(site, decided, router, config or {}) as bench:
            await body(bench)

    with_site(folder, dsn, main)


def test_tools_tests_and_probes_run_at_the_edge(tmp_path: Path, postgres_dsn: str) -> None:
    async def body(bench: Bench) -> None:
        device, reach = bench.device, bench.reach
        # A tool: its rows, its end, and its account on the timeline of the hub.
        rows, end = await bench.run(Ping("192.0.2.7", count=3, interval_ms=10))
        assert [row["sequence"] for row in rows] == [0, 1, 2]
        assert (end.reason, end.rows) == (EndReason.FINISHED, 3)
        assert bench.timeline.results == ["running", "done"]
        assert bench.timeline.kept[0]["row_count"] == 3
        with pytest.raises(Refused, match="no interface"):
            await bench.run(Torch("nowhere"))
        # One that the caller goes away from ends on the router, too.
        wish = Torch(interface_of(bench.lab), bounds=Bounds(seconds=60.0))
        async with aclosing(bench.runner.run(DEFAULT_TENANT_ID, "gw", wish, ANN)) as parts:
            await anext(parts)
        stats = bench.lab.routers["gw"].state.stats
        await until(lambda: not stats.sessions_open)
        assert bench.timeline.results[-1] == "cancelled"
        # A connection test, of the login that it is given.
        tested = await reach.test(device, "")
        assert tested is not None
        assert (tested.serves, tested.told.identity) == (Way.API, "gw")
        wrong = await reach.test(replace(device, password="wrong"), "")
        assert wrong is not None
        assert wrong.outcome is Outcome.LOGIN_FAILED
        # A probe, and how far to wait for what it found.
        assert await reach.refresh(device.device_id, DEFAULT_TENANT_ID) == ("log-1", 42)
        assert bench.probes.probed == [device.device_id]
        bench.probes.failure = SessionFailed(Outcome.TIMED_OUT, "no answer")
        with pytest.raises(SessionFailed, match="no answer"):
            await reach.refresh(device.device_id, DEFAULT_TENANT_ID)
        # A poll, the same way; the edge bounds how often, and its hub says so.
        bench.probes.failure = None
        asked = frozenset({Tier.T2, Tier.T0})
        polled = [PolledTier(tier, PollResult.POLLED, "", 3, 1500) for tier in (Tier.T0, Tier.T2)]
        assert await reach.poll(device.device_id, DEFAULT_TENANT_ID, asked) == (polled, "log-1", 42)
        bench.probes.failure = PollTooSoon("gw was asked a moment ago", retry_after_s=4, hint="wait")
        with pytest.raises(PollTooSoon, match="'edge-1' says: gw was asked") as soon:
            await reach.poll(device.device_id, DEFAULT_TENANT_ID, asked)
        assert (soon.value.retry_after_s, soon.value.hint) == (4, "wait")
        bench.probes.failure = ValueError("hunter2")
        with pytest.raises(Retryable, match="ValueError") as failed:
            await reach.refresh(device.device_id, DEFAULT_TENANT_ID)
        assert "hunter2" not in str(failed.value)

    on_bench(tmp_path, postgres_dsn, body)


def test_what_cant_be_done_says_who_could(tmp_path: Path, postgres_dsn: str) -> None:
    async def body(bench: Bench) -> None:
        reach, device = bench.reach, bench.device
        with pytest.raises(Refused, match="'edge-1', which polls the device, doesn't do tool:torch"):
            await bench.run(Torch(interface_of(bench.lab)))
        with pytest.raises(ToolForbidden, match="for longer"):
            await bench.run(Ping("192.0.2.7", bounds=Bounds(seconds=30.0)))
        other = replace(device, device_id="00000000-0000-4000-8000-0000000000ff")
        # Nobody's, or a hub's: it is done here.
        assert await reach.tools_of(other) is None
        bench.poller = Poller("hub", "hub", edge=False, online=True)
        assert await reach.test(other, "") is None
        assert await reach.poll(other.device_id, DEFAULT_TENANT_ID, frozenset(Tier)) is None
        bench.poller = Poller("c", "edge-9", edge=True, online=True)
        with pytest.raises(NotLinked, match="'edge-9', which isn't linked with this hub"):
            await reach.refresh(other.device_id, DEFAULT_TENANT_ID)
        bench.poller = Poller("c", "edge-9", edge=True, online=False)
        with pytest.raises(NotLinked, match="isn't heard of"):
            await reach.tools_of(other)
        # An edge leaves devices alone that it doesn't poll, whatever its hub says.
        (link,) = bench.site.desk.links()
        link.told[other.device_id] = AssignedDevice(other, 1)  # type: ignore[index]
        with pytest.raises(NotFound, match="doesn't poll the device"):
            await reach.test(other, "")

    config = {"tools": ["ping"], "default_seconds": 2.0, "max_seconds": 5.0, "max_bandwidth_seconds": 5.0}
    on_bench(tmp_path, postgres_dsn, body, config)


def test_a_link_that_ends_ends_its_commands(tmp_path: Path, postgres_dsn: str) -> None:
    async def body(bench: Bench) -> None:
        wish = Torch(interface_of(bench.lab), bounds=Bounds(seconds=60.0))
        running = asyncio.ensure_future(bench.run(wish))
        await until(lambda: bench.timeline.results == ["running"])
        await until(lambda: bench.lab.routers["gw"].state.stats.sessions_open)
        await bench.site.edges[0].kill()
        with pytest.raises(Retryable, match="link with the collector 'edge-1' ended"):
            await running
        assert bench.timeline.results == ["running", "failed"]
        await until(lambda: not bench.lab.routers["gw"].state.stats.sessions_open)

    on_bench(tmp_path, postgres_dsn, body)


def test_refusals_of_routers_stay_what_they_are(tmp_path: Path, postgres_dsn: str) -> None:
    async def body(bench: Bench) -> None:
        with pytest.raises(RouterRefused, match="policy 'test'"):
            await bench.run(Ping("192.0.2.7"))

    on_bench(tmp_path, postgres_dsn, body, policies=["read", "api"])
