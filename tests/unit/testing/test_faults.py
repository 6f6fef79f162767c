"""The kit of faults: what a ledger says is acknowledged, and which polls are missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtd.eventlog.interfaces import AppendResult
from mtd.pb.events.v1.envelope_pb2 import Envelope
from mtd.testing.faults.bench import judge_figures
from mtd.testing.faults.judge import expected
from mtd.testing.faults.kills import missing_polls
from mtd.testing.faults.ledger import EVENT, FRAME, LedgerWriter, ends_of, entries_in, read_ledger

LOG = "6b1a2f5e-0000-4000-8000-000000000001"
DEVICE = "6b1a2f5e-0000-4000-8000-0000000000aa"


def frame(at_us: int, layout: int = 5) -> Envelope:
    envelope = Envelope(device_id=DEVICE, collected_at_us=at_us)
    envelope.frame.layout_id = layout
    return envelope


def changed(at_us: int, new: str) -> Envelope:
    envelope = Envelope(device_id=DEVICE, collected_at_us=at_us)
    envelope.state_changed.event_type = "interface.down"
    envelope.state_changed.new_value = new
    return envelope


def test_a_ledger_tells_what_was_acknowledged_each_event_once(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    writer = LedgerWriter(path)
    probe = Envelope(device_id=DEVICE)
    probe.capability_probed.SetInParent()
    batch = [frame(1), probe, changed(1, "a"), changed(1, "b")]
    writer.acknowledged(LOG, AppendResult(1, 4), batch)
    writer.acknowledged(LOG, AppendResult(1, 4, duplicate=True), batch)
    assert entries_in(path) == 6
    rows = expected(read_ledger(ends_of([path])))
    assert sorted((key.kind, count) for key, count in rows.items()) == [(FRAME, 1), (EVENT, 1), (EVENT, 1)]


def test_a_record_that_was_cut_off_and_what_came_later_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    writer = LedgerWriter(path)
    writer.acknowledged(LOG, AppendResult(1, 1), [frame(1)])
    ends = ends_of([path, tmp_path / "none"])
    with path.open("ab") as file:
        file.write(b"\1" * 20)
    assert [entry.seq for entry in read_ledger(ends_of([path]))] == [1]
    assert [entry.seq for entry in read_ledger(ends)] == [1]
    path.unlink()
    LedgerWriter(path).acknowledged(LOG, AppendResult(1, 2), [frame(1), frame(2)])
    assert [entry.seq for entry in read_ledger(ends)] == [1]


def test_what_an_edge_had_first_keeps_its_name(tmp_path: Path) -> None:
    """The hub acknowledges a copy under a position of its own: it is the same event."""
    path = tmp_path / "ledger"
    copy = frame(1)
    copy.source_log_id, copy.source_seq = bytes.fromhex(LOG.replace("-", "")), 7
    writer = LedgerWriter(path)
    writer.acknowledged(LOG, AppendResult(7, 7), [frame(1)])
    writer.acknowledged("6b1a2f5e-0000-4000-8000-000000000002", AppendResult(99, 99), [copy])
    assert list(expected(read_ledger(ends_of([path]))).values()) == [1]


@pytest.mark.parametrize(
    ("times", "missing"),
    [
        ([], 0),
        ([1.0], 0),
        ([1.0, 2.0, 3.1, 3.9], 0),
        ([1.0, 3.0], 1),
        ([1.0, 2.4, 6.4], 3),
        ([1.0, 2.6, 3.0, 4.0], 0),  # one came late
        ([1.0, 2.6, 3.6, 4.6], 1),  # all come late from then on: one was left out
        ([1.0, 4.4, 5.0], 2),
    ],
)
def test_polls_that_are_missing(times: list[float], missing: int) -> None:
    found = list(missing_polls(times))
    assert len(found) == missing
    assert all(times[0] < at < times[-1] for at in found)


def test_the_bench_ends_badly_for_what_is_lost_or_doubled() -> None:
    well = {"fault": "kill -9 of daemon", "lost": 0, "doubled": 0, "examples": []}
    # A log that is cut in half has lost what nobody else had; twice it must not be either.
    cut = {"fault": "log truncated", "lost": 3, "alone": 3, "doubled": 0, "examples": []}
    beyond = {"daemon": 40, "collector": 20, "compaction worker": 2}
    kills = {
        "lost": 0,
        "doubled": 0,
        "log_ok": True,
        "polls_stored": 2000,
        "beyond_after": beyond,
        "examples": [],
    }
    assert list(judge_figures({"faults": [well, cut], "kills": kills})) == []
    for bad in (
        {"faults": [{**well, "lost": 1}]},
        {"faults": [{**cut, "doubled": 1}]},
        {"faults": [{**cut, "lost": 4}]},
        {"faults": [{**cut, "alone": None}]},
        {"kills": {**kills, "beyond_after": {"PostgreSQL": 3}}},
        {
            "kills_apart": {
                **kills,
                "beyond_after": {"PostgreSQL backend": 2, "compaction worker": 1, "daemon": 1},
            }
        },
        {"kills": {**kills, "lost": 1}},
        {"kills": {**kills, "log_ok": False}},
    ):
        assert len(list(judge_figures(bad))) == 1
