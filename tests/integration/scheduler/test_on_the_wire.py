"""What routers are really asked: which rows, by which tier, how often, and what the accounts say of it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from mtd.core.clock import SYSTEM_CLOCK
from mtd.core.limits import Gate
from mtd.core.slices import Steps
from mtd.lab.scenario import RouterSpec, Scenario
from mtd.lab.service import Lab
from mtd.lab.session import Session
from mtd.model.device import Device, Way
from mtd.model.layout import Series
from mtd.model.metric import Lane, Tier
from mtd.model.observation import Observation, StateChange
from mtd.model.selection import TABLE, T0Settings, Why
from mtd.plugin.config import T0Config
from mtd.plugin.manager import PluginManager
from mtd.scheduler.config import Intervals, SchedulerConfig
from mtd.scheduler.costs import OWN, Cost
from mtd.scheduler.first_readings import FirstReadings
from mtd.scheduler.parts import Parts
from mtd.scheduler.service import Scheduler
from mtd.sources.routeros_api import RouterOsApiSource
from mtd.sources.ways import WaysSource
from mtd.testing import run_async
from mtd.testing.metrics import metric
from mtd_collector_interfaces.declaration import COLLECTOR as INTERFACES
from mtd_collector_ip.declaration import COLLECTOR as IP
from mtd_collector_ppp.declaration import COLLECTOR as PPP
from mtd_collector_system.declaration import COLLECTOR as SYSTEM
from tests.integration.sources.devices import QUICK, lab_device

PACE = Intervals(t0=0.1, t1=0.3, t2=0.5, t3=1.0)
COUNTERS = "rx-byte"
NO_SETTINGS = T0Settings()


@dataclass
class Recorder:
    """Keeps what was observed."""

    pressure: float = 0.0
    frames: list[tuple[str, int, dict[Series, float]]] = field(default_factory=list)
    """Poll group, time, and rates."""
    changes: list[StateChange] = field(default_factory=list)
    chosen: dict[str, str] = field(default_factory=dict)
    late: set[int] = field(default_factory=set)
    """Times of frames that came too long after the last for any rate, or too soon for a likely one: so the machine was busy."""
    _gaps: float = 0.0

    def record(self, device: Device, observation: Observation) -> None:
        frame = observation.frame
        if frame is not None:
            rates = dict(zip(frame.layout.lane(Lane.RATE), frame.rates, strict=True))
            self.frames.append((frame.layout.poll_group, observation.collected_us, rates))
            gaps = metric("mtd_plugin_rate_gaps_total", collector="interfaces")
            if observation.discarded_rates or gaps != self._gaps:
                self.late.add(observation.collected_us)
            self._gaps = gaps
        self.changes += observation.state_changes
        for change in observation.tables:
            if change.table == TABLE:
                self.chosen = {row["instance"]: row["reason"] for row in change.upserted.values()}

    def recording(self, device: Device, observation: Observation) -> Steps[None]:
        self.record(device, observation)
        yield None

    def take_lost_tables(self, _: Device) -> tuple[str, ...]:
        return ()

    def record_outcome(self, *_: Any) -> None:
        """Nobody asks."""

    record_probe = record_event = record_outcome

    def read_by(self, tier: Tier) -> set[str]:
        """Return the interfaces in the newest frame of a tier."""
        newest = [rates for group, _, rates in self.frames if group == tier][-1:]
        return {series.instance for rates in newest for series in rates if series.metric == "iface.rx_bps"}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    """What the lab's routers are asked: path, properties, query words."""
    found: list[tuple[str, tuple[str, ...], tuple[str, ...]]] = []
    answer = Session._sentence

    def noted(self: Session, words: list[bytes], tick: int) -> bytes:
        plain = [word.decode() for word in words]
        properties = [word.removeprefix("=.proplist=") for word in plain if word.startswith("=.proplist=")]
        found.append(
            (
                plain[0],
                tuple(",".join(properties).split(",")),
                tuple(w[1:] for w in plain if w.startswith("?")),
            )
        )
        return answer(self, words, tick)

    monkeypatch.setattr(Session, "_sentence", noted)
    return found


@dataclass
class Stage:
    """A router of the lab, polled."""

    lab: Lab
    scheduler: Scheduler
    recorder: Recorder
    name: str

    async def wait(self, condition: Callable[[], bool], what: str) -> None:
        for _ in range(400):
            if condition():
                return
            await asyncio.sleep(0.05)
        raise AssertionError(f"not within twenty seconds: {what}; {self.recorder.chosen}")


@asynccontextmanager
async def polled(spec: RouterSpec, t0: T0Config, settings: T0Settings = NO_SETTINGS) -> AsyncIterator[Stage]:
    lab = Lab(Scenario(router=[spec]))
    recorder = Recorder()
    plugins = PluginManager.of(SYSTEM, INTERFACES, IP, PPP)
    intervals = {tier: PACE.of(tier) for tier in Tier}

    async def no_tables(_: object) -> dict[str, Any]:
        return {}

    scheduler = Scheduler(
        Parts(
            settings=SchedulerConfig(intervals_s=PACE),
            clock=SYSTEM_CLOCK,
            recorder=recorder,  # type: ignore[arg-type]  # as much of it as the scheduler uses
            make_source=lambda device: WaysSource(
                device, {Way.API: lambda device: RouterOsApiSource(device, config=QUICK)}
            ),
            make_mapper=lambda device: plugins.mapper(device, t0=t0, intervals_s=intervals),
            load_tables=no_tables,
            fresh_gate=Gate("connect", 4),
            retry_gate=Gate("reconnect", 4),
            first_readings=FirstReadings(4),
        )
    )
    try:
        (endpoint,) = await lab.start()
        await scheduler.apply([replace(lab_device(endpoint, command_timeout_s=5.0), t0=settings)])
        yield Stage(lab, scheduler, recorder, endpoint.name)
    finally:
        await scheduler.stop()
        await lab.stop()


Asked = list[tuple[str, tuple[str, ...], tuple[str, ...]]]


def test_tables_of_several_collectors_say_what_matters() -> None:
    async def main() -> None:
        spec = RouterSpec(name="edge", interfaces=22, pppoe=20)
        async with polled(spec, T0Config(interfaces=5, top_traffic=1), T0Settings(pins=("*5",))) as stage:
            await stage.wait(lambda: set(stage.recorder.chosen.values()) == set(Why), "for each reason one")
            assert len(stage.recorder.chosen) == 5

    run_async(main(), timeout_s=60)


def test_each_tier_asks_for_its_own_rows_and_an_uplink_moves(asked: Asked) -> None:
    async def main() -> None:
        spec = RouterSpec(name="edge", interfaces=22, pppoe=20)
        async with polled(spec, T0Config(interfaces=2, top_traffic=0), T0Settings(pins=("*5",))) as stage:
            recorder = stage.recorder
            await stage.wait(
                lambda: set(recorder.chosen.values()) == {"uplink", "pinned"}, "the uplink is chosen"
            )
            (uplink,) = (row for row, why in recorder.chosen.items() if why == "uplink")
            live = set(recorder.chosen)
            rest = {f"*{number:X}" for number in range(1, 23)} - live
            await stage.wait(
                lambda: recorder.read_by(Tier.T0) == live and recorder.read_by(Tier.T1) == rest,
                "both settled",
            )
            asked.clear()
            await stage.wait(lambda: len(counters_asked(asked)) >= 8, "some polls")
            ids = tuple(f".id={one}" for one in sorted(live, key=lambda one: (len(one), one)))
            assert {queries for _, _, queries in counters_asked(asked)} == {
                ("dynamic=true", "#!", *ids, "#|"),
                ("dynamic=true", "#!", *ids, "#|!"),
            }

            stage.lab.inject(stage.name, "link-flap", interfaces=[uplink], for_s=600.0)
            await stage.wait(
                lambda: uplink not in recorder.chosen and len(recorder.chosen) == 2, "another uplink"
            )
            (other,) = recorder.chosen.keys() - live
            assert recorder.chosen[other] == "uplink"
            await stage.wait(
                lambda: (
                    recorder.read_by(Tier.T0) == (live | {other}) - {uplink}
                    and recorder.read_by(Tier.T1) == (rest | {uplink}) - {other}
                ),
                "the rows follow",
            )
            stage.lab.clear(stage.name, "link-flap")
            await stage.wait(
                lambda: recorder.read_by(Tier.T0) == live and recorder.read_by(Tier.T1) == rest,
                "and come back",
            )
            moved = [
                (e.entity_id, e.old, e.new)
                for e in recorder.changes
                if e.event_type == "interface.tier.changed"
            ]
            assert sorted(moved) == sorted(
                [(other, "t1", "t0"), (uplink, "t0", "t1"), (uplink, "t1", "t0"), (other, "t0", "t1")]
            )
            assert_rates_go_on(recorder)

    run_async(main(), timeout_s=60)


def counters_asked(asked: Asked) -> Asked:
    return [one for one in asked if one[0] == "/interface/print" and COUNTERS in one[1]]


def assert_rates_go_on(recorder: Recorder) -> None:
    """Whoever reads an interface, from the second time on it has a rate: unless the machine let three polls be missed."""
    seen: dict[str, int] = {}
    missing = []
    for group, at_us, rates in recorder.frames:
        allowed_us = 3 * PACE.of(Tier(group)) * 1e6
        for series, rate in rates.items():
            if series.metric != "iface.rx_bps":
                continue
            before_us = seen.get(series.instance)
            seen[series.instance] = at_us
            late = before_us is None or not 0 < at_us - before_us < allowed_us
            if rate != rate and not late and at_us not in recorder.late:
                missing.append((group, series.instance, at_us - (before_us or 0)))
    assert not missing
    assert len(seen) == 22


def test_a_router_is_asked_as_often_as_it_is_configured_and_the_accounts_say_so(asked: Asked) -> None:
    async def main() -> None:
        async with polled(RouterSpec(name="core", interfaces=12), T0Config(interfaces=4)) as stage:
            ((_, account),) = stage.scheduler.accounts()
            await stage.wait(
                lambda: stage.recorder.read_by(Tier.T1) != set() and bool(stage.recorder.chosen),
                "all tiers are read",
            )
            polls, skipped, since = account.polls, account.polls_skipped, SYSTEM_CLOCK.monotonic()
            before, told = Counter(stage.lab.stats()["core"]["commands"]), account.costs.by_category()
            asked.clear()
            await stage.wait(lambda: account.polls - polls >= 20, "twenty polls")
            # Read together: between them nobody has a turn.
            took = SYSTEM_CLOCK.monotonic() - since
            now, after = Counter(stage.lab.stats()["core"]["commands"]), account.costs.by_category()
            due = {tier: took / PACE.of(tier) for tier in (Tier.T0, Tier.T1, Tier.T2)}
            polled_now, skipped_now = account.polls - polls, account.polls_skipped - skipped

            # No tier is polled more often than it is due, and what is left out was counted.
            assert polled_now <= sum(due.values()) + len(due)
            assert polled_now + skipped_now >= sum(due.values()) - len(due) - 1
            by_query = Counter(queries[-1:] for _, _, queries in counters_asked(asked))
            (live, rest) = (by_query[("#|||",)], by_query[("#|||!",)])
            # The first may have been due before, and the last may be early for the next.
            assert 0 < live <= due[Tier.T0] + 2
            assert 0 < rest <= due[Tier.T1] + 2
            assert set(by_query) == {("#|||",), ("#|||!",)}

            # The lab counted what the accounts did; what is under way at the moment may be in one of them only.
            sent = sum((now - before).values())
            counted = sum(cost.commands - told.get(name, Cost()).commands for name, cost in after.items())
            assert abs(sent - counted) <= 20
            assert after["interfaces"].commands - told["interfaces"].commands >= live + rest - 2
            assert after["interfaces"].rows - told["interfaces"].rows >= 4 * (live - 1) + 8 * (rest - 1)
            assert set(after) == {"system", "interfaces", "ip", "ppp", OWN}
            hourly = account.costs.hourly(SYSTEM_CLOCK.monotonic())
            counted_all = sum(cost.commands for cost in after.values())
            assert hourly.total.commands == pytest.approx(3600 * counted_all / hourly.counted_s, rel=0.2)
            assert 0 < hourly.total.busy_s < 3600

    run_async(main(), timeout_s=60)
