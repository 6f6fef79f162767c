"""Devices that could be added: what is known of them, which are known already, and what operators decided."""

from __future__ import annotations

import asyncio

import pytest

from mtd.core.errors import NotFound, Refused
from mtd.model.events import seen_event, table_event
from mtd.model.observation import TableChange
from mtd.model.sighting import FoundBy, Sighting
from mtd.pb.events.v1.envelope_pb2 import Envelope
from mtd.queries.proposals import NeighborQueries, ProposalQueries, ProposalView
from mtd.storage.stores.proposals import DecisionStore, proposal_id
from tests.integration.projections.kit import TENANT, World, in_world, now_us, origin

MAC, OTHER_MAC = "48:8F:5A:00:00:01", "48:8F:5A:00:00:02"
EDGE = "10000000-0000-4000-8000-0000000000e1"
CORE = "10000000-0000-4000-8000-0000000000c1"
OTHER_TENANT = "20000000-0000-4000-8000-000000000002"
HOUR = 3_600_000_000


def seen(at: int, tenant: str = TENANT, **facts: object) -> Envelope:
    sighting = Sighting(**{"found_by": FoundBy.MNDP, **facts})  # type: ignore[arg-type]
    return seen_event(origin("", tenant), sighting, at, at)


def rows(at: int, table: str, device: str, **rows: dict[str, str]) -> Envelope:
    change = TableChange(table, False, {f"*{key}": fields for key, fields in rows.items()})
    return table_event(origin(device), change, at, at)


def neighbor(interface: str, **fields: str) -> dict[str, str]:
    return {"interface": interface, "platform": "MikroTik"} | {
        key.replace("_", "-"): value for key, value in fields.items()
    }


async def add_device(world: World, device_id: str, name: str, host: str, tenant: str = TENANT) -> None:
    await world.ask(
        "INSERT INTO tenant (tenant_id, name) VALUES (%s, 'other') ON CONFLICT DO NOTHING", tenant
    )
    await world.ask(
        "INSERT INTO device (tenant_id, device_id, name, host, port, username, tls_mode)"
        " VALUES (%s, %s, %s, %s, 8728, 'u', 'off')",
        tenant, device_id, name, host,
    )  # fmt: skip


async def proposals(world: World, tenant: str = TENANT, **options: object) -> list[ProposalView]:
    return list(await ProposalQueries(world.doors).list(tenant, **options))  # type: ignore[arg-type]


def test_the_newest_that_was_told_counts_and_nothing_gets_lost(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        at = now_us() - HOUR
        await world.project(
            seen(at, mac_address=MAC, address="10.0.0.1", identity="old", version="7.1"),
            seen(at + 20, mac_address=MAC, address="10.0.0.2", identity="new"),
        )
        await world.project(seen(at + 10, mac_address=MAC, identity="late", board="CCR"))  # came late
        (one,) = await proposals(world)
        assert (one.identity, one.version, one.board, one.address) == ("new", "7.1", "CCR", "10.0.0.2")
        assert (one.first_seen_us, one.last_seen_us) == (at, at + 20)
        assert one.proposal_id == proposal_id(TENANT, f"mac {MAC}")
        addresses = await world.value("SELECT addresses FROM device_proposal")
        assert sorted(addresses) == ["10.0.0.1", "10.0.0.2"]

    in_world(postgres_dsn, body)


def test_neighbours_of_polled_routers_are_proposals_and_links(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        at = now_us()
        await add_device(world, CORE, "core", "10.0.0.1")
        await add_device(world, EDGE, "edge", "10.0.0.2")
        await world.project(
            rows(at, "interface", CORE, a={"name": "ether1", "mac-address": OTHER_MAC}),
            rows(
                at, "interface", EDGE,
                a={"name": "bridge1", "mac-address": MAC.lower()}, b={"name": "ether2", "mac-address": MAC},
            ),
            rows(
                at, "neighbor", CORE,
                a=neighbor("ether1,bridge1", mac_address=MAC, identity="edge", interface_name="bridge1/ether2"),
                b=neighbor("ether1", mac_address="48:8F:5A:00:00:99", identity="stranger", address="10.9.9.9"),
                c=neighbor("ether1", mac_address="00:1B:00:00:00:01", platform="Cisco", identity="switch"),
            ),
        )  # fmt: skip
        (one,) = await proposals(world)  # the edge is known, and the switch is no router
        assert (one.identity, one.found_by, one.state) == ("stranger", (FoundBy.NEIGHBOR,), "new")
        assert [(where.device_name, where.interface) for where in one.seen_at] == [("core", "ether1")]
        known = {view.identity: view for view in await proposals(world, include_known=True)}
        assert (known["edge"].known_device_id, known["edge"].known_by) == (EDGE, "mac")

        links = {link.identity: link for link in await NeighborQueries(world.doors).list(TENANT)}
        assert set(links) == {"edge", "stranger", "switch"}
        edge = links["edge"]
        assert (edge.seen_at.device_id, edge.seen_at.interface, edge.interface_id) == (CORE, "ether1", "*a")
        assert (edge.neighbor_device_name, edge.neighbor_interface_id) == ("edge", "*b")
        assert (links["switch"].neighbor_device_id, links["switch"].platform) == ("", "Cisco")
        assert await NeighborQueries(world.doors).list(TENANT, device_id=EDGE) == []
        assert len(await NeighborQueries(world.doors).list(TENANT, offset=1, limit=1)) == 1

    in_world(postgres_dsn, body)


@pytest.mark.parametrize("known", ["host", "own address", "vrrp"])
def test_what_the_inventory_has_is_not_proposed(postgres_dsn: str, known: str) -> None:
    vrrp = "00:00:5E:00:01:0A"

    async def body(world: World) -> None:
        at = now_us()
        await world.project(seen(at, mac_address=vrrp, address="10.0.0.9", identity="r"))
        assert len(await proposals(world)) == 1
        await add_device(world, CORE, "core", "10.0.0.9" if known == "host" else "core.example.net")
        if known == "own address":
            await world.project(rows(at, "ip_address", CORE, a={"address": "10.0.0.9/24"}))
        elif known == "vrrp":  # an address that moves between routers tells nothing
            await world.project(rows(at, "interface", CORE, a={"name": "vrrp1", "mac-address": vrrp}))
        assert len(await proposals(world)) == (1 if known == "vrrp" else 0)

    in_world(postgres_dsn, body)


def test_what_a_scan_found_at_an_address_is_what_announced_itself_with_it(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        at = now_us()
        await world.project(seen(at, found_by=FoundBy.SCAN, address="10.0.0.5", ports=(8728, 443)))
        (one,) = await proposals(world)
        assert (one.address, one.ports, one.found_by) == ("10.0.0.5", (8728, 443), (FoundBy.SCAN,))
        await world.project(seen(at, mac_address=MAC, address="10.0.0.5", identity="r5"))
        (one,) = await proposals(world)
        assert one.identity == "r5"
        assert sorted(one.ports) == [443, 8728]
        assert set(one.found_by) == {FoundBy.MNDP, FoundBy.SCAN}

    in_world(postgres_dsn, body)


def test_decisions_outlive_a_rebuild_and_end_with_the_device(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        at = now_us()
        await add_device(world, CORE, "core", "10.0.0.1")
        await world.project(
            seen(at, mac_address=MAC, identity="a"), seen(at, mac_address=OTHER_MAC, identity="b")
        )
        queries, decisions = ProposalQueries(world.doors), DecisionStore(world.doors)
        one, other = (proposal_id(TENANT, f"mac {mac}") for mac in (MAC, OTHER_MAC))
        await decisions.ignore(TENANT, one)
        await decisions.adopt(TENANT, other, CORE)
        assert await proposals(world) == []
        await world.runners[-1].rebuild("discovery")
        await world.runners[-1].wait_for(world.log.stats().last_seq)
        states = {view.identity: view.state for view in await proposals(world, states=("ignored", "adopted"))}
        assert states == {"a": "ignored", "b": "adopted"}
        assert (await queries.get(other[:12])).known_by == "adopted"
        await decisions.restore(TENANT, one)
        await decisions.restore(TENANT, other)  # has a device: it stays
        assert [view.identity for view in await proposals(world)] == ["a"]
        await world.ask("DELETE FROM device WHERE device_id = %s", CORE)
        assert len(await proposals(world)) == 2

    in_world(postgres_dsn, body)


def test_a_tenant_sees_its_own_only(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        at = now_us()
        await add_device(world, EDGE, "edge", "10.0.0.9", OTHER_TENANT)
        await world.project(
            seen(at, mac_address=MAC, identity="mine", address="10.0.0.9"),
            seen(at, OTHER_TENANT, mac_address=OTHER_MAC, identity="theirs"),
        )
        assert [view.identity for view in await proposals(world)] == ["mine"]  # their device isn't mine
        assert [view.identity for view in await proposals(world, OTHER_TENANT)] == ["theirs"]
        with pytest.raises(NotFound):
            await ProposalQueries(world.doors).get(proposal_id(TENANT, f"mac {MAC}"), OTHER_TENANT)

    in_world(postgres_dsn, body)


def test_ids_may_be_short_but_not_ambiguous(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        await world.project(seen(now_us(), mac_address=MAC))
        queries = ProposalQueries(world.doors)
        full = proposal_id(TENANT, f"mac {MAC}")
        assert (await queries.get(full[:8].upper())).proposal_id == full
        for wrong in ("", "abc", "a%%%%", "x" * 40):
            with pytest.raises(Refused):
                await queries.get(wrong)
        with pytest.raises(NotFound):
            await queries.get("0000-0000")

    in_world(postgres_dsn, body)


def test_announcements_without_end_are_forgotten_the_oldest_first(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        at = now_us()
        macs = [f"48:8F:5A:00:01:{number:02X}" for number in range(6)]
        await world.project(
            *(seen(at - 10 * HOUR * n, mac_address=mac, identity=str(n)) for n, mac in enumerate(macs))
        )
        decisions = DecisionStore(world.db)
        await decisions.ignore(TENANT, proposal_id(TENANT, f"mac {macs[5]}"))
        assert await decisions.prune(35 * 3600, 3) == 2  # 4 is too old, 3 is one too many
        found = await proposals(world, states=("new", "ignored"))
        assert [view.identity for view in found] == ["0", "1", "2", "5"]

    in_world(postgres_dsn, body)


def test_lists_come_in_pages(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        at = now_us()
        await world.project(
            *(seen(at - n, address=f"10.0.1.{n}", found_by=FoundBy.SCAN) for n in range(1, 8))
        )
        pages = await asyncio.gather(*(proposals(world, offset=o, limit=3) for o in (0, 3, 6)))
        assert [view.address for page in pages for view in page] == [f"10.0.1.{n}" for n in range(1, 8)]

    in_world(postgres_dsn, body)
