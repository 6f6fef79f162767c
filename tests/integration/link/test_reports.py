"""What edges say of themselves is stored with what all say that send; and who polls a device is told."""

from __future__ import annotations

from mtd.model.collector_report import CollectorReport
from mtd.model.device import DEFAULT_TENANT_ID
from mtd.queries.pollers import Poller, PollerQueries
from mtd.storage.pool import Database
from mtd.storage.stores.ingest_inventory import AgentState, IngestInventoryStore
from mtd.storage.txn import Transaction
from mtd.testing import run_async
from tests.integration.certificates.kit import rows

DEVICE = "10000000-0000-4000-8000-000000000001"
LOG = "20000000-0000-4000-8000-000000000001"


def test_reports_are_stored(postgres_dsn: str) -> None:
    async def main() -> None:
        database = Database.for_writing(postgres_dsn)
        await database.start()
        store = IngestInventoryStore(database)
        told = CollectorReport(7, 8, 1_000_000, 2_000_000, "t2", 3, 4, 5, clock_synchronised=True)
        for report in (told, CollectorReport()):
            state = AgentState(
                DEFAULT_TENANT_ID,
                "collector:1@t",
                "mtd",
                "1.2",
                ["tool:ping"],
                report.buffer_events,
                report.devices,
                report.poll_errors,
                0.25,
                report,
            )
            assert await store.put_agent(state)
            found = rows(
                postgres_dsn,
                "SELECT buffer_depth, buffer_bytes, extract(epoch FROM oldest_unsent_at)::int,"
                " extract(epoch FROM last_push_at)::int, pressure, jobs_running, poll_errors, memory_bytes,"
                " clock_synchronised, clock_ahead_s FROM mtd.ingest_agent",
            )
            if report is told:
                assert found == [(7, 8, 1, 2, "t2", 3, 4, 5, True, 0.25)]
            else:
                assert found == [(0, 0, None, None, "none", 0, 0, 0, None, 0.25)]
        await database.stop()

    run_async(main())


def test_who_polls_a_device(postgres_dsn: str) -> None:
    async def main() -> None:
        database = Database.for_writing(postgres_dsn)
        await database.start()

        async def put(tx: Transaction) -> None:
            await tx.execute(
                "INSERT INTO device (tenant_id, device_id, name, host, port, username, tls_mode)"
                " VALUES (%s, %s, 'r', 'h', 1, 'u', 'off')",
                (DEFAULT_TENANT_ID, DEVICE),
            )
            await tx.execute(
                "INSERT INTO collector_membership (tenant_id, collector_id, name, instance_id, term, lease_epoch, edge,"
                " state) VALUES (%s, 'c', 'edge-1', gen_random_uuid(), 1, 1, true, 'offline')",
                (DEFAULT_TENANT_ID,),
            )
            await tx.execute(
                "INSERT INTO device_assignment (tenant_id, device_id, collector_id, epoch, granted_epoch, state, hold,"
                " revision) VALUES (%s, %s, 'c', 1, 1, 'assigned', 'exclusive', 1)",
                (DEFAULT_TENANT_ID, DEVICE),
            )
            await tx.execute(
                "INSERT INTO ingest_log (tenant_id, log_id, projected) VALUES (%s, %s, '{[1,10)}')",
                (DEFAULT_TENANT_ID, LOG),
            )

        queries = PollerQueries(database)
        assert await queries.of(DEVICE, DEFAULT_TENANT_ID) is None
        await database.run("test", put)
        assert await queries.of(DEVICE, DEFAULT_TENANT_ID) == Poller("c", "edge-1", edge=True, online=False)
        assert await queries.of(DEVICE, LOG) is None, "it is another tenant's"
        assert await queries.has_told(LOG, 9)
        assert not await queries.has_told(LOG, 10)
        assert not await queries.has_told(DEVICE, 1)
        await database.stop()

    run_async(main())
