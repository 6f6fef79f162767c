"""What can happen to a log on one server: it is away, slow, full, not durable, or somebody else's."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from mtd.core.errors import Misconfigured
from mtd.eventlog.errors import LogUnavailable
from mtd.eventlog.interfaces import LoggedBatch, Source
from mtd.eventlog.jetstream import opening
from mtd.eventlog.jetstream.connection import Connection
from mtd.eventlog.jetstream.log import JetStreamEventLog
from mtd.eventlog.jetstream.messages import BATCH, Head
from mtd.testing.nats import NatsServers, running_servers
from tests.contract.event_log_suite import make_events, numbers
from tests.contract.loop import run as run_async
from tests.integration.eventlog.jetstream_logs import config_of, name_of, new_log

WRITER = Path(__file__).with_name("jetstream_writer.py")


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


async def batches_of(log: JetStreamEventLog) -> list[LoggedBatch]:
    found: list[LoggedBatch] = []
    while batches := await log.read(found[-1].last_seq if found else 0, 1000):
        found += batches
    return found


async def everything(log: JetStreamEventLog) -> list[int]:
    return numbers(await batches_of(log))


def run(body: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        await body()

    run_async(main(), timeout_s=60)


# -- the server is away ----------------------------------------------------------


def test_a_server_that_is_killed_costs_nothing_that_was_acknowledged(
    own_nats_server: NatsServers, tmp_path: Path
) -> None:
    async def body() -> None:
        log = new_log(own_nats_server, tmp_path, {"recover_within_s": 0.2}, tail_bytes=0)
        await log.start()
        acknowledged = [number for number in range(1, 20) if await log.append(make_events(number, 1))]
        flying = [asyncio.create_task(log.append(make_events(n, 1), b"%d" % n)) for n in range(20, 40)]
        await asyncio.sleep(0)
        own_nats_server.kill(0)
        results = await asyncio.gather(*flying, return_exceptions=True)
        await until(lambda: not log.stats().available)
        # At once, so that nobody waits in vain.
        with pytest.raises(LogUnavailable, match="away"):
            await log.append(make_events(99, 1))
        with pytest.raises(LogUnavailable):
            await log.read(0, 100)
        await asyncio.to_thread(own_nats_server.restart, 0)
        await until(lambda: log.stats().available)
        for number, result in enumerate(results, start=20):
            again = await log.append(make_events(number, 1), b"%d" % number)
            if not isinstance(result, BaseException):
                assert again.duplicate
                assert again.first_seq == result.first_seq
        found = await everything(log)
        assert found[:19] == acknowledged
        assert sorted(found) == list(range(1, 40))
        assert (await log.verify()).ok
        await log.stop()

    run(body)


def test_a_server_that_hangs_is_given_up_and_taken_again(
    own_nats_server: NatsServers, tmp_path: Path
) -> None:
    async def body() -> None:
        log = new_log(own_nats_server, tmp_path, {"recover_within_s": 0.2, "request_timeout_s": 0.5})
        await log.start()
        await log.append(make_events(1, 1), b"1")
        own_nats_server.pause(0)
        with pytest.raises(LogUnavailable):
            await log.append(make_events(2, 1), b"2")
        own_nats_server.go_on(0)
        await until(lambda: log.stats().available)
        # It may have been stored when the server went on, and is not stored again.
        await log.append(make_events(2, 1), b"2")
        assert await everything(log) == [1, 2]
        await log.stop()

    run(body)


def test_a_short_absence_is_waited_for(own_nats_server: NatsServers, tmp_path: Path) -> None:
    async def body() -> None:
        log = new_log(own_nats_server, tmp_path, {"recover_within_s": 30})
        await log.start()
        own_nats_server.kill(0)
        appending = asyncio.create_task(log.append(make_events(1, 1)))
        await asyncio.to_thread(own_nats_server.restart, 0)
        assert (await appending).first_seq == 1
        assert log.stats().available
        await log.stop()

    run(body)


def test_without_a_server_starting_is_for_later(tmp_path: Path, own_nats_server: NatsServers) -> None:
    own_nats_server.kill(0)

    async def body() -> None:
        with pytest.raises(LogUnavailable, match="no NATS server can be reached"):
            await new_log(own_nats_server, tmp_path).start()

    run(body)


def test_a_stream_that_is_gone_is_not_begun_anew_unasked(nats_server: NatsServers, tmp_path: Path) -> None:
    async def body() -> None:
        log = new_log(nats_server, tmp_path, {"recover_within_s": 0.1})
        await log.start()
        await log.append(make_events(1, 1))
        other = new_log(nats_server, tmp_path / "other")
        await other.start()
        await other._connection.api(f"STREAM.DELETE.mtd-log-{name_of(tmp_path)}")
        with pytest.raises(LogUnavailable):
            await log.append(make_events(2, 1))
        await other.stop()
        await log.stop()

    run(body)


def test_a_question_that_nobody_answers_is_put_again(nats_server: NatsServers, tmp_path: Path) -> None:
    """As while there is no leader: who waits for the first answer alone waits for its whole time-out."""

    async def body() -> None:
        log = new_log(nats_server, tmp_path)
        await log.start()
        # A connection that no writer asks anything over.
        connection, asked = (
            Connection(config_of(nats_server, tmp_path, {"request_timeout_s": 30}).jetstream, "t"),
            0,
        )
        await connection.open()
        post = connection.post

        async def lost_at_first(subject: str, payload: bytes) -> asyncio.Future[Any]:
            nonlocal asked
            asked += 1
            return asyncio.get_running_loop().create_future() if asked == 1 else await post(subject, payload)

        connection.post = lost_at_first  # type: ignore[assignment,method-assign]
        async with asyncio.timeout(20):
            answer = await connection.insist(f"STREAM.INFO.{log._stream.name}")
        assert answer["config"]["name"] == log._stream.name
        assert asked > 1
        await connection.close()
        await log.stop()

    run(body)


# -- one writer ------------------------------------------------------------------


def test_a_second_process_is_refused_while_the_first_lives(nats_server: NatsServers, tmp_path: Path) -> None:
    async def body() -> None:
        log = new_log(nats_server, tmp_path)
        await log.start()
        with pytest.raises(Misconfigured, match=f"in use by process {os.getpid()}"):
            await new_log(nats_server, tmp_path).start()
        await log.append(make_events(1, 1))
        await log.stop()
        again = new_log(nats_server, tmp_path)
        await again.start()
        await again.stop()

    run(body)


def test_a_writer_that_slept_stores_nothing_once_another_has_the_log(
    nats_server: NatsServers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "_CALL_TIMEOUT_S", 0.3)
    config = tmp_path / "config.json"
    config.write_text(config_of(nats_server, tmp_path).model_dump_json())
    program = [sys.executable, WRITER, config, name_of(tmp_path)]
    process = subprocess.Popen(program, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    stored = [process.stdout.readline() for _ in range(5)]
    process.send_signal(signal.SIGSTOP)
    heirs: list[int] = []

    async def body() -> None:
        heir = new_log(nats_server, tmp_path, tail_bytes=0)
        await heir.start()  # nobody answers
        heirs.append((await heir.append(make_events(1_000_000, 1))).first_seq)
        process.send_signal(signal.SIGCONT)
        rest, _ = await asyncio.to_thread(process.communicate, timeout=30)
        stored.extend(rest.splitlines())
        await heir.append(make_events(1_000_001, 1))
        found = await everything(heir)
        assert (await heir.verify()).ok
        await heir.stop()
        assert found[-2:] == [1_000_000, 1_000_001]
        told = [int(line.split()[1]) for line in stored if line.startswith("stored")]
        assert max(told) < heirs[0]
        assert set(told) <= set(found)

    try:
        run(body)
    finally:
        process.kill()
        process.wait()
    assert any("fenced" in line for line in stored)


def test_what_a_killed_process_was_told_is_there(nats_server: NatsServers, tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    config.write_text(config_of(nats_server, tmp_path).model_dump_json())
    program = [sys.executable, WRITER, config, name_of(tmp_path)]
    process = subprocess.Popen(program, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    stored = [process.stdout.readline() for _ in range(20)]
    process.kill()
    rest, _ = process.communicate()
    told = [int(line.split()[1]) for line in [*stored, *rest.splitlines()] if line.startswith("stored")]

    async def body() -> None:
        log = new_log(nats_server, tmp_path)
        await log.start()
        assert log.stats().last_seq >= max(told)
        assert set(told) <= set(await everything(log))
        again = await log.append(make_events(3, 1), b"w3")
        assert again.duplicate
        await log.stop()

    run(body)


# -- what is in the stream -----------------------------------------------------------


def test_batches_larger_than_a_message_are_stored_in_parts(nats_server: NatsServers, tmp_path: Path) -> None:
    async def body() -> None:
        log = new_log(nats_server, tmp_path, tail_bytes=0, read_bytes=1_000_000)
        await log.start()
        events = make_events(1, 40, padding=100_000)
        await asyncio.gather(
            *(log.append([make_events(n, 1)[0]]) for n in range(100, 110)), log.append(events)
        )
        (large,) = [batch for batch in await batches_of(log) if len(batch.events) == 40]
        assert list(large.events) == events
        assert (await log.verify()).ok
        await log.stop()
        again = new_log(nats_server, tmp_path, tail_bytes=0)
        await again.start()
        assert sorted(await everything(again)) == [*range(1, 41), *range(100, 110)]
        await again.stop()

    run(body)


def test_half_a_batch_that_somebody_left_is_passed_over(nats_server: NatsServers, tmp_path: Path) -> None:
    async def body() -> None:
        log = new_log(nats_server, tmp_path)
        await log.start()
        await log.append(make_events(1, 2))
        connection, subject = log._connection, log._stream.subject
        head = Head(BATCH, f"{log._parts.uids.writer}.x", 3, 3, 1, 0, 20, parts=2)
        await connection.request(f"{subject}.batch", b"0123456789", head.headers(1))
        await connection.request(f"{subject}.other", b"a stranger's")
        assert (await log.append(make_events(3, 1))).first_seq == 3
        assert await everything(log) == [1, 2, 3]
        assert (await log.verify()).ok
        await log.stop()
        again = new_log(nats_server, tmp_path, tail_bytes=0)
        await again.start()
        assert await everything(again) == [1, 2, 3]
        await again.stop()

    run(body)


def test_consumers_and_sources_outlive_a_process_that_is_killed(
    nats_server: NatsServers, tmp_path: Path
) -> None:
    async def body() -> None:
        log = new_log(nats_server, tmp_path)
        await log.start()
        await log.append(make_events(1, 3), source=Source("edge: one", 1, 3))
        log.pin("projection", 3)
        await log.trim(4)
        log.pin("exporter", 1)
        await until(lambda: not log._writer.keeper.is_dirty)
        await log._tasks.stop()  # as good as killed
        await log._connection.close()
        again = new_log(nats_server, tmp_path)
        await again.start()
        assert again.stats().consumers == {"projection": 3, "exporter": 1}
        assert await again.stored_from("edge: one") == [(1, 3)]
        assert (again.stats().first_seq, again.stats().last_seq) == (4, 3)
        await again.stop()

    run(body)


@pytest.mark.parametrize("copy", ["whole", "damaged", "of another stream"])
def test_a_start_reads_the_headers_behind_what_was_kept(
    nats_server: NatsServers, tmp_path: Path, copy: str
) -> None:
    async def body() -> None:
        log = new_log(nats_server, tmp_path)
        await log.start()
        for number in range(1, 31):
            await log.append(make_events(number, 1), b"%d" % number)
        await log.trim(5)
        await log.stop()
        (kept,) = (tmp_path / "log").glob("*.index")
        if copy == "damaged":
            kept.write_bytes(kept.read_bytes()[:5000])
        if copy == "of another stream":
            other = new_log(nats_server, tmp_path / "other")
            await other.start()
            await other._connection.api(f"STREAM.DELETE.mtd-log-{name_of(tmp_path)}")
            await other.stop()
        again = new_log(nats_server, tmp_path, tail_bytes=0)
        await again.start()
        if copy == "of another stream":
            assert again.log_id != log.log_id
            assert again.stats().last_seq == 0
        else:
            assert (await again.append(make_events(30, 1), b"30")).duplicate
            assert not (await again.append(make_events(31, 1), b"4")).duplicate  # it was trimmed
            assert await everything(again) == list(range(5, 32))
        assert (await again.verify()).ok
        await again.stop()

    run(body)


# -- room, and durability ---------------------------------------------------------


def test_a_full_stream_takes_nothing_and_loses_nothing(nats_server: NatsServers, tmp_path: Path) -> None:
    async def body() -> None:
        log = new_log(nats_server, tmp_path, maintenance_interval_s=0.1, tail_bytes=0)
        await log.start()
        log.pin("projection", 0)
        await log.append(make_events(1, 1, padding=10_000))
        await until(lambda: not log._writer.keeper.is_dirty)
        # Somebody gives the stream less room than the log was told that it has.
        answer = await log._connection.api(f"STREAM.INFO.{log._stream.name}")
        config = answer["config"] | {"max_bytes": 60_000}
        await log._connection.api(f"STREAM.UPDATE.{log._stream.name}", config)
        results = await asyncio.gather(
            *(log.append(make_events(number, 1, padding=10_000)) for number in range(2, 30)),
            return_exceptions=True,
        )
        accepted = 1 + sum(not isinstance(result, BaseException) for result in results)
        assert all(isinstance(result, LogUnavailable) for result in results[accepted - 1 :])
        with pytest.raises(LogUnavailable, match="quota"):
            await log.append(make_events(99, 1, padding=10_000))
        assert 1 < accepted < 10
        assert not log.stats().available
        assert await everything(log) == list(range(1, accepted + 1))
        # The consumer gets on, and so does the log, though there is no room even for its state.
        log.pin("projection", accepted)
        async with asyncio.timeout(20):
            while True:
                try:
                    await log.append(make_events(accepted + 1, 1, padding=10_000), b"next")
                    break
                except LogUnavailable:
                    await asyncio.sleep(0.05)
        assert log.stats().available
        found = await everything(log)
        assert found == list(range(found[0], accepted + 2))
        assert (await log.verify()).ok
        await log.stop()

    run(body)


def test_servers_that_confirm_before_they_write_are_refused(tmp_path: Path) -> None:
    with running_servers(sync_interval='"2m"') as servers:

        async def body() -> None:
            with pytest.raises(Misconfigured, match="sync_interval: always"):
                await new_log(servers, tmp_path).start()
            accepting = new_log(servers, tmp_path, {"accept_unsynced": True})
            await accepting.start()
            await accepting.append(make_events(1, 1))
            assert "confirm before they have written" in accepting.stats().warning
            await accepting.stop()
            # Who doesn't tell isn't believed either.
            with pytest.raises(Misconfigured, match=r"event_log\.jetstream\.monitoring"):
                await new_log(servers, tmp_path, {"monitoring": []}).start()

        run(body)


def test_a_server_that_comes_back_weaker_is_noticed(own_nats_server: NatsServers, tmp_path: Path) -> None:
    async def body() -> None:
        log = new_log(
            own_nats_server,
            tmp_path,
            {"durability_interval_s": 0.1, "recover_within_s": 5},
            maintenance_interval_s=0.1,
        )
        await log.start()
        await log.append(make_events(1, 1))
        own_nats_server.kill(0)
        await asyncio.to_thread(own_nats_server.restart, 0, sync_interval='"2m"')
        await until(lambda: "not_durable" in log.stats().reason)
        with pytest.raises(LogUnavailable, match="sync_interval: always"):
            await log.append(make_events(2, 1))
        own_nats_server.kill(0)
        await asyncio.to_thread(own_nats_server.restart, 0)
        await until(lambda: log.stats().available)
        await log.append(make_events(2, 1))
        assert await everything(log) == [1, 2]
        await log.stop()

    run(body)
