from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from mtd.model.device import DeviceStatus, Outcome
from mtd.projections.all import default_projections
from mtd.projections.frames import FrameEncoder
from mtd.storage.errors import CommitUnknown, StatementRejected, StorageUnavailable
from mtd.storage.partitions import TELEMETRY_FRAME
from mtd.storage.txn import Transaction
from tests.integration.projections.kit import (
    POSITIONS,
    SEQS,
    World,
    change,
    declare,
    frame,
    frames,
    in_world,
    now_us,
    outcome,
)

if TYPE_CHECKING:
    from mtd.pb.events.v1.envelope_pb2 import Envelope


def test_a_commit_without_an_answer_is_found_out(postgres_dsn: str) -> None:
    """The connection breaks in the commit, once before and once after it took effect."""

    async def body(world: World) -> None:
        await world.project(declare())
        # Deferred: runs at the commit, and cuts the connection in the transaction that writes counter 1000.
        await world.ask(
            "CREATE FUNCTION cut() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = mtd AS $$ BEGIN"
            " IF nextval('cuts') = 1 THEN PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(1); END IF;"
            " RETURN NULL; END $$"
        )
        await world.ask("CREATE SEQUENCE cuts")
        await world.ask(
            "CREATE CONSTRAINT TRIGGER cut AFTER UPDATE ON projection_position DEFERRABLE INITIALLY DEFERRED"
            " FOR EACH ROW WHEN (NEW.name = 'telemetry') EXECUTE FUNCTION cut()"
        )
        await world.project(*frames(3, now_us()))
        assert await world.value(SEQS) == [2, 3, 4]
        assert await world.value("SELECT last_value FROM cuts") > 1

    in_world(postgres_dsn, body)


def test_what_was_committed_without_an_answer_is_told_all_the_same(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        at = now_us()
        await world.project(declare(), frame(at))
        real, lost = world.db.run, []

        async def run(name: str, body: Any, **options: Any) -> Any:
            result = await real(name, body, **options)
            if name == "projections.write" and not lost:
                lost.append(name)
                raise CommitUnknown("the answer got lost")
            return result

        world.db.run = run  # type: ignore[method-assign]
        await world.project(frame(at + 1), change(at + 2))
        await world.project(frame(at + 3))
        assert lost
        assert await world.value(SEQS) == [2, 3, 5]
        assert world.committed == [1, 2, 3, 4, 5]

    in_world(postgres_dsn, body)


def test_half_of_a_group_that_was_committed_is_told(postgres_dsn: str) -> None:
    """The group is halved for a poisoned event, and the second half fails once."""

    async def body(world: World) -> None:
        await world.runner([*default_projections(world.partitions), Breaking()]).start()
        await world.project(declare())
        real, calls = world.db.run, []

        async def run(name: str, body: Any, **options: Any) -> Any:
            if name == "projections.write":
                calls.append(name)
                if len(calls) == 3:  # the whole, its first half, and then this
                    raise StorageUnavailable("for a moment")
            return await real(name, body, **options)

        world.db.run = run  # type: ignore[method-assign]
        at = now_us()
        await world.project(*(frame(at + n, counter=666 if n == 6 else n) for n in range(8)))
        assert await world.value(SEQS) == list(range(2, 10))
        assert world.committed == list(range(1, 10))

    in_world(postgres_dsn, body)


def test_what_another_projector_did_is_told(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        await world.project(declare())
        told: list[int] = []
        other = world.runner()
        other._on_committed = lambda events: told.extend(seq for seq, _ in events)
        await other.start()
        await other.wait_for(1)
        for n in range(10):
            await world.log.append(frames(3, now_us() + n))
        last = world.log.stats().last_seq
        await asyncio.gather(*(runner.wait_for(last) for runner in world.runners))
        assert told == list(range(2, last + 1))
        assert world.committed == list(range(1, last + 1))

    in_world(postgres_dsn, body)


def test_a_partition_that_was_dropped_is_made_again(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        at = now_us()
        await world.project(
            declare(), frame(at), outcome(at, Outcome.TIMED_OUT, DeviceStatus.DOWN), change(at)
        )
        for partitioned in ("telemetry_frame", "event", "device_health"):
            name = await world.value(f"SELECT DISTINCT tableoid::regclass::text FROM {partitioned}")
            await world.ask(f"DROP TABLE {name}")
        await world.project(
            *frames(40, at + 10), outcome(at + 60, Outcome.OK, DeviceStatus.UP), change(at + 61)
        )
        assert await world.value("SELECT count(*) FROM telemetry_frame") == 40
        assert await world.value("SELECT count(*) FROM event") == 2
        assert await world.value("SELECT count(*) FROM device_health") == 1
        assert await world.value("SELECT count(*) FROM dead_letter") == 0

    in_world(postgres_dsn, body)


@pytest.mark.parametrize(
    ("harm", "mend", "message"),
    [
        (
            "ALTER TABLE telemetry_frame RENAME COLUMN rates TO rates_x",
            "ALTER TABLE telemetry_frame RENAME COLUMN rates_x TO rates",
            'telemetry: column "rates" of relation',
        ),
        (
            "ALTER TABLE event RENAME TO event_x",
            "ALTER TABLE event_x RENAME TO event",
            'events: relation "event"',
        ),
    ],
)
def test_a_schema_that_does_not_fit_is_no_fault_of_the_events(
    postgres_dsn: str, harm: str, mend: str, message: str
) -> None:
    async def body(world: World) -> None:
        at = now_us()
        await world.project(declare(), frame(at))
        await world.ask(harm)
        await world.log.append([*frames(20, at + 1), change(at)])
        runner = world.runners[-1]
        async with asyncio.timeout(10):
            while message not in runner.failure:
                await asyncio.sleep(0.02)
        assert await world.value(POSITIONS) == [2]
        assert await world.value("SELECT count(*) FROM dead_letter") == 0
        await world.ask(mend)
        await world.project()
        assert runner.failure == ""
        assert await world.value(SEQS) == list(range(2, 23))

    in_world(postgres_dsn, body)


def test_a_partition_that_can_not_be_made_is_no_fault_of_the_events(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        await world.project(declare())
        # What is to be the partition's name is taken by something else.
        late = now_us() - 40 * 86_400_000_000
        name = TELEMETRY_FRAME.partition(late)
        owner, world.partitions._db = world.partitions._db, Refusing()  # type: ignore[assignment]
        await world.log.append([frame(late)])
        runner = world.runners[-1]
        async with asyncio.timeout(10):
            while "telemetry: permission denied" not in runner.failure:
                await asyncio.sleep(0.02)
        assert await world.value("SELECT count(*) FROM dead_letter") == 0
        world.partitions._db = owner
        await world.project()
        assert await world.value("SELECT tableoid::regclass::text FROM telemetry_frame") == name

    in_world(postgres_dsn, body)


class Refusing:
    """A database in which nothing may be made."""

    async def run(self, name: str, body: Any, **options: Any) -> Any:
        raise StatementRejected("permission denied for schema mtd", "42501")


def test_events_that_are_poisoned_one_like_the_other_stop_the_projection(postgres_dsn: str) -> None:
    """Then the projection is wrong, not they; what another kind of event does in between doesn't count."""

    async def body(world: World) -> None:
        await world.runner([*default_projections(world.partitions), Breaking()]).start()
        at = now_us()
        await world.project(declare(), *(frame(at + n, counter=666) for n in range(3)), frame(at + 4))
        letters = "SELECT array_agg(seq ORDER BY seq) FROM dead_letter"
        assert await world.value(letters) == [2, 3, 4]
        more = [[frame(at + 10 + n, counter=666), change(at + 10 + n)] for n in range(7)]
        await world.log.append([event for pair in more for event in pair])
        runner = world.runners[-1]
        async with asyncio.timeout(10):
            while "breaking: 5 events in a row can't be projected" not in runner.failure:
                await asyncio.sleep(0.02)
        assert await world.value(letters) == [2, 3, 4, 6, 8, 10, 12, 14]
        await runner.stop()
        # Mended: what stopped it is projected.
        await world.runner([*default_projections(world.partitions), Mended()]).start()
        await world.project()
        assert await world.value(letters) == [2, 3, 4, 6, 8, 10, 12, 14]
        assert await world.value(POSITIONS) == [19]

    in_world(postgres_dsn, body, poisoned_in_a_row=5)


class Breaking:
    """A projection that PostgreSQL refuses for marked events, in ``write``."""

    name = "breaking"
    kinds = ("frame",)
    tables = ()

    def __init__(self, *, in_add: bool = False) -> None:
        self.in_add = in_add

    def begin(self, log_id: str, frames: FrameEncoder) -> Any:
        return _BreakingBatch(self.in_add)


class Mended(Breaking):
    """The same, without the fault."""

    def begin(self, log_id: str, frames: FrameEncoder) -> Any:
        batch = _BreakingBatch(in_add=False)
        batch.write = batch.write_well  # type: ignore[method-assign]
        return batch


class _BreakingBatch:
    def __init__(self, in_add: bool) -> None:
        self.in_add = in_add
        self.counters: list[int] = []

    def add(self, seq: int, envelope: Envelope) -> None:
        if self.in_add and envelope.frame.counters[0] == 666:
            raise KeyError("poison")
        self.counters.append(envelope.frame.counters[0])

    async def prepare(self) -> None:
        pass

    async def write(self, tx: Transaction) -> None:
        if 666 in self.counters:
            await tx.execute("SELECT 'poison'::int")

    async def write_well(self, tx: Transaction) -> None:
        await tx.execute("SELECT 1")


@pytest.mark.parametrize("in_add", [True, False])
def test_a_poisoned_event_is_put_aside_and_the_rest_goes_on(postgres_dsn: str, in_add: bool) -> None:
    async def body(world: World) -> None:
        await world.runner([*default_projections(world.partitions), Breaking(in_add=in_add)]).start()
        at = now_us()
        poisoned = [frame(at + n, counter=666 if n in (3, 17) else n) for n in range(30)]
        await world.project(declare(), *poisoned)
        # The other projections have it.
        assert await world.value(SEQS) == list(range(2, 32))
        letters = await world.ask(
            "SELECT seq, projection, reason, envelope, tenant_id FROM dead_letter ORDER BY seq"
        )
        assert [(seq, name) for seq, name, *_ in letters] == [(5, "breaking"), (19, "breaking")]
        assert all("poison" in reason for _, _, reason, *_ in letters)
        assert bytes(letters[0][3]) == poisoned[3].SerializeToString()
        assert world.committed == list(range(1, 32))

    in_world(postgres_dsn, body)


def test_an_event_that_is_wrong_all_over(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        bad = frame(now_us())
        bad.tenant_id = "no uuid"
        bad.device_id = '"},{"'
        await world.project(declare(), frame(now_us()), bad, frame(now_us()))
        assert await world.value(SEQS) == [2, 4]
        assert {name for _, name in await world.ask("SELECT seq, projection FROM dead_letter")} == {
            "telemetry",
            "latest",
        }

    in_world(postgres_dsn, body)


def test_what_waits_is_told_while_nothing_can_be_projected_from_the_start(postgres_dsn: str) -> None:
    """A hub that was started anew because PostgreSQL refuses to write isn't up to date."""

    async def body(world: World) -> None:
        await world.log.append(frames(5, now_us()))
        world.log.pin("projections", 2)
        refused = world.runner()

        async def refuse(*_: object, **__: object) -> None:
            raise StorageUnavailable("read-only")

        world.db.run = refuse  # type: ignore[method-assign]
        await refused.start()
        await asyncio.sleep(0.2)
        waiting = refused.behind()
        assert (waiting.position, waiting.events) == (2, 3)
        assert 0.1 < waiting.seconds < 10

    in_world(postgres_dsn, body)
