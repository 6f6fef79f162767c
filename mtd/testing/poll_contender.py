"""One contender of ``scripts/bench poll`` that runs mtd's code, as a process of its own.

Started by `mtd.testing.poll_bench`. Prints one line of JSON: what it used of
the processor while it polled, and whether what it read is the lab's truth.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mtd.cli.reactor import run_on_reactor
from mtd.core.clock import SYSTEM_CLOCK
from mtd.core.garbage import QuietGarbage
from mtd.core.limits import Gate
from mtd.core.slices import Steps
from mtd.lab.world import World
from mtd.model.device import DEFAULT_TENANT_ID, Device, Way
from mtd.model.metric import Lane, Tier
from mtd.model.observation import FrameValues, Observation
from mtd.plugin.manager import PluginManager
from mtd.scheduler.config import Intervals, SchedulerConfig
from mtd.scheduler.first_readings import FirstReadings
from mtd.scheduler.parts import Parts
from mtd.scheduler.service import Scheduler
from mtd.sources.routeros_api.source import RouterOsApiSource
from mtd.sources.ways import WaysSource
from mtd.testing.poll_check import Reading, wrong_readings
from mtd.testing.poll_floor import open_floor, reading_of
from mtd.testing.truth_check import COUNTER_PROPERTIES, CPU_LOAD, STATE_PROPERTIES

# Long enough that after the first polls only live values are read: the same for all contenders.
NEVER_S = 86_400.0
ROUTER_ROWS = 2
"""Rows of a live poll beside those of interfaces: the router itself, and its tracked connections."""

LIVE_ONLY = Intervals(t0=1.0, t1=NEVER_S, t2=NEVER_S, t3=NEVER_S)


@dataclass(slots=True)
class Window:
    """What was used and done over the measured time."""

    cpu_s: float
    router_polls: int
    rows: int


@dataclass(slots=True)
class _Discarding:
    """A recorder that keeps the last observation of each device, for the check, and nothing else."""

    pressure: float = 0.0
    frames: int = 0
    values: int = 0
    newest: dict[str, FrameValues] = field(default_factory=dict)
    settled: set[str] = field(default_factory=set)
    """Devices whose slowest tier was read: from then on only live values are."""

    def record(self, device: Device, observation: Observation) -> None:
        """Count and forget."""
        if observation.documents:
            self.settled.add(device.name)
        frame = observation.frame
        if frame is not None and frame.layout.poll_group == Tier.T0:
            self.frames += 1
            self.values += len(frame.counters)
            self.newest[device.name] = frame

    def recording(self, device: Device, observation: Observation) -> Steps[None]:
        """Count and forget, in one step."""
        self.record(device, observation)
        yield None

    def take_lost_tables(self, _: Device) -> Sequence[str]:
        """Nothing is ever lost."""
        return ()

    def record_outcome(self, *_: Any) -> None:
        """Discard."""

    record_probe = record_event = record_outcome


def devices_of(state: Mapping[str, Any]) -> list[Device]:
    """Return the lab's routers as devices."""
    return [
        Device(
            router["name"],
            DEFAULT_TENANT_ID,
            router["name"],
            router["host"],
            router["port"],
            router["username"],
            router["password"],
        )
        for router in state["endpoints"]
    ]


async def _measured(warm_up_s: float, polls: int, done: Callable[[], tuple[int, int]]) -> Window:
    """Let polling go on for a while; return what it used. ``done`` tells polls and rows so far."""
    await asyncio.sleep(warm_up_s)
    garbage = QuietGarbage()  # as the daemon does once it has started
    garbage.start()
    polls_before, rows_before = done()
    before = resource.getrusage(resource.RUSAGE_SELF)
    await asyncio.sleep(polls)
    after = resource.getrusage(resource.RUSAGE_SELF)
    polls_after, rows_after = done()
    garbage.stop()
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Window(cpu_s, polls_after - polls_before, rows_after - rows_before)


async def run_floor(devices: Sequence[Device], warm_up_s: float, polls: int) -> tuple[Window, list[Reading]]:
    """Measure the floor."""
    commands = PluginManager.load().mapper(devices[0]).commands(Tier.T0)
    sessions = await open_floor(devices, commands)
    window = await _measured(
        warm_up_s, polls, lambda: (sum(s.polls for s in sessions), sum(s.rows_read for s in sessions))
    )
    for session in sessions:
        session.end()
        if session.failure is not None:
            raise session.failure
    return window, [reading_of(session, commands) for session in sessions]


async def run_poll(devices: Sequence[Device], warm_up_s: float, polls: int) -> tuple[Window, list[Reading]]:
    """Measure mtd's poll path: the daemon's scheduler and all below it, with a recorder that discards."""
    recorder = _Discarding()
    plugins = PluginManager.load()
    settings = SchedulerConfig(intervals_s=LIVE_ONLY)
    intervals = {tier: LIVE_ONLY.of(tier) for tier in Tier}

    async def no_tables(_: object) -> dict[str, Any]:
        return {}

    scheduler = Scheduler(
        Parts(
            settings=settings,
            clock=SYSTEM_CLOCK,
            recorder=recorder,  # type: ignore[arg-type]  # as much of it as the scheduler uses
            make_source=lambda device: WaysSource(device, {Way.API: RouterOsApiSource}),
            make_mapper=lambda device: plugins.mapper(device, intervals_s=intervals),
            load_tables=no_tables,
            fresh_gate=Gate("connect", settings.max_connecting),
            retry_gate=Gate("reconnect", settings.max_reconnecting),
            first_readings=FirstReadings(settings.max_first_readings),
        )
    )
    await scheduler.apply(devices)
    while min(len(recorder.newest), len(recorder.settled)) < len(devices):  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0.1)
    window = await _measured(warm_up_s, polls, lambda: (recorder.frames, recorder.values))
    readings = [reading_of_frame(name, frame) for name, frame in recorder.newest.items()]
    await scheduler.stop()
    window.rows = window.rows // len(COUNTER_PROPERTIES) + ROUTER_ROWS * window.router_polls
    return window, readings


def reading_of_frame(router: str, frame: FrameValues) -> Reading:
    """Return the values of a frame in the router's own words."""
    reading = Reading(router, frame.collected_us - frame.poll_duration_us, frame.collected_us)
    for series, number in zip(frame.layout.lane(Lane.COUNTER), frame.counters, strict=True):
        if number is not None:
            reading.counters.setdefault(series.instance, {})[COUNTER_PROPERTIES[series.metric]] = number
    for series, value in zip(frame.layout.lane(Lane.GAUGE), frame.gauges, strict=True):
        if series.metric == CPU_LOAD:
            reading.cpu_load = int(value)
        elif series.metric in STATE_PROPERTIES:
            name = STATE_PROPERTIES[series.metric]
            # The state "enabled" is 1; the router says "disabled=false".
            reading.states.setdefault(series.instance, {})[name] = bool(value) is (name != "disabled")
    return reading


Contender = Callable[[Sequence[Device], float, int], Awaitable[tuple[Window, list[Reading]]]]
CONTENDERS: Mapping[str, Contender] = {"floor": run_floor, "poll": run_poll}


async def _run(name: str, state_path: Path, warm_up_s: float, polls: int) -> dict[str, Any]:
    devices = devices_of(json.loads(state_path.read_text()))  # noqa: ASYNC240 - before anything runs
    window, readings = await CONTENDERS[name](devices, warm_up_s, polls)
    return {
        "cpu_us": window.cpu_s * 1e6,
        "router_polls": window.router_polls,
        "rows": window.rows,
        "checked": len(readings),
        "values": sum(reading.values for reading in readings),
        "wrong": wrong_readings(World.from_state_file(state_path), readings),
    }


def main(arguments: Sequence[str]) -> None:
    """Run a contender: its name, the lab's state file, seconds to warm up, polls to measure."""
    name, state_path, warm_up_s, polls = arguments
    result = run_on_reactor(_run(name, Path(state_path), float(warm_up_s), int(polls)))
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
