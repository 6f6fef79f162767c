from __future__ import annotations

import asyncio

from mtd.eventlog.interfaces import LoggedBatch
from mtd.eventlog.tail import Tail
from tests.contract.event_log_suite import make_events, numbers
from tests.contract.loop import run


def batch(first: int, count: int) -> LoggedBatch:
    return LoggedBatch(first, first + count - 1, make_events(first, count))


def test_it_serves_what_it_has_and_nothing_else() -> None:
    tail = Tail(30)
    for first in range(1, 50, 2):
        tail.publish(batch(first, 2), 10)
    assert tail.last_seq == 50
    assert numbers(tail.read(44, 100)) == [45, 46, 47, 48, 49, 50]
    assert numbers(tail.read(45, 100)) == [46, 47, 48, 49, 50]
    assert tail.read(43, 100) == []  # the disk has that
    assert tail.read(50, 100) == []


def test_the_limit_counts_events() -> None:
    tail = Tail(1000)
    for first in (1, 4, 7):
        tail.publish(batch(first, 3), 10)
    assert numbers(tail.read(0, 1)) == [1, 2, 3]
    assert numbers(tail.read(0, 6)) == [1, 2, 3, 4, 5, 6]
    assert numbers(tail.read(1, 7)) == [2, 3, 4, 5, 6]


def test_a_batch_larger_than_the_tail_is_not_kept() -> None:
    tail = Tail(5)
    tail.publish(batch(1, 3), 10)
    assert tail.read(0, 10) == []
    assert tail.last_seq == 3


def test_what_all_consumers_are_done_with_is_forgotten_but_for_a_little() -> None:
    tail = Tail(8 * 1024 * 1024)
    for first in range(1, 41, 2):
        tail.publish(batch(first, 2), 100_000)
    tail.done_with(3)
    assert numbers(tail.read(2, 1)) == [3, 4], "only half of it is done with"
    assert tail.read(1, 1) == []
    tail.done_with(40)
    assert numbers(tail.read(36, 100)) == [37, 38, 39, 40]
    assert tail.read(35, 1) == []
    tail.publish(batch(41, 2), 100_000)
    assert numbers(tail.read(36, 100)) == [37, 38, 39, 40, 41, 42]


def test_behind_a_seam_the_disk_is_asked() -> None:
    """What was stored by a commit that seemed to fail was never published here."""
    tail = Tail(1000)
    tail.publish(batch(1, 3), 10)
    tail.advance(5)
    tail.publish(batch(6, 2), 10)
    assert numbers(tail.read(0, 100)) == [1, 2, 3]
    assert tail.read(3, 100) == []
    assert tail.read(4, 100) == []
    assert numbers(tail.read(5, 100)) == [6, 7]


def test_its_end_never_moves_back() -> None:
    tail = Tail(1000)
    tail.advance(9)
    tail.publish(batch(7, 3), 10)
    tail.advance(2)
    assert tail.last_seq == 9


def test_waiting_ends_when_there_is_more_or_never_will_be() -> None:
    async def main() -> None:
        tail = Tail(1000)
        waiting = [asyncio.create_task(tail.wait_beyond(position)) for position in (0, 0, 3)]
        await asyncio.sleep(0)
        tail.publish(batch(1, 3), 10)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert [task.done() for task in waiting] == [True, True, False]
        tail.close()
        async with asyncio.timeout(1):
            await waiting[2]

    run(main())
