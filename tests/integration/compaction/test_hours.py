"""Closed hours become blocks, and their partitions go."""

from __future__ import annotations

import threading
import time

from mtd.compaction.messages import Message
from mtd.compaction.rounds import Rounds
from mtd.core.clock import SystemClock
from mtd.model.layout import Layout
from mtd.storage.cold.connection import ColdConnection
from mtd.storage.cold.partitions import ColdPartitions
from mtd.storage.partitioned import HOUR_US, TELEMETRY_FRAME
from tests.integration.compaction.kit import (
    HOUR,
    LAYOUT,
    NOW,
    Account,
    Clock,
    Frame,
    S,
    cold,
    compact,
    declare,
    expected,
    frame_partitions,
    polls,
    put,
    settings,
    stored,
)


def test_a_closed_hour_becomes_blocks_and_its_partition_goes(postgres_dsn: str) -> None:
    declare(postgres_dsn, LAYOUT)
    frames = polls(600)
    put(postgres_dsn, frames)
    assert stored(postgres_dsn) == expected(frames)

    account = compact(postgres_dsn)

    assert [unit.kind for unit in account.units] == ["new"]
    assert account.units[0].points == 600 * 3 + 120
    assert not account.failed
    assert not account.trouble
    assert cold(postgres_dsn) == expected(frames)
    assert [one.partition for one in account.dropped]
    assert frame_partitions(postgres_dsn) == []


def test_frames_without_series_are_no_trouble(postgres_dsn: str) -> None:
    """A group whose series went to another says so with a frame that holds nothing."""
    nothing = Layout.of(LAYOUT.poll_group, ())
    declare(postgres_dsn, LAYOUT, nothing)
    before, after = polls(100), polls(100, HOUR + 200 * S)
    put(postgres_dsn, [*before, Frame(HOUR + 150 * S, [], [], nothing), *after])
    only = Frame(HOUR - HOUR_US, [], [], nothing)  # the one frame of its hour
    put(postgres_dsn, [only])

    account = compact(postgres_dsn)

    assert not account.failed
    assert not account.trouble
    assert cold(postgres_dsn) == expected([*before, *after])
    assert frame_partitions(postgres_dsn) == []


def test_the_hour_before_this_one_stays_for_those_who_make_it(postgres_dsn: str) -> None:
    with ColdConnection(postgres_dsn) as connection:
        ColdPartitions(connection).ensure(TELEMETRY_FRAME, [HOUR, HOUR - HOUR_US])
    assert [one.partition for one in compact(postgres_dsn).dropped] == ["telemetry_frame_2026030210"]
    later = compact(postgres_dsn, now_us=NOW + HOUR_US)
    assert [one.partition for one in later.dropped] == ["telemetry_frame_2026030211"]


class Sleepless(threading.Event):
    """Notes how long it was to wait."""

    def __init__(self) -> None:
        super().__init__()
        self.asked_s = 0.0

    def wait(self, timeout: float | None = None) -> bool:
        self.asked_s += timeout or 0.0
        return self.is_set()


def test_it_sleeps_between_units_for_its_share_of_a_core(postgres_dsn: str) -> None:
    declare(postgres_dsn, LAYOUT)
    frames = [frame for hour in range(8) for frame in polls(100, HOUR - hour * HOUR_US)]
    put(postgres_dsn, frames)
    account, stop, clock = Account(), Sleepless(), SystemClock()
    clock.now_us = lambda: NOW  # type: ignore[method-assign]
    config = settings(cpu_share=0.2)
    with Rounds(postgres_dsn, config, account.messages.append, stop, clock=clock) as rounds:
        began = time.monotonic()
        rounds.run()
        busy_s = time.monotonic() - began
    assert len(account.units) == 8
    worked_s = sum(unit.duration_s for unit in account.units)
    # What it did in between counts as well.
    assert 4 * worked_s <= stop.asked_s <= 4 * busy_s


def test_it_stops_between_units(postgres_dsn: str) -> None:
    declare(postgres_dsn, LAYOUT)
    frames = [frame for hour in range(5) for frame in polls(100, HOUR - hour * HOUR_US)]
    put(postgres_dsn, frames)
    stop, said = threading.Event(), Account()

    def say(message: Message) -> None:
        said.messages.append(message)
        if len(said.units) == 2:
            stop.set()

    with Rounds(postgres_dsn, settings(), say, stop, patient=False, clock=Clock()) as rounds:
        rounds.run()
    assert (len(said.units), said.rounds[0].waiting) == (2, 3)
    # The oldest that is left ended two hours and ten minutes ago, and was to wait five.
    assert said.rounds[0].lag_s == 2 * 3600 + 600 - 300
    assert stored(postgres_dsn) == expected(frames)
