"""What workers hand over: so much at most that isn't recorded, all of it in order, whatever comes between."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from mtd.core.clock import SYSTEM_CLOCK
from mtd.listeners.flows.handing import MOST_BYTES_EACH, HandedOver, Outbox
from mtd.listeners.pipe import PORTION, frame
from mtd.model.flows import flow_event_of
from mtd.pb.events.v1.envelope_pb2 import Envelope
from mtd.testing import run_async


@given(st.lists(st.one_of(st.integers(1, 40), st.none()), max_size=60), st.integers(0, 50))
def test_never_more_is_handed_over_than_may_be_nor_kept(steps: list[int | None], unrecorded: int) -> None:
    """A number is a portion of so many bytes; None: the daemon takes the oldest."""
    written: list[bytes] = []
    outbox = Outbox(written.append, 50, 100, unrecorded)
    kept: list[bytes] = []
    taken = 0
    for number, size in enumerate(steps):
        if size is not None:
            portion = bytes([number]) * size
            if outbox.put(portion):
                kept.append(portion)
            else:
                assert outbox.waiting_bytes + size > 100
        elif unrecorded:
            outbox.taken(unrecorded)
            unrecorded = 0
        elif taken < len(written):
            taken += 1
            outbox.taken(len(kept[taken - 1]))
        under_way = sum(map(len, kept[taken : len(written)]))
        assert under_way + unrecorded <= 50
        assert outbox.waiting_bytes == sum(map(len, kept[len(written) :])) <= 100
        assert written == [frame(PORTION, one) for one in kept[: len(written)]]
    outbox.finish()
    assert written == [frame(PORTION, one) for one in kept]
    assert outbox.waiting_bytes == 0


def test_one_portion_is_handed_over_however_large() -> None:
    written: list[bytes] = []
    outbox = Outbox(written.append, 10, 20)
    assert [outbox.put(b"x" * 100) for _ in range(3)] == [True, True, False]
    assert len(written) == 1
    outbox.taken(100)
    assert len(written) == 2


def test_what_was_handed_over_waits_while_it_is_held_up_and_is_told_when_it_was_taken() -> None:
    recorded: list[int] = []
    told: list[tuple[int, bytes]] = []
    held_up = True

    async def main() -> None:
        nonlocal held_up
        handed = HandedOver(
            2,
            lambda event: recorded.append(event.flow_batch.records),
            lambda: held_up,
            lambda number, line: told.append((number, line)),
            SYSTEM_CLOCK,
        )
        running = asyncio.create_task(handed.run())
        for number, records in ((0, 1), (1, 2), (0, 3)):
            event = Envelope()
            event.flow_batch.records = records
            handed.put(number, flow_event_of(event.SerializeToString()), 10 * records)
        await asyncio.sleep(0)
        assert (handed.bytes_of(0), handed.bytes_of(1), recorded) == (40, 20, [])
        held_up = False
        while len(recorded) < 3:
            await asyncio.sleep(0.01)
        assert (handed.bytes_of(0), handed.bytes_of(1)) == (0, 0)
        held_up = True
        handed.put(1, event, 5)
        running.cancel()
        await handed.finish()

    run_async(main())
    assert recorded == [1, 2, 3, 3]
    taken = {number: sum(int(line[9:-2]) for one, line in told if one == number) for number in (0, 1)}
    assert taken == {0: 40, 1: 25}
    assert MOST_BYTES_EACH == 4 * 2**20, "docs/flows.md and the register of queues say so"
