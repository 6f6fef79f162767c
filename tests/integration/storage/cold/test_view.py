"""The view ``telemetry``: what is hot and what is cold reads the same, and only what is needed is read."""

from __future__ import annotations

import datetime as dt
import math
import re
from typing import Any

import numpy as np
import psycopg
import pytest

from mtd.codec.blocks import encode_axis, encode_counters, encode_gauges
from mtd.codec.rollups import derive_rates
from mtd.storage.cold import blocks
from mtd.storage.cold.blocks import AxisRow, BlockRow
from mtd.storage.cold.connection import ColdConnection, timestamp
from mtd.storage.cold.partitions import ColdPartitions
from mtd.storage.cold.series import SeriesIds, SeriesKey
from mtd.storage.partitioned import TELEMETRY_AXIS, TELEMETRY_BLOCK, create_class
from mtd.storage.schema import migrate_blocking
from tests.integration.storage.cold.kit import (
    DEVICE,
    HOUR,
    HOUR_US,
    OTHER_DEVICE,
    TENANT,
    connected,
    declare,
    insert,
    prepare,
)

RX = ("iface.rx_bytes_total", "*1")
TEMPERATURE = ("system.temperature", "")
STATE = ("iface.oper_state", "*1")


def catalogue(connection: ColdConnection) -> None:
    for key, unit, kind, scope, states, rate_of, scale in (
        ("iface.rx_bytes_total", "bytes", "counter", "iface", "{}", "", 1),
        ("iface.rx_bps", "bits_per_second", "rate", "iface", "{}", "iface.rx_bytes_total", 8),
        ("iface.oper_state", "state", "state", "iface", '{"0": "down", "1": "up"}', "", 1),
        ("system.temperature", "celsius", "gauge", "", "{}", "", 1),
    ):
        connection.execute(
            "INSERT INTO metric (tenant_id, key, unit, kind, tier, scope, description, since, states,"
            " rate_of, rate_scale) VALUES (%s, %s, %s, %s, 't0', %s, '', '1', %s, %s, %s)",
            [TENANT, key, unit, kind, scope, states, rate_of, scale],
        )
    connection.execute("UPDATE metric SET label_tables = '{interface}' WHERE scope = 'iface'")
    connection.execute(
        "INSERT INTO label_source VALUES (%s, 'interface', 'iface', 'name', 'comment', 0)", [TENANT]
    )
    connection.execute(
        "INSERT INTO state_row VALUES (%s, %s, %s, 1, 'interface', '*1', '{\"name\": \"ether1\"}', now(), now())",
        [TENANT, DEVICE, DEVICE],
    )


def store(
    connection: ColdConnection,
    hour_us: int,
    ms: np.ndarray[Any, Any],
    series: dict[tuple[str, str], Any],
    device: str = DEVICE,
) -> None:
    """Store an hour as the compaction does; an integer array is a counter, a tuple (values, absent) too."""
    partitions = ColdPartitions(connection)
    partitions.ensure(TELEMETRY_AXIS, [hour_us])
    partitions.ensure(TELEMETRY_BLOCK, [hour_us])
    encoded = {}
    for (metric, instance), values in series.items():
        if isinstance(values, tuple) or values.dtype == np.int64:
            counters, absent = values if isinstance(values, tuple) else (values, None)
            encoded[SeriesKey(metric, instance, "counter", "t0")] = encode_counters(counters, absent)
        else:
            encoded[SeriesKey(metric, instance, "gauge", "t0")] = encode_gauges(values)
    ids = SeriesIds().get_or_create(connection, TENANT, device, list(encoded))
    blocks.write_axes(connection, [AxisRow(TENANT, device, "t0", hour_us, encode_axis(ms))])
    blocks.write_blocks(
        connection,
        [BlockRow(TENANT, ids[key], hour_us, "standard", block) for key, block in encoded.items()],
    )


COLUMNS = (
    "device, metric, instance, label, key, ts, value, value_int, value_text, low_confidence, lane, unit, hour"
)


def test_cold_reads_like_hot(postgres_dsn: str) -> None:
    rng = np.random.default_rng(5)
    ms = np.array([0, 999, 2000, 3001, 3001, 9000, 3_599_999])
    counters = [
        np.array([2**60, 2**60 + 7, 2**60 + 7, 5, 9, 2**63 - 1, 0]),
        rng.integers(-(2**63), 2**63 - 1, 7),
        np.full(7, 2**53 + 1),
    ]
    absent = [None, np.array([1, 0, 0, 1, 1, 0, 1], dtype=np.bool_), None]
    gauges = [
        np.array([0.1, 21.5, math.nan, -3, 0, 0, 7]),
        np.array([math.inf, -0.0, 1e308, math.nan, 5e-324, 1 / 3, 2]),
    ]
    states = np.array([0.0, 1, 1, 1, 0, 0, 1])
    with connected(postgres_dsn) as connection:
        catalogue(connection)
        prepare(connection)
        names = [RX, ("iface.rx_bytes_total", "*2"), ("iface.tx_bytes_total", "*1")]
        others = [TEMPERATURE, ("system.odd", ""), STATE]
        declare(connection, 1, names, others)
        for n, at in enumerate(ms.tolist()):
            given = [
                None if gone is not None and gone[n] else int(values[n])
                for values, gone in zip(counters, absent, strict=True)
            ]
            found = [None if math.isnan(one[n]) else float(one[n]) for one in (*gauges, states)]
            insert(connection, HOUR + at * 1000, given, found, seq=n)
        query = f"SELECT {COLUMNS} FROM telemetry WHERE lane <> 'rate' ORDER BY metric, instance, ts, value"
        hot = connection.fetch(query)
        assert len(hot) == 3 * 7 - 4 + 3 * 7 - 2
        connection.execute("DELETE FROM telemetry_frame")
        store(
            connection,
            HOUR,
            ms,
            {
                **dict(zip(names, zip(counters, absent, strict=True), strict=True)),
                **dict(zip(others, (*gauges, states), strict=True)),
            },
        )
        assert connection.fetch(query) == hot
        assert {row[3] for row in hot if row[1:3] == RX} == {"ether1"}
        assert {row[8] for row in hot if row[1] == "iface.oper_state"} == {"up", "down"}
        assert {row[12] for row in hot} == {timestamp(HOUR)}


def test_rates_come_from_the_counters(postgres_dsn: str) -> None:
    """None at a reset, after a gap of more than three intervals, and at the first poll of the hour."""
    ms = np.array([0, 1000, 2000, 3000, 7001, 8001, 9001])
    values = np.array([1000, 1250, 250, 500, 600, 0, 900])
    absent = np.array([0, 0, 0, 0, 0, 1, 0], dtype=np.bool_)
    with connected(postgres_dsn) as connection:
        catalogue(connection)
        store(connection, HOUR, ms, {RX: (values, absent)})
        found = connection.fetch(
            "SELECT key, to_us(ts) - %s, value, value_int, lane, unit FROM telemetry WHERE metric = 'iface.rx_bps'",
            [HOUR],
        )
        assert found == [
            ("iface.ether1.rx_bps", 1_000_000, 2000.0, None, "rate", "bits_per_second"),
            ("iface.ether1.rx_bps", 3_000_000, 2000.0, None, "rate", "bits_per_second"),
            ("iface.ether1.rx_bps", 9_001_000, 1200.0, None, "rate", "bits_per_second"),
        ]


def test_a_dip_is_no_jump(postgres_dsn: str) -> None:
    """After a fall, the poll that is back is compared with the one before the fall, as in rollups."""
    ms = np.arange(8) * 1000
    values = np.array([1000, 3000, 2999, 5000, 200, 300, 250, 260])
    with connected(postgres_dsn) as connection:
        catalogue(connection)
        store(connection, HOUR, ms, {RX: values})
        found = connection.fetch(
            "SELECT (to_us(ts) - %s) / 1000, value FROM telemetry WHERE metric = 'iface.rx_bps' ORDER BY 1",
            [HOUR],
        )
        assert found == [(1000, 16_000.0), (3000, 8000.0), (5000, 800.0), (7000, 80.0)]
        rates = derive_rates(ms, values, 8.0, (), 3000)
        assert found == [(int(ms[n]), rates[n]) for n in np.flatnonzero(~np.isnan(rates))]


def test_dense_blocks_are_not_in_it(postgres_dsn: str) -> None:
    with connected(postgres_dsn) as connection:
        catalogue(connection)
        store(connection, HOUR, np.arange(3), {RX: np.arange(3)})
        assert connection.fetch("SELECT count(*) FROM telemetry") == [(5,)]
        connection.execute("UPDATE telemetry_block SET form = 'z', packed = 'x', value1 = NULL")
        assert connection.fetch("SELECT count(*) FROM telemetry") == [(0,)]


@pytest.fixture
def month(postgres_dsn: str) -> str:
    """Twenty days of blocks of two devices with short hours."""
    ms = np.arange(5) * 1000
    with connected(postgres_dsn) as connection:
        catalogue(connection)
        prepare(connection, HOUR)
        partitions = ColdPartitions(connection)
        hours = [HOUR - n * HOUR_US for n in range(20 * 24)]
        partitions.ensure(TELEMETRY_AXIS, hours)
        partitions.ensure(TELEMETRY_BLOCK, hours)
        for device in (DEVICE, OTHER_DEVICE):
            keys = [SeriesKey(f"m{n}", "", "gauge", "t0") for n in range(20)]
            keys += [SeriesKey("iface.rx_bytes_total", "*1", "counter", "t0")]
            ids = SeriesIds().get_or_create(connection, TENANT, device, keys)
            axes = [AxisRow(TENANT, device, "t0", hour, encode_axis(ms)) for hour in hours]
            blocks.write_axes(connection, axes)
            block = encode_counters(ms**2, None)
            rows = [BlockRow(TENANT, ids[key], hour, "standard", block) for hour in hours for key in keys]
            blocks.write_blocks(connection, rows)
        connection.execute("ANALYZE")
    return postgres_dsn


DOOR = f"-c role=mtd_door -c app.tenant_id={TENANT}"
WHO = pytest.mark.parametrize("who", ["", DOOR], ids=["owner", "door"])


def plan(dsn: str, who: str, query: str, *params: Any) -> dict[str, Any]:
    """Return what was done for a query, by psycopg's way of asking for plans."""
    with psycopg.connect(dsn, options=f"-c search_path=mtd {who}") as connection:
        row = connection.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {query}", params).fetchone()  # type: ignore[arg-type]
        assert row is not None
        (found,) = row[0]
        assert isinstance(found, dict)
        return found


def nodes(found: dict[str, Any]) -> list[dict[str, Any]]:
    node = found.get("Plan", found)
    return [node, *(one for child in node.get("Plans", ()) for one in nodes(child))]


def blocks_read(found: dict[str, Any]) -> tuple[float, set[str]]:
    """Return how many rows of blocks were read, and from which partitions."""
    scans = [
        node
        for node in nodes(found)
        if node.get("Relation Name", "").startswith("telemetry_block") and node["Actual Loops"]
    ]
    return (
        sum(node["Actual Rows"] * node["Actual Loops"] for node in scans),
        {node["Relation Name"] for node in scans},
    )


SINCE = dt.datetime(2026, 2, 20, 5, 30, tzinfo=dt.UTC)
UNTIL = dt.datetime(2026, 2, 20, 9, 0, tzinfo=dt.UTC)


@WHO
@pytest.mark.parametrize("metric", ["iface.rx_bytes_total", "m7"])
def test_a_plain_query_reads_the_few_blocks_it_needs(month: str, metric: str, who: str) -> None:
    found = plan(
        month,
        who,
        "SELECT ts, value FROM telemetry WHERE device = 'r1' AND metric = %s AND ts >= %s AND ts < %s"
        " AND hour >= '2026-02-20 05:00+00' AND hour < '2026-02-20 09:00+00'",
        metric,
        SINCE,
        UNTIL,
    )
    assert blocks_read(found) == (4, {"telemetry_block_standard_20260220"})
    # No point is sorted, and none goes through a table in between.
    assert all(node["Actual Rows"] < 10 for node in nodes(found) if node["Node Type"] == "Sort")
    assert not [node for node in nodes(found) if node["Node Type"] in ("Function Scan", "CTE Scan")]


@WHO
def test_the_function_names_the_hours_itself(month: str, who: str) -> None:
    found = plan(
        month,
        who,
        "SELECT ts, value FROM telemetry_range('r1', 'iface.rx_bytes_total', '2026-02-20 05:30+00', '2026-02-20 09:00+00')",
    )
    assert blocks_read(found) == (4, {"telemetry_block_standard_20260220"})
    with connected(month) as connection:
        count = "SELECT count(*), min(ts), max(value_int) FROM telemetry_range('r1', 'iface.rx_bytes_total', %s, %s)"
        assert connection.fetch(count, [SINCE, UNTIL]) == [(15, SINCE.replace(hour=6, minute=0), 16_000_000)]
        assert connection.fetch(count, [timestamp(HOUR), timestamp(HOUR + 1)])[0][0] == 1


def test_who_could_read_the_view_still_can(empty_postgres_dsn: str) -> None:
    from mtd.storage.schema import migrations

    migrate_blocking(empty_postgres_dsn, steps=migrations()[:1])
    role = f"reader_{abs(hash(empty_postgres_dsn))}"
    views = (
        "mtd.telemetry, mtd.telemetry_frame, mtd.series_layout_entry, mtd.device, mtd.metric, mtd.state_row"
    )
    with psycopg.connect(empty_postgres_dsn, autocommit=True) as owner:
        owner.execute(f"CREATE ROLE {role}; GRANT USAGE ON SCHEMA mtd TO {role}")  # type: ignore[arg-type]
        owner.execute(f"GRANT SELECT ON {views}, mtd.instance_label TO {role}")  # type: ignore[arg-type]
        try:
            migrate_blocking(empty_postgres_dsn)
            owner.execute(f"SET ROLE {role}")  # type: ignore[arg-type]
            assert owner.execute("SELECT count(*) FROM mtd.telemetry").fetchone() == (0,)
        finally:
            owner.execute("RESET ROLE")
            owner.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")  # type: ignore[arg-type]


@pytest.mark.timeout(600)
def test_years_of_partitions_make_no_plan_slow(postgres_dsn: str) -> None:
    """Ten thousand: twenty classes of 500 days."""
    classes = ["standard", *(f"class{n}" for n in range(1, 20))]
    with connected(postgres_dsn) as connection:
        ColdPartitions(connection).ensure(TELEMETRY_AXIS, [HOUR - 10 * 24 * HOUR_US])
    for retention in classes:
        with connected(
            postgres_dsn
        ) as connection:  # each new: one that knows thousands of tables becomes slow
            connection.execute(create_class(TELEMETRY_BLOCK, retention))
            # Committed time and again: there are not as many locks.
            connection.execute(
                "DO $$ BEGIN FOR n IN 0..499 LOOP EXECUTE format("
                f"'CREATE TABLE telemetry_block_{retention}_%s PARTITION OF telemetry_block_{retention}"
                " FOR VALUES FROM (%L) TO (%L)', n, timestamptz '2026-01-01 00:00+00' + n * interval '1 day',"
                " timestamptz '2026-01-01 00:00+00' + (n + 1) * interval '1 day');"
                " IF n % 100 = 0 THEN COMMIT; END IF; END LOOP; END $$"
            )
    query = "SELECT ts, value FROM telemetry_range('r1', 'm', '2026-02-20 05:30+00', '2026-02-20 09:00+00')"
    with psycopg.connect(postgres_dsn, options=f"-c search_path=mtd {DOOR}") as connection:
        plans = [connection.execute(f"EXPLAIN (SUMMARY, FORMAT JSON) {query}").fetchone() for _ in range(4)]  # type: ignore[arg-type]
        times = [row[0][0]["Planning Time"] for row in plans if row is not None]
        # Far from what it takes to plan for all of them.
        assert min(times) < 100
        read = "".join(line for (line,) in connection.execute(f"EXPLAIN {query}").fetchall())  # type: ignore[arg-type]
    assert set(re.findall(r"on (telemetry_block\w+) ", read)) == {
        f"telemetry_block_{retention}_50" for retention in classes
    }, read
