"""One bridge writes: the lock at a real PostgreSQL, with its restarts."""

from __future__ import annotations

import logging
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg2
import pytest

from mtd.storage.embedded import EmbeddedPostgres
from mtd.testing.postgres import quick_config, server_folder
from tests.unit.odoo_addon import bridge_kit as kit

writer = kit.part("writer")
PROGRAM = Path(kit.__file__).with_name("stopped.py")


class Seen:
    """What a lock told."""

    def __init__(self) -> None:
        self.changes: queue.Queue[tuple[bool, str]] = queue.Queue()
        self.told: queue.Queue[str] = queue.Queue()

    def next_change(self) -> tuple[bool, str]:
        return self.changes.get(timeout=30)

    def wait_until(self, held: bool) -> None:
        while self.next_change()[0] is not held:
            pass


@contextmanager
def lock(dsn: str) -> Iterator[tuple[Any, Seen]]:
    seen = Seen()
    made = writer.WriterLock(
        {"dsn": dsn}, on_change=lambda *change: seen.changes.put(change), on_notify=seen.told.put
    )
    made.start()
    try:
        yield made, seen
    finally:
        made.stop()


def execute(dsn: str, statement: str) -> None:
    connection = psycopg2.connect(dsn)
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)
    finally:
        connection.close()


HOLDERS = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted"


def test_a_second_one_waits_and_takes_over(empty_postgres_dsn: str) -> None:
    with lock(empty_postgres_dsn) as (first, seen):
        seen.wait_until(True)
        with lock(empty_postgres_dsn) as (second, waiting):
            deadline = time.monotonic() + 30
            while waiting.told.empty():  # it listens as soon as it is connected
                execute(empty_postgres_dsn, "NOTIFY mikrotik_viewing")
                assert time.monotonic() < deadline
            assert waiting.told.get() == "mikrotik_viewing"
            assert not second.held
            first.stop()
            waiting.wait_until(True)
            assert second.held
            assert not first.held


def test_a_lost_session_is_noticed_and_the_lock_is_somebodys(empty_postgres_dsn: str) -> None:
    with lock(empty_postgres_dsn) as (first, seen), lock(empty_postgres_dsn) as (second, waiting):
        deadline = time.monotonic() + 30
        while first.held == second.held:
            assert time.monotonic() < deadline
        told = seen if first.held else waiting
        told.wait_until(True)
        execute(empty_postgres_dsn, HOLDERS)
        held, trouble = told.next_change()
        assert not held
        assert trouble
        while first.held == second.held:
            assert time.monotonic() < deadline


@contextmanager
def process(dsn: str, silent_s: float) -> Iterator[subprocess.Popen[str]]:
    """Give a process that holds the lock, whose session may say nothing for so long."""
    made = subprocess.Popen(
        [sys.executable, PROGRAM, dsn, str(silent_s)],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield made
    finally:
        made.kill()
        made.communicate()


def is_held(dsn: str, backend: int) -> bool:
    connection = psycopg2.connect(dsn)
    try:
        with connection.cursor() as cursor:
            return bool(writer.WriterLock.is_held(cursor, backend))
    finally:
        connection.close()


def test_one_that_is_stopped_loses_the_lock_and_knows_it_when_it_goes_on(empty_postgres_dsn: str) -> None:
    with process(empty_postgres_dsn, silent_s=1.0) as first:
        assert first.stdout is not None
        word, backend = first.stdout.readline().split()
        assert word == "held"
        assert is_held(empty_postgres_dsn, int(backend))
        with lock(empty_postgres_dsn) as (second, waiting):
            first.send_signal(signal.SIGSTOP)
            waiting.wait_until(True)
            assert not is_held(empty_postgres_dsn, int(backend))
            assert is_held(empty_postgres_dsn, second.backend)
            first.send_signal(signal.SIGCONT)
            assert first.stdout.readline().startswith("lost ")
            assert second.held


def test_one_that_is_heard_of_keeps_the_lock(
    empty_postgres_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "SILENT_S", 0.4)
    monkeypatch.setattr(writer, "CHECK_EVERY_S", 0.1)
    asked: list[float] = []
    often = threading.Event()

    class Counting(writer.WriterLock):  # type: ignore[misc]
        def _wait(self, connection: Any, seconds: float) -> None:
            asked.append(seconds)
            if len(asked) > 12:  # three times as long as it may be silent
                often.set()
            super()._wait(connection, seconds)

    monkeypatch.setattr(writer, "WriterLock", Counting)
    with lock(empty_postgres_dsn) as (made, seen):
        seen.wait_until(True)
        assert often.wait(30)
        assert made.held
        assert seen.changes.empty()


def test_servers_that_cant_end_it_are_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    made = writer.WriterLock({}, on_change=lambda *change: None, on_notify=lambda channel: None)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            made._end_when_silent(SimpleNamespace(server_version=130014), None)
    assert [record.message for record in caplog.records] == [
        "before version 14 PostgreSQL leaves the lock with a bridge that is stopped"
    ]


@pytest.fixture
def own_server() -> Iterator[EmbeddedPostgres]:
    with server_folder() as folder:
        server = EmbeddedPostgres(folder, quick_config())
        server.start_blocking()
        try:
            yield server
        finally:
            server.stop_blocking()


def test_a_restart_of_postgresql_is_survived(own_server: EmbeddedPostgres) -> None:
    dsn = own_server.dsn_of("postgres")
    with lock(dsn) as (made, seen):
        seen.wait_until(True)
        own_server.stop_blocking()
        seen.wait_until(False)
        own_server.start_blocking()
        seen.wait_until(True)
        execute(own_server.dsn_of("postgres"), "NOTIFY mikrotik_diagnostic")
        assert seen.told.get(timeout=30) == "mikrotik_diagnostic"
        assert made.held
