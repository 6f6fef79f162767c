"""Tables of many rows: compared as a naive reader would, told in parts, whatever the order and what moves by itself."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtd.core.slices import at_once
from mtd.model.command import Reply, Rows
from mtd.model.metric import Tier
from mtd.model.observation import KeyRange, Observation, TableChange
from mtd.plugin import Collector, Column, Labels, Menu, Moment, RowEvent, TableKind, columns
from mtd.plugin.config import PluginConfig
from mtd.plugin.mapper import DeviceMapper
from mtd.plugin.table_events import MOST_TOLD
from mtd.plugin.table_parts import PART_CHARACTERS, PART_ROWS, complete_parts, delta_parts
from mtd.testing.contract import FakeClock, make_device
from mtd.testing.observations import events_of
from mtd.testing.replies import rows_of

SESSIONS = Menu(
    name="sessions",
    path="/ppp/active",
    kind=TableKind.CURRENT_STATE,
    tier=Tier.T1,
    table="session",
    row_key=".id",
    scope="session",
    labels=Labels(),
    fields=(
        *columns("name", "address"),
        Moment(field="uptime", name="since"),
        Moment(field="expires-after", name="expires", ahead=True, volatile=True),
        Column(field="bytes", volatile=True),
    ),
    appears=RowEvent(event_type="session.started", entity_type="session", message="{label} came"),
    vanishes=RowEvent(event_type="session.ended", entity_type="session", message="{label} went"),
    max_instances=50_000,
)

Table = dict[str, dict[str, Any]]
START_S = 1_700_000_000


class Reader:
    """A device whose sessions are read, and what somebody who applies the changes has."""

    def __init__(self, menu: Menu = SESSIONS, **options: Any) -> None:
        egg = Collector(name="ppp", api=1, description="Sessions.", menus=(menu,))
        self.clock = FakeClock()
        self.mapper = DeviceMapper(make_device(), [egg], clock=self.clock, **options)
        self.applied: dict[str, Mapping[str, str]] = {}

    def read(
        self, rows: Sequence[Mapping[str, Any]], at: float = 0.0, duration_s: float = 0.01
    ) -> Observation:
        (command,) = self.mapper.commands(Tier.T1)
        wall_us = round((START_S + at) * 1e6)
        reply = Reply(command, rows_of(rows) if rows else Rows(), at, wall_us, duration_s)
        observation = self.mapper.observe(Tier.T1, [reply])
        for change in observation.tables:
            self.applied = applied(self.applied, change)
        return observation


def applied(table: Mapping[str, Mapping[str, str]], change: TableChange) -> dict[str, Mapping[str, str]]:
    whole = KeyRange() if change.complete else change.complete_within
    kept = {key: row for key, row in table.items() if whole is None or key not in whole}
    for key in change.removed:
        del kept[key]
    return {**kept, **change.upserted}


def told(changes: Sequence[TableChange]) -> int:
    return sum(len(change.upserted) + len(change.removed) for change in changes)


def session(number: int, **fields: Any) -> dict[str, Any]:
    return {".id": f"*{number:X}", "name": f"user{number}", "address": f"100.64.0.{number % 250}"} | fields


def sessions(*numbers: int, **fields: Any) -> list[dict[str, Any]]:
    return [session(number, **fields) for number in numbers]


# -- the same as a naive reader ----------------------------------------------------

names = st.sampled_from(["a", "b", "", None])
read = st.dictionaries(
    st.sampled_from(["*1", "*2", "*3", "*4", "ä", "~"]), st.tuples(names, names), max_size=6
)


@given(reads=st.lists(st.tuples(read, st.randoms(use_true_random=False)), min_size=1, max_size=6))
def test_changes_are_those_of_a_naive_reader(reads: list[tuple[Any, random.Random]]) -> None:
    reader = Reader()
    before: Table | None = None
    for number, (content, shuffler) in enumerate(reads):
        now = {
            key: {
                name: value
                for name, value in ((".id", key), ("name", name), ("address", address))
                if value is not None
            }
            for key, (name, address) in content.items()
        }
        rows = list(now.values())
        shuffler.shuffle(rows)
        # What moves by itself, moves.
        moving = [row | {"bytes": number * 100, "uptime": f"{1000 + number * 10}s"} for row in rows]
        observation = reader.read(moving, at=number * 10.0)
        changed = {key for key, row in now.items() if before is not None and before.get(key) != row}
        gone = set() if before is None else before.keys() - now.keys()
        if before is None:
            assert [change.complete for change in observation.tables] == [True]
        else:
            assert {key for change in observation.tables for key in change.upserted} == changed
            assert {key for change in observation.tables for key in change.removed} == gone
            came = [event.entity_id for event in events_of(observation, "session.started")]
            went = [event.entity_id for event in events_of(observation, "session.ended")]
            assert sorted(came) == sorted(now.keys() - before.keys())
            assert sorted(went) == sorted(gone)
        kept = {
            key: {n: v for n, v in row.items() if n in now.get(key, {})}
            for key, row in reader.applied.items()
        }
        assert kept == now
        before = now


# -- what moves by itself ------------------------------------------------------------


def test_an_age_is_kept_as_the_moment_that_it_counts_from() -> None:
    reader = Reader()
    reader.read([session(1, uptime="1h2m3s")])
    assert reader.applied["*1"]["since"] == "2023-11-14T21:11:17Z"
    assert "uptime" not in reader.applied["*1"]
    for number in range(1, 200):  # the router's clock runs a little fast, and rounds
        at = number * 10.0
        uptime = f"{3723 + int(at * 1.0001) + number % 2}s"
        assert reader.read([session(1, uptime=uptime)], at=at).tables == []
    observation = reader.read([session(1, uptime="4s")], at=2_000.0)
    assert told(observation.tables) == 1
    assert reader.applied["*1"]["since"] == "2023-11-14T22:46:36Z"
    assert told(reader.read([session(1)], at=2_010.0).tables) == 1
    assert "since" not in reader.applied["*1"]


def test_a_reply_that_takes_long_makes_ages_uncertain_by_as_much() -> None:
    reader = Reader()
    reader.read([session(1, uptime="1000s")], at=0.0)
    assert reader.read([session(1, uptime="1018s")], at=10.0, duration_s=4.0).tables == []
    assert told(reader.read([session(1, uptime="1038s")], at=20.0).tables) == 1


@pytest.mark.parametrize("uptime", ["soon", "", "99999999w", None])
def test_an_age_that_can_not_be_read_is_no_moment(uptime: str | None) -> None:
    reader = Reader()
    row = session(1) if uptime is None else session(1, uptime=uptime)
    reader.read([row])
    assert reader.applied["*1"] == session(1)
    assert reader.read([row], at=10.0).tables == []


def test_what_is_volatile_changes_with_the_rest_only() -> None:
    reader = Reader()
    reader.read([session(1, bytes=5, **{"expires-after": "10m"})])
    first = {"bytes": "5", "expires": "2023-11-14T22:23:20Z"}
    assert reader.applied["*1"] == session(1) | first
    assert reader.read([session(1, bytes=7, **{"expires-after": "30m"})], at=10.0).tables == []
    reader.read([session(1, bytes=9, address="x", **{"expires-after": "20m"})], at=20.0)
    assert reader.applied["*1"] == session(1, address="x") | {
        "bytes": "9",
        "expires": "2023-11-14T22:33:40Z",
    }


# -- many ------------------------------------------------------------------------------


def test_a_large_table_is_told_in_parts_that_come_to_it() -> None:
    reader = Reader()
    numbers = list(range(1, 1_801))
    random.Random(4).shuffle(numbers)
    observation = reader.read(sessions(*numbers))
    assert [len(part.upserted) for part in observation.tables] == [250] * 7 + [50]
    assert not any(part.complete for part in observation.tables)
    first, *_, last = [part.complete_within for part in observation.tables]
    assert (first and first.after, last and last.up_to) == ("", "")
    assert reader.applied == {row[".id"]: row for row in sessions(*numbers)}
    assert events_of(observation, "session.started") == []

    numbers = numbers[100:] + list(range(5_000, 5_100))
    numbers.reverse()
    observation = reader.read(sessions(*numbers), at=10.0)
    assert [change.complete_within for change in observation.tables] == [None]
    assert told(observation.tables) == 200
    assert reader.applied == {row[".id"]: row for row in sessions(*numbers)}
    assert reader.read(sessions(*numbers[::-1]), at=20.0).tables == []


def test_of_very_many_changes_not_each_is_an_event() -> None:
    reader = Reader()
    reader.read(sessions(*range(1_000)))
    observation = reader.read([], at=10.0)
    assert len(events_of(observation, "session.ended")) == MOST_TOLD
    (rest,) = events_of(observation, "table.rows.vanished")
    assert (rest.new, rest.entity_type) == ("700", "session")
    assert rest.message.startswith("700 more rows of session vanished")
    assert reader.applied == {}
    observation = reader.read(sessions(*range(MOST_TOLD)), at=20.0)
    assert len(observation.state_changes) == MOST_TOLD


def test_known_rows_stay_when_there_are_more_than_are_kept() -> None:
    reader = Reader(settings=PluginConfig(max_table_rows=3))
    observation = reader.read(sessions(1, 2, 3, 4))
    assert set(reader.applied) == {"*1", "*2", "*3"}
    assert [event.event_type for event in observation.state_changes] == ["collector.rows.capped"]
    assert reader.read(sessions(4, 5, 3, 2, 1), at=10.0).tables == []
    observation = reader.read(sessions(4, 5, 3, 2), at=20.0)
    assert set(reader.applied) == {"*2", "*3", "*4"}
    observation = reader.read(sessions(5, 2), at=30.0)
    assert set(reader.applied) == {"*2", "*5"}
    assert events_of(observation, "collector.rows.uncapped")


def test_a_key_counts_once() -> None:
    reader = Reader()
    reader.read([session(1), session(1, name="double"), {"name": "without"}, session(2)])
    assert reader.applied == {"*1": session(1), "*2": session(2)}
    reader.read([session(1), session(1, name="double"), session(2)], at=10.0)
    assert reader.applied == {"*1": session(1), "*2": session(2)}


def test_a_table_whose_changes_were_lost_is_told_again() -> None:
    reader = Reader()
    reader.read(sessions(1, 2))
    reader.applied = {"*9": session(9)}  # as somebody has it who missed all of it
    reader.mapper.tell_table("session")
    observation = reader.read(sessions(2, 3), at=10.0)
    assert reader.applied == {row[".id"]: row for row in sessions(2, 3)}
    assert [event.event_type for event in observation.state_changes] == ["session.started", "session.ended"]
    assert reader.read(sessions(2, 3), at=20.0).tables == []


def test_rows_of_a_reply_with_numbers_are_read_as_any_other() -> None:
    """The decoder gives a run of counters at the end of rows as one array."""
    from mtd.model.numbers import Numbers

    reader = Reader(
        replace(SESSIONS, fields=(*columns("name", "port"), Column(field="bytes", volatile=True)))
    )
    (command,) = reader.mapper.commands(Tier.T1)
    columns_of = {".id": (b"*1", b"*2"), "name": (b"a", b"b")}
    numbers = Numbers.of_columns(("port", "bytes"), [(b"7", b"8"), (b"100", b"200")])
    observation = reader.mapper.observe(Tier.T1, [Reply(command, Rows(2, columns_of, numbers), 0.0, 0, 0.0)])
    assert observation.tables[0].upserted == {
        "*1": {".id": "*1", "name": "a", "port": "7", "bytes": "100"},
        "*2": {".id": "*2", "name": "b", "port": "8", "bytes": "200"},
    }


# -- parts -------------------------------------------------------------------------------

part_rows = st.dictionaries(
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=3),
    st.fixed_dictionaries({"a": st.text("xy", max_size=2)}),
    max_size=30,
)


@given(before=part_rows, now=part_rows)
def test_parts_of_a_whole_table_come_to_it(before: Any, now: Any) -> None:
    parts = at_once(complete_parts("t", list(now.items())))
    table: dict[str, Any] = dict(before)
    for part in parts:
        assert part.complete is (part.complete_within is None)
        table = applied(table, part)
    assert table == now


@settings(deadline=None)
@given(sizes=st.lists(st.sampled_from([1, 10, PART_CHARACTERS // 3, PART_CHARACTERS * 2]), max_size=12))
def test_no_part_is_large_unless_its_one_row_is(sizes: list[int]) -> None:
    rows = [(f"*{number:03}", {"a": "x" * size}) for number, size in enumerate(sizes)]
    for parts in (at_once(complete_parts("t", rows)), at_once(delta_parts("t", rows, ["*9"] * 3))):
        assert [key for part in parts for key in part.upserted] == [key for key, _ in rows]
        for part in parts:
            size = sum(len(row["a"]) for row in part.upserted.values())
            assert len(part.upserted) <= 1 or size <= PART_CHARACTERS


def test_what_is_gone_is_told_in_parts_as_well() -> None:
    gone = [f"*{number}" for number in range(PART_ROWS * 2 + 1)]
    parts = at_once(delta_parts("t", [("a", {})], gone))
    assert [len(part.removed) for part in parts] == [PART_ROWS, PART_ROWS, 1]
    assert parts[-1].upserted == {"a": {}}
    assert at_once(delta_parts("t", [], [])) == []
