from __future__ import annotations

import pytest

from mtd.core.errors import Bug
from mtd.eventlog.upcast import Upcasters
from mtd.pb.events.v1.envelope_pb2 import Envelope


def to_state(event: Envelope) -> Envelope:
    """Return an outcome as if a state change were its second version."""
    newer = Envelope(device_id=event.device_id)
    newer.state_changed.message = event.poll_outcome.reason
    return newer


def to_snapshot(event: Envelope) -> Envelope:
    newer = Envelope(device_id=event.device_id)
    newer.snapshot.kind = event.state_changed.message
    return newer


def outcome(reason: str) -> Envelope:
    event = Envelope(device_id="d")
    event.poll_outcome.reason = reason
    return event


def test_steps_lead_to_the_newest_version() -> None:
    upcasters = Upcasters()
    upcasters.add("state_changed", to_snapshot)
    upcasters.add("poll_outcome", to_state)
    newest = upcasters.upcast(outcome("down"))
    assert newest.snapshot.kind == "down"
    assert newest.device_id == "d"


def test_what_has_no_step_is_left_as_it_is() -> None:
    upcasters = Upcasters()
    events = [outcome("a"), Envelope()]
    assert upcasters.upcast_all(events) is events
    upcasters.add("state_changed", to_snapshot)
    assert all(new is old for new, old in zip(upcasters.upcast_all(events), events, strict=True))


def test_two_steps_from_one_version_are_a_bug() -> None:
    upcasters = Upcasters()
    upcasters.add("poll_outcome", to_state)
    with pytest.raises(Bug):
        upcasters.add("poll_outcome", to_state)


def test_a_circle_of_steps_is_a_bug() -> None:
    upcasters = Upcasters()
    upcasters.add("poll_outcome", lambda event: event)
    with pytest.raises(Bug, match="circle"):
        upcasters.upcast(outcome("a"))
