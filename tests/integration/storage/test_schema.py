from __future__ import annotations

import os
import re
import threading
import traceback
import uuid
from dataclasses import replace
from typing import Any

import psycopg2
import psycopg2.extensions
import pytest

from mtd.app.pools import Pools
from mtd.core.errors import Misconfigured
from mtd.storage import schema
from mtd.storage.config import StorageConfig
from mtd.storage.errors import SchemaTooNew, SchemaTooOld, StorageUnavailable
from mtd.storage.pool import Database
from mtd.storage.schema import Migration
from mtd.storage.txn import Transaction
from mtd.testing import run_async


def rows(dsn: str, statement: str) -> list[tuple[Any, ...]]:
    connection = psycopg2.connect(dsn)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall()) if cursor.description else []
    finally:
        connection.close()


def test_from_nothing_to_the_newest_then_nothing_to_do(empty_postgres_dsn: str) -> None:
    steps: list[tuple[int, int, str]] = []
    with pytest.raises(SchemaTooOld, match="mtd migrate"):
        schema.check_blocking(empty_postgres_dsn)
    report = schema.migrate_blocking(empty_postgres_dsn, lambda *step: steps.append(step))
    newest = len(schema.migrations())
    assert (report.before, report.after) == (0, newest)
    assert steps[0][:2] == (0, newest)
    assert steps[-1] == (newest, newest, "")
    assert schema.migrate_blocking(empty_postgres_dsn).applied == ()
    assert schema.check_blocking(empty_postgres_dsn).version == newest


def test_two_at_once_apply_it_once(empty_postgres_dsn: str) -> None:
    reports = []
    threads = [
        threading.Thread(target=lambda: reports.append(schema.migrate_blocking(empty_postgres_dsn)))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(len(report.applied) for report in reports) == [0, 0, len(schema.migrations())]


def test_all_or_nothing(empty_postgres_dsn: str) -> None:
    known = schema.migrations()
    broken = Migration(len(known) + 1, "broken", "CREATE TABLE mtd.half (x int); SELECT 1 / 0")
    with pytest.raises(Misconfigured, match=r"broken failed, nothing was changed: division by zero"):
        schema.migrate_blocking(empty_postgres_dsn, steps=[*known, broken])
    assert rows(empty_postgres_dsn, "SELECT 1 FROM pg_namespace WHERE nspname = 'mtd'") == []


def test_a_newer_schema_that_is_not_compatible_is_refused(postgres_dsn: str) -> None:
    rows(postgres_dsn, "INSERT INTO mtd.schema_version VALUES (99, 'future', 98, 'x')")
    for use in (schema.check_blocking, schema.migrate_blocking):
        with pytest.raises(SchemaTooNew, match="schema 99, which needs an mtd with schema 98 or newer"):
            use(postgres_dsn)


def test_a_newer_schema_that_is_compatible_is_fine(postgres_dsn: str) -> None:
    rows(postgres_dsn, "INSERT INTO mtd.schema_version VALUES (99, 'future', 1, 'x')")
    assert schema.check_blocking(postgres_dsn).version == 99
    assert schema.migrate_blocking(postgres_dsn).applied == ()


@pytest.mark.parametrize("seen", ["now() - interval '20 seconds'", "NULL", "now() - interval '61 seconds'"])
def test_what_older_hubs_cant_use_waits_until_they_have_ended(empty_postgres_dsn: str, seen: str) -> None:
    known = schema.migrations()
    older = known[: schema.COMPATIBLE_VERSION - 1]
    schema.migrate_blocking(empty_postgres_dsn, steps=older)
    rows(empty_postgres_dsn, f"INSERT INTO mtd.hub_log (log_id, seen_at) VALUES (gen_random_uuid(), {seen})")
    if "20" in seen:
        with pytest.raises(StorageUnavailable, match="1 hubs of an older mtd work on this database"):
            schema.migrate_blocking(empty_postgres_dsn)
        assert schema.migrate_blocking(empty_postgres_dsn, steps=older).before == len(older)
        rows(empty_postgres_dsn, "UPDATE mtd.hub_log SET seen_at = NULL")
    assert schema.migrate_blocking(empty_postgres_dsn).after == len(known)
    # From now on those don't start here.
    with pytest.raises(SchemaTooNew, match="needs an mtd with schema"):
        schema.migrate_blocking(empty_postgres_dsn, steps=older)


def test_hubs_of_this_version_go_on_while_another_one_migrates(postgres_dsn: str) -> None:
    rows(postgres_dsn, "INSERT INTO mtd.hub_log (log_id, seen_at) VALUES (gen_random_uuid(), now())")
    known = schema.migrations()
    more = Migration(len(known) + 1, "more", "ALTER TABLE mtd.device ADD more text")
    assert schema.migrate_blocking(postgres_dsn, steps=[*known, more]).applied == ("more",)


def test_an_edited_migration_is_refused(postgres_dsn: str) -> None:
    rows(postgres_dsn, "UPDATE mtd.schema_version SET sha256 = 'other' WHERE version = 1")
    with pytest.raises(Misconfigured, match="0001_initial was changed after it was applied"):
        schema.migrate_blocking(postgres_dsn)


def test_errors_of_the_connection_say_what_is_wrong(postgres_dsn: str) -> None:
    with pytest.raises(Misconfigured, match="authentication failed"):
        schema.migrate_blocking(f"{postgres_dsn} password=wrong")
    with pytest.raises(Misconfigured, match="does not exist"):
        schema.migrate_blocking(f"{postgres_dsn} dbname=nowhere")
    with pytest.raises(StorageUnavailable, match="can't connect"):
        schema.migrate_blocking("host=127.0.0.1 port=1 dbname=mtd")
    with pytest.raises(Misconfigured, match=r"database\.dsn"):
        schema.migrate_blocking("this is no dsn")


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresqlx://u:TOPSECRET@h/db",
        "postgresql://u:x@TOPSECRET@h/db",
        "postgresql://u:TOPSECRET/x@h/db",
        "host=h password='TOPSECRET",
        "TOPSECRET",
    ],
)
def test_no_error_repeats_a_connection_string(dsn: str) -> None:
    with pytest.raises(Misconfigured, match=r"database\.dsn") as blocking:
        schema.migrate_blocking(dsn)

    async def start() -> None:
        await Database(dsn).start()

    with pytest.raises(Misconfigured, match=r"database\.dsn") as pooled:
        run_async(start())
    for error in (blocking.value, pooled.value):
        assert "SECRET" not in "".join(traceback.format_exception(error, chain=True)).replace(dsn, "")
        assert "SECRET" not in str(error)


def test_the_owner_of_the_schema_needs_no_right_on_the_database(empty_postgres_dsn: str) -> None:
    role = f"owner_{os.getpid()}"
    for statement in (
        f"CREATE ROLE {role} LOGIN PASSWORD 'x'",
        f"CREATE SCHEMA mtd AUTHORIZATION {role}",
    ):
        rows(empty_postgres_dsn, statement)
    try:
        dsn = psycopg2.extensions.make_dsn(empty_postgres_dsn, user=role, password="x")
        with pytest.raises(Misconfigured) as refused:
            schema.migrate_blocking(dsn)
        # It says what is to be run, and that suffices.
        rows(empty_postgres_dsn, statement_in(refused.value))
        with pytest.raises(Misconfigured) as refused:
            schema.migrate_blocking(dsn)
        rows(empty_postgres_dsn, statement_in(refused.value))
        assert schema.migrate_blocking(dsn).applied
        assert schema.migrate_blocking(dsn).applied == ()
        assert_it_works_as_the_roles(dsn)
    finally:
        rows(empty_postgres_dsn, f"DROP OWNED BY {role} CASCADE; DROP ROLE {role}")


def statement_in(refused: Misconfigured) -> str:
    """Return what an error asks a superuser to run."""
    found = re.search(r"let a superuser run: (.*); then run `mtd migrate` again", str(refused))
    assert found is not None
    return found[1]


def assert_it_works_as_the_roles(dsn: str) -> None:
    """An owner who is no superuser lays its rights down."""

    async def body() -> None:
        pools = Pools(dsn, "", StorageConfig())
        await pools.start()
        for pool, sees in ((pools.owner, 1), (pools.writer, 1), (pools.across, 1), (pools.doors, 0)):

            async def count(tx: Transaction) -> Any:
                await tx.execute("SELECT count(*) FROM tenant")
                return tx.fetchone()

            assert await pool.run("test.count", count, tenant=str(uuid.UUID(int=7))) == (sees,), pool.role
        await pools.stop()

    run_async(body())


def test_roles_that_are_not_there_and_can_not_be_made(empty_postgres_dsn: str) -> None:
    role = f"owner_{os.getpid()}"
    names = {"mtd_door": f"walls_door_{os.getpid()}", "mtd_writer": f"walls_writer_{os.getpid()}"}
    steps = []
    for step in schema.migrations():
        sql = step.sql
        for name, other in names.items():
            sql = sql.replace(name, other)
        steps.append(replace(step, sql=sql))
    rows(empty_postgres_dsn, f"CREATE ROLE {role} LOGIN PASSWORD 'x'; CREATE SCHEMA mtd AUTHORIZATION {role}")
    try:
        dsn = psycopg2.extensions.make_dsn(empty_postgres_dsn, user=role, password="x")
        for name in names.values():
            with pytest.raises(Misconfigured, match=f"may not make the role {name}") as refused:
                schema.migrate_blocking(dsn, steps=steps)
            rows(empty_postgres_dsn, statement_in(refused.value))
        assert schema.migrate_blocking(dsn, steps=steps).applied
    finally:
        rows(empty_postgres_dsn, f"DROP OWNED BY {role} CASCADE")
        for name in (*names.values(), role):
            rows(empty_postgres_dsn, f"DROP ROLE {name}")


@pytest.mark.parametrize(
    "fault", ["ALTER ROLE {door} BYPASSRLS", "ALTER ROLE {door} SUPERUSER", "GRANT mtd TO {door}"]
)
def test_a_role_that_passes_the_walls_is_refused(empty_postgres_dsn: str, fault: str) -> None:
    door = f"walls_door_{os.getpid()}"
    steps = [replace(step, sql=step.sql.replace("mtd_door", door)) for step in schema.migrations()]
    rows(empty_postgres_dsn, f"CREATE ROLE {door}; {fault.format(door=door)}")
    try:
        with pytest.raises(Misconfigured, match="passes row-level security") as refused:
            schema.migrate_blocking(empty_postgres_dsn, steps=steps)
        rows(empty_postgres_dsn, statement_in(refused.value))
        assert schema.migrate_blocking(empty_postgres_dsn, steps=steps).applied
    finally:
        rows(empty_postgres_dsn, f"DROP OWNED BY {door} CASCADE; DROP ROLE {door}")


def test_what_postgresql_refuses_is_told_in_our_words(empty_postgres_dsn: str) -> None:
    role = f"nobody_{os.getpid()}"
    rows(empty_postgres_dsn, f"CREATE ROLE {role} LOGIN PASSWORD 'x'")
    try:
        dsn = psycopg2.extensions.make_dsn(empty_postgres_dsn, user=role, password="x")
        with pytest.raises(Misconfigured, match="permission denied for database"):
            schema.migrate_blocking(dsn)
    finally:
        rows(empty_postgres_dsn, f"DROP ROLE {role}")


def test_a_table_in_use_is_not_waited_for_without_end(
    postgres_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "_LOCK_TIMEOUT", "50ms")
    known = schema.migrations()
    step = Migration(len(known) + 1, "more", "ALTER TABLE mtd.device ADD more text")
    reader = psycopg2.connect(postgres_dsn)
    try:
        with reader.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM mtd.device")
        with pytest.raises(StorageUnavailable, match="lock timeout"):
            schema.migrate_blocking(postgres_dsn, steps=[*known, step])
    finally:
        reader.close()
    assert schema.migrate_blocking(postgres_dsn, steps=[*known, step]).applied == ("more",)


def test_an_old_server_is_refused(empty_postgres_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "_OLDEST_SERVER", 990_000)
    with pytest.raises(Misconfigured, match="mtd needs 99 or newer"):
        schema.migrate_blocking(empty_postgres_dsn)


def test_every_table_has_its_tenant(postgres_dsn: str) -> None:
    without = rows(
        postgres_dsn,
        "SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'mtd'::regnamespace AND c.relkind IN ('r', 'p')"
        " AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id'"
        " AND a.attnotnull AND a.atttypid = 'uuid'::regtype)",
    )
    assert without == []


def test_every_view_asks_with_the_rights_of_who_asks(postgres_dsn: str) -> None:
    options = rows(
        postgres_dsn,
        "SELECT relname, reloptions FROM pg_class WHERE relnamespace = 'mtd'::regnamespace AND relkind = 'v'",
    )
    assert {name for name, _ in options} == {
        "interface", "instance_label", "telemetry", "metric_latest", "interface_mac", "neighbor", "device_address",
        "device_unobserved",
    }  # fmt: skip
    assert all("security_invoker=true" in (found or []) for _, found in options)


def test_days_of_frames_that_are_empty_make_room_for_hours(empty_postgres_dsn: str) -> None:
    schema.migrate_blocking(empty_postgres_dsn, steps=schema.migrations()[:1])
    for days in (-3, 0, 1, 2):
        day = f"(date_trunc('day', now() AT TIME ZONE 'UTC') + interval '{days} day') AT TIME ZONE 'UTC'"
        rows(
            empty_postgres_dsn,
            f"DO $$ DECLARE d timestamptz := {day}; BEGIN EXECUTE format('CREATE TABLE mtd.telemetry_frame_%s"
            " PARTITION OF mtd.telemetry_frame FOR VALUES FROM (%L) TO (%L)',"
            " to_char(d AT TIME ZONE 'UTC', 'YYYYMMDD'), d, d + interval '24 hours'); END $$",
        )
    # A collector whose clock is ahead: frames of tomorrow.
    rows(
        empty_postgres_dsn,
        "INSERT INTO mtd.telemetry_frame SELECT gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 1, 1,"
        " (date_trunc('day', now() AT TIME ZONE 'UTC') + interval '25 hours') AT TIME ZONE 'UTC', now(), 0, '{}', '{}', '{}'",
    )
    assert schema.migrate_blocking(empty_postgres_dsn).before == 1
    left = rows(
        empty_postgres_dsn,
        "SELECT to_date(right(relname, 8), 'YYYYMMDD') - (now() AT TIME ZONE 'UTC')::date FROM pg_class"
        " WHERE relnamespace = 'mtd'::regnamespace AND relname ~ '^telemetry_frame_\\d+$' ORDER BY 1",
    )
    assert left == [(-3,), (0,), (1,)]
    assert rows(empty_postgres_dsn, "SELECT count(*) FROM mtd.telemetry_frame") == [(1,)]


def test_what_named_interfaces_before_still_does(empty_postgres_dsn: str) -> None:
    schema.migrate_blocking(empty_postgres_dsn, steps=schema.migrations()[:5])
    rows(
        empty_postgres_dsn,
        "INSERT INTO mtd.metric (tenant_id, key, unit, kind, tier, scope, label_table, description, since)"
        " SELECT tenant_id, key, 'bytes', 'counter', 't0', scope, label_table, '', '1' FROM mtd.tenant,"
        " (VALUES ('iface.a', 'iface', 'interface'), ('iface.b', 'iface', 'interface'), ('x.c', '', ''))"
        " AS m (key, scope, label_table)",
    )
    schema.migrate_blocking(empty_postgres_dsn)
    assert rows(
        empty_postgres_dsn,
        "SELECT table_name, scope, name_field, comment_field, place FROM mtd.label_source",
    ) == [("interface", "iface", "name", "comment", 0)]
    assert rows(empty_postgres_dsn, "SELECT key, label_tables FROM mtd.metric ORDER BY 1") == [
        ("iface.a", ["interface"]),
        ("iface.b", ["interface"]),
        ("x.c", []),
    ]
