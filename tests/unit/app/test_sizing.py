"""What sizing takes from an installation."""

from __future__ import annotations

import pytest

from mtd.app.config import Settings
from mtd.app.sizing import configured_partitioning, configured_retention, costs_of
from mtd.model.sizing import Partitioning
from mtd.storage.cold.status import StorageStatus, Stored, Usage


def test_costs_are_those_of_all_classes_together() -> None:
    status = StorageStatus(
        stored=[
            Stored("hot", "", 2_000_000, 30_000_000),
            Stored("readable", "standard", 6_000_000, 12_000_000),
            Stored("readable", "short", 2_000_000, 8_000_000),
            Stored("dense", "standard", 2_000_000, 2_000_000),
            Stored("rollup_10s", "standard", 100_000, 800_000),
        ],
        axis_bytes=1_000_000,
        usage=[Usage("event", "", live_rows=20_000, total_bytes=8_000_000)],
    )
    assert costs_of(status) == pytest.approx(
        {"hot": 15.0, "sql": 20 / 8 + 0.1, "dense": 1.1, "rollup_10s": 8.0, "event": 400.0}
    )


def test_too_little_tells_nothing() -> None:
    status = StorageStatus(
        stored=[Stored("readable", "standard", 999_999, 2_000_000), Stored("rollup_1m", "standard", 10, 900)],
        axis_bytes=100,
        usage=[Usage("event", "", live_rows=3, total_bytes=16_384)],
    )
    assert set(costs_of(status).values()) == {None}
    assert costs_of(StorageStatus()) == {}


def test_retention_is_as_configured() -> None:
    settings = Settings.model_validate(
        {"database": {"retention": {"raw_days": 30}, "blocks": {"dense_after_days": 7}}}
    )
    kept = configured_retention(settings)
    assert (kept.raw, kept.dense_after, kept.rollup_10s, kept.rollup_5m) == (30, 7, 180, 1825)
    assert kept.events == pytest.approx(730)


def test_partitions_are_as_configured() -> None:
    assert configured_partitioning(Settings()) == Partitioning()
    settings = Settings.model_validate(
        {
            "database": {
                "partitions": {"ahead_hours": 3, "ahead_days": 4},
                "retention": {"classes": {"a": {"metrics": ["x"]}, "b": {"metrics": ["y"]}}},
            }
        }
    )
    assert configured_partitioning(settings) == Partitioning(3, 4, classes=3)
