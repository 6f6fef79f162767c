"""Hubs on one database tell each other what is new, and who they are."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from mtd.api.config import GrpcConfig
from mtd.api.grpc.stream_hub import StreamHub
from mtd.app import neighbours as neighbours_module
from mtd.app.neighbours import Neighbours
from mtd.app.neighbours_config import NeighboursConfig
from mtd.coordination.memory import MemoryLeaseStore
from mtd.eventlog.memory import MemoryEventLog
from mtd.model.catalogue import Catalogue
from mtd.projections.all import default_projections
from mtd.projections.runner import ProjectionRunner
from mtd.queries.latest import LatestQueries
from mtd.storage.pool import Database
from mtd.storage.stores.hub_logs import HubStore, OtherKey
from mtd.storage.stores.hub_news import tell
from tests.integration.projections.kit import (
    DEVICE,
    TENANT,
    World,
    change,
    declare,
    frame,
    in_world,
    now_us,
)
from tests.unit.api.fakes import CATALOGUE, device

QUICK = NeighboursConfig(lease_s=3, tell_interval_s=0.02, read_interval_s=0.02, idle_read_interval_s=0.05)


class One:
    """A hub: a log, projections of it, and the newest values for those who look on."""

    def __init__(self, world: World, leases: Any, name: str, catalogue: Catalogue) -> None:
        self.world = world
        self.log = MemoryEventLog()
        self.name = name
        self.woken: set[str] = set()
        self.watched = True
        self.hub = StreamHub(LatestQueries(world.across), catalogue, GrpcConfig(), self.woken.update)  # type: ignore[arg-type]
        self._leases = leases

    async def start(self, keys: Callable[[], list[bytes]] = lambda: [b"key"]) -> None:
        world = self.world
        await self.log.start()
        store = HubStore(world.db, self.log.log_id)
        self.neighbours = Neighbours(
            (self.name, self.log.log_id),
            (world.db, world.across),
            lambda: store.enter(keys(), QUICK.lease_s),
            self._leases,
            self.hub,
            QUICK,
            tables={"interface"},
            on_events=self.woken.update,
            watched=lambda: self.watched,
        )
        self.hub.apply_devices([device(device_id=DEVICE)])
        await self.neighbours.start()
        await self.hub.start()
        self.runner = ProjectionRunner(
            self.log,
            world.db,
            default_projections(world.partitions),
            self.neighbours.committed,
            config=world.config,
        )
        await self.runner.start()

    async def stop(self) -> None:
        await self.runner.stop()
        await self.neighbours.stop()
        await self.hub.stop()
        await self.log.stop()

    def newest(self) -> dict[str, int]:
        """Return when the newest values of each poll group were collected."""
        groups = self.hub.groups_of(TENANT, DEVICE)
        return {name: group.newest.collected_at_us for name, group in groups.items()}


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


def with_two(dsn: str, body: Callable[[One, One], Awaitable[None]]) -> None:
    async def main(world: World) -> None:
        await world.ask(
            "INSERT INTO device (tenant_id, device_id, name, host, port, username, tls_mode)"
            " VALUES (%s, %s, 'a', 'h', 1, 'u', 'off')",
            TENANT,
            DEVICE,
        )
        leases = MemoryLeaseStore()
        pair = [One(world, leases, name, CATALOGUE) for name in ("a", "b")]
        for one in pair:
            await one.start()
        try:
            await until(lambda: all(one.neighbours.others == 1 for one in pair))
            await body(*pair)
        finally:
            for one in pair:
                await one.stop()

    in_world(dsn, main)


def test_what_one_hub_commits_the_other_shows(postgres_dsn: str) -> None:
    async def body(first: One, second: One) -> None:
        at = now_us()
        await first.log.append([declare(), frame(at)])
        await until(lambda: second.newest() == {"t0": at})
        await second.log.append([frame(at + 1)])
        await until(lambda: first.newest() == {"t0": at + 1})
        await first.log.append([change(at + 2)])
        await until(lambda: second.woken == {TENANT})
        second.watched = False
        await first.log.append([frame(at + 3)])
        await until(lambda: second.newest() == {"t0": at + 3})

    with_two(postgres_dsn, body)


def test_what_was_not_heard_is_read_when_there_is_a_connection_again(postgres_dsn: str) -> None:
    async def body(first: One, second: One) -> None:
        await first.log.append([declare(), frame(now_us())])
        await until(second.newest)
        first.neighbours._others.clear()  # tells nobody: as if what it told had got lost
        at = now_us()
        await first.log.append([frame(at)])
        await first.runner.wait_for(3)
        await first.world.ask(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%%'"
        )
        await until(lambda: second.newest() == {"t0": at})

    with_two(postgres_dsn, body)


def test_a_hub_that_has_ended_is_told_nothing(postgres_dsn: str) -> None:
    async def body(first: One, second: One) -> None:
        await second.neighbours.stop()
        await until(lambda: first.neighbours.others == 0)
        await second.neighbours.start()
        await until(lambda: first.neighbours.others == 1)

    with_two(postgres_dsn, body)


def test_what_a_hub_was_telling_when_it_ended_is_told(
    postgres_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def body(first: One, second: One) -> None:
        telling = asyncio.Event()

        async def held_up(*told: Any) -> None:
            if telling.is_set():
                await tell(*told)
                return
            telling.set()
            await asyncio.Event().wait()

        with monkeypatch.context() as patched:
            patched.setattr(neighbours_module, "tell", held_up)
            at = now_us()
            await first.log.append([declare(), frame(at)])
            await telling.wait()
            await first.neighbours.stop()
        await until(lambda: second.newest() == {"t0": at})

    with_two(postgres_dsn, body)


def test_a_hub_ends_though_the_others_cant_be_told(
    postgres_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def body(first: One, second: One) -> None:
        telling = asyncio.Event()

        async def held_up(*told: Any) -> None:
            telling.set()
            await asyncio.Event().wait()

        with monkeypatch.context() as patched:
            patched.setattr(neighbours_module, "tell", held_up)
            await first.log.append([declare(), frame(now_us())])
            await telling.wait()
            at = now_us()
            await first.log.append([frame(at)])
            await until(lambda: any(first.neighbours._to_tell.values()))
            async with asyncio.timeout(20):
                await first.neighbours.stop()
        await first.neighbours.stop()
        await until(lambda: second.newest() == {"t0": at})

    with_two(postgres_dsn, body)


def test_two_of_one_name_are_told_apart(postgres_dsn: str) -> None:
    async def body(first: One, second: One) -> None:
        third = One(first.world, first._leases, second.name, CATALOGUE)
        await third.start()
        try:
            await until(lambda: third.neighbours.failure)
            assert "daemon.collector_id of its own" in third.neighbours.failure
            assert not second.neighbours.failure
        finally:
            await third.stop()

    with_two(postgres_dsn, body)


def test_hubs_have_to_share_a_master_key(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        def hub() -> HubStore:
            return HubStore(world.db, str(uuid.uuid4()))

        first, second, stranger = hub(), hub(), hub()
        await first.enter([b"old"], 60)
        await second.enter([b"new", b"old"], 60)  # in the middle of a rotation
        with pytest.raises(OtherKey, match="another master key"):
            await stranger.enter([b"own"], 60)
        with pytest.raises(OtherKey):
            await stranger.enter([b"new"], 60)
        await first.leave()
        await stranger.enter([b"new"], 60)
        await second.leave()
        await stranger.leave()
        await hub().enter([b"own"], 60)

    in_world(postgres_dsn, body)


def test_two_that_start_at_once_with_keys_of_their_own_see_each_other(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        pools = [world.db, Database.for_writing(world.dsn)]
        hubs = [HubStore(pool, str(uuid.uuid4())) for pool in pools]
        found = await asyncio.gather(
            *(hub.enter([name], 60) for hub, name in zip(hubs, (b"a", b"b"), strict=True)),
            return_exceptions=True,
        )
        await pools[1].stop()
        assert sorted(type(one) for one in found if one is not None) == [OtherKey]

    in_world(postgres_dsn, body)
