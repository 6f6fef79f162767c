from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mtd.codec.flows.sequence import Sequence


def test_the_first_number_says_nothing() -> None:
    sequence = Sequence()
    sequence.take(4_000_000_000, 30)
    assert sequence.lost == 0


def test_what_comes_late_isnt_lost() -> None:
    sequence = Sequence()
    for number in (0, 30, 90, 60, 120):
        sequence.take(number, 30)
    assert (sequence.lost, sequence.restarts) == (0, 0)


def test_a_duplicate_is_no_restart() -> None:
    sequence = Sequence()
    for number in (0, 30, 30, 60):
        sequence.take(number, 30)
    assert (sequence.lost, sequence.duplicates, sequence.restarts) == (0, 1, 0)


def test_an_exporter_that_begins_anew_has_lost_nothing() -> None:
    sequence = Sequence()
    for number in (1_000_000, 1_000_030, 0, 30):
        sequence.take(number, 30)
    assert (sequence.lost, sequence.restarts) == (0, 1)


def test_behind_what_cant_be_counted_nothing_is_expected() -> None:
    sequence = Sequence()
    sequence.take(0, None)
    sequence.take(500, 10)
    sequence.take(512, 10)
    assert sequence.lost == 2


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
        sequence.take(at, units)
    assert sequence.lost == sum(units for _, units, _ in sent) - sum(units for _, units, _ in came)
    assert sequence.restarts == 0
