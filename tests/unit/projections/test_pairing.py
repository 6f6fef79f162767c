"""Which poll and which line tell of one fact: by examples, and whatever the order in which they come."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtd.model.evidence import Source
from mtd.projections.pairing import changed_mates, mates
from mtd.storage.stores.evidence import SIDE, Key, Witness

REACH = 10
POLL, LINE = Source.POLL, Source.SYSLOG


@dataclass(frozen=True)
class Told:
    """What somebody tells: which state, and of a poll, which before."""

    us: int
    source: Source
    state: str
    before: str = ""
    log_id: str = "a"
    seq: int = 0

    @property
    def key(self) -> Key:
        return Key(self.us, self.log_id, self.seq, 0)


class Rows:
    """What the table does, as a list."""

    def __init__(self) -> None:
        self.rows: list[Told] = []
        self.mates: dict[Key, Key] = {}

    def witnesses(self, state: str) -> list[Witness]:
        ordered = sorted((row for row in self.rows if row.state == state), key=lambda row: row.key)
        return [Witness(row.key, row.source, self._since(row), self.mates.get(row.key)) for row in ordered]

    def _since(self, row: Told) -> Key | None:
        if row.source is not POLL or not row.before:
            return None
        told = (one.key for one in self.rows if one.state == row.before)
        return max((key for key in told if key < row.key and row.us - key.us <= REACH), default=None)

    def around(self, state: str, place: Key) -> list[Witness]:
        near = [one for one in self.witnesses(state) if abs(one.key.us - place.us) <= SIDE * REACH]
        before = [one for one in near if one.key < place]
        return before[-SIDE:] + [one for one in near if one.key >= place][: SIDE + 1]

    def after(self, row: Told) -> Iterable[Told]:
        later = [one for one in self.rows if one.before == row.state and one.key > row.key]
        for state in {one.state for one in later}:
            yield min((one for one in later if one.state == state), key=lambda one: one.key)

    def insert(self, came: Sequence[Told]) -> None:
        self.rows += came
        self._write([*came, *(late for row in came for late in self.after(row))])

    def remove(self, gone: Told) -> None:
        """Take out a line's row that nobody's state before depends on."""
        self.rows.remove(gone)
        self.mates.pop(gone.key, None)
        self._write([gone])

    def _write(self, places: Sequence[Told]) -> None:
        changed: dict[Key, Key | None] = {}
        for place in places:
            changed |= changed_mates(self.around(place.state, place.key), place.key, REACH)
        for key, mate in changed.items():
            self.mates.pop(key, None)
            if mate is not None:
                self.mates[key] = mate

    def whole(self) -> dict[Key, Key]:
        """Return the mates of all, worked out at once."""
        found: dict[Key, Key] = {}
        for state in {row.state for row in self.rows}:
            found |= mates(self.witnesses(state), REACH)
        return found


def paired(*told: Told) -> list[tuple[int, int]]:
    """Return the times of line and poll of each pair."""
    rows = Rows()
    rows.insert(told)
    lines = sorted((row for row in told if row.source is LINE), key=lambda row: row.key)
    return [(row.us, rows.mates[row.key].us) for row in lines if row.key in rows.mates]


def down(us: int, source: Source = LINE) -> Told:
    return Told(us, source, "down", "up" if source is POLL else "")


def up(us: int, source: Source = LINE) -> Told:
    return Told(us, source, "up", "down" if source is POLL else "")


@pytest.mark.parametrize(
    ("told", "pairs"),
    [
        ([down(0), down(5, POLL)], [(0, 5)]),
        ([down(0), down(10, POLL)], [(0, 10)]),
        ([down(0), down(11, POLL)], []),
        ([down(0, POLL), down(3)], [(3, 0)]),  # late, or by a clock that is ahead
        ([down(0), up(1), down(2), up(3)], []),  # faster than polls
        ([down(0), up(1), down(2), down(5, POLL)], [(2, 5)]),
        # The poll between them saw it up again: the line was about the time before.
        ([down(0), up(3, POLL), down(6, POLL)], []),
        ([down(0), up(3), down(6, POLL)], []),
        ([down(0), down(1, POLL), up(4), up(5, POLL), down(7), down(8, POLL)], [(0, 1), (4, 5), (7, 8)]),
        # The nearest one would be the second line, which came after what the poll saw.
        ([down(0), down(5, POLL), up(6), down(7), up(8), up(9, POLL)], [(0, 5), (8, 9)]),
        # A clock that is behind by some seconds: each belongs to the poll before it.
        ([down(1, POLL), down(3), up(5, POLL), up(7)], [(3, 1), (7, 5)]),
        ([down(0, POLL), down(1, POLL), down(2)], [(2, 1)]),
        ([down(0), up(1, POLL)], []),
    ],
)
def test_who_belongs_together(told: list[Told], pairs: list[tuple[int, int]]) -> None:
    assert paired(*told) == pairs
    assert paired(*reversed(told)) == pairs


def test_a_pair_far_from_what_comes_stays_a_pair() -> None:
    """One of the two may be beyond what is looked at."""
    rows = Rows()
    rows.insert([down(0, POLL), down(1)])
    rows.insert([down(1 + SIDE * REACH, POLL)])
    assert len(rows.mates) == 2
    assert rows.mates == rows.whole()


STATES = ("up", "down", "off")
TOLD = st.builds(
    Told,
    us=st.integers(0, 60),
    source=st.sampled_from(Source),
    state=st.sampled_from(STATES),
    before=st.sampled_from(STATES),
    log_id=st.sampled_from("abc"),
).map(lambda one: one if one.source is POLL else Told(one.us, LINE, one.state, "", one.log_id))


@given(
    told=st.lists(TOLD, max_size=30),
    sizes=st.lists(st.integers(1, 6), min_size=1),
    data=st.data(),
)
def test_the_order_of_coming_changes_nothing(told: list[Told], sizes: list[int], data: st.DataObject) -> None:
    numbered = [Told(one.us, one.source, one.state, one.before, one.log_id, n) for n, one in enumerate(told)]
    shuffled = data.draw(st.permutations(numbered))
    rows, at, turn = Rows(), 0, 0
    while at < len(shuffled):
        size = sizes[turn % len(sizes)]
        rows.insert(shuffled[at : at + size])
        at, turn = at + size, turn + 1
        assert rows.mates == rows.whole()
    check(rows)


@given(
    told=st.lists(st.tuples(st.integers(0, 60), st.sampled_from(Source)), min_size=1, max_size=20),
    data=st.data(),
)
def test_what_is_taken_out_leaves_the_others_right(
    told: list[tuple[int, Source]], data: st.DataObject
) -> None:
    """As repeats of what tells no state are."""
    rows = Rows()
    rows.insert([Told(us, source, "rebooted", "", "a", n) for n, (us, source) in enumerate(told)])
    for gone in data.draw(st.lists(st.sampled_from(rows.rows), unique=True)):
        rows.remove(gone)
        assert rows.mates == rows.whole()
    check(rows)


def check(rows: Rows) -> None:
    """Pairs are of two kinds, near each other, and none crosses another of its fact."""
    by_key = {row.key: row for row in rows.rows}
    for key, mate in rows.mates.items():
        assert rows.mates[mate] == key
        assert {by_key[key].source, by_key[mate].source} == {POLL, LINE}
        assert by_key[key].state == by_key[mate].state
        assert abs(key.us - mate.us) <= REACH
    for state in STATES:
        spans = sorted(
            (min(key, mate), max(key, mate))
            for key, mate in rows.mates.items()
            if by_key[key].state == state and key < mate
        )
        assert all(first[1] < second[0] for first, second in zip(spans, spans[1:], strict=False))
