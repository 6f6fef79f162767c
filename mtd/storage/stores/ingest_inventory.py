"""The devices that programs and collectors may send for, and the programs that send."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from dataclasses import dataclass

from mtd.model.collector_report import CollectorReport
from mtd.storage import literals
from mtd.storage.pool import Database
from mtd.storage.txn import Transaction

CHANNEL = "mtd_device"
MOST_AGENTS = 1000


@dataclass(frozen=True, slots=True)
class AgentState:
    """What a program that sends says of itself. ``source``: who called.

    ``report``: of a collector at the edge, whose jobs are the devices that it polls.
    """

    tenant_id: str
    source: str
    agent: str
    version: str
    capabilities: Sequence[str]
    buffer_depth: int
    jobs_running: int
    poll_errors: int
    clock_ahead_s: float
    report: CollectorReport = CollectorReport()


class IngestInventoryStore:
    """Reads across tenants: who sends isn't to wait for a question per row."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def devices(self) -> Sequence[tuple[str, str, str]]:
        """Return tenant, id and name of all devices."""

        async def read(tx: Transaction) -> Sequence[tuple[str, str, str]]:
            await tx.execute("SELECT tenant_id::text, device_id::text, name FROM device")
            return [(tenant_id, device_id, name) for tenant_id, device_id, name in tx.fetchall()]

        return await self._db.run("ingest_inventory.devices", read)

    async def labels(
        self, tenant_id: str, device_ids: Collection[str]
    ) -> Mapping[str, Mapping[tuple[str, str, str], str]]:
        """Return instances by (device, scope, name) for each of some devices; the lowest instance of those of a name."""

        async def read(tx: Transaction) -> Mapping[str, Mapping[tuple[str, str, str], str]]:
            await tx.execute(
                "SELECT device_id::text, scope, label, instance FROM instance_label"
                " WHERE tenant_id = %s AND device_id = ANY (%s::uuid[]) AND label IS NOT NULL"
                " ORDER BY instance DESC",
                (tenant_id, literals.plain(device_ids)),
            )
            found: dict[str, dict[tuple[str, str, str], str]] = {}
            for device_id, scope, label, instance in tx.fetchall():
                found.setdefault(device_id, {})[device_id, scope, label] = instance
            return found

        return await self._db.run("ingest_inventory.labels", read, tenant=tenant_id)

    async def put_agent(self, state: AgentState) -> bool:
        """Store what a program says of itself; false if the tenant has too many of them already."""
        report = state.report

        async def write(tx: Transaction) -> bool:
            await tx.execute(
                "INSERT INTO ingest_agent (tenant_id, source, agent, version, capabilities, buffer_depth, jobs_running,"
                " poll_errors, clock_ahead_s, buffer_bytes, oldest_unsent_at, last_push_at, pressure, memory_bytes,"
                " clock_synchronised) SELECT %s, %s, %s, %s, %s::text[], %s, %s, %s, %s, %s,"
                " from_us(nullif(%s, 0)), from_us(nullif(%s, 0)), %s, %s, %s"
                # Whoever sends gives the names: those of a tenant are bounded, and known ones stay.
                f" WHERE (SELECT count(*) FROM ingest_agent WHERE tenant_id = %s) < {MOST_AGENTS}"
                " OR EXISTS (SELECT FROM ingest_agent WHERE (tenant_id, source, agent) = (%s, %s, %s))"
                " ON CONFLICT (tenant_id, source, agent) DO UPDATE SET version = excluded.version,"
                "  capabilities = excluded.capabilities, buffer_depth = excluded.buffer_depth,"
                "  jobs_running = excluded.jobs_running, poll_errors = excluded.poll_errors,"
                "  clock_ahead_s = excluded.clock_ahead_s, buffer_bytes = excluded.buffer_bytes,"
                "  oldest_unsent_at = excluded.oldest_unsent_at, last_push_at = excluded.last_push_at,"
                "  pressure = excluded.pressure, memory_bytes = excluded.memory_bytes,"
                "  clock_synchronised = excluded.clock_synchronised, last_seen_at = now()",
                (
                    state.tenant_id,
                    state.source,
                    state.agent,
                    state.version,
                    literals.texts(state.capabilities),
                    state.buffer_depth,
                    state.jobs_running,
                    state.poll_errors,
                    state.clock_ahead_s,
                    report.buffer_bytes,
                    report.oldest_unsent_us,
                    report.last_push_us,
                    report.pressure,
                    report.memory_bytes,
                    report.clock_synchronised,
                    state.tenant_id,
                    state.tenant_id,
                    state.source,
                    state.agent,
                ),
            )
            return tx.rowcount == 1

        return await self._db.run("ingest_inventory.put_agent", write, tenant=state.tenant_id)

    async def watch(self) -> AsyncGenerator[None, None]:
        """Yield at the start, and whenever devices were added, changed or removed. Close it: it holds a connection."""
        changed = asyncio.Event()
        listening = await self._db.listen(CHANNEL, lambda _: changed.set())
        try:
            changed.set()
            while True:
                await changed.wait()
                changed.clear()
                yield
        finally:
            await listening.stop()
