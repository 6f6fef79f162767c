"""Making a projection again from the event log, while the daemon is stopped. Needs a running reactor."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from mtd.app.auditing.local import FAILED, local_entry
from mtd.app.config import Settings
from mtd.app.event_log import log_stats, make_log
from mtd.app.projecting import timeline_of
from mtd.core.clock import SYSTEM_CLOCK
from mtd.core.errors import Misconfigured, Retryable
from mtd.model.audit import OK, STARTED
from mtd.projections.all import default_projections
from mtd.projections.runner import ProjectionRunner
from mtd.projections.telemetry import TelemetryProjection
from mtd.security.audit_chain import Deed, clean
from mtd.storage.embedded.server import EmbeddedPostgres
from mtd.storage.partitions import Partitions
from mtd.storage.pool import Database
from mtd.storage.schema import migrate
from mtd.storage.stores.audit_log import AuditStore
from mtd.storage.txn import Transaction

Progress = Callable[[str, int, int], None]
"""Told what is being done, and how many events of how many are."""

BLOCKS_STAY = (
    "some hours are blocks already, and those stay: what the log has of them comes beside them as frames and is merged,"
    " so that a poll whose values have changed is there with the old values as well; how to have it made anew from the log"
    ' only stands under "Make it again" in docs/operating.md'
)
"""What is said before telemetry is rebuilt beside blocks."""

_LOOK_S = 0.1
_STUCK_S = 15.0


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What was made again: a projection, from which events of the log, in how many seconds."""

    projection: str
    first_seq: int
    last_seq: int
    duration_s: float


class ProjectingStuck(Retryable):
    """Projecting doesn't go on."""

    hint = "mend what the message names and run it again, or start the daemon: what is missing is caught up"


async def rebuild_projection(
    settings: Settings, name: str, progress: Progress, warn: Callable[[str], None]
) -> Rebuilt:
    """Make what a projection keeps in PostgreSQL again, from all events that the log still has.

    ``warn`` is told, before anything is changed, what this doesn't make again. What other projections have not projected yet is projected first. Raises
    NotFound (no log, no such projection), Misconfigured (the daemon runs, or
    something has to be set right), and Retryable.
    """
    started = SYSTEM_CLOCK.monotonic()
    await asyncio.to_thread(log_stats, settings)  # a log that isn't there must not be made
    async with _log_of(settings) as log, _database_of(settings) as database:
        if name == TelemetryProjection.name and await _has_blocks(database):
            warn(BLOCKS_STAY)
        await _write_down(database, name, STARTED)
        partitions = Partitions(database, settings.database.partitions, settings.database.retention)
        await partitions.maintain()
        projections = default_projections(partitions, settings.projections, timeline=timeline_of(settings))
        runner = ProjectionRunner(log, database, projections, config=settings.projections)
        await runner.start()
        try:
            stats = log.stats()
            await _until(runner, "catching up", stats.first_seq, stats.last_seq, progress)
            await runner.rebuild(name)
            await _until(runner, f"rebuilding {name}", stats.first_seq, stats.last_seq, progress)
        except Exception:
            await _write_down(database, name, FAILED)
            raise
        finally:
            await runner.stop()
        await _write_down(database, name, OK)
        seconds = round(SYSTEM_CLOCK.monotonic() - started, 3)
        return Rebuilt(name, stats.first_seq, stats.last_seq, seconds)


async def _write_down(database: Database, name: str, outcome: str) -> None:
    entry = local_entry("database.rebuild", outcome, target=f"projection={name}")
    await AuditStore(database).append([Deed(clean(entry), SYSTEM_CLOCK.now_us())])


@asynccontextmanager
async def _log_of(settings: Settings) -> AsyncIterator[Any]:
    """Open the log: that keeps the daemon from starting meanwhile, and tells whether it runs."""
    log = make_log(settings)
    try:
        await log.start()
    except Misconfigured as refused:
        if "in use by process" not in str(refused):
            raise
        raise Misconfigured(f"the daemon is running: stop it, rebuild, start it again ({refused})") from None
    try:
        yield log
    finally:
        await log.stop()


@asynccontextmanager
async def _database_of(settings: Settings) -> AsyncIterator[Database]:
    dsn = settings.database.read_dsn()
    embedded = None
    if not dsn:
        embedded = EmbeddedPostgres(settings.daemon.data_dir / "postgres", settings.database.embedded)
    try:
        if embedded is not None:
            await embedded.start()
            dsn = embedded.dsn
        await migrate(dsn)
        database = Database(dsn, settings.database)
        try:
            await database.start()
            yield database
        finally:
            await database.stop()
    finally:
        if embedded is not None:
            await embedded.stop()


async def _has_blocks(database: Database) -> bool:
    async def look(tx: Transaction) -> bool:
        await tx.execute("SELECT FROM mtd.telemetry_axis LIMIT 1")
        return tx.fetchone() is not None

    return await database.run("rebuild.look", look)


async def _until(runner: ProjectionRunner, what: str, first: int, last: int, progress: Progress) -> None:
    """Wait until all projections have reached the end; raise ProjectingStuck if none of them moves."""
    waiting = asyncio.ensure_future(runner.wait_for(last))
    before, moved = -1, SYSTEM_CLOCK.monotonic()
    try:
        while not waiting.done():
            await asyncio.wait([waiting], timeout=_LOOK_S)
            if runner.position != before:
                before, moved = runner.position, SYSTEM_CLOCK.monotonic()
            progress(what, max(0, before - first + 1), last - first + 1)
            if runner.failure and SYSTEM_CLOCK.monotonic() - moved > _STUCK_S:
                raise ProjectingStuck(f"{what} doesn't go on: {runner.failure}")
    finally:
        waiting.cancel()
    waiting.result()
