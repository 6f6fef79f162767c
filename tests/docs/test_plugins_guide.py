"""The guide for plugin authors says what is so."""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path

from mtd.model.metric import DEFAULT_INTERVAL_S, Tier, Unit
from mtd.plugin.checks import ENDINGS
from mtd.plugin.declaration import Parse, TableKind
from mtd.plugin.manager import BLOCK_VARIABLE, OWN_PREFIX, THIRD_PARTY
from mtd.plugin.spec import PluginSpecs

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs/plugins.md").read_text(encoding="utf-8")
SECONDS = {"s": 1, "min": 60}


def test_every_hook_is_described_with_its_version() -> None:
    hooks = {name: hook for name, hook in vars(PluginSpecs).items() if name.startswith("mtd_")}
    assert hooks
    for name, hook in hooks.items():
        since = re.search(r"\.\. versionadded:: (\S+)", inspect.getdoc(hook) or "")
        assert since is not None, name
        assert f"| `{name}()` | {since[1]} |" in GUIDE
        assert "Example::" in (inspect.getdoc(hook) or "")


def test_every_kind_of_table_is_described() -> None:
    assert [kind.name for kind in TableKind if f"| `{kind.name}` |" not in GUIDE] == []


def test_the_tiers_are_as_often_as_it_says() -> None:
    told = {
        Tier(tier.lower()): float(number) * SECONDS[unit]
        for tier, number, unit in re.findall(r"^\| (T\d) \| (\d+) (s|min) \|", GUIDE, re.MULTILINE)
    }
    assert told == DEFAULT_INTERVAL_S


def test_its_sample_is_json_with_the_fields_that_it_explains() -> None:
    [block] = re.findall(r"```json\n(.*?)```", GUIDE, re.DOTALL)
    sample = json.loads(block)
    explained = set(re.findall(r"`(\w+)`", GUIDE.partition("```json")[2].partition("```\n")[2]))
    for poll in sample["polls"]:
        assert {"at", "menus", *poll["expect"]} <= explained | {"tier"}


def test_it_lists_how_the_keys_of_each_unit_end() -> None:
    cells = re.findall(r"\| ((?:`[A-Z_]+`(?:, )?)+) \| (`_\w+`|anything) ", GUIDE)
    told = {unit: ending.strip("`") for units, ending in cells for unit in re.findall(r"[A-Z_]+", units)}
    assert told == {unit.name: (ENDINGS[unit][0] if unit in ENDINGS else "anything") for unit in Unit}


def test_it_names_each_way_to_read_a_number() -> None:
    named = set(re.findall(r"Parse\.([A-Z]+)", GUIDE))
    assert named == {parse.name for parse in Parse} - {Parse.DECIMAL.name}


def test_names_in_it_are_those_of_the_code() -> None:
    for name in (
        BLOCK_VARIABLE,
        THIRD_PARTY,
        OWN_PREFIX,
        "scripts/catalogue_lock.py",
        "make new-plugin",
        "--distribution",
    ):
        assert name in GUIDE
