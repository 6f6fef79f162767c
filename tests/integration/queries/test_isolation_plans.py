"""The walls cost no plan: what doors ask is read by the same indexes as if the owner asked it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from mtd.model.device import DEFAULT_TENANT_ID as TENANT
from mtd.queries.detail import DetailQueries
from mtd.queries.devices import DeviceQueries
from mtd.queries.events import EventQueries
from mtd.queries.fleet import FleetQueries
from mtd.queries.health import HealthQueries
from mtd.queries.overview import OverviewQueries
from mtd.queries.proposals import NeighborQueries, ProposalQueries
from mtd.queries.snapshots import SnapshotQueries
from mtd.queries.state import RowFilter, StateQueries
from mtd.queries.top import TopBy
from mtd.storage.config import StorageConfig
from mtd.storage.readers import Readers
from tests.integration.projections.kit import World, in_world, now_us
from tests.integration.queries.kit import ranges_of
from tests.integration.queries.plans import DOOR, noted, plans, read_whole

OTHER = "cccccccc-0000-4000-8000-00000000000c"
SECOND = 1_000_000
DEVICES = 60

# Two tenants alike: of each table, half is the other's.
FILL = f"""
INSERT INTO tenant VALUES ('{OTHER}', 'other');
INSERT INTO device (tenant_id, device_id, name, host, port, username, tls_mode)
    SELECT t.tenant_id, md5(t.name || n)::uuid, 'r' || n, 'h', 1, 'u', 'off' FROM tenant t, generate_series(1, {DEVICES}) n;
INSERT INTO metric (tenant_id, key, unit, kind, tier, scope, description, since, rate_of, label_tables)
    SELECT t.tenant_id, m.key, 'bits_per_second', m.kind, 't0', 'iface', '', '1', m.rate_of, '{{interface}}' FROM tenant t,
    (VALUES ('iface.rx_bytes_total', 'counter', ''), ('iface.rx_bps', 'rate', 'iface.rx_bytes_total'),
            ('iface.tx_bps', 'rate', ''), ('iface.link_speed_bps', 'gauge', '')) AS m (key, kind, rate_of);
INSERT INTO label_source SELECT tenant_id, 'interface', 'iface', 'name', 'comment', 0 FROM tenant;
INSERT INTO series_layout SELECT tenant_id, 1, 't0', 8, 8, 8, now() FROM tenant;
INSERT INTO series_layout_entry
    SELECT t.tenant_id, 1, l.lane, n, l.metric, '*' || n FROM tenant t, generate_series(1, 8) n,
    (VALUES ('counter', 'iface.rx_bytes_total'), ('rate', 'iface.rx_bps'), ('gauge', 'iface.link_speed_bps')) AS l (lane, metric);
INSERT INTO latest (tenant_id, device_id, log_id, seq, layout_id, ts_collected, ts_received, poll_duration_us, poll_group,
                    counters, gauges, rates)
    SELECT tenant_id, device_id, device_id, 1, 1, now(), now(), 1, g, array_fill(1, ARRAY[8]), array_fill(1, ARRAY[8]),
           array_fill(1, ARRAY[8]) FROM device, unnest(ARRAY['t0', 't1', 't2']) g;
INSERT INTO telemetry_frame (tenant_id, device_id, log_id, seq, layout_id, ts_collected, ts_received, poll_duration_us,
                             counters, gauges, rates)
    SELECT tenant_id, device_id, device_id, n, 1, now() - n * interval '1 second', now(), 1, array_fill(1, ARRAY[8]),
           array_fill(1, ARRAY[8]), array_fill(1, ARRAY[8]) FROM device, generate_series(1, 100) n;
INSERT INTO state_row
    SELECT tenant_id, device_id, device_id, 1, t, '*' || n, jsonb_build_object('name', 'ether' || n, 'address', '192.0.2.' || n,
           'mac-address', '02:00:00:00:00:' || n, 'interface', 'ether1'), now(), now()
    FROM device, generate_series(1, 20) n, unnest(ARRAY['interface', 'neighbor', 'dhcp_lease', 'arp']) t;
INSERT INTO event (tenant_id, device_id, log_id, seq, ts_collected, ts_received, event_type, severity, entity_type, entity_id,
                   entity_label, field, old_value, new_value, message)
    SELECT tenant_id, device_id, device_id, n, now() - n * interval '1 minute', now(), 'x', 1, '', '', '', '', '', '', ''
    FROM device, generate_series(1, 50) n;
INSERT INTO device_health
    SELECT tenant_id, device_id, device_id, n, now() - n * interval '1 minute', now(), 'ok', 'up', 't0', '', 0, 0, 0
    FROM device, generate_series(1, 50) n;
INSERT INTO device_status (tenant_id, device_id, status) SELECT tenant_id, device_id, 'up' FROM device;
INSERT INTO device_capability SELECT tenant_id, device_id, 'c' || n, true, '', now(), device_id, 1 FROM device, generate_series(1, 9) n;
INSERT INTO snapshot SELECT tenant_id, device_id, device_id, n, 'export', now() - n * interval '1 day', '\\x00', '{{}}'
    FROM device, generate_series(1, 9) n;
INSERT INTO device_proposal SELECT tenant_id, device_id, device_id, 1, name, '192.0.2.1', '', '', '', '', '', '', '', '{{}}', '{{}}',
    '{{}}', '{{}}', now(), now() FROM device;
ANALYZE
"""


async def ask_everything(world: World, device_id: str) -> None:
    at, doors = now_us(), world.doors
    await ranges_of(world).query_range("r7", ["iface.*.rx_bps", "iface.rx_bytes_total"], at - 60 * SECOND, at)
    await ranges_of(world).query_range(device_id, ["iface.*"], at - 7200 * SECOND, at, 100)
    readers = Readers(world.dsn, StorageConfig(query_pool_size=2))
    world.stops.append(readers.stop)
    overview = OverviewQueries(doors, readers)
    await overview.newest((), ["iface.rx_bps"], 50, None, _itself)
    await overview.newest(["r7"], (), 50, None, _itself)
    for by in TopBy:
        await overview.top(by, 10)
    await overview.top(TopBy.RX, 10, 600)
    await overview.status_counts()
    await overview.events_per_day(7)
    events = EventQueries(doors)
    await events.after(1000, 50)
    await events.before(None, 50)
    await events.before(3000, 50, device_id=device_id)
    await StateQueries(doors).tables("r7")
    await StateQueries(doors).rows("r7", "dhcp_lease", RowFilter(), 10)
    await DeviceQueries(doors).get("r7")
    await DeviceQueries(doors).list(limit=10)
    await DetailQueries(doors).detail(device_id)
    await DetailQueries(doors).interfaces(device_id)
    await HealthQueries(doors, world.across).history(device_id, at - 3600 * SECOND, at)
    await FleetQueries(doors).fleet()
    await SnapshotQueries(doors).kinds("r7")
    await SnapshotQueries(doors).versions("r7", "export", limit=3, max_bytes=10**6, before_us=at)
    await ProposalQueries(doors).list(limit=10)
    await NeighborQueries(doors).list(device_id=device_id)


def _itself(page: Any) -> Any:
    return page


def test_isolation_makes_no_plan_worse(postgres_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def body(world: World) -> None:
        await world.ask(FILL)
        ((device_id,),) = await world.ask(
            "SELECT device_id::text FROM device WHERE tenant_id = %s AND name = 'r7'", TENANT
        )
        with noted(monkeypatch) as asked:
            await ask_everything(world, device_id)
        statements = [one for one in asked if one[1].lstrip().startswith(("SELECT", "WITH"))]
        assert len(statements) > 40
        assert any(is_new for is_new, _, _ in statements)
        as_owner, as_door = await asyncio.gather(
            asyncio.to_thread(plans, world.dsn, "", statements),
            asyncio.to_thread(plans, world.dsn, DOOR, statements),
        )
        for (_, sql, _), owner, door in zip(statements, as_owner, as_door, strict=True):
            assert read_whole(door) <= read_whole(owner), f"{sql}\n{json.dumps(door, indent=1)}"
            assert door["Total Cost"] <= 1.5 * owner["Total Cost"] + 20, (
                f"{sql}\n{json.dumps(door, indent=1)}"
            )

    in_world(postgres_dsn, body)
