"""``mtd doctor`` with a real PostgreSQL: what it asks is answered, and what is wrong there is found."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner
from pydantic import SecretStr

from mtd.app.config import Settings
from mtd.app.doctor.examine import examine
from mtd.app.doctor.results import CHECKS, Finding, Verdict
from mtd.cli import main
from mtd.core.clock import SYSTEM_CLOCK
from mtd.security.keyfile import load_or_make_keys
from mtd.storage.config import RetentionConfig
from mtd.storage.examination import examination
from mtd.storage.partitions import Partitions
from mtd.storage.pool import Database
from mtd.testing import run_async

TENANT = "00000000-0000-4000-8000-000000000001"
NIL = "00000000-0000-0000-0000-000000000000"


def settings(tmp_path: Path, dsn: str) -> Settings:
    load_or_make_keys(tmp_path / "data" / "master.key")
    return Settings.model_validate({"daemon": {"data_dir": tmp_path / "data"}, "database": {"dsn": dsn}})


def examined(given: Settings) -> dict[str, Finding]:
    return {found.check: found for found in examine(given, lambda _: None)}


def test_all_is_asked_and_answered(tmp_path: Path, postgres_dsn: str) -> None:
    found = examined(settings(tmp_path, postgres_dsn))
    assert list(found) == [check.name for check in CHECKS]
    by_verdict = {
        verdict: {name for name, one in found.items() if one.verdict is verdict} for verdict in Verdict
    }
    assert not [one for one in found.values() if "can't be looked at" in one.found]
    assert {"postgres.version", "postgres.schema", "walls.tables", "clock.postgres"} <= by_verdict[
        Verdict.PASS
    ]
    # The PostgreSQL of the tests doesn't wait for the disk, and nobody backs it up.
    assert {"postgres.durability", "backup.marker"} <= by_verdict[Verdict.FAIL]
    assert found["daemon.ready"].verdict is Verdict.WARN
    assert found["audit.chain"].verdict is Verdict.WARN


def test_what_is_wrong_in_postgresql_is_found(tmp_path: Path, postgres_dsn: str) -> None:
    given = settings(tmp_path, postgres_dsn)
    with psycopg.connect(postgres_dsn, autocommit=True) as connection:
        ((tenant,),) = connection.execute("SELECT tenant_id FROM mtd.tenant LIMIT 1").fetchall()
        connection.execute("CREATE TABLE mtd.by_somebody (tenant_id uuid)")
        connection.execute("CREATE VIEW mtd.seen_by_all AS SELECT * FROM mtd.by_somebody")
        connection.execute(
            "INSERT INTO mtd.user_account (tenant_id, name, role, enabled)"
            f" VALUES ('{NIL}', 'root', 'super-admin', true), (%s, 'vi', 'viewer', true), (%s, 'off', 'admin', false)",
            (tenant, tenant),
        )
        connection.execute(
            "INSERT INTO mtd.api_token (tenant_id, token_id, name, role, scopes, secret_hash, expires_at, created_by)"
            " VALUES (%s, 'aaaaaaaaaaaa', 'endless', 'viewer', '{telemetry.read}', %s, NULL, 'x'),"
            " (%s, 'bbbbbbbbbbbb', 'over', 'viewer', '{*}', %s, now() - interval '1 s', 'x'),"
            " (%s, 'cccccccccccc', 'all', 'viewer', '{*}', %s, now() + interval '1 h', 'x')",
            (tenant, bytes(32)) * 3,
        )
        ((collector,),) = connection.execute(
            "INSERT INTO mtd.collector (tenant_id, name, state, created_by) VALUES (%s, 'edge-9', 'active', 'x')"
            " RETURNING collector_id",
            (tenant,),
        ).fetchall()
        connection.execute(
            "INSERT INTO mtd.certificate (tenant_id, fingerprint, collector_id, serial, authority, issued_at, not_after)"
            " VALUES (%s, %s, %s, '1', '', now() - interval '40 d', now() - interval '10 d')",
            (tenant, bytes(32), collector),
        )
    found = examined(given)
    assert found["walls.tables"].verdict is Verdict.FAIL
    assert "by_somebody, seen_by_all" in found["walls.tables"].found
    assert "1 super-admin, 1 viewer" in found["access.users"].found
    assert "never expire: endless; these may be used for anything: all" in found["access.tokens"].found
    assert found["tls.collectors"].verdict is Verdict.FAIL
    assert "edge-9" in found["tls.collectors"].found


def test_a_login_of_doors_that_could_pass_the_walls_is_found(tmp_path: Path, postgres_dsn: str) -> None:
    given = settings(tmp_path, postgres_dsn)
    name = f"door_{uuid.uuid4().hex[:12]}"
    door_dsn = psycopg.conninfo.make_conninfo(postgres_dsn, user=name, password="for-this-test")
    given = given.model_copy(
        update={"database": given.database.model_copy(update={"door_dsn": SecretStr(door_dsn)})}
    )
    with psycopg.connect(postgres_dsn, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {name} LOGIN NOINHERIT PASSWORD 'for-this-test'")
        try:
            connection.execute(f"GRANT mtd_door TO {name}")
            connection.execute(f"GRANT USAGE ON SCHEMA mtd TO {name}")
            assert examined(given)["walls.roles"].verdict is Verdict.PASS, examined(given)["walls.roles"]
            connection.execute(f"GRANT mtd_writer TO {name}")
            assert examined(given)["walls.roles"].verdict is Verdict.FAIL
        finally:
            connection.execute(f"DROP OWNED BY {name}")
            connection.execute(f"DROP ROLE {name}")


def test_an_audit_log_that_was_changed_is_found(tmp_path: Path, postgres_dsn: str) -> None:
    given = settings(tmp_path, postgres_dsn)
    with psycopg.connect(postgres_dsn, options="-c session_replication_role=replica") as connection:
        connection.execute("UPDATE mtd.audit_head SET position = 3")
    assert examined(given)["audit.chain"].verdict is Verdict.FAIL


def test_partitions_that_are_made_ahead_are_seen(postgres_dsn: str) -> None:
    async def make() -> None:
        database = Database.for_maintenance(postgres_dsn)
        await database.start()
        await Partitions(database, None, RetentionConfig()).maintain()
        await database.stop()

    now_us = SYSTEM_CLOCK.now_us()
    with examination(postgres_dsn) as before:
        missing = before.missing_partitions(now_us)
    assert "telemetry_frame" in " ".join(missing)
    run_async(make())
    with examination(postgres_dsn) as after:
        assert after.missing_partitions(now_us) == []


def test_a_database_that_was_never_migrated(tmp_path: Path, empty_postgres_dsn: str) -> None:
    found = examined(settings(tmp_path, empty_postgres_dsn))
    assert found["postgres.schema"].verdict is Verdict.FAIL
    assert "mtd migrate" in found["postgres.schema"].found
    assert found["walls.tables"].verdict is Verdict.NOT_CHECKED
    assert found["postgres.version"].verdict is Verdict.PASS


def test_nothing_is_changed_by_looking(tmp_path: Path, postgres_dsn: str) -> None:
    with examination(postgres_dsn) as asked, pytest.raises(Exception, match="read-only"):
        asked._rows("CREATE TABLE mtd.x (y int)")


@pytest.mark.parametrize("as_json", [True, False])
def test_the_command_tells_all_and_ends_with_code_1(tmp_path: Path, postgres_dsn: str, as_json: bool) -> None:
    settings(tmp_path, postgres_dsn)
    config = tmp_path / "mtd.toml"
    config.write_text(
        f'[daemon]\ndata_dir = "{tmp_path / "data"}"\n[database]\ndsn = {json.dumps(postgres_dsn)}\n'
    )
    arguments = ["doctor", "-c", str(config), *(["--json"] if as_json else [])]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 1, result.output
    if as_json:
        told = json.loads(result.stdout)
        assert not told["ok"]
        assert {one["check"] for one in told["checks"]} == {check.name for check in CHECKS}
        assert sum(told["counts"].values()) == len(told["checks"])
    else:
        assert "Mend:" in result.output
        assert "postgres.durability" in result.output
    password = psycopg.conninfo.conninfo_to_dict(postgres_dsn)["password"]
    assert str(password) not in result.output
