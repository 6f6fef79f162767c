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
    version = things.version
    things.learn("iface", "*1", {"name": "wan", "comment": "Fibre"}, Labels(), None)
    assert things.label("iface", "*1") == "wan (Fibre)"
    assert things.named("iface", b"wan") == "*1"
    assert things.named("peer", b"wan") is None
    assert things.version > version
    version = things.version
    things.learn("iface", "*1", {"name": "wan", "comment": "Copper"}, Labels(), None)
    assert things.version == version
    things.forget_name("iface", "*1")
    assert things.named("iface", b"wan") is None


def test_speeds_are_known_until_the_link_is_lost() -> None:
    things = Things(InterfaceNaming.NAME, "latin-1")
    things.set_speed("iface", "*1", 1e9)
    version = things.speeds_version
    things.set_speed("iface", "*1", 1e9)
    assert (things.speed("iface", "*1"), things.speeds_version) == (1e9, version)
    things.set_speed("iface", "*1", None)
    assert things.speed("iface", "*1") is None
    assert things.speeds_version > version
