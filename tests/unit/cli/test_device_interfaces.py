"""``mtd device interfaces``, ``pin``, ``unpin``, ``pins`` and ``mtd cost`` against a door on a real socket."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mtd.core.errors import Conflict
from mtd.queries.records import InterfaceRow
from mtd.scheduler.costs import Cost, HourlyCost
from tests.unit.cli.conftest import Commands, DoorInThread


def port(number: int, tier: str = "t0", reason: str = "traffic", why: str = "it is busy") -> InterfaceRow:
    since = 1_795_000_000_000_000 if tier == "t0" else None
    return InterfaceRow(f"*{number}", f"ether{number}", "", "", "ether", 1, {}, tier, reason, why, since)


@pytest.fixture
def known(mtd: Commands, door: DoorInThread) -> tuple[str, str]:
    """A router of three ports; what says where the daemon is."""
    server = ("--server", door.target)
    mtd("device", "add", "r1", "192.0.2.1", "--user", "u", "--password", "p", *server)
    door.inventory.ports = [
        port(1, "t0", "uplink", "a default route leaves by it"),
        port(2),
        port(3, "t1", "rest", ""),
    ]
    return server


def told(mtd: Commands, *arguments: str) -> Any:
    return json.loads(mtd(*arguments, "--json").output)


def test_each_interface_with_its_tier_and_why(mtd: Commands, known: tuple[str, str]) -> None:
    found = told(mtd, "device", "interfaces", "r1", *known)
    assert [(one["name"], one["tier"], one["interval_s"], one["reason"]) for one in found["interfaces"]] == [
        ("ether1", "t0", 1.0, "uplink"),
        ("ether2", "t0", 1.0, "traffic"),
        ("ether3", "t1", 10.0, "rest"),
    ]
    assert found["interfaces"][0]["since"].startswith("2026-11-18 ")
    assert found["interfaces"][2]["since"] is None
    assert [one["physical"] for one in found["interfaces"]] == [True, True, True]
    text = mtd("device", "interfaces", "r1", *known).output
    assert "a default route leaves by it" in text
    assert "10 s" in text


def test_pins_are_set_listed_and_taken_back(
    mtd: Commands, door: DoorInThread, known: tuple[str, str]
) -> None:
    assert "ether3, *2" in mtd("device", "pin", "r1", "ether3", "*2", *known).output
    mtd("device", "pin", "r1", "ether3", *known)  # it is there already
    (view,) = door.inventory.devices.values()
    assert view.settings.t0.pins == ("ether3", "*2")
    found = told(mtd, "device", "interfaces", "r1", *known)
    assert [one["pinned"] for one in found["interfaces"]] == [False, True, True]
    assert told(mtd, "device", "pins", "r1", *known) == {
        "device": "r1",
        "pins": ["ether3", "*2"],
        "unmatched": [],
    }
    mtd("device", "unpin", "r1", "*2", *known)
    assert told(mtd, "device", "pins", "r1", *known)["pins"] == ["ether3"]
    assert "not pinned: ether9" in mtd("device", "unpin", "r1", "ether9", *known, code=1).output


def test_a_pin_that_matches_nothing_is_told(mtd: Commands, known: tuple[str, str]) -> None:
    assert "No interface is called sfp9" in mtd("device", "pin", "r1", "sfp9", *known).output
    assert told(mtd, "device", "interfaces", "r1", *known)["unmatched_pins"] == ["sfp9"]


def test_limits_and_pins_stay_when_the_other_is_set(
    mtd: Commands, door: DoorInThread, known: tuple[str, str]
) -> None:
    mtd("device", "pin", "r1", "ether1", *known)
    mtd("device", "set", "r1", "t0:interfaces=all", "t0:metrics=300", *known)
    mtd("device", "pin", "r1", "ether2", *known)
    (view,) = door.inventory.devices.values()
    assert (view.settings.t0.interfaces, view.settings.t0.metrics) == ("all", 300)
    assert view.settings.t0.pins == ("ether1", "ether2")


def test_a_change_by_somebody_else_is_no_obstacle(
    mtd: Commands, door: DoorInThread, known: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    update, failures = door.inventory.update, [Conflict("it changed"), Conflict("again")]

    async def contended(*arguments: Any) -> Any:
        if failures:
            raise failures.pop()
        return await update(*arguments)

    monkeypatch.setattr(door.inventory, "update", contended)
    mtd("device", "pin", "r1", "ether1", *known)
    (view,) = door.inventory.devices.values()
    assert view.settings.t0.pins == ("ether1",)


COST = HourlyCost(
    1800.0,
    Cost(7300, 5e6, 6e5, 30_000, 20.0),
    {
        "system": Cost(3600, 1e6, 3e5, 7200, 4.0),
        "interfaces": Cost(3600, 4e6, 2e5, 22_800, 12.0),
        "mtd": Cost(100),
    },
)


def test_what_a_router_costs_by_category_the_dearest_first(mtd: Commands, door: DoorInThread) -> None:
    door.inventory.costing = {"r1": COST}
    server = ("--server", door.target)
    found = told(mtd, "cost", "r1", *server)
    assert found["device_name"] == "r1"
    assert found["counted_s"] == 1800.0
    assert [(one["category"], one["busy_s"], one["share"]) for one in found["categories"]] == [
        ("interfaces", 12.0, 0.75),
        ("system", 4.0, 0.25),
        ("mtd", 0.0, 0.0),
    ]
    assert found["total"]["commands"] == 7300
    text = mtd("cost", "r1", *server).output
    assert "4,000.0" in text
    assert "75.0 %" in text
    assert "Counted over 30.0 min" in text
    assert "there is no device" in mtd("cost", "nobody", *server, code=1).output


def test_all_routers_and_what_the_categories_come_to(mtd: Commands, door: DoorInThread) -> None:
    server = ("--server", door.target)
    assert "polls no router" in mtd("cost", *server).output
    door.inventory.costing = {f"r{number:04}": COST for number in range(1001)}
    found = told(mtd, "cost", *server)
    assert len(found["devices"]) == 1001
    sums = {one["category"]: one for one in found["categories"]}
    assert sums["system"]["commands"] == 3600 * 1001
    assert sums["interfaces"]["share"] == 0.75
    assert list(sums) == ["interfaces", "system", "mtd"]
