from __future__ import annotations

import datetime as dt

import pytest
from pydantic import ValidationError

from mtd.storage.config import PartitionsConfig, RetentionConfig, StorageConfig
from mtd.storage.partitioned import (
    DAY_US,
    EVENT,
    ROLLUP_1M,
    ROLLUP_10S,
    TELEMETRY_AXIS,
    TELEMETRY_BLOCK,
    TELEMETRY_FRAME,
    Bounds,
    Known,
    Period,
    to_us,
)
from mtd.storage.retention import Retention, RetentionClasses, raw_days_of

NOW = to_us(dt.datetime(2026, 3, 29, 12, 34, tzinfo=dt.UTC))
CLASSES = {
    "core": {"metrics": ["iface.rx_*", "system.cpu.load_pct"], "tenants": ["acme"], "raw_days": 10},
    "acme": {"tenants": ["acme", "00000000-0000-0000-0000-000000000002"], "rollup_1m_days": 7},
    "all_cpu": {"metrics": ["system.cpu.*"], "raw_days": 400},
}


def config(**changes: object) -> RetentionConfig:
    return RetentionConfig.model_validate({"classes": CLASSES, **changes})


def test_the_first_class_that_matches_is_it() -> None:
    classes = RetentionClasses(config(), {"1": "acme"})
    for tenant, metric, expected in (
        ("1", "iface.rx_bytes_total", "core"),
        ("1", "iface.tx_bytes_total", "acme"),
        ("1", "system.cpu.load_pct", "core"),
        ("1", "system.cpu.temperature", "acme"),
        ("2", "system.cpu.load_pct", "all_cpu"),
        ("2", "iface.rx_bytes_total", "standard"),
        ("2", "xsystem.cpu.y", "standard"),
        ("00000000-0000-0000-0000-000000000002", "a", "acme"),
    ):
        assert [classes.of(tenant, metric) for _ in range(2)] == [expected] * 2
    assert RetentionClasses(RetentionConfig()).of("1", "m") == "standard"


@pytest.mark.parametrize(
    ("classes", "days"),
    [
        ({}, 90),
        ({"a": {"tenants": ["acme"], "raw_days": 7}}, 7),
        ({"a": {"tenants": ["1"], "raw_days": 7}}, 7),
        ({"a": {"tenants": ["other"], "raw_days": 7}}, 90),
        ({"a": {"metrics": ["x.*"], "raw_days": 7}}, 90),
        ({"a": {"metrics": ["x.*"], "raw_days": 400}}, 400),
        ({"a": {"metrics": ["x.*"], "raw_days": 30}, "b": {"tenants": ["acme"], "raw_days": 7}}, 30),
        ({"b": {"tenants": ["acme"], "raw_days": 7}, "a": {"metrics": ["x.*"], "raw_days": 30}}, 7),
        ({"a": {"tenants": ["acme"], "rollup_1m_days": 7}}, 90),
    ],
)
def test_how_long_a_tenants_values_are_kept(classes: dict[str, object], days: int) -> None:
    assert raw_days_of(RetentionConfig.model_validate({"classes": classes}), "1", "acme") == days


def test_each_class_has_the_figures_of_all_but_its_own() -> None:
    kept = Retention(config(raw_days=90))
    assert kept.classes == ("standard", "core", "acme", "all_cpu")
    assert [kept.days(TELEMETRY_BLOCK, name) for name in kept.classes] == [90, 10, 90, 400]
    assert [kept.days(ROLLUP_1M, name) for name in kept.classes] == [730, 730, 7, 730]
    assert kept.days(ROLLUP_10S, "forgotten") == 180
    assert kept.days(TELEMETRY_FRAME) == kept.days(TELEMETRY_AXIS) == 400


def test_days_count_with_today_and_months_with_this_month() -> None:
    kept = Retention(RetentionConfig(raw_days=1), PartitionsConfig(events_months=3))
    assert kept.oldest_us(TELEMETRY_BLOCK, NOW) == to_us(dt.datetime(2026, 3, 29, tzinfo=dt.UTC))
    assert kept.oldest_us(EVENT, NOW) == to_us(dt.datetime(2026, 1, 1, tzinfo=dt.UTC))


@pytest.mark.parametrize(
    ("window", "time", "expected"),
    [
        (["02:00", "05:00"], "02:00", True),
        (["02:00", "05:00"], "04:59", True),
        (["02:00", "05:00"], "05:00", False),
        (["02:00", "05:00"], "12:00", False),
        (["22:30", "01:00"], "23:00", True),
        (["22:30", "01:00"], "00:59", True),
        (["22:30", "01:00"], "01:00", False),
        ([], "12:00", True),
    ],
)
def test_dropped_within_the_window(window: list[str], time: str, expected: bool) -> None:
    kept = Retention(RetentionConfig(drop_between=window))
    local = dt.datetime.fromisoformat(f"2026-03-29T{time}")
    assert kept.may_drop(NOW, NOW, local) is expected
    assert kept.may_drop(NOW - 2 * DAY_US, NOW, local), "overdue"
    assert not kept.may_drop(NOW + 1, NOW, local)


def test_the_former_name_still_works() -> None:
    def parsed(**tables: object) -> StorageConfig:
        return StorageConfig.model_validate(tables)

    assert parsed().retention.raw_days == 90
    assert parsed(partitions={"telemetry_days": 30}).retention.raw_days == 30
    assert parsed(retention={"raw_days": 20}).retention.raw_days == 20
    assert parsed(partitions={"telemetry_days": 20}, retention={"raw_days": 20}).retention.raw_days == 20
    with pytest.raises(ValidationError, match="former name"):
        parsed(partitions={"telemetry_days": 30}, retention={"raw_days": 90})


@pytest.mark.parametrize(
    "wrong",
    [
        {"drop_between": ["02:00"]},
        {"drop_between": ["02:00", "02:00"]},
        {"drop_between": ["2:00", "05:00"]},
        {"drop_between": ["02:00", "24:00"]},
        {"classes": {"standard": {"metrics": ["*"]}}},
        {"classes": {"Über": {"metrics": ["*"]}}},
        {"classes": {"a'; DROP TABLE x": {"metrics": ["*"]}}},
        {"classes": {"none": {"raw_days": 1}}},
        {"classes": {"core_20261126": {"metrics": ["*"]}}},
        {"classes": {"core_202611": {"metrics": ["*"]}}},
        {"raw_days": 0},
    ],
)
def test_what_can_not_be_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        RetentionConfig.model_validate(wrong)


def test_periods() -> None:
    assert Period.HOUR.bounds(NOW) == (
        to_us(dt.datetime(2026, 3, 29, 12, tzinfo=dt.UTC)),
        to_us(dt.datetime(2026, 3, 29, 13, tzinfo=dt.UTC)),
    )
    assert Period.MONTH.bounds(to_us(dt.datetime(2025, 12, 31, 23, tzinfo=dt.UTC))) == (
        to_us(dt.datetime(2025, 12, 1, tzinfo=dt.UTC)),
        to_us(dt.datetime(2026, 1, 1, tzinfo=dt.UTC)),
    )
    # Hours are those of UTC: the night in which clocks are put forward has 24 of them as any other.
    names = [TELEMETRY_FRAME.partition(NOW - NOW % DAY_US + n * 3_600_000_000) for n in range(24)]
    assert len(set(names)) == 24
    assert names[0] == "telemetry_frame_2026032900"
    assert TELEMETRY_BLOCK.partition(NOW, "core") == "telemetry_block_core_20260329"


def test_a_longer_partition_holds_the_shorter_period() -> None:
    day = NOW - NOW % DAY_US
    known = Known([Bounds(day, day + DAY_US, "telemetry_frame_20260329")])
    assert known.holds(TELEMETRY_FRAME, NOW)
    assert not known.holds(TELEMETRY_FRAME, day + DAY_US)
    known.remove("telemetry_frame_20260329")
    assert not known.holds(TELEMETRY_FRAME, NOW)
