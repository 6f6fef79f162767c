from __future__ import annotations

import asyncio
import random
from typing import Any

from zope.interface.verify import verifyClass, verifyObject

from mtd.eventlog.interfaces import LoggedBatch
from mtd.projections import metrics
from mtd.projections.all import default_projections
from mtd.projections.frames import FrameEncoder
from mtd.projections.interfaces import IBatchWriter, IProjection
from tests.integration.projections.kit import (
    DEVICE,
    LAYOUT,
    POSITIONS,
    SEQS,
    World,
    change,
    declare,
    frame,
    frames,
    in_world,
    now_us,
    table,
)


def test_every_projection_keeps_to_its_port(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        for projection in default_projections(world.partitions):
            verifyObject(IProjection, projection)
            writer = projection.begin("log", FrameEncoder())
            verifyObject(IBatchWriter, writer)
            assert verifyClass(IBatchWriter, type(writer))

    in_world(postgres_dsn, body)


def test_each_event_once_in_order_and_told_after_the_commit(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        start = now_us()
        await world.project(declare())
        for chunk in range(20):
            await world.log.append(frames(37, start + chunk * 37))
        await world.project()
        assert await world.value(SEQS) == list(range(2, 742))
        assert await world.value(POSITIONS) == [741]
        assert world.committed == list(range(1, 742))

    in_world(postgres_dsn, body, batch_events=50)


def test_what_waits_is_taken_together_so_that_a_busy_machine_catches_up(postgres_dsn: str) -> None:
    """A transaction waits for its turn on the loop a dozen times: small ones fell ever further behind."""

    async def body(world: World) -> None:
        start, chunks, size = now_us(), 20, 75
        await world.log.append([declare()])
        for chunk in range(chunks):
            await world.log.append(frames(size, start + chunk * size))
        before = transactions()
        runner = world.runner()
        await runner.start()
        await runner.wait_for(chunks * size + 1)
        assert transactions() - before <= 3
        assert await world.value(SEQS) == list(range(2, chunks * size + 2))
        assert await world.value("SELECT counters[1] FROM latest") == size - 1
        assert world.committed == list(range(1, chunks * size + 2))

    def transactions() -> float:
        samples = next(iter(metrics.BATCH_EVENTS.collect())).samples
        return next(sample.value for sample in samples if sample.name.endswith("_count"))

    in_world(postgres_dsn, body)


def test_values_are_exact(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        at = now_us()
        largest = 2**63 - 1
        await world.project(
            declare(), frame(at, counter=largest, counters=[largest, 2**53 + 1], gauges=[0.1, 2.0])
        )
        (row,) = await world.ask(
            "SELECT counters, gauges, rates, low_confidence, to_us(ts_collected), to_us(ts_received), device_id,"
            " tenant_id, poll_duration_us, layout_id, log_id FROM telemetry_frame"
        )
        envelope = frame(at)
        assert row == (
            [largest, 2**53 + 1],
            [0.1, 2.0],
            [1000.5, None],
            [1],
            at,
            at + 10,
            DEVICE,
            envelope.tenant_id,
            1234,
            LAYOUT.layout_id,
            world.log.log_id,
        )

    in_world(postgres_dsn, body)


def test_absent_stays_absent(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        await world.project(declare(), frame(now_us()), frame(now_us(), low_confidence=()))
        rows = await world.ask(
            "SELECT counters, gauges, rates, low_confidence FROM telemetry_frame ORDER BY seq"
        )
        assert rows == [
            ([1, None], [None, 1.0], [1000.5, None], [1]),
            ([1, None], [None, 1.0], [1000.5, None], None),
        ]

    in_world(postgres_dsn, body)


def test_stopped_and_started_at_random_nothing_is_lost_or_doubled(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        rng = random.Random(7)
        start = now_us()
        await world.log.append([declare()])
        for chunk in range(25):
            await world.log.append(frames(20, start + chunk * 20))
        last = world.log.stats().last_seq
        while not world.runners or world.runners[-1].position < last:
            runner = world.runner()
            await runner.start()
            try:
                async with asyncio.timeout(rng.uniform(0.02, 0.15)):
                    await runner.wait_for(last)
            except TimeoutError:
                pass
            await runner.stop()
        assert await world.value(SEQS) == list(range(2, last + 1))

    in_world(postgres_dsn, body, batch_events=16)


def test_two_projectors_on_one_log_do_the_work_once(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        one, other = world.runner(), world.runner()
        await one.start()
        await other.start()
        start = now_us()
        await world.log.append([declare()])
        for chunk in range(10):
            await world.log.append(frames(30, start + chunk * 30))
            await asyncio.sleep(0)
        last = world.log.stats().last_seq
        await asyncio.gather(one.wait_for(last), other.wait_for(last))
        assert await world.value(SEQS) == list(range(2, last + 1))

    in_world(postgres_dsn, body, batch_events=10)


def test_cut_connections_cost_nothing(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        start = now_us()
        await world.project(declare())
        for chunk in range(15):
            await world.log.append(frames(20, start + chunk * 20))
            await world.ask(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND application_name = 'mtd'"
            )
        await world.project()
        assert await world.value(SEQS) == list(range(2, world.log.stats().last_seq + 1))
        assert world.committed == sorted(set(world.committed))

    in_world(postgres_dsn, body, batch_events=8)


def test_texts_with_nul_quotes_and_backslashes_arrive(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        nasty = "a\0b \"{}\\\\u0000\\ \N{SNOWMAN} '%s"
        await world.project(change(now_us(), new=nasty), table(now_us(), {"*1": {"name": nasty, nasty: "x"}}))
        clean = nasty.replace("\0", "\N{REPLACEMENT CHARACTER}")
        assert await world.value("SELECT new_value FROM event") == clean
        assert await world.value("SELECT fields FROM state_row") == {"name": clean, clean: "x"}
        assert await world.value("SELECT count(*) FROM dead_letter") == 0

    in_world(postgres_dsn, body)


def test_clocks_that_are_wrong_are_not_followed(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        at = now_us()
        day = 86_400_000_000
        ahead = frame(at)
        ahead.collected_at_us = at + day
        ancient = frame(at)
        ancient.collected_at_us = 1_000_000
        await world.project(declare(), ahead, ancient, frame(at, counter=5))
        assert await world.value("SELECT array_agg(seq) FROM telemetry_frame") == [4]
        assert await world.value("SELECT counters[1] FROM latest") == 5
        assert await world.value("SELECT count(*) FROM dead_letter") == 0

    in_world(postgres_dsn, body)


def test_late_frames_find_a_partition(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        late = now_us() - 40 * 86_400_000_000
        await world.project(declare(), frame(late), frame(now_us()))
        assert await world.value("SELECT count(*) FROM telemetry_frame") == 2

    in_world(postgres_dsn, body)


def test_postgresql_away_then_back(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        await world.project(declare())
        name = await world.value("SELECT current_database()")
        other = world.dsn.replace(f"dbname={name}", "dbname=postgres")
        await asyncio.to_thread(_admin, other, f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        await asyncio.to_thread(
            _admin, other, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
        )
        await world.log.append(frames(10, now_us()))
        runner = world.runners[-1]
        await asyncio.sleep(0.2)
        assert runner.lag()["telemetry"].events == 10
        await asyncio.to_thread(_admin, other, f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
        await world.project()
        assert runner.lag()["telemetry"].events == 0
        assert runner.failure == ""
        assert await world.value(SEQS) == list(range(2, 12))

    in_world(postgres_dsn, body)


def _admin(dsn: str, statement: str) -> None:
    from mtd.storage.embedded.databases import execute

    execute(dsn, statement)


def test_a_failing_subscriber_does_not_stop_anything(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        runner = world.runner()

        def fail(_: Any) -> None:
            raise RuntimeError("subscriber")

        runner._on_committed = fail
        await runner.start()
        await world.project(declare(), *frames(3, now_us()))
        assert await world.value(SEQS) == [2, 3, 4]

    in_world(postgres_dsn, body)


def test_the_log_keeps_what_postgresql_may_lose(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        await world.project(declare(), *frames(3, now_us()))
        runner = world.runners[-1]
        runner._let_go()
        assert world.log.stats().consumers.get("projections", 0) == 0
        for _ in range(50):
            await asyncio.sleep(0.05)
            runner._let_go()
            if world.log.stats().consumers.get("projections") == 4:
                break
        assert world.log.stats().consumers["projections"] == 4

    in_world(postgres_dsn, body, settle_s=0.3)


def test_positions_are_of_one_log(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        await world.project(declare(), *frames(3, now_us()))
        second = type(world.log)()
        await second.start()
        world.log = second
        await world.runner().start()
        await world.project(declare(), *frames(2, now_us()))
        found = dict(await world.ask("SELECT log_id, max(position) FROM projection_position GROUP BY 1"))
        assert sorted(found.values()) == [3, 4]
        assert found[second.log_id] == 3
        assert await world.value("SELECT count(*) FROM telemetry_frame") == 5

    in_world(postgres_dsn, body)


def test_batches_are_not_cut_where_the_log_cut_them() -> None:
    """Grouping is by count, not by the log's batches: large ones are split, small ones joined."""
    from mtd.projections.reader import ReadAhead
    from mtd.testing import run_async

    class Log:
        async def subscribe(self, after: int) -> Any:
            seq = after
            for size in (1, 1, 7, 1):
                yield LoggedBatch(seq + 1, seq + size, [frame(now_us()) for _ in range(size)])
                seq += size
            await asyncio.sleep(60)

    async def main() -> list[list[int]]:
        reader = ReadAhead("test", Log(), 4, 8, 1000)
        await asyncio.sleep(0.05)
        groups = [[seq for seq, _ in await reader.take(4)] for _ in range(3)]
        await reader.close()
        return groups

    assert run_async(main()) == [[5, 6, 7, 8], [9, 10, 11, 12], [13, 14]]


def test_reading_ahead_is_bounded_in_events_however_large_the_batches_are() -> None:
    """An overloaded second makes batches of hundreds of events: sixty-four of them were half a gigabyte."""
    from mtd.projections.reader import ReadAhead
    from mtd.testing import run_async

    read = 0

    class Log:
        async def subscribe(self, after: int) -> Any:
            nonlocal read
            for number in range(40):
                read = number + 1
                first = after + 1 + number * 30
                yield LoggedBatch(first, first + 29, [frame(now_us()) for _ in range(30)])
            await asyncio.sleep(60)

    async def main() -> None:
        reader = ReadAhead("test", Log(), 0, 64, 100)
        taken: list[int] = []
        while len(taken) < 1200:
            before = len(taken)
            taken += [seq for seq, _ in await reader.take(50)]
            assert before < len(taken) <= before + 50
            for _ in range(20):
                await asyncio.sleep(0)
            # Three batches wait, a fourth is in the reader's hand, and one is partly taken.
            assert read * 30 <= len(taken) + 100 + 2 * 30
        assert taken == list(range(1, 1201))
        await reader.close()

    run_async(main())
