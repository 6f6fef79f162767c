from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mtd.codec.flows.sequence import Sequence

NOW_S = 1_700_000_000


def follow(*numbers: int, units: int = 30, every_s: int = 1) -> Sequence:
    """Return what such numbers tell, each sent later than those before."""
    sequence = Sequence()
    for place, number in enumerate(numbers):
        sequence.take(number, units, NOW_S + place * every_s)
    return sequence


def test_the_first_number_says_nothing() -> None:
    assert follow(4_000_000_000).lost == 0


def test_what_comes_late_isnt_lost() -> None:
    sequence = follow(0, 30, 90, 60, 120, every_s=0)
    assert (sequence.lost, sequence.restarts) == (0, 0)


def test_a_duplicate_is_no_restart() -> None:
    for numbers in ((0, 30, 30, 60), (0, 30, 0, 60), (0, 30, 60, 30, 0, 90)):
        sequence = follow(*numbers, every_s=0)
        assert (sequence.lost, sequence.restarts) == (0, 0)
        assert sequence.duplicates == len(numbers) - len(set(numbers))


def test_an_exporter_that_begins_anew_has_lost_nothing() -> None:
    for numbers in ((1_000_000, 1_000_030, 0, 30), (1_000_000, 600_000, 600_030), (30, 60, 0, 30)):
        sequence = follow(*numbers)
        assert (sequence.lost, sequence.restarts) == (0, 1)


def test_what_was_sent_before_or_at_once_with_the_newest_is_late() -> None:
    sequence = follow(1_000_000)
    for later_s in (0, -1, -300):
        assert not sequence.begins_anew(0, NOW_S + later_s)
    assert sequence.begins_anew(0, NOW_S + 1)
    assert sequence.begins_anew(0, 1000), "its clock wasn't set yet"
    assert not sequence.begins_anew(999_990, NOW_S + 1), "threads that race"
    assert sequence.begins_anew(5_000_000, NOW_S), "another one"


def test_what_is_late_by_more_gaps_than_are_known_is_no_restart() -> None:
    sequence = follow(*range(0, 6000, 60), every_s=0)
    assert sequence.lost == 99 * 30
    sequence.take(30, 30, NOW_S)
    assert (sequence.restarts, sequence.duplicates, sequence.lost) == (0, 1, 99 * 30)


def test_who_numbers_messages_where_records_are_due_begins_anew_only_truly() -> None:
    sequence = follow(*range(1000, 1500))
    assert (sequence.lost, sequence.restarts) == (0, 0)
    sequence.take(0, 30, NOW_S + 600)
    assert sequence.restarts == 1


def test_behind_what_cant_be_counted_nothing_is_expected() -> None:
    sequence = Sequence()
    sequence.take(0, None, NOW_S)
    sequence.take(500, 10, NOW_S)
    sequence.take(0, None, NOW_S)
    sequence.take(512, 10, NOW_S)
    assert sequence.lost == 2
    sequence.take(522, None, NOW_S)
    sequence.take(500, 10, NOW_S)
    sequence.take(700, 10, NOW_S)
    assert (sequence.lost, sequence.restarts) == (2, 0)


@given(
    st.integers(0, 2**32 - 1),
    st.lists(st.tuples(st.integers(1, 30), st.booleans()), min_size=2, max_size=60),
    st.randoms(),
)
def test_what_is_lost_is_what_never_came(
    begin: int, messages: list[tuple[int, bool]], chance: object
) -> None:
    """Over the wrap, with up to three messages overtaken: as long as the first and the last are there."""
    sequence = Sequence()
    sent, number = [], begin
    for units, arrives in messages:
        sent.append((number % 2**32, units, arrives))
        number += units
    came = [one for place, one in enumerate(sent) if one[2] or place in (0, len(sent) - 1)]
    for place in range(1, len(came) - 2, 2):
        came[place], came[place + 1] = came[place + 1], came[place]
    for at, units, _ in came:
        sequence.take(at, units, NOW_S)
    assert sequence.lost == sum(units for _, units, _ in sent) - sum(units for _, units, _ in came)
    assert sequence.restarts == 0
