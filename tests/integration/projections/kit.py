"""A log, a database and projections between them."""

from __future__ import annotations

import asyncio
import math
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import psycopg2

from mtd.core.clock import SYSTEM_CLOCK
from mtd.eventlog.memory import MemoryEventLog
from mtd.model.device import DEFAULT_TENANT_ID, DeviceStatus, Outcome, Severity
from mtd.model.events import (
    Origin,
    frame_event,
    layout_event,
    outcome_event,
    probe_event,
    snapshot_event,
    state_event,
    table_event,
)
from mtd.model.layout import Layout, Series
from mtd.model.metric import Lane
from mtd.model.observation import (
    CapabilityFact,
    Document,
    FrameValues,
    OutcomeReport,
    ProbeFacts,
    StateChange,
    TableChange,
)
from mtd.projections.all import default_projections
from mtd.projections.config import ProjectionsConfig
from mtd.projections.runner import ProjectionRunner
from mtd.storage.config import PartitionsConfig, StorageConfig
from mtd.storage.partitions import Partitions
from mtd.storage.pool import Database
from mtd.testing import run_async

if TYPE_CHECKING:
    from mtd.pb.events.v1.envelope_pb2 import Envelope

DEVICE = str(uuid.UUID(int=1))
OTHER_DEVICE = str(uuid.UUID(int=2))
TENANT = DEFAULT_TENANT_ID

LAYOUT = Layout.of(
    "t0",
    (
        Series("iface.rx_bytes_total", "*1", Lane.COUNTER),
        Series("iface.rx_bytes_total", "*2", Lane.COUNTER),
        Series("system.cpu.load_pct", "", Lane.GAUGE),
        Series("iface.oper_state", "*1", Lane.GAUGE),
        Series("iface.rx_bps", "*1", Lane.RATE),
        Series("iface.rx_bps", "*2", Lane.RATE),
    ),
)
OTHER_LAYOUT = Layout.of("t0", (Series("system.cpu.load_pct", "", Lane.GAUGE),))
T1_LAYOUT = Layout.of("t1", (Series("system.memory.free_bytes", "", Lane.GAUGE),))


SEQS = "SELECT array_agg(seq ORDER BY seq) FROM telemetry_frame"
POSITIONS = "SELECT array_agg(DISTINCT position) FROM projection_position"


def now_us() -> int:
    return SYSTEM_CLOCK.now_us()


def origin(device: str = DEVICE, tenant: str = TENANT) -> Origin:
    return Origin(tenant, "collector", device)


def declare(layout: Layout = LAYOUT, at: int | None = None) -> Envelope:
    at = at or now_us()
    return layout_event(origin(), layout, at, at)


def frame(at: int, counter: int = 1, device: str = DEVICE, **changes: Any) -> Envelope:
    values: dict[str, Any] = {
        "layout": LAYOUT,
        "collected_us": at,
        "counters": [counter, None],
        "gauges": [math.nan, 1.0],
        "rates": [1000.5, math.nan],
        "low_confidence": (0,),
        "poll_duration_us": 1234,
        **changes,
    }
    return frame_event(origin(device), FrameValues(**values), at + 10)


def frames(count: int, start: int, device: str = DEVICE) -> list[Envelope]:
    return [frame(start + n, counter=n, device=device) for n in range(count)]


def outcome(
    at: int, result: Outcome, status: DeviceStatus, reason: str = "because", device: str = DEVICE
) -> Envelope:
    report = OutcomeReport(
        result, status, "t0", reason, consecutive_failures=3, polls_missed=1, retry_in_s=1.5
    )
    return outcome_event(origin(device), report, at, at + 10)


def probe(at: int, version: str = "7.16", **capabilities: bool) -> Envelope:
    facts = ProbeFacts(
        routeros_version=version,
        routeros_major=7,
        board_name="CHR",
        architecture="x86_64",
        identity="core",
        serial_number="",
        capabilities=tuple(CapabilityFact(name, present) for name, present in capabilities.items()),
    )
    return probe_event(origin(), facts, at, at + 10)


def change(
    at: int, new: str = "down", severity: Severity = Severity.WARNING, device: str = DEVICE
) -> Envelope:
    changed = StateChange(
        "interface.oper.changed", severity, "interface", "*1", "ether1", "running", "up", new, "m"
    )
    return state_event(origin(device), changed, at, at + 10)


def table(
    at: int, upserted: dict[str, dict[str, str]], removed: Sequence[str] = (), *, complete: bool = False
) -> Envelope:
    return table_event(origin(), TableChange("interface", complete, upserted, removed), at, at + 10)


def snapshot(at: int, content: bytes, sha256: bytes | None = None) -> Envelope:
    return snapshot_event(
        origin(), Document("system", content, sha256 or content[:32].ljust(32)), at, at + 10
    )


@dataclass
class World:
    """Everything that projecting takes, and what reads it; ``committed`` is what subscribers were told.

    ``db`` is the writer's pool, ``doors`` that of callers of one tenant, ``across`` what mtd itself reads.
    """

    db: Database
    doors: Database
    across: Database
    partitions: Partitions
    log: MemoryEventLog
    dsn: str
    config: ProjectionsConfig
    committed: list[int] = field(default_factory=list)
    runners: list[ProjectionRunner] = field(default_factory=list)
    stops: list[Callable[[], Awaitable[object]]] = field(default_factory=list)
    """What else is to be stopped at the end."""

    def runner(self, projections: Sequence[Any] | None = None) -> ProjectionRunner:
        """Return another runner on the same log and database; it is stopped at the end."""
        runner = ProjectionRunner(
            self.log,
            self.db,
            default_projections(self.partitions, self.config) if projections is None else projections,
            lambda events: self.committed.extend(seq for seq, _ in events),
            config=self.config,
        )
        self.runners.append(runner)
        return runner

    async def project(self, *events: Envelope) -> None:
        """Append events and wait until they are projected."""
        if not self.runners:
            await self.runner().start()
        if events:
            await self.log.append(events)
        await self.runners[-1].wait_for(self.log.stats().last_seq)

    async def ask(self, statement: str, *params: Any) -> list[tuple[Any, ...]]:
        """Ask PostgreSQL by another driver and connection."""
        return await asyncio.to_thread(query, self.dsn, statement, *params)

    async def ask_as_door(self, statement: str, *params: Any) -> list[tuple[Any, ...]]:
        """Ask as a door of the tenant does."""
        role = f" -c role=mtd_door -c app.tenant_id={TENANT}"
        return await asyncio.to_thread(query, self.dsn, statement, *params, options=role)

    async def value(self, statement: str, *params: Any) -> Any:
        ((found,),) = await self.ask(statement, *params)
        return found


def query(dsn: str, statement: str, *params: Any, options: str = "") -> list[tuple[Any, ...]]:
    connection = psycopg2.connect(dsn, options=f"-c search_path=mtd -c timezone=UTC{options}")
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(statement, params or None)
            return list(cursor.fetchall()) if cursor.description else []
    finally:
        connection.close()


def in_world(
    dsn: str, body: Callable[[World], Awaitable[None]], timeout_s: float = 60, **settings: Any
) -> None:
    """Run a test in a new world."""

    async def main() -> None:
        storage = StorageConfig(pool_size=4, retry_cap_s=0.2)
        db, owner = Database.for_writing(dsn, storage), Database.for_maintenance(dsn, storage)
        doors, across = Database.for_queries(dsn, storage), Database.for_all_tenants(dsn, storage)
        pools = (db, owner, doors, across)
        partitions = Partitions(owner, PartitionsConfig(ahead_hours=1, ahead_days=1))
        await partitions.maintain()
        log = MemoryEventLog()
        await log.start()
        config = ProjectionsConfig.model_validate({"retry_first_s": 0.02, "retry_cap_s": 0.2, **settings})
        world = World(db, doors, across, partitions, log, dsn, config)
        try:
            await body(world)
        finally:
            for runner in world.runners:
                await runner.stop()
            for stop in world.stops:
                await stop()
            for pool in pools:
                await pool.stop()
            await log.stop()

    run_async(main(), timeout_s=timeout_s)
