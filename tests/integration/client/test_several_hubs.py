"""Clients that know several hubs: another one is called when one is away or stops."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from mtd.client import AsyncMtdClient, MtdClient, MtdClientError
from mtd.testing import run_async
from mtd.testing.harness import free_port
from tests.integration.client.kit import Daemon


@asynccontextmanager
async def two() -> AsyncIterator[tuple[Daemon, Daemon, str]]:
    first, second = Daemon(), Daemon()
    await first.start()
    await second.start()
    try:
        yield first, second, f"{first.target}, {second.target}"
    finally:
        await first.stop()
        await second.stop()


def test_a_call_goes_to_the_next_hub_if_one_is_not_there() -> None:
    async def main() -> None:
        async with two() as (first, second, _):
            targets = f"127.0.0.1:{free_port()},{first.target},{second.target}"
            async with AsyncMtdClient(targets) as client:
                assert await client.list_devices() == []
                assert client.target == first.target
                await first.stop()
                assert await client.list_devices() == []
                assert client.target == second.target
            with MtdClient(targets) as client_of_threads:
                assert await asyncio.to_thread(client_of_threads.list_devices) == []
                assert client_of_threads.target == second.target

    run_async(main())


def test_if_no_hub_is_there_that_is_told_after_each_was_called() -> None:
    async def main() -> None:
        targets = [f"127.0.0.1:{free_port()}" for _ in range(2)]
        async with AsyncMtdClient(",".join(targets)) as client:
            with pytest.raises(MtdClientError, match="can't reach mtd") as failed:
                await client.list_devices()
        assert failed.value.is_unsent
        with MtdClient(",".join(targets)) as other, pytest.raises(MtdClientError, match="can't reach mtd"):
            await asyncio.to_thread(other.list_devices)

    run_async(main())


def test_a_refusal_is_no_reason_to_ask_another_hub() -> None:
    async def main() -> None:
        async with two() as (first, _, targets), AsyncMtdClient(targets) as client:
            with pytest.raises(MtdClientError) as failed:
                await client.get_device("nobody")
            assert (failed.value.code, client.target) == ("NOT_FOUND", first.target)

    run_async(main())


def test_streams_go_on_at_the_next_hub_at_once_when_one_stops() -> None:
    async def main() -> None:
        async with two() as (first, second, targets):
            first.happened(1)
            second.happened(1)
            positions: list[int] = []
            heard = threading.Event()

            def follow() -> None:
                with MtdClient(targets) as client:
                    for event in client.events(give_up_after_s=20):
                        positions.append(event.position)
                        heard.set()
                        if event.position == 3:
                            return

            thread = threading.Thread(target=follow)
            thread.start()
            async with AsyncMtdClient(targets) as client:
                stream = client.events(give_up_after_s=20)
                assert (await anext(stream)).position == 1
                assert await asyncio.to_thread(heard.wait, 20)
                await first.stop()
                second.happened(2, 3)
                assert [(await anext(stream)).position for _ in range(2)] == [2, 3]
                assert client.target == second.target
                await stream.aclose()
            await asyncio.to_thread(thread.join, 20)
            assert positions == [1, 2, 3]

    run_async(main())
