"""One bridge writes: the lock at a real PostgreSQL, with its restarts."""

from __future__ import annotations

import queue
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg2
import pytest

from mtd.storage.embedded import EmbeddedPostgres
from mtd.testing.postgres import quick_config, server_folder
from tests.unit.odoo_addon import bridge_kit as kit

writer = kit.part("writer")


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
