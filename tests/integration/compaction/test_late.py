"""What comes late, or again: merged into what is there, each poll once."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from mtd.compaction import store
from mtd.compaction.messages import UnitDone
from mtd.compaction.store import Unit, UnitStore
from mtd.compaction.unit import UnitCompactor
from mtd.model.layout import Layout, Series
from mtd.model.metric import Lane
from mtd.storage.cold.connection import ColdConnection
from mtd.storage.partitioned import HOUR_US
from tests.integration.compaction.kit import (
    CPU,
    HOUR,
    LAYOUT,
    ONE_PORT,
    TENANT,
    Account,
    Clock,
    Frame,
    S,
    ask,
    cold,
    compact,
    declare,
    expected,
    frame_partitions,
    polls,
    put,
    settings,
)
from tests.integration.compaction.naive import check_rollups

TWO_DAYS = 48 * HOUR_US


def test_an_edge_that_was_cut_off_for_two_days(postgres_dsn: str) -> None:
    declare(postgres_dsn, LAYOUT)
    # A poll a minute in each hour of two days and more; what lies between was not sent.
    hours = [polls(60, HOUR - n * HOUR_US, 60 * S, begin=10**7 * (60 - n)) for n in range(50)]
    away = [frame for hour in hours[2:48] for frame in hour]
    here = [frame for hour in (hours[0], hours[1], hours[48], hours[49]) for frame in hour]
    put(postgres_dsn, here)
    assert not compact(postgres_dsn).failed
    assert frame_partitions(postgres_dsn) == []
    check_rollups(postgres_dsn, 60_000)

    # A part of an hour first, then all the rest.
    put(postgres_dsn, away[:90])
    compact(postgres_dsn)
    put(postgres_dsn, away[90:])
    account = compact(postgres_dsn)

    assert {unit.kind for unit in account.units} == {"new", "late"}
    assert cold(postgres_dsn) == expected(here + away)
    assert frame_partitions(postgres_dsn) == []
    assert check_rollups(postgres_dsn, 60_000) > 1000


def test_late_polls_between_those_that_are_stored(postgres_dsn: str) -> None:
    declare(postgres_dsn, LAYOUT, ONE_PORT)
    frames = polls(300)
    for n in range(100, 120):
        frames[n] = Frame(frames[n].us, frames[n].counters[:1], frames[n].gauges, ONE_PORT, seq=n)
    random.Random(4).shuffle(frames)
    for part in (frames[:120], frames[120:121], frames[121:]):
        put(postgres_dsn, part)
        assert not compact(postgres_dsn).failed
    assert cold(postgres_dsn) == expected(frames)
    check_rollups(postgres_dsn)


def test_a_series_that_only_late_frames_have(postgres_dsn: str) -> None:
    declare(postgres_dsn, LAYOUT, ONE_PORT)
    frames = [Frame(one.us, one.counters[:1], one.gauges, ONE_PORT, seq=one.seq) for one in polls(50)]
    late = polls(20, HOUR + 100 * S)
    put(postgres_dsn, frames)
    compact(postgres_dsn)
    put(postgres_dsn, late)
    account = compact(postgres_dsn)
    assert account.units[0].points == 20 * 3 + 4
    assert cold(postgres_dsn) == expected(frames + late)


def test_replays_of_a_whole_hour_and_of_a_part(postgres_dsn: str) -> None:
    declare(postgres_dsn, LAYOUT)
    frames = polls(200)
    put(postgres_dsn, frames)
    compact(postgres_dsn)
    before = ask(postgres_dsn, "SELECT xmin, ctid, * FROM telemetry_block ORDER BY series_id")

    put(postgres_dsn, frames)
    account = compact(postgres_dsn)
    assert [(unit.kind, unit.repeated, unit.points) for unit in account.units] == [("repeat", 200, 0)]
    assert ask(postgres_dsn, "SELECT xmin, ctid, * FROM telemetry_block ORDER BY series_id") == before

    more = polls(10, HOUR + 500 * S, begin=77)
    put(postgres_dsn, frames[:50] + frames[:50] + more)
    account = compact(postgres_dsn)
    assert [(unit.kind, unit.repeated) for unit in account.units] == [("late", 100)]
    assert account.units[0].points == sum(map(len, expected(more).values()))
    assert cold(postgres_dsn) == expected(frames + more)
    assert frame_partitions(postgres_dsn) == []
    check_rollups(postgres_dsn)


def test_replays_before_the_first_compaction(postgres_dsn: str) -> None:
    declare(postgres_dsn, LAYOUT)
    frames = polls(100)
    put(postgres_dsn, frames)
    put(postgres_dsn, frames, log="00000000-0000-0000-0000-00000000000a")
    account = compact(postgres_dsn)
    assert (account.units[0].frames, account.units[0].repeated, account.units[0].polls) == (200, 100, 100)
    assert cold(postgres_dsn) == expected(frames)


def test_a_replay_that_differs_is_kept(postgres_dsn: str) -> None:
    declare(postgres_dsn, LAYOUT)
    frames = polls(10)
    changed = [Frame(one.us, one.counters, [9.5, 1.0], seq=one.seq + 1000) for one in frames]
    put(postgres_dsn, frames)
    compact(postgres_dsn)
    put(postgres_dsn, changed)
    compact(postgres_dsn)
    assert ask(postgres_dsn, "SELECT polls FROM telemetry_axis") == [(20,)]
    assert cold(postgres_dsn) == expected(frames + changed)


def test_late_frames_wait_for_others(postgres_dsn: str) -> None:
    import threading

    from mtd.compaction.rounds import Rounds

    declare(postgres_dsn, LAYOUT)
    frames = polls(100)
    put(postgres_dsn, frames[:50])
    account, clock = Account(), Clock()
    with Rounds(
        postgres_dsn,
        settings(cpu_share=1, late_wait_s=120),
        account.messages.append,
        threading.Event(),
        clock=clock,
    ) as rounds:
        rounds.run()
        assert len(account.units) == 1
        put(postgres_dsn, frames[50:60])
        rounds.run()
        clock.now += 60 * S
        put(postgres_dsn, frames[60:])
        rounds.run()
        assert len(account.units) == 1
        assert account.rounds[-1].waiting == 1
        assert account.rounds[-1].lag_s == 60
        clock.now += 60 * S
        rounds.run()
    assert [(unit.kind, unit.frames) for unit in account.units] == [("new", 50), ("late", 50)]
    assert account.rounds[-1].lag_s == 0
    assert cold(postgres_dsn) == expected(frames)


def test_what_an_hour_begins_with_changes_with_the_hour_before(postgres_dsn: str) -> None:
    declare(postgres_dsn, LAYOUT, ONE_PORT)
    first = polls(3600, HOUR - 2 * HOUR_US, jitter=1)[3500:]
    second = polls(40, HOUR - HOUR_US, begin=10**9, jitter=1)
    # The second port is away for an hour: its first interval there begins two hours before.
    second = [Frame(one.us, one.counters[:1], one.gauges, ONE_PORT, seq=one.seq) for one in second]
    third = polls(100, HOUR, begin=2 * 10**9, jitter=1)
    put(postgres_dsn, third)
    compact(postgres_dsn)
    put(postgres_dsn, second)
    compact(postgres_dsn)
    put(postgres_dsn, first[:-1])
    compact(postgres_dsn)
    check_rollups(postgres_dsn)
    put(postgres_dsn, first[-1:])
    compact(postgres_dsn)
    assert check_rollups(postgres_dsn)
    assert cold(postgres_dsn) == expected(first + second + third)


def test_a_layout_that_is_declared_meanwhile(postgres_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the round looked at what is due, and before it reads: the same attempt takes it in."""
    few = Layout.of("t0", (Series("iface.rx_errors", "*1", Lane.COUNTER), CPU))
    declare(postgres_dsn, LAYOUT)
    frames = polls(50)
    late = [Frame(HOUR + (100 + n) * S, [n], [0.5], few, seq=1000 + n) for n in range(3)]
    put(postgres_dsn, frames)
    compact_unit = UnitCompactor.compact

    def compact_later(self: UnitCompactor, unit: Unit, *, dense: bool) -> UnitDone | None:
        if not ask(postgres_dsn, "SELECT FROM series_layout WHERE layout_id = %s", few.layout_id):
            declare(postgres_dsn, few)
            put(postgres_dsn, late)
        return compact_unit(self, unit, dense=dense)

    monkeypatch.setattr(UnitCompactor, "compact", compact_later)
    account = compact(postgres_dsn)
    assert not account.failed
    assert len(account.units) == 1
    assert cold(postgres_dsn) == expected([*frames, *late])


def test_layouts_are_not_remembered_for_good(postgres_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "_MOST_LAYOUTS", 3)
    layouts = [Layout.of(f"t{n % 4}", (Series(f"one.{n}", "", Lane.GAUGE),)) for n in range(10)]
    declare(postgres_dsn, *layouts)
    with ColdConnection(postgres_dsn) as connection:
        units = UnitStore(connection)
        for one, other in pairwise(layouts):
            keys = [(TENANT, one.layout_id), (TENANT, other.layout_id)]
            assert set(units.layouts(keys)) == set(keys)
            assert len(units._layouts) <= 5
