"""Flows beside the counters of interfaces."""

from __future__ import annotations

import pytest

from mtd.core.errors import NotFound, Refused
from mtd.queries.flows import asking, comparing
from mtd.queries.flows.records import ComparedInterface
from tests.integration.projections.kit import World, frame, in_world, now_us
from tests.integration.queries.flow_kit import (
    HOUR,
    MINUTE,
    TENANT,
    add_device,
    add_tenant,
    flows_of,
    store,
    store_sums,
)
from tests.integration.queries.test_flows_top import OTHER_TENANT, THEIR_DEVICE
from tests.integration.queries.test_overview import LAYOUT, fleet

SECOND = 1_000_000


def poll(device_id: str, at: int, rx: int, tx: int | None) -> object:
    """Return a poll of both ports; of the second nothing is known."""
    return frame(
        at,
        device=device_id,
        layout=LAYOUT,
        counters=[rx, tx, *[None] * 6],
        gauges=[],
        rates=[float("nan")] * 8,
        low_confidence=(),
    )


def of(interfaces: object, device: str) -> dict[int, ComparedInterface]:
    return {one.index: one for one in interfaces if one.device == device}  # type: ignore[attr-defined]


def test_flows_are_compared_with_counters(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        core, _ = await fleet(world)
        end = now_us() // MINUTE * MINUTE
        start = end - 30 * MINUTE
        await world.project(
            *(
                poll(core, start - 5 * SECOND + n * 10 * SECOND, 10**9 + n * 1000, 5 + n * 10)  # type: ignore[misc]
                for n in range(181)
            )
        )
        records = [
            {"in_interface": 1, "out_interface": 2, "octets": 90_000, "sampling": 2},
            {"in_interface": 2, "out_interface": 1, "octets": 1700},
            {"in_interface": 15_728_641, "out_interface": 1, "octets": 5},
        ]
        await store_sums(world, 60, start + 5 * MINUTE, records[:2], device=core)
        await store(world, end - MINUTE, records[2:], device=core)
        await store_sums(world, 60, start - MINUTE, records, device=core)  # before it all
        found = await flows_of(world).compare(TENANT, start, end)
        assert (found.start_us, found.end_us, found.left_out) == (start, end, 0)
        by_index = of(found.interfaces, "core-1")
        assert len(found.interfaces) == len(by_index) == 3
        one, two, session = by_index[1], by_index[2], by_index[15_728_641]
        assert (one.name, one.in_octets, one.out_octets) == ("ether1", 180_000, 1705)
        assert (one.rx_bytes, one.tx_bytes) == (180_000, 1800)
        # Of the second nothing was counted, and the third is no interface that the device has.
        assert (two.name, two.in_octets, two.out_octets) == ("ether2", 1700, 180_000)
        assert (two.rx_bytes, two.tx_bytes) == (None, None)
        assert (session.name, session.in_octets, session.out_octets) == ("", 5, 0)
        assert [one.index for one in found.interfaces] == [1, 2, 15_728_641]

    in_world(postgres_dsn, body)


def test_an_interface_of_which_no_flow_tells_is_there(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        core, edge = await fleet(world)
        at = now_us()
        polls = [poll(edge, at - (50 - n) * 10 * SECOND, n * 100, None) for n in range(50)]
        await world.project(*polls)  # type: ignore[arg-type]
        await store(world, at - MINUTE, [{"in_interface": 1, "octets": 7}], device=core)
        queries = flows_of(world)
        named = await queries.compare(TENANT, at - HOUR, at, ("edge-1", "core-1"))
        assert [(one.device, one.index, one.in_octets) for one in named.interfaces] == [
            ("core-1", 1, 7),
            ("edge-1", 1, 0),
        ]
        assert named.interfaces[1].rx_bytes == 4900
        assert named.interfaces[1].tx_bytes is None
        # Who told of no flow isn't compared unless it is named.
        assert [one.device for one in (await queries.compare(TENANT, at - HOUR, at)).interfaces] == ["core-1"]

    in_world(postgres_dsn, body)


def test_long_ranges_are_whole_five_minutes(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        core, _ = await fleet(world)
        at = now_us()
        start = (at // HOUR - 50) * HOUR + 7 * MINUTE
        await store_sums(world, 3600, start + HOUR, [{"in_interface": 1, "octets": 7}], device=core)
        found = await flows_of(world).compare(TENANT, start, at)
        assert found.start_us == start - 2 * MINUTE
        assert found.end_us % (5 * MINUTE) == 0
        assert found.end_us >= at
        (one,) = found.interfaces
        assert (one.index, one.in_octets, one.rx_bytes) == (1, 7, None)

    in_world(postgres_dsn, body)


def test_what_is_compared_is_bounded(postgres_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def body(world: World) -> None:
        core, edge = await fleet(world)
        at, queries = now_us(), flows_of(world)
        await store(world, at, [{"in_interface": n, "octets": n} for n in range(1, 10)], device=core)
        monkeypatch.setattr(comparing, "MOST_INTERFACES", 4)
        found = await queries.compare(TENANT, at - HOUR, at + 1)
        assert [one.index for one in found.interfaces] == [9, 8, 7, 6]
        assert found.left_out == 5
        await store(world, at, [{"in_interface": 1}], device=edge)
        monkeypatch.setattr(asking, "MAX_COMPARED", 1)
        with pytest.raises(Refused, match="name those"):
            await queries.compare(TENANT, at - HOUR, at + 1)
        with pytest.raises(Refused, match="more than 1"):
            await queries.compare(TENANT, at - HOUR, at + 1, ("core-1", "edge-1"))
        with pytest.raises(NotFound):
            await queries.compare(TENANT, at - HOUR, at, ("nobody",))

    in_world(postgres_dsn, body)


def test_a_tenant_sees_nothing_of_another(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        await add_tenant(world, OTHER_TENANT)
        await add_device(world, "theirs", THEIR_DEVICE, OTHER_TENANT)
        at = now_us()
        await store(world, at, [{"in_interface": 1, "octets": 7}], device=THEIR_DEVICE, tenant=OTHER_TENANT)
        # Of a device that isn't in the inventory any more.
        gone = "10000000-0000-4000-8000-000000000009"
        await store(world, at, [{"in_interface": 2, "octets": 5}], device=gone)
        found = await flows_of(world).compare(TENANT, at - HOUR, at + 1)
        assert [(one.device, one.device_id, one.index) for one in found.interfaces] == [("", gone, 2)]
        with pytest.raises(NotFound):
            await flows_of(world).compare(TENANT, at - HOUR, at, ("theirs",))

    in_world(postgres_dsn, body)
