"""Templates in conflict are told of once they are more than somebody makes who tries what to send."""

from __future__ import annotations

from mtd.listeners.flows.conflicts import MOST_AN_HOUR, Conflicts, conflict_of
from mtd.testing.contract import FakeClock
from tests.unit.listeners.kit import device


def test_they_are_told_once_an_hour_by_address() -> None:
    conflicts = Conflicts(clock := FakeClock())
    assert conflicts.note("192.0.2.1", 0) == ""
    assert conflicts.note("192.0.2.1", MOST_AN_HOUR) == ""
    assert conflicts.note("192.0.2.2", MOST_AN_HOUR) == ""
    told = conflicts.note("192.0.2.1", 1)
    assert told.startswith(
        "templates of flows from 192.0.2.1 were given other layouts 7 times within an hour"
    )
    assert conflicts.note("192.0.2.1", 100) == ""
    clock.at += 3601
    assert conflicts.note("192.0.2.1", MOST_AN_HOUR) == "", "another hour"
    assert conflicts.note("192.0.2.1", 1)


def test_it_belongs_on_the_timeline_of_the_device() -> None:
    change = conflict_of(device("core-1", "192.0.2.1"), "why")
    assert (change.event_type, change.entity_id, change.message) == (
        "flows.template.conflict",
        "id-core-1",
        "why",
    )
