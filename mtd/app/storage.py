"""What ``mtd storage`` tells and does: the database of a configuration, read without a daemon. Blocking."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from mtd.app.config import Settings
from mtd.app.maintenance import Report, running_database
from mtd.core.clock import SYSTEM_CLOCK, Clock
from mtd.storage.cold.connection import ColdConnection
from mtd.storage.cold.status import StorageStatus, read_status
from mtd.storage.outlook import Action, Projection, next_actions, project
from mtd.storage.partitioned import HOUR_US
from mtd.storage.retention import Retention


@dataclass(frozen=True, slots=True)
class StorageReport:
    """The state of the storage, and what follows. ``lag_s``: how long the oldest closed hour has waited."""

    status: StorageStatus
    projection: Projection | None
    actions: list[Action]
    lag_s: float
    compaction_enabled: bool


def storage_report(settings: Settings, report: Report, clock: Clock = SYSTEM_CLOCK) -> StorageReport:
    """Look at what is stored.

    Raises SchemaTooOld for a database that was never migrated, Misconfigured and StorageUnavailable.
    """
    config = settings.database
    now_us = clock.now_us()
    with running_database(settings, report) as dsn, ColdConnection(dsn, "mtd storage status") as connection:
        report("counting what is stored")
        status = read_status(connection, now_us - int(config.compaction.close_after_s * 1e6))
    retention = Retention(config.retention, config.partitions)
    oldest_us = status.waiting.oldest_us
    return StorageReport(
        status,
        project(status, retention, dense=config.blocks.dense_after_days > 0),
        next_actions(status, retention, now_us, int(config.compaction.late_alarm_s * 1e6), _moment),
        (now_us - oldest_us - HOUR_US) / 1e6 if status.waiting.hours else 0.0,
        config.compaction.enabled,
    )


def _moment(us: int) -> str:
    return dt.datetime.fromtimestamp(us / 1e6, dt.UTC).strftime("%Y-%m-%d %H:%M UTC")
