from __future__ import annotations

import threading

import pytest

from mtd.core.errors import MtdError
from mtd.storage.cold.connection import ColdConnection
from mtd.storage.cold.partitions import ColdPartitions
from mtd.storage.cold.upkeep import detach_frames, is_watched, never_used
from mtd.storage.errors import PartitionMissing, SchemaTooOld, StatementRejected
from mtd.storage.partitioned import (
    ROLLUP_1M,
    TELEMETRY_BLOCK,
    TELEMETRY_FRAME,
    bounds_of,
    made,
)
from tests.integration.storage.cold.kit import HOUR, HOUR_US, connected, insert, prepare


def names(connection: ColdConnection) -> list[str]:
    return [one.name for one in bounds_of(connection.fetch, TELEMETRY_FRAME)]


def test_made_once_and_by_class(postgres_dsn: str) -> None:
    with connected(postgres_dsn) as connection:
        for partitions in (ColdPartitions(connection), ColdPartitions(connection)):
            partitions.ensure(TELEMETRY_FRAME, [HOUR, HOUR + 1, HOUR + HOUR_US])
            partitions.ensure(TELEMETRY_BLOCK, [HOUR], "core")
            partitions.ensure(ROLLUP_1M, [HOUR], "core")
        assert names(connection) == ["telemetry_frame_2026030112", "telemetry_frame_2026030113"]
        assert bounds_of(connection.fetch, TELEMETRY_BLOCK, "core") == [made(TELEMETRY_BLOCK, HOUR, "core")]
        (month,) = bounds_of(connection.fetch, ROLLUP_1M, "core")
        assert month.name == "rollup_1m_core_202603"
        assert bounds_of(connection.fetch, ROLLUP_1M) == []


def test_several_make_one_at_once(postgres_dsn: str) -> None:
    """Each waits for the other, and sees what it has made."""
    together, failed = threading.Barrier(4), []

    def make() -> None:
        with connected(postgres_dsn) as connection:
            partitions = ColdPartitions(connection)
            for hour in range(10):
                together.wait(20)
                try:
                    partitions.ensure(TELEMETRY_FRAME, [HOUR + hour * HOUR_US])
                except MtdError as error:
                    failed.append(error)

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert failed == []
    with connected(postgres_dsn) as connection:
        assert len(names(connection)) == 10


def test_a_day_of_an_older_version_holds_its_hours(postgres_dsn: str) -> None:
    with connected(postgres_dsn) as connection:
        connection.execute(
            "CREATE TABLE telemetry_frame_20260301 PARTITION OF telemetry_frame"
            " FOR VALUES FROM ('2026-03-01 00:00+00') TO ('2026-03-02 00:00+00')"
        )
        ColdPartitions(connection).ensure(TELEMETRY_FRAME, [HOUR, HOUR + 12 * HOUR_US])
        assert names(connection) == ["telemetry_frame_20260301", "telemetry_frame_2026030200"]


def test_storage_of_the_columns_is_inherited(postgres_dsn: str) -> None:
    with connected(postgres_dsn) as connection:
        partitions = ColdPartitions(connection)
        partitions.ensure(TELEMETRY_BLOCK, [HOUR], "core")
        partitions.ensure(ROLLUP_1M, [HOUR])
        found = connection.fetch(
            "SELECT attrelid::regclass::text, attname, attstorage FROM pg_attribute WHERE attnum > 0"
            " AND attrelid IN ('telemetry_block_core_20260301'::regclass, 'rollup_1m_standard_202603'::regclass)"
            " AND attname IN ('packed', 'value2')"
        )
        assert {(name, column): storage for name, column, storage in found} == {
            ("telemetry_block_core_20260301", "packed"): "e",
            ("telemetry_block_core_20260301", "value2"): "x",
            ("rollup_1m_standard_202603", "packed"): "e",
        }


def test_an_empty_hour_is_retired(postgres_dsn: str) -> None:
    with connected(postgres_dsn) as connection:
        partitions = prepare(connection, HOUR, HOUR + HOUR_US)
        insert(connection, HOUR + HOUR_US, [1], [])
        empty = partitions.empty_frames(HOUR + 10 * HOUR_US)
        assert empty == [made(TELEMETRY_FRAME, HOUR)]
        assert partitions.empty_frames(HOUR) == []
        detach_frames(connection, empty[0].name)
        assert partitions.finish_retiring() == ["telemetry_frame_2026030112"]
        assert names(connection) == ["telemetry_frame_2026030113"]
        with pytest.raises(StatementRejected) as refused:
            insert(connection, HOUR, [2], [])
        assert refused.value.no_partition
        partitions.ensure(TELEMETRY_FRAME, [HOUR])
        insert(connection, HOUR, [2], [])


def test_what_slipped_in_comes_back(postgres_dsn: str) -> None:
    with connected(postgres_dsn) as connection:
        partitions = prepare(connection)
        insert(connection, HOUR, [7], [])
        detach_frames(connection, made(TELEMETRY_FRAME, HOUR).name)
        assert partitions.finish_retiring() == ["telemetry_frame_2026030112"]
        assert names(connection) == ["telemetry_frame_2026030112"]
        assert connection.fetch("SELECT counters FROM telemetry_frame") == [([7],)]
        assert connection.fetch("SELECT count(*) FROM pg_class WHERE relname ~ 'gone'") == [(0,)]


def test_what_an_operator_detached_is_his(postgres_dsn: str) -> None:
    with connected(postgres_dsn) as connection:
        partitions = prepare(connection, HOUR, HOUR + HOUR_US)
        insert(connection, HOUR, [7], [])
        connection.execute("ALTER TABLE telemetry_frame DETACH PARTITION telemetry_frame_2026030112")
        connection.execute("CREATE TABLE telemetry_frame_2026030112_kept AS TABLE telemetry_frame_2026030112")
        assert (partitions.retired(), partitions.finish_retiring()) == ([], [])
        for name in ("telemetry_frame_2026030112", "telemetry_frame_2026030112_kept"):
            assert connection.fetch(f"SELECT counters FROM {name}") == [([7],)]
        assert names(connection) == ["telemetry_frame_2026030113"]


def test_a_detached_hour_that_is_needed_meanwhile_is_made_again(postgres_dsn: str) -> None:
    with connected(postgres_dsn) as connection:
        partitions = prepare(connection)
        insert(connection, HOUR, [7], [])
        detach_frames(connection, made(TELEMETRY_FRAME, HOUR).name)
        prepare(connection)
        insert(connection, HOUR, [8], [], seq=2)
        assert partitions.finish_retiring() == ["telemetry_frame_2026030112"]
        assert names(connection) == ["telemetry_frame_2026030112"]
        assert connection.fetch("SELECT counters FROM telemetry_frame ORDER BY seq") == [([7],), ([8],)]


def test_what_somebody_dropped_meanwhile_is_no_failure(postgres_dsn: str) -> None:
    with connected(postgres_dsn) as connection:
        partitions = prepare(connection, HOUR)
        (empty,) = partitions.empty_frames(HOUR + HOUR_US)
        connection.execute(f"DROP TABLE mtd.{empty.name}")
        assert not partitions._has_rows(empty)
        assert not is_watched(connection, empty.name, 1.0)
        assert not never_used(connection, empty.name)
        detach_frames(connection, empty.name)
        assert partitions.finish_retiring() == []
        with pytest.raises(PartitionMissing, match="dropped it meanwhile"):
            connection.fetch(f"SELECT FROM mtd.{empty.name}")
        with pytest.raises(SchemaTooOld, match="mtd migrate"):
            connection.fetch("SELECT FROM mtd.telemetry_flames")
