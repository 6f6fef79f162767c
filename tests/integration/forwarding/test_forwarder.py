"""A collector's log at its hub: each event once, whatever breaks, and none forgotten too early."""

from __future__ import annotations

from pathlib import Path

from mtd.eventlog.config import EventLogConfig
from mtd.eventlog.interfaces import LoggedBatch
from mtd.eventlog.memory import MemoryEventLog
from mtd.eventlog.sqlite import SqliteEventLog
from mtd.ingest import IngestConfig, Recorder
from mtd.model.device import Device
from mtd.model.observation import Observation, TableChange
from mtd.pb.events.v1.envelope_pb2 import Envelope
from mtd.testing.metrics import metric
from tests.integration.forwarding.kit import QUICK, EdgeLog, edge
from tests.integration.ingest.hub import OTHER_TENANT, TENANT, Hub, events, names, stored, with_hub
from tests.integration.projections.kit import DEVICE, declare, frame, now_us


def test_forwarding_brings_what_is_new_and_what_was_there_before(postgres_dsn: str) -> None:
    async def body(hub: Hub) -> None:
        log = MemoryEventLog()
        await log.start()
        await log.append(events(1, 50))
        async with edge(hub, log=log, opened=True) as made:
            assert log.stats().consumers["forwarder"] == 0  # nothing may be forgotten yet
            await made.append(events(51, 10))
            await made.sent()
            assert made.told.redeclared == 1  # layouts of what came first may lie in what came later
            await made.append(events(61, 10))
            await made.sent()
            await made.forgotten()
            assert sorted(await stored(hub.world)) == sorted(names(1, 70))
            status = made.forwarder.status()
            assert (status.connected, status.buffer_events, status.unprojected) == (True, 0, 0)
            assert status.last_push_us > 0
            assert made.forwarder.backlog().events == 0

    with_hub(postgres_dsn, body)


def test_forwarding_goes_on_after_the_hub_was_away(postgres_dsn: str) -> None:
    async def body(hub: Hub) -> None:
        async with edge(hub) as made:
            await made.append(events(1, 20))
            await made.sent()
            await hub.stop()
            await made.until(lambda: bool(made.forwarder.failure), "lost")
            await made.append(events(21, 20))
            await made.until(lambda: bool(made.told.changes), "told")
            assert made.forwarder.backlog().events == 20
            assert made.forwarder.backlog().seconds > 0
            await hub.start()
            await made.append(events(41, 5))
            await made.sent()
            await made.forgotten()
            assert sorted(await stored(hub.world)) == sorted(names(1, 45))
            assert [one.event_type for one in made.told.changes] == [
                "collector.hub.lost",
                "collector.hub.back",
            ]
            assert "reach" in made.told.changes[0].message
            assert (await hub.world.value("SELECT count(*) FROM event")) == 45

    with_hub(postgres_dsn, body)


def test_forwarding_brings_all_again_that_only_a_lost_disk_had(postgres_dsn: str) -> None:
    async def body(hub: Hub) -> None:
        async with edge(hub) as made:
            await made.append(events(1, 10))
            await made.sent()
            await made.forgotten()
            (runner,) = hub.world.runners
            await runner.stop()
            hub.world.runners.clear()
            await made.append(events(11, 10))
            await made.sent()
            assert made.log.stats().consumers["forwarder"] == 10  # the hub has them, its database hasn't
            await hub.stop()
            hub.world.log = MemoryEventLog()
            await hub.world.log.start()
            await hub.start()
            await made.append(events(21, 1))
            await made.sent()
            await made.forgotten()
            assert sorted(await stored(hub.world)) == sorted(names(1, 21))

    with_hub(postgres_dsn, body)


def test_forwarding_leaves_out_what_the_hub_would_refuse_and_counts_it(postgres_dsn: str) -> None:
    async def body(hub: Hub) -> None:
        before = metric("mtd_forwarding_events_lost_total", reason="not_ours")
        big = metric("mtd_forwarding_events_lost_total", reason="too_large")
        async with edge(hub) as made:
            foreign = events(2, 1)
            foreign[0].tenant_id = OTHER_TENANT
            large = events(3, 1)
            large[0].state_changed.message = "x" * 5000
            await made.append([*events(1, 1), *foreign, *large, *events(4, 1)])
            await made.sent()
            await made.forgotten()
            assert await stored(hub.world) == ["event-1", "event-4"]
        assert metric("mtd_forwarding_events_lost_total", reason="not_ours") == before + 1
        assert metric("mtd_forwarding_events_lost_total", reason="too_large") == big + 1

    with_hub(
        postgres_dsn,
        body,
        append={"projected_interval_s": 0.05, "window_batches": 4, "max_batch_bytes": 4096},
    )


def test_forwarding_brings_the_largest_event_that_a_collector_takes(postgres_dsn: str) -> None:
    async def body(hub: Hub) -> None:
        lost = metric("mtd_forwarding_events_lost_total", reason="too_large")
        largest = events(2, 1)
        largest[0].state_changed.message = "x" * (IngestConfig().max_event_bytes - 1024)
        async with edge(hub) as made:
            await made.append([*events(1, 1), *largest, *events(3, 1)])
            await made.sent()
            await made.forgotten()
            assert sorted(await stored(hub.world)) == names(1, 3)
        assert metric("mtd_forwarding_events_lost_total", reason="too_large") == lost

    # More than what other callers may send: see grpc.max_receive_bytes.
    with_hub(postgres_dsn, body)


def test_forwarding_goes_round_what_the_log_has_lost(postgres_dsn: str) -> None:
    async def body(hub: Hub) -> None:
        log = MemoryEventLog()
        await log.start()
        await log.append(events(1, 5))
        await log.append(events(6, 5))
        log.pin("forwarder", 5)
        await log.trim(6)
        async with edge(hub, log=log, opened=True) as made:
            await made.append(events(11, 5))
            await made.sent()
            await made.forgotten()
            assert sorted(await stored(hub.world)) == sorted(names(6, 15))

    with_hub(postgres_dsn, body)


def test_forwarding_waits_for_what_follows_an_end_that_the_log_has_lost(
    postgres_dsn: str, tmp_path: Path
) -> None:
    async def body(hub: Hub) -> None:
        log = SqliteEventLog(
            EventLogConfig(path=tmp_path / "events.db", min_free_bytes=0, commit_interval_s=0)
        )
        await log.start()
        await log.append(events(1, 5))
        await log.go_on_behind(1000)
        reads, read = [], log.read

        async def noted(after: int, limit: int) -> list[LoggedBatch]:
            reads.append(after)
            return await read(after, limit)

        log.read = noted  # type: ignore[method-assign]
        lost = metric("mtd_forwarding_events_lost_total", reason="damaged")
        async with edge(hub, log=log, opened=True) as made:
            await made.until(lambda: 5 in reads, "the end is looked for")
            await made.append(events(6, 5))
            await made.sent()
            await made.forgotten()
            assert sorted(await stored(hub.world)) == sorted(names(1, 10))
        assert metric("mtd_forwarding_events_lost_total", reason="damaged") == lost + 995

    with_hub(postgres_dsn, body)


def test_forwarding_keeps_within_the_windows_and_the_rate_of_the_backfill(
    postgres_dsn: str, tmp_path: Path
) -> None:
    async def body(hub: Hub) -> None:
        log = SqliteEventLog(
            EventLogConfig(path=tmp_path / "events.db", min_free_bytes=0, commit_interval_s=0)
        )
        await log.start()
        for first in range(1, 401, 40):
            await log.append(events(first, 40))
        slow = QUICK.model_copy(update={"backfill_events_per_s": 200.0, "batch_bytes": 2048})
        async with edge(hub, log=log, opened=True, config=slow) as made:
            await made.append(events(401, 10))
            await made.live_sent()
            # The backfill has its rate: what is new came past it.
            assert made.forwarder.status().backfill.events > 0
            await made.sent()
            await made.forgotten()
            assert sorted(await stored(hub.world)) == sorted(names(1, 410))

    with_hub(postgres_dsn, body)


def test_forwarding_shows_live_values_whose_layout_comes_later(postgres_dsn: str) -> None:
    async def body(hub: Hub) -> None:
        log = MemoryEventLog()
        await log.start()
        at = now_us()
        await log.append([declare(), frame(at, counter=1), *events(3, 200)])
        slow = QUICK.model_copy(update={"backfill_events_per_s": 1.0, "batch_bytes": 1024})
        async with edge(hub, log=log, opened=True, config=slow) as made:
            await made.until(lambda: made.told.redeclared == 1, "asked for layouts")
            await made.append([declare(), frame(at + 1_000_000, counter=2)])
            await made.live_sent()
            await hub.world.project()
            assert await hub.world.value("SELECT counters[1] FROM latest") == 2

    with_hub(postgres_dsn, body)


def test_forwarding_refuses_a_hub_two_major_versions_away(postgres_dsn: str) -> None:
    async def body(hub: Hub) -> None:
        made = EdgeLog(hub)
        await made.log.start()
        await made.append(events(1, 1))
        made.forwarder = made.make(version="2.0.0")
        await made.forwarder.start()
        await made.until(lambda: "major version apart" in made.forwarder.failure, "refused")
        await made.forwarder.stop()
        made.forwarder = made.make(version="1.9.0")
        await made.forwarder.start()
        await made.sent()
        await made.forwarder.stop()
        await made.doors.close()

    with_hub(postgres_dsn, body)


def test_forwarding_packs_what_it_sends_where_it_is_told_to(postgres_dsn: str) -> None:
    async def body(hub: Hub) -> None:
        async with edge(hub, config=QUICK.model_copy(update={"compress": True})) as made:
            await made.append(events(1, 300))
            await made.sent()
            await made.forgotten()
            assert sorted(await stored(hub.world)) == sorted(names(1, 300))

    with_hub(postgres_dsn, body)


def test_forwarding_keeps_what_only_a_newer_mtd_knows(postgres_dsn: str) -> None:
    async def body(hub: Hub) -> None:
        before = metric("mtd_ingest_append_events_total", outcome="unknown_kind")
        (newer,) = events(1, 1)
        newer.ClearField("state_changed")
        kind = b"\xfa\x07\x03abc"  # field 127, three bytes
        newer = Envelope.FromString(newer.SerializeToString() + kind)
        async with edge(hub) as made:
            await made.append([newer, *events(2, 1)])
            await made.sent()
            await made.forgotten()
            assert await stored(hub.world) == ["event-2"]
            (batch, *_) = await hub.world.log.read(0, 10)
            assert kind in batch.events[0].SerializeToString()
        assert metric("mtd_ingest_append_events_total", outcome="unknown_kind") == before + 1

    with_hub(postgres_dsn, body)


def test_forwarding_tells_whole_again_what_changed_before_a_gap(postgres_dsn: str) -> None:
    """With a recorder: rows that went away live don't come back by the backfill."""

    async def body(hub: Hub) -> None:
        log = MemoryEventLog()
        await log.start()
        recorder = Recorder(log, collector_id="edge-a", settings=IngestConfig(flush_interval_s=0.01))
        device = Device(DEVICE, TENANT, "core", "h", 1, "u", "p")
        await recorder.start()

        def tell(*, complete: bool = False, removed: tuple[str, ...] = (), **rows: str) -> None:
            change = TableChange(
                "lease", complete, {key: {"name": name} for key, name in rows.items()}, removed
            )
            recorder.record(device, Observation(now_us(), tables=[change]))

        tell(complete=True, a="1", b="1")
        tell(c="2")
        await recorder.flush()
        slow = QUICK.model_copy(update={"backfill_events_per_s": 0.1})
        made = EdgeLog(hub, log=log, config=slow)
        made.told = recorder  # type: ignore[assignment]
        made.forwarder = made.make()
        await made.forwarder.start()
        await made.until(lambda: made.forwarder.connected, "connected")
        assert set(recorder.take_lost_tables(device)) == {"lease"}
        tell(complete=True, a="3")
        await recorder.flush()
        await made.live_sent()
        await made.forwarder.stop()
        made = EdgeLog(hub, log=log)
        await made.forwarder.start()
        await made.sent()
        await made.forgotten()
        rows = await hub.world.ask("SELECT row_key, fields->>'name' FROM state_row")
        assert rows == [("a", "3")]
        await made.forwarder.stop()
        await made.doors.close()
        await recorder.stop()

    with_hub(postgres_dsn, body)
