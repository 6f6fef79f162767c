"""Each runbook is exercised by a fault, and what it names is there: alerts, metrics, events, pages.

That its commands can be given is tested with those of all documents, in ``tests/docs``.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from mtd.model.device import Outcome

ROOT = Path(__file__).resolve().parents[2]
RUNBOOKS = ROOT / "docs" / "runbooks"
PAGES = sorted(path for path in RUNBOOKS.glob("*.md") if path.name != "README.md")
TESTS = Path(__file__).parent
FAULTS = ROOT / "mtd" / "testing" / "faults"

AS_MADE = {f"device.{outcome.value}" for outcome in Outcome} | {
    f"collector.{part}" for part in ("log.unavailable", "log.available", "ingest.dropped")
}
"""Types of events that the code puts together."""

page = pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)


def sources() -> str:
    return "\n".join(path.read_text() for path in (ROOT / "mtd").rglob("*.py") if "testing" not in path.parts)


SOURCES = sources()


@page
def test_it_has_all_that_who_is_on_call_needs(page: Path) -> None:
    text = page.read_text()
    assert [line for line in text.splitlines() if line.startswith("## ")] == [
        "## Symptoms",
        "## Diagnosis",
        "## Remedy",
    ]
    assert f"({page.name})" in (RUNBOOKS / "README.md").read_text()


@page
def test_a_fault_test_names_it(page: Path) -> None:
    """By its name in backquotes, in the line of a test file that says which runbooks it exercises."""
    naming = [
        path.name
        for path in [*TESTS.glob("test_*.py"), *(ROOT / "tests" / "e2e").glob("test_*.py")]
        if re.search(rf"^Runbooks?:.*`{page.stem}`", path.read_text(), re.MULTILINE)
    ]
    assert naming, f"no fault test has `{page.stem}` in its line of runbooks"


def test_each_fault_names_a_runbook_that_is_there() -> None:
    named = set()
    for path in FAULTS.rglob("*.py"):
        named |= set(re.findall(r'runbook: str = "([a-z-]+)"', path.read_text()))
        named |= set(re.findall(r'Kill\(Role\.[A-Z]+, "([a-z-]+)"', path.read_text()))
    assert named
    assert named <= {path.stem for path in PAGES}


@page
def test_its_alerts_are_rules(page: Path) -> None:
    rules = yaml.safe_load((ROOT / "etc" / "prometheus" / "mtd.rules.yml").read_text())
    alerts = {rule.get("alert") for group in rules["groups"] for rule in group["rules"]}
    named = set(re.findall(r"`((?:Mtd|Router|Interface)[A-Z]\w+)`", page.read_text()))
    assert named <= alerts


def test_each_alert_of_mtd_leads_to_a_page_that_is_there() -> None:
    rules = yaml.safe_load((ROOT / "etc" / "prometheus" / "mtd.rules.yml").read_text())
    named = {
        rule["alert"]: rule["annotations"].get("runbook", "")
        for group in rules["groups"]
        for rule in group["rules"]
        if "alert" in rule
    }
    assert {alert for alert, target in named.items() if alert.startswith("Mtd") and not target} == set()
    assert {target for target in named.values() if target and not (ROOT / target).is_file()} == set()


@page
def test_its_metrics_are_there(page: Path) -> None:
    named = set(re.findall(r"\bmtd_[a-z0-9_]+", page.read_text()))
    assert {name for name in named if f'"{name}"' not in SOURCES} == set()


@page
def test_its_events_are_told_by_something(page: Path) -> None:
    named = set(re.findall(r"`((?:collector|device)\.[a-z_.]+)`", page.read_text()))
    assert {name for name in named - AS_MADE if f'"{name}"' not in SOURCES} == set()


@page
def test_its_settings_are_there(page: Path) -> None:
    reference = (ROOT / "etc" / "mtd.toml").read_text() + SOURCES
    named = set(
        re.findall(
            r"`(?:[a-z]+\.)+([a-z_]+_(?:s|bytes|pct|events|connecting|reconnecting))`", page.read_text()
        )
    )
    assert {name for name in named if name not in reference} == set()


@page
def test_its_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), target
