"""Every answer of a real router whose menu an egg declares goes through codec and egg without error.

What is expected of those in the table was read from the captures by hand.
Without MTD_ROSDATA there are none, and the tests are skipped.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import pytest

from mtd.model.metric import Tier
from mtd.model.observation import Observation
from mtd.plugin import Collector, Menu
from mtd.plugin.manager import PluginManager
from mtd.testing.observations import events_of, values_of
from tests.contract.captured import Captured, Captures, able_mapper_of, captured_files, poll
from tests.contract.rosdata_expected import EXPECTED

pytestmark = pytest.mark.rosdata

MANAGER = PluginManager.load(blocked=["third-party"], environment={})
FILES = list(captured_files())
# Twice: monitors are asked once the ids are known, and counters have rates then.
MOMENTS = (0.0, 60.0)


def readers(command: str) -> dict[str, list[Menu]]:
    """Return the menus that read a command, by the name of their collector."""
    found: dict[str, list[Menu]] = {}
    for collector in MANAGER.collectors:
        for menu in collector.menus:
            companions = {companion.command_path for companion in menu.companions}
            if command in {menu.command_path, *companions}:
                found.setdefault(collector.name, []).append(menu)
    return found


CASES = [(capture, name) for capture in FILES for name in sorted(readers(capture.command))]
CASE_IDS = [f"{name}-{capture.name}" for capture, name in CASES]


def collector_called(name: str) -> Collector:
    return next(collector for collector in MANAGER.collectors if collector.name == name)


def surroundings(collector: Collector, menus: list[Menu], capture: Captured) -> dict[str, Any]:
    """Return the capture with what has to be there besides: a monitor is asked for rows of a table, which have names."""
    rows = capture.rows()
    if any(menu.numbers_of and menu.keyed_by_name for menu in menus):
        # People leave the name out where they asked for one thing only.
        rows = [{"name": "x"} | row for row in rows]
    found: dict[str, Any] = {capture.command: rows}
    for menu in menus:
        if any(companion.needed for companion in menu.companions):
            # What carries the rows of others: every router has it.
            found.setdefault(menu.command_path, [{"uptime": "1d"}])
        if not menu.numbers_of:
            continue
        [table] = [other for other in collector.menus if other.name == menu.numbers_of]
        named = [{".id": f"*{number + 1:X}", "name": row.get("name", "x")} for number, row in enumerate(rows)]
        found[table.command_path] = named
        scope = [other for other in collector.menus if other.scope == menu.scope and other.labels is not None]
        found |= {other.command_path: named for other in scope}
    return found


def play(collector: Collector, menus: list[Menu], captures: Captures) -> list[Observation]:
    """Poll all tiers that have to do with it, some times."""
    mapper = able_mapper_of(collector)
    tiers = sorted({menu.tier for menu in menus} | {Tier.T1, Tier.T2})
    return [poll(mapper, tier, at, captures) for at in MOMENTS for tier in tiers]


def brought(observations: list[Observation]) -> dict[str, Any]:
    """Return the last values, tables and documents that observations brought."""
    values: dict[str, float] = {}
    tables: dict[str, dict[str, Mapping[str, str]]] = {}
    documents: dict[str, Any] = {}
    for observation in observations:
        values |= values_of(observation.frame)
        for change in observation.tables:
            tables.setdefault(change.table, {}).update(change.upserted)
        documents |= {document.kind: json.loads(document.content) for document in observation.documents}
    return {"values": values, "tables": tables, "documents": documents}


@pytest.mark.parametrize(("capture", "name"), CASES, ids=CASE_IDS)
def test_rosdata_goes_through_codec_and_egg(capture: Captured, name: str) -> None:
    collector, menus = collector_called(name), readers(capture.command)[name]
    observations = play(collector, menus, surroundings(collector, menus, capture))
    for observation in observations:
        assert events_of(observation, "collector.quarantined") == []
        assert all(math.isfinite(value) for value in values_of(observation.frame).values())


@pytest.mark.skipif(not FILES, reason="MTD_ROSDATA names no folder with captures of real routers")
def test_rosdata_has_captures_of_many_menus() -> None:
    assert len({capture.command for capture, _ in CASES}) >= 30


@pytest.mark.skipif(not FILES, reason="MTD_ROSDATA names no folder with captures of real routers")
@pytest.mark.parametrize(("file", "name"), EXPECTED, ids=str)
def test_rosdata_gives_the_values_that_were_read_from_it_by_hand(file: str, name: str) -> None:
    [capture] = [found for found in FILES if found.name == file]
    collector, menus = collector_called(name), readers(capture.command)[name]
    found = brought(play(collector, menus, surroundings(collector, menus, capture)))
    expected = EXPECTED[file, name]
    for series, value in expected.get("values", {}).items():
        assert found["values"].get(series) == pytest.approx(value), series
    for table, rows in expected.get("tables", {}).items():
        for key, fields in rows.items():
            row = found["tables"].get(table, {}).get(key, {})
            assert {field: row.get(field) for field in fields} == fields, (table, key)
    for kind, document in expected.get("documents", {}).items():
        assert found["documents"].get(kind) == document, kind
