"""The whole way measured: lab routers → daemon → log → PostgreSQL → gRPC.

``scripts/demo`` shows it to a newcomer, ``scripts/bench end2end`` loads it.
Both print the same figures, taken from outside of the daemon.
"""

from __future__ import annotations

import contextlib
import math
import os
import platform
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from mtd.lab.world import World
from mtd.testing.ages import AgeFigures, SqlAges, StreamAges
from mtd.testing.edges.beside import hub_settings, know_the_hub, running_edges
from mtd.testing.harness import HarnessFailed, Stage, usage_of
from mtd.testing.stored import count_stored
from mtd.testing.truth_check import TruthCheck, TruthFigures

Say = Callable[[str], None]

_FIRST_POLLS_TIMEOUT_S = 120.0
_LIVE_TIMEOUT_S = 120.0
_LIVE_AGE_S = 1.5
_LIVE_FOR_S = 5.0
# Time for what was polled last to reach PostgreSQL before it is counted.
_SETTLE_S = 2.0
# Everything that can get lost on the way, by the daemon's own account.
_DROPS = (
    "mtd_ingest_dropped_events_total",
    "mtd_ingest_refused_total",
    "mtd_projections_events_dropped_total",
    "mtd_projections_dead_letters_total",
)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run. ``lab_arguments`` go to ``mtd lab``. With ``edges``, so many collectors poll, and the daemon doesn't."""

    seconds: float
    lab_arguments: tuple[str, ...]
    stream_metrics: tuple[str, ...] = ()
    routers_checked: int = 50
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    device_settings: Mapping[str, Any] = field(default_factory=dict)
    labels_of: Callable[[str], Mapping[str, str]] | None = None
    edges: int = 0


@contextlib.contextmanager
def running_stage(folder: Path, plan: Plan, say: Say) -> Iterator[tuple[Stage, dict[str, Any]]]:
    """Start lab, PostgreSQL and daemon, and put the lab's routers into the inventory."""
    settings = {**plan.settings, **hub_settings()} if plan.edges else plan.settings
    with Stage(folder, settings=settings) as stage, contextlib.ExitStack() as ending:
        say("starting the lab's routers")
        state = stage.start_lab(*plan.lab_arguments)
        say("starting the daemon with its own PostgreSQL")
        stage.start_daemon()
        if plan.edges:
            know_the_hub(stage)
            ending.enter_context(running_edges(stage, plan.edges, say))
        say(f"adding {len(state['endpoints'])} routers to the inventory")
        stage.add_devices(state["endpoints"], plan.labels_of, **plan.device_settings)
        yield stage, state


def wait_for_first_polls(stage: Stage, routers: int, say: Say) -> None:
    """Wait until every router has values in PostgreSQL."""
    deadline = time.monotonic() + _FIRST_POLLS_TIMEOUT_S
    with psycopg.connect(stage.dsn(), autocommit=True) as connection:
        while True:
            row = connection.execute("SELECT count(*) FROM mtd.latest WHERE poll_group = 't0'").fetchone()
            polled = int(row[0]) if row else 0
            if polled >= routers:
                return
            if time.monotonic() > deadline:
                raise HarnessFailed(
                    f"only {polled} of {routers} routers were polled in {_FIRST_POLLS_TIMEOUT_S} s"
                )
            _check_processes(stage)
            say(f"{polled} of {routers} routers polled")
            time.sleep(0.5)  # noqa: TID251 - a script's own wait, no reactor here


def wait_until_live(stage: Stage, say: Say) -> None:
    """Wait until what the start piled up is in PostgreSQL; what is measured is polling, not starting.

    Gives up after a while: a machine that never gets there shows it in the ages.
    """
    deadline = time.monotonic() + _LIVE_TIMEOUT_S
    live_since = None
    with psycopg.connect(stage.dsn(), autocommit=True) as connection:
        while (now := time.monotonic()) < deadline:
            row = connection.execute(
                "SELECT extract(epoch FROM now() - percentile_disc(0.05) WITHIN GROUP (ORDER BY ts_collected))"
                " FROM mtd.latest WHERE poll_group = 't0'"
            ).fetchone()
            if row is None or row[0] is None or float(row[0]) > _LIVE_AGE_S:
                live_since = None
            else:
                live_since = live_since or now
                if now - live_since >= _LIVE_FOR_S:
                    return
            _check_processes(stage)
            say("waiting until the values in PostgreSQL are live")
            time.sleep(0.5)  # noqa: TID251


def measure(stage: Stage, plan: Plan, say: Say) -> dict[str, Any]:
    """Watch a running stage for the plan's time and return the figures."""
    world = World.from_state_file(stage.lab_state_path)
    added = time.monotonic()
    wait_for_first_polls(stage, len(world), say)
    first_polls_s = time.monotonic() - added
    # The reader belongs to the start: it is sent all layouts and names first.
    stream = StreamAges(stage.server, plan.stream_metrics)
    stream.start()
    wait_until_live(stage, say)
    live_s = time.monotonic() - added - _LIVE_FOR_S
    sql = SqlAges(stage.dsn())
    before = accounts(stage)
    skipped_before = stage.metric("mtd_scheduler_polls_skipped_total")
    start_us = time.time_ns() // 1000
    stream.begin_anew()
    sql.start()
    _watch(stage, plan.seconds, say)
    stream.stop()
    sql.stop()
    end_us = time.time_ns() // 1000
    after = accounts(stage)
    time.sleep(_SETTLE_S)  # noqa: TID251
    say("comparing what is stored with the lab's truth")
    figures = _figures(stage, world, plan, start_us, end_us)
    figures |= {
        "skipped": int(stage.metric("mtd_scheduler_polls_skipped_total") - skipped_before),
        "discarded": int(stage.metric("mtd_scheduler_rates_discarded_total")),
        "dropped": int(sum(stage.metric(name) for name in _DROPS)),
        "stream_updates": stream.updates,
    }
    figures |= _age_figures(AgeFigures.of(stream.all_ages()), AgeFigures.of(sql.all_ages()))
    figures["start"] = {
        "adding_s": round(stage.adding_s, 1),
        "first_polls_s": round(first_polls_s, 1),
        "live_s": round(live_s, 1),
    }
    seconds = (end_us - start_us) / 1e6
    figures["processes"] = {
        name: {
            "cpu_pct": round(100 * (after[name].cpu_s - before[name].cpu_s) / seconds, 1),
            "rss_mb": round(after[name].rss_bytes / 1e6, 1),
        }
        for name in after
    }
    figures["machine"] = {"cores": os.cpu_count(), "python": platform.python_version()}
    return figures


def _watch(stage: Stage, seconds: float, say: Say) -> None:
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        _check_processes(stage)
        say(f"measuring, {left:.0f} s to go")
        time.sleep(min(1.0, left))  # noqa: TID251


def _check_processes(stage: Stage) -> None:
    for process in (stage.lab, stage.daemon):
        if process is not None:
            process.check()


def accounts(stage: Stage) -> dict[str, Any]:
    """Return CPU and memory of each process. PostgreSQL is a child of the daemon."""
    assert stage.lab is not None
    assert stage.daemon is not None
    postmaster = postmaster_pid(stage)
    postgres = usage_of(postmaster)
    # The embedded PostgreSQL may be a child of the daemon, or of nobody if it was adopted.
    daemon = usage_of(stage.daemon.pid, without=[postmaster])
    lab = usage_of(stage.lab.pid)
    harness = usage_of(os.getpid(), without=[stage.daemon.pid, stage.lab.pid])
    return {"lab": lab, "daemon": daemon, "postgresql": postgres, "harness": harness}


def postmaster_pid(stage: Stage) -> int:
    """Return the process id of the PostgreSQL that the daemon uses."""
    with psycopg.connect(stage.dsn()) as connection:
        row = connection.execute("SELECT pg_read_file('postmaster.pid')").fetchone()
    assert row is not None
    return int(str(row[0]).splitlines()[0])


def _figures(stage: Stage, world: World, plan: Plan, start_us: int, end_us: int) -> dict[str, Any]:
    with psycopg.connect(stage.dsn()) as connection:
        stored = count_stored(connection, world, start_us, end_us)
        checked = [truth.spec.name for truth in world][: plan.routers_checked]
        truth = TruthCheck(connection, world).run(checked, start_us, end_us)
    return {
        "seconds": round((end_us - start_us) / 1e6, 1),
        "routers": len(world),
        "routers_v6": sum(router.spec.version.startswith("6.") for router in world),
        "routers_v7": sum(router.spec.version.startswith("7.") for router in world),
        "interfaces": sum(router.spec.interfaces for router in world),
        "polls": stored.polls,
        "polls_due": stored.polls_due,
        "points": stored.points,
        "points_due": stored.points_due,
        "coverage_pct": round(stored.coverage_pct, 3),
        "routers_short_of_polls": stored.routers_short,
        **_truth_figures(truth),
    }


def _truth_figures(truth: TruthFigures) -> dict[str, Any]:
    return {
        "frames_checked": truth.frames,
        "counters_checked": truth.counters,
        "counter_errors": truth.counter_errors,
        "cpu_errors": truth.cpu_errors,
        "rate10_error_max_pct": _rounded(truth.rate10_error_max_pct),
        "rate1_error_p99_pct": _rounded(truth.rate1_error_p99_pct),
    }


def _rounded(figure: float) -> float | None:
    """Return a figure for JSON, which knows no NaN: None if nothing was measured."""
    return None if math.isnan(figure) else round(figure, 4)


def _age_figures(stream: AgeFigures, sql: AgeFigures) -> dict[str, Any]:
    """Return the worse of the two views as the figure, and both beside it."""
    return {
        "t0_age_p95_s": _rounded(max(stream.p95_s, sql.p95_s)),
        "t0_age_p99_s": _rounded(max(stream.p99_s, sql.p99_s)),
        "ages": {"grpc": _ages(stream), "sql": _ages(sql)},
    }


def _ages(ages: AgeFigures) -> dict[str, Any]:
    return {
        "p50_s": _rounded(ages.p50_s),
        "p95_s": _rounded(ages.p95_s),
        "p99_s": _rounded(ages.p99_s),
        "max_s": _rounded(ages.max_s),
        "samples": ages.samples,
    }
