"""``mtd snapshots`` against a door on a real socket."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from mtd.model.documents import canonical_json
from mtd.queries.snapshots import SnapshotVersion
from tests.unit.cli.conftest import Commands, DoorInThread

RULE = {".id": "*1", "chain": "input", "action": "drop", "comment": "from outside"}


def version(at_s: int, document: Any) -> SnapshotVersion:
    content = canonical_json(document)
    return SnapshotVersion(at_s * 1_000_000, hashlib.sha256(content).digest(), content.decode())


@pytest.fixture
def filled(door: DoorInThread) -> DoorInThread:
    door.telemetry.documents = {
        "config.firewall.filter": [
            version(200, [RULE | {"action": "accept"}, {".id": "*2", "chain": "forward"}]),
            version(100, [RULE]),
            version(50, []),
        ],
        "config.identity.identity": [version(100, {"name": "core \u202e1"})],
        "system.identity": [version(100, {"name": "core-1"})],
    }
    return door


def test_documents_are_listed_with_the_fingerprints_of_sections(mtd: Commands, filled: DoorInThread) -> None:
    told = mtd("snapshots", "core-1", "--server", filled.target).output
    assert "config.firewall.filter" in told
    assert "1970-01-01 00:03:20 UTC" in told
    assert "all of it" in told
    found = json.loads(mtd("snapshots", "core-1", "--json", "--server", filled.target).output)
    assert [one["kind"] for one in found["documents"]] == sorted(filled.telemetry.documents)
    assert set(found["sections"]) == {"firewall", "identity"}
    assert len(found["fingerprint"]) == 64


def test_a_document_is_shown_as_it_is_and_as_it_was(mtd: Commands, filled: DoorInThread) -> None:
    ask = ("snapshots", "core-1", "-k", "config.firewall.filter", "--server", filled.target)
    told = mtd(*ask).output
    assert '.id=*1 action=accept chain=input comment="from outside"' in told
    assert "chain=forward" in told
    assert "action=drop" in mtd(*ask, "-n", "2").output
    found = json.loads(mtd(*ask, "--json").output)
    assert found["document"][0]["action"] == "accept"
    assert "has 3 version(s), not 4" in mtd(*ask, "-n", "4", code=1).output


def test_what_steers_a_terminal_is_not_printed(mtd: Commands, filled: DoorInThread) -> None:
    told = mtd("snapshots", "core-1", "-k", "config.identity.identity", "--server", filled.target).output
    assert "\u202e" not in told


def test_changes_are_told_row_by_row(mtd: Commands, filled: DoorInThread) -> None:
    ask = ("snapshots", "core-1", "-k", "config.*", "--diff", "--server", filled.target)
    told = mtd(*ask).output
    assert "1970-01-01 00:01:40 UTC → 1970-01-01 00:03:20 UTC" in told
    assert "+ .id=*2 chain=forward" in told
    assert "~ from outside: action=drop → accept" in told
    assert "identity" not in told
    assert "00:00:50" in mtd(*ask, "-n", "9").output
    lines = [json.loads(line) for line in mtd(*ask, "-n", "9", "--json").output.splitlines()]
    assert [line["changes"] for line in lines] == [
        ["+ .id=*2 chain=forward", "~ from outside: action=drop → accept"],
        ['+ .id=*1 action=drop chain=input comment="from outside"'],
    ]


def test_equal_documents_are_equal_files(mtd: Commands, filled: DoorInThread, tmp_path: Path) -> None:
    ask = (
        "snapshots",
        "core-1",
        "-k",
        "config.*",
        "--write",
        str(tmp_path / "git"),
        "--server",
        filled.target,
    )
    assert "2 document(s)" in mtd(*ask).output
    file = tmp_path / "git" / "config.firewall.filter.txt"
    assert file.read_text().splitlines() == [
        '.id=*1 action=accept chain=input comment="from outside"',
        ".id=*2 chain=forward",
    ]
    before = file.stat().st_mtime_ns
    assert json.loads(mtd(*ask, "--json").output)["written"] == []
    assert file.stat().st_mtime_ns == before


def test_what_is_not_there_is_told_with_what_is(mtd: Commands, filled: DoorInThread) -> None:
    asked = mtd("snapshots", "core-1", "-k", "nothing", "--server", filled.target)
    assert "There are: config.firewall.filter," in " ".join(asked.stdout.split())
    empty = mtd("snapshots", "core-1", "-k", "nothing", "--json", "--server", filled.target)
    assert json.loads(empty.stdout) == {"documents": [], "fingerprint": "", "sections": {}}
    only = ("snapshots", "core-1", "-k", "system.*", "--diff", "--server", filled.target)
    assert "Nothing of it changed" in mtd(*only).stdout
    assert mtd(*only, "--json").stdout == ""
    filled.telemetry.documents = {}
    assert "quarter of an hour" in " ".join(mtd("snapshots", "r", "--server", filled.target).stdout.split())
