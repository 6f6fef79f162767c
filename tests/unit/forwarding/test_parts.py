"""Ages, rates, messages, and what is told of the hub."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtd.client import MtdClientError
from mtd.client.copying import batch_request
from mtd.core.clock import SystemClock
from mtd.forwarding.cutting import Limits, cut
from mtd.forwarding.hub_events import BACK, LOST, HubEvents
from mtd.forwarding.marks import Marks
from mtd.forwarding.pace import Pace
from mtd.forwarding.service import told_wait_s
from mtd.model.observation import StateChange
from mtd.pb.events.v1.envelope_pb2 import Envelope
from mtd.pb.ingest.v1 import ingest_service_pb2 as pb

HOME, AWAY = "00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000002"


class ManualClock(SystemClock):
    now = 1000.0

    def monotonic(self) -> float:
        return self.now


def event(text: str, tenant: str = HOME) -> Envelope:
    made = Envelope(tenant_id=tenant, collected_at_us=5, collector_id="edge")
    made.state_changed.message = text
    return made


@given(st.lists(st.binary(max_size=200), min_size=1, max_size=20), st.integers(1, 2**40))
def test_messages_are_what_protobuf_would_write(bodies: Sequence[bytes], first: int) -> None:
    events = [event(body.hex()) for body in bodies]
    last = first + len(events) - 1
    request = pb.AppendRequest.FromString(
        batch_request(first, last, [one.SerializeToString() for one in events])
    )
    assert request == pb.AppendRequest(batch=pb.AppendBatch(first_seq=first, last_seq=last, events=events))


@given(st.lists(st.integers(0, 3000), min_size=1, max_size=40), st.integers(1, 1000))
def test_messages_hold_all_events_and_are_no_larger_than_allowed(sizes: Sequence[int], first: int) -> None:
    limits = Limits(batch_bytes=4000, event_bytes=4000, tenants=None, home=HOME)
    events = [(first + number, event("x" * size)) for number, size in enumerate(sizes)]
    found: list[Envelope] = []
    expected = first
    for message in cut(events, limits):
        assert message.first == expected
        assert len(message.request) <= 4000
        batch = pb.AppendRequest.FromString(message.request).batch
        assert len(batch.events) == message.events
        found += batch.events
        expected = message.last + 1
    assert found == [one for _, one in events]


def test_what_the_hub_would_never_take_keeps_its_place() -> None:
    limits = Limits(batch_bytes=1000, event_bytes=500, tenants={HOME}, home=HOME)
    (message,) = cut([(7, event("a")), (8, event("b", AWAY)), (9, event("c" * 600))], limits)
    batch = pb.AppendRequest.FromString(message.request).batch
    assert dict(message.left_out) == {"not_ours": 1, "too_large": 1}
    assert [one.WhichOneof("payload") for one in batch.events] == ["state_changed", None, None]
    assert {one.tenant_id for one in batch.events} == {HOME}


def test_what_only_a_newer_mtd_knows_passes_as_it_is() -> None:
    body = event("a").SerializeToString() + b"\xfa\x07\x03abc"  # field 127
    newer = Envelope.FromString(body)
    limits = Limits(batch_bytes=1000, event_bytes=500, tenants={HOME}, home=HOME)
    (message,) = cut([(1, newer)], limits)
    batch = pb.AppendRequest.FromString(message.request).batch
    assert b"\xfa\x07\x03abc" in batch.events[0].SerializeToString()


def test_marks_tell_when_the_log_was_how_long() -> None:
    marks = Marks()
    for now, last in ((10.0, 5), (11.0, 5), (12.0, 9), (20.0, 12)):
        marks.note(now, last)
    assert marks.before(9.0, otherwise=3) == 3
    assert marks.before(11.5, otherwise=3) == 5
    assert marks.before(12.0, otherwise=3) == 5
    assert marks.before(99.0, otherwise=3) == 12
    assert marks.since(4) is None  # it was there before anybody looked
    assert marks.since(5) == 10.0
    assert marks.since(6) == 12.0
    assert marks.since(13) is None


def test_a_pace_is_kept_on_average() -> None:
    clock = ManualClock()
    pace = Pace(100.0, clock)
    assert pace.wait_s() == 0
    pace.take(250)  # larger than a second's worth: paid for afterwards
    assert 1.5 <= pace.wait_s() < 1.6
    clock.now += 1.6
    assert pace.wait_s() == 0
    clock.now += 100
    pace.take(150)
    assert pace.wait_s() > 0  # what wasn't used isn't saved up


def test_a_lost_hub_is_told_of_once_and_its_return_too() -> None:
    told: list[StateChange] = []
    clock = ManualClock()
    events = HubEvents("edge-1", 10.0, told.append, clock)
    events.begin()
    events.lost("down", 5)
    events.back("hub:1", 0)
    assert told == []
    for _ in range(3):
        events.lost("down", 5)
        clock.now += 6
    assert [one.event_type for one in told] == [LOST]
    events.back("hub:1", 1234)
    events.back("hub:1", 0)
    assert [one.event_type for one in told] == [LOST, BACK]
    assert "1,234 wait" in told[1].message
    assert "after 18 s" in told[1].message


@pytest.mark.parametrize(
    ("code", "retry_after_s", "wait_s"),
    [
        ("UNAVAILABLE", 0.0, 0.0),
        ("RESOURCE_EXHAUSTED", 7.5, 7.5),
        ("UNAVAILABLE", 1e9, 300.0),
        ("UNAUTHENTICATED", 0.0, 30.0),
        ("PERMISSION_DENIED", 60.0, 60.0),
    ],
)
def test_a_hub_says_when_to_come_again(code: str, retry_after_s: float, wait_s: float) -> None:
    assert told_wait_s(MtdClientError("no", code=code, retry_after_s=retry_after_s)) == wait_s
