"""What holds for all eggs in `plugins/` together."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from mtd.plugin.manager import PluginManager
from mtd.testing.contract import EggContract
from mtd.testing.egg_readme import readme_problems
from scripts import catalogue_lock

PLUGINS = Path(__file__).resolve().parents[2] / "plugins"
EGGS = sorted(PLUGINS.glob("mtd-collector-*"))
ALLOWED = ("mtd.plugin", "mtd.model")


@pytest.fixture(scope="module")
def manager() -> PluginManager:
    return PluginManager.load(blocked=["third-party"], environment={})


def package_of(egg: Path) -> Path:
    [package] = egg.glob("mtd_collector_*/")
    return package


def imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    return found


def test_every_egg_is_installed_and_loads(manager: PluginManager) -> None:
    assert EGGS
    assert manager.problems == ()
    # Eggs from elsewhere may be installed as well: the manager blocks them.
    assert {info.distribution for info in manager.plugins if info.loaded} == {egg.name for egg in EGGS}


def test_the_catalogue_keeps_what_it_promised() -> None:
    assert catalogue_lock.problems() == []


@pytest.mark.parametrize("egg", EGGS, ids=lambda egg: egg.name)
def test_an_egg_sees_the_plugin_api_and_the_model_only(egg: Path) -> None:
    own = package_of(egg).name
    for path in package_of(egg).rglob("*.py"):
        for name in imported(path):
            if name.split(".")[0] == "mtd":
                assert name.startswith(ALLOWED), f"{path.name} imports {name}"
            assert name.split(".")[0] in {"mtd", own} or not name.startswith("mtd"), (
                f"{path.name} imports {name}"
            )


@pytest.mark.parametrize("egg", EGGS, ids=lambda egg: egg.name)
def test_an_egg_is_held_to_the_contract(egg: Path) -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in egg.glob("tests/test_*.py"))
    assert f"({EggContract.__name__})" in text
    assert list(egg.glob("samples/*.json"))


@pytest.mark.parametrize("egg", EGGS, ids=lambda egg: egg.name)
def test_the_readme_names_each_menu_tier_and_event(egg: Path, manager: PluginManager) -> None:
    readme = (egg / "README.md").read_text(encoding="utf-8")
    [collector] = [c for c in manager.collectors if c.name == egg.name.removeprefix("mtd-collector-")]
    assert readme_problems(collector, readme) == []


# Not among them: the speed of a link (`rate` of a monitor, `tx-rate`), and settings (`rate-limit`, `lacp-rate`).
MEASURED_RATE = re.compile(r".*-per-second|(?:total-)?(?:packet-)?rate|fp-[rt]x.*")


def test_rates_of_the_router_are_never_read(manager: PluginManager) -> None:
    for collector in manager.collectors:
        for menu in collector.menus:
            read = {name for companion in menu.companions for name in companion.reads}
            read |= set() if menu.command == "monitor" else set(menu.proplist)
            assert [name for name in sorted(read) if MEASURED_RATE.fullmatch(name)] == [], menu.name


def test_dynamic_interfaces_never_become_series(manager: PluginManager) -> None:
    [collector] = [c for c in manager.collectors if c.name == "interfaces"]
    for menu in collector.menus:
        if menu.path == "/interface":
            assert menu.queries == ("dynamic=true", "#!")
