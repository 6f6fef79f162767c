"""What can be wrong with a router: each has its name, its reason and its event, and hurts nobody else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from mtd.testing.ages import AgeFigures, SqlAges
from tests.e2e.kit import Rig, pause, rig, wait_for

SCENARIO = """
[[router]]
name = "healthy-6"
version = "6.49.10"
interfaces = 8

[[router]]
name = "healthy-7"
interfaces = 8

[[router]]
name = "plain"

[[router]]
name = "tls"
tls = "anonymous"

[[router]]
name = "password"

[[router]]
name = "port"

[[router]]
name = "refused"
[[router.fault]]
kind = "refused"

[[router]]
name = "silent"
[[router.fault]]
kind = "black-hole"
accept = false

[[router]]
name = "mute"
[[router.fault]]
kind = "black-hole"

[[router]]
name = "http"
[[router.fault]]
kind = "plainhttp"

[[router]]
name = "garbage"
[[router.fault]]
kind = "garbage"

[[router]]
name = "length"
[[router.fault]]
kind = "hugelength"
at_s = 6

[[router]]
name = "rows"
interfaces = 4
[[router.fault]]
kind = "huge"
at_s = 6

[[router]]
name = "denied"
[[router.fault]]
kind = "denied"
"""
HEALTHY = ("healthy-6", "healthy-7")


@dataclass(frozen=True)
class Case:
    """A device that can't be polled as it should: its settings, and what must be said of it."""

    name: str
    router: str
    outcome: str
    says: str  # in the reason, for people
    status: str = "down"
    changes: tuple[tuple[str, object], ...] = ()


CASES = (
    Case(
        "wrong-password", "password", "login_failed", "check user and password", changes=(("password", "no"),)
    ),
    Case("wrong-user", "password", "login_failed", "login of 'nobody'", changes=(("username", "nobody"),)),
    Case("wrong-port", "port", "refused", "on another port", changes=(("port", 9),)),
    Case("closed-port", "refused", "refused", "API service is disabled"),
    Case("tls-to-plain", "plain", "tls_failed", "TLS handshake", changes=(("tls_mode", "insecure"),)),
    Case("plain-to-tls", "tls", "busy", "the port of the API over TLS", changes=(("tls_mode", "off"),)),
    Case("host-down", "silent", "unreachable", "firewall drops the packets"),
    Case("no-such-name", "plain", "name_not_found", "spelling", changes=(("host", "no-such-host.invalid"),)),
    Case("mute", "mute", "timed_out", "nothing answered the login"),
    Case("web-server", "http", "protocol_error", "a web server answers on this port"),
    Case("garbage", "garbage", "protocol_error", "check that the host and port"),
    Case("length-1gb", "length", "protocol_error", "a word of 1,073,741,824 bytes was announced"),
    Case("rows-10m", "rows", "reply_too_large", "rows"),
    Case("not-permitted", "denied", "not_permitted", "give its group the right", status="degraded"),
)
NAMES = {case.name for case in CASES}


@pytest.fixture(scope="module")
def broken() -> Iterator[Rig]:
    with rig(SCENARIO) as stage:
        quick = {"connect_timeout_s": 1.0, "command_timeout_s": 2.0}
        stage.add_devices([stage.routers[name] for name in HEALTHY], **quick)
        stage.wait_until_polled(*HEALTHY)
        stage.notes["before"] = ages_of_the_healthy(stage)
        with stage.client() as client:
            for case in CASES:
                client.create_device(name=case.name, **{**settings_of(stage, case), **quick})
        wait_for(lambda: set(failing(stage)) >= NAMES, "every case has failed", timeout_s=30)
        stage.notes["after"] = ages_of_the_healthy(stage)
        stage.notes["devices"], stage.notes["events"] = stage.devices(), stage.events()
        yield stage


def settings_of(stage: Rig, case: Case) -> dict[str, Any]:
    router = stage.routers[case.router]
    settings = {name: router[name] for name in ("host", "port", "username", "password")}
    return {**settings, "tls_mode": router["client_tls"], **dict(case.changes)}


def failing(stage: Rig) -> list[str]:
    rows = stage.sql(
        "SELECT d.name FROM device_status JOIN device d USING (device_id) WHERE status IN ('down', 'degraded')"
    )
    return [name for (name,) in rows]


def ages_of_the_healthy(stage: Rig) -> AgeFigures:
    sampler = SqlAges(stage.dsn())
    sampler.start()
    pause(4)
    sampler.stop()
    return AgeFigures.of([age for name in HEALTHY for age in sampler.ages_s[name]])


def test_nothing_else_is_disturbed(broken: Rig) -> None:
    before, after = broken.notes["before"], broken.notes["after"]
    assert after.samples >= 30
    assert after.p95_s <= 2.0
    assert after.p95_s <= before.p95_s + 0.5
    assert {broken.notes["devices"][name]["status"] for name in HEALTHY} == {"up"}
    told = {event["event_type"] for event in broken.notes["events"] if event["device_name"] in HEALTHY}
    assert told == {"device.up"}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_each_failure_has_its_name_reason_and_event(broken: Rig, case: Case) -> None:
    device = broken.notes["devices"][case.name]
    assert device["status"] in case.status
    assert case.says in device["status_reason"]
    told = [
        event
        for event in broken.notes["events"]
        if (event["device_name"], event["event_type"]) == (case.name, f"device.{case.outcome}")
    ]
    assert told, f"no event device.{case.outcome}"
    assert all(event["severity"] in ("warning", "critical") for event in told)
    assert any(case.says in event["message"] for event in told)
    counted = broken.value(
        "SELECT count(*) FROM device_health JOIN device d USING (device_id) WHERE d.name = %s AND outcome = %s",
        case.name,
        case.outcome,
    )
    assert counted >= len(told)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_test_of_the_connection_says_what_to_do(broken: Rig, case: Case) -> None:
    found = broken.mtd("device", "test", case.name, "--json", code=1).json()
    assert found["outcome"] == case.outcome
    assert [step["ok"] for step in found["steps"]][-1] is False
    assert all(step["ok"] for step in found["steps"][:-1])
    words = case.says if case.outcome != "not_permitted" else "give its group the policies"
    assert words in found["reason"]


def test_a_test_of_the_connection_is_told_in_words(broken: Rig) -> None:
    spoken = broken.mtd("device", "test", "wrong-password", code=1).out
    assert "login_failed" in spoken
    assert "check user and password" in spoken
    assert "ok" in broken.mtd("device", "test", "healthy-7").out


def test_passwords_are_told_to_nobody(broken: Rig) -> None:
    secret = broken.routers["healthy-6"]["password"]
    assert secret not in broken.daemon_log()
    assert secret not in broken.mtd("device", "list", "--json").out
    assert secret not in broken.mtd("events", "--json").out
    assert broken.value("SELECT count(*) FROM device_credential") == len(CASES) + len(HEALTHY)
    assert not broken.value(
        "SELECT count(*) FROM device_credential WHERE position(convert_to(%s, 'UTF8') IN secret) > 0", secret
    )


def test_the_log_and_the_database_agree_about_it_all(broken: Rig) -> None:
    report = broken.verify()
    assert report["events_by_kind"]["poll_outcome"] >= len(CASES)
    assert report["database"]["tables"]["device_health"]["found"] >= len(CASES)
