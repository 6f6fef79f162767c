"""The pools of the daemon: what each works as, and what comes of SQL in names."""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import psycopg2.errors
import psycopg2.extensions
import pytest

from mtd.app.pools import Pools
from mtd.core.errors import Bug, Misconfigured, NotFound
from mtd.model.device import DEFAULT_TENANT_ID
from mtd.queries.devices import DeviceQueries
from mtd.queries.ranges import RangeQueries
from mtd.security.keyfile import MasterKey
from mtd.security.vault import Vault
from mtd.storage.cold.connection import ColdConnection
from mtd.storage.cold.partitions import ColdPartitions
from mtd.storage.config import PartitionsConfig, StorageConfig
from mtd.storage.embedded import EmbeddedPostgres
from mtd.storage.errors import StatementRejected
from mtd.storage.partitioned import EVENT, TELEMETRY_BLOCK, TELEMETRY_FRAME
from mtd.storage.partitions import Partitions
from mtd.storage.pool import Database
from mtd.storage.roles import DatabaseRole, refuse_open_login
from mtd.storage.schema import migrate_blocking, migrations
from mtd.storage.stores.device_settings import DeviceSettings
from mtd.storage.stores.devices import DeviceStore
from mtd.storage.stores.proposals import DecisionStore
from mtd.storage.txn import Row, Transaction
from mtd.testing import run_async
from mtd.testing.postgres import quick_config, server_folder
from tests.integration.storage.two_tenants import A, B, ask, leaves, session

CONFIG = StorageConfig(pool_size=2, query_pool_size=2)
TRICKS = (
    "x'; DELETE FROM mtd.device; --",
    'x"; DROP TABLE mtd.device CASCADE; --',
    f"x'; SELECT set_config('app.tenant_id', '{B}', false); --",
    f"x' OR tenant_id = '{B}' --",
    "x\\'; SET ROLE mtd_writer; --",
    "$$; RESET ROLE; $$",
    "%s %(tenant)s {}",
    f"x')) UNION ALL SELECT * FROM mtd.device WHERE tenant_id = '{B}' --",
)


def with_pools(dsn: str, body: Callable[[Pools], Awaitable[None]], door_dsn: str = "") -> None:
    """Run a test with the pools of a daemon and two tenants."""
    ask(dsn, f"INSERT INTO mtd.tenant (tenant_id, name) VALUES ('{A}', 'a'), ('{B}', 'b')")

    async def main() -> None:
        pools = Pools(dsn, door_dsn, CONFIG)
        try:
            await pools.start()
            await body(pools)
        finally:
            await pools.stop()

    run_async(main(), timeout_s=60)


async def rows(pool: Database, sql: str, *params: Any, tenant: str | None = None) -> list[Row]:
    async def read(tx: Transaction) -> list[Row]:
        await tx.execute(sql, params or None)
        return tx.fetchall()

    return await pool.run("test.rows", read, tenant=tenant)


def test_what_each_pool_works_as(postgres_dsn: str) -> None:
    async def body(pools: Pools) -> None:
        who = (
            "SELECT current_user::text, session_user::text, current_setting('default_transaction_read_only')"
        )
        assert await rows(pools.owner, who) == [("mtd", "mtd", "off")]
        assert await rows(pools.writer, who) == [("mtd_writer", "mtd", "off")]
        assert await rows(pools.across, who) == [("mtd_writer", "mtd", "on")]
        assert await rows(pools.doors, who, tenant=A) == [("mtd_door", "mtd", "off")]
        in_thread = await pools.arrays.run("test.who", lambda conn: conn.fetch(who), tenant=A)
        assert in_thread == [("mtd_door", "mtd", "off")]

    with_pools(postgres_dsn, body)


def test_doors_with_a_login_of_their_own(postgres_dsn: str, postgres_server: EmbeddedPostgres) -> None:
    async def body(pools: Pools) -> None:
        who = "SELECT current_user::text, session_user::text"
        assert await rows(pools.doors, who, tenant=A) == [("mtd_door", "mtd_door_login")]
        in_thread = await pools.arrays.run("test.who", lambda conn: conn.fetch(who), tenant=A)
        assert in_thread == [("mtd_door", "mtd_door_login")]
        for statement in ("SET ROLE mtd", "SET LOCAL ROLE mtd_writer", "SET SESSION AUTHORIZATION mtd"):
            with pytest.raises(StatementRejected, match="permission denied"):
                await rows(pools.doors, statement, tenant=A)

    login = postgres_server.door_dsn_of(psycopg2.extensions.parse_dsn(postgres_dsn)["dbname"])
    with_pools(postgres_dsn, body, login)


def test_a_door_names_its_tenant(postgres_dsn: str) -> None:
    async def body(pools: Pools) -> None:
        for tenant in (None, ""):
            with pytest.raises(Bug, match=r"test\.rows: a door asks for no tenant"):
                await rows(pools.doors, "SELECT 1", tenant=tenant)

    with_pools(postgres_dsn, body)


def test_a_tenant_that_asks_for_much_leaves_a_door_to_the_others(postgres_dsn: str) -> None:
    async def body(pools: Pools) -> None:
        released = asyncio.Event()

        async def slow(tx: Transaction) -> None:
            await tx.execute("SELECT 1")
            await released.wait()

        asked = [asyncio.ensure_future(pools.doors.run("test.slow", slow, tenant=A)) for _ in range(5)]
        async with asyncio.timeout(20):
            assert await rows(pools.doors, "SELECT 1", tenant=B) == [(1,)]
        assert not any(one.done() for one in asked)
        released.set()
        await asyncio.gather(*asked)
        assert pools.doors._shares is not None
        assert not pools.doors._shares._turns

    with_pools(postgres_dsn, body)


def test_what_reads_across_changes_nothing(postgres_dsn: str) -> None:
    async def body(pools: Pools) -> None:
        assert len(await rows(pools.across, "SELECT FROM tenant")) == 3
        with pytest.raises(StatementRejected, match="read-only"):
            await rows(pools.across, "UPDATE tenant SET name = name RETURNING 1")

    with_pools(postgres_dsn, body)


def test_a_tenant_that_is_forgotten_in_a_question_is_kept_to_all_the_same(postgres_dsn: str) -> None:
    async def body(pools: Pools) -> None:
        for tenant, name in ((A, "a1"), (B, "b1"), (B, "b2")):
            await store(pools).create(DeviceSettings(name=name, host="h", username="u"), "p", tenant)
        assert await rows(pools.doors, "SELECT name FROM device", tenant=A) == [("a1",)]
        assert await rows(pools.doors, "SELECT name FROM device WHERE tenant_id = %s", B, tenant=A) == []
        changed = "UPDATE device SET host = 'mine' RETURNING name"
        assert await rows(pools.doors, changed, tenant=A) == [("a1",)]
        assert await rows(pools.doors, "DELETE FROM device RETURNING name", tenant=B) == [("b1",), ("b2",)]
        assert await rows(pools.across, "SELECT name, host FROM device") == [("a1", "mine")]

    with_pools(postgres_dsn, body)


def store(pools: Pools) -> DeviceStore:
    return DeviceStore(pools.doors, Vault([MasterKey.of(bytes(32))]).sealer)


@pytest.mark.parametrize("trick", TRICKS)
def test_sql_in_names_is_a_name(postgres_dsn: str, trick: str) -> None:
    async def body(pools: Pools) -> None:
        devices, queries = store(pools), DeviceQueries(pools.doors)
        others = await devices.create(DeviceSettings(name="core", host="h", username="u"), "p", B)
        settings = DeviceSettings(name=trick, host="h", username=trick, notes=trick, labels={trick: trick})
        made = await devices.create(settings, trick, A)
        assert (await devices.get(trick, A)).settings.notes == trick
        assert (await queries.get(trick, A)).settings.labels == {trick: trick}
        assert [view.settings.name for view in await queries.list(A)] == [trick]
        assert await queries.list(A, after_name=trick) == []
        for device in (f"{others.device_id}' OR '1'='1", others.device_id, "core", trick + "'"):
            with pytest.raises(NotFound):
                await devices.get(device, A)
            with pytest.raises(NotFound):
                await queries.get(device, A)
            with pytest.raises(NotFound):
                await devices.delete(device, A)
            with pytest.raises(NotFound):
                await RangeQueries(pools.arrays).query_range(device, [trick], 0, 1_000_000, tenant_id=A)
        await devices.update(trick, settings, ["username", "notes"], tenant_id=A)
        decisions = DecisionStore(pools.doors)
        await decisions.adopt(A, str(uuid.uuid4()), made.device_id)
        with pytest.raises(StatementRejected):
            await decisions.adopt(A, str(uuid.uuid4()), others.device_id)  # not one of its own
        await devices.delete(trick, A)
        assert await rows(pools.across, "SELECT name, host FROM device") == [("core", "h")]
        assert await rows(pools.doors, "SELECT current_user::text", tenant=A) == [("mtd_door",)]

    with_pools(postgres_dsn, body)


@pytest.mark.parametrize("trick", TRICKS)
def test_sql_in_the_tenant_is_no_tenant(postgres_dsn: str, trick: str) -> None:
    async def body(pools: Pools) -> None:
        await store(pools).create(DeviceSettings(name="core", host="h", username="u"), "p", B)
        for ask_it in (store(pools).list, DeviceQueries(pools.doors).list):
            with pytest.raises(StatementRejected, match="invalid input syntax for type uuid"):
                await ask_it(trick)
        with pytest.raises(StatementRejected, match="invalid input syntax for type uuid"):
            await pools.arrays.run("test", lambda conn: conn.fetch("SELECT name FROM device"), tenant=trick)
        assert await rows(pools.doors, "SELECT name FROM device", tenant=A) == []

    with_pools(postgres_dsn, body)


def test_partitions_that_are_made_later_are_shut(postgres_dsn: str) -> None:
    """Also where somebody gave rights on all tables to come."""
    ask(postgres_dsn, "ALTER DEFAULT PRIVILEGES IN SCHEMA mtd GRANT SELECT ON TABLES TO mtd_door, mtd_writer")

    async def body(pools: Pools) -> None:
        await Partitions(pools.owner, PartitionsConfig(ahead_hours=1, ahead_days=1)).maintain()

    with_pools(postgres_dsn, body)
    made = set(leaves(postgres_dsn))
    with ColdConnection(postgres_dsn) as connection:
        partitions = ColdPartitions(connection)
        for table, retention in (
            (TELEMETRY_FRAME, "standard"),
            (TELEMETRY_BLOCK, "other"),
            (EVENT, "standard"),
        ):
            partitions.ensure(table, [0], retention)
    made_cold = set(leaves(postgres_dsn)) - made
    assert {"mtd.telemetry_block_other", "mtd.telemetry_block_other_19700101", "mtd.event_197001"} < made_cold
    ask(
        postgres_dsn,
        "INSERT INTO mtd.event (tenant_id, log_id, seq, ts_collected, ts_received, event_type, severity, entity_type,"
        " entity_id, entity_label, field, old_value, new_value, message)"
        f" VALUES ('{A}', '{A}', 1, 'epoch', 'epoch', '', 1, '', '', '', '', '', '', '')",
    )
    granted = {
        leaf
        for leaf in made | made_cold
        if ask(postgres_dsn, "SELECT has_table_privilege('mtd_door', %s, 'SELECT')", leaf) == [(True,)]
    }
    assert made_cold < granted
    for role in ("mtd_door", "mtd_writer"):
        for leaf in granted:
            with session(postgres_dsn, role, A) as cursor:
                cursor.execute(f"SELECT count(*) FROM {leaf}")
                assert cursor.fetchone() == (0,), leaf
    with session(postgres_dsn, "mtd_door", A) as cursor:
        cursor.execute("SELECT count(*) FROM mtd.event")
        assert cursor.fetchone() == (1,)


def test_a_login_of_doors_that_could_pass_is_refused(postgres_dsn: str) -> None:
    login = f"doors_{os.getpid()}"
    dsn = psycopg2.extensions.make_dsn(postgres_dsn, user=login, password="x")
    ask(postgres_dsn, f"CREATE ROLE {login} LOGIN NOINHERIT PASSWORD 'x'; GRANT mtd_door TO {login}")
    try:
        check(dsn)
        for make, mend, words in (
            ("ALTER ROLE {} BYPASSRLS", "ALTER ROLE {} NOBYPASSRLS", "has BYPASSRLS"),
            ("ALTER ROLE {} SUPERUSER", "ALTER ROLE {} NOSUPERUSER", "is a superuser"),
            ("GRANT mtd TO {}", "REVOKE mtd FROM {}", "can become the owner of mtd's tables"),
            ("GRANT mtd_writer TO {}", "REVOKE mtd_writer FROM {}", "can become mtd_writer"),
        ):
            ask(postgres_dsn, make.format(login))
            with pytest.raises(Misconfigured, match=words):
                check(dsn)
            ask(postgres_dsn, mend.format(login))
        check(dsn)
        ask(postgres_dsn, f"REVOKE mtd_door FROM {login}")
        with pytest.raises(Misconfigured, match='permission denied to set role "mtd_door": let a superuser'):
            check(dsn)
        with pytest.raises(Misconfigured, match='permission denied to set role "mtd_door"'):
            ColdConnection(dsn, role=DatabaseRole.DOOR)
    finally:
        ask(postgres_dsn, f"DROP OWNED BY {login} CASCADE; DROP ROLE {login}")


@pytest.mark.parametrize("part", ["password=wrong", "user=nobody_at_all"])
def test_a_login_of_doors_that_is_wrong_is_named(
    postgres_dsn: str, postgres_server: EmbeddedPostgres, part: str
) -> None:
    async def body(pools: Pools) -> None:
        raise AssertionError("it started")

    login = postgres_server.door_dsn_of(psycopg2.extensions.parse_dsn(postgres_dsn)["dbname"])
    with pytest.raises(Misconfigured, match=r"^database\.door_dsn: "):
        with_pools(postgres_dsn, body, f"{login} {part}")


def check(dsn: str) -> None:
    async def main() -> None:
        doors = Database.for_queries(dsn, CONFIG)
        try:
            await doors.start()
            await doors.check(refuse_open_login)
        finally:
            await doors.stop()

    run_async(main())


@pytest.mark.parametrize(
    "fault",
    [
        "ALTER TABLE mtd.event DISABLE ROW LEVEL SECURITY",
        "DROP POLICY writer ON mtd.event",
        "ALTER POLICY writer ON mtd.event TO PUBLIC",
    ],
)
def test_no_door_opens_where_a_wall_is_missing(postgres_dsn: str, fault: str) -> None:
    ask(postgres_dsn, fault)

    async def body(pools: Pools) -> None:
        raise AssertionError("it started")

    with pytest.raises(Misconfigured, match=r"not behind the walls between tenants: mtd\.event\."):
        with_pools(postgres_dsn, body)


def test_a_database_that_comes_from_before_the_walls(empty_postgres_dsn: str) -> None:
    dsn, reader = empty_postgres_dsn, f"grafana_{os.getpid()}"
    migrate_blocking(dsn, steps=migrations()[:6])
    day = "FOR VALUES FROM ('2026-01-01+00') TO ('2026-02-01+00')"
    ask(dsn, f"CREATE TABLE mtd.event_202601 PARTITION OF mtd.event {day}")
    ask(dsn, "CREATE TABLE mtd.telemetry_frame_2026010100_gone (LIKE mtd.telemetry_frame)")
    ask(dsn, f"INSERT INTO mtd.tenant (tenant_id, name) VALUES ('{B}', 'b')")
    for tenant in (DEFAULT_TENANT_ID, B):
        ask(
            dsn,
            "INSERT INTO mtd.event (tenant_id, log_id, seq, ts_collected, ts_received, event_type, severity, entity_type,"
            " entity_id, entity_label, field, old_value, new_value, message) VALUES"
            f" ('{tenant}', '{tenant}', 1, '2026-01-02+00', '2026-01-02+00', '', 1, '', '', '', '', '', '', '')",
        )
        ask(
            dsn,
            "INSERT INTO mtd.device (tenant_id, name, host, port, username, tls_mode)"
            f" VALUES ('{tenant}', 'r', 'h', 1, 'u', 'off')",
        )
    ask(dsn, f"CREATE ROLE {reader}; GRANT USAGE ON SCHEMA mtd TO {reader}")
    ask(dsn, f"GRANT SELECT ON mtd.event, mtd.event_202601 TO {reader}; GRANT SELECT ON mtd.device TO PUBLIC")
    try:
        assert migrate_blocking(dsn).before == 6
        seen = {}
        for role in (reader, "mtd_door", "mtd_writer"):
            for table in ("mtd.event", "mtd.device"):
                with session(dsn, role, B) as cursor:
                    cursor.execute(f"SELECT count(*) FROM {table}")
                    seen[role, table] = cursor.fetchone()[0]
        # Who was granted a table reads it as before; what everybody was granted is nobody's any more.
        assert seen == {
            **{(reader, "mtd.event"): 2, (reader, "mtd.device"): 0},
            **{("mtd_door", "mtd.event"): 1, ("mtd_door", "mtd.device"): 1},
            **{("mtd_writer", "mtd.event"): 2, ("mtd_writer", "mtd.device"): 2},
        }
        with session(dsn, reader) as cursor:
            cursor.execute("SELECT count(*) FROM mtd.event_202601")
            assert cursor.fetchone() == (0,)
        shut = "SELECT relrowsecurity FROM pg_class WHERE relname IN ('event_202601', 'telemetry_frame_2026010100_gone')"
        assert ask(dsn, shut) == [(True,), (True,)]
    finally:
        ask(dsn, f"DROP OWNED BY {reader} CASCADE; DROP ROLE {reader}")


def test_a_reader_by_sql_sees_one_tenant_whatever_it_sets(postgres_dsn: str) -> None:
    dsn, reader = postgres_dsn, f"grafana_{os.getpid()}"
    with_pools(dsn, some_devices)
    ask(dsn, f"CREATE ROLE {reader}")
    try:
        with pytest.raises(psycopg2.errors.RaiseException, match="there is no tenant"):
            ask(dsn, f"SELECT mtd.let_read('{reader}', '{uuid.uuid4()}')")
        ask(dsn, f"SELECT mtd.let_read('{reader}', '{A}')")
        for tenant in (None, "", A, B):
            with session(dsn, reader, tenant) as cursor:
                cursor.execute("SELECT name FROM mtd.device")
                assert cursor.fetchall() == [("a1",)]
                cursor.execute("SELECT count(*) FROM mtd.telemetry")
        for statement in (
            "UPDATE mtd.device SET host = 'x'",
            "SELECT FROM mtd.device_credential",
            "SELECT FROM mtd.api_token",
            "SET ROLE mtd_door; SELECT FROM mtd.device",
        ):
            with pytest.raises(psycopg2.errors.InsufficientPrivilege), session(dsn, reader, A) as cursor:
                # In a session that began as another, SET ROLE asks what the login may.
                cursor.execute(f"SET SESSION AUTHORIZATION {reader}; {statement}")
        ask(dsn, f"SELECT mtd.let_read('{reader}', NULL)")
        with session(dsn, reader) as cursor:
            cursor.execute("SELECT name FROM mtd.device ORDER BY 1")
            assert cursor.fetchall() == [("a1",), ("b1",)]
        ask(dsn, f"DROP OWNED BY {reader}; GRANT mtd_door TO {reader}")
        with pytest.raises(psycopg2.errors.RaiseException, match="give this reader a login of its own"):
            ask(dsn, f"SELECT mtd.let_read('{reader}', '{A}')")
    finally:
        ask(dsn, f"DROP OWNED BY {reader} CASCADE; DROP ROLE {reader}")


async def some_devices(pools: Pools) -> None:
    for tenant, name in ((A, "a1"), (B, "b1")):
        await store(pools).create(DeviceSettings(name=name, host="h", username="u"), "p", tenant)


def test_the_login_of_doors_gets_what_is_in_its_file() -> None:
    with server_folder() as folder:
        server = EmbeddedPostgres(folder, quick_config())
        file = folder / "door.password"
        try:
            for _ in range(2):
                server.start_blocking()
                assert file.stat().st_mode & 0o077 == 0
                with session(server.door_dsn) as cursor:
                    cursor.execute("SET ROLE mtd_door; SELECT session_user::text")
                    assert cursor.fetchone() == ("mtd_door_login",)
                assert file.read_text().strip() not in (folder / "postgres.log").read_text()
                server.stop_blocking()
                file.unlink()  # as after a restore without it: another is made
        finally:
            server.stop_blocking()
