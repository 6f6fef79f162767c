"""What is told at a time holds the loop for a moment only, and leaves nothing out."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mtd.model.events import Origin, table_event
from mtd.model.observation import TableChange
from mtd.pb.events.v1.envelope_pb2 import Envelope
from mtd.projections.portions import MOST_EVENTS, portions

ORIGIN = Origin("t", "c", "d")


def event(rows: int) -> Envelope:
    if not rows:
        return Envelope(tenant_id="t")
    change = TableChange("sessions", False, {str(row): {} for row in range(rows)})
    return table_event(ORIGIN, change, 0, 0)


@given(st.lists(st.sampled_from([0, 0, 0, 1, 250]), max_size=600))
def test_all_events_come_once_in_order_and_few_at_a_time(rows: list[int]) -> None:
    kinds = {count: event(count) for count in set(rows)}
    events = [(seq, kinds[count]) for seq, count in enumerate(rows)]
    told = list(portions(events))
    assert [one for some in told for one in some] == events
    assert all(0 < len(some) <= MOST_EVENTS for some in told)
    assert all(sum(rows[seq] > 50 for seq, _ in some) <= 4 for some in told)


def test_many_small_events_are_few_portions() -> None:
    assert [len(some) for some in portions([(seq, event(0)) for seq in range(600)])] == [256, 256, 88]
