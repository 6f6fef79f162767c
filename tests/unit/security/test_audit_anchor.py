"""The end of the audit log, noted outside of the database."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from mtd.security import audit_anchor
from mtd.security.audit_anchor import AnchorFile
from mtd.security.audit_chain import Head
from mtd.security.keyfile import MasterKey

KEY = MasterKey.of(bytes(range(32)))
NEW_KEY = MasterKey.of(bytes(range(1, 33)))


def head(position: int) -> Head:
    return Head(position, bytes([position]) * 32, "chain-1")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.anchors"


def filled(path: Path, count: int = 4) -> AnchorFile:
    file = AnchorFile(path, [KEY])
    for position in range(1, count + 1):
        file.append(head(position), position * 1000)
    return file


def test_anchors_are_read_back_and_good(path: Path) -> None:
    file = filled(path)
    found = file.look()
    assert [anchor.head for anchor in found.good] == [head(position) for position in range(1, 5)]
    assert (found.unchecked, found.problems) == (0, [])
    last = file.last()
    assert last is not None
    assert last.head == head(4)
    assert path.stat().st_mode & 0o077 == 0
    assert KEY.material.hex() not in path.read_text()


@pytest.mark.parametrize("name", ["chain", "position", "hash", "noted_us", "mac", "follows"])
def test_a_changed_anchor_shows(path: Path, name: str) -> None:
    filled(path)
    lines = path.read_text().splitlines()
    fields = json.loads(lines[1])
    fields[name] = fields[name] + 1 if isinstance(fields[name], int) else "ab" + fields[name][2:]
    lines[1] = json.dumps(fields)
    path.write_text("\n".join(lines) + "\n")
    assert AnchorFile(path, [KEY]).look().problems, name


def test_removed_and_invented_anchors_show(path: Path) -> None:
    filled(path)
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([lines[0], *lines[2:]]))
    (problem,) = AnchorFile(path, [KEY]).look().problems
    assert problem.position == 3
    path.write_text("".join(lines) + "hello\n")
    assert "no anchor" in AnchorFile(path, [KEY]).look().problems[0].message


def test_half_an_anchor_was_never_one(path: Path) -> None:
    file = filled(path, 2)
    whole = path.read_bytes()
    path.write_bytes(whole + whole.splitlines(keepends=True)[1][:40])
    assert file.look().problems == []
    file.append(head(3), 3000)
    assert [anchor.head.position for anchor in file.look().good] == [1, 2, 3]


def test_keys_may_change(path: Path) -> None:
    filled(path, 2)
    both = AnchorFile(path, [NEW_KEY, KEY])
    both.append(head(3), 3000)
    assert len(both.look().good) == 3
    late = AnchorFile(path, [NEW_KEY]).look()
    assert (len(late.good), late.unchecked, late.problems) == (1, 2, [])


def test_a_full_file_is_put_aside_and_still_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_anchor, "_MOST_BYTES", 700)
    file = filled(path, 4)
    assert path.with_name("audit.anchors.1").exists()
    found = file.look()
    assert found.problems == []
    assert found.good[-1].head == head(4)


def test_two_who_write_know_of_each_other(path: Path) -> None:
    daemon, command = AnchorFile(path, [KEY]), AnchorFile(path, [KEY])
    for position in range(1, 6):
        (daemon if position % 2 else command).append(head(position), position)
    assert daemon.look().problems == []
    last = command.last()
    assert last is not None
    assert last.head.position == 5


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_what_root_writes_belongs_to_the_folders_owner(tmp_path: Path) -> None:
    os.chown(tmp_path, 12345, 12345)
    filled(tmp_path / "audit.anchors", 1)
    assert {path.stat().st_uid for path in tmp_path.iterdir()} == {12345}


def test_a_new_beginning(path: Path) -> None:
    file = AnchorFile(path, [KEY])
    assert file.set_aside(5) is None
    filled(path, 2)
    aside = file.set_aside(5)
    assert aside is not None
    assert aside.exists()
    assert file.look().good == []
