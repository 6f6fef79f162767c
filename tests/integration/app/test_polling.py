"""Who polls, as callers see and place it: of their tenant, and of hubs, which are everybody's."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from mtd.api.access.current import serving
from mtd.api.grpc.polling import PollingServicer
from mtd.app.polling import Pollers
from mtd.coordination.memory import MemoryLeaseStore
from mtd.core.errors import Forbidden, NotFound, Refused
from mtd.model.assignment import CollectorFacts
from mtd.model.device import DEFAULT_TENANT_ID
from mtd.model.principal import CallerKind, Principal, Role
from mtd.pb.admin.v1 import polling_service_pb2 as pb
from mtd.storage.pool import Database
from mtd.storage.stores.memberships import MembershipStore
from mtd.storage.txn import Transaction
from mtd.testing import run_async

NORTH = "0a000000-0000-4000-8000-000000000001"
EDGE = "0e000000-0000-4000-8000-000000000001"
OTHERS_EDGE = "0e000000-0000-4000-8000-000000000002"


@dataclass
class Hub:
    """A door of the service, and the database behind it."""

    service: Any
    writer: Database
    members: MembershipStore
    leases: MemoryLeaseStore

    async def run(self, sql: str, *params: Any) -> list[Any]:
        async def body(tx: Transaction) -> list[Any]:
            await tx.execute(sql, params)
            return tx.fetchall() if sql.startswith("SELECT") else []

        return await self.writer.run("test", body)

    async def ask(
        self, method: str, request: Any, tenant: str = DEFAULT_TENANT_ID, role: Role = Role.ADMIN
    ) -> Any:
        caller = Principal(CallerKind.TOKEN, "test", tenant, role)
        with serving(caller):
            return await getattr(self.service, method)(request, None)

    async def poller(self, name: str, **given: Any) -> pb.Poller:
        found: pb.Poller = (await self.ask("GetPoller", pb.GetPollerRequest(poller=name), **given)).poller
        return found

    async def update(self, name: str, settings: pb.PollerSettings, *fields: str, **given: Any) -> pb.Poller:
        request = pb.UpdatePollerRequest(poller=name, settings=settings, update_mask=FieldMask(paths=fields))
        found: pb.Poller = (await self.ask("UpdatePoller", request, **given)).poller
        return found

    async def assign(self, collector_id: str, hold: str = "lease") -> None:
        await self.run(
            "INSERT INTO device_assignment (tenant_id, device_id, collector_id, epoch, granted_epoch, state, hold,"
            " revision) SELECT tenant_id, device_id, %s, 5, 5, 'assigned', %s, 1 FROM device",
            collector_id,
            hold,
        )


def with_hub(dsn: str, body: Callable[[Hub], Awaitable[None]]) -> None:
    async def main() -> None:
        writer = Database.for_writing(dsn)
        leases = MemoryLeaseStore()
        hub = Hub(PollingServicer(Pollers(writer, leases)), writer, MembershipStore(writer), leases)
        try:
            await hub.run("INSERT INTO tenant (tenant_id, name) VALUES (%s, 'north')", NORTH)
            for tenant, edge, name in ((DEFAULT_TENANT_ID, EDGE, "edge-1"), (NORTH, OTHERS_EDGE, "edge-n")):
                await hub.run(
                    "INSERT INTO collector (tenant_id, collector_id, name, created_by) VALUES (%s, %s, %s, 'test')",
                    tenant,
                    edge,
                    name,
                )
            for number in range(3):
                await hub.run(
                    "INSERT INTO device (tenant_id, name, host, port, username, tls_mode)"
                    " VALUES (%s, %s, '192.0.2.1', 8728, 'u', 'off')",
                    DEFAULT_TENANT_ID,
                    f"core-{number}",
                )
            await hub.run("INSERT INTO site (tenant_id, name) VALUES (%s, 'graz')", DEFAULT_TENANT_ID)
            await hub.run(
                "INSERT INTO device_group (tenant_id, name) VALUES (%s, 'trial')", DEFAULT_TENANT_ID
            )
            await hub.members.join(
                CollectorFacts("hub-a", "hub-a", str(uuid.uuid4()), None, "1.2", edge=False), 1
            )
            await body(hub)
        finally:
            await writer.stop()

    run_async(main(), timeout_s=60)


def test_a_tenant_sees_its_own_collectors_and_the_hubs(postgres_dsn: str) -> None:
    async def body(hub: Hub) -> None:
        facts = CollectorFacts(EDGE, "edge-1", str(uuid.uuid4()), frozenset({DEFAULT_TENANT_ID}), "1.3")
        await hub.members.join(facts, 1)
        await hub.leases.acquire(f"collector/{EDGE}", "x", 6.0)
        await hub.assign(EDGE, "exclusive")
        found = (await hub.ask("ListPollers", pb.ListPollersRequest())).pollers
        assert [(one.name, one.edge, one.version, one.devices, one.exclusive_devices) for one in found] == [
            ("edge-1", True, "1.3", 3, 3),
            ("hub-a", False, "1.2", 0, 0),
        ]
        assert 0 < found[0].lease_left_s <= 6
        assert found[1].lease_left_s == 0
        theirs = (await hub.ask("ListPollers", pb.ListPollersRequest(), NORTH)).pollers
        assert [(one.name, one.state) for one in theirs] == [
            ("edge-n", pb.POLLER_STATE_NEVER),
            ("hub-a", pb.POLLER_STATE_ONLINE),
        ]
        assert (await hub.poller(EDGE)).state_time.seconds > 0
        for name in ("edge-1", EDGE, "nobody"):
            with pytest.raises(NotFound, match="there is no collector"):
                await hub.poller(name, tenant=NORTH)

    with_hub(postgres_dsn, body)


def test_pages_of_pollers_and_of_what_they_poll(postgres_dsn: str) -> None:
    async def body(hub: Hub) -> None:
        first = await hub.ask("ListPollers", pb.ListPollersRequest(page_size=1))
        assert [one.name for one in first.pollers] == ["edge-1"]
        rest = await hub.ask("ListPollers", pb.ListPollersRequest(page_token=first.next_page_token))
        assert ([one.name for one in rest.pollers], rest.next_page_token) == (["hub-a"], "")
        await hub.assign("hub-a")
        page = await hub.ask("ListAssignments", pb.ListAssignmentsRequest(page_size=2))
        assert [(one.device, one.poller, one.epoch) for one in page.assignments] == [
            ("core-0", "hub-a", 5),
            ("core-1", "hub-a", 5),
        ]
        rest = await hub.ask("ListAssignments", pb.ListAssignmentsRequest(page_token=page.next_page_token))
        assert ([one.device for one in rest.assignments], rest.next_page_token) == (["core-2"], "")
        assert not (await hub.ask("ListAssignments", pb.ListAssignmentsRequest(), NORTH)).assignments
        of_edge = await hub.ask("ListAssignments", pb.ListAssignmentsRequest(poller="edge-1"))
        assert not of_edge.assignments

    with_hub(postgres_dsn, body)


def test_what_operators_say_of_a_collector(postgres_dsn: str) -> None:
    async def body(hub: Hub) -> None:
        settings = pb.PollerSettings(
            draining=True,
            weight=2.5,
            sites=["graz"],
            sites_only=True,
            canary_percent=5,
            canary_group="trial",
        )
        every = ("draining", "weight", "sites", "sites_only", "canary_percent", "canary_group")
        told = await hub.update("edge-1", settings, *every)
        assert told == await hub.poller("edge-1")
        assert (told.draining, told.weight, list(told.sites), told.sites_only) == (True, 2.5, ["graz"], True)
        assert (told.canary_percent, told.canary_group) == (5, "trial")
        told = await hub.update("edge-1", pb.PollerSettings(), "sites", "canary_percent", "canary_group")
        assert (told.draining, told.weight, list(told.sites)) == (True, 2.5, [])
        assert (told.HasField("canary_percent"), told.canary_group) == (False, "")

    with_hub(postgres_dsn, body)


@pytest.mark.parametrize(
    ("settings", "fields", "says"),
    [
        (pb.PollerSettings(), (), "name some of"),
        (pb.PollerSettings(), ("name",), "name can't be changed"),
        (pb.PollerSettings(weight=0), ("weight",), "weight: 0"),
        (pb.PollerSettings(weight=float("nan")), ("weight",), "weight: nan"),
        (pb.PollerSettings(canary_percent=101), ("canary_percent",), "more than 100"),
        (pb.PollerSettings(sites=["nowhere"]), ("sites",), "no site 'nowhere'"),
        (pb.PollerSettings(canary_group="none"), ("canary_group",), "no device group 'none'"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_makes_no_sense_is_refused(
    postgres_dsn: str, settings: pb.PollerSettings, fields: tuple[str, ...], says: str
) -> None:
    async def body(hub: Hub) -> None:
        with pytest.raises(Refused, match=says):
            await hub.update("edge-1", settings, *fields)
        assert not (await hub.poller("edge-1")).sites

    with_hub(postgres_dsn, body)


def test_hubs_are_changed_by_those_who_work_across_tenants(postgres_dsn: str) -> None:
    async def body(hub: Hub) -> None:
        with pytest.raises(Forbidden, match="polls for all tenants"):
            await hub.update("hub-a", pb.PollerSettings(draining=True), "draining")
        with pytest.raises(Forbidden, match="polls for all tenants"):
            await hub.ask("ReleasePoller", pb.ReleasePollerRequest(poller="hub-a"))
        told = await hub.update("hub-a", pb.PollerSettings(sites=["graz"]), "sites")
        assert list(told.sites) == ["graz"]
        # Another tenant hears nothing of it.
        assert not (await hub.poller("hub-a", tenant=NORTH)).sites
        told = await hub.update("hub-a", pb.PollerSettings(draining=True), "draining", role=Role.SUPER_ADMIN)
        assert told.draining
        with pytest.raises(Refused, match="groups are of a tenant"):
            await hub.update(
                "hub-a", pb.PollerSettings(canary_group="trial"), "canary_group", role=Role.SUPER_ADMIN
            )

    with_hub(postgres_dsn, body)


def test_a_collector_is_released_once_it_is_gone(postgres_dsn: str) -> None:
    async def body(hub: Hub) -> None:
        facts = CollectorFacts(EDGE, "edge-1", str(uuid.uuid4()), frozenset({DEFAULT_TENANT_ID}))
        await hub.members.join(facts, 1)
        await hub.assign(EDGE, "exclusive")
        request = pb.ReleasePollerRequest(poller="edge-1")
        with pytest.raises(Refused, match="drain it"):
            await hub.ask("ReleasePoller", request)
        await hub.run("UPDATE collector_membership SET state = 'offline' WHERE collector_id = %s", EDGE)
        lease = await hub.leases.acquire(f"collector/{EDGE}", "x", 6.0)
        with pytest.raises(Refused, match="drain it"):  # it is back, and the coordinator doesn't know yet
            await hub.ask("ReleasePoller", request)
        assert lease is not None
        await hub.leases.release(lease)
        assert (await hub.ask("ReleasePoller", request)).devices == 3
        assert await hub.run("SELECT DISTINCT hold FROM device_assignment") == [("lease",)]
        assert (await hub.ask("ReleasePoller", request)).devices == 0

    with_hub(postgres_dsn, body)


def test_devices_and_sites_are_placed(postgres_dsn: str) -> None:
    async def body(hub: Hub) -> None:
        notified = asyncio.Event()
        listening = await hub.writer.listen("mtd_device", lambda payload: payload and notified.set())
        request = pb.PlaceDevicesRequest(devices=["core-0", "core-1"], poller="edge-1", redundancy=2)
        assert (await hub.ask("PlaceDevices", request)).devices == 2
        placed = "SELECT name, collector, redundancy FROM device ORDER BY name"
        assert await hub.run(placed) == [("core-0", EDGE, 2), ("core-1", EDGE, 2), ("core-2", "", None)]
        await asyncio.wait_for(notified.wait(), 10)
        await hub.ask("PlaceDevices", pb.PlaceDevicesRequest(devices=["core-0"], poller=""))
        await hub.ask("PlaceDevices", pb.PlaceDevicesRequest(devices=["core-1"], redundancy=0))
        assert (await hub.run(placed))[:2] == [("core-0", "", 2), ("core-1", EDGE, None)]
        assert (
            await hub.ask("PlaceDevices", pb.PlaceDevicesRequest(sites=["graz"], redundancy=2))
        ).sites == 1
        assert await hub.run("SELECT redundancy FROM site") == [(2,)]
        for wrong, says in (
            (pb.PlaceDevicesRequest(poller="edge-1"), "name devices or sites"),
            (pb.PlaceDevicesRequest(devices=["core-0"]), "give a poller or a redundancy"),
            (pb.PlaceDevicesRequest(devices=["core-0"], redundancy=3), "too many"),
            (pb.PlaceDevicesRequest(sites=["graz"], poller="edge-1", redundancy=1), "no poller"),
            (pb.PlaceDevicesRequest(devices=["core-0", "core-9"], poller="edge-1"), "no device 'core-9'"),
            (pb.PlaceDevicesRequest(devices=["core-0"], poller="edge-n"), "no collector 'edge-n'"),
        ):
            with pytest.raises(Refused, match=says):
                await hub.ask("PlaceDevices", wrong)
        with pytest.raises(NotFound, match="no device 'core-0'"):
            await hub.ask("PlaceDevices", pb.PlaceDevicesRequest(devices=["core-0"], redundancy=1), NORTH)
        assert (await hub.run(placed))[0] == ("core-0", "", 2)
        await listening.stop()

    with_hub(postgres_dsn, body)
