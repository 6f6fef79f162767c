"""Scenario files."""

from pathlib import Path

import pytest

from mtd.lab import scenario as scenarios
from mtd.lab.clock import LabClock
from mtd.lab.personality import duration, personality
from mtd.lab.scenario import FleetSpec, Scenario, ScenarioError, Tls
from mtd.lab.world import World


@pytest.mark.parametrize("name", scenarios.shipped())
def test_what_is_shipped_can_be_loaded_and_says_what_it_is(name: str) -> None:
    scenario = scenarios.load(name)
    assert scenario.description
    assert scenario.routers()


def test_every_fault_is_shown_by_a_shipped_scenario() -> None:
    shown = {
        fault.kind
        for name in scenarios.shipped()
        for spec in scenarios.load(name).router
        for fault in spec.fault
    }
    assert set(scenarios.FaultKind) - shown == {scenarios.FaultKind.RENAME}


def test_a_fleet_takes_versions_and_transports_in_turn() -> None:
    routers = FleetSpec(routers=8, versions=["6.49.10", "7.16.2"], tls=[Tls.OFF, Tls.CA]).expand()
    assert [router.version[0] for router in routers] == list("67676767")
    assert [router.tls.value for router in routers] == ["off", "off", "ca", "ca"] * 2
    assert routers[7].name == "lab-0008"


def test_errors_name_file_place_and_all_of_them(tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text('sed = 1\n[[router]]\nname = "a"\nversion = "seven"\n[[router.fault]]\nkind = "x"\n')
    with pytest.raises(ScenarioError) as caught:
        scenarios.load(path)
    for place in (str(path), "sed", "router.0.version", "router.0.fault.0.kind"):
        assert place in str(caught.value)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("[fleet", "bad.toml"),
        ("", "no router"),
        ('[[router]]\nname = "a"\n[[router]]\nname = "a"\n', "same name"),
        ('[[router]]\nname = "a"\nport = 5\n[[router]]\nname = "b"\nport = 5\n', "same port"),
    ],
)
def test_scenarios_that_make_no_sense_are_refused(tmp_path: Path, text: str, word: str) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(ScenarioError, match=word):
        scenarios.load(path)


def test_an_unknown_name_lists_what_there_is() -> None:
    with pytest.raises(ScenarioError, match="steady"):
        scenarios.load("no-such-scenario")


def test_resizing_changes_the_fleet_and_all_interfaces() -> None:
    resized = scenarios.load("reboot").resized(10, 5)
    assert len(resized.routers()) == 11
    assert {spec.interfaces for spec in resized.routers()} == {5}
    assert Scenario(router=scenarios.load("reboot").router).resized(2, None).routers()[1].interfaces == 30


def test_a_world_follows_from_file_and_epoch(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text("seed = 9\n[fleet]\nrouters = 2\n")
    first, second = World.from_file(path, epoch_us=10**15), World.from_file(path, epoch_us=10**15)
    assert first.router("lab-0002").counters(5) == second.router("lab-0002").counters(5)
    assert len(first) == 2


def test_the_clock_counts_milliseconds_from_its_epoch() -> None:
    clock = LabClock(1_000_000)
    assert clock.tick_at(clock.us_at(77)) == 77
    assert clock.tick_at(clock.us_at(77) + 999) == 77
    fresh = LabClock()
    assert 0 <= fresh.now_tick() < 1000


def test_versions_behave_as_they_did() -> None:
    old, six, seven, new = (personality(v) for v in ("6.42.12", "6.49.10", "7.9.2", "7.18"))
    assert [p.plain_login for p in (old, six, seven, new)] == [False, True, True, True]
    assert [p.empty_reply for p in (old, six, seven, new)] == [False, False, False, True]
    assert [p.iso_dates for p in (old, six, seven, new)] == [False, False, False, True]
    assert old.login_refusal == b"cannot log in"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (59, "59s"), (3600, "1h"), (694_861, "1w1d1h1m1s"), (606_665, "1w31m5s")]
)
def test_durations_leave_out_units_of_nought(seconds: int, text: str) -> None:
    assert duration(seconds) == text


def test_routers_can_have_addresses_of_their_own() -> None:
    scenario = Scenario.model_validate(
        {"own_addresses": True, "fleet": {"routers": 300}, "router": [{"name": "a", "address": "127.9.9.9"}]}
    )
    addresses = [spec.address for spec in scenario.routers()]
    assert addresses[0] == "127.64.0.1"
    assert addresses[299] == "127.64.1.44"
    assert addresses[300] == "127.9.9.9"
    assert len(set(addresses)) == 301


def test_an_address_of_a_router_is_of_this_machine(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text('[[router]]\nname = "a"\naddress = "192.0.2.1"\n')
    with pytest.raises(ScenarioError, match="127.0.0.0/8"):
        scenarios.load(path)
