"""Code of eggs that doesn't come back: it is ended, set aside, and comes back when it is mended."""

from __future__ import annotations

import asyncio
import hashlib
import re
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, NoReturn

import pytest

from mtd.core.slices import in_slices
from mtd.model.command import Rows
from mtd.model.metric import Tier
from mtd.model.observation import Observation
from mtd.plugin import Collector, watchdog
from mtd.plugin.mapper import DeviceMapper
from mtd.plugin.watchdog import TookTooLong, guarded
from mtd.testing import run_async
from mtd.testing.contract import FakeClock, make_device
from mtd.testing.observations import events_of, values_of
from mtd.testing.replies import replies_from
from tests.unit.plugin.conftest import PORTS, TABLE, port

SOON = 0.02


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guarded, "__defaults__", (SOON, SOON))


def for_ever() -> NoReturn:
    while True:
        pass


def whatever_is_raised() -> NoReturn:
    while True:
        try:
            for_ever()
        except Exception:
            continue


class Slow:
    """Its destructor takes long: what is raised in there is lost."""

    def __del__(self) -> None:
        used = time.thread_time()
        while time.thread_time() < used + 3 * SOON:
            pass


def loses_the_first() -> NoReturn:
    Slow()
    for_ever()


def many_backtracks() -> object:
    return re.fullmatch(r"(a+)+b", "a" * 64)


def in_another_thread(work: Callable[[], Any]) -> Any:
    return run_async(asyncio.to_thread(guarded, work))


@pytest.mark.parametrize("run", [guarded, in_another_thread], ids=["main", "worker"])
@pytest.mark.parametrize("work", [for_ever, whatever_is_raised])
def test_a_loop_is_ended_and_says_where_it_was(
    run: Callable[[Callable[[], Any]], Any], work: Callable[[], Any]
) -> None:
    with pytest.raises(TookTooLong, match="processor time") as caught:
        run(work)
    assert "for_ever" in {entry.name for entry in caught.traceback}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_what_is_lost_in_a_destructor_is_raised_again() -> None:
    with pytest.raises(TookTooLong):
        guarded(loses_the_first)


def test_a_pattern_that_would_take_for_ever_is_ended() -> None:
    with pytest.raises(TookTooLong):
        guarded(many_backtracks)


@pytest.mark.parametrize("run", [guarded, in_another_thread], ids=["main", "worker"])
def test_work_that_ends_gives_what_it_gives(run: Callable[[Callable[[], Any]], Any]) -> None:
    assert run(lambda: 7) == 7
    with pytest.raises(KeyError):
        run(partial(dict[str, int]().__getitem__, "x"))


def test_a_machine_that_is_busy_is_nobodys_mistake() -> None:
    """Waiting is no work: only processor time counts."""
    waited = threading.Event()
    assert guarded(partial(waited.wait, 5 * SOON)) is False


def test_what_other_threads_use_up_is_nobodys_mistake() -> None:
    """The kernel's timer counts the whole process; an egg answers for its own time only."""
    over = threading.Event()
    data = bytes(1_000_000)

    def burn() -> None:
        while not over.is_set():
            hashlib.sha256(data).digest()  # lets others run meanwhile

    def work() -> bool:
        until = time.thread_time() + SOON / 2
        while time.thread_time() < until:
            pass
        return True

    threads = [threading.Thread(target=burn) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        assert all(guarded(work) for _ in range(10))
        with pytest.raises(TookTooLong):
            guarded(for_ever)
    finally:
        over.set()
        for thread in threads:
            thread.join()


@pytest.mark.parametrize("run", [guarded, in_another_thread], ids=["main", "worker"])
def test_nothing_is_thrown_after_it_came_back(run: Callable[[Callable[[], Any]], Any]) -> None:
    """Work of just about the limit is either done or ended, and what comes after it is never hit."""

    def work() -> bool:
        until = time.thread_time() + SOON
        while time.thread_time() < until:
            pass
        return True

    for _ in range(10):
        try:
            assert run(work) is True
        except TookTooLong:
            continue
        finally:
            after = time.thread_time() + 0.002
            while time.thread_time() < after:
                pass
    assert signal.getitimer(signal.ITIMER_PROF) == (0.0, 0.0)
    assert not [
        thread for thread in threading.enumerate() if thread.name == "egg watchdog" and _stuck(thread)
    ]


def _stuck(thread: threading.Thread) -> bool:
    thread.join(5)
    return thread.is_alive()


class Switch:
    """A transform that loops while it is on."""

    def __init__(self) -> None:
        self.on = True
        self.threads: set[int] = set()

    def __call__(self, rows: Rows) -> Rows:
        self.threads.add(threading.get_ident())
        if self.on:
            for_ever()
        return rows


def poll(mapper: DeviceMapper, clock: FakeClock, at: float, ports: int = 1) -> Observation:
    clock.at = at
    rows = [port(number, uptime="1d") for number in range(1, ports + 1)]
    menus = {
        "/port/print": rows,
        "/other/print": rows,
        "/system/resource/print": [{"uptime": f"{100_000 + at:.0f}s"}],
    }
    return mapper.observe(Tier.T0, replies_from(mapper.commands(Tier.T0), menus, at=at))


def egg_that(transform: Switch) -> Collector:
    bad = replace(
        PORTS,
        name="bad",
        path="/other",
        scope="other",
        fields=(replace(PORTS.fields[1], key="other.flaps_total"),),
        reads=("flaps",),
        transform=transform,
    )
    return Collector(name="eggs", api=1, description="Eggs.", menus=(PORTS, bad))


def test_an_egg_that_loops_is_set_aside_the_rest_goes_on_and_it_comes_back() -> None:
    switch, clock = Switch(), FakeClock()
    mapper = DeviceMapper(make_device(), [egg_that(switch)], clock=clock)
    first = poll(mapper, clock, 0.0)
    assert values_of(first.frame)["port.flaps_total[*1]"] == 0
    assert "other.flaps_total[*1]" not in values_of(first.frame)
    [event] = events_of(first, "collector.quarantined")
    assert "TookTooLong" in event.message
    assert event.entity_id == "eggs.bad"
    again = poll(mapper, clock, 1.0)
    assert "/other/print" not in {command.path for command in mapper.commands(Tier.T0)}
    assert values_of(again.frame)["port.flaps_total[*1]"] == 0
    switch.on = False
    back = poll(mapper, clock, 301.0)
    assert values_of(back.frame)["other.flaps_total[*1]"] == 0
    assert events_of(back, "collector.released")


def test_an_egg_that_loops_over_very_many_rows_is_ended_in_its_thread() -> None:
    switch, clock = Switch(), FakeClock()
    mapper = DeviceMapper(make_device(), [egg_that(switch)], clock=clock)
    rows = [port(number) for number in range(1, 800)]
    answers = replies_from(
        mapper.commands(Tier.T0),
        {"/port/print": rows, "/other/print": rows, "/system/resource/print": [{"uptime": "1d"}]},
    )
    found = run_async(in_slices(mapper.observing(Tier.T0, answers)))
    assert events_of(found, "collector.quarantined")
    assert values_of(found.frame)["port.flaps_total[*799]"] == 0
    assert threading.main_thread().ident not in switch.threads


def test_telling_things_apart_is_guarded_too() -> None:
    def never(_before: object, _now: object) -> bool:
        for_ever()

    egg = Collector(name="eggs", api=1, description="Eggs.", menus=(replace(TABLE, same_thing=never),))
    mapper = DeviceMapper(make_device(), [egg], clock=FakeClock())
    rows = [{".id": "*1", "name": "a", "serial": "1"}]
    mapper.observe(Tier.T1, replies_from(mapper.commands(Tier.T1), {"/port/print": rows}))
    rows[0]["serial"] = "2"
    found = mapper.observe(Tier.T1, replies_from(mapper.commands(Tier.T1), {"/port/print": rows}))
    assert events_of(found, "collector.quarantined")


def test_the_limits_are_far_over_what_a_poll_may_take() -> None:
    assert watchdog.LIMIT_S >= 0.1
    assert watchdog.THREAD_LIMIT_S > watchdog.LIMIT_S
