"""Room and pressure in the application: what is told to probes and on the command line."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from mtd.app import hello as hello_module
from mtd.app.config import Settings
from mtd.app.hello import Hello
from mtd.app.log_room import log_room
from mtd.app.pressing import pressure_of, ready_check
from mtd.core.errors import Misconfigured
from mtd.eventlog.interfaces import LogStats
from mtd.storage.errors import StorageUnavailable
from mtd.testing import run_async

STATS = LogStats("log", 1, 1000, 10, 900_000, consumers={"projections": 1000, "forwarder": 400})


def settings(tmp_path: Path, **event_log: object) -> Settings:
    return Settings.model_validate(
        {"daemon": {"data_dir": str(tmp_path)}, "event_log": {"max_bytes": 1_000_000, **event_log}}
    )


def test_room_is_what_the_slowest_reader_leaves(tmp_path: Path) -> None:
    room = log_room(settings(tmp_path), STATS)
    assert (room.held_bytes, room.max_bytes, room.fill_ratio) == (540_000, 1_000_000, 0.54)
    assert room.quota_state == "warning"
    assert (
        log_room(settings(tmp_path), replace(STATS, consumers={"forwarder": 200})).quota_state == "critical"
    )
    assert log_room(settings(tmp_path), replace(STATS, consumers={"projections": 1000})).quota_state == "ok"


def test_the_disk_is_looked_at_and_what_is_kept_free_is_none_of_it(tmp_path: Path) -> None:
    room = log_room(settings(tmp_path, min_free_bytes=0), STATS)
    assert room.disk_spare_bytes > 0
    none = log_room(settings(tmp_path, min_free_bytes=2**62), STATS)
    assert (none.disk_spare_bytes, none.disk_state) == (0, "critical")


class Log:
    def __init__(self, stats: LogStats) -> None:
        self._stats = stats

    def stats(self) -> LogStats:
        return self._stats


class Recorder:
    pressure = 0.0

    def record_event(self, change: object) -> None: ...


def test_from_the_fourth_step_on_a_process_is_not_ready_and_says_why(tmp_path: Path) -> None:
    full = replace(STATS, max_bytes=1_000_000, consumers={"projections": 0})
    quick = settings(tmp_path).model_copy(deep=True)
    quick.pressure.rise_s = 0.0
    recorder: Any = Recorder()
    calm = pressure_of(
        quick, Log(replace(full, consumers={"projections": 1000})), recorder, lambda: 0.0, "hub"
    )
    calm.look()
    assert ready_check(calm).ready
    assert ready_check(calm).reason == ""
    pressed = pressure_of(quick, Log(full), recorder, lambda: 0.0, "hub")
    pressed.look()
    check = ready_check(pressed)
    assert not check.ready
    assert "90 % of the log's quota wait" in check.reason
    assert "T1 is not polled" in check.reason


class Database:
    """Answers what it is told to."""

    def __init__(self) -> None:
        self.error: Exception | None = None

    async def run(self, name: str, body: Callable[..., object], deadline_s: float) -> None:
        if self.error is not None:
            raise self.error


def test_who_waits_for_postgresql_hears_once_that_it_is_back(monkeypatch: Any) -> None:
    monkeypatch.setattr(hello_module, "_EVERY_S", 0.001)
    database: Any = Database()
    back: list[str] = []

    async def body() -> None:
        asked = 0

        async def after_each() -> None:
            nonlocal asked
            asked += 1

        async def until(condition: Callable[[], bool]) -> None:
            async with asyncio.timeout(20):
                while not condition():
                    await asyncio.sleep(0.001)

        hello = Hello(database, lambda: back.append("back"), after_each)
        task = asyncio.create_task(hello.run())
        await until(lambda: asked > 1)
        assert (hello.failure, back) == ("", [])
        database.error = StorageUnavailable("no route")
        await until(lambda: hello.failure == "PostgreSQL doesn't answer: no route")
        database.error = Misconfigured("wrong password")
        await until(lambda: hello.failure == "wrong password")
        assert back == []
        database.error = None
        await until(lambda: hello.failure == "")
        before = asked
        await until(lambda: asked > before + 3)
        assert back == ["back"]
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    run_async(body())
