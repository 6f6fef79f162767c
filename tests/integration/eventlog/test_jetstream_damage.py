"""What a server's disk spoils, or a restored copy lacks: it is told, passed, and no position is given twice."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from zope.interface.verify import verifyObject

from mtd.eventlog.interfaces import Damage, ISalvages, LoggedBatch
from mtd.eventlog.jetstream.log import JetStreamEventLog
from mtd.eventlog.jetstream.messages import Message
from mtd.testing.nats import NatsServers
from tests.contract.event_log_suite import make_events, numbers
from tests.contract.loop import run as run_async
from tests.integration.eventlog.jetstream_logs import new_log


def run(body: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        await body()

    run_async(main(), timeout_s=60)


async def served(log: JetStreamEventLog) -> list[int]:
    """Return the positions that can be read; each holds the event of its number."""
    batches: list[LoggedBatch] = []
    while found := await log.read(batches[-1].last_seq if batches else 0, 1000):
        batches += found
    positions = [seq for batch in batches for seq, _ in batch.numbered()]
    assert numbers(batches) == positions
    return positions


async def told(log: JetStreamEventLog) -> set[int]:
    async with asyncio.timeout(5):
        damage = await log.untold_damage()
    await log.damage_told(damage)
    return {seq for one in damage for seq in range(one.first_seq, one.last_seq + 1)}


def test_a_log_that_lost_its_end_goes_on_behind_what_readers_know(
    nats_server: NatsServers, tmp_path: Path
) -> None:
    async def body() -> None:
        log = new_log(nats_server, tmp_path, tail_bytes=0)
        verifyObject(ISalvages, log)
        await log.start()
        await log.append(make_events(1, 5))
        assert not await log.go_on_behind(5)
        waiting = asyncio.ensure_future(log.untold_damage())
        assert await log.go_on_behind(8)
        (damage,) = await waiting
        assert isinstance(damage, Damage)
        assert (damage.first_seq, damage.last_seq) == (6, 8)
        assert (await log.append(make_events(9, 2))).first_seq == 9
        await log.stop()
        for index in (tmp_path / "log").glob("*.index"):
            index.unlink()
        again = new_log(nats_server, tmp_path, tail_bytes=0)
        await again.start()
        assert await again.untold_damage() == [damage]  # nobody was told
        await again.damage_told([damage])
        assert await served(again) == [1, 2, 3, 4, 5, 9, 10]
        report = await again.verify()
        assert report.ok
        assert list(report.set_aside) == [damage]
        await again.stop()

    run(body)


def test_a_byte_that_flips_on_the_servers_disk_is_told_and_passed(
    own_nats_server: NatsServers, tmp_path: Path
) -> None:
    async def body() -> None:
        log = new_log(own_nats_server, tmp_path, tail_bytes=0)
        await log.start()
        for first in range(1, 31, 3):
            await log.append(make_events(first, 3, padding=500))
        await log.stop()
        own_nats_server.stop_one(0)
        (block,) = own_nats_server.folder.glob("n0/jetstream/*/streams/*/msgs/1.blk")
        content = bytearray(block.read_bytes())
        content[content.index(b"x" * 500, len(content) // 2)] ^= 1
        block.write_bytes(content)
        await asyncio.to_thread(own_nats_server.restart, 0)
        again = new_log(own_nats_server, tmp_path, tail_bytes=0)
        await again.start()
        # What the projections know: the server may have cut off all that was behind the damage.
        await again.go_on_behind(30)
        positions = await served(again)
        lost = set(range(1, 31)) - set(positions)
        assert 0 < len(lost) < 30
        assert await told(again) == lost
        assert (await again.append(make_events(31, 1))).first_seq == 31
        assert await served(again) == [*positions, 31]
        assert (await again.verify()).ok
        await again.stop()

    run(body)


def test_only_what_the_leader_has_damaged_is_damaged(
    nats_server: NatsServers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def body() -> None:
        log = new_log(nats_server, tmp_path, tail_bytes=0)
        await log.start()
        for number in range(1, 6):
            await log.append(make_events(number, 1))
        stream = log._stream
        whole_read, whole_get = stream.read, stream.get

        def spoiled(message: Message) -> Message:
            return (
                replace(message, body=b"?" + message.body[1:])
                if message.headers["Mtd-Seqs"] == "3-3"
                else message
            )

        async def read(first: int, last: int, limit_bytes: int) -> list[Message]:
            return [spoiled(message) for message in await whole_read(first, last, limit_bytes)]

        monkeypatch.setattr(stream, "read", read)
        assert await served(log) == [1, 2, 3, 4, 5]

        async def get(number: int) -> Message | None:
            found = await whole_get(number)
            return None if found is None else spoiled(found)

        monkeypatch.setattr(stream, "get", get)
        assert await served(log) == [1, 2, 4, 5]
        assert await told(log) == {3}
        await log.stop()

    run(body)
