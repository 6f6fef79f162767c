"""Lines are found by the index of what is asked for, and only days are looked at that are asked for."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest

from mtd.model.device import DEFAULT_TENANT_ID as TENANT
from mtd.queries.logs import LogFilter, LogQueries
from mtd.storage.partitioned import DAY_US, LOG_RECORD
from tests.integration.projections.kit import World, in_world, now_us
from tests.integration.queries.plans import DOOR, nodes, noted, plans

SMALL = "cccccccc-0000-4000-8000-00000000000c"
OTHER = "cccccccc-0000-4000-8000-00000000000d"
DAYS = 4
LINES_A_DAY = 15_000

# Three tenants, one of them with few lines; of all lines, one of a hundred is severe, and rules know one of twenty.
FILL = f"""
INSERT INTO tenant VALUES ('{SMALL}', 'small'), ('{OTHER}', 'other');
INSERT INTO device (tenant_id, device_id, name, host, port, username, tls_mode)
    SELECT '{TENANT}', md5('{TENANT}' || n)::uuid, 'r' || n, 'h', 1, 'u', 'off' FROM generate_series(0, 49) n;
INSERT INTO log_record (tenant_id, device_id, log_id, seq, part, ts, severity, facility, topics, event_type, entity_type, entity,
                        field, old_value, new_value, text, head, form, sender, host, program, process, told_time, repeats, cut)
    SELECT t::uuid, md5(t || n %% 50)::uuid, md5('log')::uuid, day * 100000 + n, 0,
           to_timestamp((%s - day * {DAY_US} + n * 5000000.0) / 1e6), CASE WHEN n %% 101 = 0 THEN 4 ELSE 6 END, 3,
           '{{interface,info}}',
           CASE WHEN n %% 1000 = 7 THEN 'user.login.failed' WHEN n %% 20 = 1 THEN 'firewall.matched' ELSE '' END,
           '', '', '', '', '', 'line ' || n, 'interface,info ', 'plain', '192.0.2.1', '', '', '', '', 0, false
    FROM generate_series(0, {DAYS - 1}) day, generate_series(1, {LINES_A_DAY}) n,
         LATERAL (SELECT CASE WHEN n %% 500 = 3 THEN '{SMALL}' WHEN n %% 2 = 0 THEN '{OTHER}' ELSE '{TENANT}' END AS t) one;
ANALYZE
"""
BY_TENANT, BY_DEVICE, BY_TYPE, BY_SEVERITY = (
    "log_record_tenant_ts", "log_record_device_ts", "log_record_type_ts", "log_record_severe_ts"
)  # fmt: skip
ASKED: Mapping[str, tuple[str, LogFilter]] = {
    "all": (BY_TENANT, LogFilter()),
    "a device": (BY_DEVICE, LogFilter(devices=("r7",))),
    "a rare type": (BY_TYPE, LogFilter(event_types=("user.login.failed",))),
    "a family of types": (BY_TYPE, LogFilter(event_types=("user.*",))),
    "severe ones": (BY_SEVERITY, LogFilter(severity=4)),
    "very severe ones": (BY_SEVERITY, LogFilter(severity=2)),
}


async def asked_plan(
    world: World, wanted: LogFilter, monkeypatch: pytest.MonkeyPatch, after: str = ""
) -> tuple[set[str], set[str], dict[str, Any]]:
    """Return the tables that a page is read from, by which indexes of the whole table, and the plan."""
    with noted(monkeypatch) as statements:
        await LogQueries(world.doors).page(TENANT, wanted, after=after)
    (plan,) = await asyncio.to_thread(
        plans, world.dsn, DOOR, [one for one in statements if "log_record r" in one[1]]
    )
    whole = dict(
        await world.ask(
            "SELECT part.relname, whole.relname FROM pg_inherits JOIN pg_class part ON part.oid = inhrelid"
            " JOIN pg_class whole ON whole.oid = inhparent WHERE whole.relname LIKE 'log_record_%%'"
        )
    )
    read = [node for node in nodes(plan) if node.get("Index Name") in whole]
    tables = {
        node["Relation Name"]
        for node in nodes(plan)
        if node.get("Relation Name", "").startswith("log_record")
    }
    return tables, {whole[node["Index Name"]] for node in read}, plan


def test_each_question_has_its_index_and_looks_at_its_days_only(
    postgres_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def body(world: World) -> None:
        start_us = now_us() // DAY_US * DAY_US + 1
        days_us = [start_us - day * DAY_US for day in range(DAYS)]
        await world.partitions.ensure(LOG_RECORD, set(days_us))
        await world.ask(FILL, start_us)
        all_days, _, _ = await asked_plan(world, LogFilter(), monkeypatch)
        assert len(all_days) >= DAYS
        for name, (index, wanted) in ASKED.items():
            _, indexes, plan = await asked_plan(world, wanted, monkeypatch)
            assert indexes == {index}, f"{name}: {json.dumps(plan, indent=1)}"
            day = LogFilter(
                wanted.devices,
                wanted.event_types,
                severity=wanted.severity,
                start_us=days_us[2],
                end_us=days_us[2] + DAY_US // 2,
            )
            tables, indexes, plan = await asked_plan(world, day, monkeypatch)
            assert len(tables) == 1, f"{name}: {json.dumps(plan, indent=1)}"
            assert indexes == {index}, f"{name}: {json.dumps(plan, indent=1)}"

    in_world(postgres_dsn, body)


def test_the_next_page_begins_where_the_last_ended(
    postgres_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Days that are newer aren't looked at again, and no line that was given before."""

    async def body(world: World) -> None:
        start_us = now_us() // DAY_US * DAY_US + 1
        await world.partitions.ensure(LOG_RECORD, {start_us - day * DAY_US for day in range(DAYS)})
        await world.ask(FILL, start_us)
        first = await LogQueries(world.doors).page(TENANT, LogFilter(end_us=start_us - 2 * DAY_US), limit=10)
        tables, indexes, plan = await asked_plan(world, LogFilter(), monkeypatch, after=first[-1].token)
        assert indexes == {BY_TENANT}, json.dumps(plan, indent=1)
        assert len(tables) == 1, json.dumps(plan, indent=1)

    in_world(postgres_dsn, body)
