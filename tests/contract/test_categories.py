"""The eighteen categories, as `mtd plugins list` and `mtd catalogue` tell them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner

from mtd.cli import main
from mtd.model.metric import Kind, Tier, Unit

CATEGORIES = {
    "audit",
    "containers",
    "dhcp",
    "files",
    "firewall",
    "interfaces",
    "ip",
    "logging",
    "lte",
    "ppp",
    "queues",
    "routing",
    "services",
    "system",
    "timing",
    "tools",
    "users",
    "wireless",
}


def said(*arguments: str) -> Any:
    result = CliRunner().invoke(main, [*arguments, "--json"], env={"MTD_BLOCK_PLUGINS": "third-party"})
    assert result.exit_code == 0, result.output
    return json.loads(result.output)


@pytest.fixture(scope="module")
def listed() -> list[dict[str, Any]]:
    found = said("plugins", "list")
    assert found["problems"] == []
    return found["plugins"]


def test_there_are_eighteen_categories(listed: list[dict[str, Any]]) -> None:
    assert {plugin["name"] for plugin in listed} == CATEGORIES
    assert len(listed) == 18


def test_each_tells_tiers_menus_metrics_and_cost(listed: list[dict[str, Any]]) -> None:
    for plugin in listed:
        name = plugin["name"]
        assert plugin["tiers"] == sorted({menu["tier"] for menu in plugin["menus"]}), name
        assert plugin["metrics"] == len(plugin["metric_keys"]) > 0, name
        assert set(plugin["cost"]) == set(plugin["tiers"]), name
        for tier, cost in plugin["cost"].items():
            menus = [menu for menu in plugin["menus"] if menu["tier"] == tier]
            companions = sum(len(menu["with"]) for menu in menus)
            assert 0 < cost["commands"] <= len(menus) + companions, (name, tier)
            assert cost["properties"] >= cost["commands"], (name, tier)
            assert cost["max_rows"] > 0, (name, tier)
            assert cost["commands_per_hour"] > 0, (name, tier)
        for menu in plugin["menus"]:
            assert menu["properties"], (name, menu["name"])
            assert menu["rights"], (name, menu["name"])


def test_every_metric_of_the_catalogue_has_unit_kind_and_tier(listed: list[dict[str, Any]]) -> None:
    metrics = said("catalogue")["metrics"]
    for metric in metrics:
        assert Unit(metric["unit"])
        assert Kind(metric["kind"])
        assert Tier(metric["tier"])
    assert {metric["key"] for metric in metrics} == {
        key for plugin in listed for key in plugin["metric_keys"]
    }
