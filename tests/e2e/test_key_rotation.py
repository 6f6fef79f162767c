"""Keys are rotated while routers are polled: no poll fails of it, and no session ends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from mtd.client import credential_sets
from tests.e2e.kit import Rig, rig, wait_for

ROUNDS = 3
SCENARIO = """
[[router]]
name = "own"
password = "own password"

[[router]]
name = "snmp"
password = "another password"

[[router]]
name = "shared-1"
password = "shared password"

[[router]]
name = "shared-2"
password = "shared password"
"""
SHARED = ("shared-1", "shared-2")


@pytest.fixture(scope="module")
def stage() -> Iterator[Rig]:
    settings = {"scheduler.intervals_s": {"t1": 1.0, "t2": 1.0, "t3": 1.0}}
    with rig(SCENARIO, settings=settings) as running:
        with running.client() as client:
            made = credential_sets.create_set("noc", "readonly", secrets={"password": "shared password"})
            client.ask(made)
            for name, router in running.routers.items():
                settings = {key: router[key] for key in ("host", "port", "username")}
                if name in SHARED:
                    settings |= {"password": "not used", "readonly_credentials": "noc"}
                else:
                    settings |= {"password": router["password"]}
                client.create_device(name=name, tls_mode=router["client_tls"], **settings)
        running.wait_until_polled(*running.routers)
        yield running


def polls(stage: Rig) -> dict[str, int]:
    rows = stage.sql(
        "SELECT d.name, count(*) FROM telemetry_frame f JOIN device d USING (tenant_id, device_id) GROUP BY 1"
    )
    return dict(rows)


def troubles(stage: Rig) -> list[Any]:
    return stage.sql(
        "SELECT d.name, h.outcome FROM device_health h JOIN device d USING (device_id) WHERE outcome <> 'ok'"
    )


def rotated(stage: Rig, *arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = stage.mtd("secrets", "rotate", *arguments, "--json").json()
    assert found["unreadable"] == []
    return found


def test_no_poll_fails_of_it(stage: Rig) -> None:
    connects = stage.metric("mtd_source_connects_total")
    assert connects == len(stage.routers)
    for number in range(ROUNDS):
        before = polls(stage)
        done = rotated(stage)
        assert done["new_master_key"]
        assert (done["new_data_keys"], done["sealed"]) == (1, 5)
        # Secrets go in between, sealed with whatever key there is now.
        with stage.client() as client:
            client.ask(credential_sets.update_set("noc", {"notes": f"round {number}"}))
        wait_for(
            lambda before=before: all(polls(stage)[name] > count for name, count in before.items()),
            "every router was polled in this round",
            20,
        )
    assert troubles(stage) == []
    assert stage.metric("mtd_source_connects_total") == connects, "a session was opened anew"
    assert stage.metric("mtd_storage_devices_unreadable_total") == 0
    status = stage.mtd("secrets", "status", "--json").json()
    assert status["unreadable"] == []
    assert status["secrets"] == 5
    newest, *older = status["master_keys"]
    assert len(older) == ROUNDS
    assert not any(one["data_keys"] for one in older)
    assert newest["data_keys"] == len(status["data_keys"])
    assert stage.mtd("secrets", "check", "--json").json() == {"ok": True, "secrets": 5, "unreadable": []}


def test_it_is_in_the_audit_log(stage: Rig) -> None:
    rotated(stage, "--data-keys", "--tenant", "default")
    rows = stage.sql(
        "SELECT outcome, target FROM audit_entry WHERE action = 'secrets.rotate' ORDER BY position DESC LIMIT 2"
    )
    assert rows == [("OK", "data-keys"), ("STARTED", "data-keys")]


def test_the_daemon_seals_with_the_new_key_and_follows_new_secrets(stage: Rig) -> None:
    rotated(stage, "--master")
    with stage.client() as client:
        client.ask(credential_sets.update_set("noc", {}, secrets={"password": "wrong"}))
    wait_for(lambda: set(dict(troubles(stage))) == set(SHARED), "the shared password is refused", 20)
    assert {outcome for _, outcome in troubles(stage)} == {"login_failed"}
    with stage.client() as client:
        client.ask(credential_sets.update_set("noc", {}, secrets={"password": "shared password"}))
    before = polls(stage)
    wait_for(lambda: all(polls(stage)[name] > before[name] for name in SHARED), "they are polled again", 20)


def test_a_device_goes_from_a_set_to_its_own_login(stage: Rig) -> None:
    shown = stage.mtd(
        "device", "set", "shared-2", "credentials.readonly=", "password=shared password", "--json"
    )
    assert shown.json()[0]["readonly_credentials"] == ""
    (found,) = stage.mtd("credentials", "list", "--json").json()
    assert (found["name"], found["used_by"], found["secrets"]) == ("noc", 1, {"password": ""})
    refused = stage.mtd("credentials", "remove", "noc", code=1)
    assert "a device uses the set 'noc'" in refused.err
    refused = stage.mtd("device", "set", "own", "credentials.diagnostics=noc", code=1)
    assert "is a set for readonly, not for diagnostics" in refused.err


def test_the_configuration_is_read_as_somebody_else(stage: Rig) -> None:
    reason = "SELECT reason FROM device_status JOIN device USING (device_id) WHERE name = 'own'"
    kinds = "SELECT count(DISTINCT kind) FROM snapshot JOIN device USING (device_id) WHERE name = 'own'"
    with stage.client() as client:
        client.ask(credential_sets.create_set("auditor", "config-audit", secrets={"password": "wrong"}))
        client.update_device("own", config_audit_credentials="auditor")
        wait_for(lambda: "who reads the configuration" in stage.value(reason), "the login is refused", 30)
        before = polls(stage)["own"]
        wait_for(lambda: polls(stage)["own"] > before + 2, "it is polled all the same", 20)
        client.ask(credential_sets.update_set("auditor", {}, secrets={"password": "own password"}))
        wait_for(lambda: stage.value(reason) == "polled in time", "the configuration is read", 30)
    wait_for(lambda: stage.value(kinds) > 100, "there are documents", 30)


def test_the_newest_master_key_alone_opens_all(stage: Rig) -> None:
    path = stage.data_dir / "master.key"
    stopped_at = stage.value("SELECT clock_timestamp()")
    assert stage.daemon is not None
    stage.daemon.stop()
    path.write_text(path.read_text().splitlines()[0] + "\n")
    stage.start_daemon()
    polled = (
        "SELECT count(DISTINCT device_id) FROM telemetry_frame WHERE ts_collected > %s + interval '1 second'"
    )
    wait_for(lambda: stage.value(polled, stopped_at) == len(stage.routers), "all are polled again", 30)
    assert stage.mtd("secrets", "status", "--json").json()["next"] == []
