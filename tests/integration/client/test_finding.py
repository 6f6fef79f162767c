"""Discovery and tools through the door, by both clients."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any

import pytest

from mtd.client import AsyncMtdClient, MtdClient, MtdClientError, discovery, tools
from mtd.client.runs import RunCall
from mtd.client.tools import ToolEnd
from mtd.core.errors import NotFound, QuotaExceeded
from mtd.diagnostics import plans
from mtd.diagnostics.errors import RouterRefused, ToolBusy
from mtd.model.device import DEFAULT_TENANT_ID, Outcome, TlsMode
from mtd.model.principal import CallerKind
from mtd.queries.runs import StoredRun
from mtd.sources.errors import SessionFailed
from mtd.testing import run_async
from tests.integration.client.kit import Daemon, aside, running
from tests.unit.api.finding_fakes import CORE_ID, NEIGHBOR, PROPOSAL


def with_client(body: Callable[[Daemon, AsyncMtdClient], Awaitable[None]]) -> None:
    async def main() -> None:
        async with running() as daemon, AsyncMtdClient(daemon.target) as client:
            await body(daemon, client)

    run_async(main())


async def fails(awaitable: Awaitable[Any]) -> MtdClientError:
    with pytest.raises(MtdClientError) as caught:
        await awaitable
    return caught.value


async def parts(client: AsyncMtdClient, call: RunCall[Any]) -> list[Any]:
    return [part async for part in client.run(call)]


# -- discovery ----------------------------------------------------------------


def test_proposals_come_whole_and_in_pages() -> None:
    async def body(daemon: Daemon, client: AsyncMtdClient) -> None:
        page = await client.ask(discovery.proposals())
        (one,) = page.proposals
        assert page.next_page_token.endswith("=")  # sealed: nobody reads it, or makes one
        assert (one.id, one.state, one.address) == (PROPOSAL.proposal_id, "new", "192.0.2.17")
        assert (one.identity, one.board, one.software_id) == ("sw-17", "CRS326", "AAAA-BBBB")
        assert (one.ports, one.found_by) == ((8728, 443), ("mndp", "scan"))
        assert [asdict(where) for where in one.seen_at] == [
            {"device_id": CORE_ID, "device_name": "core-1", "interface": "ether3"}
        ]
        assert (one.known_device_name, one.known_by) == ("core-1", "mac")
        assert one.first_seen_at.microsecond == 1
        more = discovery.proposals(page_size=7, page_token=page.next_page_token)
        assert (await client.ask(more)).next_page_token == ""
        assert daemon.discovery.asked == [
            (DEFAULT_TENANT_ID, ["new"], False, 100, ""),
            (DEFAULT_TENANT_ID, ["new"], False, 7, "more"),
        ]
        others = discovery.proposals(
            ["ignored", "adopted"], include_known=True, page_token=page.next_page_token
        )
        with pytest.raises(MtdClientError, match="not one that this server gave out for this list"):
            await client.ask(others)
        with pytest.raises(MtdClientError, match="isn't one of new, ignored, adopted"):
            discovery.proposals(["old"])

    with_client(body)


def test_adopting_takes_name_and_host_from_the_proposal() -> None:
    async def body(daemon: Daemon, client: AsyncMtdClient) -> None:
        call = discovery.adopt("30000000", "geheim", {"username": "monitor", "tls_mode": "anonymous"})
        added = await client.ask(call)
        assert (added.name, added.host, added.port, added.enabled) == ("sw-17", "192.0.2.17", 8729, True)
        _, proposal, settings, password, caller = daemon.discovery.asked[-1]
        assert (proposal, password) == (PROPOSAL.proposal_id, "geheim")
        assert settings.tls_mode is TlsMode.ANONYMOUS
        assert caller.startswith("local at ")
        assert "127.0.0.1" in caller
        named = await client.ask(
            discovery.adopt("3000", settings={"name": "x", "host": "y", "username": "u"})
        )
        assert (named.name, named.host) == ("x", "y")
        assert (await fails(client.ask(discovery.adopt("4000")))).code == "NOT_FOUND"

    with_client(body)


def test_ignoring_and_links() -> None:
    async def body(daemon: Daemon, client: AsyncMtdClient) -> None:
        assert (await client.ask(discovery.ignore("3000"))).state == "ignored"
        assert (await client.ask(discovery.ignore("3000", restore=True))).state == "new"
        page = await client.ask(discovery.neighbors("core-1"))
        (link,) = page.neighbors
        assert (link.seen_at.interface, link.interface_id) == ("ether3", "*3")
        assert (link.neighbor_device_name, link.neighbor_interface_id) == ("sw-17", "*1")
        assert link.system_description == NEIGHBOR.system_description
        assert daemon.discovery.asked[-1] == (DEFAULT_TENANT_ID, "core-1", 100, "")

    with_client(body)


def test_a_scan_streams_what_it_finds() -> None:
    async def body(daemon: Daemon, client: AsyncMtdClient) -> None:
        first, last = await parts(client, discovery.scan("192.0.2.0/24", web=True))
        assert [(f.address, f.port, f.service) for f in first.findings] == [("192.0.2.1", 8728, "api")]
        assert (first.done, first.complete, last.done, last.complete) == (1, False, 2, True)
        assert daemon.discovery.asked[0][1:3] == ("192.0.2.0/24", True)
        refused = await fails(parts(client, discovery.scan("10.0.0.0/8")))
        assert (refused.code, refused.reason) == ("PERMISSION_DENIED", "SUBNET_NOT_LISTED")
        assert "discovery.subnets" in refused.hint

    with_client(body)


# -- tools --------------------------------------------------------------------

CALLS = [
    (tools.ping("core-1", "192.0.2.1", count=3, interval_ms=20, seconds=5), plans.Ping, {"sequence": 0, "time_ms": 1.5}),
    (tools.traceroute("core-1", "192.0.2.1", udp=True), plans.Traceroute, {"section": 1, "address": "192.0.2.1"}),
    (tools.torch("core-1", "ether1", by=["port"], port=443), plans.Torch, {"tx_bps": 2**40, "ip_protocol": "tcp"}),
    (tools.sniff("core-1", "ether1", direction="rx"), plans.Sniff, {"number": 7, "direction": "rx", "size_bytes": 66}),
    (
        tools.bandwidth_test("core-1", "192.0.2.1", user="u", password="geheim"),
        plans.BandwidthTest,
        {"status": "running", "rx_bps": 10**9},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("call", "wish", "row"), CALLS, ids=lambda value: getattr(value, "method", None))
def test_each_tool_says_what_is_wanted_and_gives_what_was_told(
    call: RunCall[Any], wish: type, row: dict[str, Any]
) -> None:
    async def body(daemon: Daemon, client: AsyncMtdClient) -> None:
        daemon.tools.row = row
        found, end = await parts(client, call)
        told = {name: value for name, value in asdict(found).items() if value is not None}
        assert told == row
        assert end == ToolEnd("time", 1, 1.5)
        (tenant, device, asked, caller) = daemon.tools.asked[0]
        assert (tenant, device, type(asked)) == (DEFAULT_TENANT_ID, "core-1", wish)
        assert caller.kind is CallerKind.LOCAL
        assert "127.0.0.1" in caller.peer
        if isinstance(asked, plans.Ping):
            assert (asked.count, asked.interval_ms, asked.bounds.seconds) == (3, 20, 5.0)
        if isinstance(asked, plans.BandwidthTest):
            assert (asked.user, asked.password) == ("u", "geheim")

    with_client(body)


def test_runs_that_ended_come_page_by_page() -> None:
    content = {
        "tool": "ping",
        "from_collector": True,
        "arguments": {"address": "192.0.2.1"},
        "caller": "user ann",
        "started_us": 1_700_000_000_000_000,
        "seconds": 1.5,
        "result": "done",
        "detail": "",
        "row_count": 2,
        "rows": [{"sequence": 0, "time_ms": 1.5}],
        "rows_left_out": 1,
        "summary": {},
    }

    async def body(daemon: Daemon, client: AsyncMtdClient) -> None:
        daemon.tools.ended = [StoredRun(us, content) for us in (30, 20, 10)]
        first = await client.ask(tools.runs("core-1", page_size=2))
        run = first.runs[0]
        assert (run.tool, run.caller, run.from_collector) == ("ping", "user ann", True)
        assert run.rows == [{"sequence": 0.0, "time_ms": 1.5}]
        assert (run.row_count, run.rows_left_out, run.started_at.year) == (2, 1, 2023)
        rest = await client.ask(tools.runs("core-1", page_size=2, page_token=first.next_page_token))
        assert len(rest.runs) == 1
        assert not rest.next_page_token
        assert not (await client.ask(tools.runs("core-1", "torch"))).runs
        for wrong in (tools.runs("core-1", "rm"), tools.runs("core-1", page_token="x")):
            assert (await fails(client.ask(wrong))).code == "INVALID_ARGUMENT"
        assert (await fails(client.ask(tools.runs("unknown")))).code == "NOT_FOUND"

    with_client(body)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ToolBusy("gw runs ping already"), "RESOURCE_EXHAUSTED"),
        (RouterRefused("not enough permissions: give the policy 'test'"), "FAILED_PRECONDITION"),
        (NotFound("there is no device"), "NOT_FOUND"),
        (QuotaExceeded("60 runs within an hour", retry_after_s=5), "RESOURCE_EXHAUSTED"),
        (SessionFailed(Outcome.UNREACHABLE, "the host is down"), "UNAVAILABLE"),
    ],
)  # fmt: skip
def test_what_keeps_a_tool_from_running_has_a_status(error: Exception, code: str) -> None:
    async def body(daemon: Daemon, client: AsyncMtdClient) -> None:
        daemon.tools.raises = error
        failed = await fails(parts(client, tools.ping("gw", "192.0.2.1")))
        assert failed.code == code
        assert str(error) in failed.message

    with_client(body)


def test_what_can_not_be_meant_is_refused() -> None:
    async def body(_: Daemon, client: AsyncMtdClient) -> None:
        assert (await fails(parts(client, tools.ping("gw", "no host")))).code == "INVALID_ARGUMENT"
        assert (await fails(parts(client, tools.ping("", "192.0.2.1")))).code == "INVALID_ARGUMENT"
        too_long = await fails(parts(client, tools.ping("gw", "192.0.2.1", seconds=9999)))
        assert (too_long.code, too_long.reason) == ("PERMISSION_DENIED", "TOOL_FORBIDDEN")
        with pytest.raises(MtdClientError, match="can't be sent"):
            tools.ping("gw", "192.0.2.1", count=-1)

    with_client(body)


def test_leaving_a_run_ends_it_at_the_other_end() -> None:
    async def body(daemon: Daemon, client: AsyncMtdClient) -> None:
        async with client.run(tools.ping("gw", "192.0.2.1")) as run:
            async for _ in run:
                break
        async with asyncio.timeout(20):
            while not daemon.tools.closed:
                await asyncio.sleep(0.005)

        def read() -> list[Any]:
            with MtdClient(daemon.target) as sync, sync.run(tools.ping("gw", "192.0.2.1")) as found:
                page = sync.ask(discovery.proposals())
                return [*found, page]

        row, end, page = await aside(read)
        assert (row.sequence, end.reason, len(page.proposals)) == (None, "time", 1)

    with_client(body)
