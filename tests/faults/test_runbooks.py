"""Each runbook is exercised by a fault, and what it names is there: alerts, metrics, events, commands, pages."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest
import yaml

from mtd.cli import main
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


def test_alerts_lead_to_runbooks_that_are_there() -> None:
    rules = yaml.safe_load((ROOT / "etc" / "prometheus" / "mtd.rules.yml").read_text())
    named = {
        rule["annotations"]["runbook"]
        for group in rules["groups"]
        for rule in group["rules"]
        if "runbook" in rule.get("annotations", {})
    }
    assert named
    assert {target for target in named if not (ROOT / target).is_file()} == set()


@page
def test_its_metrics_are_there(page: Path) -> None:
    named = set(re.findall(r"\bmtd_[a-z0-9_]+", page.read_text()))
    assert {name for name in named if f'"{name}"' not in SOURCES} == set()


@page
def test_its_events_are_told_by_something(page: Path) -> None:
    named = set(re.findall(r"`((?:collector|device)\.[a-z_.]+)`", page.read_text()))
    assert {name for name in named - AS_MADE if f'"{name}"' not in SOURCES} == set()


@page
def test_its_commands_exist(page: Path) -> None:
    commands = re.findall(r"`(mtd [a-z][^`]*)`", page.read_text())
    for command in commands:
        found: click.Command | None = main
        words = shlex.split(command)[1:]
        while words and isinstance(found, click.Group):
            name = words.pop(0)
            found = found.get_command(click.Context(found), name)
            assert found is not None, f"{command}: there is no {name!r}"
        assert found is not None
        options = {option for one in found.params for option in one.opts}
        for word in words:
            assert not word.startswith("-") or word in options, f"{command}: there is no {word}"


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
