"""Two tenants in every table: what doors see and change, and what they can't become."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import psycopg2
import psycopg2.errors
import psycopg2.extensions
import pytest

from mtd.storage.embedded import EmbeddedPostgres
from mtd.storage.embedded.databases import create_database, drop_database
from mtd.testing.postgres import _TEMPLATE
from tests.integration.storage.two_tenants import (
    NIL,
    OWNERS,
    A,
    B,
    Doors,
    ask,
    door_may,
    fill,
    leaves,
    readable,
    row_of,
    session,
    tables,
    views,
)

WALL = "(tenant_id = mtd.current_tenant())"
DOOR = ("door", "PERMISSIVE", "{mtd_door}", "ALL", WALL, WALL)
WRITER = ("writer", "PERMISSIVE", "{mtd_writer}", "ALL", "true", "true")
NOT_A_TENANT = (
    None,
    "",
    NIL,
    "{00000000-0000-0000-0000-000000000000}",
    "cccccccc-0000-4000-8000-00000000000c",
)
NOT_EVEN_AN_ID = ("x", "' OR true --", "aaaaaaaa-0000-4000-8000-00000000000", f"{A},{B}", "%")


@pytest.fixture(scope="module")
def filled(postgres_server: EmbeddedPostgres) -> Iterator[str]:
    """Connection string of a database with rows of two tenants, and of nobody, in every table."""
    name, admin = f"test_{os.getpid()}_isolation", postgres_server.dsn_of("postgres")
    create_database(admin, name, _TEMPLATE)
    try:
        dsn = postgres_server.dsn_of(name)
        fill(dsn)
        yield dsn
    finally:
        drop_database(admin, name)


@pytest.fixture(scope="module")
def door(filled: str) -> Iterator[Doors]:
    """Opens doors of a tenant."""
    doors = Doors(filled)
    yield doors
    doors.close()


@pytest.fixture(scope="module")
def relations(filled: str) -> list[str]:
    """All that doors read: tables and views."""
    found = [table for table in tables(filled) if is_open(filled, table)] + views(filled)
    assert len(found) > 30
    return found


def counts(cursor: Any, relation: str, column: str = "tenant_id") -> dict[str, int]:
    cursor.execute(f"SELECT {column}::text, count(*) FROM {relation} GROUP BY 1")
    return dict(cursor.fetchall())


def is_open(dsn: str, table: str) -> bool:
    """Whether doors read a table."""
    return bool(readable(dsn, table))


# ------------------------------------------------------------------ the catalogue


def test_every_table_has_its_policies_and_no_more(filled: str) -> None:
    found: dict[str, list[tuple[Any, ...]]] = {name: [] for name in tables(filled)}
    for table, *policy in ask(
        filled,
        "SELECT 'mtd.' || tablename, policyname, permissive, roles::text, cmd, qual, with_check FROM pg_policies"
        " WHERE schemaname = 'mtd' ORDER BY 1, 2",
    ):
        found[table].append(tuple(policy))
    assert found.pop("mtd.schema_version") == []
    for table, policies in found.items():
        assert policies == ([DOOR, WRITER] if is_open(filled, table) else [WRITER]), table
    without = ask(
        filled,
        "SELECT relname FROM pg_class WHERE relnamespace = 'mtd'::regnamespace AND relkind IN ('r', 'p')"
        " AND (NOT relrowsecurity OR relforcerowsecurity)",
    )
    assert without == []


def test_doors_have_no_right_on_a_table_that_is_closed_to_them(filled: str) -> None:
    closed = [table for table in tables(filled) if not is_open(filled, table)]
    assert {"mtd.schema_version", "mtd.projection_position", "mtd.dead_letter"} <= set(closed)
    for table in closed:
        for change in ("INSERT", "UPDATE", "DELETE"):
            assert not door_may(filled, table, change), (table, change)


def test_nobody_but_the_owner_truncates_refers_or_makes_triggers(filled: str) -> None:
    found = ask(
        filled,
        "SELECT c.relname, a.grantee::regrole::text, a.privilege_type FROM pg_class c, aclexplode(c.relacl) a"
        " WHERE c.relnamespace = 'mtd'::regnamespace AND a.grantee <> c.relowner AND (a.is_grantable"
        " OR c.relkind <> 'S' AND a.privilege_type NOT IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE')"
        " OR a.grantee NOT IN ('mtd_door'::regrole, 'mtd_writer'::regrole))",
    )
    assert found == []


def test_every_view_asks_with_the_rights_of_who_asks_and_is_open(filled: str) -> None:
    rows = ask(
        filled,
        "SELECT relname, relkind, coalesce('security_invoker=true' = ANY (reloptions), false),"
        " has_table_privilege('mtd_door', oid, 'SELECT'), has_table_privilege('mtd_writer', oid, 'SELECT'),"
        " has_table_privilege('mtd_door', oid, 'INSERT, UPDATE, DELETE')"
        " FROM pg_class WHERE relnamespace = 'mtd'::regnamespace AND relkind IN ('v', 'm')",
    )
    assert rows
    for name, *found in rows:
        assert found == ["v", True, True, True, False], name


def test_partitions_are_shut_and_granted_to_nobody(filled: str) -> None:
    rows = ask(
        filled,
        "SELECT c.relname, c.relrowsecurity, c.relacl IS NULL, (SELECT count(*) FROM pg_policy p WHERE p.polrelid = c.oid)"
        " FROM pg_class c WHERE c.relnamespace = 'mtd'::regnamespace AND c.relispartition AND c.relkind IN ('r', 'p')",
    )
    assert len(rows) == len(leaves(filled)) >= 12
    for name, *found in rows:
        assert found == [True, True, 0], name


def test_doors_draw_no_positions_and_run_nothing_as_the_owner(filled: str) -> None:
    sequences = ask(
        filled,
        "SELECT relname FROM pg_class WHERE relnamespace = 'mtd'::regnamespace"
        " AND CASE relkind WHEN 'S' THEN has_sequence_privilege('mtd_door', oid, 'USAGE, SELECT, UPDATE') END",
    )
    assert sequences == []
    as_owner = ask(
        filled,
        "SELECT proname FROM pg_proc WHERE pronamespace = 'mtd'::regnamespace AND prosecdef"
        " AND prorettype <> 'trigger'::regtype AND has_function_privilege('mtd_door', oid, 'EXECUTE')",
    )
    # What it tells a door is in test_absent_collectors.
    assert as_owner == [("absent_collector",)]


def test_the_roles_pass_nothing_and_become_nothing(filled: str) -> None:
    assert ask(
        filled,
        "SELECT rolname, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication, rolcanlogin, rolinherit"
        " FROM pg_roles WHERE rolname LIKE 'mtd\\_%%' ORDER BY 1",
    ) == [
        ("mtd_door", False, False, False, False, False, False, True),
        ("mtd_door_login", False, False, False, False, False, True, False),
        ("mtd_writer", False, False, False, False, False, False, True),
    ]
    assert ask(
        filled,
        "SELECT member::regrole::text, roleid::regrole::text, admin_option FROM pg_auth_members"
        " WHERE member::regrole::text LIKE 'mtd\\_%%'",
    ) == [("mtd_door_login", "mtd_door", False)]


# ------------------------------------------------------------------------ reading


def test_a_door_reads_its_own_rows_of_every_table_and_view(door: Doors, relations: list[str]) -> None:
    for relation in relations:
        for tenant in (A, B):
            with door(tenant) as cursor:
                assert set(counts(cursor, relation)) == {tenant}, relation
        with door(None, "mtd_writer") as cursor:
            assert {A, B} <= set(counts(cursor, relation)), relation


def test_every_table_has_rows_of_both_to_be_seen(filled: str) -> None:
    with session(filled) as cursor:
        for table in tables(filled):
            assert set(OWNERS) <= set(counts(cursor, table)), table


@pytest.mark.parametrize("tenant", NOT_A_TENANT)
def test_without_a_tenant_nothing_is_there(tenant: str | None, door: Doors, relations: list[str]) -> None:
    for relation in relations:
        with door(tenant) as cursor:
            assert counts(cursor, relation) == {}, relation


@pytest.mark.parametrize("tenant", NOT_EVEN_AN_ID)
def test_a_forged_tenant_is_refused(tenant: str, door: Doors, relations: list[str]) -> None:
    for relation in relations:
        with pytest.raises(psycopg2.errors.InvalidTextRepresentation), door(tenant) as cursor:
            counts(cursor, relation)


def test_who_asks_by_name_of_another_tenant_gets_nothing(door: Doors, relations: list[str]) -> None:
    for relation in relations:
        with door(A) as cursor:
            cursor.execute(
                f"SELECT count(*) FROM {relation} WHERE tenant_id = %s OR tenant_id::text = %s", (B, B)
            )
            assert cursor.fetchone() == (0,), relation


def test_a_condition_that_tells_what_it_sees_sees_nothing(filled: str, door: Doors) -> None:
    # A cast that fails is how one would learn of rows that a view hides: the wall is asked first.
    for relation in [table for table in tables(filled) if is_open(filled, table)]:
        with door(A) as cursor:
            cursor.execute(
                f"SELECT count(*) FROM {relation} WHERE CASE WHEN tenant_id::text LIKE 'b%%' THEN 1 / (tenant_id::text = '')::int"
                " ELSE 1 END = 1"
            )
            assert cursor.fetchone() is not None, relation


def test_partitions_are_refused_to_doors_and_to_the_writer(filled: str, door: Doors) -> None:
    for role in ("mtd_door", "mtd_writer"):
        for leaf in leaves(filled):
            for statement in (f"SELECT FROM {leaf}", f"DELETE FROM {leaf}", f"COPY {leaf} TO STDOUT"):
                with (
                    pytest.raises(psycopg2.errors.InsufficientPrivilege),
                    door(A, role) as cursor,
                ):
                    cursor.execute(statement)


def test_a_partition_that_somebody_granted_shows_nothing(filled: str, door: Doors) -> None:
    for leaf in leaves(filled):
        with door(A, "mtd") as cursor:
            cursor.execute(f"GRANT SELECT ON {leaf} TO mtd_door; SET LOCAL ROLE mtd_door")
            assert counts(cursor, leaf) == {}, leaf


def test_secrets_of_devices_never_come_out_not_even_of_ones_own(door: Doors) -> None:
    for table in ("mtd.device_credential", "mtd.device_secret"):
        for statement in (
            f"SELECT secret FROM {table}",
            f"SELECT * FROM {table}",
            f"SELECT t FROM {table} t",
        ):
            with pytest.raises(psycopg2.errors.InsufficientPrivilege), door(A) as cursor:
                cursor.execute(statement)
        for statement in (
            f"UPDATE {table} SET secret = secret || '' RETURNING tenant_id",
            f"DELETE FROM {table} RETURNING secret",
            f"DELETE FROM {table} WHERE length(secret) > 0",
        ):
            with pytest.raises(psycopg2.errors.InsufficientPrivilege), door(A) as cursor:
                cursor.execute(statement)


# ----------------------------------------------------------------------- changing


def test_no_row_of_another_is_changed_or_removed(filled: str, door: Doors) -> None:
    refused, passed = 0, 0
    for table in tables(filled):
        for statement in (f"UPDATE {table} SET tenant_id = tenant_id", f"DELETE FROM {table}"):
            for tenant in (A, None, NIL):
                try:
                    with door(tenant) as cursor:
                        cursor.execute(f"{statement} WHERE tenant_id <> %s", (A,))
                        assert cursor.rowcount == 0, statement
                        passed += 1
                except psycopg2.errors.InsufficientPrivilege:
                    refused += 1
    assert refused > 100
    assert passed > 30


def test_no_row_is_written_for_another_or_given_to_it(filled: str, door: Doors) -> None:
    written = [table for table in tables(filled) if door_may(filled, table, "INSERT")]
    assert {"mtd.site", "mtd.device", "mtd.device_credential"} <= set(written)
    for table in tables(filled):
        for owner in (B, NIL):
            row = row_of(filled, table, owner, 77)
            marks = ", ".join(["%s"] * len(row))
            with pytest.raises(psycopg2.errors.InsufficientPrivilege) as refused, door(A) as cursor:
                cursor.execute(
                    f"INSERT INTO {table} ({', '.join(row)}) OVERRIDING SYSTEM VALUE VALUES ({marks})",
                    list(row.values()),
                )
            if table in written:
                assert "row-level security" in str(refused.value), table
    for table in tables(filled):
        for owner in (B, NIL):
            if door_may(filled, table, "UPDATE"):
                with pytest.raises(psycopg2.errors.InsufficientPrivilege), door(A) as cursor:
                    cursor.execute(f"UPDATE {table} SET tenant_id = %s", (owner,))


def test_a_key_of_another_is_not_taken_over_by_a_conflict(filled: str, door: Doors) -> None:
    # The row of B stands in the way: it can neither be changed nor be seen by what is refused.
    ((device_id, name),) = ask(filled, "SELECT device_id, name FROM mtd.device WHERE tenant_id = %s", B)
    with pytest.raises(psycopg2.errors.InsufficientPrivilege), door(A) as cursor:
        cursor.execute(
            "INSERT INTO mtd.device (tenant_id, device_id, name, host, port, username, tls_mode)"
            " VALUES (%s, %s, %s, 'h', 1, 'u', 'off')"
            " ON CONFLICT (tenant_id, device_id) DO UPDATE SET host = 'taken'",
            (B, device_id, name),
        )
    assert ask(filled, "SELECT count(*) FROM mtd.device WHERE host = 'taken'") == [(0,)]


def test_no_row_of_a_door_hangs_on_one_of_another_tenant(filled: str) -> None:
    """Foreign keys are looked up as the owner, who passes the walls: they have to name the tenant."""
    keys = ask(
        filled,
        "SELECT k.conrelid::regclass::text, k.conname, EXISTS (SELECT FROM unnest(k.conkey, k.confkey) AS p (own, theirs)"
        "  JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = p.own AND a.attname = 'tenant_id'"
        "  JOIN pg_attribute b ON b.attrelid = k.confrelid AND b.attnum = p.theirs AND b.attname = 'tenant_id')"
        " FROM pg_constraint k WHERE k.contype = 'f' AND k.connamespace = 'mtd'::regnamespace"
        " AND k.confrelid <> 'mtd.tenant'::regclass AND has_table_privilege('mtd_door', k.conrelid, 'INSERT, UPDATE')",
    )
    assert len(keys) > 5
    assert [(table, name) for table, name, by_tenant in keys if not by_tenant] == []


def test_the_writer_writes_for_all_and_the_owner_copies(filled: str, door: Doors) -> None:
    for table in tables(filled):
        if table == "mtd.schema_version":
            continue
        (may,) = ask(filled, "SELECT has_table_privilege('mtd_writer', %s, 'SELECT')", table)
        assert may == (True,), table
    with door(None, "mtd_writer") as cursor:
        cursor.execute("UPDATE mtd.latest SET seq = seq + 0")
        assert cursor.rowcount == len(OWNERS)
        cursor.execute("SELECT nextval('mtd.event_position')")


@pytest.mark.parametrize("role", ["mtd_door", "mtd_writer"])
def test_copy_into_a_table_is_refused(role: str, door: Doors) -> None:
    for table in ("mtd.device", "mtd.telemetry_block", "mtd.site"):
        with (
            pytest.raises((psycopg2.errors.FeatureNotSupported, psycopg2.errors.InsufficientPrivilege)),
            door(A, role) as cursor,
        ):
            cursor.execute(f"COPY {table} FROM STDIN")


def test_copy_out_of_a_table_gives_ones_own_rows(tmp_path: Any, door: Doors) -> None:
    path = tmp_path / "rows"
    with door(A) as cursor, path.open("w+b") as file:
        cursor.copy_expert("COPY mtd.site (tenant_id) TO STDOUT", file)
    assert path.read_text().split() == [A]


def test_a_table_can_not_be_emptied_locked_or_redefined(door: Doors) -> None:
    for statement in (
        "TRUNCATE mtd.device CASCADE",
        "ALTER TABLE mtd.device DISABLE ROW LEVEL SECURITY",
        "DROP POLICY door ON mtd.device",
        "CREATE POLICY more ON mtd.device USING (true)",
        "CREATE TABLE mtd.mine (x int)",
        "CREATE VIEW mtd.mine AS SELECT 1",
        "CREATE FUNCTION mtd.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE OR REPLACE FUNCTION mtd.current_tenant() RETURNS uuid LANGUAGE sql AS 'SELECT NULL::uuid'",
        "SELECT mtd.raise_wall('mtd.device')",
        "SELECT mtd.open_view('mtd.telemetry')",
        "ALTER ROLE mtd_door BYPASSRLS",
        "GRANT mtd_writer TO mtd_door",
        "SET session_replication_role = replica",
        "COPY (SELECT 1) TO PROGRAM 'true'",
    ):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege), door(A) as cursor:
            cursor.execute(statement)


def test_switching_the_walls_off_shows_an_error_and_no_rows(door: Doors) -> None:
    with pytest.raises(psycopg2.errors.InsufficientPrivilege), door(A) as cursor:
        cursor.execute("SET LOCAL row_security = off; SELECT count(*) FROM mtd.device")


# ------------------------------------------------------------------------- logins


@pytest.fixture
def as_login(postgres_server: EmbeddedPostgres, filled: str) -> str:
    """Connection string of the doors' login."""
    return postgres_server.door_dsn_of(psycopg2.extensions.parse_dsn(filled)["dbname"])


def test_the_login_of_doors_takes_no_role_but_theirs(as_login: str) -> None:
    for statement in (
        *(
            "SET ROLE mtd",
            "SET ROLE mtd_writer",
            "SET SESSION AUTHORIZATION mtd",
            "SET ROLE pg_read_all_data",
        ),
        *("SET SESSION AUTHORIZATION mtd_writer", "SET SESSION AUTHORIZATION mtd_door"),
    ):
        with (
            pytest.raises((psycopg2.errors.InsufficientPrivilege, psycopg2.errors.InvalidParameterValue)),
            session(as_login, "mtd_door", A) as cursor,
        ):
            cursor.execute(statement)


def test_a_role_that_is_taken_off_leaves_no_right(as_login: str) -> None:
    with session(as_login, "mtd_door", A) as cursor:
        cursor.execute("RESET ROLE; SELECT current_user")
        assert cursor.fetchone() == ("mtd_door",)
        cursor.execute("RESET ALL; SELECT current_user")
        assert cursor.fetchone() == ("mtd_door",)
    for statement in (
        "SELECT FROM mtd.device",
        "SELECT mtd.current_tenant()",
        "CREATE TABLE public.mine (x int)",
    ):
        with (
            pytest.raises(psycopg2.errors.InsufficientPrivilege),
            session(as_login, "mtd_door", A) as cursor,
        ):
            cursor.execute(f"SET ROLE NONE; {statement}")
