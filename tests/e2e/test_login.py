"""The daemon as people meet it who are elsewhere: logins, sessions, and what a proxy passes on."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from mtd.cli import main
from tests.e2e.kit import Rig, rig

PASSWORD = "a few words that are long"
SCENARIO = """
[[router]]
name = "edge"
interfaces = 2
"""
API = "/console/api/v1"


def mtd(stage: Rig, *arguments: str) -> str:
    """Call a command in this process, which is quicker; return what it printed."""
    result = CliRunner(env={"MTD_SERVER": stage.server}).invoke(main, arguments)
    assert result.exit_code == 0, result.output
    return result.output


class Elsewhere:
    """A browser that comes through a proxy on the daemon's machine."""

    def __init__(self, stage: Rig) -> None:
        self._origin = f"http://127.0.0.1:{stage.http_port}"
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
        self._opener.addheaders = [("X-Forwarded-For", "192.0.2.7"), ("Origin", self._origin)]

    def ask(self, path: str, given: Any = None, **headers: str) -> tuple[int, Any]:
        """Return status, and JSON or text."""
        body = None if given is None else json.dumps(given).encode()
        request = urllib.request.Request(
            self._origin + path, body, {"content-type": "application/json", **headers}
        )
        try:
            with self._opener.open(request, timeout=20) as answer:
                status, text = answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                status, text = error.code, error.read().decode()
        return status, json.loads(text) if text.startswith("{") else text

    def log_in(self, name: str, password: str = PASSWORD) -> int:
        """Return the status."""
        csrf = self.ask(f"{API}/login")[1]["csrf"]
        return self.ask(f"{API}/login", {"name": name, "password": password}, **{"x-mtd-csrf": csrf})[0]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    password = tmp_path_factory.mktemp("login") / "password"
    password.write_text(PASSWORD + "\n")
    with rig(SCENARIO) as running:
        running.notes["password"] = password
        mtd(running, "tenant", "add", "north")
        mtd(running, "user", "add", "ann", "--role", "viewer", "--password-file", str(password))
        mtd(
            running,
            "user",
            "add",
            "nora",
            "--role",
            "admin",
            "--tenant",
            "north",
            "--password-file",
            str(password),
        )
        running.add_devices(list(running.routers.values()))
        yield running


def test_people_elsewhere_log_in_and_see_their_tenant(stage: Rig) -> None:
    ann, nora = Elsewhere(stage), Elsewhere(stage)
    for path in (f"{API}/events", f"{API}/me", "/sd", "/metrics", "/metrics/devices"):
        assert ann.ask(path)[0] == 401, path
    assert ann.ask("/console/")[1].lstrip().lower().startswith("<!doctype html>")  # the login page
    assert ann.log_in("ann", "wrong") == 401
    assert ann.log_in("ann") == nora.log_in("nora") == 200
    assert ann.ask(f"{API}/me")[1]["tenant"]["name"] == "default"
    assert nora.ask(f"{API}/me")[1]["tenant"]["name"] == "north"
    (device,) = json.loads(mtd(stage, "device", "list", "--json"))
    assert ann.ask(f"{API}/devices/{device['id']}")[1]["device"]["name"] == "edge"
    assert nora.ask(f"{API}/devices/{device['id']}")[0] == 404
    assert "edge" in ann.ask("/sd")[1]
    assert "edge" not in nora.ask("/sd")[1]
    assert ann.ask("/metrics")[0] == 403
    entries = mtd(stage, "audit", "list", "--json")
    assert "login.password" in entries
    assert "192.0.2.7" in entries
    assert PASSWORD not in entries + stage.daemon_log()


def test_another_password_ends_sessions(stage: Rig) -> None:
    ann = Elsewhere(stage)
    assert ann.log_in("ann") == 200
    assert ann.ask(f"{API}/me")[0] == 200
    password: Path = stage.notes["password"]
    mtd(stage, "user", "password", "ann", "--password-file", str(password))
    assert ann.ask(f"{API}/me")[0] == 401


def test_this_machine_needs_no_login(stage: Rig) -> None:
    with urllib.request.urlopen(stage.console_url, timeout=10) as page:
        assert page.url == stage.console_url
    with urllib.request.urlopen(f"http://127.0.0.1:{stage.http_port}/metrics", timeout=10) as page:
        assert b"mtd_login_attempts_total" in page.read()
