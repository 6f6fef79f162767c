"""The machine of PostgreSQL is gone for good, and a replica that lagged behind is promoted.

Runbook: `database-down`.
"""

from __future__ import annotations

import socket

import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from mtd.storage import pool
from mtd.storage.pool import Database
from mtd.storage.txn import Transaction
from mtd.testing import run_async
from mtd.testing.faults.fleet import place, postgres_in, running
from mtd.testing.faults.replica import followed

pytestmark = pytest.mark.timeout(300)

ROUTERS, INTERFACES = 5, 3


def test_what_the_replica_lacks_is_projected_again() -> None:
    """Positions are in the database: they go back with the rows, and the log has what is missing."""
    with (
        place() as folder,
        postgres_in(folder / "first") as first,
        followed(first, folder / "second") as pair,
        running(ROUTERS, INTERFACES, postgres=pair, folder=folder) as fleet,
    ):
        pair.replica.cut_off()
        behind = fleet.value("SELECT max(position) FROM projection_position")
        fleet.wait_for(
            lambda: fleet.value("SELECT max(position) FROM projection_position") > behind + ROUTERS * 3,
            "the first has what the replica lacks",
        )
        pair.lose_first()
        fleet.wait_for(lambda: "database" in fleet.ready_reasons(), "it is told", 60)
        pair.replica.promote()
        assert fleet.value("SELECT max(position) FROM projection_position") < behind + ROUTERS * 3
        fleet.wait_for(lambda: fleet.is_ready() and fleet.fresh(), "it goes on with the replica", 60)
        verdict = fleet.verdict()
        assert (verdict.lost, verdict.doubled) == (0, 0), verdict.examples
        assert fleet.supervisor is not None
        assert fleet.supervisor.restarts == 0


def test_a_name_of_several_addresses_of_which_one_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that is gone doesn't refuse: the next address is tried while there is time."""

    async def both(_: str) -> list[str]:
        return ["127.0.0.2", "127.0.0.1"]

    async def ask(dsn: str) -> None:
        async def body(tx: Transaction) -> object:
            await tx.execute("SELECT host(inet_server_addr())")
            return tx.fetchone()

        database = Database(dsn)
        await database.start()
        try:
            assert await database.run("test.ask", body) == ("127.0.0.1",)
        finally:
            await database.stop()

    monkeypatch.setattr(pool, "_resolve", both)
    with place() as folder, postgres_in(folder / "server") as server, socket.socket() as silent:
        given = {**conninfo_to_dict(server.dsn), "host": "db.example", "target_session_attrs": "primary"}
        silent.bind(("127.0.0.2", int(str(given["port"]))))
        silent.listen()
        run_async(ask(make_conninfo(**given)), timeout_s=40)
