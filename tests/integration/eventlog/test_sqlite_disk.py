"""Retention, and what becomes of the log when its disk is full."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from mtd.eventlog.errors import LogUnavailable
from mtd.eventlog.sqlite import SqliteEventLog, schema, verify_file
from mtd.eventlog.sqlite import store as store_module
from tests.contract.event_log_suite import make_events, numbers
from tests.contract.loop import run
from tests.integration.eventlog.helpers import FILE, ManualClock, make_log, read_all, until


def test_old_events_go_but_not_before_every_consumer_has_them(tmp_path: Path) -> None:
    async def main() -> None:
        clock = ManualClock(1_700_000_000_000_000)
        settings = make_log(tmp_path, retention_s=3600, maintenance_interval_s=0.02)._settings
        log = SqliteEventLog(settings, clock=clock)
        await log.start()
        log.pin("projection", 2)
        for number in range(1, 4):
            await log.append(make_events(number, 1))
            clock.us += 1_000_000
        clock.us += 3600 * 1_000_000
        await log.append(make_events(4, 1))
        await until(lambda: log.stats().first_seq == 3)
        log.pin("projection", 4)
        await until(lambda: log.stats().first_seq == 4)
        await asyncio.sleep(0.1)
        assert log.stats().first_seq == 4  # the last is young
        await log.stop()

    run(main())


def test_the_file_shrinks_when_much_was_trimmed(tmp_path: Path) -> None:
    async def main() -> None:
        log = make_log(tmp_path, maintenance_interval_s=0.02, spare_bytes=100_000, checkpoint_bytes=100_000)
        await log.start()
        for number in range(40):
            await log.append(make_events(number, 1, padding=100_000))
        path = tmp_path / FILE
        before = path.stat().st_size
        await log.trim(100)
        await until(lambda: path.stat().st_size < before / 4)
        await log.stop()

    run(main())


def test_the_write_ahead_file_does_not_grow_while_readers_read(tmp_path: Path) -> None:
    async def main() -> None:
        log = make_log(tmp_path, tail_bytes=0, checkpoint_bytes=200_000)
        await log.start()

        async def read() -> int:
            return sum([len(batch.events) async for batch in log.subscribe(0)])

        readers = [asyncio.create_task(read()) for _ in range(3)]
        wal, largest = tmp_path / "log" / "events.db-wal", 0
        for number in range(300):
            await log.append(make_events(number, 1, padding=20_000))
            largest = max(largest, wal.stat().st_size)
        assert largest < 2_500_000  # of 6 MB appended
        await log.stop()
        await asyncio.gather(*readers)

    run(main())


def test_a_full_database_file_recovers_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pages = [60]

    def open_small(path: Path, busy_timeout_s: float, now_us: int, log_id: str = "") -> sqlite3.Connection:
        connection = schema.open_for_writing(path, busy_timeout_s, now_us)
        connection.execute(f"PRAGMA max_page_count = {pages[0]}")
        return connection

    monkeypatch.setattr(store_module, "open_for_writing", open_small)

    def make_room() -> None:
        pages[0] = 1_000_000

    run(fill_until_full(tmp_path, make_room))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of a few megabytes; only root can make one."""
    mount_point = tmp_path / "disk"
    mount_point.mkdir()
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(mount_point)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip(f"no small file system here: {mounted.stderr.decode().strip()}")
    yield mount_point
    subprocess.run(["umount", "-l", str(mount_point)], check=True)


def test_a_full_disk_recovers_by_itself(small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(1024 * 1024))
    run(fill_until_full(small_disk, ballast.unlink))


async def fill_until_full(folder: Path, make_room: object) -> None:
    """Append until there is no room; make room; nothing acknowledged is lost, nothing else is kept."""
    log = make_log(folder, tail_bytes=0, checkpoint_bytes=4096)
    await log.start()
    accepted = 0
    while log.stats().available and accepted < 1000:
        with contextlib.suppress(LogUnavailable):
            await log.append(make_events(accepted + 1, 1, padding=30_000), b"%d" % (accepted + 1))
            accepted += 1
    assert 5 < accepted < 1000
    stats = log.stats()
    assert not stats.available
    assert stats.reason.startswith("disk_full")
    assert stats.unavailable_since_us > 0
    assert stats.last_seq == accepted
    # Still full, and nothing breaks by trying; what is there can be read.
    for _ in range(3):
        with pytest.raises(LogUnavailable):
            await log.append(make_events(accepted + 1, 1, padding=30_000), b"%d" % (accepted + 1))
    assert numbers(await read_all(log)) == list(range(1, accepted + 1))

    make_room()  # type: ignore[operator]
    result = await log.append(make_events(accepted + 1, 1, padding=30_000), b"%d" % (accepted + 1))
    assert result.first_seq == accepted + 1
    assert log.stats().available
    assert log.stats().reason == ""
    assert numbers(await read_all(log)) == list(range(1, accepted + 2))
    await log.stop()
    assert verify_file(folder / FILE).ok


def test_a_nearly_full_disk_is_left_to_others(tmp_path: Path) -> None:
    async def main() -> None:
        log = make_log(tmp_path, min_free_bytes=2**60)
        await log.start()
        with pytest.raises(LogUnavailable, match="disk_full"):
            await log.append(make_events(1, 1))
        assert log.stats().last_seq == 0
        await log.stop()

    run(main())


def test_an_unacknowledged_commit_that_reached_the_disk_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A commit may fail in our eyes and be on the disk all the same: told by its batch id, once."""
    failing = [True]
    insert = store_module.Store.insert

    def insert_then_fail(self: store_module.Store, *args: object) -> object:
        results = insert(self, *args)  # type: ignore[arg-type]
        if failing.pop():
            raise sqlite3.OperationalError("disk I/O error")
        failing.append(False)
        return results

    monkeypatch.setattr(store_module.Store, "insert", insert_then_fail)

    async def main() -> None:
        log = make_log(tmp_path)
        await log.start()
        failing.insert(0, False)
        with pytest.raises(LogUnavailable):
            await log.append(make_events(1, 2), b"once")
        again = await log.append(make_events(1, 2), b"once")
        assert (again.first_seq, again.last_seq, again.duplicate) == (1, 2, True)
        assert numbers(await log.read(0, 10)) == [1, 2]
        assert (await log.append(make_events(3, 1))).first_seq == 3
        assert numbers(await log.read(0, 10)) == [1, 2, 3]
        assert (await log.verify()).ok
        await log.stop()

    run(main())
