"""Polling one router directly: against a simulated one, with its own idea of time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from mtd.app.direct import DirectPoll, DirectPoller
from mtd.model.command import Command, Reply
from mtd.model.device import DEFAULT_TENANT_ID, Device
from mtd.model.metric import Tier
from mtd.plugin import (
    Collector,
    Labels,
    Menu,
    Probe,
    State,
    StateEvent,
    TableKind,
    columns,
    snapshot,
)
from mtd.plugin.manager import PluginManager
from mtd.testing import run_async
from mtd.testing.replies import replies_from

DEVICE = Device("", DEFAULT_TENANT_ID, "r1", "192.0.2.1", 8728, "u", "p")
START_US = 1_700_000_000_000_000


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.passed_s = 0.0

    def now_us(self) -> int:
        return START_US + round(self.passed_s * 1e6)

    def monotonic(self) -> float:
        return 1000.0 + self.passed_s

    async def sleep(self, seconds: float) -> None:
        self.passed_s += seconds


class Router:
    """Answers like a router with one interface that receives a kilobyte per second, and is renamed in time."""

    def __init__(self, time: Time) -> None:
        self._time = time

    async def connect(self) -> None:
        pass

    async def close(self) -> None:
        pass

    async def run(self, commands: Sequence[Command], _timeout_s: float | None = None) -> list[Reply]:
        received = round(self._time.passed_s * 1000)
        interface = {
            ".id": "*1",
            "name": "ether1" if self._time.passed_s < 20 else "ether1-uplink",
            "type": "ether",
            "running": "true",
            "disabled": "false",
            "link-downs": 0,
        }
        for counter in ("byte", "packet", "error", "drop", "queue-drop"):
            interface |= {f"rx-{counter}": received, f"tx-{counter}": received}
        resource = {
            "uptime": f"{10000 + round(self._time.passed_s)}s",
            "cpu-load": 5,
            "version": "7.16.2 (stable)",
        }
        menus = {
            "/interface/print": [interface],
            "/interface/ethernet/print": [interface],
            "/system/resource/print": [resource],
            "/system/identity/print": [{"name": "r1"}],
            "/system/ups/print": [{".id": "*7", "name": "rack", "model": "700"}],
            "/system/ups/monitor": [{"on-line": "true" if self._time.passed_s < 20 else "false"}],
        }
        return replies_from(commands, menus, at=self._time.monotonic(), wall_us=self._time.now_us())


async def polled(
    interval_s: float,
    count: int,
    monkeypatch: pytest.MonkeyPatch,
    tier: Tier = Tier.T0,
    manager: PluginManager | None = None,
) -> list[DirectPoll]:
    time = Time()
    monkeypatch.setattr("mtd.app.direct.RouterOsApiSource", lambda _: Router(time))
    monkeypatch.setattr("mtd.app.direct.asyncio", time)
    poller = DirectPoller(DEVICE, manager or PluginManager.load(), interval_s, tier=tier, clock=time)
    await poller.open()
    polls: list[DirectPoll] = []
    async for poll in poller.polls():
        polls.append(poll)
        if len(polls) == count:
            break
    await poller.close()
    return polls


@pytest.mark.parametrize("interval_s", [0.5, 1.0, 5.0, 60.0, 3600.0])
def test_rates_are_there_whatever_the_interval(interval_s: float, monkeypatch: pytest.MonkeyPatch) -> None:
    polls = run_async(polled(interval_s, 3, monkeypatch))
    for poll in polls[1:]:
        values: dict[str, Any] = {reading.metric: reading.value for reading in poll.readings}
        assert values["iface.rx_bps"] == pytest.approx(8000, rel=0.01)


def test_what_changes_with_the_names_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    polls = run_async(polled(3.0, 12, monkeypatch))
    told = [
        (number, change.field, change.new) for number, poll in enumerate(polls, 1) for change in poll.changes
    ]
    assert (10, "name", "ether1-uplink") in told


MAINS = State(
    field="on-line",
    key="ups.mains_state",
    description="Mains.",
    since="1",
    states={"absent": 0, "present": 1},
    words={"false": "absent", "true": "present"},
    event=StateEvent(event_type="ups.mains.changed", entity_type="ups", message="mains of {label} are {new}"),
)
UPS = Collector(
    name="ups",
    api=1,
    description="UPSes.",
    menus=(
        Menu(
            name="list",
            path="/system/ups",
            kind=TableKind.CURRENT_STATE,
            tier=Tier.T3,
            table="ups",
            row_key=".id",
            scope="ups",
            labels=Labels(),
            requires="ups",
            fields=columns("name"),
        ),
        Menu(
            name="monitor",
            path="/system/ups",
            command="monitor",
            arguments=(("once", ""),),
            numbers_of="list",
            kind=TableKind.METRICS,
            tier=Tier.T1,
            row_key=".id",
            scope="ups",
            fields=(MAINS,),
        ),
        snapshot("ups.models", "/system/ups", "model"),
        snapshot("ups.missing", "/system/none", "model"),
    ),
    probes=(Probe(capability="ups", path="/system/ups"),),
)


def test_monitors_of_one_collector_are_told_of_which_things(monkeypatch: pytest.MonkeyPatch) -> None:
    polls = run_async(polled(10.0, 4, monkeypatch, Tier.T1, PluginManager.of(UPS)))
    assert [one.command for one in polls[0].asked] == ["/system/ups/monitor"]
    found = [(reading.key, reading.value, reading.state) for reading in polls[0].readings]
    assert found == [("ups.rack.mains_state", 1, "present")]
    # What was told of the tables that were read before comes along.
    early, *later = [[change.message for change in poll.changes] for poll in polls]
    assert early == ["r1 has no /system/none/print"]
    assert later == [[], ["mains of rack are absent"], []]


def test_tables_and_documents_are_there_and_then_what_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = run_async(polled(10.0, 2, monkeypatch, Tier.T3, PluginManager.of(UPS)))
    [table] = first.tables
    assert (table.table, table.complete, dict(table.upserted)) == (
        "ups",
        True,
        {"*7": {".id": "*7", "name": "rack"}},
    )
    assert [(one.kind, one.content) for one in first.documents] == [("ups.models", b'{"model":"700"}')]
    asked = {(one.command, one.rows, one.refused) for one in first.asked}
    assert ("/system/ups/print", 1, "") in asked
    [refused] = [one.refused for one in first.asked if one.command == "/system/none/print"]
    assert refused.startswith("no such command")
    assert ([*second.tables], [*second.documents]) == ([], [])
