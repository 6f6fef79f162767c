"""Rules and dashboards name metrics that there are, and are whole."""

from __future__ import annotations

import json
import re

import pytest
import yaml

from mtd.api.http.device_metrics import HEADS
from mtd.api.http.metric_families import family_of
from mtd.plugin.manager import PluginManager
from scripts import dashboards, process_docs
from tests.witnesses.boards import BOARDS, ROOT, RULES, Asked, of_boards, of_rules


@pytest.fixture(scope="module")
def known() -> set[str]:
    """Return the names that Prometheus may know: ours, those of routers, Python's, and what rules record."""
    found = {sample for one in process_docs.catalogue() for sample in one.samples}
    found |= process_docs.OF_THE_RUNTIME.keys()
    found |= {family.sample for family, _ in HEADS}
    catalogue = PluginManager.load().catalogue
    found |= {family_of(metric).sample for metric in catalogue}
    return found | {name for name, asked in of_rules() if ":" in name}


def everything() -> list[Asked]:
    return [*(asked for _, asked in of_rules()), *of_boards()]


def test_each_metric_that_is_asked_for_is_there(known: set[str]) -> None:
    asked = everything()
    assert len(asked) > 100
    missing = {one.place: one.names - known for one in asked if one.names - known}
    assert not missing
    unnamed = [one for one in asked if not one.names and not one.expression.startswith(("up{", "sum(up{"))]
    assert not unnamed, "an expression that names no metric"


def test_recorded_rules_are_used_or_told_of() -> None:
    told = (ROOT / "docs" / "observability.md").read_text()
    used = {name for one in everything() for name in one.names}
    for name, _ in of_rules():
        assert ":" not in name or name in used or name in told, name


def test_each_alert_says_what_is_wrong_and_how_bad_it_is() -> None:
    told = (ROOT / "docs" / "observability.md").read_text()
    for group in yaml.safe_load(RULES.read_text())["groups"]:
        for rule in group["rules"]:
            if "alert" not in rule:
                continue
            assert rule["labels"]["severity"] in {"warning", "critical"}
            assert rule["annotations"]["summary"]
            assert f"`{rule['alert']}`" in told, f"docs/observability.md says nothing of {rule['alert']}"
            runbook = rule["annotations"].get("runbook")
            assert runbook is None or f"`{rule['alert']}`" in (ROOT / runbook).read_text(), runbook


def test_dashboards_are_what_their_descriptions_say() -> None:
    for name, write in dashboards.documents().items():
        assert (ROOT / name).read_text() == write(), f"{name} is stale: make docs"
    assert {path.name for path in BOARDS.glob("*")} == {f"{board.uid}.json" for board in dashboards.BOARDS}


def test_dashboards_are_whole() -> None:
    uids = set()
    for path in BOARDS.glob("*.json"):
        board = json.loads(path.read_text())
        uids.add(board["uid"])
        ids = [panel["id"] for panel in board["panels"]]
        assert len(ids) == len(set(ids))
        places: set[tuple[int, int]] = set()
        for panel in board["panels"]:
            place = panel["gridPos"]
            cells = {
                (x, y)
                for x in range(place["x"], place["x"] + place["w"])
                for y in range(place["y"], place["y"] + place["h"])
            }
            assert not places & cells, f"{panel['title']} of {path.name} lies over another"
            places |= cells
            assert max(x for x, _ in cells) < 24
        variables = {one["name"] for one in board["templating"]["list"]}
        used = set(re.findall(r"\$\{?(?!__)([a-z]+)", path.read_text()))
        assert used <= variables
    assert len(uids) == len(dashboards.BOARDS)


def test_provisioning_names_what_dashboards_ask() -> None:
    folder = ROOT / "etc" / "grafana" / "provisioning"
    source = yaml.safe_load((folder / "datasources" / "mtd.yml").read_text())
    assert source["apiVersion"] == 1
    assert [one["type"] for one in source["datasources"]] == ["prometheus"]
    providers = yaml.safe_load((folder / "dashboards" / "mtd.yml").read_text())["providers"]
    assert [one["type"] for one in providers] == ["file"]
