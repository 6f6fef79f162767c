"""Tools on routers of the lab, and on one whose every word the test decides."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from mtd.core.errors import NotFound, QuotaExceeded, Refused, Retryable
from mtd.diagnostics.config import DiagnosticsConfig
from mtd.diagnostics.errors import RouterRefused, ToolBusy, ToolForbidden
from mtd.diagnostics.performing import EndReason, RunEnd
from mtd.diagnostics.plans import BandwidthTest, Bounds, Ping, Sniff, Torch, Traceroute, Wish
from mtd.diagnostics.runner import ToolRunner
from mtd.diagnostics.tools import ToolRow
from mtd.lab.scenario import RouterSpec, Scenario
from mtd.lab.service import Lab
from mtd.model.device import DEFAULT_TENANT_ID, Device, Outcome, Way
from mtd.model.observation import Document, StateChange
from mtd.model.principal import CallerKind, Principal, Role
from mtd.sources.errors import SessionFailed
from mtd.testing import run_async
from mtd.testing.metrics import metric
from tests.integration.sources.devices import device, lab_device
from tests.integration.sources.scripted_router import Peer, ScriptedRouter, Sentence, running, tag_of

BOTH = pytest.mark.parametrize("version", ["6.49.10", "7.16.2"])
ONE_SECOND = Bounds(seconds=1.0)
ANN = Principal(CallerKind.USER, "ann", DEFAULT_TENANT_ID, Role.OPERATOR, "ipv4:192.0.2.1:4711")
OTHER_TENANT = "20000000-0000-4000-8000-000000000002"


class Timeline:
    """Keeps what a recorder is told."""

    def __init__(self) -> None:
        self.events: list[tuple[StateChange, Device]] = []
        self.documents: list[Document] = []

    def record_event(self, change: StateChange, device: Device) -> None:
        self.events.append((change, device))

    def record_document(self, device: Device, document: Document) -> None:
        self.documents.append(document)

    @property
    def kept(self) -> list[dict[str, Any]]:
        return [json.loads(document.content) for document in self.documents]

    @property
    def results(self) -> list[str]:
        return [change.new for change, _ in self.events]


class Bench:
    """A runner over some devices of one tenant."""

    def __init__(self, *devices: Device, **config: Any) -> None:
        self._devices = devices
        self.timeline = Timeline()
        self.runner = ToolRunner(self._find, self.timeline, DiagnosticsConfig(**config))  # type: ignore[arg-type]

    async def _find(self, tenant_id: str, name: str) -> Device:
        for one in self._devices:
            if one.tenant_id == tenant_id and name in (one.name, one.device_id):
                return one
        raise NotFound(f"there is no device {name!r}")

    async def all(
        self, wish: Wish, name: str = "gw", caller: Principal = ANN
    ) -> tuple[list[ToolRow], RunEnd]:
        rows: list[ToolRow] = []
        end: RunEnd | None = None
        async for part in self.runner.run(DEFAULT_TENANT_ID, name, wish, caller):
            if isinstance(part, RunEnd):
                end = part
            else:
                rows += part
        assert end is not None
        return rows, end


@asynccontextmanager
async def lab_bench(config: dict[str, Any] | None = None, **router: Any) -> AsyncIterator[tuple[Bench, Lab]]:
    lab = Lab(Scenario(router=[RouterSpec.model_validate({"name": "gw"} | router)]))
    (endpoint,) = await lab.start()
    try:
        yield (
            Bench(lab_device(endpoint, command_timeout_s=20.0, connect_timeout_s=20.0), **(config or {})),
            lab,
        )
    finally:
        await lab.stop()


def on_lab(
    body: Callable[[Bench, Lab], Awaitable[None]], config: dict[str, Any] | None = None, **router: Any
) -> None:
    async def main() -> None:
        async with lab_bench(config, **router) as (bench, lab):
            await body(bench, lab)

    run_async(main())


def interface_of(lab: Lab) -> str:
    truth = lab.routers["gw"].truth
    segment = truth.segment(lab.routers["gw"].state.clock.now_tick())
    return truth.label(segment, truth.shown(segment)[0])[0]


@BOTH
def test_every_tool_runs_on_both_versions(version: str) -> None:
    async def body(bench: Bench, lab: Lab) -> None:
        name = interface_of(lab)
        pings, end = await bench.all(Ping("192.0.2.7", count=3, interval_ms=10))
        assert [row["sequence"] for row in pings] == [0, 1, 2]
        assert pings[-1]["received"] == 3
        assert (end.reason, end.rows) == (EndReason.FINISHED, 3)
        hops, _ = await bench.all(Traceroute("192.0.2.7", count=2))
        assert hops[-1]["address"] == "192.0.2.7"
        assert {row["section"] for row in hops} == {0, 1}
        flows, end = await bench.all(Torch(name, bounds=ONE_SECOND))
        assert {"source_address", "destination_address", "ip_protocol", "rx_bps"} <= flows[0].keys()
        assert end.reason is EndReason.TIME
        packets, _ = await bench.all(Sniff(name, bounds=ONE_SECOND))
        assert packets[0]["interface"] == name
        assert not any("45000034" in str(value) for row in packets for value in row.values())
        samples, _ = await bench.all(BandwidthTest("192.0.2.9", max_bps=1_000_000, bounds=ONE_SECOND))
        assert samples[-1]["status"] == "done testing"
        assert 0 < int(samples[-1]["rx_bps"]) <= 1_000_000
        assert bench.timeline.results == ["running", "done"] * 5
        async with asyncio.timeout(20):  # the router sees the end of a session a moment after us
            while lab.routers["gw"].state.stats.sessions_open:
                await asyncio.sleep(0.01)

    on_lab(body, version=version)


def test_a_run_is_told_who_had_it_run_and_what_came_of_it() -> None:
    async def body(bench: Bench, _: Lab) -> None:
        await bench.all(BandwidthTest("192.0.2.9", user="u", password="geheim", bounds=ONE_SECOND))
        (began, of), (ended, _) = bench.timeline.events
        assert of.name == "gw"
        assert (began.event_type, ended.event_type) == ("tool.started", "tool.ended")
        assert "user ann at ipv4:192.0.2.1:4711 has bandwidth-test address=192.0.2.9" in began.message
        assert "done: 2 rows" in ended.message
        assert "geheim" not in began.message + ended.message

    on_lab(body)


def test_an_interface_that_is_not_there_is_told() -> None:
    async def body(bench: Bench, lab: Lab) -> None:
        with pytest.raises(Refused, match="gw has no interface 'ether99'"):
            await bench.all(Torch("ether99"))
        assert "/tool/torch" not in lab.routers["gw"].state.stats.commands
        assert bench.timeline.results == ["running", "failed"]

    on_lab(body)


@pytest.mark.parametrize(("wish", "policy"), [(Ping("192.0.2.1"), "test"), (None, "sniff")])
def test_the_right_that_is_missing_is_named(wish: Wish | None, policy: str) -> None:
    async def body(bench: Bench, lab: Lab) -> None:
        with pytest.raises(RouterRefused, match=f"'mtd' the policy '{policy}'"):
            await bench.all(wish or Sniff(interface_of(lab)))
        assert bench.timeline.results == ["running", "refused"]

    on_lab(body, policies=["read", "api"])


def test_rows_are_bounded_and_the_router_is_told_to_stop() -> None:
    async def body(bench: Bench, lab: Lab) -> None:
        pings, end = await bench.all(Ping("192.0.2.7", interval_ms=10, bounds=Bounds(60.0, 3)))
        assert [row["sequence"] for row in pings] == [0, 1, 2]
        packets, more = await bench.all(Sniff(interface_of(lab), bounds=Bounds(60.0, 5)))
        assert (len(packets), more.reason) == (5, EndReason.ROWS)  # eight come at once
        assert end.rows == 3

    on_lab(body)


def test_a_run_that_the_router_does_not_end_is_cancelled_at_its_time() -> None:
    heard: list[bytes] = []

    async def endless(peer: Peer, sentence: Sentence) -> None:
        heard.append(sentence[0])
        if sentence[0] == b"/cancel":
            target = b".tag=" + next(word[5:] for word in sentence if word.startswith(b"=tag="))
            peer.say(b"!trap", b"=category=2", b"=message=interrupted", tag=target)
            peer.say(b"!done", tag=target)
        elif sentence[0] == b"/tool/traceroute":
            peer.say(b"!re", b"=address=192.0.2.1", b"=loss=0", tag=tag_of(sentence))
            return
        peer.say(b"!done", tag=tag_of(sentence))

    async def main() -> None:
        async with running(ScriptedRouter(endless)) as router:
            bench = Bench(device(router.port))
            rows, end = await bench.all(Traceroute("192.0.2.9", bounds=Bounds(seconds=0.2)))
        assert rows == [{"address": "192.0.2.1", "loss_pct": 0}]
        assert end.reason is EndReason.TIME
        assert heard == [b"/tool/traceroute", b"/cancel"]

    run_async(main())


def test_one_tool_at_a_time_on_a_router_and_so_many_in_all() -> None:
    async def body(bench: Bench, lab: Lab) -> None:
        first = bench.runner.run(DEFAULT_TENANT_ID, "gw", Ping("192.0.2.7", interval_ms=10), ANN)
        async with aclosing(first):
            await anext(first)
            assert metric("mtd_diagnostics_running") == 1
            with pytest.raises(ToolBusy, match="gw runs ping already"):
                await bench.all(Ping("192.0.2.8"))
            with pytest.raises(ToolBusy, match="1 tools run already"):
                await bench.all(Ping("192.0.2.8"), "other")
        rows, _ = await bench.all(Ping("192.0.2.8", count=1))
        assert len(rows) == 1
        assert metric("mtd_diagnostics_running") == 0

    async def main() -> None:
        async with lab_bench({"max_runs": 1}) as (bench, lab):
            other = replace(bench._devices[0], name="other", device_id="00000000-0000-4000-8000-0000000000aa")
            bench._devices = (*bench._devices, other)
            await body(bench, lab)

    run_async(main())


def test_one_tenant_takes_not_all_places() -> None:
    async def main() -> None:
        async with lab_bench({"max_runs": 2, "max_tenant_runs": 1}) as (bench, _):
            wish, gateway = Ping("192.0.2.7", interval_ms=10), bench._devices[0]
            other = replace(gateway, name="other", device_id=str(uuid.UUID(int=0xAA)))
            theirs = replace(other, device_id=str(uuid.UUID(int=0xBB)), tenant_id=OTHER_TENANT)
            bench._devices = (*bench._devices, other)
            async with aclosing(bench.runner.run(DEFAULT_TENANT_ID, "gw", wish, ANN)) as first:
                await anext(first)
                with pytest.raises(ToolBusy, match="1 tools of your tenant run already: ping"):
                    await bench.all(wish, "other")
                bench._devices = (theirs,)
                async with aclosing(bench.runner.run(OTHER_TENANT, "other", wish, ANN)) as second:
                    await anext(second)

    run_async(main())


def test_who_goes_away_has_the_tool_stopped_and_the_session_closed() -> None:
    async def body(bench: Bench, lab: Lab) -> None:
        state = lab.routers["gw"].state
        parts = bench.runner.run(DEFAULT_TENANT_ID, "gw", Ping("192.0.2.7", interval_ms=10), ANN)
        await anext(parts)
        assert state.stats.sessions_open == 1
        await parts.aclose()
        assert bench.timeline.results == ["running", "cancelled"]

        got = asyncio.Event()

        async def watch() -> None:
            async for _ in bench.runner.run(DEFAULT_TENANT_ID, "gw", Ping("192.0.2.7", interval_ms=10), ANN):
                got.set()

        task = asyncio.ensure_future(watch())
        await asyncio.wait_for(got.wait(), 20)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert bench.timeline.results[-1] == "cancelled"
        while state.stats.sessions_open:
            await asyncio.sleep(0.01)

    on_lab(body)


def test_other_tenants_routers_do_not_exist() -> None:
    async def body(bench: Bench, lab: Lab) -> None:
        with pytest.raises(NotFound):
            await anext(bench.runner.run(OTHER_TENANT, "gw", Ping("192.0.2.1"), "eve"))
        assert bench.timeline.events == []
        assert lab.routers["gw"].state.stats.connections == 0

    on_lab(body)


def test_a_router_that_is_away_or_that_only_snmp_reaches_is_told() -> None:
    async def main() -> None:
        bench = Bench(device(1), device(1, name="snmp", ways=(Way.SNMP,)))
        with pytest.raises(SessionFailed) as caught:
            await bench.all(Ping("192.0.2.1"))
        assert caught.value.outcome is Outcome.REFUSED
        assert bench.timeline.results == ["running", "failed"]
        with pytest.raises(Refused, match="isn't reached over the API"):
            await bench.all(Ping("192.0.2.1"), "snmp")

    run_async(main())


def test_the_session_of_polling_is_another_one() -> None:
    async def body(bench: Bench, lab: Lab) -> None:
        from mtd.model.command import Command
        from tests.integration.sources.devices import connected

        async with connected(bench._devices[0]) as polling:
            parts: Sequence[Any] = []
            async for part in bench.runner.run(DEFAULT_TENANT_ID, "gw", Ping("192.0.2.7", 5, 10), ANN):
                parts = [*parts, part]
                (reply,) = await polling.run([Command("/system/identity/print", ("name",))], 20.0)
                assert reply.rows.column("name") == (b"gw",)
            assert polling.connected
            assert lab.routers["gw"].state.stats.connections == 2

    on_lab(body)


def test_at_the_end_of_the_daemon_runs_are_ended_and_told() -> None:
    async def body(bench: Bench, lab: Lab) -> None:
        got = asyncio.Event()

        async def watch() -> None:
            async for _ in bench.runner.run(DEFAULT_TENANT_ID, "gw", Ping("192.0.2.7", interval_ms=10), ANN):
                got.set()

        task = asyncio.ensure_future(watch())
        await asyncio.wait_for(got.wait(), 20)
        await bench.runner.stop()
        assert task.cancelled()
        assert bench.timeline.results == ["running", "cancelled"]
        with pytest.raises(Retryable, match="about to stop"):
            await bench.all(Ping("192.0.2.7"))

    on_lab(body)


# -- from the collector, limits, and what is kept ------------------------------


def test_the_collector_pings_the_device_itself() -> None:
    async def body(bench: Bench, lab: Lab) -> None:
        rows, end = await bench.all(Ping("", count=2, interval_ms=10, from_collector=True))
        assert [row["status" if "status" in row else "sequence"] for row in rows] == [0, 1]
        assert rows[-1]["host"] == "127.0.0.1"
        assert (end.reason, end.rows) == (EndReason.FINISHED, 2)
        (kept,) = bench.timeline.kept
        assert kept["from_collector"]
        assert [row["sequence"] for row in kept["rows"]] == [0, 1]

    on_lab(body)


# The library leaves it to the interpreter to close its sockets, which it does at once.
@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_the_collector_traces_the_path_to_the_device() -> None:
    async def body(bench: Bench, lab: Lab) -> None:
        rows, _ = await bench.all(Traceroute("", count=2, from_collector=True))
        assert [row["address"] for row in rows] == ["127.0.0.1"]
        assert rows[0]["sent"] == 2

    on_lab(body)


def test_the_collector_looks_at_what_is_listed_and_nothing_else() -> None:
    async def body(bench: Bench, lab: Lab) -> None:
        for address in ("127.0.0.2", "::1"):
            with pytest.raises(ToolForbidden, match="collector_targets"):
                await bench.all(Ping(address, from_collector=True))
        assert bench.timeline.results == ["running", "failed"] * 2
        with pytest.raises(Refused, match="for pings from the router"):
            await bench.all(Ping("", interface="ether1", from_collector=True))
        with pytest.raises(Refused, match="for paths from the router"):
            await bench.all(Traceroute("", resolve_names=True, from_collector=True))

    async def listed(bench: Bench, lab: Lab) -> None:
        rows, _ = await bench.all(Ping("127.0.0.2", count=1, from_collector=True))
        assert rows[0]["host"] == "127.0.0.2"

    on_lab(body)
    on_lab(listed, {"collector_targets": ["127.0.0.0/29"]})


def test_a_collector_tool_ends_with_its_time() -> None:
    async def body(bench: Bench, lab: Lab) -> None:
        wish = Ping("192.0.2.1", interval_ms=50, bounds=Bounds(seconds=0.3), from_collector=True)
        _, end = await bench.all(wish)
        assert end.reason is EndReason.TIME

    on_lab(body, {"collector_targets": ["192.0.2.0/24"]})


def test_runs_within_an_hour_are_limited_by_caller_and_by_tenant() -> None:
    other = replace(ANN, name="bob")

    async def body(bench: Bench, lab: Lab) -> None:
        wish = Ping("192.0.2.7", count=1)
        for _ in range(2):
            await bench.all(wish)
        with pytest.raises(
            QuotaExceeded, match="user ann has begun 2 runs within an hour, and 2 are allowed"
        ) as caught:
            await bench.all(wish)
        assert 3590 < caught.value.retry_after_s <= 3600
        await bench.all(wish, caller=other)
        with pytest.raises(QuotaExceeded, match="your tenant has begun 3 runs"):
            await bench.all(wish, caller=other)
        # What was refused was no run: nothing is told of it, nothing is counted.
        assert bench.timeline.results == ["running", "done"] * 3

    on_lab(body, {"max_runs_per_hour": 2, "max_tenant_runs_per_hour": 3})


@pytest.mark.parametrize("quota", [0, 1])
def test_a_tenants_quota_counts_where_it_is_lower(quota: int) -> None:
    async def limit(tenant_id: str) -> int | None:
        return quota

    async def body(bench: Bench, lab: Lab) -> None:
        runner = ToolRunner(bench._find, bench.timeline, DiagnosticsConfig(), tenant_limit=limit)  # type: ignore[arg-type]
        bench.runner = runner
        for _ in range(quota):
            await bench.all(Ping("192.0.2.7", count=1))
        with pytest.raises(QuotaExceeded, match=f"and {quota} are allowed"):
            await bench.all(Ping("192.0.2.7", count=1))

    on_lab(body)


def test_runs_are_kept_and_subscribers_addresses_are_not() -> None:
    async def body(bench: Bench, lab: Lab) -> None:
        name = interface_of(lab)
        pings, _ = await bench.all(Ping("192.0.2.7", count=3, interval_ms=10))
        flows, _ = await bench.all(Torch(name, bounds=ONE_SECOND))
        packets, _ = await bench.all(Sniff(name, bounds=ONE_SECOND))
        ping, torch, sniff = bench.timeline.kept
        assert ping["rows"] == [dict(row) for row in pings][:2]
        assert ping["rows_left_out"] == 1
        assert ping["row_count"] == 3
        assert ping["caller"] == "user ann"
        assert ping["arguments"]["address"] == "192.0.2.7"
        addresses = {str(row[key]) for row in (*flows, *packets) for key in row if key.endswith("address")}
        assert addresses
        for kept, rows in ((torch, flows), (sniff, packets)):
            assert not kept["rows"]
            assert sum(kept["summary"]["rows_by_protocol"].values()) == len(rows)
            assert not any(address in json.dumps(kept["summary"]) for address in addresses)

    on_lab(body, {"keep_rows": 2})


def test_passwords_are_not_kept() -> None:
    async def body(bench: Bench, lab: Lab) -> None:
        wish = BandwidthTest("192.0.2.9", max_bps=1_000_000, user="bw", password="hunter2", bounds=ONE_SECOND)
        await bench.all(wish)
        assert b"hunter2" not in bench.timeline.documents[0].content
        assert b"bw" in bench.timeline.documents[0].content

    on_lab(body)
