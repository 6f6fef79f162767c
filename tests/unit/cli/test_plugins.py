"""``mtd plugins list``: whose plugins there are, and which were left out."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from mtd.plugin import manager as managing
from tests.unit.cli.conftest import Commands
from tests.unit.plugin.conftest import PORTS_EGG
from tests.unit.plugin.test_manager import egg, entry_point, other


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    found = (
        entry_point("ports", egg(PORTS_EGG), "acme-mtd-ports"),
        entry_point("other", egg(other()), "mtd-collector-other"),
        entry_point("bad", egg(replace(other("bad", "bad"), menus=())), "acme-mtd-bad"),
        entry_point("worse", ImportError("no module named x"), "acme-mtd-worse"),
    )
    monkeypatch.setattr(managing, "entry_points", lambda **_: found)


@pytest.mark.usefixtures("installed")
def test_each_collector_is_listed_with_its_distribution(mtd: Commands) -> None:
    said = json.loads(mtd("plugins", "list", "--json").output)
    assert {row["name"]: (row["distribution"], row["version"]) for row in said["plugins"]} == {
        "ports": ("acme-mtd-ports", "3.1"),
        "other": ("mtd-collector-other", "3.1"),
    }
    [bad, worse] = said["left_out"]
    assert (bad["name"], bad["distribution"], bad["blocked"]) == ("bad", "acme-mtd-bad", False)
    assert bad["reason"] == "collector bad: it declares no menu"
    assert (worse["name"], worse["reason"]) == ("worse", "ImportError: no module named x")


@pytest.mark.usefixtures("installed")
def test_the_table_tells_the_same(mtd: Commands) -> None:
    lines = mtd("plugins", "list").output.splitlines()
    assert any("ports" in line and "acme-mtd-ports" in line for line in lines)
    assert "Left out: plugin bad of acme-mtd-bad 3.1: collector bad: it declares no menu" in lines


@pytest.mark.usefixtures("installed")
def test_blocked_plugins_are_listed_with_the_reason(mtd: Commands) -> None:
    said = json.loads(mtd("plugins", "list", "--json", MTD_BLOCK_PLUGINS="third-party").output)
    assert [row["name"] for row in said["plugins"]] == ["other"]
    assert {(row["name"], row["blocked"]) for row in said["left_out"]} == {
        ("ports", True),
        ("bad", True),
        ("worse", True),
    }
    assert said["problems"] == []
    assert all(row["reason"].startswith("blocked: ") for row in said["left_out"])
    output = mtd("plugins", "list", MTD_BLOCK_PLUGINS="ports").output
    assert "Left out: plugin ports of acme-mtd-ports 3.1: blocked" in output
