from __future__ import annotations

import types
from collections.abc import Iterable
from dataclasses import replace
from importlib.metadata import Distribution, EntryPoint
from typing import Any

import pytest

from mtd.model.labels import LabelSource
from mtd.plugin import API_VERSION, Collector, Labels, hookimpl
from mtd.plugin.config import PluginConfig
from mtd.plugin.manager import PluginManager
from mtd.testing.contract import make_device
from tests.unit.plugin.conftest import FLAPS, PORTS, PORTS_EGG, TABLE


class FakeDistribution(Distribution):
    """A distribution that is nowhere."""

    def __init__(self, name: str) -> None:
        self._name = name

    @property
    def name(self) -> str:
        return self._name

    @property
    def version(self) -> str:
        return "3.1"

    def read_text(self, filename: str) -> str | None:
        return None

    def locate_file(self, path: Any) -> Any:
        return path


class FakeEntryPoint(EntryPoint):
    """An entry point that loads what it was given."""

    def load(self) -> Any:
        plugin = vars(self)["plugin"]
        if isinstance(plugin, BaseException):
            raise plugin
        return plugin


def entry_point(
    name: str, plugin: object, distribution: str = "mtd-collector-test", value: str = ""
) -> EntryPoint:
    made = FakeEntryPoint(name=name, value=value or f"{name}:plugin", group="mtd")
    vars(made).update(plugin=plugin, dist=FakeDistribution(distribution))
    return made


def module(**content: object) -> types.ModuleType:
    made = types.ModuleType("egg")
    vars(made).update(content)
    return made


def egg(*collectors: object) -> types.ModuleType:
    @hookimpl
    def mtd_collectors() -> list[object]:
        return list(collectors)

    return module(mtd_collectors=mtd_collectors)


def load(
    *found: EntryPoint, blocked: Iterable[str] = (), environment: dict[str, str] | None = None
) -> PluginManager:
    return PluginManager.load(blocked, environment=environment or {}, found=found)


def other(name: str = "other", scope: str = "other") -> Collector:
    flaps = replace(FLAPS, key=f"{scope}.flaps_total")
    return Collector(
        name=name, api=1, description="Other.", menus=(replace(PORTS, scope=scope, fields=(flaps,)),)
    )


def test_plugins_bring_collectors_and_the_catalogue_is_made_of_them() -> None:
    manager = load(entry_point("ports", egg(PORTS_EGG)), entry_point("other", egg(other())))
    assert [collector.name for collector in manager.collectors] == ["other", "ports"]
    assert manager.problems == ()
    assert [(info.name, info.distribution, info.version, info.loaded) for info in manager.plugins] == [
        ("other", "mtd-collector-test", "3.1", True),
        ("ports", "mtd-collector-test", "3.1", True),
    ]
    assert manager.collectors[0].version == "3.1"
    assert manager.catalogue.collector_of("port.rx_bps") == "ports"


def test_the_eggs_of_this_project_are_found_and_have_no_problems() -> None:
    manager = PluginManager.load(environment={})
    assert manager.problems == ()
    assert {"interfaces", "system"} <= {collector.name for collector in manager.collectors}


def test_the_catalogue_knows_the_tables_that_name_things() -> None:
    titled = replace(TABLE, table="socket", scope="other", labels=Labels(name="title", comment="place"))
    named = replace(other(), menus=(*other().menus, titled))
    manager = load(entry_point("ports", egg(PORTS_EGG)), entry_point("other", egg(named)))
    assert manager.catalogue.labels == (
        LabelSource("other", "socket", "title", "place"),
        LabelSource("port", "port"),
    )
    [mine] = {
        source for source in PluginManager.load(environment={}).catalogue.labels if source.scope == "iface"
    }
    assert mine == LabelSource("iface", "interface")


def test_a_table_names_the_rows_of_one_collector() -> None:
    taken = replace(other(), menus=(*other().menus, replace(TABLE, scope="other")))
    manager = load(entry_point("a", egg(PORTS_EGG)), entry_point("b", egg(taken)))
    assert [collector.name for collector in manager.collectors] == ["ports"]
    assert "table port of collector ports names rows already" in manager.problems[0]


@pytest.mark.parametrize(
    ("plugin", "problem"),
    [
        (ImportError("no module named x"), "ImportError: no module named x"),
        (egg("text"), "has to return Collectors, not str"),
        (module(), "implements no hook"),
        (egg(), "brings nothing"),
        (egg(replace(PORTS_EGG, api=API_VERSION + 1)), "was written for plugin API"),
        (egg(replace(PORTS_EGG, menus=())), "declares no menu"),
    ],
)
def test_a_plugin_that_is_wrong_is_left_out_with_a_reason(plugin: object, problem: str) -> None:
    manager = load(entry_point("bad", plugin), entry_point("good", egg(other())))
    assert [collector.name for collector in manager.collectors] == ["other"]
    [told] = manager.problems
    assert told.startswith("plugin bad of mtd-collector-test: ")
    assert problem in told


def test_a_hook_that_mtd_does_not_call_is_a_mistake() -> None:
    plugin = egg(PORTS_EGG)

    @hookimpl
    def mtd_colectors() -> list[object]:
        return []

    vars(plugin).update(mtd_colectors=mtd_colectors)
    manager = load(entry_point("typo", plugin), entry_point("good", egg(other())))
    assert "mtd_colectors" in manager.problems[0]
    assert [collector.name for collector in manager.collectors] == ["other"]


def test_a_hook_that_raises_leaves_out_its_plugin_only() -> None:
    @hookimpl
    def mtd_collectors() -> list[object]:
        raise ZeroDivisionError("by nought")

    manager = load(
        entry_point("bad", module(mtd_collectors=mtd_collectors)), entry_point("good", egg(other()))
    )
    assert "ZeroDivisionError: by nought" in manager.problems[0]
    assert len(manager.collectors) == 1


def test_two_plugins_of_one_name_are_told_with_their_distributions() -> None:
    manager = load(
        entry_point("ports", egg(other()), "acme-ports"),
        entry_point("ports", egg(PORTS_EGG), "mtd-collector-ports"),
    )
    assert [collector.name for collector in manager.collectors] == ["ports"]
    assert manager.problems == (
        "plugin ports of acme-ports: mtd-collector-ports brings a plugin of this name already: uninstall one",
    )


def test_two_collectors_can_not_share_a_name_or_a_key() -> None:
    manager = load(
        entry_point("a", egg(PORTS_EGG)),
        entry_point("b", egg(PORTS_EGG)),
        entry_point("c", egg(other("c", "port"))),
    )
    assert [collector.name for collector in manager.collectors] == ["ports"]
    assert "another collector has this name" in manager.problems[0]
    assert "port.flaps_total of c is declared by ports already" in manager.problems[1]


def test_an_editable_install_that_is_found_twice_is_one_plugin() -> None:
    twice = [entry_point("ports", egg(PORTS_EGG)) for _ in range(2)]
    assert load(*twice).problems == ()


@pytest.mark.parametrize(
    ("options", "loaded"),
    [
        ({}, {"ports", "other"}),
        ({"blocked": ["ports"]}, {"other"}),
        ({"blocked": ["third-party"]}, {"ports"}),
        ({"environment": {"MTD_BLOCK_PLUGINS": "third-party, nothing"}}, {"ports"}),
        ({"environment": {"MTD_BLOCK_PLUGINS": "ports,other"}}, set()),
    ],
)
def test_plugins_are_blocked_by_name_or_origin(options: dict[str, Any], loaded: set[str]) -> None:
    found = [
        entry_point("ports", egg(PORTS_EGG), "mtd-collector-ports"),
        entry_point(
            "other",
            egg(other()) if "other" in loaded else AssertionError("a blocked plugin was imported"),
            "acme",
        ),
    ]
    manager = load(*found, **options)
    assert {collector.name for collector in manager.collectors} == loaded
    assert {info.name for info in manager.plugins if info.blocked} == {"ports", "other"} - loaded
    assert manager.problems == ()


def test_settings_block_too() -> None:
    found = [entry_point("ports", egg(PORTS_EGG))]
    manager = PluginManager.load(settings=PluginConfig(blocked=("ports",)), environment={}, found=found)
    assert manager.collectors == ()
    assert len(manager.catalogue) == 0


def test_a_manager_makes_mappers() -> None:
    manager = PluginManager.of(PORTS_EGG)
    assert manager.mapper(make_device()).device.name == "edge-1"
    with pytest.raises(ValueError, match="declares no menu"):
        PluginManager.of(replace(PORTS_EGG, menus=()))
