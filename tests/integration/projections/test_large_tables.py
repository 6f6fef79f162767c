"""Tables that are told in parts: what is stored in the end, and how little is written for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mtd.core.slices import at_once
from mtd.model.events import table_event
from mtd.model.observation import KeyRange, TableChange
from mtd.plugin.table_parts import complete_parts, delta_parts
from mtd.projections.frames import FrameEncoder
from mtd.projections.tables import TablesProjection
from tests.integration.projections.kit import DEVICE, OTHER_DEVICE, World, in_world, now_us, origin

if TYPE_CHECKING:
    from mtd.pb.events.v1.envelope_pb2 import Envelope

Rows = dict[str, dict[str, str]]
# In the order of their bytes, which isn't that of any language.
KEYS = ["*1", "*10", "*2", "Z", "a", "ä", "~b", "\N{CYRILLIC SMALL LETTER A}", "\N{SLIGHTLY SMILING FACE}"]
ROWS = st.dictionaries(
    st.sampled_from(KEYS), st.fixed_dictionaries({"name": st.sampled_from("ab")}), max_size=5
)
BOUND = st.sampled_from(["", *KEYS])


@dataclass(frozen=True)
class Told:
    """One event of a table."""

    rows: Rows
    removed: Sequence[str] = ()
    complete: bool = False
    within: KeyRange | None = None

    def event(self, at: int, device: str = DEVICE, name: str = "lease") -> Envelope:
        change = TableChange(name, self.complete, self.rows, self.removed, self.within)
        return table_event(origin(device), change, at, at)

    def apply(self, table: Rows) -> Rows:
        """Return a table after this, as anybody would read it."""
        if self.complete:
            return dict(self.rows)
        kept = {key: row for key, row in table.items() if self.within is None or key not in self.within}
        if self.within is None:
            kept = {key: row for key, row in kept.items() if key not in self.removed}
        return {**kept, **self.rows}


def in_range(after: str, up_to: str, rows: Rows) -> Told:
    within = KeyRange(after, up_to)
    return Told({key: row for key, row in rows.items() if key in within}, within=within)


TOLD = st.one_of(
    st.builds(Told, ROWS, st.lists(st.sampled_from(KEYS), max_size=3, unique=True)),
    st.builds(Told, ROWS, complete=st.just(True)),
    st.builds(in_range, BOUND, BOUND, ROWS),
)


def test_parts_in_any_order_come_to_what_they_say_one_by_one(postgres_dsn: str) -> None:
    examples: list[list[list[tuple[bool, Told]]]] = []

    @settings(max_examples=60, database=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(st.lists(st.tuples(st.booleans(), TOLD), min_size=1, max_size=5), min_size=1, max_size=4))
    def collect(batches: list[list[tuple[bool, Told]]]) -> None:
        examples.append(batches)

    collect()

    async def body(world: World) -> None:
        for batches in examples:
            await world.ask("DELETE FROM state_row")
            await world.ask("DELETE FROM state_mark")
            expected: dict[bool, Rows] = {False: {}, True: {}}
            position = 0
            for told in batches:
                events = [one.event(1, OTHER_DEVICE if other else DEVICE) for other, one in told]
                await write(world, events, position + 1)
                position += len(events)
                for other, one in told:
                    expected[other] = one.apply(expected[other])
            for other, device in ((False, DEVICE), (True, OTHER_DEVICE)):
                found = await world.ask(
                    "SELECT row_key, fields FROM state_row WHERE device_id = %s::uuid", device
                )
                assert dict(found) == expected[other], batches

    in_world(postgres_dsn, body)


async def write(world: World, events: Sequence[Envelope], first: int = 1) -> None:
    async def transaction(tx: Any) -> None:
        batch = TablesProjection().begin(world.log.log_id, FrameEncoder())
        for seq, event in enumerate(events, first):
            batch.add(seq, event)
        await batch.write(tx)

    await world.db.run("test.tables", transaction)


def sessions(first: int, count: int) -> Rows:
    return {
        f"*{0x80000000 + n:X}": {"name": f"user{n}", "service": "pppoe"} for n in range(first, first + count)
    }


def test_what_is_written_is_what_changed(postgres_dsn: str) -> None:
    """After a restart a table of thousands of rows is told as a whole: rows that are as they were stay untouched."""
    name, changes = (
        "ppp_session",
        "SELECT count(*), to_us(max(changed_at)), to_us(min(first_seen)) FROM state_row",
    )

    async def body(world: World) -> None:
        at = now_us() - 10_000_000

        def events(parts: Sequence[TableChange], moment: int) -> list[Envelope]:
            return [table_event(origin(), part, moment, moment) for part in parts]

        before = sessions(0, 1_700)
        parts = at_once(complete_parts(name, list(before.items())))
        assert len(parts) == 7
        await world.project(*events(parts, at))
        assert await world.ask(changes) == [(1_700, at, at)]

        gone, came = list(before)[100:117], sessions(5_000, 17)
        delta = at_once(delta_parts(name, list(came.items()), gone))
        await world.project(*events(delta, at + 1))
        changed = "SELECT count(*) FROM state_row WHERE changed_at = from_us(%s)"
        assert await world.value(changed, at + 1) == 17
        assert await world.value(changed, at) == 1_683

        now = {key: row for key, row in before.items() if key not in gone} | came
        del now[list(before)[1_000]]
        now |= sessions(9_000, 1)
        again = at_once(complete_parts(name, list(now.items())[::-1]))
        assert all(not part.complete for part in again)
        await world.project(*events(again, at + 2))
        assert await world.value(changed, at + 2) == 1
        assert dict(await world.ask("SELECT row_key, fields FROM state_row")) == now

        await world.project(*events(at_once(complete_parts(name, [])), at + 3))
        assert await world.value("SELECT count(*) FROM state_row") == 0

    in_world(postgres_dsn, body)
