"""Tables whose older changes reach the hub behind newer ones, as a collector's backfill does."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mtd.pb.events.v1.envelope_pb2 import Envelope
from tests.integration.projections.kit import DEVICE, World, in_world, table
from tests.integration.projections.test_large_tables import KEYS, ROWS, TOLD, Rows, Told, in_range, write

EDGE = uuid.UUID(int=0xE)
OTHER_EDGE = uuid.UUID(int=0xF)


def of(event: Envelope, seq: int, log: uuid.UUID = EDGE, epoch: int = 0) -> Envelope:
    event.source_log_id, event.source_seq, event.lease_epoch = log.bytes, seq, epoch
    return event


async def rows(world: World, name: str = "interface") -> Rows:
    found = await world.ask(
        "SELECT row_key, fields FROM state_row WHERE device_id = %s AND table_name = %s", DEVICE, name
    )
    return dict(found)


@dataclass(frozen=True)
class Lanes:
    """What happened, in this order; of it ``late`` comes by the backfill, and ``arrivals`` says who comes next."""

    told: Sequence[Told]
    late: int
    arrivals: Sequence[bool]

    def in_the_order_of_arrival(self) -> list[int]:
        late, live = list(range(self.late)), list(range(self.late, len(self.told)))
        order = []
        for is_late in self.arrivals:
            lane = late if is_late else live
            if lane:
                order.append(lane.pop(0))
        return order + live + late


@st.composite
def lanes(draw: st.DrawFn) -> Lanes:
    told = draw(st.lists(TOLD, max_size=6))
    late = len(told) + draw(st.integers(-2, 0)) if len(told) > 1 else len(told)
    whole = draw(ROWS)
    middle = draw(st.sampled_from(["", *KEYS]))
    # After a gap, a collector tells each table whole: at once, or in parts.
    parts = (
        [in_range("", middle, whole), in_range(middle, "", whole)] if middle else [Told(whole, complete=True)]
    )
    return Lanes([*told, *parts], late, draw(st.lists(st.booleans(), max_size=10)))


def test_once_a_table_was_told_whole_what_is_older_changes_nothing(postgres_dsn: str) -> None:
    examples: list[Lanes] = []

    @settings(max_examples=60, database=None, suppress_health_check=list(HealthCheck))
    @given(lanes())
    def collect(example: Lanes) -> None:
        examples.append(example)

    collect()

    async def body(world: World) -> None:
        for example in examples:
            await world.ask("DELETE FROM state_row")
            await world.ask("DELETE FROM state_mark")
            expected: Rows = {}
            for one in example.told:
                expected = one.apply(expected)
            # Clocks say nothing: they were set back in between.
            order = example.in_the_order_of_arrival()
            events = [of(example.told[seq].event(1000 - seq), seq + 1) for seq in order]
            half = len(events) // 2
            await write(world, events[:half], 1)
            await write(world, events[half:], half + 1)
            assert await rows(world, "lease") == expected, example

    in_world(postgres_dsn, body)


def test_an_older_change_of_a_row_does_not_undo_a_newer_one(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        await world.project(
            of(table(1_000_000_000_000_000, {"*1": {"name": "new"}, "*2": {"name": "x"}}), 20)
        )
        await world.project(
            of(table(999_000_000_000_000, {"*1": {"name": "old"}, "*3": {"name": "y"}}, ["*2"]), 10)
        )
        # Of what nothing newer is known, the older change counts.
        assert await rows(world) == {"*1": {"name": "new"}, "*2": {"name": "x"}, "*3": {"name": "y"}}

    in_world(postgres_dsn, body)


def test_what_a_collector_told_that_polls_a_device_no_more_gives_way(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        at = 1_000_000_000_000_000
        await world.project(of(table(at, {"*1": {"name": "b"}}, complete=True), 1, OTHER_EDGE, epoch=2))
        await world.project(of(table(at + 5, {"*1": {"name": "a"}, "*2": {"name": "a"}}), 900, EDGE, epoch=1))
        assert await rows(world) == {"*1": {"name": "b"}}
        await world.project(of(table(at - 5, {"*1": {"name": "c"}}), 2, EDGE, epoch=3))
        assert await rows(world) == {"*1": {"name": "c"}}

    in_world(postgres_dsn, body)


def test_a_rebuild_puts_the_marks_back_too(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        at = 1_000_000_000_000_000
        await world.project(of(table(at, {"*1": {"name": "b"}}, complete=True), 7))
        await world.runners[-1].rebuild("tables")
        await world.project(of(table(at, {"*2": {"name": "c"}}), 8))
        assert await rows(world) == {"*1": {"name": "b"}, "*2": {"name": "c"}}
        assert await world.value("SELECT source_seq FROM state_mark") == 7

    in_world(postgres_dsn, body)
