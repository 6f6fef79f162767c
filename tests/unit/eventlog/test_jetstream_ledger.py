from __future__ import annotations

import json
from pathlib import Path

import pytest

from mtd.eventlog.interfaces import AppendResult, Source
from mtd.eventlog.jetstream.ledger import Ledger
from mtd.eventlog.jetstream.messages import BATCH, STATE, Head, Placed

LOG = "log"


def batch(first: int, last: int, message: int, **more: object) -> Placed:
    at_us = int(more.pop("at_us", first * 1000))  # type: ignore[call-overload]
    head = Head(BATCH, f"w.{message}", first, last, at_us, 0, 100, **more)  # type: ignore[arg-type]
    return Placed(head, message, message + head.parts - 1)


def filled() -> Ledger:
    ledger = Ledger(LOG)
    ledger.add(Placed(Head(STATE, "w.0", 0, 0, 1, 0, 10), 1, 1))
    ledger.add(batch(1, 3, 2, batch_id=b"a"))
    ledger.add(batch(4, 4, 3, batch_id=b"b", source=Source("edge", 1, 1)))
    ledger.add(batch(5, 9, 4, parts=3, source=Source("edge", 2, 6)))
    return ledger


def test_it_knows_what_was_added() -> None:
    ledger = filled()
    assert (ledger.last_seq, ledger.last_message, ledger.batches, ledger.stored_bytes) == (
        9,
        6,
        3,
        300 + 5 * 400,
    )
    assert ledger.find(b"b") == AppendResult(4, 4, duplicate=True)
    assert ledger.find(b"c") is None
    assert ledger.find(None) is None
    assert ledger.has_from(Source("edge", 6, 8))
    assert not ledger.has_from(Source("edge", 7, 8))
    assert not ledger.has_from(Source("other", 1, 1))
    assert ledger.ages == (1000, 5000)


def test_batches_behind_a_position() -> None:
    ledger = filled()
    assert [row.first_seq for row in ledger.behind(0, 100, 10**6)] == [1, 4, 5]
    assert [row.first_seq for row in ledger.behind(2, 2, 10**6)] == [1, 4]
    assert [row.first_seq for row in ledger.behind(0, 100, 1)] == [1]
    assert [row.first_message for row in ledger.behind(4, 1, 10**6)] == [4]
    assert ledger.behind(9, 100, 10**6) == []


def test_what_may_go_is_old_or_too_much() -> None:
    ledger = filled()
    assert ledger.may_trim(9, 0, 0) == 0
    assert ledger.may_trim(9, 0, 1) == 3
    assert ledger.may_trim(9, 4001, 0) == 4
    assert ledger.may_trim(4, 10**9, 10**9) == 4
    assert ledger.may_trim(2, 10**9, 10**9) == 0


def test_what_is_trimmed_is_forgotten_but_for_where_it_came_from() -> None:
    ledger = filled()
    assert ledger.trim(4) == 4
    assert (ledger.trimmed_through, ledger.batches, ledger.stored_bytes) == (4, 1, 100 + 3 * 400)
    assert ledger.find(b"a") is None
    assert ledger.has_from(Source("edge", 1, 1))
    assert ledger.first_needed == 1  # the newest state
    ledger.add(Placed(Head(STATE, "w.9", 0, 0, 1, 0, 10), 7, 7))
    assert ledger.first_needed == 4
    assert ledger.covered == 9
    ledger.trim(9)
    assert ledger.first_needed == 7


def test_the_state_of_an_empty_log_goes_on_with_its_numbers() -> None:
    ledger = filled()
    ledger.consumers["projection"] = 9
    ledger.trim(9)
    state = json.loads(json.dumps(ledger.state()))
    again = Ledger(LOG)
    again.restore(state)
    assert (again.last_seq, again.trimmed_through, again.consumers) == (9, 9, {"projection": 9})
    assert list(again.ranges("edge")) == [(1, 6)]


def test_what_went_without_a_state_that_says_so_is_trimmed() -> None:
    ledger = filled()
    ledger.settle_front(4)
    assert (ledger.trimmed_through, ledger.batches) == (4, 1)
    empty = Ledger(LOG)
    empty.restore({"trimmed_through": 0, "last_seq": 7, "sources": {}, "consumers": {}})
    empty.settle_front(10)
    assert (empty.trimmed_through, empty.last_seq) == (7, 7)


def test_a_hole_is_damage_and_a_double_is_passed_over(caplog: pytest.LogCaptureFixture) -> None:
    ledger = filled()
    ledger.add(batch(5, 6, 7))
    ledger.add(batch(12, 12, 8))
    assert (ledger.batches, ledger.last_seq) == (4, 12)
    assert "stand in the log twice" in caplog.text
    ledger.note_gaps(77)
    (damage,) = ledger.damage
    assert (damage.first_seq, damage.last_seq, damage.found_us) == (10, 11, 77)
    assert ledger.damage.untold() == [damage]


def test_what_was_set_aside_stays_aside() -> None:
    ledger = filled()
    assert ledger.set_aside(4, 4, 77, "checksum differs")
    assert not ledger.set_aside(4, 4, 78, "again")
    assert ledger.find(b"b") is None
    assert (ledger.batches, [row.first_seq for row in ledger.behind(0, 100, 10**6)]) == (2, [1, 5])
    ledger.damage.told(list(ledger.damage))
    again = filled()  # from the headers, which are all there
    again.restore(json.loads(json.dumps(ledger.state())))
    again.note_gaps(0)
    assert (again.batches, again.stored_bytes) == (ledger.batches, ledger.stored_bytes)
    assert list(again.damage) == list(ledger.damage)
    assert again.damage.untold() == []
    ledger.trim(9)
    assert list(ledger.damage) == []


def test_a_log_goes_on_behind_what_a_reader_knows() -> None:
    ledger = filled()
    assert not ledger.go_on_behind(9, 77)
    assert ledger.go_on_behind(20, 77)
    (damage,) = ledger.damage
    assert (damage.first_seq, damage.last_seq) == (10, 20)
    ledger.add(batch(21, 22, 7))
    again = filled()
    again.add(batch(21, 22, 7))
    again.restore(json.loads(json.dumps(ledger.state())))
    again.note_gaps(99)
    assert list(again.damage) == [damage]
    assert again.last_seq == 22


def test_a_copy_is_good_for_the_stream_that_it_was_made_of(tmp_path: Path) -> None:
    path = tmp_path / "log.index"
    ledger = filled()
    ledger.note_for_copy("today")
    ledger.add(batch(10, 10, 7, batch_id=b"later"))  # between the note and the copy
    ledger.copy_to(path)
    assert path.stat().st_mode & 0o077 == 0
    again = Ledger.from_copy(path, LOG, "today")
    assert again is not None
    assert (again.last_seq, again.last_message, again.batches, again.stored_bytes) == (9, 6, 3, 300 + 5 * 400)
    assert again.find(b"b") == AppendResult(4, 4, duplicate=True)
    assert again.find(b"later") is None
    assert again.has_from(Source("edge", 6, 6))
    assert Ledger.from_copy(path, LOG, "another day") is None
    assert Ledger.from_copy(path, "another", "today") is None
    assert Ledger.from_copy(tmp_path / "none", LOG, "today") is None
    path.write_bytes(b"not a database" * 1000)
    assert Ledger.from_copy(path, LOG, "today") is None
