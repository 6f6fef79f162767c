"""Service levels, counted in a database with a small fleet; and what is told of devices that nobody looks at."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import psycopg2

from mtd.app.slo.config import SloConfig
from mtd.app.slo.service import ServiceLevels
from mtd.model.device import DEFAULT_TENANT_ID, DeviceStatus
from mtd.model.slo import Count, Objective, Window
from mtd.model.tenant import NO_TENANT_ID
from mtd.queries.counts import read_status_counts
from mtd.queries.devices import DeviceQueries
from mtd.queries.fleet import FleetQueries
from mtd.storage.pool import Database
from mtd.storage.stores.service_levels import Look, ServiceLevelStore
from mtd.storage.txn import Transaction
from mtd.testing import run_async

NOW = Look(10.0, 0.0, 1.0, 30.0, 10.0)
_AGED = "clock_timestamp() - %s * interval '1 second'"


class Fleet:
    """Rows of devices, as projections and coordinators write them."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.store = ServiceLevelStore(database)

    async def do(self, sql: str, values: tuple[Any, ...] = ()) -> list[Any]:
        async def run(tx: Transaction) -> list[Any]:
            await tx.execute(sql, values)
            return tx.fetchall() if "RETURNING" in sql or sql.startswith("SELECT") else []

        return await self.database.run("test.do", run)

    async def device(
        self,
        name: str,
        status: str = "up",
        age_s: float | None = 0.5,
        interval_s: float | None = None,
        collector: str = "",
        enabled: bool = True,
    ) -> str:
        device_id = str(uuid.uuid4())
        intervals = "{}" if interval_s is None else f'{{"t0": {interval_s}}}'
        await self.do(
            "INSERT INTO device (tenant_id, device_id, name, host, port, username, tls_mode, intervals_s, enabled)"
            " VALUES (%s, %s, %s, '192.0.2.1', 8728, 'u', 'off', %s, %s)",
            (DEFAULT_TENANT_ID, device_id, name, intervals, enabled),
        )
        await self.do(
            "INSERT INTO device_status (tenant_id, device_id, status, since, last_ok_at)"
            " VALUES (%s, %s, %s, now() - interval '1 hour', now() - interval '2 hours')",
            (DEFAULT_TENANT_ID, device_id, status),
        )
        if age_s is not None:
            await self.do(
                "INSERT INTO latest (tenant_id, device_id, log_id, seq, layout_id, ts_collected, ts_received,"
                " poll_duration_us, poll_group, counters, gauges, rates)"
                f" VALUES (%s, %s, gen_random_uuid(), 1, 1, {_AGED}, now(), 1, 't0', '{{}}', '{{}}', '{{}}')",
                (DEFAULT_TENANT_ID, device_id, age_s),
            )
        if collector:
            await self.do(
                "INSERT INTO device_assignment (tenant_id, device_id, collector_id, epoch, granted_epoch, state, hold,"
                " revision) VALUES (%s, %s, %s, 1, 1, 'assigned', 'lease', 1)",
                (DEFAULT_TENANT_ID, device_id, collector),
            )
        return device_id

    async def collector(self, name: str, state: str, tenant_id: str = NO_TENANT_ID) -> None:
        await self.do(
            "INSERT INTO collector_membership AS m (tenant_id, collector_id, name, instance_id, term, lease_epoch, edge,"
            " state) VALUES (%s, %s, %s, gen_random_uuid(), 1, 1, true, %s)"
            " ON CONFLICT (collector_id) DO UPDATE SET state = excluded.state, changed_at = clock_timestamp()",
            (tenant_id, name, name, state),
        )

    async def counted(self, tenant_id: str = DEFAULT_TENANT_ID) -> dict[Objective, Count]:
        return {key: windows[Window.HOUR] for key, windows in (await self.store.sums([tenant_id])).items()}


def in_fleet(dsn: str, body: Callable[[Fleet], Awaitable[None]]) -> None:
    with psycopg2.connect(dsn) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE mtd.device_health_rest PARTITION OF mtd.device_health DEFAULT")
        # The schema may have been made minutes ago, by the first test of the run: that is no time without a hub.
        cursor.execute(
            "UPDATE mtd.service_level_look SET looked_at = clock_timestamp() - interval '1 second'"
        )

    async def main() -> None:
        database = Database.for_writing(dsn)
        await database.start()
        try:
            await body(Fleet(database))
        finally:
            await database.stop()

    run_async(main(), 60)


def test_freshness_counts_devices_that_could_be_fresh(postgres_dsn: str) -> None:
    async def body(fleet: Fleet) -> None:
        await fleet.collector("here", "online")
        await fleet.collector("away", "offline")
        await fleet.device("fresh", age_s=0.5, collector="here")
        await fleet.device("late", age_s=3.5, collector="here")
        await fleet.device("stale", age_s=60, collector="here")
        await fleet.device("slower, and in time", age_s=10.5, interval_s=10, collector="here")
        await fleet.device(
            "of nobody", age_s=0.5, collector="away"
        )  # its last value may be new: nobody polls it
        await fleet.device("never answered, and said to be up", age_s=None, collector="here")
        # Not ours to answer for:
        await fleet.device("down", "down", age_s=600, collector="here")
        await fleet.device("down before", "down", age_s=600, collector="away")
        await fleet.device("new", "unknown", age_s=None)
        await fleet.device("off", "up", age_s=900, enabled=False)
        await fleet.device("has no live values", "degraded", age_s=None, collector="here")
        assert await fleet.store.look(NOW, {})
        counted = await fleet.counted()
        assert counted[Objective.FRESHNESS_2S] == Count(2, 6)
        assert counted[Objective.FRESHNESS_5S] == Count(3, 6)

    in_fleet(postgres_dsn, body)


def test_each_moment_is_counted_by_one_hub(postgres_dsn: str) -> None:
    async def body(fleet: Fleet) -> None:
        await fleet.device("fresh")
        one = Look(10.0, 5.0, 1.0, 30.0, 10.0)
        await fleet.do("UPDATE service_level_look SET looked_at = now() - interval '10 seconds'")
        assert await fleet.store.look(one, {Objective.ACCEPTANCE: Count(3, 4)})
        assert not await fleet.store.look(one, {Objective.ACCEPTANCE: Count(1, 1)})
        assert (await fleet.counted())[Objective.FRESHNESS_2S] == Count(1, 1)
        # What a hub has taken itself is counted in either case.
        assert (await fleet.counted(NO_TENANT_ID))[Objective.ACCEPTANCE] == Count(4, 5)

    in_fleet(postgres_dsn, body)


def test_collectors_that_are_away_and_hubs_that_nobody_ran(postgres_dsn: str) -> None:
    async def body(fleet: Fleet) -> None:
        await fleet.collector("here", "online", DEFAULT_TENANT_ID)
        await fleet.collector("away", "offline", DEFAULT_TENANT_ID)
        await fleet.collector("stopped by intent", "left", DEFAULT_TENANT_ID)
        await fleet.do("UPDATE service_level_look SET looked_at = now() - interval '10 seconds'")
        await fleet.store.look(NOW, {})
        found = (await fleet.counted())[Objective.AVAILABILITY]
        assert found.ratio == 0.5
        assert 20 <= found.total < 40
        await fleet.device("fresh", collector="here")
        await fleet.do(
            "UPDATE service_level_look SET looked_at = date_trunc('minute', now()) - interval '5 minutes'"
        )
        await fleet.store.look(NOW, {})
        # Whole minutes in which nobody looked: not at the two collectors, nor at the router six times a minute.
        after = await fleet.counted()
        assert after[Objective.FRESHNESS_2S] in (Count(1, 1 + 4 * 6), Count(1, 1 + 5 * 6))
        time = after[Objective.AVAILABILITY]
        assert time.good == found.good + 30
        assert time.total - found.total - 60 in (4 * 120, 5 * 120)

    in_fleet(postgres_dsn, body)


def test_of_a_gap_without_collectors_the_hubs_time_is_missed(postgres_dsn: str) -> None:
    async def body(fleet: Fleet) -> None:
        await fleet.do(
            "UPDATE service_level_look SET looked_at = date_trunc('minute', now()) - interval '5 minutes'"
        )
        await fleet.store.look(NOW, {})
        assert (await fleet.counted(NO_TENANT_ID))[Objective.AVAILABILITY] in (Count(0, 240), Count(0, 300))

    in_fleet(postgres_dsn, body)


def test_a_clock_that_was_set_back_is_not_waited_for(postgres_dsn: str) -> None:
    async def body(fleet: Fleet) -> None:
        await fleet.device("fresh")
        one = Look(10.0, 5.0, 1.0, 30.0, 10.0)
        await fleet.do("UPDATE service_level_look SET looked_at = now() + interval '1 hour'")
        assert await fleet.store.look(one, {})
        assert not await fleet.store.look(one, {})
        assert (await fleet.counted())[Objective.FRESHNESS_2S] == Count(1, 1)

    in_fleet(postgres_dsn, body)


def test_how_soon_an_end_was_told(postgres_dsn: str) -> None:
    async def body(fleet: Fleet) -> None:
        for name, ok_s, since_s, received_s in (
            ("soon", 28, 25, 20),
            ("late", 60, 25, 20),
            ("brought later by a collector that was cut off", 90, 85, 18),
            ("not projected yet when the others were", 14, 11, 10.9),
        ):
            device_id = await fleet.device(name, "down", age_s=None)
            await fleet.do(
                f"UPDATE device_status SET since = at - {since_s} * interval '1 s', last_ok_at = at - {ok_s} * interval '1 s'"
                " FROM (SELECT now() AS at) n WHERE device_id = %s RETURNING 1",
                (device_id,),
            )
            await fleet.do(
                "INSERT INTO device_health (tenant_id, device_id, log_id, seq, ts_collected, ts_received, outcome, status,"
                " poll_group, reason, consecutive_failures, polls_missed, retry_in_s)"
                f" SELECT tenant_id, device_id, gen_random_uuid(), 1, since, now() - {received_s} * interval '1 s',"
                " 'timed_out', 'down', 't0', '', 1, 0, 1 FROM device_status WHERE device_id = %s",
                (device_id,),
            )
        await fleet.do("UPDATE service_level_look SET looked_at = now() - interval '10 seconds'")
        await fleet.store.look(NOW, {})
        assert (await fleet.counted())[Objective.DETECTION] == Count(1, 2)
        await fleet.store.look(NOW, {})  # told of once
        assert (await fleet.counted())[Objective.DETECTION] == Count(1, 2)
        await fleet.do("UPDATE device_health SET ts_received = ts_received - interval '5 s' RETURNING 1")
        await fleet.do("UPDATE service_level_look SET looked_at = now() - interval '5 seconds'")
        await fleet.store.look(NOW, {})
        assert (await fleet.counted())[Objective.DETECTION] == Count(2, 3)

    in_fleet(postgres_dsn, body)


def test_a_device_whose_collector_is_away_is_not_down(postgres_dsn: str) -> None:
    async def body(fleet: Fleet) -> None:
        await fleet.collector("away", "offline")
        await fleet.collector("here", "online")
        await fleet.device("down", "down", collector="here")
        await fleet.device("unseen", "up", collector="away")
        shared = await fleet.device("shared", "up", collector="away")
        await fleet.do(
            "INSERT INTO device_assignment (tenant_id, device_id, slot, collector_id, epoch, granted_epoch, state, hold,"
            " revision) VALUES (%s, %s, 1, 'here', 1, 1, 'assigned', 'lease', 1)",
            (DEFAULT_TENANT_ID, shared),
        )
        queries = DeviceQueries(fleet.database)
        unseen = await queries.get("unseen")
        assert unseen.status is DeviceStatus.UNKNOWN
        assert unseen.status_reason == "its collector away isn't heard of; it was up before"
        assert (await queries.get("shared")).status is DeviceStatus.UP
        assert (await queries.get("down")).status is DeviceStatus.DOWN
        rows = {row.name: row for row in await FleetQueries(fleet.database).fleet()}
        assert rows["unseen"].status is DeviceStatus.UNKNOWN
        assert rows["unseen"].since_us == unseen.status_since_us
        counts = await read_status_counts(fleet.database, DEFAULT_TENANT_ID)
        assert counts == {DeviceStatus.UNKNOWN: 1, DeviceStatus.UP: 1, DeviceStatus.DOWN: 1}
        await fleet.collector("away", "left")
        assert "was stopped" in (await queries.get("unseen")).status_reason
        await fleet.collector("away", "online")
        assert (await queries.get("unseen")).status is DeviceStatus.UP

    in_fleet(postgres_dsn, body)


class Told:
    """In the place of a recorder."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []

    def record_event(self, change: Any) -> None:
        self.told.append(("", change.event_type))

    def record_event_of(self, tenant_id: str, change: Any) -> None:
        self.told.append((tenant_id, change.event_type))


def test_clocks_that_are_off_are_told_of_once(postgres_dsn: str) -> None:
    async def body(fleet: Fleet) -> None:
        told: Any = Told()
        levels = ServiceLevels(fleet.store, told, SloConfig(look_interval_s=1, clock_skew_s=2), 1.0)

        async def look(ahead_s: float) -> None:
            await fleet.do(
                "INSERT INTO ingest_agent (tenant_id, source, agent, version, capabilities, buffer_depth, jobs_running,"
                " poll_errors, clock_ahead_s) VALUES (%s, 'collector:x', 'edge-1', '', '{}', 0, 0, 0, %s)"
                " ON CONFLICT (tenant_id, source, agent) DO UPDATE SET clock_ahead_s = excluded.clock_ahead_s",
                (DEFAULT_TENANT_ID, ahead_s),
            )
            await fleet.do("UPDATE service_level_look SET looked_at = now() - interval '10 seconds'")
            await levels.look()

        for ahead_s in (0.1, -3600.0, -3600.0, -1.5, -0.5, 0.0):
            await look(ahead_s)
        assert told.told == [
            (DEFAULT_TENANT_ID, "collector.clock.skewed"),
            (DEFAULT_TENANT_ID, "collector.clock.right"),
        ]

    in_fleet(postgres_dsn, body)


def test_levels_have_budgets_and_what_is_old_goes(postgres_dsn: str) -> None:
    async def body(fleet: Fleet) -> None:
        told: Any = Told()
        levels = ServiceLevels(fleet.store, told, SloConfig(), 1.0)
        add = (
            "INSERT INTO service_level (tenant_id, objective, minute, good, total)"
            " VALUES (%s, %s, date_trunc('minute', now()) - %s::interval, %s, %s)"
        )
        for tenant, objective, ago, good, total in (
            (DEFAULT_TENANT_ID, "freshness_2s", "5 minutes", 90, 100),
            (DEFAULT_TENANT_ID, "freshness_2s", "5 hours", 100, 100),
            (DEFAULT_TENANT_ID, "freshness_2s", "40 days", 0, 1000),
            (str(uuid.uuid4()), "freshness_2s", "5 minutes", 0, 1000),  # another tenant's
            (NO_TENANT_ID, "availability", "5 minutes", 59, 60),
        ):
            await fleet.do(add, (tenant, objective, ago, good, total))
        found = {one.objective: one for one in await levels.levels(DEFAULT_TENANT_ID)}
        fresh = found[Objective.FRESHNESS_2S]
        assert fresh.counts == {
            Window.HOUR: Count(90, 100),
            Window.DAY: Count(190, 200),
            Window.MONTH: Count(190, 200),
        }
        assert round(fresh.burn_rate(Window.HOUR) or 0, 6) == 2
        assert round(fresh.budget_left or 0, 6) == 0
        assert found[Objective.AVAILABILITY].kept is False
        assert found[Objective.DETECTION].kept is None
        await levels.tell()
        await fleet.store.forget(30)
        assert await fleet.do("SELECT count(*) FROM service_level") == [(4,)]

    in_fleet(postgres_dsn, body)
