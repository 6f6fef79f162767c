"""Which interfaces are read at the live tier, told by command line, events and SQL; and what that costs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.kit import Rig, rig, wait_for

# From 21 interfaces on the lab's routers have a bridge by which a second default route leaves.
SCENARIO = """
[[router]]
name = "edge"
interfaces = 22

[[router]]
name = "small"
interfaces = 3
"""
SETTINGS: dict[str, dict[str, Any]] = {
    "t0": {"interfaces": 3, "top_traffic": 2},
    "scheduler.intervals_s": {"t1": 1.0, "t2": 1.0},
    # It is asked for where PPPoE is served after some seconds only, and until then no change is news.
    "plugins": {"blocked": ["ppp"]},
}
WAN, BACKUP = "*1", "*14"


@pytest.fixture(scope="module")
def running() -> Iterator[Rig]:
    with rig(SCENARIO, settings=SETTINGS) as stage:
        stage.add_all()
        wait_for(lambda: reasons(stage).get(WAN) == "uplink", "the uplink was found", 30)
        yield stage


def interfaces(stage: Rig, name: str = "edge") -> dict[str, dict[str, Any]]:
    found = stage.mtd("device", "interfaces", name, "--json").json()["interfaces"]
    return {one["id"]: one for one in found}


def reasons(stage: Rig) -> dict[str, str]:
    """Interface -> why it was chosen, of those that were."""
    return {key: one["reason"] for key, one in interfaces(stage).items() if one["tier"] == "t0"}


def groups(stage: Rig) -> dict[str, tuple[str, float | None, int]]:
    """Interface -> poll group, rate and time of its newest value; each must be there once."""
    rows = stage.sql(
        "SELECT instance, poll_group, value, to_us(ts) FROM metric_latest"
        " WHERE device = 'edge' AND metric = 'iface.rx_bps'"
    )
    found = {instance: (group, value, ts) for instance, group, value, ts in rows}
    assert len(found) == len(rows), "an interface has two newest values"
    return found


def read_at_t0(stage: Rig) -> set[str]:
    return {instance for instance, (group, _, _) in groups(stage).items() if group == "t0"}


def moves(stage: Rig) -> list[tuple[str, str, str, str]]:
    found = [one for one in stage.events("--device", "edge") if one["event_type"] == "interface.tier.changed"]
    return [(one["entity_id"], one["old_value"], one["new_value"], one["message"]) for one in found]


def test_the_uplink_and_the_busiest_are_live_the_rest_is_read_at_t1(running: Rig) -> None:
    told = interfaces(running)
    assert len(told) == 22
    live = {key: one for key, one in told.items() if one["tier"] == "t0"}
    assert len(live) == 3
    assert live[WAN]["reason"] == "uplink"
    assert "default route" in live[WAN]["detail"]
    assert sorted(one["reason"] for one in live.values()) == ["traffic", "uplink", "vrrp_master"]
    assert {one["interval_s"] for one in told.values()} == {1.0}
    wait_for(lambda: read_at_t0(running) == set(live), "they are read so", 20)
    wait_for(lambda: set(groups(running)) == set(told), "all are read", 20)
    assert {one["tier"] for one in interfaces(running, "small").values()} == {"t0"}, "it is below the cap"
    assert "default route" in running.mtd("device", "interfaces", "edge").out


def test_an_interface_that_becomes_the_uplink_goes_live_and_its_values_go_on(running: Rig) -> None:
    wait_for(lambda: groups(running).get(BACKUP, ("",))[0] == "t1", "it isn't live yet", 20)
    with running.control() as control:
        control.inject("edge", "link-flap", interfaces=[WAN], for_s=600.0)
        wait_for(lambda: reasons(running).get(BACKUP) == "uplink", "it was chosen", 20)
        wait_for(lambda: groups(running)[BACKUP][0] == "t0", "it is read at T0", 20)
        _, _, at = groups(running)[BACKUP]
        wait_for(lambda: groups(running)[BACKUP][2] > at, "its values go on", 20)
        control.clear("edge", "link-flap")
    wait_for(lambda: reasons(running).get(WAN) == "uplink", "the first way is taken again", 20)
    wait_for(lambda: read_at_t0(running) == set(reasons(running)), "and the rows follow", 20)
    came = wait_for(
        lambda: [one for one in moves(running) if one[:3] == (BACKUP, "t1", "t0")], "an event", 20
    )
    assert "default route" in came[0][3]
    wait_for(lambda: (BACKUP, "t0", "t1") in [one[:3] for one in moves(running)], "and back", 20)
    # Neither group left a value without its rate where the interface went over.
    counted, rated = running.sql(
        "SELECT count(*) FILTER (WHERE metric = 'iface.rx_bytes_total'), count(*) FILTER (WHERE metric = 'iface.rx_bps')"
        " FROM telemetry WHERE device = 'edge' AND instance = %s",
        BACKUP,
    )[0]
    assert rated in (counted, counted - 1), "only the very first has none"


def test_an_operator_pins_an_interface(running: Rig) -> None:
    rates = {key: rate or 0.0 for key, (group, rate, _) in groups(running).items() if group == "t1"}
    idle = min(rates, key=rates.__getitem__)
    name = interfaces(running)[idle]["name"]
    running.mtd("device", "pin", "edge", name)
    wait_for(lambda: reasons(running).get(idle) == "pinned", "the pin holds", 20)
    wait_for(lambda: idle in read_at_t0(running), "it is read at T0", 20)
    assert running.mtd("device", "pins", "edge", "--json").json()["pins"] == [name]
    running.mtd("device", "set", "edge", "t0:interfaces=all")
    wait_for(lambda: len(reasons(running)) == 22, "no limit any more", 20)
    wait_for(lambda: len(read_at_t0(running)) == 22, "all are read at T0", 20)
    running.mtd("device", "set", "edge", "t0:interfaces=")
    running.mtd("device", "unpin", "edge", name)
    wait_for(lambda: idle not in reasons(running) and len(reasons(running)) == 3, "as before", 20)


def test_what_a_router_costs_is_told_by_category(running: Rig) -> None:
    cost = running.mtd("cost", "edge", "--json").json()
    by_category = {one["category"]: one for one in cost["categories"]}
    assert {"system", "interfaces", "mtd"} <= set(by_category)
    assert by_category["interfaces"]["commands"] > 0
    assert by_category["interfaces"]["received_bytes"] > by_category["interfaces"]["rows"] > 0
    for member in ("commands", "rows", "busy_s", "received_bytes"):
        assert sum(one[member] for one in cost["categories"]) == pytest.approx(
            cost["total"][member], rel=0.01
        )
    assert sum(one["share"] for one in cost["categories"]) == pytest.approx(1, rel=0.01)
    everyone = running.mtd("cost", "--json").json()
    assert {one["device_name"] for one in everyone["devices"]} == {"edge", "small"}

    metrics = running.http("/metrics")
    for what in ("commands", "received_bytes", "sent_bytes", "rows", "busy_seconds"):
        found = re.findall(rf'^mtd_router_{what}_total\{{category="(\w+)"\}} (\S+)$', metrics, re.M)
        assert dict(found).keys() >= {"system", "interfaces", "mtd"}, what
    probed = running.http("/probe?target=edge")
    assert re.search(r"^routeros_cost_commands_total\b.* [1-9]", probed, re.M)
