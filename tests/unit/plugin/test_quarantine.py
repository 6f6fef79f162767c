from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace

import pytest

from mtd.model.command import Rows
from mtd.model.device import Severity
from mtd.model.metric import DEFAULT_INTERVAL_S, Tier
from mtd.model.observation import Observation
from mtd.plugin import Collector, metrics
from mtd.plugin.config import PluginConfig
from mtd.testing.observations import all_values, values_of
from tests.unit.plugin.conftest import BYTES, PORTS, PORTS_EGG, Scene, port


class Broken(Exception):
    """What the egg of these tests raises."""


def collector_that_raises(name: str, raises: list[bool]) -> Collector:
    """Return a collector that raises for as long as the list holds True."""

    def transform(rows: Rows) -> Rows:
        if raises[0]:
            raise Broken("no such thought")
        return rows

    counter = replace(BYTES, key="shaky.rx_bytes_total", rate=replace(BYTES.rate, key="shaky.rx_bps"))  # type: ignore[type-var]
    menu = replace(
        PORTS, path="/shaky", scope="shaky", fields=(counter,), reads=("byte",), transform=transform
    )
    return Collector(name=name, api=1, description="Raises.", menus=(menu,))


def events(observation: Observation) -> list[str]:
    return [change.event_type for change in observation.state_changes]


def poll(scene: Scene, at: float, *, byte: int = 0) -> Observation:
    return scene.poll(Tier.T0, at, port=[port(1, byte=byte)], shaky=[{".id": "*1", "byte": byte}])


def test_a_collector_that_raises_rests_and_the_others_go_on(
    make_scene: Callable[..., Scene], caplog: pytest.LogCaptureFixture
) -> None:
    raises = [False]
    scene = make_scene(PORTS_EGG, collector_that_raises("shaky_once", raises))
    poll(scene, 0.0)
    raises[0] = True
    before = metrics.QUARANTINED.labels("shaky_once")._value.get()
    with caplog.at_level(logging.ERROR):
        observation = poll(scene, 1.0, byte=100)
    [event] = observation.state_changes
    assert (event.event_type, event.severity, event.entity_id) == (
        "collector.quarantined",
        Severity.WARNING,
        "shaky_once.ports",
    )
    assert "Broken: no such thought" in event.message
    assert metrics.QUARANTINED.labels("shaky_once")._value.get() == before + 1
    assert values_of(observation.frame)["port.rx_bps[*1]"] == 800.0
    assert not any(name.startswith("shaky") for name in all_values(observation.frame))
    assert "/shaky/print" not in [command.path for command in scene.mapper.commands(Tier.T0)]
    assert "Broken" in caplog.text
    assert "transform" in caplog.text


def test_it_is_tried_again_later_and_rests_longer_each_time(make_scene: Callable[..., Scene]) -> None:
    raises = [True]
    settings = PluginConfig(quarantine_first_s=100.0, quarantine_cap_s=150.0)
    scene = make_scene(collector_that_raises("shaky_again", raises), mapper={"settings": settings})
    assert events(poll(scene, 0.0)) == ["collector.quarantined"]
    assert events(poll(scene, 99.0)) == []
    scene.clock.at = 100.0
    assert events(poll(scene, 100.0)) == ["collector.quarantined"]
    assert events(poll(scene, 249.0)) == []
    raises[0] = False
    scene.clock.at = 250.0
    observation = poll(scene, 250.0, byte=7)
    assert events(observation) == ["collector.released"]
    assert values_of(observation.frame) == {"shaky.rx_bytes_total[*1]": 7}
    raises[0] = True
    assert "100 s" in poll(scene, 251.0).state_changes[0].message


def test_what_it_held_is_forgotten(make_scene: Callable[..., Scene]) -> None:
    raises = [False]
    settings = PluginConfig(quarantine_first_s=1.0)
    scene = make_scene(collector_that_raises("shaky_state", raises), mapper={"settings": settings})
    poll(scene, 0.0, byte=0)
    raises[0] = True
    poll(scene, 1.0, byte=10)
    raises[0] = False
    scene.clock.at = 2.0
    assert all_values(poll(scene, 2.0, byte=20).frame)["shaky.rx_bps[*1]"] is None


def test_one_mistake_is_logged_once_for_all_devices(
    make_scene: Callable[..., Scene], caplog: pytest.LogCaptureFixture
) -> None:
    shaky = collector_that_raises("shaky_everywhere", [True])
    with caplog.at_level(logging.ERROR):
        observed = [events(poll(make_scene(shaky, name=f"r{number}"), 0.0)) for number in range(5)]
    assert observed == [["collector.quarantined"]] * 5
    assert caplog.text.count("Traceback") == 1


def test_a_mistake_in_a_slow_menu_costs_the_fast_ones_nothing(make_scene: Callable[..., Scene]) -> None:
    shaky = collector_that_raises("shaky_menu", [True])
    slow = replace(shaky.menus[0], name="slow", tier=Tier.T2)
    egg = replace(shaky, menus=(PORTS, slow))
    settings = PluginConfig(quarantine_first_s=100.0, quarantine_cap_s=400.0)
    intervals = {**DEFAULT_INTERVAL_S, Tier.T0: 10.0}
    scene = make_scene(egg, mapper={"settings": settings, "intervals_s": intervals})
    told: list[tuple[float, str]] = []
    frames = 0
    for second in range(0, 1000, 10):
        at = float(second)
        scene.clock.at = at
        observed = [poll(scene, at, byte=second)]
        if second % 50 == 0:
            observed.append(scene.poll(Tier.T2, at, shaky=[{".id": "*1", "byte": second}]))
        frame = observed[0].frame
        if frame is not None and values_of(frame).get("port.rx_bytes_total[*1]") == second:
            frames += second == 0 or values_of(frame)["port.rx_bps[*1]"] == 8.0
        told += [(at, change.message) for seen in observed for change in seen.state_changes]
    assert frames == 100
    # The rest doubles, though the collector's other menu is mapped all the time.
    assert [(at, message.rsplit(" ", 2)[1]) for at, message in told] == [
        (0.0, "100"),
        (100.0, "200"),
        (300.0, "400"),
        (700.0, "400"),
    ]
    assert all("shaky_menu.slow failed" in message for _, message in told)


def test_it_works_again_when_the_menu_that_failed_does(make_scene: Callable[..., Scene]) -> None:
    raises = [True]
    shaky = collector_that_raises("shaky_back", raises)
    egg = replace(shaky, menus=(PORTS, replace(shaky.menus[0], name="slow", tier=Tier.T2)))
    scene = make_scene(egg, mapper={"settings": PluginConfig(quarantine_first_s=10.0)})
    scene.poll(Tier.T2, 0.0, shaky=[])
    raises[0] = False
    scene.clock.at = 20.0
    assert events(poll(scene, 20.0)) == []
    [back] = scene.poll(Tier.T2, 21.0, shaky=[]).state_changes
    assert (back.event_type, back.entity_id) == ("collector.released", "shaky_back.slow")
