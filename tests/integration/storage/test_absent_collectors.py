"""Of collectors that aren't there, a door tells whose devices wait for them, and nobody else."""

from __future__ import annotations

import uuid

from mtd.model.tenant import NO_TENANT_ID
from mtd.storage.pool import Database
from mtd.storage.txn import Transaction
from mtd.testing import run_async

OURS, THEIRS = str(uuid.uuid4()), str(uuid.uuid4())
ABSENT = "SELECT collector_id FROM mtd.absent_collector() ORDER BY 1"


def test_a_door_sees_nothing_of_collectors_of_others(postgres_dsn: str) -> None:
    async def fill(tx: Transaction) -> None:
        members = {"ours": OURS, "shared": THEIRS, "theirs": THEIRS, "hub": NO_TENANT_ID, "here": OURS}
        for tenant in (OURS, THEIRS):
            await tx.execute("INSERT INTO tenant (tenant_id, name) VALUES (%s, %s)", [tenant, tenant[:8]])
        for key, tenant in members.items():
            await tx.execute(
                "INSERT INTO collector_membership (tenant_id, collector_id, name, instance_id, term, lease_epoch, edge,"
                " state) VALUES (%s, %s, %s, gen_random_uuid(), 1, 1, true, %s)",
                [tenant, key, key, "online" if key == "here" else "offline"],
            )
        for key, tenant in (("shared", OURS), ("theirs", THEIRS), ("here", OURS)):
            await tx.execute(
                "WITH d AS (INSERT INTO device (tenant_id, name, host, port, username, tls_mode)"
                " VALUES (%s, %s, '192.0.2.1', 1, 'u', 'off') RETURNING tenant_id, device_id)"
                " INSERT INTO device_assignment (tenant_id, device_id, collector_id, epoch, granted_epoch, state, hold,"
                " revision) SELECT tenant_id, device_id, %s, 1, 1, 'assigned', 'lease', 1 FROM d",
                [tenant, key, key],
            )

    async def absent(tx: Transaction) -> list[str]:
        await tx.execute(ABSENT)
        return [row[0] for row in tx.fetchall()]

    async def waiting(tx: Transaction) -> list[str]:
        await tx.execute("SELECT collector FROM mtd.device_unobserved ORDER BY 1")
        return [row[0] for row in tx.fetchall()]

    async def main() -> None:
        writer, doors = Database.for_writing(postgres_dsn), Database.for_queries(postgres_dsn)
        await writer.start()
        await doors.start()
        try:
            await writer.run("test.fill", fill)
            assert await doors.run("test", absent, tenant=OURS) == ["hub", "ours", "shared"]
            assert await doors.run("test", waiting, tenant=OURS) == ["shared"]
            assert await doors.run("test", waiting, tenant=THEIRS) == ["theirs"]
            # The writer counts for all.
            assert await writer.run("test", absent) == ["hub", "ours", "shared", "theirs"]
            assert await writer.run("test", waiting) == ["shared", "theirs"]
        finally:
            await doors.stop()
            await writer.stop()

    run_async(main())
