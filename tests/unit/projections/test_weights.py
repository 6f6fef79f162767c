"""A transaction is bounded by what its events hold, not by their number alone."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from mtd.eventlog.memory import MemoryEventLog
from mtd.model.events import Origin, snapshot_event
from mtd.model.logs import LogEntry, log_event
from mtd.model.observation import Document
from mtd.pb.events.v1.envelope_pb2 import Envelope
from mtd.projections.reader import ReadAhead
from mtd.projections.weights import BYTES_OF_AN_EVENT, LINES_OF_AN_EVENT, first_of, weight_of
from mtd.testing import run_async

ORIGIN = Origin("t", "c", "d")


def lines(count: int, text: str = "x") -> Envelope:
    return log_event(ORIGIN, "192.0.2.1", [LogEntry(number, text, text) for number in range(count)], 0)


def document(size: int) -> Envelope:
    return snapshot_event(ORIGIN, Document("export", b"x" * size, b"s" * 32), 0, 0)


def test_lines_and_bytes_weigh() -> None:
    assert weight_of(Envelope()) == 1
    assert weight_of(lines(1)) == 1
    assert weight_of(lines(200)) == 200 // LINES_OF_AN_EVENT
    assert weight_of(lines(8, "x" * 8000)) == 15
    assert weight_of(document(10)) == 1
    assert weight_of(document(100 * BYTES_OF_AN_EVENT)) == 100


SIZES = st.lists(st.sampled_from([1, 1, 8, 40, 200]), min_size=1, max_size=60)


@given(SIZES, st.integers(1, 60))
def test_the_first_of_events_weigh_what_they_may(sizes: list[int], limit: int) -> None:
    kinds = {size: lines(size) for size in set(sizes)}
    left: Sequence[tuple[int, Envelope]] = [(seq, kinds[size]) for seq, size in enumerate(sizes)]
    seen: list[int] = []
    while left:
        some = first_of(left, limit)
        assert len(some) == 1 or sum(weight_of(one) for _, one in some) <= limit
        if len(some) < len(left):
            assert sum(weight_of(one) for _, one in left[: len(some) + 1]) > limit
        seen += [seq for seq, _ in some]
        left = left[len(some) :]
    assert seen == list(range(len(sizes)))


@given(SIZES, st.integers(1, 60), st.integers(1, 200))
def test_what_is_read_ahead_comes_in_groups_that_weigh_what_they_may(
    sizes: list[int], limit: int, ahead: int
) -> None:
    kinds = {size: lines(size) for size in set(sizes)}

    async def body() -> None:
        log = MemoryEventLog()
        await log.start()
        for first in range(0, len(sizes), 7):
            await log.append([kinds[size] for size in sizes[first : first + 7]])
        reader = ReadAhead("live", log, 0, batches=64, events=ahead)
        seen: list[int] = []
        while len(seen) < len(sizes):
            some = await reader.take(limit)
            assert len(some) == 1 or sum(weight_of(one) for _, one in some) <= limit
            seen += [seq for seq, _ in some]
            await asyncio.sleep(0)
        assert seen == list(range(1, len(sizes) + 1))
        await reader.close()
        await log.stop()

    run_async(body())
