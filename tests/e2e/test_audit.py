"""The audit log of a running daemon: what people do stands in it, secrets don't, and tampering shows."""

from __future__ import annotations

import json
import os
import signal
import uuid
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner, Result

from mtd.cli import main
from mtd.client import MtdClientError, audit
from tests.e2e.kit import Rig, rig, wait_for

SECRETS = ("Kv9-router-password", "Kv9-second-password", "Kv9-community")


@pytest.fixture(scope="module")
def stage() -> Iterator[Rig]:
    with rig("fleet", "--routers", "1", "--interfaces", "2") as running:
        yield running


def mtd(stage: Rig, *arguments: str, code: int = 0) -> Result:
    """Call a command in this process, which is quicker."""
    result = CliRunner(env={"MTD_SERVER": stage.server, "MTD_CONFIG": str(stage.config_path)}).invoke(
        main, arguments
    )
    assert result.exit_code == code, result.output
    return result


def exported(stage: Rig, *arguments: str) -> list[dict[str, Any]]:
    found = mtd(stage, "audit", "export", "--all-tenants", *arguments)
    return [json.loads(line) for line in found.stdout.splitlines()]


def actions(stage: Rig, *arguments: str) -> list[tuple[str, str, str]]:
    return [(one["action"], one["outcome"], one["target"]) for one in exported(stage, *arguments)]


def test_deeds_and_refusals_are_written_down_and_secrets_are_not(stage: Rig) -> None:
    with stage.client() as client:
        client.create_device(name="kept", host="192.0.2.1", username="u", password=SECRETS[0], enabled=False)
        client.update_device("kept", password=SECRETS[1], snmp_version="2c", snmp_community=SECRETS[2])
        with pytest.raises(MtdClientError):
            client.delete_device("nobody")
    found = [one for one in exported(stage) if one["action"].startswith("inventory.")]
    assert [(one["action"].partition("/")[2], one["outcome"], one["target"]) for one in found] == [
        ("CreateDevice", "OK", "name=kept host=192.0.2.1"),
        ("UpdateDevice", "OK", "device=kept"),
        ("DeleteDevice", "NOT_FOUND", "device=nobody"),
    ]
    assert "password" in found[1]["detail"]["changed"]
    assert (found[1]["caller_kind"], found[1]["role"]) == ("local", "super-admin")
    with psycopg.connect(stage.dsn()) as connection:
        dump = str(connection.execute("SELECT array_agg(e::text) FROM mtd.audit_entry e").fetchall())
    for secret in SECRETS:
        assert secret not in dump
        assert secret not in stage.daemon_log()


def test_streams_leave_a_trace_at_their_beginning(stage: Rig) -> None:
    mtd(stage, "audit", "export")
    ours = [
        outcome
        for action, outcome, _ in actions(stage)
        if action == "admin.v1.AuditService/ExportAuditEntries"
    ]
    # Of the last one, which wrote this, only the beginning.
    assert ours[-3:] == ["STARTED", "OK", "STARTED"]


def test_what_does_not_come_by_grpc_is_there_as_well(stage: Rig) -> None:
    mtd(stage, "pseudonym", "joe@isp.example")
    os.kill(stage.pid, signal.SIGHUP)
    wait_for(
        lambda: any(action == "config.reload" for action, _, _ in actions(stage)),
        "the reload is written down",
        30,
    )
    found = {action: outcome for action, outcome, _ in actions(stage)}
    assert found["daemon.start"] == "OK"
    (looked_up,) = exported(stage, "--action", "subscriber.look_up")
    assert looked_up["detail"]["pseudonyms"].startswith("~")
    assert "joe" not in json.dumps(looked_up)


def test_an_export_goes_on_where_it_ended(stage: Rig) -> None:
    everything = exported(stage)
    middle = everything[2]["position"]
    assert exported(stage, "--after", str(middle))[: len(everything) - 3] == everything[3:]
    positions = [one["position"] for one in everything]
    assert positions == list(range(1, len(positions) + 1))
    listed = json.loads(mtd(stage, "audit", "list", "--all-tenants", "--json", "--limit", "2").stdout)
    assert listed[0]["position"] == listed[1]["position"] + 1 > positions[-1]


def test_the_client_reads_pages_and_reports(stage: Rig) -> None:
    with stage.client() as client:
        page = client.ask(audit.entries(audit.Wanted(all_tenants=True, action="inventory.*"), page_size=2))
        assert len(page.entries) == 2
        rest = client.ask(
            audit.entries(
                audit.Wanted(all_tenants=True, action="inventory.*"),
                page_size=2,
                page_token=page.next_page_token,
            )
        )
        assert page.entries[1].position > rest.entries[0].position
        for wrong in ("0", "x", "9" * 30):
            with pytest.raises(MtdClientError, match="page_token"):
                client.ask(audit.entries(page_token=wrong))
        (*_, last) = client.run(audit.verify())
        assert last.report is not None
        assert last.report.ok, last.report
        with pytest.raises(MtdClientError, match="POSITION|position"):
            list(client.run(audit.verify({1: "ab"})))


def test_the_doctor_knows_the_running_daemon(stage: Rig) -> None:
    # The PostgreSQL of the tests doesn't wait for the disk: that fails, and so does the command.
    told = json.loads(mtd(stage, "doctor", "--json", code=1).stdout)
    verdicts = {one["check"]: one["verdict"] for one in told["checks"]}
    assert verdicts["postgres.durability"] == "fail"
    for name in (
        "daemon.ready",
        "audit.chain",
        "audit.spool",
        "retention.partitions",
        "walls.tables",
        "walls.roles",
    ):
        assert verdicts[name] == "pass", [one for one in told["checks"] if one["check"] == name]


def test_a_log_that_was_tampered_with_is_told_with_and_without_the_daemon(stage: Rig) -> None:
    good = json.loads(mtd(stage, "audit", "verify", "--json").stdout)
    assert good["ok"]
    assert good["anchors"] >= 1
    position, digest = good["last_position"], good["head_hash"]
    mtd(stage, "audit", "verify", "--through-daemon", "--known", f"{position}:{digest}")
    other = mtd(stage, "audit", "verify", "--known", f"{position}:{'0' * 64}", code=1)
    assert f"entry {position} isn't the one" in other.output
    with psycopg.connect(stage.dsn(), options="-c session_replication_role=replica") as connection:
        connection.execute("UPDATE mtd.audit_entry SET caller = 'somebody else' WHERE position = 3")
    for how in ((), ("--through-daemon",)):
        report = json.loads(mtd(stage, "audit", "verify", "--json", *how, code=1).stdout)
        assert [(one["position"], one["kind"]) for one in report["problems"]] == [(3, "changed")]


def test_a_stopped_daemon_has_written_down_that_it_stopped(stage: Rig) -> None:
    assert stage.daemon is not None
    stage.daemon.stop()
    report = json.loads(mtd(stage, "audit", "verify", "--json", code=1).stdout)
    assert report["unanchored"] == 0
    stage.start_daemon()
    assert [outcome for action, outcome, _ in actions(stage) if action == "daemon.stop"] == ["OK"]
    # Whoever has to live with a log that was changed says so, and it stands there.
    mtd(stage, "audit", "accept", "--reason", "a test", "--json")
    (accepted,) = exported(stage, "--action", "audit.accept")
    assert (accepted["detail"]["reason"], accepted["detail"]["problems"]) == ("a test", "1")
    assert uuid.UUID(accepted["entry_id"]).version == 4
