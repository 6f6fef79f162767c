"""A log, a database and what is projected from one to the other."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg
import pytest

from mtd.app.comparison import DatabaseComparison
from mtd.app.config import Settings
from mtd.app.maintenance import compare_with_database
from mtd.core.clock import SYSTEM_CLOCK
from mtd.eventlog.config import EventLogConfig
from mtd.eventlog.sqlite.log import SqliteEventLog
from mtd.eventlog.sqlite.verify import verify_file
from mtd.model.device import DEFAULT_TENANT_ID
from mtd.model.events import Origin
from mtd.projections.all import default_projections
from mtd.projections.runner import ProjectionRunner
from mtd.storage.config import PartitionsConfig
from mtd.storage.partitions import Partitions
from mtd.storage.pool import Database
from mtd.testing import run_async

DEVICES = [str(uuid.UUID(int=number)) for number in (1, 2)]


def origin(device: str) -> Origin:
    return Origin(DEFAULT_TENANT_ID, "collector", device)


def now_us() -> int:
    return SYSTEM_CLOCK.now_us()


class Place:
    """A log's file, a database, and the projections between them."""

    def __init__(self, folder: Path, dsn: str) -> None:
        self.dsn = dsn
        self.settings = Settings.model_validate(
            {"daemon": {"data_dir": str(folder)}, "database": {"dsn": dsn}}
        )

    def project(self, *batches: Sequence[Any]) -> None:
        """Append to the log, and project what is in it."""
        run_async(self._project(batches))

    async def _project(self, batches: Sequence[Sequence[Any]]) -> None:
        log = SqliteEventLog(EventLogConfig(path=self.settings.event_log_path, commit_interval_s=0))
        await log.start()
        db = Database(self.dsn)
        await db.start()
        partitions = Partitions(db, PartitionsConfig(ahead_hours=1, ahead_days=1))
        await partitions.maintain()
        runner = ProjectionRunner(log, db, default_projections(partitions))
        await runner.start()
        try:
            for batch in batches:
                await log.append(batch)
            await runner.wait_for(log.stats().last_seq)
        finally:
            await runner.stop()
            await db.stop()
            await log.stop()

    def append(self, batch: Sequence[Any]) -> None:
        """Append to the log alone."""

        async def work() -> None:
            log = SqliteEventLog(EventLogConfig(path=self.settings.event_log_path, commit_interval_s=0))
            await log.start()
            await log.append(batch)
            await log.stop()

        run_async(work())

    def compare(self) -> DatabaseComparison:
        """Compare, as the command does."""
        return compare_with_database(self.settings, verify_file(self.settings.event_log_path))

    def sql(self, statement: str, *params: Any) -> None:
        """Change what is stored."""
        with psycopg.connect(self.dsn, autocommit=True, options="-c search_path=mtd") as connection:
            connection.execute(statement, params or None)


@pytest.fixture
def place(tmp_path: Path, postgres_dsn: str) -> Place:
    made = Place(tmp_path, postgres_dsn)
    made.sql(
        "INSERT INTO tenant (tenant_id, name) VALUES (%s, 'default') ON CONFLICT DO NOTHING",
        DEFAULT_TENANT_ID,
    )
    for number, device in enumerate(DEVICES):
        made.sql(
            "INSERT INTO device (tenant_id, device_id, name, host, port, username, tls_mode)"
            " VALUES (%s, %s, %s, 'h', 1, 'u', 'off')",
            DEFAULT_TENANT_ID,
            device,
            f"device-{number}",
        )
    return made
