"""Following a log, whatever its backend."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mtd.eventlog.interfaces import LoggedBatch
    from mtd.eventlog.tail import Tail

# Events asked for at a time: enough to be quick through a backlog, few enough to be freed soon.
_READ_EVENTS = 4096


async def follow(
    read: Callable[[int, int], Awaitable[list[LoggedBatch]]], tail: Tail, after: int
) -> AsyncIterator[LoggedBatch]:
    """Yield batches behind a position until the log is closed.

    Nothing is queued for a subscriber: it asks for more when it is done.
    """
    position = after
    while not tail.closed:
        end = tail.last_seq
        batches = await read(position, _READ_EVENTS)
        for batch in batches:
            position = batch.last_seq
            yield batch
        if not batches:
            # What there was up to the end is trimmed.
            position = max(position, end)
            await tail.wait_beyond(position)
