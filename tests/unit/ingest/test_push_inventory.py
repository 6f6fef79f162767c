"""The devices that rows may be about: read again when they change, and not all the time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence

from mtd.ingest.push.inventory import KnownDevices
from mtd.testing import run_async

_TURNS = 200


class Changing:
    """Stands for `IngestInventoryStore`: somebody changes devices again and again."""

    def __init__(self) -> None:
        self.reads = 0
        self.read = asyncio.Event()

    async def watch(self) -> AsyncGenerator[None, None]:
        while True:
            await asyncio.sleep(0)
            yield

    async def devices(self) -> Sequence[tuple[str, str, str]]:
        self.reads += 1
        self.read.set()
        return [("t", "d", "core-1")]


def test_ingest_reads_devices_that_change_all_the_time_now_and_then() -> None:
    async def main() -> None:
        store = Changing()
        known = KnownDevices(store)  # type: ignore[arg-type]
        await known.start()
        await store.read.wait()
        for _ in range(_TURNS):  # each takes what a reading does
            await asyncio.to_thread(lambda: None)
        assert store.reads < _TURNS / 10
        # Who names one that isn't known doesn't wait for the next change.
        assert await known.of_tenant("t", ["core-1"]) == {"core-1": "d", "d": "d"}
        await known.stop()

    run_async(main())
