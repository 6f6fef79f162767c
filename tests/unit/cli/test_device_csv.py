"""Routers from and to CSV files: every setting, spreadsheets' ways of writing, and again and again."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtd.cli.device_csv import COLUMNS, read_rows
from mtd.model.metric import Tier
from tests.unit.cli.conftest import Commands, DoorInThread

HEADER = "name,host,username,password"
EVERYTHING = {
    "name": "r1",
    "host": "192.0.2.1",
    "port": "8730",
    "username": "monitor",
    "password": "geheim",
    "tls_mode": "pinned",
    "tls_fingerprint": "AB:" * 31 + "CD",
    "enabled": "false",
    "interface_naming": "both",
    "code_page": "cp1251",
    "connect_timeout_s": "2.5",
    "command_timeout_s": "30",
    "notes": 'a "quoted", and\nlong one',
    "ways": "api rest snmp",
    "rest_port": "443",
    "rest_tls_mode": "insecure",
    "rest_tls_fingerprint": "",
    "snmp_version": "3",
    "snmp_port": "1161",
    "snmp_community": "",
    "snmp_username": "su",
    "snmp_auth": "sha1",
    "snmp_auth_password": "authgeheim",
    "snmp_priv": "aes",
    "snmp_priv_password": "privgeheim",
    "t0:interfaces": "12",
    "t0:metrics": "all",
    "t0:pins": "ether1|sfp 1, main",
    "interval:t0": "5",
    "interval:t1": "",
    "interval:t2": "90.5",
    "interval:t3": "",
    "site": "Graz",
    "groups": "core|noc",
    "label:role": "core",
}


def write(path: Path, *rows: dict[str, str], delimiter: str = ",", encoding: str = "utf-8") -> str:
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, list(rows[0]), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    path.write_text(out.getvalue(), encoding=encoding, newline="")
    return str(path)


def imported(mtd: Commands, door: DoorInThread, path: str, *options: str, code: int = 0) -> dict[str, Any]:
    answer = mtd("device", "import", path, *options, "--server", door.target, "--json", code=code)
    return dict(json.loads(answer.output))


def test_every_setting_can_be_imported(mtd: Commands, door: DoorInThread, tmp_path: Path) -> None:
    assert set(EVERYTHING) == COLUMNS | {"label:role"}
    report = imported(mtd, door, write(tmp_path / "r.csv", EVERYTHING))
    assert report == {"added": 1, "changed": 0, "unchanged": 0, "failed": [], "dry_run": False}
    (view,) = door.inventory.devices.values()
    found = view.settings
    assert (found.name, found.host, found.port, found.enabled) == ("r1", "192.0.2.1", 8730, False)
    assert (found.connect_timeout_s, found.command_timeout_s) == (2.5, 30.0)
    assert found.intervals_s == {Tier.T0: 5.0, Tier.T2: 90.5}
    assert (found.labels, found.site, found.groups) == ({"role": "core"}, "Graz", ("core", "noc"))
    assert found.notes == EVERYTHING["notes"]
    assert (found.t0.interfaces, found.t0.pins) == (12, ("ether1", "sfp 1, main"))
    assert (found.snmp_port, found.snmp_username, found.rest_port) == (1161, "su", 443)
    assert next(iter(door.inventory.secrets.values())) == {
        "snmp_auth_password": "authgeheim",
        "snmp_priv_password": "privgeheim",
    }


@pytest.mark.parametrize("excel", [False, True])
def test_what_was_exported_can_be_imported_again(
    mtd: Commands, door: DoorInThread, tmp_path: Path, excel: bool
) -> None:
    server = ("--server", door.target)
    imported(mtd, door, write(tmp_path / "r.csv", EVERYTHING))
    mtd("device", "add", "r2", "192.0.2.2", "--user", "u", "--password", "p", *server)
    out = tmp_path / "export.csv"
    mtd("device", "export", str(out), *(("--excel",) if excel else ()), *server)
    raw = out.read_bytes()
    assert (raw[:3] == b"\xef\xbb\xbf") is excel
    assert (b";" in raw.splitlines()[0]) is excel
    assert b"geheim" not in raw
    # Nothing of it is a change.
    assert imported(mtd, door, str(out), "--update")["unchanged"] == 2
    before = {view.settings.name: view.settings for view in door.inventory.devices.values()}
    door.inventory.devices.clear()
    # The secrets have to be filled in, and are asked for by name.
    report = imported(mtd, door, str(out), "--update", code=1)
    assert (report["added"], report["failed"][0]["name"]) == (1, "r1")
    assert "snmp_auth_password" in report["failed"][0]["error"]
    content = out.read_text(encoding="utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(content, newline=""), delimiter=";" if excel else ","))
    secrets = {"snmp_auth_password": "authgeheim", "snmp_priv_password": "privgeheim"}
    again = write(
        tmp_path / "again.csv",
        *({**row, **(secrets if row["name"] == "r1" else dict.fromkeys(secrets, ""))} for row in rows),
    )
    assert imported(mtd, door, again, "--update")["added"] == 1
    assert {view.settings.name: view.settings for view in door.inventory.devices.values()} == before


def test_an_update_changes_what_differs_and_nothing_else(
    mtd: Commands, door: DoorInThread, tmp_path: Path
) -> None:
    first = {
        "name": "r1",
        "host": "192.0.2.1",
        "username": "u",
        "password": "p",
        "label:role": "core",
        "notes": "n",
        "interval:t0": "5",
    }
    path = write(tmp_path / "r.csv", first)
    imported(mtd, door, path)
    changed = write(
        tmp_path / "c.csv",
        {"name": "r1", "host": "192.0.2.9", "label:site": "Graz", "notes": "", "interval:t1": "20"},
    )
    dry = imported(mtd, door, changed, "--update", "--dry-run")
    assert (dry["changed"], dry["dry_run"]) == (1, True)
    (view,) = door.inventory.devices.values()
    assert view.settings.host == "192.0.2.1"
    assert imported(mtd, door, changed, "--update")["changed"] == 1
    assert imported(mtd, door, changed, "--update")["unchanged"] == 1
    (view,) = door.inventory.devices.values()
    assert (view.settings.host, view.settings.notes) == ("192.0.2.9", "n")
    assert view.settings.labels == {"role": "core", "site": "Graz"}
    assert view.settings.intervals_s == {Tier.T0: 5.0, Tier.T1: 20.0}
    # A password can't be compared: it is set where that is asked for.
    secret = write(tmp_path / "s.csv", {"name": "r1", "password": "new"})
    assert imported(mtd, door, secret, "--update")["unchanged"] == 1
    assert imported(mtd, door, secret, "--update", "--secrets")["changed"] == 1


def test_a_dry_run_tells_all_that_is_wrong_with_line_and_column(
    mtd: Commands, door: DoorInThread, tmp_path: Path
) -> None:
    server = ("--server", door.target)
    mtd("device", "add", "taken", "192.0.2.1", "--user", "u", "--password", "p", *server)
    keys = (
        "name",
        "host",
        "username",
        "password",
        "port",
        "enabled",
        "tls_mode",
        "snmp_version",
        "interval:t0",
    )
    lines = [
        ("ok", "h", "u", "p", "", "yes", "", "", ""),
        ("taken", "h", "u", "p", "", "", "", "", ""),
        ("ok", "h", "u", "p", "", "", "", "", ""),
        ("bad", "", "u", "p", "x", "maybe", "odd", "9", "-1"),
        ("pin", "h", "u", "p", "70000", "", "pinned", "", ""),
        ("", "h", "u", "p", "", "", "", "", ""),
    ]
    path = write(tmp_path / "r.csv", *(dict(zip(keys, line, strict=True)) for line in lines))
    report = imported(mtd, door, path, "--dry-run", code=1)
    assert report["added"] == 1
    assert [(problem["line"], problem["column"]) for problem in report["failed"]] == [
        (3, "name"), (4, "name"),
        (5, "port"), (5, "enabled"), (5, "tls_mode"), (5, "snmp_version"), (5, "host"),
        (6, "tls_fingerprint"), (6, "port"), (7, "name"),
    ]  # fmt: skip
    assert "--update" in report["failed"][0]["error"]
    assert len(door.inventory.devices) == 1


def test_without_the_daemon_a_dry_run_checks_what_it_can(mtd: Commands, tmp_path: Path) -> None:
    path = write(tmp_path / "r.csv", {"name": "a", "host": "h", "username": "u", "password": ""})
    told = mtd("device", "import", path, "--dry-run", "--server", "127.0.0.1:9")
    assert "1 router(s) would be added, 0 failed." in told.output
    assert "which names are taken" in told.stderr
    assert "can't reach mtd" in mtd("device", "import", path, "--server", "127.0.0.1:9", code=1).output


def test_cells_are_separated_by_one_character(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_text("sep=;;\nname;;host\n")
    with pytest.raises(click.ClickException, match="one character, not by ';;'"):
        read_rows(path)


@pytest.mark.parametrize("content", [
    "sep=;\r\nname;host;username;password;connect_timeout_s\r\nKöln;h;u;p;2,5\r\n",
    "\ufeffname;host;username;password;connect_timeout_s\r\nKöln;h;u;p;2,5\r\n;;;;\r\n",
    "name\thost\tusername\tpassword\tconnect_timeout_s\nKöln\th\tu\tp\t2.5\n\n",
])  # fmt: skip
def test_spreadsheets_write_as_they_like(tmp_path: Path, content: str) -> None:
    path = tmp_path / "r.csv"
    path.write_text(content, encoding="utf-8", newline="")
    (row,) = read_rows(path)
    assert row.problems == []
    assert row.settings == {
        "name": "Köln", "host": "h", "username": "u", "password": "p", "connect_timeout_s": 2.5
    }  # fmt: skip
    assert row.line == (3 if content.startswith("sep") else 2)


def test_lines_are_those_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_text(f'{HEADER},notes\na,h,u,p,"one\ntwo"\nb,h,u,p,,too many\n')
    one, other = read_rows(path)
    assert (one.line, other.line) == (3, 4)  # the line on which it ends
    assert [problem.error for problem in other.problems] == ["it has 6 cells, but there are 5 columns"]


def test_places_that_are_missing_are_added_where_that_is_asked_for(
    mtd: Commands, door: DoorInThread, tmp_path: Path
) -> None:
    server = ("--server", door.target)
    mtd("site", "add", "Graz", *server)
    rows = [
        {"name": "r1", "host": "h", "username": "u", "password": "p", "site": "Graz", "groups": "core|noc"},
        {"name": "r2", "host": "h", "username": "u", "password": "p", "site": "Wien", "groups": ""},
        {"name": "r3", "host": "", "username": "u", "password": "p", "site": "Wels", "groups": ""},
    ]
    path = write(tmp_path / "r.csv", *rows)
    imported(mtd, door, path, "--add-places", "--dry-run", code=1)
    assert len(json.loads(mtd("site", "list", *server, "--json").output)) == 1
    imported(mtd, door, path, "--add-places", code=1)
    names = [
        [place["name"] for place in json.loads(mtd(kind, "list", *server, "--json").output)]
        for kind in ("site", "group")
    ]
    assert names == [["Graz", "Wien"], ["core", "noc"]]  # none for a router that isn't added


def test_a_changed_order_of_groups_is_no_change(mtd: Commands, door: DoorInThread, tmp_path: Path) -> None:
    row = {"name": "r1", "host": "h", "username": "u", "password": "p", "groups": "b|a"}
    imported(mtd, door, write(tmp_path / "r.csv", row))
    again = write(tmp_path / "c.csv", {"name": "r1", "groups": "a|b"})
    assert imported(mtd, door, again, "--update")["unchanged"] == 1


def test_new_routers_may_have_their_password_from_a_file(
    mtd: Commands, door: DoorInThread, tmp_path: Path
) -> None:
    secret = tmp_path / "password"
    secret.write_text("shared\n")
    rows = [
        {"name": "a", "host": "192.0.2.1", "username": "u", "password": ""},
        {"name": "b", "host": "192.0.2.2", "username": "u", "password": "own"},
    ]
    imported(mtd, door, write(tmp_path / "r.csv", *rows), "--password-file", str(secret))
    names = {view.device_id: view.settings.name for view in door.inventory.devices.values()}
    assert {names[key]: value for key, value in door.inventory.passwords.items()} == {
        "a": "shared",
        "b": "own",
    }


@given(
    st.dictionaries(st.sampled_from(sorted(COLUMNS - {"name"})), st.text(max_size=20), max_size=6),
    st.text(max_size=10),
)
def test_no_cell_breaks_the_reading(
    tmp_path_factory: pytest.TempPathFactory, cells: dict[str, str], name: str
) -> None:
    path = tmp_path_factory.mktemp("csv") / "r.csv"
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, ["name", *cells])
    writer.writeheader()
    writer.writerow({"name": name, **cells})
    path.write_bytes(out.getvalue().encode("utf-8", "replace"))
    try:
        rows = read_rows(path, required=("name",))
    except click.ClickException:
        return
    for row in rows:
        assert {problem.column for problem in row.problems} <= {"name", "", *cells}
