"""Which events go where, and which may be forgotten: whatever hub, log and line do."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from mtd.core.errors import Bug
from mtd.forwarding.lanes import Lane, LaneBook, Sent
from mtd.model.ranges import SeqRanges


def test_what_is_old_when_the_hub_answers_goes_behind_what_is_new() -> None:
    book = LaneBook(1, 100)
    book.connected([(1, 20)], [(1, 10)], recent=90)
    assert book.live_span() == (91, 100)
    assert book.backfill_span() == (21, 90)
    assert book.unpinned == 10
    assert (book.depth, book.live_depth) == (80, 10)


def test_what_the_hub_has_of_the_newest_is_not_sent_again() -> None:
    book = LaneBook(1, 100)
    book.connected([(1, 95)], [], recent=90)
    assert book.live_span() == (96, 100)
    assert book.backfill_span() is None
    assert book.follows(book.live, 96)  # it has what lies between: no need to open anew


def test_the_oldest_gap_is_filled_first() -> None:
    book = LaneBook(1, 100)
    book.connected([(11, 20), (31, 40)], [], recent=100)
    lane = book.backfill
    assert book.backfill_span() == (1, 10)
    lane.sent(Sent(1, 10, 1))
    assert book.backfill_span() == (21, 30)
    assert book.follows(lane, 21)
    lane.sent(Sent(21, 30, 1))
    assert book.backfill_span() == (41, 100)


def test_a_hub_that_lost_its_log_gets_all_again_that_its_database_does_not_have() -> None:
    book = LaneBook(1, 10)
    book.connected([(1, 10)], [(1, 4)], recent=10)
    assert book.backfill_span() is None
    assert book.unpinned == 4
    book.connected([], [(1, 4)], recent=10)
    assert book.backfill_span() == (5, 10)
    book.connected([], [], recent=10)  # and the database, too
    assert book.backfill_span() == (1, 10)
    assert book.unpinned == 0


def test_what_this_log_has_lost_holds_nothing_up() -> None:
    book = LaneBook(1, 10)
    book.connected([(1, 2)], [(1, 2)], recent=10)
    assert book.lost(2, 5) == 3
    assert book.backfill_span() == (6, 10)
    assert not book.follows(book.backfill, 6)  # the hub has to be told that nothing comes before
    assert book.unpinned == 5


def test_a_hub_that_asks_again_gets_what_it_asks_for() -> None:
    book = LaneBook(1, 30)
    book.connected([], [], recent=0)
    for first in (1, 11, 21):
        book.live.sent(Sent(first, first + 9, 5))
    book.live.rewind(11)
    assert [one.first for one in book.live.under_way] == [1, 11]
    book.acked(book.live, 1, 10)
    assert book.live_span() == (11, 30)


def test_the_live_lane_leaves_no_more_gaps_than_the_hub_takes() -> None:
    book = LaneBook(1, 5000)
    book.connected([(2 * n, 2 * n) for n in range(1, 600)], [], recent=4000)
    assert not book.skip_to(4500)
    book.connected([], [], recent=4000)
    assert book.skip_to(4500)
    assert (book.live_span(), book.backfill_span()) == ((4500, 5000), (1, 4499))
    assert not book.skip_to(4500)


def test_acknowledgements_out_of_order_are_noticed() -> None:
    book = LaneBook(1, 30)
    book.connected([], [], recent=0)
    book.live.sent(Sent(1, 10, 1))
    with pytest.raises(Bug):
        book.acked(book.live, 2, 10)
    with pytest.raises(Bug):
        book.live.sent(Sent(5, 6, 1))


class Copying(RuleBasedStateMachine):
    """A log and a hub that works as the door of ``IngestService.Append`` does, with all that goes wrong between them."""

    @initialize(events=st.integers(0, 40))
    def begin(self, events: int) -> None:
        self.book = LaneBook(1, events)
        self.last = events
        self.hub_log = SeqRanges()
        self.database = SeqRanges()
        self.trimmed = 0
        self.gone: set[int] = set()
        self.connected = False
        self.sent: dict[str, list[tuple[str, int, int]]] = {}
        self.hub_next: dict[str, int] = {}
        self.answers: dict[str, list[tuple[str, int, int]]] = {}
        self.ever_in_database: set[int] = set()

    def lane(self, name: str) -> Lane:
        return self.book.live if name == "live" else self.book.backfill

    @rule(count=st.integers(1, 20))
    def append(self, count: int) -> None:
        self.last += count
        self.book.grown(self.trimmed + 1, self.last)

    @rule(recent=st.integers(0, 60))
    def connect(self, recent: int) -> None:
        recent = min(max(recent, self.trimmed), self.last)
        stored = SeqRanges(self.hub_log)
        stored.update(self.database)
        self.taken = stored
        self.sent = {"live": [], "backfill": []}
        self.answers = {"live": [], "backfill": []}
        self.book.connected(list(stored), list(self.database), recent)
        self.hub_next = {"live": recent + 1, "backfill": self.book.first}
        self.connected = True

    @precondition(lambda self: self.connected)
    @rule(name=st.sampled_from(["live", "backfill"]), most=st.integers(1, 15))
    def send(self, name: str, most: int) -> None:
        span = self.book.live_span() if name == "live" else self.book.backfill_span()
        if span is None:
            return
        first, last = span[0], min(span[1], span[0] + most - 1)
        lane = self.lane(name)
        assert first > self.trimmed
        assert not any(seq in self.gone for seq in range(first, last + 1))
        if not self.book.follows(lane, first):
            self.sent[name].append(("open", first, first))
            lane.expected = first
        lane.sent(Sent(first, last, 1))
        self.sent[name].append(("batch", first, last))

    @precondition(lambda self: self.connected)
    @rule(name=st.sampled_from(["live", "backfill"]))
    def arrive(self, name: str) -> None:
        """The hub takes the next message, as ``CopyStream`` does."""
        if not self.sent[name]:
            return
        kind, first, last = self.sent[name].pop(0)
        if kind == "open":
            self.hub_next[name] = first
            return
        expected = self.taken.next_missing(self.hub_next[name])
        if first > expected:
            self.answers[name].append(("resend", expected, expected))
            return
        self.hub_next[name] = max(self.hub_next[name], last + 1)
        self.taken.add(first, last)
        self.hub_log.add(first, last)
        self.answers[name].append(("ack", first, last))

    @precondition(lambda self: self.connected)
    @rule(name=st.sampled_from(["live", "backfill"]))
    def hear(self, name: str) -> None:
        if not self.answers[name]:
            return
        kind, first, last = self.answers[name].pop(0)
        if kind == "ack":
            self.book.acked(self.lane(name), first, last)
        else:
            self.lane(name).rewind(first)

    @precondition(lambda self: self.connected)
    @rule(name=st.sampled_from(["live", "backfill"]), times=st.integers(1, 4), most=st.integers(1, 15))
    def exchange(self, name: str, times: int, most: int) -> None:
        for _ in range(times):
            self.send(name, most)
            self.arrive(name)
            self.hear(name)

    @precondition(lambda self: self.connected)
    @rule(to=st.integers(1, 200))
    def skip(self, to: int) -> None:
        self.book.skip_to(min(to, self.last + 1))

    @rule(share=st.integers(1, 10))
    def project(self, share: int) -> None:
        """The hub's projections go on for a while."""
        for first, last in list(self.hub_log)[:share]:
            self.database.add(first, last)
            self.ever_in_database.update(range(first, last + 1))

    @precondition(lambda self: self.connected)
    @rule()
    def tell(self) -> None:
        self.book.told_projected(list(self.database))

    @rule()
    def trim(self) -> None:
        self.trimmed = max(self.trimmed, self.book.unpinned)
        self.book.grown(self.trimmed + 1, self.last)

    @rule(place=st.integers(1, 100), length=st.integers(1, 5))
    def damage(self, place: int, length: int) -> None:
        first, last = max(place, self.trimmed + 1), min(place + length, self.last)
        if first > last:
            return
        self.gone.update(range(first, last + 1))
        self.book.lost(first, last)

    @rule()
    def lose_the_line(self) -> None:
        self.connected = False

    @rule()
    def lose_the_hubs_disk(self) -> None:
        self.hub_log = SeqRanges()
        self.connected = False

    @invariant()
    def nothing_is_forgotten_that_the_database_lacks(self) -> None:
        for seq in range(1, self.trimmed + 1):
            assert seq in self.ever_in_database or seq in self.gone

    def teardown(self) -> None:
        """With a hub that stays, all arrives."""
        if not hasattr(self, "book"):
            return
        self.connect(self.last)
        for _ in range(400):
            for name in ("live", "backfill"):
                self.send(name, 15)
                self.arrive(name)
                self.hear(name)
        stored = SeqRanges(self.hub_log)
        stored.update(self.database)
        missing = [
            seq for span in stored.missing(self.trimmed + 1, self.last) for seq in range(span[0], span[1] + 1)
        ]
        assert set(missing) <= self.gone
        self.project(1000)
        self.book.told_projected(list(self.database))
        assert self.book.unpinned == max(self.last, self.trimmed)
        assert self.book.depth == 0


Copying.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestCopying = Copying.TestCase
