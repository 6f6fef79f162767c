from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import psycopg2.extensions
import pytest
from txpostgres import txpostgres

from mtd.core.errors import Bug, Misconfigured
from mtd.model.device import DEFAULT_TENANT_ID
from mtd.storage import pool
from mtd.storage.config import StorageConfig
from mtd.storage.embedded import EmbeddedPostgres
from mtd.storage.errors import CommitUnknown, Duplicate, StatementRejected, StorageUnavailable
from mtd.storage.pool import Database
from mtd.storage.txn import Transaction
from mtd.testing import run_async
from mtd.testing.postgres import quick_config, server_folder


def with_database(dsn: str, body: Callable[[Database], Awaitable[None]], **settings: Any) -> None:
    async def main() -> None:
        db = Database(dsn, StorageConfig.model_validate({"pool_size": 2, **settings}))
        await db.start()
        try:
            await body(db)
        finally:
            await db.stop()

    run_async(main(), timeout_s=60)


async def value(db: Database, sql: str, **options: Any) -> Any:
    async def read(tx: Transaction) -> Any:
        await tx.execute(sql)
        row = tx.fetchone()
        assert row is not None
        return row[0]

    return await db.run("test.value", read, **options)


async def do(db: Database, sql: str) -> int:
    async def change(tx: Transaction) -> int:
        await tx.execute(sql)
        return tx.rowcount

    return await db.run("test.do", change)


def test_commits_what_returns_and_rolls_back_what_raises(postgres_dsn: str) -> None:
    async def body(db: Database) -> None:
        await do(db, "CREATE TABLE t (x int)")

        async def failing(tx: Transaction) -> None:
            await tx.execute("INSERT INTO t VALUES (1)")
            raise LookupError("changed its mind")

        with pytest.raises(LookupError):
            await db.run("test.failing", failing)
        assert await do(db, "INSERT INTO t VALUES (2), (3)") == 2
        assert await value(db, "SELECT array_agg(x ORDER BY x) FROM t") == [2, 3]

    with_database(postgres_dsn, body)


def test_the_tenant_lasts_for_one_transaction(postgres_dsn: str) -> None:
    async def body(db: Database) -> None:
        ask = "SELECT current_setting('app.tenant_id', true)"
        assert await value(db, ask, tenant="it's me") == "it's me"
        assert await value(db, ask) in ("", None)

    with_database(postgres_dsn, body, pool_size=2)


@pytest.mark.parametrize("durable", [True, False])
def test_only_a_commit_that_may_be_lost_does_not_wait_for_the_disk(postgres_dsn: str, durable: bool) -> None:
    async def body(db: Database) -> None:
        found = await value(db, "SHOW synchronous_commit", durable=durable)
        assert found == ("on" if durable else "off")

    with_database(postgres_dsn, body)


def test_what_postgresql_refuses(postgres_dsn: str) -> None:
    async def body(db: Database) -> None:
        await do(db, "CREATE TABLE t (x int PRIMARY KEY)")
        await do(db, "INSERT INTO t VALUES (1)")
        with pytest.raises(Duplicate) as twice:
            await do(db, "INSERT INTO t VALUES (1)")
        assert twice.value.constraint == "t_pkey"
        for statement in ("SELECT 'x'::int", "SELECT 1 / 0", "SELEC", "SELECT * FROM nowhere"):
            with pytest.raises(StatementRejected):
                await do(db, statement)

        async def with_nul(tx: Transaction) -> None:
            await tx.execute("SELECT %s", ("a\0b",))

        async def with_object(tx: Transaction) -> None:
            await tx.execute("SELECT %s", (object(),))

        with pytest.raises(StatementRejected):
            await db.run("test.nul", with_nul)
        with pytest.raises(Bug):
            await db.run("test.object", with_object)
        assert await value(db, "SELECT 1") == 1  # the connections are fine

    with_database(postgres_dsn, body)


def test_a_cut_connection_is_replaced_and_the_work_done_again(postgres_dsn: str) -> None:
    async def body(db: Database) -> None:
        await do(db, "CREATE TABLE t (x int)")
        tries = []

        async def work(tx: Transaction) -> None:
            tries.append(1)
            await tx.execute("INSERT INTO t VALUES (1)")
            if len(tries) == 1:
                await tx.execute("SELECT pg_terminate_backend(pg_backend_pid())")

        await db.run("test.cut", work)
        assert len(tries) == 2
        assert await value(db, "SELECT count(*) FROM t") == 1

    with_database(postgres_dsn, body)


def test_rows_that_a_cut_connection_took_with_it_are_asked_for_again(postgres_dsn: str) -> None:
    """The answer was there, and the cursor is closed before anybody looked at it."""

    async def body(db: Database) -> None:
        tries = []

        async def work(tx: Transaction) -> Any:
            await tx.execute("SELECT 7")
            tries.append(len(tries))
            if len(tries) == 1:
                tx._cursor.close()
            return tx.fetchone()

        assert await db.run("test.cut", work) == (7,)
        assert tries == [0, 1]

    with_database(postgres_dsn, body)


def test_idle_connections_that_were_cut_are_noticed(postgres_dsn: str) -> None:
    async def body(db: Database) -> None:
        await asyncio.gather(*(value(db, "SELECT 1 FROM pg_sleep(0.05)") for _ in range(2)))
        await do(
            db,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
        assert [await value(db, "SELECT 1") for _ in range(4)] == [1] * 4

    with_database(postgres_dsn, body)


def test_a_deadlock_is_tried_again(postgres_dsn: str) -> None:
    async def body(db: Database) -> None:
        await do(db, "CREATE TABLE t (x int PRIMARY KEY, n int NOT NULL DEFAULT 0)")
        await do(db, "INSERT INTO t (x) VALUES (1), (2)")
        both = asyncio.Barrier(2)
        tries = []

        async def lock(tx: Transaction, first: int, second: int) -> None:
            tries.append(first)
            await tx.execute("SET LOCAL deadlock_timeout = '50ms'")
            await tx.execute("UPDATE t SET n = n + 1 WHERE x = %s", (first,))
            if len(tries) <= 2:
                await both.wait()
            await tx.execute("UPDATE t SET n = n + 1 WHERE x = %s", (second,))

        await asyncio.gather(
            db.run("test.one", lambda tx: lock(tx, 1, 2)), db.run("test.two", lambda tx: lock(tx, 2, 1))
        )
        assert len(tries) == 3
        assert await value(db, "SELECT sum(n) FROM t") == 4

    with_database(postgres_dsn, body)


def test_a_commit_without_an_answer_is_not_repeated(postgres_dsn: str) -> None:
    async def body(db: Database) -> None:
        await do(db, "CREATE TABLE t (x int)")
        # Runs at the commit, and cuts the connection before the answer.
        await do(
            db,
            "CREATE FUNCTION cut() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(5); RETURN NULL; END $$",
        )
        await do(
            db,
            "CREATE CONSTRAINT TRIGGER cut AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED"
            " FOR EACH ROW EXECUTE FUNCTION cut()",
        )
        with pytest.raises(CommitUnknown):
            await do(db, "INSERT INTO t VALUES (1)")

    with_database(postgres_dsn, body)


def test_the_deadline_ends_waiting_and_work(postgres_dsn: str) -> None:
    async def body(db: Database) -> None:
        with pytest.raises(StorageUnavailable, match=r"not done within 0\.1 s"):
            await value(db, "SELECT 1 FROM pg_sleep(5)", deadline_s=0.1)
        busy = [asyncio.ensure_future(value(db, "SELECT 1 FROM pg_sleep(0.5)")) for _ in range(2)]
        await asyncio.sleep(0.05)
        with pytest.raises(StorageUnavailable):
            await value(db, "SELECT 1", deadline_s=0.1)  # waits for a connection
        await asyncio.gather(*busy)
        assert await value(db, "SELECT 1") == 1

    with_database(postgres_dsn, body)


def test_who_is_cancelled_watches_no_closed_descriptor(postgres_dsn: str) -> None:
    """A loop that is to watch one aborts the process."""
    from twisted.internet import reactor

    def cursors() -> list[Any]:
        watching: Any = reactor
        return [
            one
            for one in (*watching.getReaders(), *watching.getWriters())
            if isinstance(one, txpostgres.Cursor)
        ]

    async def body(db: Database) -> None:
        for _ in range(3):
            work = asyncio.ensure_future(value(db, "SELECT pg_sleep(20)"))
            while not cursors():
                await asyncio.sleep(0)
            work.cancel()
            # Before the loop looks at descriptors again.
            with pytest.raises(asyncio.CancelledError):
                await work
            assert not cursors()
        assert await value(db, "SELECT 1") == 1

    with_database(postgres_dsn, body)


def test_attempts_to_connect_that_are_given_up_leave_nothing_behind() -> None:
    def connections() -> int:
        gc.collect()
        return sum(isinstance(one, txpostgres.Connection) for one in gc.get_objects())

    async def main(silent: socket.socket) -> None:
        dsn = f"host=127.0.0.1 port={silent.getsockname()[1]} user=x dbname=x"
        db = Database(dsn, StorageConfig(pool_size=2))
        before = connections()
        for _ in range(20):
            with pytest.raises(StorageUnavailable):
                await value(db, "SELECT 1", deadline_s=0.02)
        await db.stop()
        assert connections() <= before + 1

    with socket.socket() as silent:  # it takes connections, and says nothing
        silent.bind(("127.0.0.1", 0))
        silent.listen(100)
        run_async(main(silent))


def test_a_cancelled_transaction_leaves_nothing_behind(postgres_dsn: str) -> None:
    async def body(db: Database) -> None:
        await do(db, "CREATE TABLE t (x int)")

        async def slow(tx: Transaction) -> None:
            await tx.execute("INSERT INTO t VALUES (1)")
            await tx.execute("SELECT pg_sleep(5)")

        work = asyncio.ensure_future(db.run("test.slow", slow))
        await asyncio.sleep(0.1)
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        assert await value(db, "SELECT count(*) FROM t") == 0

    with_database(postgres_dsn, body)


def test_a_wrong_password_or_database_is_not_retried(postgres_dsn: str) -> None:
    async def body(dsn: str) -> None:
        db = Database(dsn)
        with pytest.raises(Misconfigured):
            await db.start()
        await db.stop()

    for wrong in (f"{postgres_dsn} password=wrong", f"{postgres_dsn} dbname=nowhere"):
        run_async(body(wrong))


def test_listeners_hear_and_are_told_when_they_may_have_missed_something(postgres_dsn: str) -> None:
    async def body(db: Database) -> None:
        heard: asyncio.Queue[str | None] = asyncio.Queue()
        await db.listen("topic", heard.put_nowait)
        assert await heard.get() is None
        await do(db, "NOTIFY topic, 'first'")
        assert await heard.get() == "first"
        await do(
            db,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'"
            " AND datname = current_database()",
        )
        assert await heard.get() is None
        await do(db, "NOTIFY topic, 'second'")
        assert await heard.get() == "second"

    with_database(postgres_dsn, body)


def test_a_restart_of_postgresql_is_survived() -> None:
    async def main(server: EmbeddedPostgres) -> None:
        db = Database(await server.start())
        await db.start()
        heard: asyncio.Queue[str | None] = asyncio.Queue()
        await db.listen("topic", heard.put_nowait)
        assert await heard.get() is None
        await do(db, "CREATE TABLE t (x int)")
        os.kill(server.pid, signal.SIGKILL)
        # Begun while it is down: done when the watch has started it again.
        await do(db, "INSERT INTO t VALUES (1)")
        assert await heard.get() is None
        await db.stop()
        await server.stop()

    with server_folder() as folder:
        server = EmbeddedPostgres(folder, quick_config())
        try:
            run_async(main(server), timeout_s=60)
        finally:
            server.stop_blocking()


def test_who_stops_listening_hears_no_more(postgres_dsn: str) -> None:
    async def body(db: Database) -> None:
        heard: asyncio.Queue[str | None] = asyncio.Queue()
        listening = await db.listen("topic", heard.put_nowait)
        assert await heard.get() is None
        await listening.stop()
        async with asyncio.timeout(5):
            while await value(
                db,
                "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = current_database()",
            ):
                await asyncio.sleep(0.02)
        assert heard.empty()

    with_database(postgres_dsn, body)


def test_every_address_of_a_name_is_tried(postgres_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    addresses = ["127.0.0.2", "127.0.0.3", "127.0.0.1"]  # the server listens on the last

    async def resolve(host: str) -> list[str]:
        assert host == "database.example"
        return addresses

    monkeypatch.setattr(pool, "_resolve", resolve)
    dsn = psycopg2.extensions.make_dsn(postgres_dsn, host="database.example")

    async def body(db: Database) -> None:
        assert await value(db, "SELECT host(inet_server_addr())") == "127.0.0.1"

    with_database(dsn, body)

    async def main() -> None:
        with pytest.raises(Misconfigured, match="password"):
            await Database(f"{dsn} password=wrong").start()

    run_async(main())


def test_readers_have_a_pool_of_their_own_and_less_time(postgres_dsn: str) -> None:
    async def main() -> None:
        config = StorageConfig(query_pool_size=1, query_statement_timeout_s=0.1)
        db = Database.for_queries(postgres_dsn, config)
        await db.start()
        assert await value(db, "SHOW statement_timeout", tenant=DEFAULT_TENANT_ID) == "100ms"
        with pytest.raises(StorageUnavailable, match="took too long"):
            await value(db, "SELECT 1 FROM pg_sleep(5)", tenant=DEFAULT_TENANT_ID)
        await db.stop()

    run_async(main())


def test_no_secret_in_a_repr(postgres_dsn: str) -> None:
    assert "password" not in repr(Database(postgres_dsn))
