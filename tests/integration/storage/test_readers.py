"""Readers: threads with connections of their own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest

from mtd.model.device import DEFAULT_TENANT_ID
from mtd.storage.cold.connection import ColdConnection
from mtd.storage.config import StorageConfig
from mtd.storage.errors import StatementRejected, StorageUnavailable, TooSlow
from mtd.storage.readers import Readers
from mtd.testing import run_async

TENANT = DEFAULT_TENANT_ID


@asynccontextmanager
async def reading(dsn: str, **settings: Any) -> AsyncIterator[Readers]:
    readers = Readers(dsn, StorageConfig(query_pool_size=2, **settings))
    try:
        yield readers
    finally:
        await readers.stop()


def value(sql: str) -> Any:
    return lambda conn: conn.fetch(sql)[0][0]


def test_one_snapshot_in_a_thread_for_a_tenant(postgres_dsn: str) -> None:
    async def main() -> None:
        async with reading(postgres_dsn) as readers:

            def body(conn: ColdConnection) -> tuple[int, int, str]:
                before = value("SELECT count(*) FROM site")(conn)
                with psycopg.connect(postgres_dsn) as other:
                    other.execute("INSERT INTO mtd.site (tenant_id, name) VALUES (%s, 'another')", (TENANT,))
                assert threading.current_thread() is not threading.main_thread()
                return (
                    before,
                    value("SELECT count(*) FROM site")(conn),
                    value("SELECT current_setting('app.tenant_id')")(conn),
                )

            assert await readers.run("test.read", body, tenant=TENANT) == (0, 0, TENANT)
            assert await readers.run("test.read", value("SELECT count(*) FROM site"), tenant=TENANT) == 1

    run_async(main())


def test_a_connection_that_was_lost_is_replaced(postgres_dsn: str) -> None:
    async def main() -> None:
        async with reading(postgres_dsn) as readers:
            first = await readers.run("test.pid", value("SELECT pg_backend_pid()"), tenant=TENANT)
            assert await readers.run("test.pid", value("SELECT pg_backend_pid()"), tenant=TENANT) == first
            with psycopg.connect(postgres_dsn) as other:
                other.execute("SELECT pg_terminate_backend(%s, 5000)", (first,))
            assert await readers.run("test.pid", value("SELECT pg_backend_pid()"), tenant=TENANT) != first
            with pytest.raises(StatementRejected):
                await readers.run("test.wrong", value("SELECT 1 / 0"), tenant=TENANT)
            assert await readers.run("test.right", value("SELECT 1"), tenant=TENANT) == 1

    run_async(main())


def test_so_many_at_a_time_and_none_for_ever(postgres_dsn: str) -> None:
    running, most = 0, 0
    lock = threading.Lock()

    def body(conn: ColdConnection) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        conn.fetch("SELECT pg_sleep(0.02)")
        with lock:
            running -= 1

    async def main() -> None:
        async with reading(postgres_dsn) as readers:
            await asyncio.gather(*(readers.run("test.many", body, tenant=TENANT) for _ in range(6)))
            assert most == 2
        async with reading(postgres_dsn, query_statement_timeout_s=0.1) as readers:
            with pytest.raises(TooSlow, match="statement timeout") as failed:
                await readers.run("test.slow", value("SELECT pg_sleep(20)"), tenant=TENANT)
            assert "shorter range" in failed.value.hint
        async with reading(postgres_dsn, transaction_deadline_s=0.1, query_statement_timeout_s=1) as readers:
            with pytest.raises(TooSlow, match=r"test.slow: not done within 0.1 s"):
                await readers.run("test.slow", value("SELECT pg_sleep(20)"), tenant=TENANT)

    run_async(main())


def test_who_leaves_leaves_no_statement_behind(postgres_dsn: str) -> None:
    async def main() -> None:
        async with reading(postgres_dsn) as readers:
            asked = [
                asyncio.ensure_future(readers.run("test.slow", value("SELECT pg_sleep(8)"), tenant=TENANT))
                for _ in range(4)  # two run, two wait for a thread
            ]
            await _sleepers(postgres_dsn, 2)
            for one in asked:
                one.cancel()
            async with asyncio.timeout(5):
                left = await asyncio.gather(*asked, return_exceptions=True)
                assert all(isinstance(one, asyncio.CancelledError) for one in left)
                assert await readers.run("test.next", value("SELECT 1"), tenant=TENANT) == 1
            await _sleepers(postgres_dsn, 0)

    run_async(main())


def test_the_deadline_ends_the_statement(postgres_dsn: str) -> None:
    async def main() -> None:
        async with reading(postgres_dsn, transaction_deadline_s=0.3) as readers:
            with pytest.raises(TooSlow):
                await readers.run("test.slow", value("SELECT pg_sleep(8)"), tenant=TENANT)
            await _sleepers(postgres_dsn, 0)
            assert await readers.run("test.next", value("SELECT 1"), tenant=TENANT) == 1

    run_async(main())


async def _sleepers(dsn: str, count: int) -> None:
    sleeping = (
        "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND state = 'active'"
    )
    with psycopg.connect(dsn, autocommit=True) as other:
        async with asyncio.timeout(3):
            while other.execute(sleeping).fetchone() != (count,):
                await asyncio.sleep(0.01)


def test_who_computes_long_lets_others_run_each_millisecond(
    postgres_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rests: list[float] = []

    def body(conn: ColdConnection) -> None:
        clock = iter(range(100))
        times = SimpleNamespace(monotonic=lambda: next(clock) * 0.0004, sleep=rests.append)
        with monkeypatch.context() as patched:
            patched.setattr("mtd.storage.cold.connection.time", times)
            for _ in range(30):
                conn.check()

    async def main() -> None:
        async with reading(postgres_dsn) as readers:
            await readers.run("test.long", body, tenant=TENANT)

    run_async(main())
    assert 5 <= len(rests) < 15
    assert set(rests) == {0}


def test_after_the_stop_nothing_is_read(postgres_dsn: str) -> None:
    async def main() -> None:
        async with reading(postgres_dsn) as readers:
            await readers.run("test.read", value("SELECT 1"), tenant=TENANT)
        with pytest.raises(StorageUnavailable, match="stopped"):
            await readers.run("test.read", value("SELECT 1"), tenant=TENANT)
        with psycopg.connect(postgres_dsn) as other:
            async with asyncio.timeout(10):
                while other.execute(
                    "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'mtd reader'"
                ).fetchone() != (0,):
                    await asyncio.sleep(0.01)
                    other.rollback()
        assert repr(readers) == "Readers(0 idle)"

    run_async(main())


def test_the_stop_ends_what_is_being_read(postgres_dsn: str) -> None:
    sleeping = (
        "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)' AND state = 'active'"
    )

    async def main() -> None:
        async with reading(postgres_dsn) as readers:
            asked = asyncio.ensure_future(
                readers.run("test.slow", value("SELECT pg_sleep(60)"), tenant=TENANT)
            )
            with psycopg.connect(postgres_dsn, autocommit=True) as other:
                async with asyncio.timeout(10):
                    while other.execute(sleeping).fetchone() != (1,):
                        await asyncio.sleep(0.01)
        with pytest.raises(StorageUnavailable):
            async with asyncio.timeout(10):
                await asked

    run_async(main())
