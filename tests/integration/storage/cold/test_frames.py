from __future__ import annotations

import math
import random

import numpy as np
import pytest

from mtd.core.errors import Bug
from mtd.storage.cold import frames
from tests.integration.storage.cold.kit import (
    DEVICE,
    HOUR,
    HOUR_US,
    OTHER_DEVICE,
    TENANT,
    connected,
    declare,
    insert,
    prepare,
)

NAMES = [("iface.rx_bytes_total", "*1"), ("iface.rx_bytes_total", "*2")]


def test_values_are_read_as_they_are(postgres_dsn: str) -> None:
    with connected(postgres_dsn) as connection:
        prepare(connection)
        rows = [
            (HOUR + 2_000_001, [2**63 - 1, None], [-0.0, math.inf, None]),
            (HOUR, [-(2**63), 0], [5e-324, 1.5, -math.inf]),
            (HOUR + 1_000_000, [None, None], [None, None, None]),
            (HOUR + 3_600_000_000 - 1, [1, 2**53 + 1], [1e308, 0.1, 7.0]),
        ]
        for number, (us, counters, gauges) in enumerate(rows):
            insert(connection, us, counters, gauges, seq=number)
        insert(connection, HOUR, [9, 9], [9, 9, 9], device=OTHER_DEVICE)
        (run,) = frames.read_unit(connection, DEVICE, HOUR)
        expected = sorted((us, number) for number, (us, _, _) in enumerate(rows))
        assert (run.layout_id, run.tenant_id) == (1, TENANT)
        assert list(zip(run.us.tolist(), run.seq.tolist(), strict=True)) == expected
        for position, (_, number) in enumerate(expected):
            _, counters, gauges = rows[number]
            assert run.counters_absent is not None
            found = [
                None if absent else int(value)
                for value, absent in zip(run.counters[position], run.counters_absent[position], strict=True)
            ]
            assert found == counters
            want = np.array([math.nan if value is None else value for value in gauges])
            assert run.gauges[position].view(np.int64)[~np.isnan(want)].tolist() == (
                want.view(np.int64)[~np.isnan(want)].tolist()
            )
            assert (np.isnan(run.gauges[position]) == np.isnan(want)).all()


def test_rows_of_many_shapes_give_what_was_stored(postgres_dsn: str) -> None:
    """Absent values move rows of equal size apart: whatever comes, each value stays in its place."""
    rng = random.Random(4)
    with connected(postgres_dsn) as connection:
        prepare(connection)
        stored = {}
        for seq in range(300):
            some = 0.3 if seq % 3 else 0.0
            counters = [None if rng.random() < some else rng.randrange(-5, 5) for _ in range(5)]
            gauges = [None if rng.random() < some else rng.choice([0.5, 2.0]) for _ in range(3)]
            stored[seq] = (counters, gauges)
            insert(connection, HOUR + rng.randrange(3_600_000_000), counters, gauges, seq=seq)
        (run,) = frames.read_unit(connection, DEVICE, HOUR)
        assert len(run) == 300
        assert (np.diff(run.us) >= 0).all()
        absent = run.counters_absent
        assert absent is not None
        for position, seq in enumerate(run.seq.tolist()):
            counters = [
                None if gone else value
                for value, gone in zip(run.counters[position].tolist(), absent[position], strict=True)
            ]
            gauges = [None if math.isnan(value) else value for value in run.gauges[position].tolist()]
            assert (counters, gauges) == stored[seq]


def test_of_rates_it_is_told_which_are_missing(postgres_dsn: str) -> None:
    rng = random.Random(5)
    with connected(postgres_dsn) as connection:
        prepare(connection)
        for seq in range(50):
            insert(connection, HOUR + seq, [1], [1.0], seq=seq, rates=[1.5, 2.5, 3.5])
        assert [run.rates_absent for run in frames.read_unit(connection, DEVICE, HOUR)] == [None]
        missing = {}
        for seq in range(50, 300):
            some = 0.4 if seq % 3 else 0.0
            rates = [None if rng.random() < some else 1.5 for _ in range(3)]
            counters = [None if rng.random() < some else 7, 8]
            missing[seq] = [rate is None for rate in rates]
            insert(connection, HOUR + rng.randrange(10**6, 10**9), counters, [2.0], seq=seq, rates=rates)
        found = {run.counters.shape[1]: run for run in frames.read_unit(connection, DEVICE, HOUR)}
        assert found[1].rates_absent is None
        run = found[2]
        assert run.rates_absent is not None
        assert dict(zip(run.seq.tolist(), run.rates_absent.tolist(), strict=True)) == missing
        assert run.counters[:, 1].tolist() == [8] * 250
        assert run.gauges.tolist() == [[2.0]] * 250


def test_an_empty_hour_has_no_frames(postgres_dsn: str) -> None:
    with connected(postgres_dsn) as connection:
        prepare(connection)
        assert frames.read_unit(connection, DEVICE, HOUR) == []
        assert frames.closed_hours(connection, HOUR + 10 * HOUR_US) == []
        assert frames.devices_in(connection, HOUR) == []


def test_layouts_and_poll_groups_are_told_apart(postgres_dsn: str) -> None:
    with connected(postgres_dsn) as connection:
        prepare(connection)
        declare(connection, 1, NAMES, [("system.cpu.load_pct", "")])
        declare(connection, 2, NAMES[:1], [])
        declare(connection, 3, [], [("system.memory.free_bytes", "")], "t1")
        insert(connection, HOUR, [1, 2], [3.0])
        insert(connection, HOUR + 1, [4], [], layout_id=2)
        insert(connection, HOUR + 2, [], [5.0], layout_id=3)
        insert(connection, HOUR + 3, [], [], layout_id=4)  # was never declared
        assert {run.layout_id for run in frames.read_unit(connection, DEVICE, HOUR)} == {1, 2, 3, 4}
        assert {run.layout_id for run in frames.read_unit(connection, DEVICE, HOUR, "t0")} == {1, 2}
        found = frames.layouts(connection, [(TENANT, number) for number in (1, 2, 3, 4)])
        assert found[TENANT, 1] == frames.StoredLayout("t0", tuple(NAMES), (("system.cpu.load_pct", ""),))
        assert found[TENANT, 3] == frames.StoredLayout("t1", (), (("system.memory.free_bytes", ""),))
        assert (TENANT, 4) not in found


def test_hours_and_devices_that_wait(postgres_dsn: str) -> None:
    with connected(postgres_dsn) as connection:
        prepare(connection, HOUR, HOUR + HOUR_US, HOUR + 5 * HOUR_US)
        insert(connection, HOUR + HOUR_US, [], [], device=OTHER_DEVICE)
        for n in range(50):
            insert(connection, HOUR + n, [], [])
        insert(connection, HOUR, [], [], device=OTHER_DEVICE)
        insert(connection, HOUR + 5 * HOUR_US, [], [])
        assert frames.closed_hours(connection, HOUR + 5 * HOUR_US) == [HOUR, HOUR + HOUR_US]
        assert frames.closed_hours(connection, HOUR + 2 * HOUR_US - 1) == [HOUR]
        assert frames.devices_in(connection, HOUR) == [(TENANT, DEVICE), (TENANT, OTHER_DEVICE)]
        assert frames.devices_in(connection, HOUR + HOUR_US) == [(TENANT, OTHER_DEVICE)]


def test_what_came_after_the_reading_stays(postgres_dsn: str) -> None:
    with connected(postgres_dsn) as connection, connected(postgres_dsn) as other:
        prepare(connection)
        insert(connection, HOUR, [1], [])
        insert(connection, HOUR + 1, [2], [], layout_id=2)
        with connection.transaction():
            assert len(frames.read_unit(connection, DEVICE, HOUR)) == 2
            insert(other, HOUR + 2, [3], [])
            assert frames.delete_unit(connection, DEVICE, HOUR, [1]) == 1
            assert frames.delete_unit(connection, DEVICE, HOUR) == 1
        (left,) = frames.read_unit(connection, DEVICE, HOUR)
        assert left.counters.tolist() == [[3]]
        with pytest.raises(Bug):
            frames.delete_unit(connection, DEVICE, HOUR)
