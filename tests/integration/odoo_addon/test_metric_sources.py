"""The addon's two sources of values on a real mtd: over gRPC and by SQL they tell the same."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import psycopg2
import pytest

from mtd.client import MtdClient
from tests.e2e.kit import Rig, rig, wait_for
from tests.unit.odoo_addon.parts import part

pytestmark = [pytest.mark.postgres, pytest.mark.slow]

source = part("gateway.source")
source_grpc = part("gateway.source_grpc")
source_sql = part("gateway.source_sql")
rows = part("gateway.rows")

READER = "odoo_reader"
SECOND = 1_000_000


@pytest.fixture(scope="module")
def running() -> Iterator[Rig]:
    with rig("fleet", "--routers", "2", "--interfaces", "4") as stage:
        stage.add_all()
        stage.sql(f"CREATE ROLE {READER} LOGIN PASSWORD 'x'")
        stage.sql(
            f"SELECT mtd.let_read('{READER}', (SELECT tenant_id FROM mtd.tenant WHERE name = 'default'))"
        )
        wait_for(
            lambda: stage.value("SELECT count(*) FROM mtd.metric_latest WHERE metric LIKE 'iface.%%'"),
            "named",
        )
        yield stage


@pytest.fixture(scope="module")
def client(running: Rig) -> Iterator[MtdClient]:
    with running.client() as client:
        yield client


@pytest.fixture
def databases() -> Iterator[Any]:
    opened = source_sql.Databases()
    yield opened
    opened.close()


def login(running: Rig, **changes: str) -> str:
    words = dict(word.split("=", 1) for word in running.dsn().split())
    return " ".join(f"{k}={v}" for k, v in {**words, "user": READER, "password": "x", **changes}.items())


def over_grpc(client: MtdClient) -> Any:
    return source_grpc.GrpcSource("rig", lambda ask: ask(client), source_grpc.Catalogues())


def by_sql(running: Rig, client: MtdClient, databases: Any, **changes: str) -> Any:
    return source_sql.SqlSource("rig", login(running, **changes), over_grpc(client), databases)


def device(client: MtdClient) -> str:
    return client.list_devices()[0].id


def told(found: list[Any]) -> list[tuple[Any, ...]]:
    """Return all that a series tells, in one order; of the words of states those of its values."""
    return sorted(
        (
            *(one.device, one.key, one.metric, one.instance, one.label, one.unit, one.bucket_us),
            *(list(one.times_us), list(one.values), list(one.whole), one.ids()),
            [one.texts.get(int(value)) for value in one.values],
        )
        for one in found
    )


@pytest.mark.parametrize("patterns", [[], ["iface.*_bps", "system.cpu.load_pct"], ["iface.oper?state"]])
def test_history_is_the_same(running: Rig, client: MtdClient, databases: Any, patterns: list[str]) -> None:
    start = int(time.time() * SECOND)
    end = start + 3 * SECOND
    newest = "SELECT min(extract(epoch FROM ts_collected))::float8 FROM mtd.latest WHERE poll_group = 't0'"
    wait_for(lambda: running.value(newest) * SECOND > end + SECOND, "three seconds stored")
    plan = source.plan_range(start - 60 * SECOND, end, 100)
    one = over_grpc(client).history(device(client), patterns, plan)
    other = by_sql(running, client, databases).history(device(client), patterns, plan)
    assert told(one) == told(other)
    assert sum(len(series.times_us) for series in one) > 3
    assert not patterns or len(one) < len(over_grpc(client).history(device(client), [], plan))


def test_newest_values_are_of_the_same_series(running: Rig, client: MtdClient, databases: Any) -> None:
    def series(found: list[Any]) -> list[tuple[Any, ...]]:
        return sorted(
            (one.device, one.key, one.metric, one.label, one.unit, bool(one.whole)) for one in found
        )

    devices = [one.id for one in client.list_devices()]
    assert len(devices) == 2
    one, other = over_grpc(client).latest(devices), by_sql(running, client, databases).latest(devices)
    assert series(one) == series(other)
    assert {"iface.oper_state"} <= {found.metric for found in other if found.texts}


def test_a_range_of_buckets_is_asked_of_mtd(running: Rig, client: MtdClient, databases: Any) -> None:
    now = int(time.time() * SECOND)
    plan = source.plan_range(now - 86_400 * SECOND, now, 50)
    found = by_sql(running, client, databases).history(device(client), ["iface.rx_bps"], plan)
    assert {one.bucket_us for one in found} <= {0, plan.width_us}
    assert found


def test_rows_in_postgresql_are_what_the_source_told(running: Rig, client: MtdClient) -> None:
    found = over_grpc(client).latest([device(client)])
    table = rows.rows_of(found, {device(client): (7, 3)}, "Asia/Kathmandu", 0, over_time=False)
    with psycopg2.connect(running.dsn()) as connection, connection.cursor() as cursor:
        cursor.execute(
            f"SELECT id, device_id, company_id, key, value, value_int, value_text FROM {table.sql} r",
            table.params,
        )
        stored = {row[0]: row[1:] for row in cursor.fetchall()}
    connection.close()
    assert set(stored) == set(table.ids)
    for one in found:
        whole = str(one.whole[0]) if one.whole else None
        text = one.texts.get(int(one.values[0]))
        assert stored[one.ids(over_time=False)[0]] == (7, 3, one.key, one.values[0], whole, text)


@pytest.mark.parametrize(
    ("zone", "span_s", "hour", "slot"),
    [
        ("UTC", 600, "2026-11-28 04:00", "2026-11-28 04:59:50"),
        ("Asia/Kathmandu", 600, "2026-11-28 10:00", "2026-11-28 10:44:50"),
        ("America/St_Johns", 30 * 86_400, "2026-11-28 01:00", "2026-11-28 00:00"),
    ],
)
def test_hours_and_places_of_a_chart_are_those_of_the_reader(
    running: Rig, zone: str, span_s: int, hour: str, slot: str
) -> None:
    at = int(dt.datetime(2026, 11, 28, 4, 59, 59, 999_999, dt.UTC).timestamp() * SECOND)
    one = source.Series("d", "m", "", "", "m", "", [at], [1.5], texts={1: "up"})
    table = rows.rows_of([one], {"d": (7, 3)}, zone, span_s * SECOND)
    with psycopg2.connect(running.dsn()) as connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT hour, slot, value_text FROM {table.sql} r", table.params)
        assert cursor.fetchall() == [(hour, slot, None)]
    connection.close()


def test_what_is_missing_is_told_in_words(running: Rig, client: MtdClient, databases: Any) -> None:
    for changes, kind in (
        ({"password": "wrong"}, "unreachable"),
        ({"host": "/nowhere"}, "unreachable"),
        ({"dbname": "postgres"}, "missing"),
    ):
        with pytest.raises(source.SourceError) as refused:
            by_sql(running, client, databases, **changes).latest([device(client)])
        assert refused.value.kind == kind
        assert "wrong" not in str(refused.value)
    with pytest.raises(source.SourceError) as refused:
        source_sql.SqlSource("rig", "", over_grpc(client), databases).latest([device(client)])
    assert refused.value.kind == "unset"
    running.sql("CREATE ROLE nobody_reads LOGIN PASSWORD 'x'")
    with pytest.raises(source.SourceError) as refused:
        by_sql(running, client, databases, user="nobody_reads").latest([device(client)])
    assert refused.value.kind == "denied"


def test_the_connection_is_made_once_reads_only_and_is_made_anew(
    running: Rig, client: MtdClient, databases: Any
) -> None:
    reading = by_sql(running, client, databases)
    mine = "SELECT pid FROM pg_stat_activity WHERE usename = %s AND application_name = 'mikrotik_monitoring'"
    reading.latest([device(client)])
    reading.latest([device(client)])
    ((pid,),) = running.sql(mine, READER)
    with pytest.raises(source.SourceError):
        databases.fetch("rig", login(running), "CREATE TEMP TABLE t (i int)", {})
    with psycopg.connect(running.dsn(), autocommit=True) as owner:
        owner.execute("SELECT pg_terminate_backend(%s)", (pid,))
    wait_for(lambda: not running.sql(mine, READER), "the connection is gone")
    assert reading.latest([device(client)])
    assert running.sql(mine, READER) != [(pid,)]
