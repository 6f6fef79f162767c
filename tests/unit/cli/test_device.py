"""``mtd device`` against a door on a real socket."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from mtd.model.device import Way
from mtd.model.ways import Standing, WayState
from tests.unit.cli.conftest import Commands, DoorInThread

LOGIN = ("--user", "monitor", "--password", "pw")
HEADER = "name,host,username,password"


def write(tmp_path: Path, *lines: str) -> str:
    path = tmp_path / "routers.csv"
    path.write_text("\n".join((f"{HEADER},tls_mode,port", *lines)) + "\n")
    return str(path)


@pytest.mark.parametrize("name", ["y[/z]", "[red]x", "a[bold]b", "back\\\\", "esc\x1b[31m"])
def test_names_are_printed_as_they_are(mtd: Commands, door: DoorInThread, name: str) -> None:
    server = ("--server", door.target)
    shown = name.replace("\x1b", "\N{REPLACEMENT CHARACTER}")
    added = mtd("device", "add", name, "fe80::1", *LOGIN, "--label", "site=[/x]", *server)
    assert shown in added.output
    assert "[fe80::1]:8728" in added.output
    assert shown in mtd("device", "list", *server).output
    told = mtd("device", "show", name, *server).output
    assert shown in told
    assert "[/x]" in told
    assert f"{shown} is removed." in mtd("device", "remove", name, *server).output


def test_what_a_test_finds_is_printed_as_it_is(
    mtd: Commands, door: DoorInThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mtd.cli import device
    from mtd.client.values import ConnectionTest

    server = ("--server", door.target)
    mtd("device", "add", "r1", "192.0.2.1", *LOGIN, *server)
    printed: list[ConnectionTest] = []
    show = device._show_test

    def spoiled(result: ConnectionTest) -> None:
        printed.append(result)
        for step in result.steps:
            object.__setattr__(step, "detail", "[/nothing] is [here]")
        object.__setattr__(result, "reason", "it said [/x]")
        show(result)

    monkeypatch.setattr(device, "_show_test", spoiled)
    output = mtd("device", "test", "r1", *server, code=1).output
    assert printed
    assert "[/nothing] is [here]" in output
    assert "it said [/x]" in output


def test_remove_as_json(mtd: Commands, door: DoorInThread) -> None:
    server = ("--server", door.target)
    mtd("device", "add", "r1", "192.0.2.1", *LOGIN, *server)
    assert json.loads(mtd("device", "remove", "r1", "--json", *server).output) == {"removed": "r1"}
    assert "there is no device" in mtd("device", "remove", "r1", "--json", *server, code=1).output


def test_a_password_can_be_emptied(mtd: Commands, door: DoorInThread) -> None:
    server = ("--server", door.target)
    mtd("device", "add", "r1", "192.0.2.1", *LOGIN, *server)
    mtd("device", "set", "r1", "notes=x", *server)
    assert list(door.inventory.passwords.values()) == ["pw"]
    mtd("device", "set", "r1", "password=", *server)
    assert list(door.inventory.passwords.values()) == [""]


def test_shared_logins_are_shown(mtd: Commands, door: DoorInThread) -> None:
    server = ("--server", door.target)
    mtd("device", "add", "r1", "192.0.2.1", *LOGIN, *server)
    assert "credentials" not in mtd("device", "show", "r1", *server).output
    mtd("device", "set", "r1", "credentials.readonly=noc", "credentials.config-audit=audit", *server)
    lines = [line.split() for line in mtd("device", "show", "r1", *server).output.splitlines()]
    shown = {line[1]: line[3] for line in lines if "credentials" in "".join(line)}
    assert shown == {"credentials.readonly": "noc", "credentials.config-audit": "audit"}


def test_import_takes_what_it_can(mtd: Commands, door: DoorInThread, tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "r1,192.0.2.1,u,p,off,",
        "r[/2],192.0.2.2,u,p,bogus,",
        "r3,,u,p,,",
        "r4,192.0.2.4,u,p,,many",
        "r1,192.0.2.1,u,p,,",
        "r6,192.0.2.6,u,,insecure,8730",
    )
    done = mtd("device", "import", path, "--server", door.target, code=1).output
    assert "2 router(s) added, 4 failed." in done
    assert "line 3, r[/2], column tls_mode: 'bogus' isn't one of off" in done
    assert "line 4, r3, column host: host must not be empty" in done
    assert "line 5, r4, column port: 'many' is not a number" in done
    assert "line 6, r1, column name: the name is on line 2 already" in done
    names = {view.settings.name for view in door.inventory.devices.values()}
    assert names == {"r1", "r6"}


def test_a_dry_run_refuses_what_the_daemon_would(mtd: Commands, tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "r1,192.0.2.1,u,p,off,",
        "r2,192.0.2.2,u,p,bogus,",
        "r3,192.0.2.3,u,p,pinned,",
        "r4,192.0.2.4,u,p,,70000",
    )
    arguments = ("device", "import", path, "--dry-run", "--server", "127.0.0.1:9", "--json")
    answer = json.loads(mtd(*arguments, code=1).output)
    assert (answer["added"], answer["dry_run"]) == (1, True)
    assert [(failed["line"], failed["name"]) for failed in answer["failed"]] == [
        (3, "r2"),
        (4, "r3"),
        (5, "r4"),
    ]
    assert "tls_fingerprint" in answer["failed"][1]["error"]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (f"{HEADER}\nr\xe9,h,u,p\n".encode("latin-1"), "is not UTF-8 text"),
        (f'{HEADER}\nr1,"h,u,p\n'.encode(), "is not CSV"),
        (b"name,host,username\n", "column 'password' is missing"),
        (f"{HEADER},colour,host\n".encode(), "column 'colour' is not known; column 'host' is there twice"),
        (b"", "column 'name' is missing"),
    ],
)
def test_a_file_that_is_no_list_of_routers(mtd: Commands, tmp_path: Path, content: bytes, told: str) -> None:
    path = tmp_path / "routers.csv"
    path.write_bytes(content)
    assert told in mtd("device", "import", str(path), code=1).output


def test_ways_are_set_and_shown_and_their_secrets_are_not(
    mtd: Commands, door: DoorInThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = ("--server", door.target)
    monkeypatch.setenv("MTD_SNMP_COMMUNITY", "hidden-community")
    options = ("--rest-port", "443", "--rest-tls", "verify", "--way", "rest", "--way", "snmp", "--snmp", "2c")
    (added,) = json.loads(mtd("device", "add", "r1", "192.0.2.1", *LOGIN, *options, "--json", *server).output)
    assert (added["ways"], added["rest_port"], added["rest_tls_mode"]) == (["rest", "snmp"], 443, "verify")
    assert (added["snmp_version"], added["snmp_port"]) == ("2c", 161)
    assert list(door.inventory.secrets.values()) == [{"snmp_community": "hidden-community"}]
    # In the environment, but of no use to this router.
    mtd("device", "add", "r2", "192.0.2.2", *LOGIN, *server)
    assert list(door.inventory.secrets.values())[1] == {}
    mtd("device", "set", "r1", "snmp_community=other", "rest_tls_mode=", "ways=api", *server)
    changed = json.loads(mtd("device", "show", "r1", "--json", *server).output)
    assert (changed["ways"], changed["rest_tls_mode"]) == (["api"], "")
    assert next(iter(door.inventory.secrets.values())) == {"snmp_community": "other"}
    for command in ("show", "capabilities"):
        assert "hidden" not in mtd("device", command, "r1", *server).output


def test_the_record_of_what_a_router_can_do(mtd: Commands, door: DoorInThread) -> None:
    server = ("--server", door.target)
    mtd("device", "add", "r1", "192.0.2.1", *LOGIN, *server)

    def learn() -> None:
        (device_id, view), *_ = door.inventory.devices.items()
        door.inventory.devices[device_id] = replace(
            view,
            routeros_major=7,
            routeros_version="7.16.2 (stable)",
            capabilities={"wifi_mode": "wifiwave2", "rest": "www-ssl:443", "[/x]": ""},
            absent_capabilities={"lte": "no such command"},
            ways=[
                WayState(Way.API, Standing.CLOSED, "refused: [/no]"),
                WayState(Way.REST, Standing.SERVES, "443"),
            ],
        )

    door.call(learn)
    record = json.loads(mtd("device", "capabilities", "r1", "--json", *server).output)
    assert (record["routeros_major"], record["wifi_mode"], record["supports_rest"]) == (7, "wifiwave2", True)
    assert record["rest"] == "www-ssl:443"
    assert record["flags"] == {"[/x]": True, "lte": False, "rest": True, "wifi_mode": True}
    assert record["ways"][0] == {"way": "api", "state": "closed", "detail": "refused: [/no]"}
    shown = mtd("device", "capabilities", "r1", *server).output
    for words in ("7.16.2", "wifiwave2", "no such command", "serves", "[/no]", "[/x]"):
        assert words in shown
    assert "closed refused: [/no]" in mtd("device", "show", "r1", *server).output


def test_import_takes_ways(mtd: Commands, door: DoorInThread, tmp_path: Path) -> None:
    path = tmp_path / "routers.csv"
    path.write_text(
        f"{HEADER},ways,rest_port,rest_tls_mode,snmp_version,snmp_community\n"
        "r1,192.0.2.1,u,p,api rest snmp,443,insecure,2c,hidden\n"
        "r2,192.0.2.2,u,p,,,,,\n"
        "r3,192.0.2.3,u,p,smoke,,,,\n"
        "r4,192.0.2.4,u,p,,high,,,\n"
    )
    done = mtd("device", "import", str(path), "--server", door.target, code=1)
    assert "2 router(s) added, 2 failed" in done.output
    assert "smoke" in done.output
    assert "rest_port" in done.output
    first = next(iter(door.inventory.devices.values())).settings
    assert (first.ways, first.rest_port, first.snmp_version) == (tuple(Way), 443, "2c")
    assert next(iter(door.inventory.secrets.values())) == {"snmp_community": "hidden"}
