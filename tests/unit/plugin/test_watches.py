from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtd.model.device import InterfaceNaming
from mtd.plugin.declaration import Labels
from mtd.plugin.latency import LatencyWatch
from mtd.plugin.reboot import RebootWatch
from mtd.plugin.things import Things


@pytest.mark.parametrize(
    ("uptime_s", "at", "rebooted"),
    [
        (101.0, 1.0, False),
        (100.0, 1.0, False),  # whole seconds
        (99.0, 1.0, True),
        (0.0, 1.0, True),
        (3700.0, 3600.0, False),
        (3000.0, 3600.0, True),  # up longer than before, but shorter than we looked away
        (3598.0, 3600.0, False),  # clocks differ a little
    ],
)
def test_reboots_are_told_by_the_uptime(uptime_s: float, at: float, rebooted: bool) -> None:
    watch = RebootWatch()
    assert watch.rebooted(100.0, 0.0) is False
    assert watch.rebooted(uptime_s, at) is rebooted
    assert watch.uptime_s == uptime_s


def test_an_answer_that_was_overtaken_is_no_reboot() -> None:
    watch = RebootWatch()
    watch.rebooted(100.0, 10.0)
    assert watch.rebooted(95.0, 5.0) is False
    assert watch.uptime_s == 100.0


@given(
    boot=st.floats(0, 1e6),
    silences=st.lists(st.tuples(st.floats(0.1, 1e5), st.booleans()), max_size=20),
    drift=st.floats(-1e-6, 1e-6),
)
def test_every_reboot_is_told_once_and_nothing_else_is(
    boot: float, silences: list[tuple[float, bool]], drift: float
) -> None:
    watch = RebootWatch()
    at, up = 0.0, boot
    watch.rebooted(float(int(up)), at)
    for silence, reboots in silences:
        at += silence
        # Somewhere in the silence, and at least the slack after we last looked.
        really = reboots and silence > 10.0
        up = silence / 2 if really else up + silence * (1 + drift)
        assert watch.rebooted(float(int(up)), at) is really


def test_a_latency_spike_is_far_over_the_usual_and_long_enough_to_matter() -> None:
    watch = LatencyWatch(1.0)
    assert [watch.is_spike(latency) for latency in (0.01, 0.012, 0.05, 0.3, 0.01)] == [
        False,
        False,
        False,
        True,
        False,
    ]
    assert LatencyWatch(60.0).is_spike(1.0) is False


def test_things_are_known_by_their_id_until_they_have_names() -> None:
    things = Things(InterfaceNaming.BOTH, "latin-1")
    assert things.instance("iface", b"*1") == "*1"
    assert things.label("iface", "*1") == "*1"
    assert things.named("iface", b"wan") is None
    version = things.scope("iface").version
    things.learn("iface", "*1", {"name": "wan", "comment": "Fibre"}, Labels(), None)
    assert things.label("iface", "*1") == "wan (Fibre)"
    assert things.named("iface", b"wan") == "*1"
    assert things.named("peer", b"wan") is None
    assert things.scope("iface").version > version
    version = things.scope("iface").version
    things.learn("iface", "*1", {"name": "wan", "comment": "Copper"}, Labels(), None)
    assert things.scope("iface").version == version
    assert things.names("iface") == {"*1": ("wan", "wan (Copper)")}
    things.forget("iface", "*1")
    assert things.named("iface", b"wan") is None
    assert things.names("iface") == {}


def test_what_log_lines_call_a_thing_is_known_where_it_is_not_the_label() -> None:
    things = Things(InterfaceNaming.COMMENT, "latin-1")
    assert things.logged_as("iface", "*1") == ""
    things.learn("iface", "*1", {"name": "wan", "comment": "Fibre"}, Labels(), None)
    assert things.logged_as("iface", "*1") == "wan"
    things.learn("iface", "*1", {"name": "wan", "comment": ""}, Labels(), None)
    assert things.logged_as("iface", "*1") == ""
    host = {"title": "office", "host": "192.0.2.9"}
    things.learn("watched", "*1", host, Labels(name="title", logged="host"), None)
    assert things.logged_as("watched", "*1") == "192.0.2.9"
    things.forget("watched", "*1")
    assert things.logged_as("watched", "*1") == ""


def test_speeds_are_known_until_the_link_is_lost() -> None:
    things = Things(InterfaceNaming.NAME, "latin-1")
    things.set_speed("iface", "*1", 1e9)
    version = things.speeds_version
    things.set_speed("iface", "*1", 1e9)
    assert (things.speed("iface", "*1"), things.speeds_version) == (1e9, version)
    things.set_speed("iface", "*1", None)
    assert things.speed("iface", "*1") is None
    assert things.speeds_version > version


def test_things_that_come_and_go_for_years_do_not_fill_the_memory() -> None:
    things = Things(InterfaceNaming.NAME, "latin-1")
    scope = things.scope("session")
    for number in range(20_000):
        raw_id = f"*{number:X}"
        things.learn("session", raw_id, {"name": f"user{number}"}, Labels(), lambda one, other: one == other)
        things.learn("peer", raw_id, {"name": f"peer{number}"}, Labels(), None)
        for name in ("session", "peer"):
            things.forget(name, raw_id)
            things.forget_id(name, raw_id)
    assert len(scope.known) == len(scope.gone) <= 5_000
    assert [scope.labels, scope.names, scope.names_of] == [{}, {}, {}]
    peers = things.scope("peer")
    assert [peers.known, peers.gone, peers.labels, peers.names, peers.names_of] == [{}] * 5


def test_a_name_that_two_things_have_is_the_others_when_one_is_gone() -> None:
    things = Things(InterfaceNaming.NAME, "latin-1")
    for raw_id in ("*1", "*2", "*3"):
        things.learn("session", raw_id, {"name": "joe"}, Labels(), None)
    assert things.named("session", b"joe") == "*3"
    things.forget("session", "*3")
    assert things.named("session", b"joe") == "*1"
    things.learn("session", "*1", {"name": "jim"}, Labels(), None)
    assert things.named("session", b"joe") == "*2"
    things.forget("session", "*2")
    assert things.named("session", b"joe") is None
    assert things.named("session", b"jim") == "*1"
    assert not things.scope("session").doubles


names = st.sampled_from(["joe", "jim", ""])


@given(
    steps=st.lists(st.tuples(st.sampled_from(["*1", "*2", "*3"]), st.none() | names), max_size=30),
)
def test_a_name_is_always_that_of_one_that_has_it(steps: list[tuple[str, str | None]]) -> None:
    things = Things(InterfaceNaming.NAME, "latin-1")
    there: dict[str, str] = {}
    for raw_id, name in steps:
        if name is None:
            things.forget("session", raw_id)
            there.pop(raw_id, None)
        else:
            things.learn("session", raw_id, {"name": name}, Labels(), None)
            there[raw_id] = name
        for known in ("joe", "jim"):
            found = things.named("session", known.encode())
            having = {one for one, its in there.items() if its == known}
            assert found in having if having else found is None
        counted = {name: list(there.values()).count(name) for name in ("joe", "jim")}
        assert things.scope("session").doubles == {name: n for name, n in counted.items() if n > 1}
