"""What is particular to the log in a file: its owner, its end by force, its damage, its disk."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from contextlib import closing
from pathlib import Path

import pytest

from mtd.core.errors import Misconfigured, NotFound
from mtd.eventlog.errors import LogUnavailable
from mtd.eventlog.sqlite import SqliteEventLog, file_stats, schema, verify_file
from tests.contract.event_log_suite import make_events, numbers
from tests.contract.loop import run
from tests.integration.eventlog.helpers import FILE, make_log, read_all

CHECKOUT = Path(__file__).resolve().parents[3]


async def filled(folder: Path, batches: int = 5, size: int = 4, **changes: float) -> SqliteEventLog:
    log = make_log(folder, **changes)
    await log.start()
    for number in range(batches):
        await log.append(make_events(number * size + 1, size, padding=50), b"batch %d" % number)
    return log


def fill_and_close(folder: Path) -> Path:
    async def main() -> None:
        await (await filled(folder)).stop()

    run(main())
    return folder / FILE


def change(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement)


# -- opening ---------------------------------------------------------------------


def test_the_log_keeps_its_name_and_its_events(tmp_path: Path) -> None:
    async def main() -> None:
        log = await filled(tmp_path)
        log_id = log.log_id
        log.pin("projection", 7)
        await log.stop()
        log = make_log(tmp_path)
        await log.start()
        assert log.log_id == log_id
        assert log.stats().consumers == {"projection": 7}
        assert numbers(await log.read(0, 100)) == list(range(1, 21))
        assert (await log.append(make_events(21, 1))).first_seq == 21
        await log.stop()

    run(main())


def test_two_owners_are_refused_until_the_first_is_gone(tmp_path: Path) -> None:
    async def main() -> None:
        log = await filled(tmp_path)
        with pytest.raises(Misconfigured, match=f"in use by process {os.getpid()}"):
            await make_log(tmp_path).start()
        await log.stop()
        second = make_log(tmp_path)
        await second.start()
        await second.stop()

    run(main())


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"this is no database, whatever it may be " * 200, "not an event log"), (None, "not an event log")],
)
def test_a_foreign_file_is_refused_and_left_alone(
    tmp_path: Path, content: bytes | None, message: str
) -> None:
    path = tmp_path / FILE
    path.parent.mkdir()
    if content is None:
        change(path, "CREATE TABLE other (x)")
    else:
        path.write_bytes(content)
    before = path.read_bytes()[100:]

    with pytest.raises(Misconfigured, match=message):
        run(make_log(tmp_path).start())
    assert path.read_bytes()[100:] == before
    # The lock was given back.
    path.unlink()
    fill_and_close(tmp_path)


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    path = fill_and_close(tmp_path)
    change(path, "UPDATE log SET format = 99")
    with pytest.raises(Misconfigured, match="format 99"):
        run(make_log(tmp_path).start())
    with pytest.raises(Misconfigured, match="format 99"):
        verify_file(path)


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("a file is in the way")
    with pytest.raises(Misconfigured, match="event_log.path"):
        run(make_log(tmp_path).start())


# -- committing ------------------------------------------------------------------


def test_batches_that_wait_are_committed_together(tmp_path: Path) -> None:
    async def main() -> None:
        log = make_log(tmp_path, commit_interval_s=0.1)
        await log.start()
        await log.append(make_events(1, 1))
        await asyncio.gather(*(log.append(make_events(n, 1)) for n in range(2, 41)))
        appended = {batch.appended_us for batch in await log.read(1, 100)}
        assert len(appended) == 1
        await log.stop()

    run(main())


def test_an_idle_log_commits_at_once(tmp_path: Path) -> None:
    async def main() -> None:
        log = make_log(tmp_path, commit_interval_s=5.0)
        await log.start()
        async with asyncio.timeout(2):
            await log.append(make_events(1, 1))
        await log.stop()

    run(main())


def test_many_bytes_do_not_wait_for_the_interval(tmp_path: Path) -> None:
    async def main() -> None:
        log = make_log(tmp_path, commit_interval_s=5.0, commit_bytes=10_000)
        await log.start()
        await log.append(make_events(1, 1))
        async with asyncio.timeout(2):
            await asyncio.gather(*(log.append(make_events(n, 1, padding=3000)) for n in range(2, 6)))
        await log.stop()

    run(main())


def test_stopping_commits_what_waits(tmp_path: Path) -> None:
    async def main() -> None:
        log = make_log(tmp_path, commit_interval_s=5.0)
        await log.start()
        await log.append(make_events(1, 1))
        waiting = [asyncio.create_task(log.append(make_events(n, 1))) for n in range(2, 12)]
        await asyncio.sleep(0)
        assert log.stats().waiting_batches == 10
        await log.stop()
        assert [task.result().first_seq for task in waiting] == list(range(2, 12))

    run(main())
    assert verify_file(tmp_path / FILE).events == 11


def test_too_many_waiting_batches_are_refused_as_busy(tmp_path: Path) -> None:
    async def main() -> None:
        log = make_log(tmp_path, commit_interval_s=0.2, max_waiting_batches=3)
        await log.start()
        await log.append(make_events(1, 1))
        sent = [log.append(make_events(n, 1)) for n in range(2, 7)]
        results = await asyncio.gather(*sent, return_exceptions=True)
        assert [isinstance(result, LogUnavailable) for result in results] == [False] * 3 + [True] * 2
        await log.stop()

    run(main())


def test_what_is_no_envelope_fails_alone(tmp_path: Path) -> None:
    async def main() -> None:
        log = make_log(tmp_path)
        await log.start()
        sent = [log.append(["nonsense"]), log.append(make_events(1, 1))]  # type: ignore[list-item]
        results = await asyncio.gather(*sent, return_exceptions=True)
        assert isinstance(results[0], AttributeError)
        assert results[1].first_seq == 1  # type: ignore[union-attr]
        await log.stop()

    run(main())


def test_who_gave_up_waiting_disturbs_nobody(tmp_path: Path) -> None:
    async def main() -> None:
        log = make_log(tmp_path, commit_interval_s=0.1)
        await log.start()
        await log.append(make_events(1, 1))
        impatient = asyncio.create_task(log.append(make_events(2, 1)))
        patient = asyncio.create_task(log.append(make_events(3, 1)))
        await asyncio.sleep(0)
        impatient.cancel()
        assert (await patient).first_seq == 3
        assert log.stats().waiting_batches == 0
        await log.stop()

    run(main())


# -- killed ----------------------------------------------------------------------

CHILD = """
    import asyncio, sys
    from pathlib import Path
    from mtd.eventlog import EventLogConfig
    from mtd.eventlog.sqlite import SqliteEventLog
    from mtd.pb.events.v1.envelope_pb2 import Envelope

    def make_events(first):
        events = [Envelope(collected_at_us=number) for number in range(first, first + 3)]
        for event in events:
            event.state_changed.message = "x" * 300
        return events

    async def append(log, worker):
        for number in range(1_000_000):
            first = worker * 1_000_000 + number * 3
            result = await log.append(make_events(first), b"%d" % first)
            sys.stdout.write(f"{result.first_seq} {result.last_seq} {first}\\n")
            sys.stdout.flush()

    async def main():
        log = SqliteEventLog(EventLogConfig(path=Path(sys.argv[1]), commit_interval_s=0.005))
        await log.start()
        await asyncio.gather(*(append(log, worker) for worker in range(1, 9)))

    asyncio.run(main())
"""


def read_acknowledged(child: subprocess.Popen[str], at_least: int) -> list[tuple[int, int, int]]:
    """Kill a child once it acknowledged enough; return all that it acknowledged."""
    assert child.stdout is not None
    lines = [child.stdout.readline() for _ in range(at_least)]
    child.send_signal(signal.SIGKILL)
    lines += child.stdout.readlines()
    child.wait(10)
    child.stdout.close()
    # The last line may have been cut by the kill.
    return [tuple(map(int, line.split())) for line in lines if line.endswith("\n")]  # type: ignore[misc]


@pytest.mark.parametrize("at_least", [1, 100, 700])
def test_killed_under_load_nothing_acknowledged_is_lost_or_doubled(tmp_path: Path, at_least: int) -> None:
    acknowledged: dict[int, tuple[int, int]] = {}
    for _ in range(2):  # killed, started again, killed again
        child = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(CHILD), str(tmp_path / FILE)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=CHECKOUT,
        )
        for first_seq, last_seq, number in read_acknowledged(child, at_least):
            # The second child sends the same batches again: they keep their places.
            assert acknowledged.setdefault(number, (first_seq, last_seq)) == (first_seq, last_seq)
    report = verify_file(tmp_path / FILE)
    assert report.ok, report.problems
    assert len(acknowledged) >= at_least

    async def main() -> None:
        log = make_log(tmp_path)
        await log.start()
        stored = numbers(await read_all(log))
        assert len(stored) == len(set(stored)) == report.events
        for number, (first_seq, last_seq) in acknowledged.items():
            assert stored[first_seq - 1 : last_seq] == [number, number + 1, number + 2]
        await log.stop()

    run(main())


# -- damaged ---------------------------------------------------------------------


def test_a_changed_byte_is_found(tmp_path: Path) -> None:
    path = fill_and_close(tmp_path)
    change(path, "UPDATE batch SET payload = CAST(payload || x'00' AS BLOB) WHERE first_seq = 9")
    report = verify_file(path)
    assert [(p.kind, p.first_seq, p.last_seq) for p in report.problems] == [("damaged", 9, 12)]


@pytest.mark.parametrize(
    ("statement", "kinds"),
    [
        ("DELETE FROM batch WHERE first_seq = 9", {"gap", "totals"}),
        ("DELETE FROM batch WHERE first_seq = 1", {"gap", "totals"}),
        ("UPDATE batch SET last_seq = last_seq + 1 WHERE first_seq = 9", {"damaged", "overlap"}),
        ("UPDATE batch SET appended_us = 1 WHERE first_seq = 9", {"damaged"}),
        ("UPDATE log SET stored_bytes = 1", {"totals"}),
        (
            "INSERT INTO batch SELECT 21, 24, appended_us, stored_bytes, crc, NULL, payload FROM batch "
            "WHERE first_seq = 9",
            {"damaged", "totals"},
        ),
    ],
)
def test_verifying_tells_what_is_wrong(tmp_path: Path, statement: str, kinds: set[str]) -> None:
    path = fill_and_close(tmp_path)
    change(path, statement)
    report = verify_file(path)
    assert not report.ok
    assert {problem.kind for problem in report.problems} == kinds


def test_a_frame_that_stands_twice_is_told(tmp_path: Path) -> None:
    async def main() -> None:
        log = make_log(tmp_path)
        await log.start()
        frames = make_events(1, 3)
        for frame in frames:
            frame.frame.layout_id = 5
        await log.append(frames)
        await log.append(frames[1:2])
        report = await log.verify()
        assert [(p.kind, p.first_seq) for p in report.problems] == [("doubled_frame", 4)]
        assert dict(report.events_by_kind) == {"frame": 4}
        await log.stop()

    run(main())


def test_a_torn_database_file_is_told(tmp_path: Path) -> None:
    path = fill_and_close(tmp_path)
    content = bytearray(path.read_bytes())
    content[schema.PAGE_BYTES :] = b"\xff" * (len(content) - schema.PAGE_BYTES)
    path.write_bytes(content)
    report = verify_file(path)
    assert not report.ok
    assert report.problems[0].kind == "file"


def test_there_is_nothing_to_verify(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        verify_file(tmp_path / "none.db")
    (tmp_path / "text.db").write_text("no log " * 1000)
    with pytest.raises(Misconfigured):
        verify_file(tmp_path / "text.db")


def test_a_log_in_use_can_be_verified_from_outside(tmp_path: Path) -> None:
    async def main() -> None:
        log = await filled(tmp_path, batches=100)

        async def go_on() -> None:
            for number in range(100):
                await log.append(make_events(1000 + number, 1))
                await log.trim(number * 2)

        reports, _ = await asyncio.gather(
            asyncio.gather(*(asyncio.to_thread(verify_file, tmp_path / FILE) for _ in range(5))), go_on()
        )
        assert all(report.ok for report in reports), [report.problems for report in reports]
        stats = await asyncio.to_thread(file_stats, tmp_path / FILE)
        assert (stats.first_seq, stats.last_seq) == (log.stats().first_seq, 500)
        assert stats.log_id == log.log_id
        await log.stop()

    run(main())
