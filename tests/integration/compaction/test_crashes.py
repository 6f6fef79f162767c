"""The worker, or PostgreSQL, is killed at each step: nothing is lost, and nothing is there twice."""

from __future__ import annotations

import datetime as dt
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from mtd.storage import schema
from mtd.storage.embedded import EmbeddedPostgres
from mtd.storage.embedded.databases import create_database
from mtd.storage.partitioned import DAY_US, HOUR_US
from mtd.testing.postgres import quick_config, server_folder
from tests.integration.compaction import dying
from tests.integration.compaction.kit import (
    HOUR,
    LAYOUT,
    NOW,
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
    stored,
    sums,
)
from tests.integration.compaction.naive import check_rollups

PAUSE = threading.Event()
LATE_STEPS = {"axis replaced", "blocks deleted", "rollups replaced", "later hour computed"}
LONG_AGO = HOUR - HOUR % DAY_US - 3 * DAY_US


def die(dsn: str, step: str, postmaster: int | None = None, dense_after_days: int = 0) -> int:
    """Do a round in a process that dies, or kills, at a step; return how it ended."""
    done = subprocess.run(
        [sys.executable, dying.__file__, step, *([] if postmaster is None else [str(postmaster)])],
        input=f"{dsn}|{NOW}|{dense_after_days}".encode(),
        stderr=subprocess.PIPE,
        timeout=60,
        check=False,
    )
    if postmaster is None:
        assert not done.stderr, done.stderr
    else:
        assert b"mtd.storage.errors.StorageUnavailable" in done.stderr, (done.returncode, done.stderr)
    return done.returncode


def wait_for_its_end(dsn: str) -> None:
    """Wait until PostgreSQL has noticed that the worker is gone."""
    deadline = time.monotonic() + 20
    while ask(dsn, "SELECT 1 FROM pg_stat_activity WHERE application_name = 'mtd storage compact'"):
        assert time.monotonic() < deadline
        PAUSE.wait(0.02)


def check_after(dsn: str, frames: list[Frame]) -> None:
    """Count and sum of each series are as before, and again after another round; then all is in blocks."""
    assert stored(dsn) == expected(frames)
    before = sums(stored(dsn))
    account = compact(dsn)
    assert not account.failed
    assert not account.trouble
    assert sums(stored(dsn)) == before
    assert cold(dsn) == expected(frames)
    assert frame_partitions(dsn) == []


@pytest.mark.parametrize(
    "step",
    [
        "prepared",
        "frames read",
        "stored hour read",
        "encoded",
        "verified",
        "axis written",
        "blocks written",
        "rollups written",
        "frames deleted",
        "committed",
        "detached",
        "put back",
    ],
)
def test_the_worker_dies_in_a_new_hour(postgres_dsn: str, step: str) -> None:
    declare(postgres_dsn, LAYOUT)
    frames = polls(50, HOUR - HOUR_US) + polls(50, HOUR, begin=10**6)
    put(postgres_dsn, frames)
    assert die(postgres_dsn, step) == -signal.SIGKILL
    wait_for_its_end(postgres_dsn)
    if step == "detached":
        assert any("_" in name for name in frame_partitions(postgres_dsn))
    check_after(postgres_dsn, frames)
    check_rollups(postgres_dsn)


@pytest.mark.parametrize("step", sorted(LATE_STEPS))
def test_the_worker_dies_while_it_merges(postgres_dsn: str, step: str) -> None:
    declare(postgres_dsn, LAYOUT)
    first, last = polls(50, HOUR - HOUR_US), polls(50, HOUR, begin=10**6)
    put(postgres_dsn, first[:30] + last)
    compact(postgres_dsn)
    put(postgres_dsn, first[30:])
    assert die(postgres_dsn, step) == -signal.SIGKILL
    wait_for_its_end(postgres_dsn)
    check_after(postgres_dsn, first + last)
    check_rollups(postgres_dsn)


@pytest.mark.parametrize("step", ["day rows deleted", "day rows written", "recoded", "recoded day settled"])
def test_the_worker_dies_with_finished_days(postgres_dsn: str, step: str) -> None:
    declare(postgres_dsn, LAYOUT)
    frames = [
        frame
        for hour in (0, 1, 5)
        for frame in polls(30, LONG_AGO + hour * HOUR_US, 60 * S, begin=hour * 10**6)
    ]
    put(postgres_dsn, frames)
    compact(postgres_dsn, now_us=LONG_AGO + DAY_US)  # days are not merged yet
    assert die(postgres_dsn, step, dense_after_days=1) == -signal.SIGKILL
    wait_for_its_end(postgres_dsn)
    check_after(postgres_dsn, frames)
    check_rollups(postgres_dsn, 60_000)


def test_what_an_operator_detaches_is_left_to_him(postgres_dsn: str) -> None:
    """Half way, while a reader of before is in the way, and for good."""
    declare(postgres_dsn, LAYOUT)
    put(postgres_dsn, polls(50))
    (name,) = frame_partitions(postgres_dsn)
    with psycopg.connect(postgres_dsn) as reader, psycopg.connect(postgres_dsn, autocommit=True) as other:
        reader.execute("SELECT count(*) FROM mtd.telemetry_frame")
        other.execute("SET lock_timeout = '100ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            other.execute(f"ALTER TABLE mtd.telemetry_frame DETACH PARTITION mtd.{name} CONCURRENTLY")
    assert ask(postgres_dsn, "SELECT 1 FROM pg_inherits WHERE inhdetachpending")
    assert not compact(postgres_dsn).trouble
    ask(postgres_dsn, f"ALTER TABLE telemetry_frame DETACH PARTITION {name} FINALIZE")
    assert not compact(postgres_dsn).trouble
    assert cold(postgres_dsn) == {}
    assert frame_partitions(postgres_dsn) == [name]
    assert ask(postgres_dsn, f"SELECT count(*) FROM {name}") == [(50,)]


def test_frames_that_slip_in_while_an_hour_is_detached(postgres_dsn: str) -> None:
    declare(postgres_dsn, LAYOUT)
    frames, late = polls(50), polls(20, HOUR + 100 * S, begin=5)
    put(postgres_dsn, frames)
    assert die(postgres_dsn, "detached") == -signal.SIGKILL
    wait_for_its_end(postgres_dsn)
    (left,) = frame_partitions(postgres_dsn)
    # As if they had been committed just before it was detached.
    put(postgres_dsn, polls(1, HOUR - 5 * HOUR_US))
    ask(postgres_dsn, "DELETE FROM telemetry_frame")
    ask(
        postgres_dsn,
        f"ALTER TABLE telemetry_frame ATTACH PARTITION {left} FOR VALUES FROM ('{utc(HOUR)}') TO ('{utc(HOUR + HOUR_US)}')",
    )
    put(postgres_dsn, late)
    ask(postgres_dsn, f"ALTER TABLE telemetry_frame DETACH PARTITION {left}")
    account = compact(postgres_dsn)
    assert not account.trouble
    assert cold(postgres_dsn) == expected(frames + late)
    assert frame_partitions(postgres_dsn) == []


def utc(us: int) -> str:
    return dt.datetime.fromtimestamp(us / S, dt.UTC).isoformat()


@pytest.fixture(scope="module")
def mortal() -> Iterator[Path]:
    """A folder for a server that is killed."""
    with server_folder() as folder:
        yield folder


@pytest.mark.parametrize(
    "step", ["blocks written", "rollups written", "frames deleted", "committed", "detached"]
)
def test_postgresql_dies(mortal: Path, step: str) -> None:
    name = "t_" + step.replace(" ", "_")
    server = EmbeddedPostgres(mortal, quick_config(durable=True))
    server.start_blocking()
    frames = polls(50, HOUR - HOUR_US) + polls(50, HOUR, begin=10**6)
    try:
        create_database(server.dsn_of("postgres"), name)
        schema.migrate_blocking(server.dsn_of(name))
        declare(server.dsn_of(name), LAYOUT)
        put(server.dsn_of(name), frames)
        assert die(server.dsn_of(name), step, server.pid) == 1
        with pytest.raises(psycopg.OperationalError):
            ask(server.dsn_of(name), "SELECT")
    finally:
        server.stop_blocking()
    server = EmbeddedPostgres(mortal, quick_config(durable=True))
    server.start_blocking()
    try:
        check_after(server.dsn_of(name), frames)
        check_rollups(server.dsn_of(name))
    finally:
        server.stop_blocking()


def test_all_steps_are_tried() -> None:
    tests = (
        test_the_worker_dies_in_a_new_hour,
        test_the_worker_dies_while_it_merges,
        test_the_worker_dies_with_finished_days,
    )
    tried = {step for test in tests for mark in test.pytestmark for step in mark.args[1]}  # type: ignore[attr-defined]
    assert tried == set(dying.STEPS)
