"""Commands whose replies are too large, or take too long: they rest, and the others of the poll go on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from mtd.model.command import CANCELLED_TIMED_OUT, CANCELLED_TOO_LARGE, Command, Reply, Trap
from mtd.model.metric import Tier, Unit
from mtd.model.observation import Observation
from mtd.plugin import Gauge
from mtd.plugin.mapper import DeviceMapper
from mtd.testing.contract import FakeClock, make_device
from mtd.testing.observations import values_of
from mtd.testing.replies import replies_from, reply
from tests.unit.plugin.conftest import PORTS_EGG, SESSIONS, port

UPTIME = "/system/resource/print"
PORTS = "/port/print"
ROWS = Gauge(field="count", key="long.rows", unit=Unit.COUNT, description="Rows.", since="1")
COUNT = replace(SESSIONS, path="/long", requires="", fields=(ROWS,))


def paths(commands: Iterable[Command]) -> set[str]:
    return {command.path for command in commands}


def poll(mapper: DeviceMapper, clock: FakeClock, at: float, *, too_large: bool) -> Observation:
    clock.at = at
    answers: list[Reply] = []
    for command in mapper.commands(Tier.T0):
        if command.path == PORTS and too_large:
            answer = reply(command, at=at)
            answer.trap = Trap("more rows than we read", CANCELLED_TOO_LARGE)
            answers.append(answer)
        else:
            menus = {PORTS: [port(1)], UPTIME: [{"uptime": f"{1000 + at:.0f}s"}]}
            answers += replies_from([command], menus, at=at)
    return mapper.observe(Tier.T0, answers)


def test_a_reply_that_is_too_large_is_asked_for_again_after_a_rest_that_grows() -> None:
    clock = FakeClock()
    mapper = DeviceMapper(make_device(), [PORTS_EGG], clock=clock)
    asked = []
    for second in range(4 * 3600):
        clock.at = float(second)
        if PORTS in paths(mapper.commands(Tier.T0)):
            asked.append(second)
            poll(mapper, clock, float(second), too_large=True)
    rests = [after - before for before, after in zip(asked, asked[1:], strict=False)]
    assert len(asked) < 15  # it was 14,400
    assert min(rests) >= 40
    assert max(rests) <= 3601
    assert rests[-1] > rests[0]


def test_what_rests_is_told_and_the_rest_of_the_poll_goes_on() -> None:
    clock = FakeClock()
    mapper = DeviceMapper(make_device(), [PORTS_EGG], clock=clock)
    poll(mapper, clock, 0.0, too_large=True)
    assert paths(mapper.commands(Tier.T0)) == {UPTIME}
    assert [answer.command.path for answer in mapper.set_aside(Tier.T0)] == [PORTS]
    assert mapper.set_aside(Tier.T1) == []
    poll(mapper, clock, 30.0, too_large=False)

    back = poll(mapper, clock, 61.0, too_large=False)
    assert values_of(back.frame)["port.flaps_total[*1]"] == 0
    assert mapper.set_aside(Tier.T0) == []
    assert PORTS in paths(mapper.commands(Tier.T0))


def test_where_every_reply_is_too_large_all_is_asked_for() -> None:
    clock = FakeClock()
    mapper = DeviceMapper(make_device(), [PORTS_EGG], clock=clock)
    answers = [reply(command) for command in mapper.commands(Tier.T0)]
    for answer in answers:
        answer.trap = Trap("more rows than we read", CANCELLED_TOO_LARGE)
    mapper.observe(Tier.T0, answers)
    assert paths(mapper.commands(Tier.T0)) == {PORTS, UPTIME}


def unanswered(mapper: DeviceMapper, clock: FakeClock, tier: Tier, path: str, every_s: int) -> list[int]:
    """Return when a command is asked for that is never answered in time, within four hours."""
    asked = []
    for second in range(0, 4 * 3600, every_s):
        clock.at = float(second)
        answers = [reply(command, at=clock.at, ret=1) for command in mapper.commands(tier)]
        for answer in answers:
            if answer.command.path == path:
                asked.append(second)
                answer.trap = Trap("not answered in time", CANCELLED_TIMED_OUT)
        mapper.observe(tier, answers)
    return asked


def test_what_a_router_cannot_answer_in_time_is_asked_for_more_seldom_where_it_is_no_live_value() -> None:
    clock = FakeClock()
    mapper = DeviceMapper(
        make_device(), [PORTS_EGG, replace(PORTS_EGG, name="b", menus=(COUNT,))], clock=clock
    )
    asked = unanswered(mapper, clock, Tier.T2, "/long/print", 60)
    assert asked[:2] == [0, 60]
    assert len(asked) < 15  # it was 240
    assert [answer.command.path for answer in mapper.set_aside(Tier.T2)] == ["/long/print"]
    assert len(unanswered(mapper, clock, Tier.T0, PORTS, 60)) == 240
