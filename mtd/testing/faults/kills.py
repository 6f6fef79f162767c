"""Kills in a row, over all processes, each in the middle of writing; and what the routers missed meanwhile."""

from __future__ import annotations

import bisect
import random
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from mtd.testing.faults import victims
from mtd.testing.faults.fleet import Fleet
from mtd.testing.faults.victims import Role

Say = Callable[[str], None]
Window = tuple[float, float]

_BEFORE_NEXT_S = (0.2, 1.5)
_INTERVAL_S = 1.0
# A router's next poll after the daemon is back: a turn at the gate, a login, up to an interval.
_RECONNECT_S = 3.0
_BACK_S = 300.0


@dataclass(slots=True)
class Kills:
    """What came of it. ``missed_beyond``: polls that are missing though who polls ran."""

    kills: dict[str, int] = field(default_factory=dict)
    acknowledged: int = 0
    lost: int = 0
    doubled: int = 0
    dead_s: float = 0.0
    longest_dead_s: float = 0.0
    polls_stored: int = 0
    polls_missed: int = 0
    polls_missed_beyond: int = 0
    beyond_after: dict[str, int] = field(default_factory=dict)
    """Of those, by what was killed last before."""
    log_ok: bool = False
    examples: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {name: getattr(self, name) for name in self.__slots__}


def kill_in_a_row(fleet: Fleet, kills: int, say: Say, seed: int = 1) -> Kills:
    """Kill processes of a fleet that polls, one after the other, and judge at the end."""
    dice = random.Random(seed)  # noqa: S311 - the same kills each time
    killed: Counter[str] = Counter()
    windows: list[Window] = []
    roles: list[str] = []
    began = fleet.wait_for(fleet.clock, "PostgreSQL answers")
    while killed.total() < kills:
        role = dice.choice(fleet.roles)
        say(f"kill {killed.total() + 1} of {kills}: {role.value}")
        window = _kill_one(fleet, role, dice)
        if window is None:
            continue  # there is none at the moment
        killed[role.value] += 1
        windows.append(window)
        roles.append(role.value)
        time.sleep(dice.uniform(*_BEFORE_NEXT_S))  # noqa: TID251 - no reactor here
    say("all kills are done; waiting until everything is projected")
    verdict = fleet.verdict()
    result = Kills(
        dict(killed), verdict.acknowledged, verdict.lost, verdict.doubled, examples=verdict.examples
    )
    dead = [end - start for start, end in windows if end > start]
    result.dead_s, result.longest_dead_s = round(sum(dead), 1), round(max(dead, default=0.0), 1)
    result.log_ok = bool(fleet.mtd("log", "verify", "--database", "--json")["ok"])
    _count_polls(result, _polls_of(fleet, began), windows, roles)
    return result


def _kill_one(fleet: Fleet, role: Role, dice: random.Random) -> Window | None:
    """Kill a process of a role while events are written; return when nothing could be polled for it."""
    _wait_until_written(fleet, role)
    found = fleet.processes()[role]
    if not found:
        return None
    now, victim = time.time(), dice.choice(found)
    if not victims.kill(victim):
        return None
    fleet.wait_for(lambda: fleet.is_back(role, victim), f"the {role.value} is back", _BACK_S)
    return (now, time.time() if role is fleet.polls else now)


def _wait_until_written(fleet: Fleet, role: Role) -> None:
    """Wait until the log, and for PostgreSQL's processes the database, takes events at this very moment."""
    fleet.wait_for_writes(timeout_s=_BACK_S)
    if role in (Role.POSTMASTER, Role.BACKEND):
        before = fleet.wait_for(lambda: fleet.metric("mtd_projections_events_total"), "it projects", _BACK_S)
        fleet.wait_for(
            lambda: fleet.metric("mtd_projections_events_total") != before, "events are projected", _BACK_S
        )
        fleet.postmaster_seen = fleet.wait_for(fleet.postmaster, "PostgreSQL answers", _BACK_S)


def _polls_of(fleet: Fleet, began: float) -> dict[str, list[float]]:
    """Return when each router was polled, as PostgreSQL has it."""
    rows = fleet.sql(
        "SELECT device_id::text, extract(epoch FROM ts_collected)::float8 FROM telemetry_frame"
        " JOIN series_layout USING (tenant_id, layout_id) WHERE poll_group = 't0' AND ts_collected >= to_timestamp(%s)"
        " ORDER BY ts_collected",
        began,
    )
    polls: dict[str, list[float]] = {}
    for device, at in rows:
        polls.setdefault(device, []).append(at)
    return polls


def _count_polls(
    result: Kills, polls: dict[str, list[float]], windows: Sequence[Window], roles: Sequence[str]
) -> None:
    result.polls_stored = sum(map(len, polls.values()))
    after: Counter[str] = Counter()
    starts = [start for start, _ in windows]
    for times in polls.values():
        missing = list(missing_polls(times))
        result.polls_missed += len(missing)
        for at in missing:
            if not _is_in(at, windows):
                last = bisect.bisect_right(starts, at) - 1
                after[roles[last] if last >= 0 else "nothing"] += 1
    result.polls_missed_beyond, result.beyond_after = after.total(), dict(after)


def missing_polls(times: Sequence[float]) -> Iterable[float]:
    """Yield when a router should have been polled between its polls, and was not.

    A poll that came late isn't missing: the next one is on time, and nearer to it.
    """
    gaps = [after - before for before, after in zip(times, times[1:], strict=False)]
    for number, gap in enumerate(gaps):
        missing = _polls_in(gap) - 1
        if number + 1 < len(gaps):
            missing = min(missing, _polls_in(gap + gaps[number + 1]) - 2)
        for place in range(1, missing + 1):
            yield times[number] + place * gap / (missing + 1)


def _polls_in(seconds: float) -> int:
    return round(seconds / _INTERVAL_S)


def _is_in(at: float, windows: Sequence[Window]) -> bool:
    return any(start - _INTERVAL_S <= at <= end + _RECONNECT_S for start, end in windows if end > start)
