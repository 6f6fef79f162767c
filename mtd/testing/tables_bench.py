"""``scripts/bench tables``: a table of very many rows, of which a few come and go.

What it costs to keep such a table: how long the daemon's loop is held, what is
written to PostgreSQL, processor and memory. And whether it is right: what is stored
is compared with who was there by the lab's truth.
"""

from __future__ import annotations

import json
import os
import platform
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from mtd.lab.world import World
from mtd.testing.end_to_end import postmaster_pid
from mtd.testing.harness import HarnessFailed, Stage, memory_of, usage_of
from mtd.testing.subscribers import TABLE

Say = Callable[[str], None]

MOST_BLOCKED_MS = 10.0
MOST_GROWTH_SHARE = 0.25
_FIRST_READ_TIMEOUT_S = 120.0
_READ_TIMEOUT_S = 60.0
_SETTLED_SHARE = 0.4  # of an interval; PostgreSQL counts rows a second late
_ROUTER = "bng-1"
_POLLS = 'mtd_scheduler_polls_total{tier="t1"}'


@dataclass(frozen=True, slots=True)
class TablesPlan:
    """What to run."""

    rows: int = 20_000
    churn_pct: float = 1.0
    interval_s: float = 10.0
    cycles: int = 12
    version: str = "7.16.2"
    subscribers: str = "hashed"


@dataclass(frozen=True, slots=True)
class _Account:
    """What was used and done so far."""

    at: float
    polls: int
    state_rows: int
    event_rows: int
    daemon_cpu_s: float
    postgresql_cpu_s: float
    memory_mb: float

    @classmethod
    def of(cls, stage: Stage, connection: psycopg.Connection[Any]) -> _Account:
        assert stage.daemon is not None
        postmaster = postmaster_pid(stage)
        return cls(
            time.monotonic(),
            _metric(stage, _POLLS),
            _written(connection, "state_row"),
            _written(connection, "event"),
            usage_of(stage.daemon.pid, without=[postmaster]).cpu_s,
            usage_of(postmaster).cpu_s,
            memory_of(stage.daemon.pid) / 1e6,
        )


@contextmanager
def running_tables(folder: Path, plan: TablesPlan, say: Say) -> Iterator[Stage]:
    """Run a lab with one concentrator, and the daemon that is to read it."""
    scenario = folder / "tables.toml"
    scenario.write_text(
        f'[[router]]\nname = "{_ROUTER}"\nversion = "{plan.version}"\ninterfaces = 10\n'
        f"sessions = {plan.rows}\nchurn_pct = {plan.churn_pct}\nchurn_every_s = {plan.interval_s}\n"
    )
    settings: dict[str, dict[str, Any]] = {
        "scheduler.intervals_s": {"t1": plan.interval_s},
        "privacy": {"subscribers": plan.subscribers},
    }
    with Stage(folder, settings=settings) as stage:
        say("starting the lab's concentrator")
        stage.start_lab("--scenario", str(scenario))
        say("starting the daemon with its own PostgreSQL")
        seen = str(_seen_path(stage))
        stage.start_daemon(arguments=("-m", "mtd.testing.tables_daemon", str(stage.config_path), seen))
        yield stage


def measure_tables(stage: Stage, plan: TablesPlan, say: Say) -> dict[str, Any]:
    """Let the daemon read the table again and again; return the figures."""
    began = time.monotonic()
    stage.add_devices(stage.lab_state()["endpoints"])
    with psycopg.connect(stage.dsn(), autocommit=True) as connection:
        _wait_for_first_read(stage, connection, plan.rows, say)
        first_read_s = time.monotonic() - began
        _settled(stage, plan, _metric(stage, _POLLS) + 1, say, "letting the first read settle")
        before = _Account.of(stage, connection)
        memory = [before.memory_mb]
        for cycle in range(1, plan.cycles + 1):
            _settled(stage, plan, before.polls + cycle, say, f"cycle {cycle} of {plan.cycles}")
            memory.append(memory_of(_pid(stage)) / 1e6)
        after = _Account.of(stage, connection)
        wrong = _compare(connection, stage)
    say("stopping the daemon, to hear of its heartbeat")
    _stop(stage)
    late = json.loads(_seen_path(stage).read_text())["late"]
    return _figures(plan, before, after, memory, late, began, first_read_s) | wrong


def judge(figures: dict[str, Any], plan: TablesPlan) -> list[str]:
    """Return what is worse than it has to be."""
    problems = []
    if figures["reactor_blocked_max_ms"] > MOST_BLOCKED_MS:
        problems.append(f"the loop was held for {figures['reactor_blocked_max_ms']} ms")
    if figures["rows_written_per_cycle"] > 1.1 * figures["changes_per_cycle"] + 1:
        problems.append(f"{figures['rows_written_per_cycle']} rows are written per cycle")
    start, end = figures["memory_mb"]["start"], figures["memory_mb"]["end"]
    if plan.cycles > 1 and end > start * (1 + MOST_GROWTH_SHARE):
        problems.append(f"memory grew from {start} to {end} MB")
    if not figures["table_is_right"]:
        problems.append("what is stored isn't what the lab has")
    return problems


def _figures(
    plan: TablesPlan,
    before: _Account,
    after: _Account,
    memory: Sequence[float],
    late: Sequence[Sequence[float]],
    began: float,
    first_read_s: float,
) -> dict[str, Any]:
    cycles = after.polls - before.polls
    if cycles <= 0:
        raise HarnessFailed("the table was not read again: see daemon.log")
    first = [beat for beat in late if began <= beat[0] < before.at]
    steady = [beat for beat in late if before.at <= beat[0] <= after.at]
    held = _blocked([*first, *steady])
    return {
        "rows": plan.rows,
        "cycles": cycles,
        "changes_per_cycle": 2 * round(plan.rows * plan.churn_pct / 100),
        "rows_written_per_cycle": round((after.state_rows - before.state_rows) / cycles, 1),
        "events_written_per_cycle": round((after.event_rows - before.event_rows) / cycles, 1),
        "reactor_blocked_max_ms": held["cpu_max_ms"],
        "heartbeat": {"first_read": _blocked(first), "cycles": _blocked(steady)},
        "first_read_s": round(first_read_s, 1),
        "cycle_cpu_ms": round((after.daemon_cpu_s - before.daemon_cpu_s) * 1e3 / cycles, 1),
        "cycle_postgresql_cpu_ms": round(
            (after.postgresql_cpu_s - before.postgresql_cpu_s) * 1e3 / cycles, 1
        ),
        "memory_mb": {
            "start": round(memory[0], 1),
            "end": round(memory[-1], 1),
            "max": round(max(memory), 1),
        },
        "subscribers": plan.subscribers,
        "machine": {
            "cores": os.cpu_count(),
            "load": round(os.getloadavg()[0], 1),
            "python": platform.python_version(),
        },
    }


def _blocked(beats: Sequence[Sequence[float]]) -> dict[str, Any]:
    """Return how long the loop was held at most: by the clock, and on the processor."""
    by_clock = sorted((beat[1] for beat in beats), reverse=True)
    return {
        "max_ms": by_clock[0] if by_clock else 0.0,
        "cpu_max_ms": max((beat[2] for beat in beats), default=0.0),
        "over_10_ms": sum(1 for late in by_clock if late > MOST_BLOCKED_MS),
    }


def _compare(connection: psycopg.Connection[Any], stage: Stage) -> dict[str, Any]:
    """Return whether the stored rows are those of one moment of the last while."""
    world = World.from_state_file(stage.lab_state_path)
    people = world.router(_ROUTER).subscribers
    found = connection.execute(
        "SELECT row_key, fields FROM mtd.state_row WHERE table_name = %s", (TABLE,)
    ).fetchall()
    keys = {key for key, _ in found}
    now = world.clock.now_tick()
    step = people.session_churn.step_ticks
    names: set[str] = set()
    right = False
    for back in range(4):
        there = people.sessions(now - back * step)
        if {one.id for one in there} == keys:
            names, right = {one.name for one in there}, True
            break
    told = {fields["name"] for _, fields in found}
    return {"table_is_right": right, "names_stored": len(names & told)}


def _wait_for_first_read(stage: Stage, connection: psycopg.Connection[Any], rows: int, say: Say) -> None:
    deadline = time.monotonic() + _FIRST_READ_TIMEOUT_S
    while True:
        row = connection.execute(
            "SELECT count(*) FROM mtd.state_row WHERE table_name = %s", (TABLE,)
        ).fetchone()
        found = int(row[0]) if row else 0
        if found >= rows:
            return
        if time.monotonic() > deadline:
            raise HarnessFailed(f"only {found} of {rows} rows came in {_FIRST_READ_TIMEOUT_S:.0f} s")
        _sleep(0.2, stage, say, f"{found} of {rows} rows are stored")


def _written(connection: psycopg.Connection[Any], table: str) -> int:
    """Return how many rows were inserted, updated and deleted, in all partitions."""
    row = connection.execute(
        "SELECT coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0) FROM pg_stat_user_tables"
        " WHERE schemaname = 'mtd' AND relname ~ %s",
        (f"^{table}(_[0-9p].*)?$",),
    ).fetchone()
    return int(row[0]) if row else 0


def _metric(stage: Stage, name: str) -> int:
    for line in stage.http("/metrics").splitlines():
        if line.startswith(name + " "):
            return int(float(line.rpartition(" ")[2]))
    return 0


def _settled(stage: Stage, plan: TablesPlan, polls: int, say: Say, text: str) -> None:
    """Wait for a read, and then until what it brought is surely written and counted: far from the next."""
    deadline = time.monotonic() + 3 * plan.interval_s + _READ_TIMEOUT_S
    while _metric(stage, _POLLS) < polls:
        if time.monotonic() > deadline:
            raise HarnessFailed("the table isn't read any more: see daemon.log")
        _sleep(plan.interval_s / 10, stage, say, text)  # asking costs the daemon, too
    _sleep(plan.interval_s * _SETTLED_SHARE, stage, say, text)


def _sleep(seconds: float, stage: Stage, say: Say, text: str) -> None:
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        for process in (stage.lab, stage.daemon):
            if process is not None:
                process.check()
        say(text)
        time.sleep(min(1.0, left))  # noqa: TID251 - a script's own wait, no reactor here


def _pid(stage: Stage) -> int:
    assert stage.daemon is not None
    return stage.daemon.pid


def _stop(stage: Stage) -> None:
    assert stage.daemon is not None
    os.kill(stage.daemon.pid, signal.SIGTERM)
    stage.daemon.stop()


def _seen_path(stage: Stage) -> Path:
    return stage.folder / "heartbeat.json"
