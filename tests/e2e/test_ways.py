"""The API closes while a router is polled: REST serves the same series, and the API takes over again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from mtd.lab.world import World
from tests.e2e.kit import QUICK_TIERS, Rig, rig, wait_for

SCENARIO = """
[[router]]
name = "set"
interfaces = 6
rest_port = 0
rest_tls = "self-signed"

[[router]]
name = "told"
interfaces = 6
rest_port = 0

[[router]]
name = "three"
interfaces = 6
rest_port = 0
snmp_port = 0

[[router]]
name = "six"
version = "6.49.10"
interfaces = 6
rest_port = 0
"""
FALLING = ("set", "told", "three")
COUNTERS = {"iface.rx_bytes_total": "rx-byte", "iface.tx_bytes_total": "tx-byte"}


def serving(stage: Rig, name: str) -> str:
    with stage.client() as client:
        states = client.get_device(name).way_states
    return next((state.way for state in states if state.state == "serves"), "")


def polled_since(stage: Rig, name: str, moment: int) -> int:
    polls: int = stage.value(
        "SELECT count(DISTINCT ts) FROM telemetry WHERE device = %s AND metric = 'iface.rx_bytes_total'"
        " AND ts > from_us(%s)",
        name,
        moment,
    )
    return polls


def now_us(stage: Rig) -> int:
    moment: int = stage.value("SELECT to_us(clock_timestamp())")
    return moment


def add_all(stage: Rig) -> None:
    add = {"command_timeout_s": 2.0, "connect_timeout_s": 1.0}
    routers = stage.routers
    own: dict[str, dict[str, Any]] = {
        "set": {
            "rest_port": routers["set"]["rest_port"],
            "rest_tls_mode": "pinned",
            "rest_tls_fingerprint": routers["set"]["rest_fingerprint_sha256"],
        },
        "told": {},  # the router says where REST is
        "three": {
            "rest_port": routers["three"]["rest_port"],
            "snmp_version": "2c",
            "snmp_port": routers["three"]["snmp_port"],
            "snmp_community": routers["three"]["community"],
        },
        "six": {"rest_port": routers["six"]["rest_port"]},
    }
    for name, settings in own.items():
        stage.add_devices([routers[name]], **add, **settings)
    stage.wait_until_polled(*routers)
    with stage.client() as client:
        wait_for(
            lambda: (
                [state.state for state in client.get_device("told").way_states][:2] == ["serves", "standby"]
            ),
            "the router has told where REST is",
            timeout_s=20,
        )


def wait_until_serving(stage: Rig, way: str, *names: str) -> None:
    """Wait until a way serves these devices, and has answered some polls."""
    for name in names:
        wait_for(lambda name=name: serving(stage, name) == way, f"{way} serves {name}", timeout_s=20)
    since = now_us(stage)
    for name in names:
        wait_for(
            lambda name=name: polled_since(stage, name, since) > 2, f"{name} polled over {way}", timeout_s=20
        )


@pytest.fixture(scope="module")
def lived() -> Iterator[Rig]:
    """A stage on which doors have been closed and opened again."""
    with rig(SCENARIO, settings=QUICK_TIERS) as stage, stage.control() as control:
        add_all(stage)
        stage.notes["closed_us"] = now_us(stage)
        for name in stage.routers:
            control.inject(name, "refused", doors=["api"])
        wait_until_serving(stage, "rest", *FALLING)
        control.inject("three", "refused", doors=["rest"])
        wait_for(lambda: stage.devices()["six"]["status"] == "down", "the old router is down", timeout_s=20)
        wait_until_serving(stage, "snmp", "three")
        stage.notes["devices"] = stage.devices()
        stage.notes["shown"] = stage.mtd("device", "show", "set").out
        stage.notes["record"] = stage.mtd("device", "capabilities", "told", "--json").json()
        stage.notes["test"] = stage.mtd("device", "test", "set", "--json").json()
        stage.notes["test three"] = stage.mtd("device", "test", "three", "--json").json()
        stage.notes["stats"] = control.stats()
        stage.notes["opened_us"] = now_us(stage)
        for name in stage.routers:
            control.clear(name)
        wait_until_serving(stage, "api", *FALLING)
        wait_for(
            lambda: {device["status"] for device in stage.devices().values()} == {"up"},
            "all up",
            timeout_s=20,
        )
        yield stage


def changes(stage: Rig, name: str) -> list[dict[str, Any]]:
    events = stage.events("--device", name)
    return [event for event in events if event["event_type"] == "device.way.changed"]


@pytest.mark.parametrize("name", FALLING)
def test_the_fall_and_the_return_are_events(lived: Rig, name: str) -> None:
    fall, *more, back = changes(lived, name)
    between = [event["new_value"] for event in more]
    # REST opens with the API: which of them is found open first isn't said.
    assert between in ([["snmp"], ["snmp", "rest"]] if name == "three" else [[]])
    assert (fall["old_value"], fall["new_value"]) == ("api", "rest")
    assert (back["old_value"], back["new_value"]) == (["rest", *between][-1], "api")
    assert fall["severity"] == "warning"
    assert "asked over REST now" in fall["message"]
    assert "API" in fall["message"]
    assert not lived.sql(
        "SELECT FROM event e JOIN device d USING (tenant_id, device_id) WHERE d.name = %s AND new_value = 'down'",
        name,
    )


@pytest.mark.parametrize("name", FALLING)
def test_while_rest_serves_the_device_is_degraded_and_says_why(lived: Rig, name: str) -> None:
    during = lived.notes["devices"][name]
    assert during["status"] == "degraded"
    assert during["status_reason"].startswith("API ")
    assert during["status_reason"].endswith("; SNMP serves" if name == "three" else "; REST serves")


def test_a_router_without_rest_is_down_and_says_both(lived: Rig) -> None:
    during = lived.notes["devices"]["six"]
    assert during["status"] == "down"
    assert "API: " in during["status_reason"]
    assert "it has no REST" in during["status_reason"]
    assert changes(lived, "six") == []


@pytest.mark.parametrize("name", FALLING)
def test_the_series_go_on_and_are_the_truth_whichever_way(lived: Rig, name: str) -> None:
    rows = lived.sql(
        "SELECT to_us(ts), instance, metric, value_int FROM telemetry WHERE device = %s AND metric = ANY (%s)"
        " AND value_int IS NOT NULL ORDER BY ts",
        name,
        list(COUNTERS),
    )
    polls: dict[int, dict[str, dict[str, int]]] = {}
    for moment, instance, metric, value in rows:
        polls.setdefault(moment, {}).setdefault(instance, {})[COUNTERS[metric]] = value
    closed, opened = lived.notes["closed_us"], lived.notes["opened_us"]
    over_rest = [moment for moment in polls if closed + 2_000_000 < moment < opened]
    assert over_rest, "no poll while the API was closed"
    assert {frozenset(values) for values in polls.values()} == {frozenset(f"*{n}" for n in range(1, 7))}
    world = World.from_state_file(lived.lab_state_path)
    with lived.control() as control:
        world.replay(control.timeline())
    truth = world.router(name)
    for moment, values in polls.items():
        tick = world.clock.tick_at(moment)
        assert truth.match(values, tick - 2_000, tick + 50) is not None, (moment, moment in over_rest)
    # And the rates that were derived over the change of the way are there.
    rates = lived.value(
        "SELECT count(DISTINCT ts) FROM telemetry WHERE device = %s AND metric = 'iface.rx_bps'"
        " AND ts BETWEEN from_us(%s) AND from_us(%s)",
        name,
        closed,
        opened,
    )
    assert rates >= len(over_rest) - 1


def test_what_serves_is_shown(lived: Rig) -> None:
    assert "rest serves" in lived.notes["shown"]
    assert "api  closed" in lived.notes["shown"]
    record = lived.notes["record"]
    assert (record["routeros_major"], record["supports_rest"]) == (7, True)
    assert record["rest"] == f"www:{lived.routers['told']['rest_port']}"
    assert record["wifi_mode"] is not None
    assert record["flags"]["rest"] is True
    assert [(state["way"], state["state"]) for state in record["ways"]] == [
        ("api", "closed"),
        ("rest", "serves"),
        ("snmp", "unused"),
    ]
    test = lived.notes["test"]
    assert (test["outcome"], test["serves"]) == ("ok", "rest")
    assert [step["way"] for step in test["steps"] if not step["ok"]] == ["api"]
    assert "REST serves" in test["reason"]
    test = lived.notes["test three"]
    assert (test["outcome"], test["serves"], test["identity"]) == ("ok", "snmp", "three")
    assert [step["way"] for step in test["steps"] if not step["ok"]] == ["api", "rest"]


def test_rest_was_asked_politely(lived: Rig) -> None:
    for name in FALLING:
        stats = lived.notes["stats"][name]
        assert stats["rest_requests"] > 5
        assert stats["rest_logins_failed"] == 0


def test_no_password_is_told(lived: Rig) -> None:
    for secret in ("lab-password", lived.routers["three"]["community"]):
        assert secret not in lived.daemon_log()
        assert not lived.sql("SELECT FROM event WHERE position(%s IN message) > 0", secret)
    lived.verify()
