from __future__ import annotations

from mtd.listeners.pace import Complaint, Excess, Paces
from tests.unit.ingest.bench import ManualClock
from tests.unit.listeners.kit import device

COMPLAINT = Complaint("syslog.lines.dropped", "log lines", "have it send fewer")
ONE, OTHER = device("one", "192.0.2.1"), device("other", "192.0.2.2")
BOTH = {device.device_id: device for device in (ONE, OTHER)}


def test_each_device_has_ten_seconds_worth_at_once_and_then_its_rate() -> None:
    clock = ManualClock()
    paces = Paces(2.0, clock)
    assert [paces.has_room("a") for _ in range(21)] == [*[True] * 20, False]
    assert paces.has_room("b")
    clock.ahead_s += 1.0
    assert [paces.has_room("a") for _ in range(3)] == [True, True, False]


def test_a_slow_pace_has_room_for_one() -> None:
    paces = Paces(0.001, ManualClock())
    assert [paces.has_room("a") for _ in range(2)] == [True, False]


def test_a_device_that_was_forgotten_begins_anew() -> None:
    paces = Paces(0.1, ManualClock())
    for device_id in ("a", "b"):
        paces.has_room(device_id)
    paces.keep({"b"})
    assert paces.has_room("a")
    assert not paces.has_room("b")


def test_what_is_too_much_is_told_once_a_minute() -> None:
    clock = ManualClock()
    excess = Excess(2.0, COMPLAINT, clock)
    excess.apply(BOTH)
    excess.add(ONE.device_id)
    excess.add(ONE.device_id, 4)
    assert list(excess.due()) == []
    clock.ahead_s += 60.0
    ((told, change),) = excess.due()
    assert (told, change.event_type, change.new, change.entity_label) == (
        ONE,
        "syslog.lines.dropped",
        "5",
        "one",
    )
    assert change.message == "one sends more than 2 log lines a second: 5 were dropped; have it send fewer"
    assert list(excess.due(now=True)) == []
    excess.add(ONE.device_id)
    assert [change.new for _, change in excess.due(now=True)] == ["1"]
    assert excess.devices == [(ONE, 6)]


def test_nothing_is_told_of_a_device_that_is_there_no_more() -> None:
    excess = Excess(2.0, COMPLAINT, ManualClock())
    excess.apply(BOTH)
    for device_id in BOTH:
        excess.add(device_id)
    excess.apply({OTHER.device_id: OTHER})
    assert excess.devices == [(OTHER, 1)]
    assert [told for told, _ in excess.due(now=True)] == [OTHER]
