"""``mtd size`` tells the figures of the requirements, and which of its own were measured."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from mtd.app import sizing
from mtd.model.sizing import DEFAULTS_FROM, Cost, Costs
from tests.unit.cli.conftest import Commands


def test_the_reference_load(mtd: Commands) -> None:
    told = json.loads(mtd("size", "--routers", "3", "--t0-interfaces", "all", "--json").output)
    assert (told["points_per_s"], told["points_per_day"], told["series"]) == (390.0, 33_696_000, 390)
    assert set(told["disk_bytes"]) == {"6", "12", "24"}
    cost = told["costs"]["sql"]
    assert cost["from"].startswith("docs/performance.md")
    # 90 days of raw values, whatever the months.
    assert told["disk_bytes"]["6"]["telemetry_block"] == pytest.approx(
        33_696_000 * 90 * cost["value"], rel=1e-3
    )
    assert told["machine"]["class_routers"] == "10-50"
    for months in told["disk_bytes"].values():
        assert months["total"] == pytest.approx(sum(months.values()) - months["total"], abs=10)
        assert "telemetry_axis" not in months
    assert told["partitions"]["telemetry_frame"] == 50
    assert told["partitions"]["telemetry_axis"] == 5
    assert told["counted_within"] == {"telemetry_axis": "telemetry_block"}


def test_it_reads_well(mtd: Commands) -> None:
    output = mtd("size", "--routers", "400", "--interfaces", "48", "--interval", "5").output
    # 400 routers x (10 x 4 + 10) values each five seconds, and 38 x 4 each ten.
    assert "10,080 points/s" in output
    assert "10 interfaces of each router at the live tier" in output
    for word in (
        "telemetry_block",
        "telemetry_axis",
        "in the above",
        "after 24 months",
        "write-ahead log",
        "300-2000+",
        "defaults",
    ):
        assert word in output


def test_retention_can_be_said(mtd: Commands) -> None:
    told = json.loads(
        mtd(
            "size", "--routers", "3", "--t0-interfaces", "all", "--retention", "raw=30d,1m=1y", "--json"
        ).output
    )
    assert told["retention_days"]["raw"] == 30
    assert told["retention_days"]["rollup_1m"] == 365
    assert (
        "there are raw, dense, 10s"
        in mtd("size", "--routers", "3", "--t0-interfaces", "all", "--retention", "x=1d", code=2).output
    )


def test_what_was_measured_here_is_marked(mtd: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sizing, "measured_costs", lambda *_: {"sql": 1.5, "dense": None})
    told = json.loads(mtd("size", "--routers", "3", "--t0-interfaces", "all", "--measured", "--json").output)
    assert told["costs"]["sql"] == {"value": 1.5, "from": "measured here"}
    assert told["costs"]["dense"]["from"] != "measured here"
    assert told["disk_bytes"]["6"]["telemetry_block"] == 33_696_000 * 90 * 1.5
    assert (
        "measured here: sql 1.50"
        in mtd("size", "--routers", "3", "--t0-interfaces", "all", "--measured").output
    )


def test_memory_is_reckoned_with_what_was_measured(mtd: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    ram = {}
    for hot in (10.0, 30.0):
        monkeypatch.setattr(sizing, "measured_costs", lambda *_, hot=hot: {"hot": hot})
        told = json.loads(
            mtd("size", "--routers", "3", "--t0-interfaces", "all", "--measured", "--json").output
        )
        ram[hot] = told["machine"]["ram_bytes"]
    assert ram[30.0] - ram[10.0] == 390 * 3600 * 20


def test_partitions_are_made_as_configured(
    mtd: Commands, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sizing, "measured_costs", lambda *_: {})
    config = tmp_path / "mtd.toml"
    config.write_text(
        "[database.partitions]\nahead_hours = 5\nahead_days = 2\n"
        "[database.retention.classes.short]\nmetrics = ['system.*']\nraw_days = 7\n"
    )
    told = json.loads(
        mtd("size", "--routers", "3", "--t0-interfaces", "all", "-c", str(config), "--json").output
    )
    assert told["partitions"]["telemetry_frame"] == 7
    assert told["partitions"]["telemetry_block"] == 2 * 92
    assert told["partitions"]["event"] == 25


def test_no_more_interfaces_are_live_than_the_limits_allow(mtd: Commands, tmp_path: Path) -> None:
    def live(*arguments: str) -> int:
        told = json.loads(mtd("size", "--routers", "3", "--defaults", *arguments, "--json").output)
        found: int = told["t0_interfaces"]
        return found

    assert live() == 10
    assert live("--interfaces", "7") == 7
    assert live("--t0-interfaces", "all") == 30
    assert live("--t0-interfaces", "5") == 5
    assert live("--t0-metrics", "30") == 6  # 190 values are left for them
    assert (
        "neither a number nor 'all'" in mtd("size", "--routers", "3", "--t0-interfaces", "x", code=2).output
    )


def test_what_is_live_is_as_configured(
    mtd: Commands, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sizing, "measured_costs", lambda *_: {})
    config = tmp_path / "mtd.toml"
    config.write_text("[t0]\ninterfaces = 20\n")
    told = json.loads(mtd("size", "--routers", "3", "-c", str(config), "--json").output)
    assert told["t0_interfaces"] == 20


def test_help_has_examples(mtd: Commands) -> None:
    assert "mtd size --routers 300 --interfaces 48" in mtd("size", "--help").output


STORAGE = (Path(__file__).resolve().parents[3] / "docs/performance.md").read_text()


def test_what_the_defaults_come_from_is_there() -> None:
    named = re.search(r'^(\S+), section "([^"]+)"', DEFAULTS_FROM)
    assert named is not None
    document = Path(__file__).resolve().parents[3] / named[1]
    assert f"\n## {named[2]}\n" in document.read_text()


@pytest.mark.parametrize(
    ("name", "cost"),
    [(name, cost) for name, cost in Costs().items() if name != "event"],
    ids=str,
)
def test_the_section_tells_the_defaults(name: str, cost: Cost) -> None:
    section = STORAGE.partition("\n## Storage\n")[2].partition("\n## ")[0]
    assert re.search(rf"(?<![\d.]){re.escape(f'{cost.value:g}')}(?!\d)", section), f"{name} {cost.value}"
