"""No secret leaks: not into the database, files, logs, metrics, events, documents or answers, in whatever form."""

from __future__ import annotations

import http.cookiejar
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from mtd.client import credential_sets, identity, ingest
from tests.e2e import leak_kit
from tests.e2e.kit import Rig, rig, wait_for
from tests.e2e.leak_kit import Finder

# Of characters that look different in each form.
PASSWORDS = {
    "password of a router": "Rou+er/pass word?one",
    "password of another": "другой & пароль=two%",
    "password of a set": "shared\\set\"pass'three",
    "password of the tools": "tools~pass|word<four>",
    "community": "community/of the fifth",
    "authentication of SNMP": "snmp auth+pass/sixth",
    "privacy of SNMP": "snmp priv&pass=seventh",
    "wrong password": "never right+but/eighth",
    "password of a person": "correct horse+battery/ninth",
    "wrong password of a person": "wrong horse+battery/tenth",
    "secret kept in a file": "kept in a file/eleventh+",
    "password of a test": "only tried+once/twelfth",
}
SCENARIO = f"""
[[router]]
name = "one"
password = {json.dumps(PASSWORDS["password of a router"])}
rest_port = 0
snmp_port = 0
community = {json.dumps(PASSWORDS["community"])}

[[router]]
name = "two"
password = {json.dumps(PASSWORDS["password of another"])}
tls = "anonymous"

[[router]]
name = "three"
password = {json.dumps(PASSWORDS["password of a set"])}

[[router]]
name = "four"
password = {json.dumps(PASSWORDS["secret kept in a file"])}
"""
POLLED = ("one", "two", "three", "four")
PAGES = ("/", "/healthz", "/readyz", "/metrics", "/metrics/devices", "/sd", "/probe?target=one", "/console/")
CONSOLE = ("self", "events", "catalogue", "devices/{id}", "devices/{id}/events", "devices/{id}/health")


@dataclass
class Seen:
    """A run that has done all it should, and what looks for its secrets."""

    stage: Rig
    finder: Finder
    names: dict[str, Any]


@pytest.fixture(scope="module")
def seen() -> Iterator[Seen]:
    settings: dict[str, dict[str, Any]] = {
        "log": {"level": "debug"},
        "scheduler.intervals_s": {"t1": 1.0, "t2": 1.0, "t3": 1.0},
        "security.providers": {},
    }
    with leak_kit.quiet_folder() as kept:
        settings["security.providers"] = {"file_directories": [str(kept)], "refresh_s": 1.0, "look_s": 0.2}
        (kept / "four").write_text(PASSWORDS["secret kept in a file"])
        with rig(SCENARIO, settings=settings) as stage:
            secrets = {**PASSWORDS, **used(stage, str(kept / "four"))}
            device_id = stage.value("SELECT device_id::text FROM device WHERE name = 'one'")
            kind = stage.value("SELECT kind FROM snapshot WHERE device_id = %s LIMIT 1", device_id)
            names = {
                "device": "one",
                "table": "interface",
                "kind": kind,
                "credential_set": "noc",
                "metrics": "*",
            }
            names |= {"user": "anna", "key": "probe", "tenant": "default", "interface": "ether1"}
            names |= {"address": "192.0.2.1", "limit": 5, "days": 1, "seconds": 1, "id": device_id}
            yield Seen(stage, Finder(secrets), names)


def used(stage: Rig, file: str) -> dict[str, str]:
    """Do all that has to do with secrets; return those that mtd made."""
    with stage.client() as client:
        add_all(stage, client, file)
        stage.wait_until_polled(*POLLED, timeout_s=40)
        made = {
            "API token": client.ask(identity.create_token("leaky", "viewer", ["telemetry.read"])).secret,
            "key of ingest": client.ask(ingest.create_key("probe")).secret,
        }
        client.ask(identity.create_user("anna", "viewer", password=PASSWORDS["password of a person"]))
        router = settings_of(stage, "two") | {"password": PASSWORDS["password of a test"]}
        assert client.test_connection(**router).outcome == "login_failed"
    made["session of the console"] = logged_in(stage)
    stage.mtd("secrets", "rotate")
    stage.mtd("ping", "one", "192.0.2.1", "--count", "1")
    failing = "SELECT count(*) FROM device_health h JOIN device d USING (device_id) WHERE d.name = %s AND outcome = 'login_failed'"
    for name in ("wrong", "wrong-too"):
        wait_for(lambda name=name: stage.value(failing, name), f"{name} was refused", 30)
    wait_for(lambda: stage.value("SELECT count(*) FROM snapshot"), "documents are stored", 40)
    return made


def settings_of(stage: Rig, name: str) -> dict[str, Any]:
    router = stage.routers[name]
    return {key: router[key] for key in ("host", "port", "username")} | {"tls_mode": router["client_tls"]}


def add_all(stage: Rig, client: Any, file: str) -> None:
    """Add devices with secrets of all kinds: right and wrong ones, their own, of sets, and kept elsewhere."""
    one = stage.routers["one"]
    sets = {
        "noc": ("readonly", {"password": PASSWORDS["password of a set"]}, {}),
        "tools": ("diagnostics", {"password": PASSWORDS["password of the tools"]}, {}),
        "elsewhere": ("readonly", {}, {"password": f"file:{file}"}),
    }
    for name, (purpose, secrets, references) in sets.items():
        client.ask(credential_sets.create_set(name, purpose, secrets=secrets, references=references))
    client.ask(
        credential_sets.update_set("tools", {}, secrets={"password": PASSWORDS["password of a router"]})
    )
    snmp = {"snmp_version": "2c", "snmp_port": one["snmp_port"], "snmp_community": PASSWORDS["community"]}
    client.create_device(
        name="one",
        **settings_of(stage, "one"),
        password=PASSWORDS["password of a router"],
        diagnostics_credentials="tools",
        rest_port=one["rest_port"],
        rest_tls_mode="off",
        **snmp,
    )
    client.create_device(name="two", **settings_of(stage, "two"), password=PASSWORDS["password of another"])
    client.create_device(name="three", **settings_of(stage, "three"), password="", readonly_credentials="noc")
    client.create_device(
        name="four", **settings_of(stage, "four"), password="", readonly_credentials="elsewhere"
    )
    wrong = PASSWORDS["wrong password"]
    client.create_device(name="wrong", **settings_of(stage, "three"), password=wrong)
    v3 = {
        "snmp_version": "3",
        "snmp_username": "watcher",
        "snmp_auth": "sha1",
        "snmp_priv": "aes",
        "snmp_port": one["snmp_port"],
        "snmp_auth_password": PASSWORDS["authentication of SNMP"],
        "snmp_priv_password": PASSWORDS["privacy of SNMP"],
    }
    client.create_device(name="wrong-too", **settings_of(stage, "two"), password=wrong, **v3)


def logged_in(stage: Rig) -> str:
    """Log in to the console, once wrongly; return the session."""
    jar = http.cookiejar.CookieJar()
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
    address = f"http://127.0.0.1:{stage.http_port}/console/api/v1/login"
    with opener.open(address, timeout=5) as answer:
        csrf = json.load(answer)["csrf"]
    headers = {"Content-Type": "application/json", "X-Mtd-Csrf": csrf}
    headers["Origin"] = f"http://127.0.0.1:{stage.http_port}"

    def attempt(password: str) -> None:
        body = json.dumps({"name": "anna", "password": PASSWORDS[password]}).encode()
        opener.open(urllib.request.Request(address, body, headers), timeout=20).close()

    with pytest.raises(urllib.error.HTTPError, match="401"):
        attempt("wrong password of a person")
    attempt("password of a person")
    return next(
        cookie.value or "" for cookie in jar if "csrf" not in cookie.name and len(cookie.value or "") >= 16
    )


def test_the_database_holds_none(seen: Seen) -> None:
    dump = leak_kit.dump_of(seen.stage)
    for table in (
        "device_credential",
        "credential_secret",
        "event",
        "snapshot",
        "audit_entry",
        "telemetry_frame",
    ):
        assert f"COPY mtd.{table}".encode() in dump
    assert seen.finder.find("the dump", dump) == []


def test_the_event_log_holds_none(seen: Seen) -> None:
    found = [
        hit
        for event in leak_kit.logged_events(seen.stage)
        for hit in seen.finder.find("the event log", event)
    ]
    assert found == []
    assert seen.finder.looked_at["the event log"] > 50_000


def test_no_file_holds_any(seen: Seen) -> None:
    seen.stage.sql("CHECKPOINT")
    found = [
        hit
        for name, content in leak_kit.files_of(seen.stage.data_dir)
        for hit in seen.finder.find(name, content)
    ]
    assert found == []
    assert {"events.db", "runtime.json"} <= seen.finder.looked_at.keys()
    assert any(name.startswith("postgres/") and "/base/" in name for name in seen.finder.looked_at)


def test_no_answer_tells_any(seen: Seen) -> None:
    found, asked = [], set()
    for path, answer in leak_kit.answers_of(seen.stage, seen.names):
        asked.add(path)
        found += seen.finder.find(path, answer)
    assert found == []
    assert {path for path, _ in leak_kit.read_methods()} - asked == set(), "methods that answered nothing"
    told = [path for path in asked if seen.finder.looked_at[path] > 100]
    assert len(told) > len(asked) / 2, "most methods refused"


def test_no_page_tells_any(seen: Seen) -> None:
    api = tuple(f"/console/api/v1/{page.format(id=seen.names['id'])}" for page in CONSOLE)
    pages = dict(leak_kit.pages_of(seen.stage, PAGES + api))
    assert [hit for path, page in pages.items() for hit in seen.finder.find(path, page)] == []
    assert "mtd_" in pages["/metrics"]
    assert not [path for path in api if pages[path].startswith("4")]


def test_no_command_prints_any(seen: Seen) -> None:
    commands = [("device", "list"), ("device", "export"), ("events",)]
    commands += [("credentials", "list"), ("secrets", "status"), ("config", "dump")]
    for command in commands:
        answer = seen.stage.mtd(*command, "--json")
        assert seen.finder.find(" ".join(command), answer.out + answer.err) == []


def test_the_logs_hold_none(seen: Seen) -> None:
    """Last, so that what the other tests made the daemon write is in it."""
    log = seen.stage.daemon_log()
    assert " DEBUG " in log
    assert seen.finder.find("the daemon's log", log) == []


def test_it_would_be_found(seen: Seen) -> None:
    """A secret that is put where it doesn't belong is found there, in each of its forms."""
    secret = PASSWORDS["password of a router"]
    forms = {form: needle for form, needle in leak_kit.forms_of(secret).items() if form != "utf-16"}
    notes = "\n".join(needle.decode() for needle in forms.values())
    expected = {f"password of a router ({form})" for form in forms}

    def forms_found(where: str, content: bytes | str) -> set[str]:
        return {hit.rpartition(" in ")[0] for hit in seen.finder.find(where, content)}

    seen.stage.sql("UPDATE device SET notes = %s WHERE name = 'two'", notes)
    heap = seen.stage.value("SELECT pg_relation_filepath('mtd.device')")
    try:
        seen.stage.sql("CHECKPOINT")
        assert forms_found("the dump", leak_kit.dump_of(seen.stage)) >= expected
        (file,) = [name for name, _ in leak_kit.files_of(seen.stage.data_dir) if name.endswith(heap)]
        assert forms_found(file, (seen.stage.data_dir / file).read_bytes()) >= expected
        found = set()
        for path, answer in leak_kit.answers_of(seen.stage, seen.names, only="ListDevices"):
            found |= forms_found(path, answer)
        assert found >= {
            "password of a router (plain)",
            "password of a router (hex)",
            "password of a router (base64-0)",
        }
    finally:
        seen.stage.sql("UPDATE device SET notes = '' WHERE name = 'two'")


def test_each_form_is_found_in_a_longer_text() -> None:
    import base64

    secret = PASSWORDS["community"]
    finder = Finder({"it": secret})
    for before in ("", "u:", "us:", "use:"):
        encoded = base64.b64encode(f"{before}{secret} and more".encode())
        assert any("base64" in hit for hit in finder.find("a header", encoded)), before
    assert finder.find("a text", "nothing of it") == []
