from __future__ import annotations

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtd.ingest.buffer import Buffer, Urgency
from mtd.pb.events.v1.envelope_pb2 import Envelope

EVENT = Envelope()


def tickets(entries: list) -> list[int]:
    return [entry.ticket for entry in entries]


def test_entries_come_out_in_the_order_they_came_whatever_their_urgency() -> None:
    buffer = Buffer(100, 1000)
    for urgency in (Urgency.T3, Urgency.CONTROL, Urgency.T0, Urgency.T3, Urgency.T1):
        assert buffer.add(urgency, [EVENT], 10) == []
    assert tickets(buffer.take(100, 1000)) == [1, 2, 3, 4, 5]


def test_a_taken_part_is_limited_but_never_empty() -> None:
    buffer = Buffer(100, 10_000)
    for size in (500, 10, 10, 10):
        buffer.add(Urgency.T0, [EVENT] * 2, size)
    assert tickets(buffer.take(100, 400)) == [1]
    assert tickets(buffer.take(5, 400)) == [2, 3]
    assert tickets(buffer.take(5, 400)) == [4]
    assert buffer.take(5, 400) == []


def test_the_least_urgent_and_oldest_give_way() -> None:
    buffer = Buffer(4, 1000)
    for urgency in (Urgency.T0, Urgency.T3, Urgency.T3, Urgency.T2):
        buffer.add(urgency, [EVENT], 1)
    assert tickets(buffer.add(Urgency.T0, [EVENT], 1)) == [2]
    assert tickets(buffer.add(Urgency.T1, [EVENT], 1)) == [3]
    assert tickets(buffer.add(Urgency.T0, [EVENT], 1)) == [4]
    assert tickets(buffer.add(Urgency.T0, [EVENT], 1)) == [6]  # T1, younger but less urgent
    assert tickets(buffer.add(Urgency.T0, [EVENT], 1)) == [1]
    assert tickets(buffer.add(Urgency.CONTROL, [EVENT], 1)) == [5]
    # What comes may be the least urgent itself.
    assert tickets(buffer.add(Urgency.T3, [EVENT], 1)) == [11]


def test_what_is_under_way_holds_its_place_and_is_not_given_up() -> None:
    buffer = Buffer(2, 1000)
    buffer.add(Urgency.T3, [EVENT], 1)
    buffer.add(Urgency.T3, [EVENT], 1)
    taken = buffer.take(10, 1000)
    assert buffer.fill == 1.0
    assert buffer.oldest_ticket == 1
    assert tickets(buffer.add(Urgency.CONTROL, [EVENT], 1)) == [3]
    buffer.settle(taken)
    assert buffer.fill == 0.0
    assert buffer.oldest_ticket is None
    assert buffer.add(Urgency.T3, [EVENT], 1) == []


def test_clearing_gives_up_everything() -> None:
    buffer = Buffer(10, 1000)
    buffer.add(Urgency.T0, [EVENT], 1)
    buffer.take(10, 1000)
    buffer.add(Urgency.T1, [EVENT], 1)
    assert tickets(buffer.clear()) == [1, 2]
    assert (buffer.events, buffer.size, buffer.oldest_ticket) == (0, 0, None)


@pytest.mark.parametrize(("group", "urgency"), [("t0", Urgency.T0), ("t3", Urgency.T3), ("mine", Urgency.T1)])
def test_a_poll_group_tells_its_urgency(group: str, urgency: Urgency) -> None:
    assert Urgency.of_poll_group(group) is urgency


@given(
    st.lists(
        st.tuples(st.sampled_from(list(Urgency)), st.integers(1, 4), st.integers(1, 60))
        | st.sampled_from(["take", "settle"]),
        max_size=80,
    )
)
def test_it_is_never_over_its_bounds_and_loses_nothing_unseen(steps: list) -> None:
    buffer = Buffer(12, 200)
    taken: deque = deque()
    added, lost, settled = set(), set(), set()
    for step in steps:
        if step == "take":
            part = buffer.take(5, 100)
            assert tickets(part) == sorted(tickets(part))
            taken.append(part)
        elif step == "settle":
            if taken:
                part = taken.popleft()
                buffer.settle(part)
                settled.update(tickets(part))
        else:
            urgency, events, size = step
            gone = buffer.add(urgency, [EVENT] * events, size)
            added.add(buffer.last_ticket)
            lost.update(tickets(gone))
            assert all(entry.urgency >= urgency for entry in gone)
        assert buffer.events <= 12
        assert buffer.size <= 200
    held = set(tickets(buffer.clear()))
    assert added == lost | settled | held
    assert not lost & (settled | held)
