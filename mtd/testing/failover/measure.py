"""A daemon that polls is killed, or held up: how long are its routers without a poll, and do two poll them?"""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from mtd.lab.control import LabControl
from mtd.testing.failover.stage import SETTLED, FailoverStage, Poller, Say, wait_for

_LOOK_S = 0.2

_TIMES = """
SELECT f.device_id::text, f.log_id::text, f.ts_collected FROM mtd.telemetry_frame f
  JOIN mtd.series_layout l USING (tenant_id, layout_id)
 WHERE l.poll_group = 't0' AND f.ts_collected BETWEEN %s AND %s AND f.device_id = ANY (%s::uuid[])
 ORDER BY 1, 3
"""


@dataclass(frozen=True, slots=True)
class Gaps:
    """Longest times without a poll, of each router, in seconds."""

    by_router: dict[str, float]

    def part(self, share: float) -> float:
        """Return the gap that this share of routers doesn't exceed."""
        ordered = sorted(self.by_router.values())
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0

    def figures(self, name: str) -> dict[str, float]:
        """Return median, 95 % and longest."""
        return {
            f"{name}_gap_p50_s": round(self.part(0.5), 3),
            f"{name}_gap_p95_s": round(self.part(0.95), 3),
            f"{name}_gap_max_s": round(self.part(1.0), 3),
        }


class RoutersWatch:
    """Asks the lab all the time how much each router was asked: what routers say themselves."""

    def __init__(self, host: str, port: int) -> None:
        self._address = (host, port)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._seen: dict[str, tuple[int, float]] = {}
        self._longest: defaultdict[str, float] = defaultdict(float)

    def __enter__(self) -> RoutersWatch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(10)

    def _look(self) -> None:
        with LabControl(*self._address) as control:
            while not self._stop.wait(_LOOK_S):
                stats = control.stats()
                now = time.monotonic()
                for name, one in stats.items():
                    answers = int(one["answers"])
                    before = self._seen.get(name)
                    if before is not None and before[0] == answers:
                        self._longest[name] = max(self._longest[name], now - before[1])
                    else:
                        self._seen[name] = (answers, now)

    def gaps(self, names: Sequence[str]) -> Gaps:
        """Return the longest times without an answer; as exact as it looks often."""
        return Gaps({name: self._longest[name] for name in names})


def share(stage: FailoverStage, connection: psycopg.Connection[Any], say: Say) -> None:
    """Wait until both poll their part, and what they told is stored."""
    say("waiting until the routers are shared and polled")
    names = [poller.name for poller in stage.pollers]
    wait_for(connection, SETTLED, [stage.routers(), ["lease"], names], "both daemons poll their part", 120.0)


def devices_of(connection: psycopg.Connection[Any], poller: Poller) -> dict[str, str]:
    """Return the devices that a daemon polls: names by ids."""
    rows = connection.execute(
        "SELECT d.device_id::text, d.name FROM mtd.device_assignment a JOIN mtd.device d USING (tenant_id, device_id)"
        " WHERE a.collector_id = %s AND a.state = 'assigned'",
        [poller.name],
    ).fetchall()
    return dict(rows)


def measure_kill(
    stage: FailoverStage, connection: psycopg.Connection[Any], around_s: float, say: Say
) -> dict[str, Any]:
    """Kill the first daemon; return how long its routers were without a poll, from a time before until one after."""
    victim, heir = stage.pollers[0], stage.pollers[1]
    mine = devices_of(connection, victim)
    log_id = victim.log_id(connection)
    with RoutersWatch(*stage.lab_port()) as watch:
        time.sleep(around_s)  # noqa: TID251 - what is measured is time
        say(f"killing a daemon that polls {len(mine)} routers")
        killed = dt.datetime.now(dt.UTC)
        victim.kill()
        wait_for(connection, SETTLED, [stage.routers(), ["exclusive"], [heir.name]], "another takes over")
        time.sleep(around_s)  # noqa: TID251
    until = dt.datetime.now(dt.UTC)
    polled = _times(connection, mine, killed - dt.timedelta(seconds=around_s), until)
    late = sum(1 for times in polled.values() for log, at in times if log == log_id and at > killed)
    return {
        "killed_devices": len(mine),
        "polled_after_kill": late,
        **_stored_gaps(polled, mine).figures("stored"),
        **watch.gaps(list(mine.values())).figures("router"),
    }


def measure_hold(
    stage: FailoverStage, connection: psycopg.Connection[Any], hold_s: float, say: Say
) -> dict[str, Any]:
    """Hold the first daemon up as long as told, then let it go on; return whether two polled a router at a time."""
    held, heir = stage.pollers[0], stage.pollers[1]
    mine = devices_of(connection, held)
    log_id = held.log_id(connection)
    say(f"holding up a daemon that polls {len(mine)} routers, for {hold_s:g} s")
    stopped = dt.datetime.now(dt.UTC)
    held.hold()
    began = time.monotonic()
    try:
        wait_for(connection, SETTLED, [stage.routers(), ["exclusive"], [heir.name]], "another takes over")
        time.sleep(max(0.0, hold_s - (time.monotonic() - began)))  # noqa: TID251
    finally:
        held.go_on()
    share(stage, connection, say)
    until = dt.datetime.now(dt.UTC)
    polled = _times(connection, mine, stopped, until)
    back = dict(
        connection.execute(
            "SELECT device_id::text, since FROM mtd.device_assignment WHERE collector_id = %s", [held.name]
        ).fetchall()
    )
    doubles = 0
    for device_id, times in polled.items():
        first_other = min((at for log, at in times if log != log_id), default=until)
        ends = back.get(device_id, until)  # from then on it is its own again
        doubles += sum(1 for log, at in times if log == log_id and first_other < at < ends)
    return {
        "held_devices": len(mine),
        "held_s": round(hold_s, 1),
        "polled_after_lease": doubles,
        "moved_back": len(set(back) & set(mine)),
    }


def _times(
    connection: psycopg.Connection[Any], devices: dict[str, str], since: dt.datetime, until: dt.datetime
) -> dict[str, list[tuple[str, dt.datetime]]]:
    """Return when each device was polled, and which log told it, in order."""
    found: defaultdict[str, list[tuple[str, dt.datetime]]] = defaultdict(list)
    for device_id, log_id, at in connection.execute(_TIMES, [since, until, list(devices)]):
        found[device_id].append((log_id, at))
    return found


def _stored_gaps(polled: dict[str, list[tuple[str, dt.datetime]]], devices: dict[str, str]) -> Gaps:
    longest = {}
    for device_id in devices:
        times = [at for _, at in polled.get(device_id, [])]
        pairs = zip(times, times[1:], strict=False)
        gaps = [(after - before).total_seconds() for before, after in pairs]
        longest[device_id] = max(gaps, default=float("inf"))
    return Gaps(longest)
