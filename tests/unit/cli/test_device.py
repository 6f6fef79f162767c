"""``mtd device`` against a door on a real socket."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

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
    assert "line 3, r[/2]: 'bogus' isn't one of off" in done
    assert "line 4, r3: host must not be empty" in done
    assert "line 5, r4: port: 'many' is not a number" in done
    assert "line 6, r1" in done
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
