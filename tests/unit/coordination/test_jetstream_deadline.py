"""A store of leases whose servers say nothing: whoever asks is told so before its lease is over."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from mtd.coordination.jetstream_leases import JetStreamLeaseStore
from mtd.eventlog.config import JetStreamConfig
from mtd.model.assignment import Lease
from mtd.storage.errors import StorageUnavailable
from mtd.testing import run_async

LEASE = Lease("one", "a", 1, 0.0)
CALLS: list[Callable[[JetStreamLeaseStore], Awaitable[Any]]] = [
    lambda store: store.acquire("one", "a", 6.0),
    lambda store: store.renew(LEASE, 6.0),
    lambda store: store.release(LEASE),
    lambda store: store.read("one"),
    lambda store: store.list(""),
]


class Silent:
    """A connection over which nothing is answered."""

    opening = 1

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.dropped = 0

    async def open(self) -> None:
        pass

    async def api(self, verb: str, body: object = None) -> Any:
        self.asked.set()
        await asyncio.Event().wait()

    async def drop(self, error: Exception, opening: int) -> None:
        assert opening == self.opening
        self.dropped += 1


def silent(deadline_s: float) -> tuple[JetStreamLeaseStore, Silent]:
    store, connection = JetStreamLeaseStore(JetStreamConfig(), deadline_s=deadline_s), Silent()
    given: Any = connection
    store._connection = given
    return store, connection


@pytest.mark.parametrize("call", CALLS)
def test_whatever_isnt_answered_in_time_is_asked_of_another_server_next(
    call: Callable[[JetStreamLeaseStore], Awaitable[Any]],
) -> None:
    async def main() -> None:
        store, connection = silent(0.05)
        with pytest.raises(StorageUnavailable, match=r"not answered within 0\.05 s"):
            await call(store)
        assert connection.dropped == 1

    run_async(main())


def test_who_gives_up_before_ends_it() -> None:
    async def main() -> None:
        store, connection = silent(60.0)
        asking = asyncio.ensure_future(store.read("one"))
        await connection.asked.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await store.read("one")
        assert connection.dropped == 0, "others may wait for their answers"

    run_async(main())


def test_a_deadline_leaves_time_to_an_edge_that_hears_of_its_lease_by_it() -> None:
    assert JetStreamLeaseStore(JetStreamConfig())._deadline_s <= 2.0
