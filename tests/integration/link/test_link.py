"""Edges and a hub, over mutual TLS."""

from __future__ import annotations

import logging
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest

from mtd.core.errors import Retryable
from mtd.model.device import DEFAULT_TENANT_ID, Login, SnmpSettings, SnmpVersion
from mtd.pb.admin.v1 import collector_service_pb2 as admin_pb
from mtd.pb.collector.v1 import collector_link_service_pb2 as pb
from mtd.pb.collector.v1.collector_link_service_pb2_grpc import CollectorLinkServiceStub
from mtd.testing.metrics import metric
from tests.integration.certificates.kit import CODE, as_tenant, fails
from tests.integration.link.kit import HUBS_PSEUDONYMS, Decided, EdgeProcess, Site, until, with_site
from tests.unit.link.devices_made import device, exclusive, leased

HOME = DEFAULT_TENANT_ID
ONE, TWO, THREE = (device(number).device_id for number in (1, 2, 3))
SECRETS = {
    "snmp": SnmpSettings(SnmpVersion.V2C, community="hunter2-community"),
    "config_login": Login("audit", "hunter2-audit"),
}


def test_what_an_edge_is_to_poll_comes_with_all_it_needs(
    tmp_path: Path, postgres_dsn: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    async def body(site: Site, decided: Decided) -> None:
        wanted = (leased(1, 4, **SECRETS), exclusive(2, 5), leased(3))
        decided.assign("edge-1", 3, *wanted)
        edge = await site.edge("edge-1")
        await edge.until(*wanted)
        facts, resumes, _ = decided.joined[0]
        assert (facts.name, facts.collector_id) == ("edge-1", edge.identity.collector_id)
        assert (facts.tenants, facts.version, facts.edge, resumes) == (
            frozenset({HOME}),
            "1.2.3",
            True,
            False,
        )
        await until(lambda: decided.has_applied == [("edge-1", 3)])
        assert edge.seat.may_poll(ONE)
        assert edge.seat.epoch_of(TWO) == 5
        # Names are replaced as the hub itself would.
        theirs, ours = edge.seat.pseudonym_of(HOME), HUBS_PSEUDONYMS.of(HOME)
        assert theirs is not None
        assert ours is not None
        assert theirs("ali") == ours("ali")
        # What is withdrawn is let go, and the hub hears of it.
        decided.assign("edge-1", 4, wanted[1])
        await edge.until(wanted[1])
        await until(lambda: ("edge-1", {ONE: 4, THREE: 1}) in decided.has_released)
        await until(lambda: not edge.seat._holding.to_tell)
        # How it is, by the hub's clock and its own.
        await until(lambda: site.states and site.states[-1].report == edge.report)
        state = site.states[-1]
        assert (state.tenant_id, state.name, state.version) == (HOME, "edge-1", "1.2.3")
        assert abs(state.clock_ahead_s) < 5
        assert site.seen == {edge.identity.collector_id}
        await until(lambda: decided.renewals > 2)

    with_site(tmp_path, postgres_dsn, body)
    assert "hunter2" not in caplog.text, "no secret is ever logged"


def test_an_edge_never_gets_devices_of_tenants_that_it_doesnt_serve(
    tmp_path: Path, postgres_dsn: str
) -> None:
    async def body(site: Site, decided: Decided) -> None:
        served = await site.hub.tenant("served")
        others = await site.hub.tenant("others")
        edge = await site.edge("edge-1")
        request = admin_pb.SetServedTenantsRequest(collector="edge-1", tenants=["served"])
        await site.hub.admin.SetServedTenants(request)
        theirs = leased(9, tenant_id=others)
        decided.assign("edge-1", 1, leased(1), leased(2, tenant_id=served), theirs)
        withheld = metric("mtd_link_devices_withheld_total")
        await edge.until(leased(1), leased(2, tenant_id=served))
        assert metric("mtd_link_devices_withheld_total") > withheld
        assert not edge.seat.may_poll(theirs.device.device_id)
        assert {facts.tenants for facts, _, _ in decided.joined[-1:]} == {frozenset({HOME, served})}
        # Rows: of what it polls, whatever it asks for.
        site.rows = {
            one.device_id: {"arp": {"k": {"of": one.device_id}}, "leases": {"k": {}}}
            for one in (device(1), device(3), theirs.device)
        }
        found = await edge.seat.known_rows([ONE, THREE, theirs.device.device_id], ["arp"])
        assert found == {ONE: {"arp": {"k": {"of": ONE}}}}

        # Of a collector of the other tenant, nothing either.
        stranger = await site.edge("edge-2", "others")
        decided.assign("edge-2", 1, leased(1), theirs)
        await stranger.until(theirs)
        assert await stranger.seat.known_rows([ONE], ["arp"]) == {}
        key = stranger.seat._holding._tenants
        assert list(key) == [others], "it is given no key of another tenant's names"

    with_site(tmp_path, postgres_dsn, body)


def test_only_collectors_with_their_certificate_come_in(tmp_path: Path, postgres_dsn: str) -> None:
    async def body(site: Site, decided: Decided) -> None:
        decided.assign("edge-1", 1, leased(1))
        hub = site.hub

        async def attach(channel: Any, metadata: Any = ()) -> grpc.aio.AioRpcError:
            stub: Any = CollectorLinkServiceStub(channel)
            call = stub.Attach(metadata=metadata, timeout=10)

            async def talk() -> None:
                # Nothing is said: a client that writes into a call that was ended hears of its own fault instead.
                async for _ in call:
                    raise AssertionError("it was let in")

            return await fails(talk())

        # The operator of the machine may do everything else.
        assert (await attach(hub.channel())).code() is CODE.PERMISSION_DENIED
        assert (await attach(hub.channel(), as_tenant("default"))).code() is CODE.PERMISSION_DENIED
        # A door without TLS knows no collectors.
        async with AsyncExitStack() as stack:
            plain, _ = await site.another_hub(stack, tls={"mode": "off"})
            channel = grpc.aio.insecure_channel(f"127.0.0.1:{plain.server.port}")
            assert (await attach(channel)).code() is CODE.PERMISSION_DENIED
            await channel.close()
        assert decided.joined == []

    with_site(tmp_path, postgres_dsn, body)


def test_a_revoked_certificate_ends_the_link_and_all_polling(tmp_path: Path, postgres_dsn: str) -> None:
    async def body(site: Site, decided: Decided) -> None:
        decided.assign("edge-1", 1, leased(1), exclusive(2))
        edge = await site.edge("edge-1")
        await edge.until(leased(1), exclusive(2))
        file = edge.seat._keeping._file.path
        await until(file.exists)
        await site.hub.admin.RevokeCollector(admin_pb.RevokeCollectorRequest(collector="edge-1"))
        await edge.until()
        assert not edge.seat.may_poll(TWO)
        await until(lambda: not file.exists())
        assert site.desk.links() == []

    with_site(tmp_path, postgres_dsn, body)


def test_another_process_of_the_same_collector_takes_its_place(tmp_path: Path, postgres_dsn: str) -> None:
    async def body(site: Site, decided: Decided) -> None:
        decided.assign("edge-1", 1, leased(1), exclusive(2))
        first = await site.edge("edge-1")
        await first.until(leased(1), exclusive(2))
        second = first.again()
        await second.start()
        await second.until(leased(1), exclusive(2))
        await first.until()
        assert not first.seat.may_poll(TWO)
        assert "another process" in first.seat.state.failure
        assert second.seat.may_poll(ONE)
        assert [resumes for _, resumes, _ in decided.joined] == [False, False]

    with_site(tmp_path, postgres_dsn, body)


def test_another_hub_goes_on_where_one_was_lost(tmp_path: Path, postgres_dsn: str) -> None:
    async def body(site: Site, decided: Decided) -> None:
        decided.assign("edge-1", 1, leased(1), exclusive(2))
        async with AsyncExitStack() as first_stack:
            first, _ = await site.another_hub(first_stack)
            edge = await site.edge("edge-1", targets=[f"127.0.0.1:{first.server.client_port}"])
            await edge.until(leased(1), exclusive(2))
            polled = Polled(edge)
            # To the other one, and back.
            await site.hub.server.stop()
            await until(lambda: len(decided.joined) == 2)
            assert decided.joined[-1][1:] == (True, [TWO])
            decided.assign("edge-1", 2, leased(1), exclusive(2), leased(3))
            await edge.until(leased(1), exclusive(2), leased(3))
        assert polled.gaps == 0, "it was polled all the time"

    with_site(tmp_path, postgres_dsn, body)


class Polled:
    """Looks whether a device may be polled, whenever something was assigned."""

    def __init__(self, edge: EdgeProcess) -> None:
        self.gaps = 0
        may_poll = edge.seat._holding.may_poll
        publish = edge.seat._publish

        def look() -> None:
            self.gaps += not may_poll(ONE)
            publish()

        edge.seat._publish = look  # type: ignore[method-assign]


def test_without_its_database_a_hub_answers_and_gives_no_leases(tmp_path: Path, postgres_dsn: str) -> None:
    async def body(site: Site, decided: Decided) -> None:
        decided.assign("edge-1", 1, leased(1), exclusive(2))
        edge = await site.edge("edge-1", margin_s=0.1)
        await edge.until(leased(1), exclusive(2))
        decided.is_away = True
        await edge.until(exclusive(2))
        assert edge.seat.state.linked
        decided.assign("edge-1", 2, exclusive(2))
        decided.is_away = False
        await edge.until(exclusive(2))
        # What was let go and applied meanwhile is noted now.
        await until(lambda: ("edge-1", 2) in decided.has_applied)
        decided.assign("edge-1", 3, leased(1, 2), exclusive(2))
        await edge.until(leased(1, 2), exclusive(2))

    with_site(tmp_path, postgres_dsn, body, lease_s=1.5)


def test_who_stops_leaves_and_who_vanishes_stays_for_its_lease(tmp_path: Path, postgres_dsn: str) -> None:
    async def body(site: Site, decided: Decided) -> None:
        decided.assign("edge-1", 1, leased(1))
        edge = await site.edge("edge-1")
        await edge.until(leased(1))
        await edge.stop()
        assert decided.has_left == ["edge-1"]
        again = edge.again()
        await again.start()
        await again.until(leased(1))
        await again.kill()
        await until(lambda: not site.desk.links())
        assert decided.has_left == ["edge-1"]

    with_site(tmp_path, postgres_dsn, body)


def test_what_isnt_the_protocol_is_refused(tmp_path: Path, postgres_dsn: str) -> None:
    async def body(site: Site, decided: Decided) -> None:
        shown, _ = await site.hub.collector("edge-1")
        channel = site.hub.channel(shown)
        stub: Any = CollectorLinkServiceStub(channel)
        good = "10000000-0000-4000-8000-000000000001"

        async def say(*messages: pb.AttachRequest) -> grpc.aio.AioRpcError:
            call = stub.Attach(timeout=10)

            async def talk() -> None:
                for message in messages:
                    await call.write(message)
                async for _ in call:
                    pass

            return await fails(talk())

        hello = pb.AttachRequest(hello=pb.Hello(instance_id=good))
        for messages, words in (
            ((pb.AttachRequest(renew=pb.Renew()),), "say hello once"),
            ((hello, hello), "say hello once"),
            ((pb.AttachRequest(hello=pb.Hello()),), "instance_id"),
            ((pb.AttachRequest(hello=pb.Hello(instance_id="x'; DROP TABLE device")),), "isn't a UUID"),
            (
                (pb.AttachRequest(hello=pb.Hello(instance_id=good, held=[pb.HeldDevice(device_id="{")])),),
                "held",
            ),
            ((pb.AttachRequest(hello=pb.Hello(instance_id=good, version="1\n2")),), "printable"),
            ((pb.AttachRequest(hello=pb.Hello(instance_id=good, capabilities=["a"] * 65)),), "64"),
        ):
            failed = await say(*messages)
            assert failed.code() is CODE.INVALID_ARGUMENT
            assert words in (failed.details() or "")
        await until(lambda: site.desk.links() == [])

        async def rows(**request: Any) -> None:
            async for _ in stub.StreamKnownRows(pb.StreamKnownRowsRequest(**request), timeout=10):
                pass

        assert (await fails(rows(device_ids=["a"] * 201))).code() is CODE.INVALID_ARGUMENT
        assert (await fails(rows(device_ids=[good]))).code() is CODE.UNAVAILABLE

    with_site(tmp_path, postgres_dsn, body)


def test_there_are_only_so_many_links(tmp_path: Path, postgres_dsn: str) -> None:
    async def body(site: Site, decided: Decided) -> None:
        site.desk._most = 1
        first = await site.edge("edge-1")
        await until(lambda: first.seat.state.linked)
        second = await site.edge("edge-2")
        await until(lambda: "linked with this hub already" in second.seat.state.failure)
        assert {facts.name for facts, _, _ in decided.joined} == {"edge-1"}, "it takes no part"
        with pytest.raises(Retryable):
            await second.seat.known_rows([ONE], ["arp"])

    with_site(tmp_path, postgres_dsn, body)
