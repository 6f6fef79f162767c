"""What is told in parts is heard whole."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtd.link.assignments import Hearing, OutOfStep, Telling
from mtd.model.assignment import AssignedDevice, Assignment
from mtd.pb.collector.v1 import assignment_pb2 as pb
from tests.unit.link.devices_made import assignment, device, leased

CHANGES = st.lists(
    st.dictionaries(
        st.integers(1, 9), st.builds(lambda epoch, alone: (epoch, alone), st.integers(1, 3), st.booleans())
    ),
    max_size=6,
)


def told(telling: Telling, hearing: Hearing, wanted: Assignment) -> tuple[int, Assignment | None]:
    """Return how many parts there were, and what was heard."""
    count, heard = 0, None
    for part in telling.parts(wanted):
        assert heard is None, "nothing comes behind the last part"
        count += 1
        heard = hearing.take(pb.AssignmentPart.FromString(part.SerializeToString()))
    return count, heard


@settings(max_examples=40)
@given(CHANGES, st.integers(1, 4))
def test_whatever_changes_is_heard(changes: list[dict[int, tuple[int, bool]]], size: int) -> None:
    telling, hearing = Telling(size), Hearing()
    before: Assignment | None = None
    for revision, devices in enumerate(changes, 1):
        wanted = assignment(
            revision,
            *(AssignedDevice(device(number), epoch, alone) for number, (epoch, alone) in devices.items()),
        )
        count, heard = told(telling, hearing, wanted)
        if before is not None and before.devices == wanted.devices:
            assert count == 0
        else:
            assert heard == wanted
        assert telling.told == wanted.devices
        before = wanted


def test_a_stream_begins_with_the_whole_even_if_that_is_nothing() -> None:
    (part,) = Telling(10).parts(assignment(7))
    assert (part.full, part.more, part.revision) == (True, False, 7)
    assert Hearing().take(part) == assignment(7)


def test_settings_may_change_at_the_same_revision() -> None:
    telling, hearing = Telling(10), Hearing()
    told(telling, hearing, assignment(3, leased(1), leased(2)))
    count, heard = told(telling, hearing, assignment(3, leased(1, enabled=False), leased(2)))
    assert (count, heard) == (1, assignment(3, leased(1, enabled=False), leased(2)))


def test_what_is_withdrawn_is_told_first() -> None:
    telling = Telling(1)
    list(telling.parts(assignment(1, leased(1))))
    first, second = telling.parts(assignment(2, leased(2)))
    assert (list(first.withdrawn_device_ids), first.more) == ([device(1).device_id], True)
    assert (second.devices[0].device.device_id, second.more) == (device(2).device_id, False)


def test_large_ones_come_in_parts_and_count_when_all_are_there() -> None:
    telling, hearing = Telling(2), Hearing()
    parts = list(telling.parts(assignment(1, *map(leased, range(1, 6)))))
    assert [len(part.devices) for part in parts] == [2, 2, 1]
    assert [hearing.take(part) is None for part in parts] == [True, True, False]


def test_what_doesnt_follow_is_told_anew() -> None:
    with pytest.raises(OutOfStep):
        Hearing().take(pb.AssignmentPart(revision=2))
    hearing = Hearing()
    hearing.take(pb.AssignmentPart(revision=1, full=True, more=True))
    with pytest.raises(OutOfStep):
        hearing.take(pb.AssignmentPart(revision=2, full=True))


def test_a_device_that_cant_be_read_holds_up_no_other() -> None:
    (part,) = Telling(10).parts(assignment(1, leased(1), leased(2)))
    part.devices[0].device.tls_mode = 99  # type: ignore[assignment]
    assert Hearing().take(part) == assignment(1, leased(2))
