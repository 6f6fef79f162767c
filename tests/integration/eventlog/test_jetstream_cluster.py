"""Three servers: one killed while batches are on their way, a leader that steps down, all of them started anew."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest

from mtd.core.errors import Retryable
from mtd.eventlog.interfaces import AppendResult
from mtd.eventlog.jetstream.log import JetStreamEventLog
from mtd.testing.nats import NatsServers
from tests.contract.event_log_suite import make_events, numbers
from tests.contract.loop import run as run_async
from tests.integration.eventlog.jetstream_logs import name_of, new_log

SIZE = 5

T = TypeVar("T")


class Load:
    """Appends batches without a pause, each again until it is acknowledged, and remembers what was."""

    def __init__(self, log: JetStreamEventLog, senders: int = 8) -> None:
        self.log = log
        self.acknowledged: dict[int, AppendResult] = {}
        self.refused = 0
        self._next = 0
        self._ending = False
        self._tasks = [asyncio.create_task(self._send()) for _ in range(senders)]

    async def _send(self) -> None:
        while not self._ending:
            number, self._next = self._next, self._next + 1
            while True:
                try:
                    events = make_events(number * SIZE + 1, SIZE, padding=200)
                    result = await self.log.append(events, b"batch %d" % number)
                except Retryable:
                    self.refused += 1
                    await asyncio.sleep(0.05)
                else:
                    self.acknowledged[number] = result
                    break

    async def beyond(self, batches: int) -> None:
        """Wait until so many more are acknowledged."""
        wanted = len(self.acknowledged) + batches
        async with asyncio.timeout(60):
            while len(self.acknowledged) < wanted:
                await asyncio.sleep(0.01)
                for task in self._tasks:
                    if task.done():
                        task.result()

    async def end(self) -> None:
        self._ending = True
        async with asyncio.timeout(60):
            await asyncio.gather(*self._tasks)

    async def judge(self, log: JetStreamEventLog) -> None:
        """Every acknowledged batch stands in the log, once, where its sender was told."""
        report = await patiently(log.verify)
        assert report.ok, report.problems
        stored: list[int] = []
        position = 0
        while batches := await patiently(partial(log.read, position, 1000)):
            stored += numbers(batches)
            position = batches[-1].last_seq
        assert len(stored) == len(set(stored))  # none doubled
        for number, result in self.acknowledged.items():
            expected = list(range(number * SIZE + 1, (number + 1) * SIZE + 1))
            assert stored[result.first_seq - 1 : result.last_seq] == expected  # none lost


async def patiently(ask: Callable[[], Awaitable[T]]) -> T:
    """Ask until somebody answers: servers that just came back choose who leads."""
    async with asyncio.timeout(60):
        while True:
            try:
                return await ask()
            except Retryable:
                await asyncio.sleep(0.2)


def run(body: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        await body()

    run_async(main(), timeout_s=120)


def test_a_leader_that_steps_down_and_one_that_is_killed_while_batches_are_written(
    nats_cluster: NatsServers, tmp_path: Path
) -> None:
    stream = f"mtd-log-{name_of(tmp_path)}"

    async def body() -> None:
        log = new_log(nats_cluster, tmp_path, tail_bytes=0)
        await patiently(log.start)
        load = Load(log)
        await load.beyond(50)
        await log._connection.api(f"STREAM.LEADER.STEPDOWN.{stream}")
        await load.beyond(50)
        leader = await asyncio.to_thread(nats_cluster.stream_leader, stream)
        nats_cluster.kill(leader)
        await load.beyond(50)
        await asyncio.to_thread(nats_cluster.restart, leader)
        await load.beyond(50)
        await load.end()
        await load.judge(log)
        await log.stop()
        # What another process finds is the same.
        again = new_log(nats_cluster, tmp_path, tail_bytes=0)
        await patiently(again.start)
        await load.judge(again)
        await again.stop()

    run(body)


@pytest.mark.long
def test_servers_killed_one_after_the_other_while_batches_are_written(
    nats_cluster: NatsServers, tmp_path: Path
) -> None:
    async def body() -> None:
        log = new_log(nats_cluster, tmp_path, tail_bytes=0)
        await patiently(log.start)
        load = Load(log)
        for number in (0, 1, 2, 0):
            await load.beyond(50)
            nats_cluster.kill(number)
            await load.beyond(50)
            await asyncio.to_thread(nats_cluster.restart, number)
        await load.beyond(50)
        await load.end()
        await load.judge(log)
        await log.stop()

    run(body)


@pytest.mark.long
def test_all_servers_killed_at_once_and_started_anew(nats_cluster: NatsServers, tmp_path: Path) -> None:
    async def body() -> None:
        log = new_log(nats_cluster, tmp_path, {"recover_within_s": 1.0}, tail_bytes=0)
        await patiently(log.start)
        load = Load(log)
        await load.beyond(50)
        # Nothing can be appended, and everything goes on by itself.
        for number in range(3):
            nats_cluster.kill(number)
        async with asyncio.timeout(30):
            while log.stats().available:
                await asyncio.sleep(0.02)
        assert "away" in log.stats().reason
        await asyncio.to_thread(nats_cluster.start)
        await load.beyond(50)
        assert log.stats().available
        await load.end()
        assert load.refused > 0
        await load.judge(log)
        await log.stop()

    run(body)


@pytest.mark.long
def test_two_of_three_servers_are_no_majority_but_lose_nothing(
    nats_cluster: NatsServers, tmp_path: Path
) -> None:
    async def body() -> None:
        log = new_log(nats_cluster, tmp_path, {"recover_within_s": 0.5})
        await patiently(log.start)
        load = Load(log)
        await load.beyond(20)
        nats_cluster.kill(0)
        nats_cluster.kill(1)
        async with asyncio.timeout(30):
            while log.stats().available:
                await asyncio.sleep(0.02)
        await asyncio.to_thread(nats_cluster.restart, 0)
        await load.beyond(20)
        await load.end()
        await load.judge(log)
        await log.stop()

    run(body)
