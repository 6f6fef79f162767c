"""How long the series of a question are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest

from mtd.codec.rollups import encode, gauge_buckets
from mtd.queries.history.keeping import Keeping
from mtd.queries.history.rolled import Rollups
from mtd.queries.resolution import DAY_US, HOUR_US, Kept, Resolution, plan_range
from mtd.storage.config import RetentionConfig
from mtd.storage.errors import StorageUnavailable

if TYPE_CHECKING:
    from mtd.storage.cold.connection import ColdConnection

NOW = 20_000 * DAY_US
PORTS = {"metrics": ["iface.*"], "tenants": ["backbone"], "raw_days": 365, "rollup_10s_days": 730}


class Tenants:
    def fetch(self, sql: str, params: Any = None) -> list[tuple[str, str]]:
        return [("1", "backbone"), ("2", "other")]


def kept(tenant: str, *metrics: str) -> Kept:
    keeping = Keeping(RetentionConfig.model_validate({"classes": {"core": PORTS}}))
    assert keeping.longest.raw_days == 365
    return keeping.of_all(cast("ColdConnection", Tenants()), tenant, metrics)


def test_the_class_of_the_chosen_series_counts_and_the_shortest_of_several() -> None:
    assert kept("1", "iface.rx_bytes_total") == Kept(
        365, dict(Kept().rollup_days) | {Resolution.TEN_SECONDS: 730}
    )
    for tenant, metrics in (("1", ["a"]), ("2", ["iface.rx"]), ("1", ["iface.rx", "a"])):
        assert kept(tenant, *metrics) == Kept()
    start = NOW - 120 * DAY_US
    for metric, expected in (("iface.rx", Resolution.RAW), ("a", Resolution.TEN_SECONDS)):
        plan = plan_range(Resolution.AUTO, start, start + HOUR_US, 600, 60, NOW, kept("1", metric))
        assert plan.resolution is expected


def test_without_classes_all_is_kept_alike() -> None:
    keeping = Keeping(RetentionConfig(raw_days=7))
    assert keeping.of_all(cast("ColdConnection", None), "1", ["a"]) == keeping.longest
    assert keeping.longest.raw_days == 7


def test_rollups_are_unpacked_series_by_series() -> None:
    packed = encode(gauge_buckets(np.array([1000]), np.array([2.0]), 10, 0, 6))
    rollups = Rollups({1: [(0, b"never unpacked")], 2: [(0, packed)]})
    (part,) = rollups.of(2)
    assert part.maximum[0] == 2.0


def test_who_unpacks_is_asked_before_each_piece() -> None:
    packed = encode(gauge_buckets(np.array([1000]), np.array([2.0]), 10, 0, 6))
    asked: list[int] = []

    def check() -> None:
        asked.append(1)
        if len(asked) > 2:
            raise StorageUnavailable("nobody waits")

    with pytest.raises(StorageUnavailable):
        list(Rollups({1: [(0, packed)] * 5}, check).of(1))
    assert len(asked) == 3
