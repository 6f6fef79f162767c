"""Who is to poll what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtd.coordination.planning import Plan, Planner
from mtd.coordination.rendezvous import percent_of, score
from mtd.storage.stores.assignments import (
    ASSIGNED,
    EXCLUSIVE,
    FREE,
    LEASE,
    RELEASING,
    WITHDRAWN,
    AssignmentRow,
    Picture,
    PlacedDevice,
    SettingRow,
)
from mtd.storage.stores.memberships import ONLINE, MemberRow

TENANT, OTHER = "00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002"
NOW_S = 1_000


def member(name: str, tenants: Collection[str] | None = None) -> MemberRow:
    """Return a collector that takes part."""
    served = None if tenants is None else frozenset(tenants)
    return MemberRow("t", name, name, "i", 1, "1.0", False, served, ONLINE, 0, 0)


def device(number: int, **changes: object) -> PlacedDevice:
    """Return a device of the tenant, at no site."""
    made = PlacedDevice(TENANT, f"10000000-0000-4000-8000-{number:012}", "", "", 1)
    return replace(made, **changes)  # type: ignore[arg-type]


class World:
    """Devices, collectors, and what was decided so far."""

    def __init__(self, devices: Iterable[PlacedDevice]) -> None:
        self.devices = list(devices)
        self.members: dict[str, MemberRow] = {}
        self.settings: dict[str, SettingRow] = {}
        self.groups: dict[str, frozenset[str]] = {}
        self.disabled: frozenset[str] = frozenset()
        self.rows: dict[tuple[str, int], AssignmentRow] = {}
        self.alive: set[str] = set()
        self.planner = Planner()

    def come(self, *names: str, tenants: Collection[str] | None = None) -> None:
        """Have collectors take part."""
        for name in names:
            self.members[name] = member(name, tenants)
            self.alive.add(name)

    def say(self, name: str, **said: object) -> None:
        """Have an operator say something about a collector."""
        self.settings[name] = replace(self.settings.get(name, SettingRow(name)), **said)  # type: ignore[arg-type]

    def decide(self) -> Plan:
        """Decide once."""
        picture = Picture(
            1,
            self.devices,
            self.members,
            self.settings,
            self.groups,
            self.disabled,
            list(self.rows.values()),
        )
        plan = self.planner.plan(picture, self.alive, NOW_S)
        for row in plan.changes:
            self.rows[(row.device_id, row.slot)] = row
        return plan

    def obey(self) -> None:
        """Have all collectors that are there do as they are told."""
        for key, row in self.rows.items():
            if row.collector_id in self.alive and row.state == RELEASING:
                self.rows[key] = replace(row, state=FREE, hold=LEASE)
            elif row.collector_id in self.alive and row.hold == WITHDRAWN:
                self.rows[key] = replace(row, hold=LEASE)

    def obey_of(self, name: str, polls: dict[str, str]) -> None:
        """Have one collector do as it is told; ``polls``: how it holds what it polls."""
        polls.clear()
        for key, row in self.rows.items():
            if row.collector_id != name:
                continue
            if row.state == RELEASING:
                self.rows[key] = replace(row, state=FREE, hold=LEASE)
            elif row.state == ASSIGNED:
                polls[row.device_id] = row.hold
                if row.hold == WITHDRAWN:
                    self.rows[key] = replace(row, hold=LEASE)
                    polls[row.device_id] = LEASE

    def settle(self) -> Counter[str]:
        """Decide until nothing changes; return the reasons of moves."""
        reasons: Counter[str] = Counter()
        for _ in range(8):
            plan = self.decide()
            reasons.update(move.reason for move in plan.moves if move.old)
            if not plan.changes:
                return reasons
            self.obey()
        raise AssertionError("it never settles")

    def owners(self, slot: int = 0) -> Mapping[str, str]:
        """Return who polls what."""
        return {
            row.device_id: row.collector_id
            for row in self.rows.values()
            if row.slot == slot and row.state == ASSIGNED
        }


def test_alone_it_has_everything_exclusively() -> None:
    world = World(device(number) for number in range(10))
    world.come("a")
    world.settle()
    assert set(world.owners().values()) == {"a"}
    assert {row.hold for row in world.rows.values()} == {EXCLUSIVE}


def test_a_second_one_gets_its_part_once_it_was_let_go() -> None:
    world = World(device(number) for number in range(40))
    world.come("a")
    world.settle()
    world.come("b")
    plan = world.decide()
    assert not plan.moves  # nothing before the other let go
    states = Counter(row.state for row in world.rows.values())
    assert states[RELEASING] + states[ASSIGNED] == 40
    assert states[RELEASING] > 5
    assert all(row.hold == WITHDRAWN for row in world.rows.values())
    world.obey()
    world.settle()
    counts = Counter(world.owners().values())
    assert counts["b"] == states[RELEASING]
    assert {row.hold for row in world.rows.values()} == {LEASE}


def test_what_is_over_goes_to_others_with_a_new_epoch() -> None:
    world = World(device(number) for number in range(20))
    world.come("a", "b")
    world.settle()
    before = dict(world.rows)
    lost = {key for key, row in before.items() if row.collector_id == "a"}
    assert lost
    world.alive.discard("a")
    assert set(world.settle()) == {"offline"}
    for key, row in world.rows.items():
        assert row.collector_id == "b"
        assert row.hold == EXCLUSIVE
        assert (row.granted_epoch > before[key].granted_epoch) == (key in lost)


def test_who_has_devices_alone_keeps_them_until_an_operator_says_otherwise() -> None:
    world = World(device(number) for number in range(5))
    world.come("edge")
    world.settle()
    world.alive.discard("edge")
    world.come("b")
    plan = world.decide()
    assert not plan.changes
    assert Counter(plan.held.values()) == {"edge": 5}
    for key, row in world.rows.items():
        world.rows[key] = replace(row, hold=LEASE, reason="operator")
    assert world.settle() == {"operator": 5}
    assert set(world.owners().values()) == {"b"}


def test_a_withdrawal_that_was_not_heard_keeps_devices_in_place() -> None:
    world = World([device(1)])
    world.come("a")
    world.settle()
    world.come("b")
    world.decide()  # a is told, and ends before it says that it heard
    world.alive.discard("a")
    plan = world.decide()
    assert not plan.moves
    assert plan.held


def test_a_collector_that_is_shut_out_holds_nothing() -> None:
    world = World([device(1)])
    world.come("a")
    world.settle()
    world.come("b")
    world.alive.discard("a")
    world.disabled = frozenset({"a"})
    world.settle()
    assert set(world.owners().values()) == {"b"}


def test_a_drained_collector_has_none_but_what_nobody_else_can_poll() -> None:
    world = World([device(1), device(2, tenant_id=OTHER)])
    world.come("a")
    world.come("b", tenants=[TENANT])
    world.say("a", draining=True)
    world.settle()
    assert world.owners() == {world.devices[0].device_id: "b", world.devices[1].device_id: "a"}


def test_tenants_are_polled_by_who_may() -> None:
    world = World([device(1), device(2, tenant_id=OTHER)])
    world.come("a", tenants=[TENANT])
    plan = world.decide()
    assert plan.unserved == [world.devices[1].device_id]
    world.come("b", tenants=[TENANT, OTHER])
    world.settle()
    assert world.owners()[world.devices[1].device_id] == "b"


def test_pins_and_sites_come_before_hashes() -> None:
    world = World(
        [device(number, site_id="s1") for number in range(20)]
        + [device(20 + number, site_id="s1", pin="b") for number in range(5)]
        + [device(30 + number) for number in range(20)]
    )
    world.come("a", "b", "c")
    world.say("a", sites=frozenset({"s1"}))
    world.settle()
    owners = world.owners()
    assert {owners[one.device_id] for one in world.devices[:20]} == {"a"}
    assert {owners[one.device_id] for one in world.devices[20:25]} == {"b"}
    assert {owners[one.device_id] for one in world.devices[25:]} == {"b", "c"}
    world.alive.discard("a")
    world.settle()
    assert set(world.owners().values()) == {"b", "c"}


def test_sites_that_are_a_collectors_only_wait_for_it() -> None:
    world = World([device(1, site_id="s1"), device(2)])
    world.come("b")
    world.say("edge", sites=frozenset({"s1"}), sites_only=True)
    plan = world.decide()
    assert plan.unserved == [world.devices[0].device_id]
    world.come("edge")
    world.settle()
    assert world.owners() == {world.devices[0].device_id: "edge", world.devices[1].device_id: "b"}
    assert world.rows[(world.devices[0].device_id, 0)].hold == EXCLUSIVE


@pytest.mark.parametrize("percent", [0, 25, 100])
def test_a_canary_tries_its_part(percent: int) -> None:
    world = World(device(number) for number in range(60))
    chosen = frozenset(one.device_id for one in world.devices[:3])
    world.groups = {"g": chosen}
    world.come("a", "new")
    world.say("new", canary_percent=percent, canary_group_id="g")
    world.settle()
    tried = {key for key, owner in world.owners().items() if owner == "new"}
    assert tried == chosen | {one.device_id for one in world.devices if percent_of(one.device_id) < percent}
    world.alive.discard("a")
    world.settle()
    assert set(world.owners().values()) == {"new"}  # rather a canary than nobody


def test_two_poll_what_is_redundant_under_one_epoch() -> None:
    world = World([device(1, redundancy=2), device(2)])
    world.come("a", "b", "c")
    world.settle()
    first, second = (world.rows[(world.devices[0].device_id, slot)] for slot in (0, 1))
    assert first.collector_id != second.collector_id
    assert first.epoch == second.epoch
    world.alive.discard(second.collector_id)
    world.settle()
    third = world.rows[(world.devices[0].device_id, 1)]
    assert third.collector_id not in (first.collector_id, second.collector_id)
    assert world.rows[(world.devices[0].device_id, 0)].epoch == third.epoch > second.epoch
    assert world.rows[(world.devices[0].device_id, 0)].granted_epoch == first.granted_epoch
    world.devices[0] = replace(world.devices[0], redundancy=1)
    world.settle()
    assert len([row for row in world.rows.values() if row.state == ASSIGNED]) == 2


def test_back_before_it_was_let_go_is_a_new_assignment() -> None:
    world = World(device(number) for number in range(30))
    world.come("a")
    world.settle()
    world.come("b")
    world.decide()
    going = {key: row for key, row in world.rows.items() if row.state == RELEASING}
    world.alive.discard("b")
    del world.members["b"]
    world.decide()
    for key, row in going.items():
        assert world.rows[key].state == ASSIGNED
        assert world.rows[key].collector_id == "a"
        assert (
            world.rows[key].granted_epoch > row.granted_epoch
        )  # what was said of the old one is out of date


WEIGHTS = st.lists(st.sampled_from([0.5, 1.0, 2.0, 4.0]), min_size=2, max_size=6)


@settings(deadline=None, max_examples=40)
@given(weights=WEIGHTS, gone=st.integers(0, 5))
def test_nothing_moves_but_what_has_to(weights: list[float], gone: int) -> None:
    """A collector that goes leaves only its own; one that comes takes only what is its own now."""
    world = World(device(number) for number in range(80))
    names = [f"c{number}" for number in range(len(weights))]
    world.come(*names)
    for name, weight in zip(names, weights, strict=True):
        world.say(name, weight=weight)
    world.settle()
    before = dict(world.owners())
    lost = names[gone % len(names)]
    world.alive.discard(lost)
    world.settle()
    after = world.owners()
    assert len(after) == 80
    for key, owner in before.items():
        assert (after[key] == owner) == (owner != lost)
    world.come(lost)
    world.settle()
    assert world.owners() == before


def test_shares_follow_weights() -> None:
    keys = [f"device-{number}" for number in range(4000)]
    weights = {"a": 1.0, "b": 2.0, "c": 5.0}
    owners = Counter(max(weights, key=lambda name: score(key, name, weights[name])) for key in keys)
    for name, weight in weights.items():
        assert owners[name] / 4000 == pytest.approx(weight / 8.0, abs=0.03)


@settings(deadline=None, max_examples=60)
@given(
    steps=st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from(["go", "come", "decide", "obey", "drain"]))
    )
)
def test_never_two_at_a_time(steps: list[tuple[str, str]]) -> None:
    """Whatever happens: who was told of a device, and didn't let it go, has it as long as it may poll it."""
    world = World(device(number) for number in range(6))
    polls: dict[str, dict[str, str]] = {name: {} for name in "abc"}  # device -> hold, as a collector knows it
    for name, what in steps:
        if what == "come" and name not in world.alive:
            world.come(name)
            polls[name] = {key: hold for key, hold in polls[name].items() if hold == EXCLUSIVE}
        elif what == "go":
            world.alive.discard(name)
            # Its lease is over; what it has exclusively it polls on.
            polls[name] = {key: hold for key, hold in polls[name].items() if hold == EXCLUSIVE}
        elif what == "drain":
            world.say(name, draining=not world.settings.get(name, SettingRow(name)).draining)
        elif what == "decide":
            world.decide()
        elif name in world.alive:
            world.obey_of(name, polls[name])
        holders = Counter(key for mine in polls.values() for key in mine)
        assert all(count == 1 for count in holders.values()), holders
