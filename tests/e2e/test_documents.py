"""What a router is set to, from the router to ``mtd snapshots``: who changed what, and when (X-04, X-05)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import librouteros
import pytest

from tests.e2e.kit import QUICK_TIERS, Rig, rig, wait_for

SCENARIO = """
[[router]]
name = "six"
version = "6.49.10"
interfaces = 6

[[router]]
name = "seven"
version = "7.16.2"
interfaces = 6
"""
OFTEN = {"scheduler.intervals_s": {**QUICK_TIERS["scheduler.intervals_s"], "t2": 2.0, "t3": 2.0}}
IDENTITY = "config.identity.identity"


@pytest.fixture(scope="module")
def running() -> Iterator[Rig]:
    with rig(SCENARIO, settings=OFTEN) as stage:
        stage.add_all()
        yield stage


def documents(stage: Rig, device: str) -> dict[str, dict[str, Any]]:
    told = stage.mtd("snapshots", device, "--json").json()
    return {one["kind"]: one for one in told["documents"]}


def tables(stage: Rig, device: str) -> set[str]:
    """The tables of a device that are known whole."""
    rows = stage.sql(
        "SELECT m.table_name FROM state_mark m JOIN device d USING (tenant_id, device_id) WHERE d.name = %s",
        device,
    )
    return {name for (name,) in rows}


@pytest.mark.parametrize("device", ["six", "seven"])
def test_a_change_is_seen_told_and_shown(running: Rig, device: str) -> None:
    wait_for(lambda: IDENTITY in documents(running, device), "the configuration is read", 30, every_s=0.5)
    # What is there at the first reading of the history is no event.
    wait_for(lambda: "config_action" in tables(running, device), "the history is read", 30, every_s=0.5)
    # What doesn't change is stored once, however often it is read.
    before = documents(running, device)
    router = running.routers[device]
    api = librouteros.connect(
        router["host"], router["username"], router["password"], port=router["port"], encoding="latin-1"
    )
    try:
        list(api("/system/identity/set", name="renamed"))
    finally:
        api.close()
    wait_for(
        lambda: documents(running, device)[IDENTITY]["versions"] == 2, "a second version", 30, every_s=0.5
    )
    after = documents(running, device)
    changed = {kind for kind, one in after.items() if kind in before and one != before[kind]}
    assert changed >= {IDENTITY}
    assert not {kind for kind in changed if kind.startswith("config.")} - {IDENTITY}

    (change,) = running.mtd("snapshots", device, "-k", IDENTITY, "--diff", "--json").lines()
    assert change["changes"] == [f"~ name={device} → renamed"]

    def told() -> dict[str, dict[str, Any]]:
        found = {event["event_type"]: event for event in running.events("-d", device)}
        return found if {"config.changed", "config.action"} <= set(found) else {}

    events = wait_for(told, "events of the change", 30, every_s=0.5)
    assert events["config.changed"]["message"] == f"identity: 1 changed: name {device} → renamed"
    assert events["config.changed"]["entity_label"] == "/system/identity"
    # And the router's own history says who it was.
    assert events["config.action"]["message"].startswith("identity changed by ")
