"""``mtd table`` against a door on a real socket."""

from __future__ import annotations

import csv
import io
import json

import pytest

from mtd.queries.state import RowFilter, TableRow
from tests.unit.cli.conftest import Commands, DoorInThread

SESSIONS = [
    TableRow(f"*{number:04}", {"name": f"customer-{number}", "address": f"100.64.0.{number}"}, 0, 5_000_000)
    for number in range(3)
]


@pytest.fixture
def filled(door: DoorInThread) -> DoorInThread:
    door.telemetry.state = {"ppp_session": SESSIONS, "arp": []}
    return door


def test_tables_are_listed(mtd: Commands, filled: DoorInThread) -> None:
    told = mtd("table", "core-1", "--server", filled.target).output
    assert "ppp_session" in told
    assert "1970-01-01 00:00:00 UTC" in told
    found = json.loads(mtd("table", "core-1", "--json", "--server", filled.target).output)
    assert [(one["name"], one["rows"]) for one in found] == [("arp", 0), ("ppp_session", 3)]


def test_rows_are_shown(mtd: Commands, filled: DoorInThread) -> None:
    told = mtd("table", "core-1", "ppp_session", "--limit", "2", "--server", filled.target).output
    assert "customer-1" in told
    assert "customer-2" not in told
    assert "The first 2 rows" in told


def test_what_is_looked_for_is_asked(mtd: Commands, filled: DoorInThread) -> None:
    mtd("table", "r", "ppp_session", "-c", "x", "-w", "a=b=c", "-w", "d=", "--csv", "--server", filled.target)
    assert filled.telemetry.asked_rows == [
        ("r", "ppp_session", RowFilter("x", {"a": "b=c", "d": ""}), 1000, "")
    ]


def test_json_and_csv_hold_all_rows_of_all_pages(mtd: Commands, filled: DoorInThread) -> None:
    filled.telemetry.state["ppp_session"] = [
        TableRow(f"{number:05}", {"n": str(number)}, 0, 0) for number in range(2500)
    ]
    target = ("--server", filled.target)
    lines = mtd("table", "core-1", "ppp_session", "--json", *target).output.splitlines()
    assert [json.loads(line)["fields"]["n"] for line in lines] == [str(number) for number in range(2500)]
    rows = list(csv.DictReader(io.StringIO(mtd("table", "core-1", "ppp_session", "--csv", *target).output)))
    assert [row["n"] for row in rows] == [str(number) for number in range(2500)]
    assert len(mtd("table", "core-1", "ppp_session", "--json", "-n", "7", *target).output.splitlines()) == 7


def test_what_is_not_there_is_told_with_what_is(mtd: Commands, filled: DoorInThread) -> None:
    asked = mtd("table", "core-1", "leases", "--server", filled.target)
    assert "No row of leases matches. Tables of core-1: arp, ppp_session." in " ".join(asked.stderr.split())
    assert asked.stdout == ""
    filled.telemetry.state = {}
    assert "tables come with" in " ".join(mtd("table", "core-1", "--server", filled.target).stderr.split())


@pytest.mark.parametrize(
    ("arguments", "message"), [(("--json", "--csv"), "not both"), (("-w", "name"), "FIELD=VALUE")]
)
def test_what_can_not_be_is_told(mtd: Commands, arguments: tuple[str, ...], message: str) -> None:
    assert message in mtd("table", "r", "x", *arguments, code=2).output
