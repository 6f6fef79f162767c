"""One fact that polls, log lines and traps tell is one event, whichever comes first, from whatever log, however often."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence
from dataclasses import replace
from itertools import count, permutations
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mtd.eventlog.memory import MemoryEventLog
from mtd.listeners.syslog.reading import load_rules
from mtd.model.device import Severity
from mtd.model.events import state_event
from mtd.model.evidence import UNKNOWN, WORDS, Source
from mtd.model.logs import LogEntry, log_event
from mtd.model.observation import StateChange
from mtd.pb.events.v1.envelope_pb2 import Envelope
from mtd.projections.all import default_projections
from mtd.projections.runner import ProjectionRunner
from mtd.projections.timeline import MOST_LINES, Timeline
from mtd.queries.counts import read_event_days
from mtd.queries.events import EventQueries
from mtd.queries.records import StoredEvent
from mtd.storage.txn import Transaction
from tests.integration.projections.kit import DEVICE, OTHER_DEVICE, TENANT, World, in_world, now_us, origin

SECOND = 1_000_000
TIMELINE = Timeline.of(load_rules())
LINK = LogEntry(
    0, "", "", severity=4, event_type="interface.oper.changed", entity_type="interface", entity="ether1", state_field="running"
)  # fmt: skip
LOGIN = LogEntry(0, "", "", severity=4, event_type="user.login.failed", entity_type="user", entity="admin")
ROWS = (
    "SELECT log_id::text, seq, part, source, fact, to_us(mate_ts), mate_log_id::text, mate_seq, mate_part"
    " FROM event ORDER BY ts_collected, log_id, seq, part"
)


class NotToday(Exception):
    """What a transaction did is taken back."""


def lines(*entries: LogEntry, device: str = DEVICE) -> Envelope:
    told = [
        replace(entry, text=f"{entry.entity} {entry.new}", original=str(entry.received_us))
        for entry in entries
    ]
    return log_event(origin(device), "192.0.2.1", told, max(entry.received_us for entry in entries) + 10)


def line(at: int, new: str = "down", entity: str = "ether1", device: str = DEVICE) -> Envelope:
    old = "up" if new == "down" else "down"
    return lines(replace(LINK, received_us=at, old=old, new=new, entity=entity), device=device)


def login(at: int, user: str = "admin") -> Envelope:
    return lines(replace(LOGIN, received_us=at, entity=user))


def poll(at: int, new: str = "down", old: str = "up", device: str = DEVICE, **facts: str) -> Envelope:
    told = {"entity_id": "*1", "entity_label": "ether1", "message": f"ether1 is {new}", **facts}
    severity = Severity(told.pop("severity", "warning"))
    change = StateChange(
        "interface.oper.changed", severity, "interface", field="running", old=old, new=new, **told
    )  # fmt: skip
    return state_event(origin(device), change, at, at + 10)


def trap(at: int, new: str = "down", old: str = "up", **facts: str) -> Envelope:
    return poll(at, new, old, told_by="trap", **{"message": f"ether1 is {new}, says a trap", **facts})


class Logs:
    """Event logs of several hubs, or of one, that project into one database."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.runners: list[ProjectionRunner] = []
        self.logs: list[MemoryEventLog] = []

    async def add(self, timeline: Timeline = TIMELINE) -> int:
        log = MemoryEventLog()
        await log.start()
        made = default_projections(self.world.partitions, self.world.config, timeline=timeline)
        events = [one for one in made if one.name == "events"]
        runner = ProjectionRunner(log, self.world.db, events, config=self.world.config)
        await runner.start()
        self.world.stops += [runner.stop, log.stop]
        self.logs.append(log)
        self.runners.append(runner)
        return len(self.logs) - 1

    async def project(self, number: int, *events: Envelope) -> None:
        await self.logs[number].append(list(events))
        await self.settle(number)

    async def settle(self, number: int) -> None:
        await self.runners[number].wait_for(self.logs[number].stats().last_seq)

    async def rebuild(self, number: int) -> None:
        await self.runners[number].rebuild("events")
        await self.settle(number)


async def a_log(world: World, timeline: Timeline = TIMELINE) -> Logs:
    logs = Logs(world)
    await logs.add(timeline)
    return logs


async def shown(world: World, after: int = 0) -> list[StoredEvent]:
    return await EventQueries(world.doors).after(after, 1000)


def told(events: Sequence[StoredEvent]) -> list[tuple[str, list[str]]]:
    """Return what is told, the first first, and who saw it."""
    ordered = sorted(events, key=lambda event: event.collected_us)
    return [(one.new, [WORDS.get(seen.source, UNKNOWN) for seen in one.evidences]) for one in ordered]


def test_who_is_of_a_kind_that_a_newer_mtd_has_brought_stands_alone(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        logs, at = await a_log(world), now_us() - 60 * SECOND
        await logs.project(0, line(at), trap(at + SECOND))
        await world.ask("UPDATE event SET mate_ts = NULL, source = CASE source WHEN 3 THEN 9 ELSE 2 END")
        await logs.project(0, poll(at + 2 * SECOND))
        assert told(await shown(world)) == [("down", ["syslog", "poll"]), ("down", ["unknown"])]
        # A newer one has put it together with others.
        await world.ask(
            "UPDATE event e SET (mate_ts, mate_log_id, mate_seq, mate_part) = (SELECT o.ts_collected, o.log_id, o.seq, o.part"
            " FROM event o WHERE o.source = CASE e.source WHEN 2 THEN 9 WHEN 9 THEN 1 ELSE 2 END)"
        )
        (event,) = await shown(world)
        assert told([event]) == [("down", ["syslog", "unknown", "poll"])]
        assert event.message == "ether1 is down"

    in_world(postgres_dsn, body)


@pytest.mark.parametrize("line_first", [True, False])
def test_a_poll_and_a_line_are_one_event(postgres_dsn: str, line_first: bool) -> None:
    async def body(world: World) -> None:
        logs, at = await a_log(world), now_us() - 60 * SECOND
        events = [line(at), poll(at + 2 * SECOND)]
        for event in events if line_first else reversed(events):
            await logs.project(0, event)
        (event,) = await shown(world)
        # When it was seen first, and in the words of the poll, which knows what the interface is.
        assert (event.collected_us, event.entity_id, event.message) == (at, "*1", "ether1 is down")
        first, second = event.evidences
        assert (first.collected_us, first.after_first_us, first.message) == (at, 0, "ether1 down")
        assert (second.collected_us, second.after_first_us) == (at + 2 * SECOND, 2 * SECOND)
        assert [(one.log_id, one.part) for one in event.evidences] == [(logs.logs[0].log_id, 0)] * 2
        assert [one.seq for one in event.evidences] == ([1, 2] if line_first else [2, 1])
        # Who follows is told once more, and what it takes the place of.
        assert event.replaces == [event.position - 1]
        assert await EventQueries(world.doors).before(None, 10, device_id=DEVICE) == [event]
        assert await EventQueries(world.doors).before(event.position, 10) == []
        days = await read_event_days(world.doors, TENANT, await today(world, at), 1, ())
        assert [(day.info, day.warning, day.critical) for day in days] == [(0, 1, 0)]

    in_world(postgres_dsn, body)


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_a_poll_a_line_and_a_trap_are_one_event(postgres_dsn: str, order: tuple[int, ...]) -> None:
    async def body(world: World) -> None:
        logs, at = await a_log(world), now_us() - 60 * SECOND
        for _ in range(2):
            await logs.add()
        events = [line(at), trap(at + 1), poll(at + 2 * SECOND)]
        for number in order:
            await logs.project(number, events[number])
        first = await shown(world)
        (event,) = first
        assert told(first) == [("down", ["syslog", "trap", "poll"])]
        assert (event.collected_us, event.entity_id, event.message) == (at, "*1", "ether1 is down")
        assert [one.log_id for one in event.evidences] == [log.log_id for log in logs.logs]
        assert event.replaces == [event.position - 2, event.position - 1]
        assert await EventQueries(world.doors).before(None, 10, device_id=DEVICE) == [event]
        days = await read_event_days(world.doors, TENANT, await today(world, at), 1, ())
        assert [(day.info, day.warning, day.critical) for day in days] == [(0, 1, 0)]
        # Each of them goes, and comes again: meanwhile the two others have each other.
        for number in range(3):
            left = await left_without(world, logs.logs[number].log_id)
            assert [row[0:3] for row in left] == [row[6:9] for row in reversed(left)]
            assert len(left) == 2
            await logs.rebuild(number)
            assert await shown(world) == first

    in_world(postgres_dsn, body)


async def left_without(world: World, log_id: str) -> list[tuple[Any, ...]]:
    """Return the rows that there are at the beginning of a rebuild of a log."""
    made = default_projections(world.partitions, world.config)
    (projection,) = (one for one in made if one.name == "events")
    left: list[tuple[Any, ...]] = []

    async def run(tx: Transaction) -> None:
        await projection.forget(tx, log_id, 1)
        await tx.execute(ROWS)
        left.extend(tx.fetchall())
        raise NotToday

    with pytest.raises(NotToday):
        await world.db.run("test.forget", run)
    return left


def test_without_a_poll_a_trap_knows_best(postgres_dsn: str) -> None:
    """It tells which interface it is, and whether somebody switched it off."""

    async def body(world: World) -> None:
        logs, at = await a_log(world), now_us() - 60 * SECOND
        await logs.project(0, line(at), trap(at + SECOND, severity="info"))
        (event,) = await shown(world)
        assert (event.severity, event.entity_id) == (Severity.INFO, "*1")
        assert event.message == "ether1 is down, says a trap"
        days = await read_event_days(world.doors, TENANT, await today(world, at), 1, ())
        assert [(day.info, day.warning, day.critical) for day in days] == [(1, 0, 0)]
        for severity, found in ((Severity.INFO, 1), (Severity.WARNING, 0)):
            seen = await EventQueries(world.doors).after(0, 10, min_severity=severity)
            assert len(seen) == found

    in_world(postgres_dsn, body)


async def today(world: World, us: int) -> Any:
    return await world.value("SELECT (from_us(%s) AT TIME ZONE 'UTC')::date", us)


def test_a_flap_that_is_faster_than_polls_is_told_by_lines_alone(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        logs, at = await a_log(world), now_us() - 300 * SECOND
        await logs.project(
            0, line(at), line(at + 1, "up"), line(at + 2 * SECOND), line(at + 3 * SECOND, "up")
        )
        await logs.project(0, poll(at + 40 * SECOND, "down"), line(at + 39 * SECOND))
        found = await shown(world)
        assert told(found) == [
            ("down", ["syslog"]),
            ("up", ["syslog"]),
            ("down", ["syslog"]),
            ("up", ["syslog"]),
            ("down", ["syslog", "poll"]),
        ]
        assert found[0].severity is Severity.WARNING

    in_world(postgres_dsn, body)


def test_facts_of_different_things_stay_apart(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        logs, at = await a_log(world), now_us() - 60 * SECOND
        await logs.project(
            0,
            poll(at),
            line(at, device=OTHER_DEVICE),
            line(at, entity="ether2"),
            line(at, "up"),
            line(at - 91 * SECOND),
        )
        assert len(await shown(world)) == 5
        assert await world.value("SELECT count(*) FROM event WHERE mate_ts IS NOT NULL") == 0
        # An interface that people call by its comment.
        await logs.project(0, poll(at + 1, entity_label="to graz", entity_id="*2", logged_as="ether2"))
        assert sum(len(event.evidences) == 2 for event in await shown(world)) == 1

    in_world(postgres_dsn, body)


def test_what_comes_late_finds_its_event(postgres_dsn: str) -> None:
    """As what an edge kept while it was cut off; also across the end of a month, which is another partition."""

    async def body(world: World) -> None:
        logs = await a_log(world)
        at = await world.value(
            "SELECT to_us(date_trunc('month', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC')"
        )
        await logs.project(0, poll(at + SECOND), *(poll(at - n * 600 * SECOND) for n in range(1, 20)))
        await logs.project(0, line(at - SECOND))
        assert told(await shown(world))[-1] == ("down", ["syslog", "poll"])
        assert len(await shown(world)) == 20
        # The line that was nearer comes at last: the other one was about an earlier time.
        await logs.project(0, line(at + SECOND // 2))
        assert told(await shown(world))[-2:] == [("down", ["syslog"]), ("down", ["syslog", "poll"])]

    in_world(postgres_dsn, body)


@pytest.mark.parametrize("told", ["poll", "line"])
def test_who_tells_late_that_it_was_over_parts_what_was_together(postgres_dsn: str, told: str) -> None:
    async def body(world: World) -> None:
        logs, at = await a_log(world), now_us() - 60 * SECOND
        await logs.project(0, line(at), poll(at + 6 * SECOND))
        assert len(await shown(world)) == 1
        over = poll(at + 3 * SECOND, "up", "down") if told == "poll" else line(at + 3 * SECOND, "up")
        await logs.project(0, over)
        found = await shown(world)
        assert [len(event.evidences) for event in found] == [1, 1, 1]
        assert await world.value("SELECT count(*) FROM event WHERE mate_ts IS NOT NULL") == 0

    in_world(postgres_dsn, body)


def test_what_tells_no_state_and_comes_again_is_one_event(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        logs = await a_log(world)
        await logs.add()
        at = (now_us() // (90 * SECOND) - 10) * 90 * SECOND
        await logs.project(0, login(at + 20), login(at + 10), login(at + 30), login(at + 40, "root"))
        await logs.project(0, login(at + 50), login(at + 90 * SECOND))
        first = await shown(world)
        assert sorted((event.entity_label, event.collected_us - at) for event in first) == [
            ("admin", 10),
            ("admin", 90 * SECOND),
            ("root", 40),
        ]
        # An earlier one, of another log, takes its place and its position.
        await logs.project(1, login(at + 5), login(at + 60))
        second = await shown(world)
        assert sorted((event.entity_label, event.collected_us - at) for event in second) == [
            ("admin", 5),
            ("admin", 90 * SECOND),
            ("root", 40),
        ]
        assert {event.position for event in second} == {event.position for event in first}
        for number in (0, 1, 0):
            await logs.rebuild(number)
            assert await shown(world) == second

    in_world(postgres_dsn, body)


def test_a_boot_is_known_by_its_line_by_its_trap_and_by_its_uptime(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        logs, at = await a_log(world), (now_us() // (90 * SECOND) - 10) * 90 * SECOND
        booted = LogEntry(at + 20, "", "", severity=4, event_type="device.rebooted", entity_type="device")
        change = StateChange(
            "device.rebooted", Severity.WARNING, "device", DEVICE, "core-1", "uptime", "90000s", "31s", "rebooted"
        )  # fmt: skip
        cold = replace(change, old="", new="0s", told_by="trap")
        await logs.project(0, lines(booted), state_event(origin(), change, at + 30 * SECOND, at))
        await logs.project(0, state_event(origin(), cold, at + 5 * SECOND, at))
        # One more line takes the first one's place, and its mates.
        await logs.project(0, lines(replace(booted, received_us=at + 10)))
        (event,) = await shown(world)
        assert [(one.source, one.collected_us - at) for one in event.evidences] == [
            (Source.SYSLOG, 10),
            (Source.TRAP, 5 * SECOND),
            (Source.POLL, 30 * SECOND),
        ]

    in_world(postgres_dsn, body)


def test_a_flood_is_counted_and_each_line_stands_by_itself_without_a_window(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        logs, at = await a_log(world), now_us() - 60 * SECOND
        many = [replace(LINK, received_us=at + n, new="down", entity=f"e{n}") for n in range(MOST_LINES + 20)]
        await logs.project(0, lines(*many), poll(at), line(at), login(at), login(at + 1))
        assert len(await shown(world)) == MOST_LINES + 4

    in_world(postgres_dsn, body, join_window_s=0.0)


def test_lines_too_old_for_the_timeline_are_left_out(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        logs = await a_log(world)
        await logs.project(0, line(now_us() - 10 * 366 * 86_400 * SECOND), line(now_us()))
        assert len(await shown(world)) == 1
        assert await world.value("SELECT count(*) FROM dead_letter") == 0

    in_world(postgres_dsn, body)


def test_a_door_of_another_tenant_sees_neither_event_nor_evidence(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        logs, at = await a_log(world), now_us() - 60 * SECOND
        await logs.project(0, line(at), poll(at + 1))
        assert await EventQueries(world.doors).after(0, 10, tenant_id=str(uuid.UUID(int=9))) == []
        assert len(await world.ask_as_door("SELECT mate_log_id FROM event")) == 2

    in_world(postgres_dsn, body)


def test_two_hubs_that_write_at_a_time_find_each_other_s(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        logs, at = await a_log(world), now_us() - 60 * SECOND
        await logs.add()
        for number in range(30):
            told_by = {"entity_label": f"ether{number}"}
            await asyncio.gather(
                logs.project(0, line(at + number, entity=f"ether{number}")),
                logs.project(1, poll(at + SECOND, **told_by)),
            )
            await asyncio.gather(
                *(logs.project(hub, login(at + hub, f"user{number}")) for hub in (0, 1)),
            )
        found = await shown(world)
        assert sorted(len(event.evidences) for event in found) == [1] * 30 + [2] * 30
        assert {event.collected_us for event in found if event.event_type == "user.login.failed"} == {at}

    in_world(postgres_dsn, body)


STATES = ("up", "down")
LOGS = 3
STEP = st.tuples(
    st.integers(0, LOGS - 1),
    st.sampled_from(("poll", "line", "trap", "login")),
    st.integers(0, 40),
    st.sampled_from(STATES),
)


def test_whatever_the_order_of_events_logs_and_rebuilds_the_rows_are_the_same(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        loop, day = asyncio.get_running_loop(), now_us() // (86_400 * SECOND) * 86_400 * SECOND
        again = count(1)

        @settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
        @given(
            steps=st.lists(STEP, min_size=4, max_size=24),
            turns=st.lists(st.tuples(st.integers(0, LOGS - 1), st.integers(1, 5)), max_size=12),
            rebuilt=st.lists(st.integers(0, LOGS - 1), max_size=3),
        )
        def run(
            steps: list[tuple[int, str, int, str]], turns: list[tuple[int, int]], rebuilt: list[int]
        ) -> None:
            async def example() -> None:
                # Times of their own, so that no example meets the rows of another.
                at = day - next(again) * 3600 * SECOND
                # Each a moment of its own: of two at once, the names of their logs tell which is first.
                events = [(step[0], made(at + n, step)) for n, step in enumerate(steps)]
                of_logs = [[event for log, event in events if log == number] for number in range(LOGS)]
                await world.ask("TRUNCATE event")
                logs = Logs(world)
                for _ in range(LOGS):
                    await logs.add()
                await in_turns(logs, of_logs, turns)
                first = await rows(world, logs)
                for number in rebuilt:
                    await logs.rebuild(number)
                    assert await rows(world, logs) == first
                # Once more, log after log, under other names.
                other = Logs(world)
                await world.ask("TRUNCATE event")
                for _ in range(LOGS):
                    await other.add()
                for number in reversed(range(LOGS)):
                    if of_logs[number]:
                        await other.project(number, *of_logs[number])
                assert named(await rows(world, other)) == named(first)

            asyncio.run_coroutine_threadsafe(example(), loop).result(60)

        await asyncio.to_thread(run)

    in_world(postgres_dsn, body, timeout_s=300, join_window_s=10.0)


def made(at: int, step: tuple[int, str, int, str]) -> Envelope:
    _, kind, seconds, state = step
    us = at + seconds * SECOND
    if kind == "login":
        return login(us, state)
    if kind == "line":
        return line(us, state)
    return (poll if kind == "poll" else trap)(us, state, "up" if state == "down" else "down")


async def in_turns(logs: Logs, of_logs: list[list[Envelope]], turns: list[tuple[int, int]]) -> None:
    """Project some events of one log, then of another; at the end, what is left."""
    done = [0] * LOGS
    for number, some in [*turns, *((number, 100) for number in range(LOGS))]:
        events = of_logs[number][done[number] : done[number] + some]
        if events:
            await logs.project(number, *events)
        done[number] += some


async def rows(world: World, logs: Logs) -> list[tuple[Any, ...]]:
    """Return the rows, with logs by their numbers."""
    numbers = {log.log_id: number for number, log in enumerate(logs.logs)}
    found = await world.ask(ROWS)
    return [(numbers[row[0]], *row[1:6], numbers.get(row[6]), *row[7:]) for row in found]


def named(found: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return sorted(found, key=repr)
