"""What routers have besides interfaces: meters, wireless networks, modems, queues, VPNs."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtd.lab.clock import LabClock
from mtd.lab.console import Console
from mtd.lab.menus.base import CommandError, Row
from mtd.lab.menus.wireless import clients, radios
from mtd.lab.meters import counted, reading, since_boot
from mtd.lab.personality import personality
from mtd.lab.scenario import Fault, RouterSpec
from mtd.lab.state import RouterState
from mtd.lab.truth import RouterTruth

S = 1000


def state_of(version: str = "7.16.2", **more: Any) -> RouterState:
    truth = RouterTruth(RouterSpec.model_validate({"name": "r", "version": version, **more}), 3)
    return RouterState(truth, personality(version), LabClock(0), lambda _fault: None)


def rows_of(state: RouterState, path: str, tick: int = 0) -> list[Row]:
    return Console(state).menus[path].rows(state, tick)


TRUTH = state_of(
    fault=[Fault(kind="reboot", at_s=100, boot_s=0), Fault(kind="counter-reset", at_s=200)]
).truth


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**7), st.integers(1, 10**6))
def test_counters_grow_by_no_more_than_half_as_much_again(
    thing: int, per_s: int, tick: int, later: int
) -> None:
    before, after = (counted(TRUTH, thing, per_s, 0, at) for at in (tick, tick + later))
    assert 0 <= after - before <= per_s * later * 3 / 2 / S + 1


def test_counters_begin_anew_with_the_router_and_with_a_reset() -> None:
    assert since_boot(TRUTH, 1, 1_000, 99 * S) > 10**6
    assert since_boot(TRUTH, 1, 1_000, 100 * S) == 0
    assert 10_000 < since_boot(TRUTH, 1, 1_000, 199 * S) < 150_000
    assert since_boot(TRUTH, 1, 1_000, 200 * S) == 0


@given(st.integers(0, 10**6), st.integers(-200, 200), st.integers(0, 50), st.integers(0, 10**7))
def test_readings_stay_within_reach(thing: int, middle: int, reach: int, tick: int) -> None:
    assert middle - reach - 1 <= reading(TRUTH, thing, middle, reach, tick) <= middle + reach


@pytest.mark.parametrize("version", ["6.49.10", "7.8", "7.16.2", "7.20.4"])
def test_two_versions_have_the_same_things(version: str) -> None:
    more = {"radios": 5, "wireless_clients": 20, "queues": 8, "modems": 2, "vpns": 3}
    one, other = state_of(version, **more), state_of("7.16.2", **more)
    assert radios(one) == radios(other)
    assert list(clients(one, 5 * S)) == list(clients(other, 5 * S))
    for path in ("/queue/simple", "/queue/tree", "/ip/ipsec/policy", "/interface/eoip"):
        assert rows_of(one, path, 5 * S) == rows_of(other, path, 5 * S)


@given(st.integers(0, 100), st.integers(0, 10**6))
def test_as_many_clients_as_there_should_be_each_once(count: int, tick: int) -> None:
    state = state_of(radios=4, wireless_clients=count, churn_pct=10, churn_every_s=1)
    found = list(clients(state, tick))
    assert len({client.id for client in found}) == len(found) == count
    assert not any(client.radio.disabled for client in found)
    assert all(-100 < client.signal_dbm < -30 for client in found)


def test_without_radios_there_is_nobody() -> None:
    assert list(clients(state_of(wireless_clients=5), 0)) == []


@pytest.mark.parametrize(
    ("version", "more", "there", "missing"),
    [
        ("6.49.10", {}, "/interface/wireless", "/interface/wifi"),
        ("6.49.10", {}, "/caps-man/remote-cap", "/interface/wireguard"),
        ("7.8", {}, "/interface/wireless", "/interface/wifiwave2"),
        ("7.8", {"wifi": "wifiwave2"}, "/interface/wifiwave2", "/caps-man/interface"),
        ("7.16.2", {}, "/interface/wifi", "/interface/wireless"),
        ("7.20.4", {"wifi": "wireless"}, "/caps-man/interface", "/interface/wifi"),
        ("6.43", {}, "/ip/ipsec/remote-peers", "/ip/ipsec/active-peers"),
        ("6.44", {}, "/ip/ipsec/active-peers", "/ip/ipsec/remote-peers"),
    ],
)
def test_versions_and_packages_have_menus_of_their_own(
    version: str, more: dict[str, Any], there: str, missing: str
) -> None:
    menus = Console(state_of(version, **more)).menus
    assert there in menus
    assert missing not in menus


@pytest.mark.parametrize(("version", "command"), [("6.49.10", "info"), ("7.8", "monitor")])
def test_modems_are_read_in_the_order_of_the_numbers(version: str, command: str) -> None:
    state = state_of(version, modems=2)
    menu = Console(state).menus["/interface/lte"]
    assert list(menu.monitors) == [command]
    monitor = menu.monitors[command]
    [first] = monitor(state, 0, {b"numbers": b"lte1"})
    [second] = monitor(state, 0, {b"numbers": b"*C00002"})
    assert monitor(state, 0, {b"numbers": b"*C00002,*C00001"}) == [second, first]
    assert b"nr-rsrp" in second
    assert b"nr-rsrp" not in first
    assert b"name" not in first
    with pytest.raises(CommandError):
        monitor(state, 0, {b"numbers": b"lte1,lte9"})


def test_queues_of_sessions_are_those_that_are_there() -> None:
    state = state_of(queues=3, pppoe=5, fault=[Fault(kind="pppoe-drop", at_s=10, sessions=2)])
    dynamic = [
        [row[b"dynamic"] for row in rows_of(state, "/queue/simple", tick)].count(b"true")
        for tick in (0, 11 * S)
    ]
    assert dynamic == [5, 2]


def test_an_association_for_each_direction_of_a_tunnel_that_is_up() -> None:
    state = state_of(vpns=5)
    for tick, up in ((0, 4), (550 * S, 3)):
        assert len(rows_of(state, "/ip/ipsec/active-peers", tick)) == up
        assert len(rows_of(state, "/ip/ipsec/installed-sa", tick)) == 2 * up
