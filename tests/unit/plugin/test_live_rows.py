"""Which rows the live tier reads: what is asked on the wire, what is told, and that no value is lost by it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from mtd.model.metric import Lane, Tier
from mtd.model.observation import Observation
from mtd.model.selection import TABLE, T0Settings, Why
from mtd.plugin import Chooses, Collector, Menu, Selectable, TableKind, columns
from mtd.plugin.config import T0Config
from mtd.plugin.mapper import DeviceMapper
from mtd.testing.contract import FakeClock, make_device
from tests.unit.plugin.conftest import PORTS, Scene
from tests.unit.plugin.conftest import TABLE as NAMES

UPLINKS = Menu(
    name="routes",
    path="/route",
    kind=TableKind.CURRENT_STATE,
    tier=Tier.T1,
    table="route",
    row_key=".id",
    fields=columns("interface", "active"),
    chooses=(Chooses(why=Why.UPLINK, scope="port", field="interface", where=(("active", "true"),)),),
)
EGG = Collector(
    name="ports",
    api=1,
    description="Ports.",
    menus=(replace(PORTS, selectable=Selectable(traffic=("byte",), noun="interface")), NAMES, UPLINKS),
)
SPEED = 1000  # bytes per second of port 1; port n has n times as much


class Router:
    """A router whose ports count, and the mapper that reads it."""

    def __init__(self, ports: int, *, pins: Iterable[str] = (), **config: Any) -> None:
        device = replace(make_device(), t0=T0Settings(pins=tuple(pins)))
        self.config = {"interfaces": 3, **config}
        self.clock = FakeClock()
        self.device = device
        self.ports = {number: number * SPEED for number in range(1, ports + 1)}
        self.down: set[int] = set()
        self.uplinks: list[str] = []
        self.values: list[tuple[str, float, dict[tuple[str, str], float]]] = []
        self.told: list[Any] = []
        self.tables: list[Mapping[str, Mapping[str, str]]] = []
        self.counted: dict[int, float] = {}
        self.at = 0.0
        self.start()

    def start(self) -> None:
        """Begin as mtd does at its start."""
        mapper = DeviceMapper(self.device, [EGG], t0=T0Config(**self.config), clock=self.clock)
        self.scene = Scene(mapper, self.clock)

    def rows(self) -> list[dict[str, Any]]:
        return [
            {
                ".id": f"*{number:X}",
                "name": f"port{number}",
                "serial": number,
                "byte": int(self.counted.get(number, 0)),
                "flaps": 0,
                "up": number not in self.down,
                "off": False,
            }
            for number in self.ports
        ]

    def poll(self, tier: Tier, **more: Any) -> Observation:
        routes = [{".id": f"*{n}", "interface": name, "active": True} for n, name in enumerate(self.uplinks)]
        out = self.scene.poll(tier, self.at, port=self.rows(), route=routes, **more)
        if out.frame is not None:
            values: dict[tuple[str, str], float] = {}
            for lane, numbers in ((Lane.COUNTER, out.frame.counters), (Lane.RATE, out.frame.rates)):
                for series, number in zip(out.frame.layout.lane(lane), numbers, strict=True):
                    if number is not None and not math.isnan(number):
                        values[series.metric, series.instance] = number
            self.values.append((tier, self.at, values))
        self.told += out.state_changes
        self.tables += [change.upserted for change in out.tables if change.table == TABLE]
        return out

    def pass_time(self, seconds: float) -> None:
        self.at += seconds
        for number, speed in self.ports.items():
            self.counted[number] = self.counted.get(number, 0) + speed * seconds

    def run(self, seconds: int) -> None:
        """Poll for so long: each second at T0, and at T1 at the end of every ten."""
        for _ in range(seconds):
            self.pass_time(1.0)
            self.poll(Tier.T0)
            if round(self.at) % 10 == 0:
                self.poll(Tier.T1)

    def asks(self, tier: Tier) -> tuple[str, ...] | None:
        """Return the query words of the command that reads the counters; None if there is no such command."""
        for command in self.scene.mapper.commands(tier):
            if command.path == "/port/print" and "byte" in command.proplist:
                return command.queries
        return None

    def live(self) -> list[int]:
        """Return the ports of the newest live frame."""
        return self.read_by(Tier.T0)

    def read_by(self, tier: Tier) -> list[int]:
        _, _, values = [one for one in self.values if one[0] is tier][-1]
        return sorted(
            int(row.removeprefix("*"), 16) for metric, row in values if metric == "port.rx_bytes_total"
        )

    def changes(self) -> list[tuple[str, str]]:
        return [(e.entity_label, e.new) for e in self.told if e.event_type == "interface.tier.changed"]


def test_a_router_within_the_limits_is_asked_as_ever() -> None:
    router = Router(3)
    router.run(30)
    assert router.asks(Tier.T0) == ()
    assert router.asks(Tier.T1) is None
    assert router.live() == [1, 2, 3]
    assert router.told == []
    assert not any(router.tables)


def test_of_a_larger_one_each_tier_asks_for_its_own_rows_with_one_command() -> None:
    router = Router(6)
    router.run(1)
    assert router.asks(Tier.T0) == (".id=*4", ".id=*5", ".id=*6", "#||")
    router.run(20)
    assert router.asks(Tier.T0) == (".id=*4", ".id=*5", ".id=*6", "#||")
    assert router.asks(Tier.T1) == (".id=*4", ".id=*5", ".id=*6", "#||!")
    assert router.live() == [4, 5, 6]
    assert router.read_by(Tier.T1) == [1, 2, 3]
    assert router.changes() == []


def test_one_place_and_none() -> None:
    router = Router(3, interfaces=1)
    router.run(20)
    assert (router.asks(Tier.T0), router.asks(Tier.T1)) == ((".id=*3",), (".id=*3", "#!"))
    router = Router(3, interfaces=0)
    router.run(20)
    assert (router.asks(Tier.T0), router.asks(Tier.T1)) == (None, ())
    assert router.read_by(Tier.T1) == [1, 2, 3]
    assert router.tables[-1]["port:"]["reason"] == "rest"


def test_the_budget_of_values_counts_what_else_is_read() -> None:
    """A port has two counters and a state."""
    router = Router(6, interfaces=10, metrics=8)
    router.run(20)
    assert router.live() == [5, 6]


def test_an_uplink_comes_to_the_live_tier_with_an_event_and_without_a_gap() -> None:
    router = Router(6)
    router.run(40)
    router.uplinks = ["port1"]
    router.run(20)
    assert router.live() == [1, 4, 5, 6]  # the slower tier has just read port 4: so long it stays
    router.run(1)
    assert router.live() == [1, 5, 6]
    assert router.read_by(Tier.T1) == [2, 3, 4]
    assert router.changes() == [("port1", "t0"), ("port4", "t1")]
    (came, went) = (e for e in router.told if e.event_type == "interface.tier.changed")
    assert came.message == "port1 is read every 1 s now: a default route leaves by it"
    assert (came.entity_id, came.old, came.new) == ("*1", "t1", "t0")
    assert went.message == "port4 is read every 10 s now: others matter more, or have more traffic"
    assert_nothing_is_lost(router, since=20)


def test_a_route_that_is_not_active_or_leaves_by_something_unknown_chooses_nothing() -> None:
    router = Router(6)
    router.uplinks = ["pppoe-out1", ""]
    router.run(40)
    assert router.live() == [4, 5, 6]


def test_an_uplink_that_is_none_any_more_stays_until_others_have_more_traffic() -> None:
    router = Router(6, interfaces=2)
    router.uplinks = ["port1"]
    router.run(60)
    assert router.live() == [1, 6]
    router.uplinks = []
    router.run(60)
    assert router.live() == [5, 6]
    assert_nothing_is_lost(router, since=20)


def test_pins_are_there_over_the_limit_by_name_and_by_id() -> None:
    router = Router(9, interfaces=1, pins=["port2", "*3", "nothing"])
    router.run(30)
    assert router.live() == [2, 3]
    assert {row["instance"]: row["reason"] for row in router.tables[-1].values()} == {
        "*2": "pinned",
        "*3": "pinned",
    }


def test_why_is_in_a_table_once_it_is_settled_and_changes_with_the_reason() -> None:
    router = Router(6)
    router.run(10)
    assert router.tables == [
        {
            f"port:*{number}": {
                "scope": "port",
                "instance": f"*{number}",
                "tier": "t0",
                "rest": "t1",
                "reason": "traffic",
            }
            for number in (4, 5, 6)
        }
    ]
    router.uplinks = ["port6"]
    router.run(20)
    assert router.tables[-1]["port:*6"]["reason"] == "uplink"
    assert len(router.tables) == 2
    assert router.changes() == []


def test_traffic_is_compared_every_five_minutes_and_noise_moves_nothing() -> None:
    router = Router(6)
    router.run(310)
    router.ports[3] = 4 * SPEED + 10  # no quarter more
    router.run(300)
    assert router.changes() == []
    router.ports[3] = 100 * SPEED
    router.run(100)
    assert router.changes() == []
    router.run(500)
    assert router.changes() == [("port3", "t0"), ("port4", "t1")]
    assert_nothing_is_lost(router, since=20)


def test_a_port_that_is_added_is_read_at_the_slower_tier_and_one_that_goes_makes_room() -> None:
    router = Router(6)
    router.run(40)
    router.ports[7] = 7 * SPEED
    router.run(20)
    assert router.read_by(Tier.T1) == [1, 2, 3, 7]
    del router.ports[6]
    router.run(20)
    assert router.live() == [3, 4, 5]  # of port 7 nothing is known before its first five minutes
    router.run(600)
    assert router.live() == [4, 5, 7]
    assert router.changes() == [("port3", "t0"), ("port7", "t0"), ("port3", "t1")]


def test_a_router_that_shrinks_to_the_limits_is_read_as_a_whole_again_and_back() -> None:
    router = Router(5)
    router.run(40)
    del router.ports[1], router.ports[5]
    router.run(30)
    assert router.asks(Tier.T0) == ()
    assert router.asks(Tier.T1) is None
    assert router.live() == [2, 3, 4]
    assert router.tables[-1] == {}
    router.ports |= {8: 1, 9: 1}
    router.run(30)
    assert router.live() == [2, 3, 4]
    assert router.read_by(Tier.T1) == [8, 9]


def test_the_group_that_was_left_empty_says_so_once() -> None:
    """Else its last values would stay the newest for ever."""
    router = Router(4)
    router.run(40)
    del router.ports[1]
    router.run(10)
    frames = [router.poll(Tier.T1).frame for _ in range(3)]
    layouts = [frame.layout.series for frame in frames if frame is not None]
    assert [layout for tier, _, layout in router.values if tier is Tier.T1][-1] == {}
    assert layouts == []


def test_what_was_chosen_stays_over_a_restart() -> None:
    router = Router(6)
    router.run(310)
    router.uplinks = ["port1"]
    router.run(20)
    table = router.tables[-1]
    router.start()
    names = {row[".id"]: {k: str(v) for k, v in row.items()} for row in router.rows()}
    router.scene.mapper.restore_table("port", names)
    router.scene.mapper.restore_table(TABLE, table)
    router.told.clear()
    router.run(1)
    assert router.asks(Tier.T0) == (".id=*1", ".id=*5", ".id=*6", "#||")
    router.run(40)
    assert router.live() == [1, 5, 6]
    assert router.changes() == []
    assert router.tables[-1] == table


def test_limits_that_were_lifted_leave_no_table_and_no_old_values() -> None:
    router = Router(6)
    router.run(40)
    table = router.tables[-1]
    router.config = {"interfaces": "all"}
    router.start()
    router.scene.mapper.restore_table(TABLE, table)
    router.run(20)
    assert router.live() == [1, 2, 3, 4, 5, 6]
    assert router.tables[-1] == {}
    assert [values for tier, at, values in router.values if tier is Tier.T1 and at > 40] == [{}]


def test_a_change_of_state_while_a_row_moves_is_told() -> None:
    router = Router(6)
    router.run(40)
    router.uplinks = ["port1"]
    router.run(9)
    router.down = {1, 4}
    router.run(20)
    downs = [e.entity_label for e in router.told if e.event_type == "port.changed"]
    assert sorted(downs) == ["port1", "port4"]


def test_a_reboot_while_a_row_moves_gives_no_rate() -> None:
    router = Router(6)
    router.run(40)
    router.uplinks = ["port1"]
    router.poll(Tier.T1)
    router.counted = {number: 10**9 for number in router.ports}  # higher than before
    router.scene.uptime_s = -router.at
    router.pass_time(1.0)
    router.poll(Tier.T0)
    _, _, values = router.values[-1]
    assert not [metric for metric, _ in values if metric == "port.rx_bps"]


def test_a_reply_that_does_not_come_takes_nothing_away() -> None:
    router = Router(6)
    router.run(40)
    router.uplinks = ["port1"]
    router.poll(Tier.T1)
    router.scene.refuse(Tier.T0, router.at, "interrupted")
    assert router.asks(Tier.T1) == (".id=*5", ".id=*6", "#|!")
    router.run(20)
    assert router.live() == [1, 5, 6]


def test_other_menus_of_the_tier_keep_their_plan(make_scene: Callable[..., Scene]) -> None:
    """Only a plan that asks for other rows is made anew: a poll under way is answered to its own plan."""
    router = Router(6)
    router.run(40)
    before = router.scene.mapper.commands(Tier.T0)
    router.run(5)
    after = router.scene.mapper.commands(Tier.T0)
    assert all(one is other for one, other in zip(before, after, strict=True))


def test_a_plan_never_changes_under_a_poll() -> None:
    router = Router(6)
    router.run(39)
    router.pass_time(0.5)
    asked = router.scene.mapper.commands(Tier.T0)
    router.uplinks = ["port1"]
    router.poll(Tier.T1)  # chooses anew while the live poll is under way
    from mtd.testing.replies import replies_from

    router.scene.menus["/port/print"] = router.rows()
    out = router.scene.mapper.observe(Tier.T0, replies_from(asked, router.scene.menus, at=router.at))
    assert out.frame is not None
    assert {s.instance for s in out.frame.layout.series} == {"*4", "*5", "*6"}
    assert None not in out.frame.counters


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("uplink"), st.integers(1, 8)),
            st.tuples(st.just("speed"), st.integers(1, 8)),
            st.tuples(st.just("add"), st.integers(9, 14)),
            st.tuples(st.just("remove"), st.integers(9, 14)),
        ),
        max_size=8,
    )
)
def test_whatever_moves_every_port_is_read_and_no_rate_is_wrong(steps: list[tuple[str, int]]) -> None:
    router = Router(8, interfaces=4, evaluate_s=20)
    router.run(20)
    for step, number in steps:
        if step == "uplink":
            router.uplinks = [f"port{number}"]
        elif step == "speed":
            router.ports[number] *= 3
        elif step == "add":
            router.ports[number] = number * SPEED
        else:
            router.ports.pop(number, None)
        router.run(15)
    router.run(30)
    assert len(router.live()) in range(4, 9)  # those that are being handed over are read by both
    assert {*router.live(), *router.read_by(Tier.T1)} == set(router.ports)
    assert_nothing_is_lost(router, since=20, kept=range(1, 9))


def assert_nothing_is_lost(router: Router, *, since: float, kept: Iterable[int] = range(1, 7)) -> None:
    """Each port was read within the slow interval, each time with its rate, and that is true while none changes."""
    for number in kept:
        key = ("port.rx_bps", f"*{number:X}")
        counted = ("port.rx_bytes_total", f"*{number:X}")
        polls = [(at, values) for _, at, values in router.values if at >= since and counted in values]
        seen = sorted({at for at, _ in polls})
        assert seen[-1] >= router.at - 10
        assert all(later - earlier <= 11 for earlier, later in zip(seen, seen[1:], strict=False))
        assert all(key in values for _, values in polls), f"port{number} had no rate"
        if router.ports.get(number) == number * SPEED:
            assert {round(values[key]) for _, values in polls} == {8 * number * SPEED}
