"""SNMP traps of lab routers, from the wire to the timeline."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from mtd.testing.harness import free_udp_port
from tests.e2e.kit import QUICK_TIERS, Rig, rig, wait_for

SCENARIO = """
own_addresses = true

[[router]]
name = "one"
interfaces = 4
traps = "127.0.0.1:{port}"

[[router]]
name = "two"
interfaces = 4
traps = "127.0.0.1:{port}"
trap_version = "2c"
"""


@pytest.fixture(scope="module")
def stage() -> Iterator[Rig]:
    port = free_udp_port()
    settings = {"traps": {"enabled": True, "host": "127.0.0.1", "port": port}, **QUICK_TIERS}
    with rig(SCENARIO.format(port=port), settings=settings) as running:
        running.add_all(interface_naming="both")
        # Names come from the inventory of interfaces, which has to be read once.
        wait_for(lambda: running.sql("SELECT 1 FROM interface HAVING count(*) = 8"), "interfaces are known")
        yield running


def told(stage: Rig, name: str, event_type: str, sources: str) -> list[dict[str, Any]]:
    """Return the events of a router that a trap told of: their messages differ from those of polls, or their values do."""
    columns = ("severity", "entity_id", "entity_label", "old_value", "new_value", "message")
    rows = stage.sql(
        f"SELECT {', '.join(columns)} FROM event JOIN device USING (tenant_id, device_id)"
        f" WHERE name = %s AND event_type = %s AND {sources} ORDER BY ts_collected",
        name,
        event_type,
    )
    return [dict(zip(columns, row, strict=True)) for row in rows]


@pytest.mark.parametrize("name", ["one", "two"])
def test_a_reboot_is_told_at_once(stage: Rig, name: str) -> None:
    with stage.control() as lab:
        lab.inject(name, "reboot", boot_s=0.2)
    wait_for(
        lambda: told(stage, name, "device.rebooted", "message LIKE '%%coldStart%%'"),
        "the trap is on the timeline",
    )
    event = told(stage, name, "device.rebooted", "message LIKE '%%coldStart%%'")[-1]
    assert (event["entity_label"], event["old_value"]) == (name, "")
    assert event["new_value"] in ("0s", "1s")


@pytest.mark.parametrize("name", ["one", "two"])
def test_a_link_that_flaps_is_told_by_the_name_that_polls_tell(stage: Rig, name: str) -> None:
    with stage.control() as lab:
        # Quicker than anybody polls: only traps tell of each.
        lab.inject(name, "link-flap", interfaces=["*2"], every_s=0.2, down_s=0.1, for_s=0.5)
    wait_for(
        lambda: len(told(stage, name, "interface.oper.changed", "true")) >= 6, "the traps are on the timeline"
    )
    events = told(stage, name, "interface.oper.changed", "true")
    assert {event["entity_id"] for event in events} == {"*2"}
    ((label,),) = stage.sql(
        "SELECT label FROM interface JOIN device USING (tenant_id, device_id) WHERE device.name = %s AND interface_id = '*2'",
        name,
    )
    assert {event["entity_label"] for event in events} == {label}
    assert {(event["old_value"], event["new_value"]) for event in events} == {("up", "down"), ("down", "up")}
    assert {event["message"] for event in events} == {f"{label} is down", f"{label} is up"}


def test_what_came_is_counted(stage: Rig) -> None:
    assert stage.metric("mtd_traps_read_total") > 0
    assert stage.metric("mtd_listeners_unknown_senders") == 0
