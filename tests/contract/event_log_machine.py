"""Random histories of a log, each step compared with the simplest model of one: a list."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from mtd.eventlog.interfaces import IEventLog
from tests.contract.event_log_suite import make_events, numbers
from tests.contract.loop import run as run_async

POSITION = st.integers(0, 60)


class EventLogMachine(RuleBasedStateMachine):
    """Appends, repeats, reads, trims, and closes and opens again. A backend says how a log is made."""

    def new_log(self, folder: Path) -> IEventLog:
        raise NotImplementedError

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.log = self.new_log(Path(self.folder.name))
        run_async(self.log.start())
        self.batches: list[tuple[int, int]] = []  # first and last position of the batches retained
        self.ids: dict[bytes, tuple[int, int]] = {}
        self.consumers: dict[str, int] = {}
        self.last_seq = 0

    def teardown(self) -> None:
        report = run_async(self.log.verify())
        run_async(self.log.stop())
        self.folder.cleanup()
        assert report.ok, report.problems
        assert report.events == sum(last + 1 - first for first, last in self.batches)

    @property
    def first_seq(self) -> int:
        return self.batches[0][0] if self.batches else self.last_seq + 1

    @rule(count=st.integers(1, 6), batch_id=st.none() | st.sampled_from([b"a", b"b", b"c", b"d"]))
    def append(self, count: int, batch_id: bytes | None) -> None:
        result = run_async(self.log.append(make_events(self.last_seq + 1, count), batch_id))
        known = self.ids.get(batch_id) if batch_id is not None else None
        assert result.duplicate == (known is not None)
        if known is not None:
            assert (result.first_seq, result.last_seq) == known
            return
        place = (self.last_seq + 1, self.last_seq + count)
        assert (result.first_seq, result.last_seq) == place
        self.last_seq += count
        self.batches.append(place)
        if batch_id is not None:
            self.ids[batch_id] = place

    @rule(counts=st.lists(st.integers(1, 4), min_size=2, max_size=5))
    def append_together(self, counts: list[int]) -> None:
        async def gather() -> None:
            first = self.last_seq + 1
            waiting = []
            for count in counts:
                waiting.append(self.log.append(make_events(first, count)))
                self.batches.append((first, first + count - 1))
                first += count
            self.last_seq = first - 1
            await asyncio.gather(*waiting)

        run_async(gather())

    @rule(after=POSITION, limit=st.integers(1, 20))
    def read(self, after: int, limit: int) -> None:
        after = min(after, self.last_seq)
        found = run_async(self.log.read(after, limit))
        first = max(after + 1, self.first_seq)
        if first > self.last_seq:
            assert found == []
            return
        assert found[0].first_seq == first
        got = numbers(found)
        assert got == list(range(first, first + len(got)))
        whole = next(last for start, last in self.batches if start <= first <= last)
        assert len(got) <= max(limit, whole + 1 - first)

    @rule(before=POSITION)
    def trim(self, before: int) -> None:
        through = min([before - 1, *self.consumers.values()])
        self.batches = [place for place in self.batches if place[1] > through]
        self.ids = {key: place for key, place in self.ids.items() if place[1] > through}
        assert run_async(self.log.trim(before)) == self.first_seq

    @rule(name=st.sampled_from(["x", "y"]), position=POSITION)
    def pin(self, name: str, position: int) -> None:
        position = min(position, self.last_seq)
        self._in_loop(lambda: self.log.pin(name, position))
        self.consumers[name] = position

    @precondition(lambda self: self.consumers)
    @rule()
    def unpin(self) -> None:
        name, _ = self.consumers.popitem()
        self._in_loop(lambda: self.log.unpin(name))

    @rule()
    def reopen(self) -> None:
        log_id = self.log.log_id
        run_async(self.log.stop())
        self.log = self.new_log(Path(self.folder.name))
        run_async(self.log.start())
        assert self.log.log_id == log_id

    @invariant()
    def stats_agree(self) -> None:
        stats = self.log.stats()
        assert (stats.first_seq, stats.last_seq) == (self.first_seq, self.last_seq)
        assert stats.batches == len(self.batches)
        assert dict(stats.consumers) == self.consumers
        assert stats.available

    def _in_loop(self, call: object) -> None:
        async def body() -> None:
            call()  # type: ignore[operator]

        run_async(body())
