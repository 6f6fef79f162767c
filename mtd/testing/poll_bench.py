"""What a poll costs the processor: mtd beside the peer it replaces, and beside a floor.

All contenders poll the same lab routers, in turns, several times over, so that
what else the machine does hits all alike. Each runs in a process of its own,
made anew each time; what is measured is that process's time on the processor.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import psycopg

from mtd.lab.world import World
from mtd.testing.end_to_end import postmaster_pid
from mtd.testing.harness import HarnessFailed, Stage, usage_of
from mtd.testing.mktxp import PROGRAM, Exporter, Target
from mtd.testing.poll_check import wrong_readings
from mtd.testing.poll_contender import LIVE_ONLY, ROUTER_ROWS
from mtd.testing.poll_mktxp import readings_of_page, version_of
from mtd.testing.truth_check import TruthCheck

Say = Callable[[str], None]

WARM_UP_S = 6.0  # the slower tiers have been read once by then
VERSION = "7.16.2"
_CHECKED = 50
_TIMEOUT_S = 120.0
# A scrape of mktxp reads router after router and takes 0.1 s for each: more would only take longer.
_MKTXP_ROUTERS = 50


@dataclass(frozen=True, slots=True)
class PollPlan:
    """What to run. ``polls`` are of each router in each round, one per second."""

    routers: int = 200
    interfaces: int = 30
    rounds: int = 5
    polls: int = 10
    warm_up_s: float = WARM_UP_S
    mktxp: bool = True
    daemon: bool = True


@dataclass(frozen=True, slots=True)
class Turn:
    """One contender's turn: processor time for each poll of a router, and what was found of it."""

    us: float
    router_polls: int
    rows: float  # read for each poll
    checked: int
    postgresql_us: float = 0.0


@contextmanager
def running_lab(folder: Path, plan: PollPlan) -> Iterator[Stage]:
    """Run the lab's routers, all of one version."""
    scenario = folder / "bench.toml"
    scenario.write_text(
        'description = "Healthy routers for a bench."\n'
        f'[fleet]\nrouters = {plan.routers}\ninterfaces = {plan.interfaces}\nversions = ["{VERSION}"]\n'
    )
    with Stage(folder, settings={"scheduler.intervals_s": LIVE_ONLY.model_dump()}) as stage:
        stage.start_lab("--scenario", str(scenario))
        yield stage


def measure_polling(stage: Stage, plan: PollPlan, say: Say) -> dict[str, Any]:
    """Run all rounds and return the figures. Raises HarnessFailed if a contender read anything wrong."""
    contenders: dict[str, Callable[[], Turn]] = {
        "floor": partial(_child, stage, plan, "floor"),
        "mtd_poll": partial(_child, stage, plan, "poll"),
    }
    if plan.daemon:
        contenders["mtd_whole"] = partial(_daemon, stage, plan, say)
    if plan.mktxp:
        contenders["mktxp"] = partial(_mktxp, stage, plan)
        if not PROGRAM.exists():
            raise HarnessFailed("mktxp isn't installed: run scripts/setup_witnesses, or leave it out")
    turns: dict[str, list[Turn]] = {name: [] for name in contenders}
    for number in range(plan.rounds):
        for name, contender in contenders.items():
            say(f"round {number + 1} of {plan.rounds}: {name}")
            turns[name].append(contender())
    return _figures(plan, turns)


def _child(stage: Stage, plan: PollPlan, name: str) -> Turn:
    command = [sys.executable, "-m", "mtd.testing.poll_contender", name, str(stage.lab_state_path)]
    command += [str(plan.warm_up_s), str(plan.polls)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)  # noqa: S603
    if done.returncode:
        raise HarnessFailed(f"{name} failed:\n{done.stderr[-2000:]}")
    told = json.loads(done.stdout.splitlines()[-1])
    _expect(name, plan.routers, told["checked"], told["wrong"])
    rows = told["rows"] / told["router_polls"]
    expected = plan.interfaces + ROUTER_ROWS
    if rows != expected:
        raise HarnessFailed(f"{name} read {rows} rows in a poll instead of {expected}")
    return Turn(told["cpu_us"] / told["router_polls"], told["router_polls"], rows, told["checked"])


def _expect(name: str, routers: int, checked: int, wrong: list[str]) -> None:
    if wrong or checked != routers:
        raise HarnessFailed(
            f"{name}: {checked} of {routers} routers were read, {len(wrong)} wrongly: {wrong[:3]}"
        )


# -- the daemon ---------------------------------------------------------------------


def _daemon(stage: Stage, plan: PollPlan, say: Say) -> Turn:
    first = not stage.data_dir.exists()
    stage.start_daemon()
    assert stage.daemon is not None
    try:
        if first:
            say(f"adding {plan.routers} routers to the daemon's inventory")
            stage.add_devices(stage.lab_state()["endpoints"])
        _wait_until_polled(stage, plan.routers)
        time.sleep(plan.warm_up_s)  # noqa: TID251 - a script's own wait, no reactor here
        postmaster = postmaster_pid(stage)
        daemon, postgres = (
            partial(usage_of, stage.daemon.pid, without=[postmaster]),
            partial(usage_of, postmaster),
        )
        start_us, before, before_pg = time.time_ns() // 1000, daemon().cpu_s, postgres().cpu_s
        time.sleep(plan.polls)  # noqa: TID251
        end_us, used, used_pg = time.time_ns() // 1000, daemon().cpu_s - before, postgres().cpu_s - before_pg
        time.sleep(1.0)  # noqa: TID251 - what was polled last reaches PostgreSQL
        polls, rows, checked = _stored(stage, plan, start_us, end_us)
    finally:
        stage.daemon.stop()
    return Turn(used * 1e6 / polls, polls, rows, checked, used_pg * 1e6 / polls)


def _wait_until_polled(stage: Stage, routers: int) -> None:
    deadline = time.monotonic() + _TIMEOUT_S
    with psycopg.connect(stage.dsn(), autocommit=True) as connection:
        while True:
            row = connection.execute(
                "SELECT count(*) FROM mtd.latest WHERE poll_group = 't0' AND ts_collected > now() - interval '2 s'"
            ).fetchone()
            if row is not None and row[0] >= routers:
                return
            if time.monotonic() > deadline:
                raise HarnessFailed(f"only {row and row[0]} of {routers} routers are polled each second")
            time.sleep(0.5)  # noqa: TID251


def _stored(stage: Stage, plan: PollPlan, start_us: int, end_us: int) -> tuple[int, float, int]:
    """Return the polls that were stored, rows in each, and how many routers were compared with the truth."""
    world = World.from_state_file(stage.lab_state_path)
    with psycopg.connect(stage.dsn()) as connection:
        row = connection.execute(
            "SELECT count(*), avg(cardinality(array_remove(f.counters, NULL)))::float8"
            " FROM mtd.telemetry_frame f JOIN mtd.series_layout s USING (tenant_id, layout_id)"
            " WHERE s.poll_group = 't0'"
            " AND f.ts_collected >= to_timestamp(%s / 1e6) AND f.ts_collected < to_timestamp(%s / 1e6)",
            (start_us, end_us),
        ).fetchone()
        names = [truth.spec.name for truth in world][:_CHECKED]
        truth = TruthCheck(connection, world).run(names, start_us, end_us)
    assert row is not None
    polls, counters = int(row[0]), float(row[1])
    if polls < 0.9 * plan.routers * plan.polls:
        raise HarnessFailed(f"the daemon stored {polls} of {plan.routers * plan.polls} polls")
    if truth.counter_errors or truth.cpu_errors or not truth.frames:
        raise HarnessFailed(f"the daemon stored what is not true: {truth}")
    return polls, counters / 10 + ROUTER_ROWS, len(names)


# -- mktxp --------------------------------------------------------------------------


def _mktxp(stage: Stage, plan: PollPlan) -> Turn:
    endpoints = stage.lab_state()["endpoints"][:_MKTXP_ROUTERS]
    scrapes = max(1, plan.polls // 4)
    with Exporter(stage.folder / "mktxp", map(Target.from_lab, endpoints), reads=("interface",)) as exporter:
        page, started = "", 0
        before = usage_of(exporter.process.pid).cpu_s
        for _ in range(scrapes):
            started = time.time_ns() // 1000
            page = exporter.scrape(_TIMEOUT_S)
        ended = time.time_ns() // 1000
        used = usage_of(exporter.process.pid).cpu_s - before
    world = World.from_state_file(stage.lab_state_path)
    readings = readings_of_page(page, world, started, ended)
    _expect("mktxp", len(endpoints), len(readings), wrong_readings(world, readings))
    # It isn't asked for tracked connections: a row less.
    rows = sum(len(reading.counters) for reading in readings) / len(readings) + ROUTER_ROWS - 1
    return Turn(used * 1e6 / (scrapes * len(endpoints)), scrapes * len(endpoints), rows, len(readings))


# -- figures ------------------------------------------------------------------------


def _figures(plan: PollPlan, turns: Mapping[str, list[Turn]]) -> dict[str, Any]:
    medians = {name: statistics.median(turn.us for turn in some) for name, some in turns.items()}
    figures: dict[str, Any] = {f"{name}_us": round(median, 1) for name, median in medians.items()}
    if "mtd_whole" in turns:
        figures["postgresql_us"] = round(statistics.median(t.postgresql_us for t in turns["mtd_whole"]), 1)
        figures["ratio_whole_vs_floor"] = round(medians["mtd_whole"] / medians["floor"], 2)
    if "mktxp" in turns:
        figures["ratio_vs_mktxp"] = round(medians["mktxp"] / medians["mtd_poll"], 1)
    figures["ratio_vs_floor"] = round(medians["mtd_poll"] / medians["floor"], 2)
    figures["spread_us"] = {
        name: [round(min(t.us for t in some), 1), round(max(t.us for t in some), 1)]
        for name, some in turns.items()
    }
    figures["rounds"] = {
        "count": plan.rounds,
        "polls_per_router": plan.polls,
        "router_polls": {name: sum(t.router_polls for t in some) for name, some in turns.items()},
    }
    figures["agreed"] = {
        "rows_per_poll": {name: some[-1].rows for name, some in turns.items()},
        "routers_checked": {name: min(t.checked for t in some) for name, some in turns.items()},
    }
    figures["lab"] = {"routers": plan.routers, "interfaces": plan.interfaces, "version": VERSION}
    figures["machine"] = {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "load_1min": round(os.getloadavg()[0], 2),
        "mktxp": version_of(PROGRAM) if "mktxp" in turns else None,
    }
    return figures
