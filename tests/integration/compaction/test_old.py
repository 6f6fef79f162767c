"""Old blocks: made dense, met by late data, and past the retention of their class."""

from __future__ import annotations

from mtd.codec.rollups import decode
from mtd.model.layout import Layout
from mtd.storage.config import StorageConfig
from mtd.storage.partitioned import DAY_US, HOUR_US
from tests.integration.compaction.kit import (
    CPU,
    DEVICE,
    HOUR,
    LAYOUT,
    NOW,
    OPER,
    OTHER,
    RX1,
    Frame,
    S,
    ask,
    cold,
    compact,
    declare,
    expected,
    polls,
    put,
)
from tests.integration.compaction.naive import check_rollups

LONG_AGO = NOW - NOW % DAY_US - 5 * DAY_US
DENSE = StorageConfig.model_validate({"blocks": {"dense_after_days": 3}})
FORMS = (
    "SELECT array_agg(DISTINCT form::text ORDER BY form::text) FROM telemetry_block WHERE hour < '2026-03-01'"
)


def test_old_days_become_dense_and_stay_what_they_were(postgres_dsn: str) -> None:
    declare(postgres_dsn, LAYOUT)
    frames = [
        frame
        for device in (DEVICE, OTHER)
        for hour in (0, 1, 23)
        for frame in polls(60, LONG_AGO + hour * HOUR_US, 60 * S, begin=hour * 10**6, device=device)
    ]
    frames += polls(50, HOUR)
    put(postgres_dsn, frames)
    compact(postgres_dsn)
    assert ask(postgres_dsn, FORMS) != [(["z"],)]

    account = compact(postgres_dsn, config=DENSE)
    assert account.rounds[0].recoded == 2 * 3 * 4
    assert not account.trouble
    assert ask(postgres_dsn, FORMS) == [(["z"],)]
    assert cold(postgres_dsn) == expected(frames)
    # Once is enough, and younger blocks are for SQL to read.
    assert compact(postgres_dsn, config=DENSE).rounds[0].recoded == 0
    assert ask(
        postgres_dsn, "SELECT count(*) FROM telemetry_block WHERE form = 'z' AND hour >= '2026-03-01'"
    ) == [(0,)]


def test_late_data_meets_a_dense_block(postgres_dsn: str) -> None:
    declare(postgres_dsn, LAYOUT)
    frames, late = polls(60, LONG_AGO, 60 * S), polls(59, LONG_AGO + 30 * S, 60 * S, begin=5)
    put(postgres_dsn, frames)
    compact(postgres_dsn)
    compact(postgres_dsn, config=DENSE)
    put(postgres_dsn, frames[:10] + late)
    account = compact(postgres_dsn, config=DENSE)
    assert [(unit.kind, unit.repeated) for unit in account.units] == [("late", 10)]
    assert ask(postgres_dsn, FORMS) == [(["z"],)]
    assert cold(postgres_dsn) == expected(frames + late)
    check_rollups(postgres_dsn, 30_000)


def test_old_hours_are_dense_at_once(postgres_dsn: str) -> None:
    declare(postgres_dsn, LAYOUT)
    frames = polls(60, LONG_AGO)
    put(postgres_dsn, frames)
    account = compact(postgres_dsn, config=DENSE)
    assert account.rounds[0].recoded == 0
    assert ask(postgres_dsn, FORMS) == [(["z"],)]
    assert cold(postgres_dsn) == expected(frames)


def test_classes_have_partitions_of_their_own(postgres_dsn: str) -> None:
    config = StorageConfig.model_validate(
        {"retention": {"classes": {"brief": {"metrics": ["system.*"], "raw_days": 2}}}}
    )
    declare(postgres_dsn, LAYOUT)
    frames = polls(50)
    put(postgres_dsn, frames)
    account = compact(postgres_dsn, config=config)
    assert not account.failed
    assert cold(postgres_dsn) == expected(frames)
    for table in ("telemetry_block", "rollup_10s", "rollup_1m", "rollup_5m"):
        found = ask(postgres_dsn, f"SELECT retention, count(*) FROM {table} GROUP BY 1 ORDER BY 1")
        assert found == [("brief", 1), ("standard", 3)]
    check_rollups(postgres_dsn)


def test_what_comes_after_its_retention_is_left_out(postgres_dsn: str) -> None:
    config = StorageConfig.model_validate(
        {"retention": {"classes": {"brief": {"metrics": ["system.*"], "raw_days": 2}}}}
    )
    declare(postgres_dsn, LAYOUT)
    frames, late = polls(50, LONG_AGO), polls(20, LONG_AGO + 100 * S)
    put(postgres_dsn, frames)
    compact(postgres_dsn, config=config, now_us=LONG_AGO + 2 * HOUR_US)
    assert cold(postgres_dsn) == expected(frames)
    # The rest of the hour comes days later, with a replay of what was there.
    put(postgres_dsn, frames + late)
    account = compact(postgres_dsn, config=config)
    assert not account.failed
    assert account.units[0].repeated == 50
    wanted = expected(frames + late)
    del wanted[DEVICE, CPU.metric, "", "gauge"]
    assert cold(postgres_dsn) == wanted


def rollup_counts(dsn: str, table: str) -> dict[str, int]:
    """Return how many points rollups of each series tell of."""
    found: dict[str, int] = {}
    for metric, instance, packed in ask(
        dsn, f"SELECT metric, instance, packed FROM {table} JOIN series USING (series_id)"
    ):
        name = f"{metric} {instance}"
        found[name] = found.get(name, 0) + int(decode(bytes(packed)).count.sum())
    return found


def test_rollups_outlive_values(postgres_dsn: str) -> None:
    """What comes when its values aren't kept any more is in rollups, whatever else is kept of the hour, and counted."""
    config = StorageConfig.model_validate(
        {"retention": {"raw_days": 1, "rollup_10s_days": 2, "rollup_1m_days": 30}}
    )
    declare(postgres_dsn, LAYOUT)
    put(postgres_dsn, polls(50, LONG_AGO))
    account = compact(postgres_dsn, config=config)
    assert not account.failed
    (done,) = account.units
    assert (done.frames, done.points, done.series, done.left_out) == (50, 0, 0, 160)
    assert ask(postgres_dsn, "SELECT count(*) FROM telemetry_block") == [(0,)]
    assert rollup_counts(postgres_dsn, "rollup_10s") == {}
    points = {f"{RX1.metric} *1": 50, f"{RX1.metric} *2": 50, f"{CPU.metric} ": 50, f"{OPER.metric} *1": 10}
    assert rollup_counts(postgres_dsn, "rollup_1m") == rollup_counts(postgres_dsn, "rollup_5m") == points
    # More of the hour: what was told of by then stays, though it can't be computed again.
    put(postgres_dsn, polls(100, LONG_AGO + 300 * S))
    assert not compact(postgres_dsn, config=config).failed
    assert rollup_counts(postgres_dsn, "rollup_5m") == {name: count * 3 for name, count in points.items()}


def test_the_last_hour_of_the_last_day(postgres_dsn: str) -> None:
    """An hour is closed after midnight, when its day isn't one of those to keep any more."""
    config = StorageConfig.model_validate({"retention": {"raw_days": 1}})
    declare(postgres_dsn, LAYOUT)
    last_us = LONG_AGO + 23 * HOUR_US
    frames = polls(50, last_us)
    put(postgres_dsn, frames)
    account = compact(postgres_dsn, config=config, now_us=last_us + HOUR_US + 400 * S)
    assert account.units[0].left_out == 0
    assert cold(postgres_dsn) == expected(frames)
    check_rollups(postgres_dsn)


def test_a_class_that_only_stored_series_are_of(postgres_dsn: str) -> None:
    """Late frames without a series still write it again, whose class is another one by now."""
    few = Layout.of("t0", (CPU,))
    declare(postgres_dsn, LAYOUT, few)
    frames = polls(50)
    late = [Frame(HOUR + 100 * S, [], [0.5], few, seq=1000)]
    put(postgres_dsn, frames)
    assert not compact(postgres_dsn).failed
    config = StorageConfig.model_validate({"retention": {"classes": {"links": {"metrics": ["iface.*"]}}}})
    put(postgres_dsn, late)
    assert not compact(postgres_dsn, config=config).failed
    assert cold(postgres_dsn) == expected([*frames, *late])
    check_rollups(postgres_dsn)


def test_the_month_of_the_next_hour(postgres_dsn: str) -> None:
    """Rollups of the hour that follows are written again into the class of now, in a month that it never had."""
    config = StorageConfig.model_validate({"retention": {"classes": {"links": {"metrics": ["iface.*"]}}}})
    declare(postgres_dsn, LAYOUT)
    first_us = NOW - NOW % DAY_US - DAY_US  # the first of March
    put(postgres_dsn, polls(50, first_us, begin=10**6))
    assert not compact(postgres_dsn).failed
    frames = polls(50, first_us - HOUR_US)
    put(postgres_dsn, frames)
    assert not compact(postgres_dsn, config=config).failed
    check_rollups(postgres_dsn)
