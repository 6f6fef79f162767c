"""``mtd site`` and ``mtd group``."""

from __future__ import annotations

import json

import pytest

from tests.unit.cli.conftest import Commands, DoorInThread


@pytest.mark.parametrize("kind", ["site", "group"])
def test_places_are_added_changed_listed_and_removed(mtd: Commands, door: DoorInThread, kind: str) -> None:
    server = ("--server", door.target)
    added = json.loads(mtd(kind, "add", "graz", "notes=n", "label:a=1", *server, "--json").output)
    assert (added[0]["name"], added[0]["notes"], added[0]["labels"]) == ("graz", "n", {"a": "1"})
    changed = mtd(kind, "set", "graz", "name=graz-1", "label:b=2", "label:a=", *server, "--json").output
    (found,) = json.loads(changed)
    assert (found["name"], found["labels"], found["revision"]) == ("graz-1", {"b": "2"}, 2)
    assert "graz-1" in mtd(kind, "list", *server).output
    assert "already" in mtd(kind, "add", "graz-1", *server, code=1).output
    mtd(kind, "remove", "graz-1", *server)
    assert json.loads(mtd(kind, "list", *server, "--json").output) == []
    assert "no place" in mtd(kind, "remove", "graz-1", *server, code=1).output


def test_what_is_not_a_setting_is_told(mtd: Commands, door: DoorInThread) -> None:
    server = ("--server", door.target)
    assert "is not KEY=VALUE" in mtd("site", "add", "x", "odd", *server, code=1).output
    assert "known: name, notes, label:KEY" in mtd("group", "add", "x", "address=y", *server, code=1).output
    assert json.loads(mtd("site", "add", "x", "address=y", *server, "--json").output)[0]["address"] == "y"


def test_devices_are_put_there_and_listed_by_it(mtd: Commands, door: DoorInThread) -> None:
    server = ("--server", door.target)
    login = ("192.0.2.1", "--user", "u", "--password", "p")
    mtd("device", "add", "r1", *login, *server)
    mtd("device", "add", "r2", *login, "--site", "wien", "--group", "edge", "--group", "noc-2", *server)
    (added,) = json.loads(mtd("device", "list", "--group", "noc-2", *server, "--json").output)
    assert (added["site"], added["groups"]) == ("wien", ["edge", "noc-2"])
    mtd("device", "set", "r1", "site=graz", "groups=core, noc", *server)
    for option in (("--site", "graz"), ("--group", "noc")):
        (found,) = json.loads(mtd("device", "list", *option, *server, "--json").output)
        assert (found["name"], found["site"], found["groups"]) == ("r1", "graz", ["core", "noc"])
    assert "core, noc" in mtd("device", "show", "r1", *server).output
