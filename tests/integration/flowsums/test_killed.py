"""Workers of two hubs that are killed again and again while blocks come: sums are those of the blocks all the same."""

from __future__ import annotations

import itertools
import json
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from mtd.core.clock import SYSTEM_CLOCK
from mtd.flowsums.messages import BucketFailed, RoundDone, from_line
from tests.integration.flowsums.kit import (
    DEVICE,
    HOUR,
    MINUTE,
    OTHER,
    connect,
    due,
    expected,
    make_partitions,
    octets,
    plain,
    records_of,
    settings,
    store,
)
from tests.unit.flowsums.plain import Record, block_of, told

KILLS = 20
STEPS = ("settle", "replace_sums", "mark_hour") * 2
HOUR_US = SYSTEM_CLOCK.now_us() // HOUR * HOUR - 3 * HOUR  # by the clock of the machine
KEYS = [(device, HOUR_US + minute * MINUTE) for minute in range(3) for device in (DEVICE, OTHER)]
PATIENCE_S = 30


class Nursery:
    """Starts and kills workers."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def start(self, doomed_before: str = "") -> int:
        """Start a worker, which is killed before a step if one is named; return its process id."""
        return self._ask(f"start {doomed_before}")

    def kill(self, pid: int) -> None:
        """Kill a worker, wherever it is; it is gone then."""
        assert self._ask(f"kill {pid}") == pid

    def is_gone(self, pid: int) -> bool:
        """Return whether a worker is gone, of itself; once."""
        return self._ask(f"gone {pid}") == pid

    def _ask(self, line: str) -> int:
        """Send a line; return what is answered."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


@contextmanager
def nursery(dsn: str, said: Path) -> Iterator[Nursery]:
    job = {"dsn": dsn, "settings": settings(interval_s=0.05).model_dump(mode="json", include={"flow_sums"})}
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("nursery.py")), str(said)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    try:
        process.stdin.write(json.dumps(job) + "\n")
        yield Nursery(process)
    finally:
        process.communicate(timeout=PATIENCE_S)


class Writer:
    """Stores blocks as projections do, and knows what was stored."""

    def __init__(self, connection: psycopg.Connection[tuple[object, ...]], chance: random.Random) -> None:
        self._connection = connection
        self._chance = chance
        self._first = itertools.count(step=40)
        self.written: dict[tuple[str, int], list[Record]] = {key: [] for key in KEYS}

    def write(self) -> None:
        """Store blocks of some minutes in one transaction, which fails now and then."""
        chosen = [key for key in KEYS if self._chance.random() < 0.5]
        records = records_of(40, next(self._first))
        for device, us in chosen:
            store(self._connection, us, told(records), block_of(records), device)
        if self._chance.random() < 0.2:
            self._connection.rollback()
            return
        self._connection.commit()
        for key in chosen:
            self.written[key] += records


def wait_until(condition: Callable[[], bool]) -> None:
    ends, moment = time.monotonic() + PATIENCE_S, threading.Event()
    while not condition():
        assert time.monotonic() < ends
        moment.wait(0.02)


def has_ended(pid: int) -> bool:
    """Return whether a process has ended, which its parent may not know yet."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


def test_sums_are_those_of_the_blocks_however_often_workers_are_killed(
    postgres_dsn: str, tmp_path: Path
) -> None:
    chance, moment, said = random.Random(7), threading.Event(), tmp_path / "said"
    make_partitions(postgres_dsn, HOUR_US)
    with connect(postgres_dsn) as connection, nursery(postgres_dsn, said) as workers:
        writer = Writer(connection, chance)
        pids = [workers.start(), workers.start()]
        for n in range(KILLS):
            for _ in range(2):
                writer.write()
                moment.wait(chance.uniform(0, 0.05))
            workers.kill(pids[n % 2])
            pids[n % 2] = workers.start()
        for step in STEPS:
            workers.kill(pids[0])
            pids[0] = workers.start(step)
            while not workers.is_gone(pids[0]):
                # No more until these are summed up: of a minute of which more comes, what was computed is given up.
                writer.write()
                wait_until(lambda: not due(postgres_dsn) or has_ended(pids[0]))
            pids[0] = workers.start()
        wait_until(lambda: not due(postgres_dsn))
    for (device, us), records in writer.written.items():
        assert plain(postgres_dsn, us, device=device) == expected(records), (device, us)
    for device in (DEVICE, OTHER):
        whole = [
            record for (one, _), records in writer.written.items() if one == device for record in records
        ]
        assert plain(postgres_dsn, HOUR_US, "flow_sum_1h", device) == expected(whole)
    assert len(set(octets(postgres_dsn))) == 1
    messages = [from_line(line) for line in said.read_bytes().splitlines() if line.endswith(b"}")]
    assert any(isinstance(one, RoundDone) and one.minutes for one in messages)
    assert [one for one in messages if isinstance(one, BucketFailed)] == []
