"""Logs of collectors in the hub: each event once, in the log and in the database, whatever happens on the way."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import grpc

from mtd.eventlog.config import EventLogConfig
from mtd.eventlog.errors import LogUnavailable
from mtd.eventlog.memory import MemoryEventLog
from mtd.eventlog.sqlite import SqliteEventLog
from mtd.model.layout import Layout
from mtd.pb.ingest.v1 import ingest_service_pb2 as pb
from mtd.testing.metrics import metric
from tests.integration.ingest.hub import (
    OTHER_DEVICE,
    OTHER_TENANT,
    TENANT,
    Hub,
    events,
    names,
    stored,
    with_hub,
)
from tests.integration.projections.kit import DEVICE, LAYOUT, declare, frame, now_us

LOG = str(uuid.UUID(int=0xE1))
STATUS = grpc.StatusCode


def ranges(found: Sequence[pb.SeqRange]) -> list[tuple[int, int]]:
    return [(one.first_seq, one.last_seq) for one in found]


def test_ingest_append_stores_each_event_once_and_tells_what_is_projected(postgres_dsn: str) -> None:
    async def body(hub: Hub) -> None:
        world = hub.world
        stream = hub.stream(LOG)
        opened = await stream.open()
        assert (list(opened.stored), list(opened.projected)) == ([], [])
        assert opened.max_batch_bytes > 0
        await stream.store(1, events(1, 3))
        ack = await stream.store(2, events(2, 4))  # two of them again
        assert (ack.duplicates, ack.dropped) == (2, 0)
        ack = await stream.store(1, events(1, 5))
        assert ack.duplicates == 5
        await world.project()
        assert await stored(world) == names(1, 5)
        told = (await stream.read("projected")).projected
        assert ranges(told.projected) == [(1, 5)]
        await stream.close()
        # In the hub's log they have their first names, and the collector that is known to have sent them.
        (batch, *_) = await world.log.read(0, 100)
        first = batch.events[0]
        assert (first.source_log_id, first.source_seq) == (uuid.UUID(LOG).bytes, 1)
        assert first.collector_id == "edge-a"
        again = hub.stream(LOG)
        opened = await again.open(6)
        assert ranges(opened.stored) == ranges(opened.projected) == [(1, 5)]
        await again.store(6, events(6, 1))
        await again.close()

    with_hub(postgres_dsn, body)


def test_ingest_append_projects_frames_as_if_they_were_polled_here(postgres_dsn: str) -> None:
    async def body(hub: Hub) -> None:
        stream = hub.stream(LOG)
        await stream.open()
        at = now_us()
        await stream.store(1, [declare(), frame(at, counter=2**60), frame(at + 1_000_000, counter=7)])
        await hub.world.project()
        assert await hub.world.value("SELECT array_agg(counters[1] ORDER BY seq) FROM telemetry_frame") == [
            2**60,
            7,
        ]
        assert await hub.world.value("SELECT counters[1] FROM latest") == 7
        await stream.close()

    with_hub(postgres_dsn, body)


def test_ingest_append_asks_for_what_is_missing_and_stores_nothing_behind_it(postgres_dsn: str) -> None:
    async def body(hub: Hub) -> None:
        before = metric("mtd_ingest_append_batches_total", outcome="gap")
        stream = hub.stream(LOG)
        await stream.open()
        await stream.store(1, events(1, 2))
        await stream.send(5, events(5, 2))
        await stream.send(7, events(7, 1))
        assert (await stream.read("resend")).resend.next_seq == 3
        await stream.store(3, events(3, 2))
        await stream.store(5, events(5, 2))
        # Lost for good: the collector says so, and goes on behind it.
        assert ranges((await stream.open(10)).stored) == [(1, 6)]
        await stream.store(10, events(10, 1))
        assert metric("mtd_ingest_append_batches_total", outcome="gap") == before + 2
        assert await hub.world.log.stored_from(LOG) == [(1, 6), (10, 10)]
        await stream.close()

    with_hub(postgres_dsn, body)


def test_ingest_append_in_two_lanes_at_once(postgres_dsn: str) -> None:
    async def body(hub: Hub) -> None:
        live, backfill = hub.stream(LOG), hub.stream(LOG, lane=pb.LANE_BACKFILL)
        await live.open(101)
        await backfill.open(1)

        async def fill(stream: Any, first: int, last: int) -> None:
            for seq in range(first, last + 1, 7):
                await stream.send(seq, events(seq, min(7, last + 1 - seq)))
            for seq in range(first, last + 1, 7):
                await stream.acked(seq, min(seq + 6, last))
            await stream.close()

        # The backfill overtakes where live began, and sends some of it as well.
        await asyncio.gather(fill(live, 101, 150), fill(backfill, 1, 120))
        assert await hub.world.log.stored_from(LOG) == [(1, 150)]
        await hub.world.project()
        assert sorted(await stored(hub.world)) == sorted(names(1, 150))

    with_hub(postgres_dsn, body)


def test_ingest_append_by_two_streams_of_one_lane_leaves_the_newer(postgres_dsn: str) -> None:
    async def body(hub: Hub) -> None:
        old = hub.stream(LOG)
        await old.open()
        await old.store(1, events(1, 2))
        new = hub.stream(LOG)
        assert ranges((await new.open()).stored) == [(1, 2)]
        ended = await old.fails()
        assert ended.code() is STATUS.ABORTED
        assert (await new.store(1, events(1, 4))).duplicates == 2
        await new.close()
        await hub.world.project()
        assert await stored(hub.world) == names(1, 4)

    with_hub(postgres_dsn, body)


class Forgetful(MemoryEventLog):
    """Stores, and says that it did not: as if the answer had got lost. Or waits."""

    failing = False
    gate: asyncio.Event | None = None
    waiting = 0

    async def append(self, *arguments: Any, **more: Any) -> Any:
        if self.gate is not None:
            self.waiting += 1
            await self.gate.wait()
        result = await super().append(*arguments, **more)
        if self.failing:
            raise LogUnavailable("nobody knows")
        return result


def test_ingest_append_that_failed_after_it_was_durable_is_not_stored_again(postgres_dsn: str) -> None:
    async def body(hub: Hub) -> None:
        hub.world.log = log = Forgetful()
        await log.start()
        await hub.restart()
        other = hub.stream(LOG, lane=pb.LANE_BACKFILL)  # keeps what the hub knows of the log alive
        await other.open(100)
        stream = hub.stream(LOG)
        await stream.open()
        log.failing = True
        await stream.send(1, events(1, 3))
        assert (await stream.fails()).code() is STATUS.UNAVAILABLE
        log.failing = False
        stream = hub.stream(LOG)
        await stream.open()
        await stream.send(1, events(1, 3))  # the hub thinks that it hasn't them, and learns better
        assert (await stream.fails()).code() is STATUS.UNAVAILABLE
        stream = hub.stream(LOG)
        assert ranges((await stream.open()).stored) == [(1, 3)]
        assert (await stream.store(1, events(1, 4))).duplicates == 3
        await stream.close()
        await hub.world.project()
        assert await stored(hub.world) == names(1, 4)

    with_hub(postgres_dsn, body)


def test_ingest_append_survives_a_hub_that_dies_before_it_acknowledges(
    postgres_dsn: str, tmp_path: Path
) -> None:
    async def body(hub: Hub) -> None:
        settings = EventLogConfig(path=tmp_path / "events.db", commit_interval_s=0.0)
        log = SqliteEventLog(settings)
        hub.world.log = log  # type: ignore[assignment]
        await log.start()
        await hub.restart()
        stream = hub.stream(LOG)
        await stream.open()
        await stream.send(1, events(1, 50))
        while log.stats().last_seq < 50:  # durable; whether it was acknowledged, nobody reads
            await asyncio.sleep(0.005)
        stream.call.cancel()
        await hub.stop()
        await log.stop()
        again = SqliteEventLog(settings)
        hub.world.log = again  # type: ignore[assignment]
        await again.start()
        try:
            await hub.start()
            stream = hub.stream(LOG)
            assert ranges((await stream.open()).stored) == [(1, 50)]
            # As if it had not listened, and with batches cut elsewhere.
            for first in range(1, 61, 6):
                await stream.store(first, events(first, 6))
            await stream.close()
            await hub.world.project()
            assert await stored(hub.world) == names(1, 60)
            await hub.world.runners[-1].stop()
        finally:
            await hub.stop()
            await again.stop()

    with_hub(postgres_dsn, body)


def test_ingest_append_into_a_hub_that_lost_its_log_brings_only_what_the_database_lacks(
    postgres_dsn: str,
) -> None:
    async def body(hub: Hub) -> None:
        stream = hub.stream(LOG)
        await stream.open()
        await stream.store(1, events(1, 5))
        await hub.world.project()
        await hub.world.runners.pop().stop()
        await stream.store(6, events(6, 3))  # in the log only
        await stream.close()
        hub.world.log = MemoryEventLog()
        await hub.world.log.start()
        await hub.restart()
        stream = hub.stream(LOG)
        assert ranges((await stream.open()).stored) == [(1, 5)]
        assert (await stream.store(1, events(1, 8))).duplicates == 5
        await stream.close()
        await hub.world.project()
        assert await stored(hub.world) == names(1, 8)

    with_hub(postgres_dsn, body)


def test_ingest_append_of_what_isn_t_the_collector_s_is_refused_audited_and_counted(
    postgres_dsn: str,
) -> None:
    async def body(hub: Hub) -> None:
        foreign = events(2, 1)
        foreign[0].tenant_id, foreign[0].device_id = OTHER_TENANT, OTHER_DEVICE
        smuggled = events(2, 1, device=OTHER_DEVICE)  # a device of another under its own tenant's name
        nobodys = events(2, 1)
        nobodys[0].tenant_id = ""
        before = metric("mtd_ingest_append_batches_total", outcome="forbidden")
        for number, bad in enumerate((foreign, smuggled, nobodys), 1):
            stream = hub.stream(LOG)
            await stream.open()
            await stream.send(1, [*events(1, 1), *bad, *events(3, 1)])
            refused = await stream.fails()
            assert refused.code() is STATUS.PERMISSION_DENIED
            assert OTHER_TENANT not in (refused.details() or "")
            assert metric("mtd_ingest_append_batches_total", outcome="forbidden") == before + number
        assert hub.world.log.stats().last_seq == 0
        entries = [entry for entry in hub.audit.entries if entry.outcome == "PERMISSION_DENIED"]
        assert all(entry.caller == "edge-a" for entry in entries)
        assert (
            sum(entry.target == f"log={LOG} lane=live" and "reason" in entry.detail for entry in entries) == 3
        )
        # Nothing of it was taken: the log goes on.
        stream = hub.stream(LOG)
        await stream.open()
        await stream.store(1, events(1, 2))
        await stream.close()

    with_hub(postgres_dsn, body)


def test_ingest_append_for_tenants_that_a_collector_serves(postgres_dsn: str) -> None:
    async def body(hub: Hub) -> None:
        theirs = events(2, 1, device=OTHER_DEVICE)
        theirs[0].tenant_id = OTHER_TENANT
        hub.served[str(uuid.UUID(int=0xA0))] = (OTHER_TENANT,)
        stream = hub.stream(LOG)
        await stream.open()
        await stream.store(1, [*events(1, 1), *theirs])
        await stream.close()
        await hub.world.project()
        assert await hub.world.ask("SELECT tenant_id::text, new_value FROM event ORDER BY position") == [
            (TENANT, "event-1"),
            (OTHER_TENANT, "event-2"),
        ]

    with_hub(postgres_dsn, body)


def test_ingest_append_of_a_log_that_is_another_collector_s_is_refused(postgres_dsn: str) -> None:
    async def body(hub: Hub) -> None:
        stream = hub.stream(LOG)
        await stream.open()
        await stream.close()
        thief = hub.stream(LOG, who="edge-b")
        with_error: grpc.aio.AioRpcError | None = None
        try:
            await thief.open()
        except grpc.aio.AioRpcError as error:
            with_error = error
        assert with_error is not None
        assert with_error.code() is STATUS.PERMISSION_DENIED

    with_hub(postgres_dsn, body)


def test_ingest_append_leaves_out_what_can_t_be_stored_and_keeps_its_place(postgres_dsn: str) -> None:
    async def body(hub: Hub) -> None:
        gone = events(2, 1, device=str(uuid.UUID(int=0xDEAD)))
        lying = declare(LAYOUT)
        lying.series_layout.layout_id = Layout.of("t0", ()).layout_id  # another layout's name
        grave, ancient, low = events(4, 1)[0], events(5, 1)[0], frame(now_us())
        grave.state_changed.severity = 40_000  # type: ignore[assignment]
        ancient.collected_at_us = -(2**62)
        low.frame.low_confidence[:] = [2**31]
        stream = hub.stream(LOG)
        await stream.open()
        ack = await stream.store(1, [*events(1, 1), *gone, lying, grave, ancient, low, *events(7, 1)])
        assert ack.dropped == 5
        await hub.world.project()
        assert await stored(hub.world) == ["event-1", "event-7"]
        assert await hub.world.value("SELECT count(*) FROM series_layout") == 0
        assert await hub.world.value("SELECT count(*) FROM dead_letter") == 0
        # They count as told: or the collector could never forget them.
        assert ranges((await stream.read("projected")).projected.projected) == [(1, 7)]
        await stream.close()

    with_hub(postgres_dsn, body)


def test_ingest_append_reads_no_more_than_its_window(postgres_dsn: str) -> None:
    async def body(hub: Hub) -> None:
        hub.world.log = log = Forgetful()
        await log.start()
        log.gate = asyncio.Event()
        await hub.restart()
        window = hub.settings.append.window_batches
        stream = hub.stream(LOG)
        await stream.open()

        async def send() -> None:
            for seq in range(1, 31):
                await stream.send(seq, events(seq, 1))

        sending = asyncio.ensure_future(send())
        while log.waiting < window:
            await asyncio.sleep(0.005)
        other = hub.stream(LOG.upper(), lane=pb.LANE_BACKFILL)
        assert list((await other.open()).stored) == []  # on its way isn't there
        await other.close()
        for _ in range(20):
            await asyncio.sleep(0)
        assert log.waiting == window
        log.gate.set()
        for seq in range(1, 31):
            await stream.acked(seq, seq)
        assert ranges((await stream.open(31)).stored) == [(1, 30)]
        await sending
        await stream.close()

    with_hub(postgres_dsn, body)


def test_ingest_append_refuses_what_makes_no_sense(postgres_dsn: str) -> None:
    async def body(hub: Hub) -> None:
        def batch(first: int, last: int, count: int) -> pb.AppendRequest:
            return pb.AppendRequest(
                batch=pb.AppendBatch(first_seq=first, last_seq=last, events=events(1, count))
            )

        def opening(**more: Any) -> pb.AppendRequest:
            wanted: dict[str, Any] = {"log_id": LOG, "lane": pb.LANE_LIVE, "next_seq": 1} | more
            return pb.AppendRequest(open=pb.AppendOpen(**wanted))

        large = pb.AppendRequest(batch=pb.AppendBatch(first_seq=1, last_seq=1, events=events(1, 1)))
        large.batch.events[0].state_changed.message = "x" * (hub.settings.append.max_batch_bytes + 1)
        for messages in (
            [pb.AppendRequest()],
            [batch(1, 1, 1)],
            [opening(log_id="x")],
            [opening(lane=pb.LANE_UNSPECIFIED)],
            [opening(next_seq=0)],
            [opening(), batch(1, 3, 1)],
            [opening(), batch(0, 0, 1)],
            [opening(), batch(2, 1, 0)],
            [opening(), opening(lane=pb.LANE_BACKFILL)],
            [opening(), large],
        ):
            stream = hub.stream(LOG)
            for message in messages:
                await stream.call.write(message)
            assert (await stream.fails()).code() is STATUS.INVALID_ARGUMENT, messages
        stranger = hub.stream(LOG, who="feed")
        assert (await stranger.fails()).code() is STATUS.PERMISSION_DENIED
        assert hub.world.log.stats().last_seq == 0

    with_hub(postgres_dsn, body)


def test_ingest_append_waits_for_the_rate_of_the_tenant(postgres_dsn: str) -> None:
    async def body(hub: Hub) -> None:
        before = metric("mtd_ingest_append_limited_seconds_total")
        hub.quotas[TENANT] = 200.0
        stream = hub.stream(LOG)
        await stream.open()
        for seq in range(1, 42, 20):
            await stream.send(seq, events(seq, 20, device=DEVICE))
        for seq in range(1, 42, 20):
            await stream.acked(seq, seq + 19)
        await stream.close()
        assert metric("mtd_ingest_append_limited_seconds_total") > before

    with_hub(postgres_dsn, body, push={"burst_s": 0.1})
