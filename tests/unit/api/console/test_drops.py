from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from mtd.api.console.drops import DropsPage
from mtd.api.console.losses import LABELS, LOSSES, LOST, read_losses
from mtd.api.console.reading import Reading
from mtd.api.pushed_interfaces import Exporter, Pushed, TooFast, UnknownSender
from mtd.app.listening import Listening
from mtd.core.errors import Refused
from mtd.listeners import metrics as listeners
from mtd.listeners.flows import metrics as flows
from mtd.model.device import Device
from mtd.model.sighting import FoundBy
from mtd.testing import run_async
from tests.unit.api.console.kit import BOSS, VIEWER, FakeClock, FakeConsoleReads, Scene
from tests.unit.api.console.pushed_kit import FakePushed
from tests.unit.api.fakes import CATALOGUE, assert_same_signatures, device

OURS = device("d1", "core-1")
THEIRS = replace(device("d2", "router-of-beta"), tenant_id="beta")


def read(pushed: FakePushed, caller: Any = BOSS, **given: str) -> Any:
    clock = FakeClock()
    pages = DropsPage(pushed, "here", clock).pages
    clock.now += 5
    reading = Reading(
        FakeConsoleReads(), CATALOGUE, lambda _: Scene().world.own, dict, 5.0, clock, more=pages
    )
    return json.loads(run_async(reading.read(caller, "drops", {name: [one] for name, one in given.items()})))


def exporter(address: str, *devices: Device, **counts: int) -> Exporter:
    return Exporter(address, devices, counts)


@pytest.mark.parametrize("real", [FakePushed, Listening])
def test_what_is_asked_is_there(real: type) -> None:
    assert_same_signatures(Pushed, real)


def test_an_exporter_tells_what_came_of_it_and_what_did_not() -> None:
    pushed = FakePushed()
    pushed.listening = ["flows"]
    pushed.exporting = [
        exporter("192.0.2.1", OURS, datagrams=9, lost=2, **{"malformed.too_short": 3, "malformed.bad_set": 1})
    ]
    told = read(pushed)
    (one,) = told["exporters"]
    assert one["devices"] == [{"id": "d1", "name": "core-1"}]
    assert (one["datagrams"], one["lost"], one["insane"]) == (9, 2, 0)
    assert (one["malformed"], one["malformed_by"]) == (4, {"bad_set": 1, "too_short": 3})
    assert (told["since_us"], told["now_us"], told["collector_id"]) == (1_000_000_000, 1_005_000_000, "here")


def test_isolation_others_exporters_and_devices_are_nobodys_business() -> None:
    pushed = FakePushed()
    pushed.listening = ["syslog", "flows"]
    pushed.exporting = [
        exporter("192.0.2.1", OURS, datagrams=1),
        exporter("192.0.2.2", THEIRS, datagrams=2),
        exporter("192.0.2.3", OURS, THEIRS, datagrams=3),
        exporter("192.0.2.4", datagrams=4),
    ]
    pushed.hasty = [TooFast(OURS, 5, FoundBy.SYSLOG), TooFast(THEIRS, 6, FoundBy.TRAPS)]
    pushed.strangers = [UnknownSender("192.0.2.9", "who", 7, 8, FoundBy.FLOWS, shared=False)]
    told = read(pushed, VIEWER)
    assert [one["address"] for one in told["exporters"]] == ["192.0.2.1"]
    assert told["too_fast"] == [{"device_id": "d1", "device": "core-1", "messages": 5, "found_by": "syslog"}]
    assert set(told) == {"now_us", "since_us", "listeners", "exporters", "too_fast"}
    assert all("figures" not in one for one in told["listeners"])
    whole = read(pushed)
    assert [one["address"] for one in whole["exporters"]] == ["192.0.2.1"]  # of the tenant that is looked at
    assert [(one["address"], one["tenants"]) for one in whole["shared"]] == [("192.0.2.3", 2)]
    assert whole["unknown_senders"] == [
        {
            "address": "192.0.2.9",
            "name": "who",
            "messages": 7,
            "seen_us": 8,
            "found_by": "flows",
            "shared": False,
        }
    ]
    assert all(one["figures"] for one in whole["listeners"])
    for given in (told, whole):
        assert "router-of-beta" not in json.dumps(given)


def test_where_nothing_listens_that_is_told() -> None:
    assert read(FakePushed())["listeners"] == []
    with pytest.raises(Refused):
        read(FakePushed(), limit="5")


def figure(listener: str, name: str) -> dict[str, Any]:
    (found,) = (one for one in read_losses(listener) if one["name"] == name)
    return found


def test_each_listener_has_its_own_part_of_what_all_share() -> None:
    before = {one: figure(one, "kernel")["value"] for one in ("syslog", "flows")}
    listeners.KERNEL_DROPPED.labels(listener="flows").inc(4)
    assert figure("flows", "kernel")["value"] == before["flows"] + 4
    assert figure("syslog", "kernel")["value"] == before["syslog"]


def test_what_has_reasons_is_told_by_them() -> None:
    before = figure("syslog", "dropped")
    listeners.DROPPED.labels(listener="syslog", reason="too_fast").inc(2)
    listeners.DROPPED.labels(listener="traps", reason="too_fast").inc(5)
    after = figure("syslog", "dropped")
    assert after["value"] == before["value"] + 2
    assert sum(part["value"] for part in after["parts"]) == after["value"]
    parts = [{part["name"]: part["value"] for part in one["parts"]} for one in (before, after)]
    assert parts[1]["too_fast"] == parts[0].get("too_fast", 0) + 2
    malformed = figure("flows", "malformed")["value"]
    flows.MALFORMED.labels(reason="too_short").inc()
    assert figure("flows", "malformed")["value"] == malformed + 1


@pytest.mark.parametrize("listener", LABELS)
def test_figures_are_named_once_and_say_what_they_are(listener: str) -> None:
    names = [loss.name for loss in LOSSES[listener]]
    assert len(set(names)) == len(names)
    assert {"kernel", "dropped", "stored"} <= set(names)
    assert any(loss.kind == LOST for loss in LOSSES[listener])
    assert read_losses("nobody") == []
