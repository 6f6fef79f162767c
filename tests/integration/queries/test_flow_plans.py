"""Questions about flows are read by indexes, and the walls between tenants make no plan worse."""

from __future__ import annotations

import asyncio
import ipaddress
import json
from typing import Any

import pytest

from mtd.codec.flows.block import encode_block
from mtd.model.device import DEFAULT_TENANT_ID as TENANT
from mtd.model.flows import DIMENSIONS
from mtd.queries.flows.records import FlowFilter, SearchQuestion, SeriesQuestion, TopQuestion
from mtd.storage.cold.connection import ColdConnection
from mtd.storage.partitioned import DAY_US, FLOW_BLOCK, FLOW_SUM_1H, FLOW_SUM_1M
from tests.integration.projections.kit import World, in_world, now_us
from tests.integration.queries.flow_kit import HOUR, MINUTE, flows_of
from tests.integration.queries.plans import DOOR, Statement, noted, plans, read_whole
from tests.unit.queries.flows.kit import columns

OTHER = "cccccccc-0000-4000-8000-00000000000c"
HOURS = 4

# Two tenants alike: of each table, half is the other's. The last two minutes of each device are due, and their hours.
FILL = f"""
INSERT INTO tenant VALUES ('{OTHER}', 'other');
INSERT INTO device (tenant_id, device_id, name, host, port, username, tls_mode)
    SELECT t.tenant_id, md5(t.name || n)::uuid, 'r' || n, 'h', 1, 'u', 'off' FROM tenant t, generate_series(1, 30) n;
INSERT INTO flow_sum_1m
    SELECT tenant_id, device_id, date_bin('1 minute', now() - n * interval '1 minute', timestamptz 'epoch'), dimension,
           CASE dimension WHEN 'total' THEN '' WHEN 'src_address' THEN decode(repeat('00', 16), 'hex') ELSE '\\x01' END, '{{1}}',
           '{{1}}', '{{1}}', 0, 0, 0, 0
    FROM device, generate_series(0, {HOURS * 60}) n, unnest(ARRAY['total', 'protocol', 'src_address']) dimension;
INSERT INTO flow_sum_1h
    SELECT tenant_id, device_id, date_bin('1 hour', now() - n * interval '1 hour', timestamptz 'epoch'), dimension,
           CASE dimension WHEN 'total' THEN '' WHEN 'src_address' THEN decode(repeat('00', 16), 'hex') ELSE '\\x01' END, '{{1}}',
           '{{1}}', '{{1}}', 0, 0, 0, 0
    FROM device, generate_series(0, {HOURS}) n, unnest(ARRAY['total', 'protocol', 'src_address']) dimension;
INSERT INTO flow_block (tenant_id, device_id, log_id, seq, ts, first_ts, last_ts, exporter, form, sampling, records, octets,
                        packets, estimated_octets, estimated_packets, block)
    SELECT tenant_id, device_id, device_id, n, now() - n * interval '20 seconds', now() - n * interval '20 seconds',
           now() - n * interval '20 seconds', 'x', 3, 1, 1, 1, 1, 1, 1, %s
    FROM device, generate_series(1, {HOURS * 180}) n;
INSERT INTO flow_due (tenant_id, device_id, bucket_s, bucket)
    SELECT tenant_id, device_id, 60, date_bin('1 minute', now() - n * interval '1 minute', timestamptz 'epoch') FROM device, generate_series(0, 1) n;
INSERT INTO flow_due (tenant_id, device_id, bucket_s, bucket)
    SELECT DISTINCT tenant_id, device_id, 3600, date_bin('1 hour', bucket, timestamptz 'epoch') FROM flow_due;
ANALYZE
"""


async def ask_everything(world: World) -> None:
    at, queries = now_us(), flows_of(world)
    one = DIMENSIONS["src_address"]
    for devices in ((), ("r7",)):
        await queries.top(TENANT, TopQuestion(one, at - HOUR, at, devices))
        await queries.top(TENANT, TopQuestion(one, at - HOURS * HOUR, at, devices))
        await queries.series(
            TENANT, SeriesQuestion(DIMENSIONS["protocol"], at - HOURS * HOUR, at, 3600, devices)
        )
        await queries.top(
            TENANT, TopQuestion(one, at - 10 * MINUTE, at, devices, where=FlowFilter(protocol=6))
        )
        wanted = SearchQuestion(at - 5 * MINUTE, ipaddress.ip_address("192.0.2.1"), devices=devices)
        await queries.search(TENANT, wanted)
    await queries.compare(TENANT, at - HOUR, at, ("r7",))


def test_walls_make_no_plan_worse(postgres_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def body(world: World) -> None:
        at = now_us()
        for table in (FLOW_BLOCK, FLOW_SUM_1M, FLOW_SUM_1H):
            await world.partitions.ensure(table, [at, at - (HOURS + 1) * HOUR, at - DAY_US])
        await world.ask(FILL, encode_block(columns([{"protocol": 6}])))
        with noted(monkeypatch) as asked:
            real = ColdConnection.stream_raw

            def streamed(self: ColdConnection, sql: str, params: Any = None, *, at_once: int = 100) -> Any:
                asked.append((True, sql, params))
                return real(self, sql, params, at_once=at_once)

            monkeypatch.setattr(ColdConnection, "stream_raw", streamed)
            await ask_everything(world)
        statements: list[Statement] = [one for one in asked if "flow_" in one[1]]
        assert len(statements) > 30
        as_owner, as_door = await asyncio.gather(
            asyncio.to_thread(plans, world.dsn, "", statements),
            asyncio.to_thread(plans, world.dsn, DOOR, statements),
        )
        for (_, sql, _), owner, door in zip(statements, as_owner, as_door, strict=True):
            shown = f"{sql}\n{json.dumps(door, indent=1)}"
            assert read_whole(door) <= read_whole(owner), shown
            assert door["Total Cost"] <= 1.5 * owner["Total Cost"] + 20, shown

    in_world(postgres_dsn, body)
