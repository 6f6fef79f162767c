"""Which poll, line and trap tell of one fact: by examples, and whatever the order in which they come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtd.model.evidence import Source
from mtd.projections.pairing import changed_mates, mates
from mtd.storage.stores.evidence import SIDE, Key, Witness

REACH = 10
POLL, LINE, TRAP = Source.POLL, Source.SYSLOG, Source.TRAP


@dataclass(frozen=True)
class Told:
    """What somebody tells: which state, and which before."""

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

    def _since(self, row: Told) -> dict[Source, Key]:
        before = sorted(
            (one.key, one.source)
            for one in self.rows
            if one.state == row.before and one.key < row.key and row.us - one.us <= REACH
        )
        return {source: key for key, source in before}

    def around(self, state: str, place: Key) -> list[Witness]:
        near = [one for one in self.witnesses(state) if abs(one.key.us - place.us) <= SIDE * REACH]
        before = [one for one in near if one.key < place]
        return before[-SIDE:] + [one for one in near if one.key >= place][: SIDE + 1]

    def after(self, row: Told) -> set[str]:
        return {
            one.state
            for one in self.rows
            if one.before == row.state and one.key > row.key and one.us - row.us <= REACH
        }

    def insert(self, came: Sequence[Told]) -> None:
        self.rows += came
        own = [(row.state, row.key) for row in came]
        self._write([*own, *((state, row.key) for row in came for state in self.after(row))])

    def remove(self, gone: Told) -> None:
        """Take out a line's row that nobody's state before depends on."""
        self.rows.remove(gone)
        self.mates.pop(gone.key, None)
        self._write([(gone.state, gone.key)])

    def _write(self, places: Sequence[tuple[str, Key]]) -> None:
        changed: dict[Key, Key | None] = {}
        for state, key in places:
            changed |= changed_mates(self.around(state, key), key, REACH)
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


def joined(*told: Told) -> list[tuple[int, ...]]:
    """Return the times of those that are told together, in their order."""
    rows = Rows()
    rows.insert(told)
    return sorted(tuple(row.us for row in group) for group in groups(rows) if len(group) > 1)


def groups(rows: Rows) -> list[list[Told]]:
    """Return who is told together, each in its order, also those who are alone."""
    by_key = {row.key: row for row in rows.rows}
    found = []
    for key, row in by_key.items():
        ring, following = [row], rows.mates.get(key, key)
        while following != key:
            ring.append(by_key[following])
            following = rows.mates[following]
        if key == min(one.key for one in ring):
            found.append(ring)
    return found


def down(us: int, source: Source = LINE) -> Told:
    return Told(us, source, "down", "up")


def up(us: int, source: Source = LINE) -> Told:
    return Told(us, source, "up", "down")


@pytest.mark.parametrize(
    ("told", "pairs"),
    [
        ([down(0), down(5, POLL)], [(0, 5)]),
        ([down(0), down(10, POLL)], [(0, 10)]),
        ([down(0), down(11, POLL)], []),
        ([down(0, POLL), down(3)], [(0, 3)]),  # late, or by a clock that is ahead
        ([down(0), up(1), down(2), up(3)], []),  # faster than polls
        ([down(0), up(1), down(2), down(5, POLL)], [(2, 5)]),
        # The poll between them saw it up again: the line was about the time before.
        ([down(0), up(3, POLL), down(6, POLL)], []),
        ([down(0), up(3), down(6, POLL)], []),
        ([down(0), down(1, POLL), up(4), up(5, POLL), down(7), down(8, POLL)], [(0, 1), (4, 5), (7, 8)]),
        # The nearest one would be the second line, which came after what the poll saw.
        ([down(0), down(5, POLL), up(6), down(7), up(8), up(9, POLL)], [(0, 5), (8, 9)]),
        # A clock that is behind by some seconds: each belongs to the poll before it.
        ([down(1, POLL), down(3), up(5, POLL), up(7)], [(1, 3), (5, 7)]),
        ([down(0, POLL), down(1, POLL), down(2)], [(1, 2)]),
        ([down(0), up(1, POLL)], []),
    ],
)
def test_who_belongs_together(told: list[Told], pairs: list[tuple[int, int]]) -> None:
    assert joined(*told) == pairs
    assert joined(*reversed(told)) == pairs
    # A trap is what a line is.
    traps = [replace(one, source=TRAP) if one.source is LINE else one for one in told]
    assert joined(*traps) == pairs


@pytest.mark.parametrize(
    ("told", "events"),
    [
        ([down(0), down(1, TRAP)], [(0, 1)]),
        ([down(0, TRAP), down(1), down(5, POLL)], [(0, 1, 5)]),
        ([down(0, TRAP), down(1), down(20, POLL)], [(0, 1)]),
        ([down(0), down(20, TRAP)], []),
        ([down(0), down(5, POLL), down(6, TRAP)], [(0, 5, 6)]),
        ([down(0, POLL), down(2), down(3, TRAP)], [(0, 2, 3)]),
        # The second time, one of them was lost: each belongs to the nearer one.
        ([down(0), down(1, TRAP), down(5), down(6, POLL)], [(0, 1), (5, 6)]),
        ([down(0), down(4), down(5, TRAP), down(6, POLL)], [(4, 5, 6)]),
        ([down(0, TRAP), down(3), down(4, TRAP)], [(3, 4)]),
        ([down(0), down(2, TRAP), down(4)], [(0, 2)]),
        # Both said that it was up again between them, so they tell of two times.
        ([down(0), up(2), up(2, TRAP), down(5, TRAP)], [(2, 2)]),
        # One of them did, which was quicker: a loop that read all lines first, and then all traps.
        ([down(0), up(1), down(2, TRAP), up(3, TRAP)], [(0, 2), (1, 3)]),
        ([down(0), down(1, TRAP), up(2, TRAP), up(3), down(4), down(5, TRAP), down(6, POLL)], [(0, 1), (2, 3), (4, 5, 6)]),
        # A poll that saw it up between them: what both told was about the time before.
        ([down(0), down(0, TRAP), up(3, POLL), down(6, POLL)], [(0, 0)]),
        ([down(0), down(5, POLL), up(6), up(6, TRAP), down(7, TRAP)], [(0, 5), (6, 6)]),
        ([down(0, POLL), up(2, POLL), up(2, TRAP), down(5, TRAP)], [(2, 2)]),
        # One evidence of each kind.
        ([down(0), down(2, POLL), down(3), down(4, TRAP)], [(0, 2), (3, 4)]),
        ([down(0, TRAP), down(1, POLL), down(2, POLL), down(3)], [(0, 1), (2, 3)]),
        ([down(0), up(0, TRAP)], []),
    ],
)  # fmt: skip
def test_a_trap_is_a_third_evidence(told: list[Told], events: list[tuple[int, ...]]) -> None:
    numbered = [replace(one, seq=number) for number, one in enumerate(told)]
    assert joined(*numbered) == events
    assert joined(*reversed(numbered)) == events
    # Lines and traps may change places.
    other = {TRAP: LINE, LINE: TRAP, POLL: POLL}
    assert joined(*(replace(one, source=other[one.source]) for one in numbered)) == events


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
    before=st.sampled_from(("", *STATES)),
    log_id=st.sampled_from("abc"),
)


@given(
    told=st.lists(TOLD, max_size=30) | st.lists(TOLD.map(lambda one: replace(one, state="up")), max_size=30),
    sizes=st.lists(st.integers(1, 6), min_size=1),
    data=st.data(),
)
def test_the_order_of_coming_changes_nothing(told: list[Told], sizes: list[int], data: st.DataObject) -> None:
    numbered = [replace(one, seq=number) for number, one in enumerate(told)]
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


@given(
    begins=st.lists(st.integers(0, 5), min_size=1, max_size=6),
    lags=st.lists(st.tuples(*[st.integers(0, REACH - 1)] * 3), min_size=6, max_size=6),
    heard=st.lists(st.sets(st.sampled_from(Source), min_size=1), min_size=6, max_size=6),
    data=st.data(),
)
def test_each_fact_is_one_event_and_those_far_away_are_others(
    begins: list[int],
    lags: list[tuple[int, int, int]],
    heard: list[set[Source]],
    data: st.DataObject,
) -> None:
    """Whoever tells it, with whatever lag, in whatever order it comes: two facts are further from each other than the window."""
    told: list[list[Told]] = []
    for number, begin in enumerate(begins):
        start = begin + number * 3 * REACH
        who = [source for source in Source if source in heard[number]]
        told.append(
            [Told(start + lags[number][source - 1], source, "down", "up", "a", source) for source in who]
        )
    rows = Rows()
    for row in data.draw(st.permutations([row for facts in told for row in facts])):
        rows.insert([row])
    assert sorted(sorted(row.key for row in group) for group in groups(rows)) == sorted(
        sorted(row.key for row in facts) for facts in told
    )


def check(rows: Rows) -> None:
    """Events have one evidence of each kind, each near the next, and none crosses another of its fact."""
    for group in groups(rows):
        assert [row.key for row in group] == sorted(row.key for row in group)
        assert len({row.source for row in group}) == len(group)
        assert len({row.state for row in group}) == 1
        assert all(second.us - first.us <= REACH for first, second in pairwise(group))
    for state in STATES:
        spans = sorted((group[0].key, group[-1].key) for group in groups(rows) if group[0].state == state)
        assert all(first[1] < second[0] for first, second in pairwise(spans))
