"""A disk that fails at every place where the log touches it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from mtd.core.errors import Misconfigured
from mtd.eventlog.errors import LogUnavailable
from mtd.eventlog.sqlite import keeper, reader, store, verify_file
from mtd.eventlog.sqlite.keeper import Keeper
from mtd.eventlog.sqlite.log import SqliteEventLog
from mtd.eventlog.sqlite.store import Store
from mtd.eventlog.sqlite.writer import Writer
from mtd.testing.metrics import metric
from tests.contract.event_log_suite import make_events, numbers
from tests.contract.loop import run
from tests.integration.eventlog.helpers import FILE, make_log, read_all, until


def io_error(*_: object, **__: object) -> None:
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR_WRITE
    raise error


def io_error_of_the_system(*_: object) -> None:
    raise OSError(5, "Input/output error")


class Faults:
    """Makes a method of a class fail for as long as it is asked to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, owner: type, name: str) -> None:
        self.active = False
        self.calls = 0
        original = getattr(owner, name)

        def call(*args: object, **kwargs: object) -> object:
            if self.active:
                self.calls += 1
                io_error()
            return original(*args, **kwargs)

        monkeypatch.setattr(owner, name, call)


def with_log(folder: Path, body: Callable[[SqliteEventLog], object], **changes: float) -> None:
    async def main() -> None:
        log = make_log(folder, **changes)
        await log.start()
        await log.append(make_events(1, 3))
        await body(log)  # type: ignore[misc]
        await log.stop()

    run(main())
    report = verify_file(folder / FILE)
    assert report.ok, report.problems


def test_an_io_error_of_a_commit_fails_it_and_the_next_succeeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    fault = Faults(monkeypatch, Store, "insert")

    async def body(log: SqliteEventLog) -> None:
        failed = metric("mtd_eventlog_failed_batches_total", reason="io_error")
        fault.active = True
        sent = [log.append(make_events(n, 1)) for n in (4, 5)]
        results = await asyncio.gather(*sent, return_exceptions=True)
        assert all(isinstance(result, LogUnavailable) for result in results)
        assert log.stats().reason.startswith("io_error")
        assert metric("mtd_eventlog_failed_batches_total", reason="io_error") - failed == 2
        assert metric("mtd_eventlog_available") == 0
        fault.active = False
        assert (await log.append(make_events(4, 1))).first_seq == 4
        assert log.stats().available
        assert metric("mtd_eventlog_available") == 1
        assert numbers(await log.read(0, 10)) == [1, 2, 3, 4]

    with caplog.at_level(logging.WARNING):
        with_log(tmp_path, body)
    assert "nothing can be appended" in caplog.text
    assert "can be appended to again" in caplog.text


@pytest.mark.parametrize("method", ["save_consumers", "trim", "give_back", "checkpoint", "ages"])
def test_maintenance_that_fails_is_counted_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    async def body(log: SqliteEventLog) -> None:
        fault = Faults(monkeypatch, Store, method)
        failures = metric("mtd_eventlog_maintenance_failures_total")
        fault.active = True
        await until(lambda: fault.calls > 0)
        await until(lambda: metric("mtd_eventlog_maintenance_failures_total") > failures)
        fault.active = False
        assert (await log.append(make_events(4, 1))).first_seq == 4
        assert numbers(await log.read(0, 10)) == [1, 2, 3, 4]

    with_log(tmp_path, body, maintenance_interval_s=0.02)


def test_a_checkpoint_that_fails_after_a_commit_costs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault = Faults(monkeypatch, Store, "checkpoint")

    async def body(log: SqliteEventLog) -> None:
        fault.active = True
        for number in range(4, 10):
            await log.append(make_events(number, 1))
        assert fault.calls >= 5
        assert log.stats().available
        fault.active = False

    with_log(tmp_path, body)


def test_a_consumer_is_remembered_though_storing_it_failed_at_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault = Faults(monkeypatch, Store, "save_consumers")

    async def body(log: SqliteEventLog) -> None:
        fault.active = True
        log.pin("projection", 1)
        await until(lambda: fault.calls == 1)
        assert await log.trim(100) == 1
        fault.active = False

    with_log(tmp_path, body)

    async def again() -> None:
        log = make_log(tmp_path)
        await log.start()
        assert log.stats().consumers == {"projection": 1}
        await log.stop()

    run(again())


def test_a_trim_that_fails_is_told_to_who_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fault = Faults(monkeypatch, Store, "trim")

    async def body(log: SqliteEventLog) -> None:
        fault.active = True
        with pytest.raises(LogUnavailable, match="io_error"):
            await log.trim(100)
        fault.active = False
        assert await log.trim(100) == 4

    with_log(tmp_path, body)


def test_a_read_that_fails_is_told_and_the_next_succeeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def body(log: SqliteEventLog) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(reader, "open_for_reading", io_error)
            with pytest.raises(LogUnavailable, match="io_error"):
                await log.read(0, 10)
        assert numbers(await log.read(0, 10)) == [1, 2, 3]

    with_log(tmp_path, body, tail_bytes=0)


def test_a_folder_that_vanished_is_an_io_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def body(log: SqliteEventLog) -> None:
        def gone(_: object) -> os.statvfs_result:
            raise FileNotFoundError(2, "No such file or directory")

        with monkeypatch.context() as patch:
            patch.setattr(keeper.os, "statvfs", gone)
            with pytest.raises(LogUnavailable, match="io_error"):
                await log.append(make_events(4, 1))
        assert (await log.append(make_events(4, 1))).first_seq == 4

    with_log(tmp_path, body)


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (sqlite3.SQLITE_FULL, LogUnavailable),
        (sqlite3.SQLITE_BUSY, LogUnavailable),
        (sqlite3.SQLITE_CORRUPT, Misconfigured),
        (sqlite3.SQLITE_CANTOPEN, Misconfigured),
    ],
)
def test_what_prevents_opening_is_told_by_what_can_be_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, error: type[Exception]
) -> None:
    def refuse(*_: object) -> None:
        refusal = sqlite3.OperationalError("no")
        refusal.sqlite_errorcode = code
        raise refusal

    with monkeypatch.context() as patch:
        patch.setattr(store, "open_for_writing", refuse)
        with pytest.raises(error, match=r"events\.db can't be opened"):
            run(make_log(tmp_path).start())

    async def later() -> None:
        log = make_log(tmp_path)
        await log.start()
        await log.stop()
        await log.stop()  # twice is once

    run(later())


def test_a_disk_that_hangs_does_not_hold_up_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    insert, hanging = Store.insert, threading.Event()

    def hang(self: Store, *args: object) -> object:
        hanging.wait(10)
        return insert(self, *args)  # type: ignore[arg-type]

    async def main() -> SqliteEventLog:
        log = make_log(tmp_path, stop_timeout_s=0.1)
        await log.start()
        thread = next(thread for thread in threading.enumerate() if thread.name == "mtd-log-writer")
        monkeypatch.setattr(Store, "insert", hang)
        appending = asyncio.create_task(log.append(make_events(1, 1)))
        await asyncio.sleep(0.02)
        async with asyncio.timeout(2):
            await log.stop()
        with pytest.raises(LogUnavailable, match="hung"):
            await appending
        # Nobody else gets the file while something may still be written to it.
        with pytest.raises(Misconfigured, match="in use"):
            await make_log(tmp_path).start()
        hanging.set()
        await asyncio.to_thread(thread.join, 5)
        return log

    with caplog.at_level(logging.ERROR):
        log = run(main())
    assert "did not answer" in caplog.text
    log._lock.release()
    assert verify_file(tmp_path / FILE).ok


def test_an_error_of_ours_in_a_commit_is_loud_and_passes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    async def body(log: SqliteEventLog) -> None:
        failures = metric("mtd_core_task_failures_total", task="eventlog")
        with monkeypatch.context() as patch:
            patch.setattr(Store, "insert", fail)
            with pytest.raises(LogUnavailable, match="ZeroDivisionError"):
                await log.append(make_events(4, 1))
        assert metric("mtd_core_task_failures_total", task="eventlog") - failures == 1
        assert (await log.append(make_events(4, 1))).first_seq == 4

    with caplog.at_level(logging.ERROR):
        with_log(tmp_path, body)
    assert "error of mtd" in caplog.text


def test_a_writer_that_fails_by_an_error_of_ours_begins_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    async def body(log: SqliteEventLog) -> None:
        failures = metric("mtd_core_task_failures_total", task="eventlog")
        async with asyncio.timeout(5):
            with monkeypatch.context() as patch:
                patch.setattr(Writer, "_take_group", fail)
                for _ in range(2):
                    with pytest.raises(LogUnavailable, match="ZeroDivisionError"):
                        await log.append(make_events(4, 1))
                    assert log.stats().reason.startswith("error: ZeroDivisionError")
            assert metric("mtd_core_task_failures_total", task="eventlog") - failures == 2
            assert (await log.append(make_events(4, 1))).first_seq == 4
            assert log.stats().available
            assert await log.trim(2) == 1

    with caplog.at_level(logging.CRITICAL):
        with_log(tmp_path, body)
    assert "writer failed and begins again" in caplog.text


# What the writer does after a COMMIT: none of it may take back what is durable, or end the writing.
AFTER_COMMIT = [
    (keeper, "disk_bytes", OSError(5, "Input/output error")),
    (keeper, "disk_bytes", ZeroDivisionError()),
    (keeper.os, "statvfs", OSError(5, "Input/output error")),
    (Store, "checkpoint", OSError(5, "Input/output error")),
    (Store, "checkpoint", ZeroDivisionError()),
    (Keeper, "committed", ZeroDivisionError()),
    (Writer, "_succeed", ZeroDivisionError()),
]


@pytest.mark.parametrize(("owner", "name", "error"), AFTER_COMMIT)
def test_an_error_after_a_commit_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: object, name: str, error: Exception
) -> None:
    async def body(log: SqliteEventLog) -> None:
        insert, original, fell = Store.insert, getattr(owner, name), []
        durable = threading.Event()

        def note(self: Store, *args: object) -> object:
            result = insert(self, *args)  # type: ignore[arg-type]
            durable.set()
            return result

        def fail_once(*args: object) -> object:
            if durable.is_set() and not fell:
                fell.append(name)
                raise error
            return original(*args)

        monkeypatch.setattr(Store, "insert", note)
        monkeypatch.setattr(owner, name, fail_once)
        async with asyncio.timeout(5):
            for number in range(4, 9):
                while True:  # as who appends does: again under the same id, until it is acknowledged
                    with contextlib.suppress(LogUnavailable):
                        assert (await log.append(make_events(number, 1), b"%d" % number)).first_seq == number
                        break
            await until(lambda: bool(fell))
            assert log.stats().available
            assert numbers(await read_all(log)) == list(range(1, 9))

    with_log(tmp_path, body)


@pytest.mark.parametrize("name", ["disk_bytes", "statvfs"])
def test_a_disk_that_cannot_be_measured_after_a_commit_costs_not_even_a_retry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    async def body(log: SqliteEventLog) -> None:
        failures = metric("mtd_eventlog_maintenance_failures_total")
        with monkeypatch.context() as patch:
            if name == "statvfs":
                # The first call of a commit asks whether there is room; the one behind it is what fails.
                patch.setattr(Keeper, "room", lambda *_: 1_000_000)
                patch.setattr(keeper.os, "statvfs", io_error_of_the_system)
            else:
                patch.setattr(keeper, "disk_bytes", io_error_of_the_system)
            assert (await log.append(make_events(4, 1))).first_seq == 4
            await until(lambda: metric("mtd_eventlog_maintenance_failures_total") > failures)
        stats = log.stats()
        assert stats.available
        assert (stats.last_seq, stats.batches) == (4, 2)
        assert stats.disk_bytes > 0
        assert stats.disk_free_bytes > 0  # as last known

    with_log(tmp_path, body)


def test_a_shortage_whose_cause_cannot_be_told_fails_the_batches_that_did_not_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def body(log: SqliteEventLog) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(Keeper, "room", lambda *_: -1)
            patch.setattr(keeper.os, "statvfs", io_error_of_the_system)
            async with asyncio.timeout(5):
                with pytest.raises(LogUnavailable, match="io_error: the free space"):
                    await log.append(make_events(4, 1))
            assert not log.stats().available
        assert (await log.append(make_events(4, 1))).first_seq == 4

    with_log(tmp_path, body)


def test_maintenance_that_fails_by_an_error_of_ours_does_not_hold_up_appending(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def body(log: SqliteEventLog) -> None:
        calls = []

        def fail(*_: object) -> bool:
            calls.append(1)
            raise ZeroDivisionError

        with monkeypatch.context() as patch:
            patch.setattr(Store, "give_back", fail)
            await until(lambda: bool(calls))
            async with asyncio.timeout(5):
                for number in range(4, 8):
                    assert (await log.append(make_events(number, 1))).first_seq == number
            assert log.stats().available

    with_log(tmp_path, body, maintenance_interval_s=0.05)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_ends_is_told_of_and_nobody_waits_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def end(*_: object) -> None:
        raise BaseException("not even an error")

    async def main() -> None:
        log = make_log(tmp_path)
        await log.start()
        with monkeypatch.context() as patch:
            patch.setattr(Store, "insert", end)
            async with asyncio.timeout(5):
                with pytest.raises(LogUnavailable, match="closed"):
                    await log.append(make_events(1, 1))
                with pytest.raises(LogUnavailable, match="thread has ended"):
                    await log.append(make_events(1, 1))
                with pytest.raises(LogUnavailable, match="closed"):
                    await log.trim(1)
        assert not log.stats().available
        assert "thread has ended" in log.stats().reason
        assert metric("mtd_eventlog_available") == 0
        await log.stop()

    run(main())


def test_a_disk_that_hangs_is_unavailable_until_it_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert, hanging = Store.insert, threading.Event()

    def hang(self: Store, *args: object) -> object:
        hanging.wait(10)
        return insert(self, *args)  # type: ignore[arg-type]

    async def body(log: SqliteEventLog) -> None:
        monkeypatch.setattr(Store, "insert", hang)
        appending = [asyncio.create_task(log.append(make_events(n, 1))) for n in (4, 5)]
        await until(lambda: log.stats().waiting_batches == 2)
        await until(lambda: not log.stats().available)
        stats = log.stats()
        assert stats.reason.startswith("stalled: the disk has not answered")
        assert stats.unavailable_since_us > 0
        hanging.set()
        await asyncio.gather(*appending)
        assert log.stats().available

    with_log(tmp_path, body, stalled_after_s=0.1)
