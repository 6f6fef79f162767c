"""What is told of the ways to a device: each change once, also over a restart."""

from __future__ import annotations

import asyncio
from typing import Any

from mtd.core.clock import SYSTEM_CLOCK
from mtd.model.command import NOT_SERVED, Trap
from mtd.model.device import DeviceStatus, Outcome, Severity, Way
from mtd.model.ways import Standing as Stands
from mtd.model.ways import WayState
from mtd.scheduler.conditions import Conditions
from mtd.scheduler.device_loop import DeviceLoop
from mtd.scheduler.health import DeviceHealth
from mtd.scheduler.way_follower import WayFollower
from mtd.sources.standing import Fall, Standing
from mtd.testing import run_async
from tests.unit.scheduler.test_device_loop import (
    DEVICE,
    FACTS,
    FAST,
    STANDING,
    ListRecorder,
    Scene,
    live_until,
)

API, REST = Way.API, Way.REST
WELL = Standing(
    API, API, (WayState(API, Stands.SERVES, "port 8728"), WayState(REST, Stands.STANDBY, "port 443"))
)
FALLEN = Standing(
    API,
    REST,
    (WayState(API, Stands.CLOSED, "refused: closed"), WayState(REST, Stands.SERVES, "port 443")),
    Fall(API, Outcome.REFUSED, "10.0.0.1:8728 refuses connections"),
)
DOWN = Standing(
    API,
    None,
    (WayState(API, Stands.CLOSED, "refused: closed"), WayState(REST, Stands.CLOSED, "refused: closed")),
)
ALONE = Standing(
    API, API, (WayState(API, Stands.SERVES, "port 8728"), WayState(REST, Stands.UNUSED, "no port"))
)


class Scenery:
    def __init__(self) -> None:
        self.recorder = ListRecorder()
        self.health = DeviceHealth()
        recorder: Any = self.recorder
        conditions = Conditions(DEVICE, self.health, recorder, FAST)
        self.follower = WayFollower(DEVICE, recorder, conditions, SYSTEM_CLOCK)

    @property
    def rows(self) -> list[dict[str, str]]:
        """The states that were told, one for each change of the table."""
        return [
            {way: row["state"] for way, row in table.upserted.items()}
            for observation in self.recorder.observations
            for table in observation.tables
        ]


def test_a_fall_and_the_return_are_events() -> None:
    scene = Scenery()
    assert not scene.follower.follow(WELL)
    assert scene.follower.follow(FALLEN)
    assert not scene.follower.follow(FALLEN)
    assert scene.follower.follow(WELL)
    fall, back = scene.recorder.events
    assert (fall.event_type, fall.old, fall.new) == ("device.way.changed", "api", "rest")
    assert (fall.severity, back.severity) == (Severity.WARNING, Severity.INFO)
    assert "REST" in fall.message
    assert "API refused: 10.0.0.1:8728 refuses connections" in fall.message
    assert (back.old, back.new) == ("rest", "api")
    assert "API opened" in back.message
    assert scene.rows == [
        {"api": "serves", "rest": "standby"},
        {"api": "closed", "rest": "serves"},
        {"api": "serves", "rest": "standby"},
    ]


def test_being_down_is_no_change_of_the_way() -> None:
    scene = Scenery()
    for standing in (WELL, DOWN, WELL):
        assert not scene.follower.follow(standing)
    assert scene.recorder.events == []
    assert scene.rows[1] == {"api": "closed", "rest": "closed"}


def test_what_was_told_before_a_restart_isn_t_told_again() -> None:
    scene = Scenery()
    rows = {state.way.value: state.fields() for state in FALLEN.states}
    rows["rest"]["told"] = "www-ssl:443"
    assert scene.follower.restore(rows) == "www-ssl:443"
    assert not scene.follower.follow(FALLEN)
    assert scene.recorder.events == []
    assert scene.follower.follow(WELL)
    assert [event.new for event in scene.recorder.events] == ["api"]
    assert Scenery().follower.restore({"carrier-pigeon": {"state": "serves"}, "api": {"state": "odd"}}) == ""


def test_of_one_way_alone_the_status_says_all() -> None:
    scene = Scenery()
    scene.follower.follow(ALONE)
    assert scene.rows == []


def test_a_device_is_degraded_while_its_best_way_is_closed() -> None:
    scene = Scenery()
    scene.follower.follow_condition(FALLEN)
    scene.health.succeeded("t0")
    assert scene.health.status is DeviceStatus.DEGRADED
    scene.follower.follow_condition(FALLEN)
    scene.follower.follow_condition(WELL)
    degraded, up = scene.recorder.outcomes
    assert (degraded.outcome, degraded.status) == (Outcome.REFUSED, DeviceStatus.DEGRADED)
    assert degraded.reason == "API refused: 10.0.0.1:8728 refuses connections; REST serves"
    assert up.status is DeviceStatus.UP


def test_a_device_that_comes_up_by_another_way_is_degraded_from_the_first_poll() -> None:
    scene = Scene()
    scene.source.standing = FALLEN
    live_until(scene, lambda: bool(scene.recorder.probes) and bool(scene.recorder.outcomes))
    assert [report.status for report in scene.recorder.outcomes] == [DeviceStatus.DEGRADED]
    assert [event.event_type for event in scene.recorder.events] == ["device.way.changed"]


def test_a_probe_that_was_answered_in_part_takes_nothing_back_and_is_made_again() -> None:
    scene = Scene()
    scene.source.standing = Standing(Way.API, Way.SNMP, (), Fall(Way.API, Outcome.REFUSED, "closed"))
    scene.source.trap = Trap("not served by snmp", NOT_SERVED)

    async def run() -> None:
        task = asyncio.create_task(DeviceLoop(DEVICE, scene.parts()).run())
        async with asyncio.timeout(30):
            while not scene.recorder.probes:
                await asyncio.sleep(0.002)
            assert scene.mapper.facts == []
            assert scene.recorder.probes[0].routeros_version == FACTS.routeros_version
            assert scene.recorder.probes[0].capabilities == ()
            scene.source.trap, scene.source.standing = None, STANDING
            while not scene.mapper.facts:
                await asyncio.sleep(0.002)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    run_async(run())
    assert len(scene.recorder.probes) == 2


def test_what_a_way_cannot_ask_degrades_nothing_more() -> None:
    scene = Scene()
    scene.source.trap = Trap("not served by snmp", NOT_SERVED)
    live_until(scene, lambda: len(scene.mapper.polled) > 10)
    assert [report.status for report in scene.recorder.outcomes] == [DeviceStatus.UP]
