"""An outage of PostgreSQL, staged and measured."""

from __future__ import annotations

import contextlib
import os
import platform
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import psycopg

from mtd.storage.config import EmbeddedConfig
from mtd.testing.end_to_end import wait_for_first_polls, wait_until_live
from mtd.testing.harness import HarnessFailed, Stage, usage_of
from mtd.testing.outage.database import OwnDatabase
from mtd.testing.outage.history import holes_in

Say = Callable[[str], None]

TIERS = ("t0", "t1", "t2", "t3")
_LOOK_S = 1.0
_FRESH_S = 2.0
_DRAIN_TIMEOUT_FACTOR = 2.0
_DRAIN_TIMEOUT_LEAST_S = 120.0
_DRAINED_EVENTS_PER_ROUTER = 3
_CURVE_POINTS = 20
_ANSWER_TIMEOUT_S = 180.0


@dataclass(frozen=True, slots=True)
class OutagePlan:
    """What to run. ``hung``: frozen instead of stopped. ``margin_s``: before the outage and after the drain, to see both edges."""

    routers: int = 100
    interfaces: int = 30
    seconds: float = 600.0
    hung: bool = False
    margin_s: float = 5.0
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def lab_arguments(self) -> tuple[str, ...]:
        """Arguments of the lab."""
        return ("--scenario", "fleet", "--routers", str(self.routers), "--interfaces", str(self.interfaces))


@dataclass(slots=True)
class Watch:
    """What was seen of the daemon while it went on: peaks, and when which tier was thinned how."""

    began: float
    peak_log_bytes: float = 0.0
    peak_rss_bytes: float = 0.0
    peak_buffered: float = 0.0
    peak_level: float = 0.0
    steps: list[dict[str, Any]] = field(default_factory=list)
    drain: list[tuple[float, int]] = field(default_factory=list)
    drain_cost: dict[str, float] = field(default_factory=dict)
    _paces: dict[str, float] = field(default_factory=dict)

    def look(self, stage: Stage) -> Mapping[str, float]:
        """Look once; return the metrics."""
        assert stage.daemon is not None
        page = metrics_of(stage)
        rss = psutil.Process(stage.daemon.pid).memory_info().rss
        self.peak_rss_bytes = max(self.peak_rss_bytes, rss)
        self.peak_log_bytes = max(self.peak_log_bytes, page.get("mtd_eventlog_stored_bytes", 0.0))
        self.peak_buffered = max(self.peak_buffered, page.get("mtd_ingest_buffered_events", 0.0))
        self.peak_level = max(self.peak_level, page.get("mtd_pressure_level", 0.0))
        for tier in TIERS:
            pace = page.get(f'mtd_pressure_interval_factor{{tier="{tier}"}}', 1.0)
            if pace != self._paces.get(tier, 1.0):
                self._paces[tier] = pace
                self.steps.append(
                    {
                        "at_s": round(time.monotonic() - self.began, 1),
                        "tier": tier,
                        "interval_factor": str(pace),
                    }
                )
        return page


def metrics_of(stage: Stage) -> dict[str, float]:
    """Return the daemon's metrics by name and labels, as they are written. On a busy machine it may take a while."""
    deadline = time.monotonic() + _ANSWER_TIMEOUT_S
    while True:
        try:
            lines = stage.http("/metrics").splitlines()
        except OSError as error:
            assert stage.daemon is not None
            stage.daemon.check()
            if time.monotonic() > deadline:
                raise HarnessFailed(
                    f"the daemon has not answered for {_ANSWER_TIMEOUT_S:g} s: {error}"
                ) from error
            continue
        parts = (line.rpartition(" ") for line in lines if not line.startswith("#"))
        return {name: float(value) for name, _, value in parts if name}


@contextlib.contextmanager
def running_outage(
    folder: Path, plan: OutagePlan, say: Say, server: EmbeddedConfig | None = None
) -> Iterator[tuple[Stage, OwnDatabase]]:
    """Run a lab, a PostgreSQL of ours, and a daemon that uses it."""
    place = folder / "postgres"
    place.mkdir(mode=0o711)
    say("starting PostgreSQL")
    with OwnDatabase.running(place, server) as database:
        settings = {name: dict(values) for name, values in plan.settings.items()}
        settings.setdefault("database", {}).update(database.settings)
        with Stage(folder, settings=settings) as stage:
            say("starting the lab's routers")
            state = stage.start_lab(*plan.lab_arguments)
            say("starting the daemon")
            stage.start_daemon()
            say(f"adding {len(state['endpoints'])} routers to the inventory")
            stage.add_devices(state["endpoints"])
            yield stage, database


def measure_outage(stage: Stage, database: OwnDatabase, plan: OutagePlan, say: Say) -> dict[str, Any]:
    """Take PostgreSQL away for so long; return the figures."""
    wait_for_first_polls(stage, plan.routers, say)
    wait_until_live(stage, say)
    return measure_outage_of_live(stage, database, plan, say)


def measure_outage_of_live(stage: Stage, database: OwnDatabase, plan: OutagePlan, say: Say) -> dict[str, Any]:
    """Do as ``measure_outage`` does, of a stage whose values are live."""
    _wait(plan.margin_s, stage, say, "letting it run")
    before = metrics_of(stage)
    start_us = time.time_ns() // 1000
    (database.freeze if plan.hung else database.stop)()
    watch = Watch(time.monotonic())
    while (passed := time.monotonic() - watch.began) < plan.seconds:
        say(f"PostgreSQL is away, {plan.seconds - passed:.0f} s to go")
        watch.look(stage)
        time.sleep(_LOOK_S)  # noqa: TID251 - a script's own wait, no reactor here
    away_s = time.monotonic() - watch.began
    backlog = _waiting(watch.look(stage), before)
    (database.thaw if plan.hung else database.start)()
    back = time.monotonic()
    fresh_s, drained_s = _follow_return(stage, database, plan, watch, back, say)
    _wait(plan.margin_s, stage, say, "letting the last polls arrive")
    after = watch.look(stage)
    end_us = time.time_ns() // 1000
    with psycopg.connect(database.dsn) as connection:
        holes = holes_in(connection, start_us, end_us - 2_000_000, 1.0)
    return {
        "routers": plan.routers,
        "interfaces": plan.interfaces,
        "away_s": round(away_s, 1),
        "how": "hung" if plan.hung else "stopped",
        "backlog_events": round(backlog),
        "fresh_after_s": _rounded(fresh_s),
        "drained_after_s": _rounded(drained_s),
        "drain_factor": None if drained_s is None else round(away_s / max(drained_s, 1e-3), 1),
        "drain_cost": watch.drain_cost,
        "drain": _thinned_out(watch.drain),
        "history": holes.as_dict(),
        "polls_skipped": _skipped(before, after),
        "events_dropped": round(_grown(before, after, "mtd_ingest_dropped_events_total")),
        "thinned": watch.steps,
        "peak_level": watch.peak_level,
        "peak_log_mb": round(watch.peak_log_bytes / 1e6, 1),
        "peak_buffered_events": round(watch.peak_buffered),
        "peak_rss_mb": round(watch.peak_rss_bytes / 1e6, 1),
        "machine": {
            "cores": os.cpu_count(),
            "load": round(os.getloadavg()[0], 1),
            "python": platform.python_version(),
        },
    }


def _follow_return(
    stage: Stage, database: OwnDatabase, plan: OutagePlan, watch: Watch, back: float, say: Say
) -> tuple[float | None, float | None]:
    """Return after how many seconds the newest values were fresh, and after how many nothing waited any more."""
    fresh_s = drained_s = None
    timeout_s = max(_DRAIN_TIMEOUT_LEAST_S, _DRAIN_TIMEOUT_FACTOR * plan.seconds)
    used = _Used.of(stage, database)
    with psycopg.connect(database.dsn, autocommit=True) as connection:
        while fresh_s is None or drained_s is None:
            passed = time.monotonic() - back
            if passed > timeout_s:
                raise HarnessFailed(f"the backlog wasn't drained within {timeout_s:.0f} s; see daemon.log")
            if fresh_s is None and _oldest_age_s(connection) <= _FRESH_S:
                fresh_s = passed
            page = watch.look(stage)
            waiting = max(
                (value for name, value in page.items() if name.startswith("mtd_projections_lag_events{")),
                default=0.0,
            )
            if drained_s is None and waiting <= _DRAINED_EVENTS_PER_ROUTER * plan.routers:
                drained_s = passed
                watch.drain_cost = _Used.of(stage, database).since(used)
            say(f"PostgreSQL is back since {passed:.0f} s, {waiting:,.0f} events wait")
            watch.drain.append((round(passed, 1), round(waiting)))
            time.sleep(_LOOK_S)  # noqa: TID251
    return fresh_s, drained_s


@dataclass(frozen=True, slots=True)
class _Used:
    """What was projected so far, and the processor time of those who did it, polling included."""

    at: float
    events: float
    daemon_s: float
    postgresql_s: float

    @classmethod
    def of(cls, stage: Stage, database: OwnDatabase) -> _Used:
        assert stage.daemon is not None
        projected = sum(
            value
            for name, value in metrics_of(stage).items()
            if name.startswith("mtd_projections_events_total{")
        )
        daemon, server = usage_of(stage.daemon.pid), usage_of(database.pid)
        return cls(time.monotonic(), projected, daemon.cpu_s, server.cpu_s)

    def since(self, before: _Used) -> dict[str, float]:
        """Return what each event took, and how much of the machine there was: on a busy one, that is what counts."""
        events, wall_s = max(1.0, self.events - before.events), max(1e-3, self.at - before.at)
        daemon_s, server_s = self.daemon_s - before.daemon_s, self.postgresql_s - before.postgresql_s
        return {
            "events": round(events),
            "events_per_s": round(events / wall_s, 1),
            "daemon_us_per_event": round(1e6 * daemon_s / events, 1),
            "postgresql_us_per_event": round(1e6 * server_s / events, 1),
            "processors_had": round((daemon_s + server_s) / wall_s, 2),
        }


def _thinned_out(curve: list[tuple[float, int]]) -> list[tuple[float, int]]:
    """Return at most so many points of a curve as one can read, the last among them."""
    step = -(-len(curve) // _CURVE_POINTS)
    return curve[::-step][::-1] if curve else []


def _oldest_age_s(connection: psycopg.Connection[Any]) -> float:
    """Return the age of the newest values, of the router of which only one in twenty has older ones."""
    row = connection.execute(
        "SELECT extract(epoch FROM now() - percentile_disc(0.05) WITHIN GROUP (ORDER BY ts_collected))"
        " FROM mtd.latest WHERE poll_group = 't0'"
    ).fetchone()
    assert row is not None
    return float(row[0])


def _waiting(page: Mapping[str, float], before: Mapping[str, float]) -> float:
    return page.get("mtd_eventlog_last_seq", 0.0) - before.get("mtd_eventlog_last_seq", 0.0)


def _grown(before: Mapping[str, float], after: Mapping[str, float], name: str) -> float:
    return sum(
        value - before.get(full, 0.0)
        for full, value in after.items()
        if full == name or full.startswith(name + "{")
    )


def _skipped(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, dict[str, int]]:
    """Return how many polls were skipped, by tier and reason."""
    name = "mtd_scheduler_polls_skipped_total"
    found: dict[str, dict[str, int]] = {}
    for full, value in after.items():
        if not full.startswith(name + "{"):
            continue
        if grown := round(value - before.get(full, 0.0)):
            labels = dict(part.split("=") for part in full[len(name) + 1 : -1].split(","))
            found.setdefault(labels["tier"].strip('"'), {})[labels["reason"].strip('"')] = grown
    return found


def _wait(seconds: float, stage: Stage, say: Say, what: str) -> None:
    say(what)
    time.sleep(seconds)  # noqa: TID251
    for process in (stage.lab, stage.daemon):
        if process is not None:
            process.check()


def _rounded(figure: float | None) -> float | None:
    return None if figure is None else round(figure, 1)
