from __future__ import annotations

import math

import numpy as np
import pytest

from mtd.codec.blocks import (
    decode_axis,
    decode_counters,
    decode_gauges,
    encode_axis,
    encode_counters,
    encode_gauges,
)
from mtd.codec.blocks.block import Block
from mtd.storage.cold import blocks, rollups
from mtd.storage.cold.blocks import AxisRow, BlockRow
from mtd.storage.cold.connection import ColdConnection
from mtd.storage.cold.partitions import ColdPartitions
from mtd.storage.cold.rollups import RollupRow
from mtd.storage.cold.series import SeriesIds, SeriesKey
from mtd.storage.errors import Duplicate, StatementRejected
from mtd.storage.partitioned import DAY_US, ROLLUP_1M, TELEMETRY_AXIS, TELEMETRY_BLOCK
from tests.integration.storage.cold.kit import DEVICE, HOUR, HOUR_US, OTHER_DEVICE, TENANT, connected

POLLS = 3600
RNG = np.random.default_rng(3)
GONE = RNG.random(POLLS) < 0.2
TRAFFIC = np.cumsum(RNG.integers(0, 60_000, POLLS))
COUNTERS = {
    "deltas": TRAFFIC,
    "bytes": np.cumsum(RNG.integers(0, 100, POLLS)),
    "constant": np.full(POLLS, 2**63 - 1),
    "huge": RNG.integers(-(2**63), 2**63 - 1, POLLS),
    "reset": np.where(np.arange(POLLS) < 1800, TRAFFIC + 2**60, TRAFFIC),
}
GAUGES = {
    "load": RNG.integers(0, 100, POLLS).astype(np.float64),
    "volts": RNG.integers(231, 239, POLLS) / 10,
    "floats": RNG.normal(size=POLLS),
    "odd": np.array([-0.0, math.inf, -math.inf, 5e-324] * (POLLS // 4)),
    "constant": np.full(POLLS, 0.5),
}


def prepared(connection: ColdConnection) -> None:
    partitions = ColdPartitions(connection)
    partitions.ensure(TELEMETRY_AXIS, [HOUR])
    partitions.ensure(TELEMETRY_BLOCK, [HOUR])
    partitions.ensure(TELEMETRY_BLOCK, [HOUR], "core")


def test_blocks_come_out_as_they_went_in(postgres_dsn: str) -> None:
    written = {}
    for number, values in enumerate(COUNTERS.values()):
        for absent in (None, GONE):
            for dense in (False, True):
                block = encode_counters(values, absent, dense=dense)
                written[4 * number + 2 * dense + (absent is not None)] = (values, absent, block)
    with connected(postgres_dsn) as connection:
        prepared(connection)
        rows = [BlockRow(TENANT, key, HOUR, "standard", block) for key, (_, _, block) in written.items()]
        assert blocks.write_blocks(connection, rows) == len(written)
        found = blocks.read_blocks(connection, list(written), HOUR + 5, HOUR + 6)
        assert [row.series_id for row in found] == sorted(written)
        for row in found:
            values, absent, block = written[row.series_id]
            assert (row.tenant_id, row.hour_us, row.retention) == (TENANT, HOUR, "standard")
            assert (row.block.form, row.block.points) == (block.form, block.points)
            decoded, gone = decode_counters(row.block, POLLS)
            there = np.ones(POLLS, dtype=np.bool_) if absent is None else ~absent
            assert (gone is None) == (absent is None)
            assert (decoded[there] == values[there]).all()
        for values, block in ((one, encode_gauges(one)) for one in GAUGES.values()):
            blocks.replace_blocks(connection, [BlockRow(TENANT, 1, HOUR, "core", block)])
            (row,) = blocks.read_blocks(connection, [1], HOUR, HOUR + HOUR_US)
            assert row.retention == "core"
            assert decode_gauges(row.block, POLLS).tobytes() == values.tobytes()


def test_a_block_is_there_once(postgres_dsn: str) -> None:
    row = BlockRow(TENANT, 1, HOUR, "standard", Block("c", 7, 1, 10, None, None))
    with connected(postgres_dsn) as connection:
        prepared(connection)
        blocks.write_blocks(connection, [row])
        with pytest.raises(Duplicate):
            blocks.write_blocks(connection, [row])
        assert blocks.delete_blocks(connection, [1, 2], HOUR) == 1
        assert blocks.read_blocks(connection, [1], HOUR, HOUR + HOUR_US) == []


@pytest.mark.parametrize("spread", [0, 100, 20_000, 100_000])
def test_axes_come_out_as_they_went_in(postgres_dsn: str, spread: int) -> None:
    ms = np.sort(np.arange(POLLS) * 900 + RNG.integers(0, spread + 1, POLLS))
    with connected(postgres_dsn) as connection:
        prepared(connection)
        row = AxisRow(TENANT, DEVICE, "t0", HOUR, encode_axis(ms))
        other = AxisRow(TENANT, DEVICE, "t1", HOUR, encode_axis(ms[:7]))
        for _ in range(2):
            assert blocks.replace_axes(connection, [row, other]) == 2
        (found,) = blocks.read_axes(connection, DEVICE, ["t0"], HOUR + 1, HOUR + 2)
        assert (found.tenant_id, found.device_id, found.poll_group) == (TENANT, DEVICE, "t0")
        assert (decode_axis(found.axis) == ms).all()
        assert len(blocks.read_axes(connection, DEVICE, None, HOUR, HOUR + 1)) == 2
        assert blocks.read_axes(connection, OTHER_DEVICE, None, HOUR, HOUR + 1) == []


def test_series_are_numbered_once(postgres_dsn: str) -> None:
    keys = [SeriesKey("m", str(number), "gauge", "t0") for number in range(5)]
    with connected(postgres_dsn) as connection:
        ids = SeriesIds(devices=1)
        first = ids.get_or_create(connection, TENANT, DEVICE, keys[:3])
        assert len(set(first.values())) == 3
        both = ids.get_or_create(connection, TENANT, DEVICE, keys)
        assert {key: both[key] for key in keys[:3]} == first
        other = ids.get_or_create(connection, TENANT, OTHER_DEVICE, keys)
        assert not set(other.values()) & set(both.values())
        assert SeriesIds().get_or_create(connection, TENANT, DEVICE, keys) == both


def test_numbers_that_were_rolled_back_are_not_remembered(postgres_dsn: str) -> None:
    key = SeriesKey("m", "", "gauge", "t0")
    with connected(postgres_dsn) as connection:
        ids = SeriesIds()

        def rolled_back() -> None:
            with connection.transaction():
                assert ids.get_or_create(connection, TENANT, DEVICE, [key])
                connection.execute("SELECT 1 / 0")

        with pytest.raises(StatementRejected):
            rolled_back()
        found = ids.get_or_create(connection, TENANT, DEVICE, [key])
        assert connection.fetch("SELECT series_id FROM series") == [(found[key],)]


def test_rollups_come_out_as_they_went_in(postgres_dsn: str) -> None:
    day = HOUR - HOUR % DAY_US
    hours = [RollupRow(TENANT, 1, day + n * HOUR_US, 60, "standard", bytes([n]) * 3000) for n in range(24)]
    with connected(postgres_dsn) as connection:
        ColdPartitions(connection).ensure(ROLLUP_1M, [day])
        for _ in range(2):
            assert rollups.replace_rollups(connection, 60, hours) == 24
        assert rollups.read_rollups(connection, 60, [1, 2], day, day + DAY_US) == hours
        within = rollups.read_rollups(connection, 60, [1], HOUR + 5, HOUR + 6)
        assert within == [hours[12]]
        assert rollups.delete_rollups(connection, 60, [1], day, day + DAY_US) == 24
        merged = hours[0]._replace(buckets=1440, packed=b"x")
        rollups.write_rollups(connection, 60, [merged])
        assert rollups.read_rollups(connection, 60, [1], HOUR, HOUR + 1) == [merged]
        assert rollups.read_rollups(connection, 60, [1], day + DAY_US, day + DAY_US + 1) == []
        assert rollups.replace_rollups(connection, 60, []) == 0
