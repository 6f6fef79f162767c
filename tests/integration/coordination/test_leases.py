"""Leases in PostgreSQL."""

from __future__ import annotations

from typing import ClassVar

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from mtd.coordination.interfaces import ILeaseStore
from mtd.coordination.postgres import PostgresLeaseStore
from mtd.core.clock import LEASE_CLOCK
from mtd.storage.errors import StorageUnavailable
from mtd.storage.pool import Database
from mtd.storage.txn import Transaction
from mtd.testing import run_async
from tests.contract.lease_suite import LeaseMachine, LeaseStores, LeaseSuite


class PooledStore(PostgresLeaseStore):
    """A store with a pool of its own."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.database = database

    async def stop(self) -> None:
        await self.database.stop()


class InPostgres(LeaseStores):
    """Stores whose clock is the server's: leases are moved instead of it."""

    dsn: ClassVar[str]
    store_made: PooledStore

    async def new_store(self) -> ILeaseStore:
        database = Database.for_writing(self.dsn)

        async def clear(tx: Transaction) -> None:
            await tx.execute("DELETE FROM lease")

        await database.run("test.clear", clear)
        self.store_made = PooledStore(database)
        return self.store_made

    async def pass_time(self, seconds: float) -> None:
        async def move(tx: Transaction) -> None:
            await tx.execute(
                "UPDATE lease SET expires_at = expires_at - make_interval(secs => %s)"
                " WHERE expires_at <> '-infinity'",
                [seconds],
            )

        await self.store_made.database.run("test.pass", move)


class TestPostgresLeases(InPostgres, LeaseSuite):
    """The suite."""

    @pytest.fixture(autouse=True)
    def _database(self, postgres_dsn: str) -> None:
        type(self).dsn = postgres_dsn

    def test_a_lease_is_reckoned_from_when_it_was_asked_for(self) -> None:
        async def body(store: ILeaseStore) -> None:
            before = LEASE_CLOCK.monotonic()
            lease = await store.acquire("one", "a", self.ttl_s)
            after = LEASE_CLOCK.monotonic()
            assert before + self.ttl_s <= lease.good_until <= after + self.ttl_s

        self.run(body)

    def test_a_server_that_is_away_is_said_so(self, postgres_dsn: str) -> None:
        async def main() -> None:
            store = PostgresLeaseStore(Database.for_writing("host=127.0.0.1 port=1 dbname=x"), deadline_s=0.2)
            with pytest.raises(StorageUnavailable):
                await store.acquire("one", "a", self.ttl_s)

        run_async(main())


def test_random_histories(postgres_dsn: str) -> None:
    class PostgresLeaseMachine(InPostgres, LeaseMachine):
        dsn = postgres_dsn

    run_state_machine_as_test(
        PostgresLeaseMachine, settings=settings(max_examples=12, stateful_step_count=20, deadline=None)
    )
