"""Batches of others, over gRPC, with the real log, projections and stores: what is told is what happened."""

from __future__ import annotations

import asyncio
import datetime as dt
import uuid
from typing import Any

import grpc
import grpc.aio
import pytest

from mtd.pb.ingest.v1 import ingest_service_pb2 as pb
from mtd.storage.stores import ingest_events
from mtd.storage.stores.ingest_events import IngestEventStore
from mtd.testing.metrics import metric
from tests.integration.ingest.hub import OTHER_TENANT, TENANT, Hub, with_hub
from tests.integration.ingest.test_copying import Forgetful

STATUS = grpc.StatusCode
CPU = "system.cpu.load_pct"
NOW = dt.datetime.now(dt.UTC)


def request(
    *values: float, device: str = "a", key: str = CPU, ago_s: int = 0, **more: Any
) -> pb.IngestRequest:
    made = pb.IngestRequest(**more)
    for number, value in enumerate(values):
        sample = made.samples.add(device=device)
        sample.time.FromDatetime(NOW - dt.timedelta(seconds=ago_s + number))
        sample.metrics[key].number = value
    return made


def event(event_id: uuid.UUID, device: str = "a") -> pb.PushedEvent:
    made = pb.PushedEvent(event_id=str(event_id), device=device, event_type="x.y", message=str(event_id))
    made.time.FromDatetime(NOW)
    return made


async def ingest(hub: Hub, wanted: pb.IngestRequest, who: str = "feed") -> pb.IngestResponse:
    metadata = (("authorization", f"Bearer {who}"),)
    return await hub.stub.Ingest(wanted, metadata=metadata, timeout=30)  # type: ignore[no-any-return]


async def refused(hub: Hub, wanted: pb.IngestRequest, who: str = "feed") -> grpc.aio.AioRpcError:
    try:
        answer = await ingest(hub, wanted, who)
    except grpc.aio.AioRpcError as error:
        return error
    raise AssertionError(answer)


def test_ingest_of_another_tenant_s_device_answers_as_if_there_were_none(postgres_dsn: str) -> None:
    async def body(hub: Hub) -> None:
        theirs = await refused(hub, request(1.0, device="b"))
        nobodys = await refused(hub, request(1.0, device="c"))
        assert theirs.code() is nobodys.code() is STATUS.INVALID_ARGUMENT
        assert (theirs.details() or "").replace("'b'", "X") == (nobodys.details() or "").replace("'c'", "X")
        by_id = await refused(hub, request(1.0, device=str(uuid.UUID(int=0xB1))))
        assert "there is no device" in (by_id.details() or "")
        assert (await ingest(hub, request(2.0, device="b"), "feed-b")).accepted == 1
        await hub.world.project()
        assert await hub.world.ask("SELECT tenant_id::text, gauges[1] FROM telemetry_frame") == [
            (OTHER_TENANT, 2.0)
        ]

    with_hub(postgres_dsn, body)


def test_ingest_of_the_same_batch_is_stored_once(postgres_dsn: str) -> None:
    async def body(hub: Hub) -> None:
        first = await ingest(hub, request(1.0, 2.0))
        again = await ingest(hub, request(1.0, 2.0))
        assert (first.accepted, first.duplicate) == (2, False)
        assert (again.accepted, again.duplicates, again.duplicate) == (0, 2, True)
        named = await asyncio.gather(*(ingest(hub, request(3.0, ago_s=50, batch_id="b")) for _ in range(3)))
        assert sorted(answer.duplicate for answer in named) == [False, True, True]
        # Names of batches are the sender's own: another's are not taken for them.
        assert not (await ingest(hub, request(3.0, ago_s=50, batch_id="b"), "edge-a")).duplicate
        await hub.world.project()
        assert await hub.world.value("SELECT count(*) FROM telemetry_frame") == 4

    with_hub(postgres_dsn, body)


def test_ingest_of_an_event_under_one_uuid_is_projected_once(postgres_dsn: str) -> None:
    async def body(hub: Hub) -> None:
        one, two = uuid.uuid4(), uuid.uuid4()
        assert (await ingest(hub, pb.IngestRequest(events=[event(one)]))).accepted == 1
        # A hub that forgot what it was told, and whose database doesn't have it yet.
        hub.push._told.clear()
        answer = await ingest(hub, pb.IngestRequest(events=[event(one), event(two)]))
        assert answer.accepted == 2  # as far as anybody can tell now
        before = metric("mtd_projections_events_dropped_total", projection="events", reason="duplicate")
        await hub.world.project()
        told = "SELECT message FROM event ORDER BY position"
        assert await hub.world.ask(told) == [(str(one),), (str(two),)]
        after = metric("mtd_projections_events_dropped_total", projection="events", reason="duplicate")
        assert after == before + 1
        hub.push._told.clear()
        answer = await ingest(hub, pb.IngestRequest(events=[event(two)], batch_id="again"))
        assert (answer.accepted, answer.duplicates) == (0, 1)
        # Of another tenant it is another event.
        assert (await ingest(hub, pb.IngestRequest(events=[event(one, "b")]), "feed-b")).accepted == 1
        # And when it is built again, the same one.
        await hub.world.runners[-1].rebuild("events")
        await hub.world.project()
        assert await hub.world.ask(told) == [(str(one),), (str(two),), (str(one),)]

    with_hub(postgres_dsn, body)


def test_ingest_of_a_noisy_tenant_leaves_the_others_theirs(postgres_dsn: str) -> None:
    async def body(hub: Hub) -> None:
        noise = [refused_or_taken(hub, request(*range(50), ago_s=100 + 60 * number)) for number in range(60)]
        quiet = [
            ingest(hub, request(float(number), device="b", ago_s=number), "feed-b") for number in range(8)
        ]
        # All at once: the one sends far more than it may, the other what it may.
        flood = asyncio.gather(*noise)
        answers = []
        for one in quiet:
            answers.append(await one)
        assert all(answer.accepted == 1 for answer in answers)
        outcomes = await flood
        assert "taken" in outcomes
        assert outcomes.count(STATUS.RESOURCE_EXHAUSTED) > 30
        assert set(outcomes) == {"taken", STATUS.RESOURCE_EXHAUSTED}
        await hub.world.project()
        counts = dict(await hub.world.ask("SELECT tenant_id::text, count(*) FROM telemetry_frame GROUP BY 1"))
        # Nothing was lost silently: what was acknowledged is there, and nothing else.
        assert counts == {TENANT: 50 * outcomes.count("taken"), OTHER_TENANT: 8}

    with_hub(postgres_dsn, body, push={"values_per_s": 40, "burst_s": 5.0, "tenant_batches": 3})


async def refused_or_taken(hub: Hub, wanted: pb.IngestRequest) -> Any:
    try:
        await ingest(hub, wanted)
    except grpc.aio.AioRpcError as error:
        told = dict(tuple(error.trailing_metadata() or ()))
        assert float(told["mtd-retry-after-s"]) > 0
        return error.code()
    return "taken"


def test_ingest_while_the_log_is_behind_is_told_to_come_again(postgres_dsn: str) -> None:
    async def body(hub: Hub) -> None:
        hub.world.log = log = Forgetful()
        await log.start()
        await hub.restart()
        hub.pressure = 0.9
        assert (await refused(hub, request(1.0))).code() is STATUS.RESOURCE_EXHAUSTED
        hub.pressure = 0.0
        hub.held_back = "90 % of the log's quota wait"
        held = await refused(hub, request(1.0))
        assert held.code() is STATUS.RESOURCE_EXHAUSTED
        assert "90 % of the log's quota wait" in (held.details() or "")
        hub.held_back = ""
        log.fail("disk_full")
        assert (await refused(hub, request(1.0))).code() is STATUS.UNAVAILABLE
        log.fail("")
        log.gate = asyncio.Event()
        slow = await refused(hub, request(1.0))
        assert slow.code() is STATUS.UNAVAILABLE
        assert "stored once" in (slow.details() or "")
        log.gate.set()
        log.gate = None
        while log.stats().last_seq == 0:  # the one that was given up waiting for
            again = await ingest(hub, request(1.0))
        again = await ingest(hub, request(1.0))
        assert again.duplicate
        assert log.stats().batches == 1

    with_hub(postgres_dsn, body, push={"append_timeout_s": 0.05})


def test_ingest_knows_a_device_that_was_added_in_this_moment(postgres_dsn: str) -> None:
    async def body(hub: Hub) -> None:
        await ingest(hub, request(1.0))
        await hub.world.ask(
            "INSERT INTO device (tenant_id, name, host, port, username, tls_mode) VALUES (%s, 'new', 'h', 1, 'u', 'off')",
            TENANT,
        )
        assert (await ingest(hub, request(1.0, device="new"))).accepted == 1
        await hub.world.ask("DELETE FROM device WHERE name = 'new'")
        async with asyncio.timeout(20):
            while True:
                try:
                    await ingest(hub, request(2.0, device="new", ago_s=9))
                except grpc.aio.AioRpcError:
                    break
                await asyncio.sleep(0.01)
        assert "there is no device" in ((await refused(hub, request(3.0, device="new"))).details() or "")

    with_hub(postgres_dsn, body)


def test_ingest_goes_on_while_the_database_is_away(postgres_dsn: str) -> None:
    async def body(hub: Hub) -> None:
        named = "iface.e1.rx_bps"
        await ingest(hub, request(1.0, ago_s=60, key=named))  # the device is known, and what is on it

        async def away(*_: Any, **__: Any) -> Any:
            from mtd.storage.errors import StorageUnavailable

            raise StorageUnavailable("PostgreSQL is away")

        await hub.devices._read()  # as of late, something had changed
        run, hub.world.db.run = hub.world.db.run, away  # type: ignore[method-assign]
        try:
            assert (await ingest(hub, request(2.0, key=named))).accepted == 1
            one = uuid.uuid4()
            assert (await ingest(hub, pb.IngestRequest(events=[event(one)]))).accepted == 1
            # Of a device that it doesn't know it can't tell whether there is one: nobody is told that there isn't.
            assert (await refused(hub, request(3.0, device="other"))).code() is STATUS.UNAVAILABLE
        finally:
            hub.world.db.run = run  # type: ignore[method-assign]
        await hub.world.project()
        assert await hub.world.value("SELECT count(*) FROM telemetry_frame") == 2
        assert await hub.world.value("SELECT count(*) FROM event") == 1

    with_hub(postgres_dsn, body)


def test_ingest_forgets_old_events_a_portion_at_a_time(
    postgres_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest_events, "_PRUNED_AT_ONCE", 2)

    async def body(hub: Hub) -> None:
        await hub.world.ask(
            "INSERT INTO ingest_event (tenant_id, event_id, log_id, seq, stored_at)"
            " SELECT %s, gen_random_uuid(), gen_random_uuid(), age, now() - age * interval '1 day'"
            " FROM generate_series(28, 34) age",
            TENANT,
        )
        assert await IngestEventStore(hub.world.db).prune(29.5) == 5
        assert await hub.world.value("SELECT array_agg(seq ORDER BY seq) FROM ingest_event") == [28, 29]

    with_hub(postgres_dsn, body)


def test_ingest_of_ever_new_sets_of_keys_is_held_back(postgres_dsn: str) -> None:
    async def body(hub: Hub) -> None:
        for number in range(3):
            await ingest(hub, request(1.0, key=f"iface.e{number}.rx_bps"))
        more = await refused(hub, request(1.0, key="iface.e9.rx_bps"))
        assert more.code() is STATUS.RESOURCE_EXHAUSTED
        assert "different sets of keys" in (more.details() or "")
        assert (await ingest(hub, request(2.0, key="iface.e1.rx_bps", ago_s=5))).accepted == 1

    with_hub(postgres_dsn, body, push={"new_layouts_per_hour": 3})
