from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Awaitable, Callable

import grpc
import pytest

from mtd.eventlog.memory import MemoryEventLog
from mtd.ingest.config import PushConfig
from mtd.ingest.push.keyring import BadSignature, Keyring, Signed, sign
from mtd.pb.ingest.v1 import ingest_service_pb2 as pb
from mtd.projections.all import default_projections
from mtd.projections.runner import ProjectionRunner
from mtd.storage.pool import Database
from mtd.storage.stores.ingest_keys import GoodKey, GoodKeys
from mtd.testing.metrics import metric
from tests.integration.ingest.hub import TENANT, Hub, events, names, stored, with_hub
from tests.integration.projections.kit import World, in_world

BODY = b'{"samples": []}'
DIGEST = hashlib.sha256(BODY).hexdigest()


def signed(nonce: str) -> Signed:
    at = str(int(time.time()))
    made = sign(b"secret", "POST", "/ingest/v1/batch", at, nonce, BODY)
    return Signed("ik_a", at, nonce, made, "POST", "/ingest/v1/batch")


def keyring_of(database: Database) -> Keyring:
    ring = Keyring(database, GoodKeys(database, None), PushConfig())  # type: ignore[arg-type]
    ring.use({"ik_a": GoodKey("ik_a", TENANT, "a", [(b"secret", None)])})
    return ring


def test_a_signature_that_was_used_at_one_hub_is_no_good_at_another(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        first, second = keyring_of(world.db), keyring_of(world.db)
        once = signed("n" * 16)
        await first.spend(once, first.verify(once, DIGEST))
        with pytest.raises(BadSignature, match="used before"):
            await second.spend(once, second.verify(once, DIGEST))
        other = signed("m" * 16)
        await second.spend(other, second.verify(other, DIGEST))
        await world.ask(
            "UPDATE ingest_nonce SET used_at = now() - interval '1 hour' WHERE nonce = %s", "n" * 16
        )
        await GoodKeys(world.db, None).forget_nonces(600)  # type: ignore[arg-type]
        assert await world.ask("SELECT nonce FROM ingest_nonce") == [("m" * 16,)]

    in_world(postgres_dsn, body)


def test_while_postgresql_is_away_each_hub_knows_its_own_signatures(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        ring = keyring_of(world.db)
        await world.db.stop()  # asked, it says that it isn't there
        before = metric("mtd_ingest_push_nonces_unshared_total")
        once = signed("n" * 16)
        await ring.spend(once, ring.verify(once, DIGEST))
        assert metric("mtd_ingest_push_nonces_unshared_total") == before + 1
        with pytest.raises(BadSignature, match="used before"):
            ring.verify(once, DIGEST)

    in_world(postgres_dsn, body)


def runner_of(world: World, log: MemoryEventLog) -> ProjectionRunner:
    runner = ProjectionRunner(log, world.db, default_projections(world.partitions), config=world.config)
    world.runners.append(runner)
    return runner


def with_two_hubs(dsn: str, body: Callable[[Hub, Hub], Awaitable[None]]) -> None:
    """Run a test with two hubs on one database, each with a log of its own."""

    async def main(first: Hub) -> None:
        log = MemoryEventLog()
        await log.start()
        second = Hub(first.world, log)
        await second.start()
        try:
            await body(first, second)
        finally:
            await second.stop()
            await log.stop()

    with_hub(dsn, main)


def test_what_a_dead_hub_had_acknowledged_comes_to_another_and_is_projected_once(postgres_dsn: str) -> None:
    async def body(first: Hub, second: Hub) -> None:
        world, edge = first.world, str(uuid.uuid4())
        stream = first.stream(edge)
        await stream.open()
        await stream.store(1, events(1, 20))
        await first.stop()  # with all of it acknowledged, and nothing projected
        await runner_of(world, second.log).start()
        stream = second.stream(edge)
        opened = await stream.open()
        assert not list(opened.stored), "the database has none of it"
        await stream.store(1, events(1, 30))
        await world.runners[-1].wait_for(30)
        assert await stored(world) == names(1, 30)
        before = metric("mtd_projections_events_elsewhere_total")
        back = runner_of(world, first.log)
        await back.start()
        await back.wait_for(20)
        assert await stored(world) == names(1, 30)
        assert metric("mtd_projections_events_elsewhere_total") == before + 20
        await back.rebuild("events")
        await back.wait_for(20)
        assert await stored(world) == names(1, 30)

    with_two_hubs(postgres_dsn, body)


def test_the_hub_that_a_log_was_opened_at_last_takes_it(postgres_dsn: str) -> None:
    async def body(first: Hub, second: Hub) -> None:
        edge = str(uuid.uuid4())
        before = first.stream(edge)
        await before.open()
        await before.store(1, events(1, 5))
        after = second.stream(edge, lane=pb.LANE_BACKFILL)
        await after.open()
        error = await before.fails()
        assert error.code() is grpc.StatusCode.ABORTED
        assert "another hub takes the log" in str(error.details())
        await after.store(1, events(1, 5))
        again = second.stream(edge)
        await again.open()  # its other lane is no other hub's
        await after.store(6, events(6, 5))
        for hub in (first, second):
            await runner_of(hub.world, hub.log).start()
        for runner, last in zip(hub.world.runners[-2:], (5, 10), strict=True):
            await runner.wait_for(last)
        assert sorted(await stored(first.world)) == sorted(names(1, 10))

    with_two_hubs(postgres_dsn, body)


def test_a_hub_that_stops_sends_collectors_away(postgres_dsn: str) -> None:
    async def body(first: Hub, second: Hub) -> None:
        edge = str(uuid.uuid4())
        stream = first.stream(edge)
        await stream.open()
        await stream.store(1, events(1, 5))
        first.copies.drain()
        error = await stream.fails()
        assert (error.code(), error.details()) == (grpc.StatusCode.UNAVAILABLE, "this hub stops")
        refused = first.stream(edge)
        with pytest.raises(grpc.aio.AioRpcError, match="takes no more"):
            await refused.open()
        stream = second.stream(edge)
        await stream.open()
        await stream.store(1, events(1, 5))

    with_two_hubs(postgres_dsn, body)
