"""What the console reads, from a real PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mtd.app.console_reads import ConsoleReads
from mtd.core.errors import NotFound
from mtd.model.device import DeviceStatus, Outcome
from mtd.model.events import Origin, state_event
from mtd.model.selection import TABLE as SELECTION
from mtd.model.watching import NOT_WATCHING, started
from mtd.queries import fleet, health
from mtd.queries.detail import DetailQueries
from mtd.queries.health import TOO_MANY
from mtd.queries.records import CapabilityRow
from mtd.security.keyfile import MasterKey
from mtd.security.vault import Vault
from mtd.storage.stores.device_settings import DeviceSettings
from mtd.storage.stores.devices import DeviceStore
from tests.integration.projections.kit import (
    TENANT,
    World,
    change,
    frame,
    in_world,
    now_us,
    outcome,
    probe,
    table,
)
from tests.integration.queries.kit import ranges_of

if TYPE_CHECKING:
    from mtd.pb.events.v1.envelope_pb2 import Envelope

SECOND = 1_000_000
OTHER_TENANT = "00000000-0000-4000-8000-00000000000f"


async def device(world: World, name: str = "core-1", *, enabled: bool = True) -> str:
    store = DeviceStore(world.db, Vault([MasterKey.of(bytes(32))]).sealer)
    settings = DeviceSettings(name, "192.0.2.1", "mtd", enabled=enabled, labels={"site": "north"})
    return (await store.create(settings, "secret")).device_id


def of(device_id: str, envelope: Envelope) -> Envelope:
    envelope.device_id = device_id
    return envelope


def test_the_list_in_pages(postgres_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet, "PAGE", 2)

    async def body(world: World) -> None:
        ids = [await device(world, f"r{number}", enabled=number != 4) for number in range(5)]
        at = now_us()
        await world.project(
            outcome(at, Outcome.REFUSED, DeviceStatus.DOWN, "refused", ids[0]), of(ids[1], probe(at, "7.16"))
        )
        rows = {
            row.device_id: row
            for row in await ConsoleReads(world.doors, world.across, ranges_of(world)).fleet(TENANT)
        }
        assert set(rows) == set(ids)
        first = rows[ids[0]]
        assert (first.name, first.host, first.enabled, first.labels) == (
            "r0",
            "192.0.2.1",
            True,
            {"site": "north"},
        )
        assert (first.status, first.reason, first.since_us) == (DeviceStatus.DOWN, "refused", at)
        assert (rows[ids[1]].version, rows[ids[1]].board, rows[ids[1]].identity) == ("7.16", "CHR", "core")
        assert (rows[ids[3]].status, rows[ids[3]].since_us) == (DeviceStatus.UNKNOWN, None)
        assert (rows[ids[4]].status, rows[ids[4]].enabled) == (DeviceStatus.DISABLED, False)
        assert await ConsoleReads(world.doors, world.across, ranges_of(world)).fleet(OTHER_TENANT) == []

    in_world(postgres_dsn, body)


def test_a_device_with_its_interfaces_and_what_it_can_do(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        device_id = await device(world)
        at = now_us()
        ports = {
            "*1": {"name": "ether1", "comment": "Uplink", "type": "ether"},
            "*9": {"name": "bridge", "type": "bridge"},
        }
        ethernet = of(device_id, table(at, {"*1": {"name": "ether1", "speed": "1Gbps"}}))
        ethernet.table_delta.table = "ethernet"
        await world.project(
            of(device_id, table(at, ports)), ethernet, of(device_id, probe(at, wifi=False, routerboard=True))
        )
        reads = ConsoleReads(world.doors, world.across, ranges_of(world))
        found = await reads.device(TENANT, device_id)
        assert found.view.settings.name == "core-1"
        assert found.architecture == "x86_64"
        assert list(found.capabilities) == [
            CapabilityRow("routerboard", True, ""), CapabilityRow("wifi", False, ""),
        ]  # fmt: skip
        bridge, ether = found.interfaces
        assert {(one.tier, one.reason, one.chosen_us) for one in found.interfaces} == {("t0", "all", None)}
        assert (ether.id, ether.name, ether.comment, ether.type, ether.changed_us) == (
            "*1",
            "ether1",
            "Uplink",
            "ether",
            at,
        )
        assert ether.fields["ethernet.speed"] == "1Gbps"
        assert ether.fields["type"] == "ether"
        assert not any(name.startswith("ethernet.") for name in bridge.fields)
        with pytest.raises(NotFound):
            await reads.device(OTHER_TENANT, device_id)

    in_world(postgres_dsn, body)


def test_how_often_an_interface_is_read_and_why(postgres_dsn: str) -> None:
    def chosen(at: int, **reasons: str) -> Envelope:
        told = {"scope": "iface", "tier": "t0", "rest": "t1"}
        rows = {f"iface:{one}": {**told, "instance": one, "reason": why} for one, why in reasons.items()}
        made = table(at, rows, complete=True)
        made.table_delta.table = SELECTION
        return made

    async def body(world: World) -> None:
        device_id = await device(world)
        at = now_us()
        ports = {f"*{number}": {"name": f"ether{number}", "type": "ether"} for number in (1, 2, 3)}
        await world.project(
            of(device_id, table(at, ports)), of(device_id, chosen(at, **{"*1": "uplink", "*2": "pinned"}))
        )
        detail = DetailQueries(world.doors)

        async def told() -> list[tuple[str, str, str, int | None]]:
            rows = await detail.interfaces(device_id, TENANT)
            return [(one.name, one.tier, one.reason, one.chosen_us) for one in rows]

        assert await told() == [
            ("ether1", "t0", "uplink", at),
            ("ether2", "t0", "pinned", at),
            ("ether3", "t1", "rest", None),
        ]
        # Who was chosen for the same reason before is so since then.
        await world.project(of(device_id, chosen(at + 5, **{"*1": "uplink", "*3": "traffic"})))
        assert await told() == [
            ("ether1", "t0", "uplink", at),
            ("ether2", "t1", "rest", None),
            ("ether3", "t0", "traffic", at + 5),
        ]
        await world.project(of(device_id, chosen(at + 6)))
        assert {one[1:] for one in await told()} == {("t0", "all", None)}
        assert await detail.interfaces(device_id, OTHER_TENANT) == []

    in_world(postgres_dsn, body)


def test_events_go_back_in_pages_of_all_and_of_one(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        first, second = await device(world, "a"), await device(world, "b")
        at = now_us()
        # Later positions, earlier times: the order is that of positions.
        events = [of((first, second)[n % 2], change(at - n * SECOND)) for n in range(7)]
        await world.project(*events)
        reads = ConsoleReads(world.doors, world.across, ranges_of(world))
        everything = await reads.events_before(TENANT, None, 100)
        positions = [one.position for one in everything]
        assert len(positions) == 7
        assert positions == sorted(positions, reverse=True)
        page = await reads.events_before(TENANT, None, 3)
        rest = await reads.events_before(TENANT, page[-1].position, 100)
        assert [one.position for one in (*page, *rest)] == positions
        of_first = await reads.events_before(TENANT, None, 100, first)
        assert [one.position for one in of_first] == [
            one.position for one in everything if one.device_id == first
        ]
        assert {one.device_name for one in of_first} == {"a"}
        before = await reads.events_before(TENANT, of_first[1].position, 1, first)
        assert [one.position for one in before] == [of_first[2].position]
        assert await reads.events_before(OTHER_TENANT, None, 100) == []

    in_world(postgres_dsn, body)


def test_health_begins_with_what_was_before(postgres_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def body(world: World) -> None:
        device_id = await device(world)
        at = now_us() - 100 * SECOND
        told = [
            (0, Outcome.OK, DeviceStatus.UP, "polled in time"),
            (10, Outcome.REFUSED, DeviceStatus.DOWN, "refused"),
            (20, Outcome.REFUSED, DeviceStatus.DOWN, "refused"),
            (30, Outcome.OK, DeviceStatus.UP, "polled in time"),
        ]
        await world.project(
            *(
                outcome(at + second * SECOND, what, status, why, device_id)
                for second, what, status, why in told
            )
        )
        reads = ConsoleReads(world.doors, world.across, ranges_of(world))
        history = await reads.health(TENANT, device_id, at + 5 * SECOND, at + 50 * SECOND)
        assert [(one.from_us - at, one.to_us - at, one.status, one.reason) for one in history.segments] == [
            (5 * SECOND, 10 * SECOND, DeviceStatus.UP, "polled in time"),
            (10 * SECOND, 30 * SECOND, DeviceStatus.DOWN, "refused"),
            (30 * SECOND, 50 * SECOND, DeviceStatus.UP, "polled in time"),
        ]
        assert [one.at_us - at for one in history.outcomes] == [30 * SECOND, 20 * SECOND, 10 * SECOND]
        assert history.outcomes[1].consecutive_failures == 3
        assert history.outcomes[1].retry_in_s == 1.5
        early = await reads.health(TENANT, device_id, at - 5 * SECOND, at + 5 * SECOND)
        assert [one.status for one in early.segments] == [DeviceStatus.UNKNOWN, DeviceStatus.UP]
        nobody = await reads.health(TENANT, "00000000-0000-4000-8000-0000000000aa", at, at + SECOND)
        assert [one.status for one in nobody.segments] == [DeviceStatus.UNKNOWN]
        monkeypatch.setattr(health, "MAX_CHANGES", 1)
        cut = await reads.health(TENANT, device_id, at + 5 * SECOND, at + 50 * SECOND)
        assert [(one.status, one.reason) for one in cut.segments] == [
            (DeviceStatus.UNKNOWN, TOO_MANY), (DeviceStatus.UP, "polled in time"),
        ]  # fmt: skip

    in_world(postgres_dsn, body)


def began(at: int, watched_until: int) -> Envelope:
    return state_event(Origin(TENANT, "collector"), started("collector", watched_until, at), at, at)


def test_while_mtd_was_down_nothing_is_known(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        up, off = await device(world, "up"), await device(world, "off")
        at = now_us() - 100 * SECOND
        polled = (Outcome.OK, DeviceStatus.UP, "polled in time")
        await world.project(
            outcome(at, *polled, up),
            outcome(at, Outcome.OK, DeviceStatus.DISABLED, "switched off", off),
            began(at + 40 * SECOND, at + 10 * SECOND),
            outcome(at + 42 * SECOND, *polled, up),
            began(at + 70 * SECOND, at + 60 * SECOND),
        )
        reads = ConsoleReads(world.doors, world.across, ranges_of(world))

        async def told(device_id: str, start: int, end: int) -> list[tuple[int, int, str]]:
            span = await reads.health(TENANT, device_id, at + start * SECOND, at + end * SECOND)
            assert all(
                (one.status is DeviceStatus.UNKNOWN) == (one.reason == NOT_WATCHING) for one in span.segments
            )
            return [
                ((one.from_us - at) // SECOND, (one.to_us - at) // SECOND, one.status.value)
                for one in span.segments
            ]

        # Up as before, but not all the time; and since the second start nobody reached it.
        assert await told(up, 5, 90) == [
            (5, 10, "up"), (10, 42, "unknown"), (42, 60, "up"), (60, 90, "unknown"),
        ]  # fmt: skip
        # The span begins or ends in it, lies in it, or is behind it.
        assert await told(up, 20, 50) == [(20, 42, "unknown"), (42, 50, "up")]
        assert await told(up, 5, 30) == [(5, 10, "up"), (10, 30, "unknown")]
        assert await told(up, 20, 30) == [(20, 30, "unknown")]
        assert await told(up, 41, 50) == [(41, 42, "unknown"), (42, 50, "up")]
        assert await told(up, 45, 55) == [(45, 55, "up")]
        assert await told(up, 80, 90) == [(80, 90, "unknown")]
        # Who is switched off isn't watched anyhow.
        assert await told(off, 5, 90) == [(5, 90, "disabled")]

    in_world(postgres_dsn, body)


def test_while_mtd_was_down_nothing_is_known_of_any_tenant(postgres_dsn: str) -> None:
    """The event that tells so is the operator's, who may be of another tenant."""

    async def body(world: World) -> None:
        device_id = await device(world)
        at = now_us() - 100 * SECOND
        polled = (Outcome.OK, DeviceStatus.UP, "polled in time", device_id)
        await world.project(outcome(at, *polled), outcome(at + 42 * SECOND, *polled))
        start = began(at + 40 * SECOND, at + 10 * SECOND)
        start.tenant_id = OTHER_TENANT
        await world.project(start)
        span = await ConsoleReads(world.doors, world.across, ranges_of(world)).health(
            TENANT, device_id, at, at + 90 * SECOND
        )
        assert [((one.from_us - at) // SECOND, one.status) for one in span.segments] == [
            (0, DeviceStatus.UP), (10, DeviceStatus.UNKNOWN), (42, DeviceStatus.UP),
        ]  # fmt: skip

    in_world(postgres_dsn, body)


def test_another_collector_s_stop_says_nothing(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        device_id = await device(world)
        at = now_us() - 100 * SECOND
        await world.project(outcome(at, Outcome.OK, DeviceStatus.UP, "polled in time", device_id))
        await world.project(began(at + 40 * SECOND, at + 10 * SECOND))
        await world.ask("UPDATE event SET log_id = gen_random_uuid() RETURNING 1")
        span = await ConsoleReads(world.doors, world.across, ranges_of(world)).health(
            TENANT, device_id, at, at + 90 * SECOND
        )
        assert [one.status for one in span.segments] == [DeviceStatus.UP]

    in_world(postgres_dsn, body)


def test_the_fleet_is_not_found_by_frames(postgres_dsn: str) -> None:
    """Frames come each second and change nothing in the list."""

    async def body(world: World) -> None:
        device_id = await device(world)
        reads = ConsoleReads(world.doors, world.across, ranges_of(world))
        before = await reads.fleet(TENANT)
        await world.project(frame(now_us(), device=device_id))
        assert await reads.fleet(TENANT) == before

    in_world(postgres_dsn, body)
