"""No metric without a sample that feeds it: a key that nothing ever fills promises what isn't there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from mtd.model.metric import Kind, Unit
from mtd.plugin import Collector
from mtd.plugin.manager import PluginManager
from mtd.testing.contract import Replay
from mtd.testing.observations import values_of

PLUGINS = Path(__file__).resolve().parents[2] / "plugins"
MANAGER = PluginManager.load(blocked=["third-party"], environment={})


def fed_by(collector: Collector) -> Iterator[str]:
    """Yield the keys that have a value somewhere in a collector's samples."""
    folder = PLUGINS / f"mtd-collector-{collector.name.replace('_', '-')}" / "samples"
    for path in folder.glob("*.json"):
        sample = json.loads(path.read_text(encoding="utf-8"))
        replay = Replay(collector, sample)
        for poll in sample["polls"]:
            for series in values_of(replay.poll(poll).frame):
                yield series.partition("[")[0]


@pytest.mark.parametrize("collector", MANAGER.collectors, ids=lambda collector: collector.name)
def test_every_key_of_the_catalogue_has_a_sample_that_feeds_it(collector: Collector) -> None:
    assert set(fed_by(collector)) == {metric.key for metric in collector.metrics()}


def test_every_metric_says_what_it_is() -> None:
    for metric in MANAGER.catalogue.metrics.values():
        assert isinstance(metric.kind, Kind)
        assert isinstance(metric.unit, Unit)
        assert metric.tier
        assert metric.description.endswith("."), metric.key
        assert bool(metric.states) is (metric.kind is Kind.STATE), metric.key
