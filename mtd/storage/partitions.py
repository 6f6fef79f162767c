"""Partitions by day and by month: made ahead, made on demand, dropped in constant time."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from mtd.core.clock import SYSTEM_CLOCK, Clock
from mtd.core.errors import MtdError, Refused
from mtd.core.service import TaskGroup
from mtd.storage import metrics
from mtd.storage.config import PartitionsConfig
from mtd.storage.errors import PartitionMissing, StatementRejected
from mtd.storage.pool import Database
from mtd.storage.stores.devices import forget_removed
from mtd.storage.txn import Transaction

logger = logging.getLogger(__name__)

_DAY_US = 86_400_000_000
_EPOCH = dt.date(1970, 1, 1)
# More than a table can have over its retention at most; drops go on in the next round.
_LOCK_TIMEOUT_MS = 2000


@dataclass(frozen=True, slots=True)
class PartitionedTable:
    """A table of schema ``mtd`` that is partitioned by ``ts_collected``."""

    name: str
    monthly: bool
    options: str = ""

    def period(self, day: dt.date) -> tuple[dt.date, dt.date]:
        """Return the first day of the partition that holds a day, and that of the next."""
        if not self.monthly:
            return day, day + dt.timedelta(days=1)
        first = day.replace(day=1)
        return first, (first + dt.timedelta(days=32)).replace(day=1)

    def partition(self, first: dt.date) -> str:
        """Return the name of the partition that begins on a day."""
        return f"{self.name}_{first:%Y%m}" if self.monthly else f"{self.name}_{first:%Y%m%d}"


TELEMETRY_FRAME = PartitionedTable("telemetry_frame", monthly=False, options="")
EVENT = PartitionedTable("event", monthly=True)
DEVICE_HEALTH = PartitionedTable("device_health", monthly=True)
TABLES = (TELEMETRY_FRAME, EVENT, DEVICE_HEALTH)


def day_of(us: int) -> dt.date:
    """Return the UTC day of a time in microseconds since the epoch."""
    return _EPOCH + dt.timedelta(days=us // _DAY_US)


def horizon(config: PartitionsConfig, table: PartitionedTable, today: dt.date) -> dt.date:
    """Return the first day of a table that is kept."""
    if not table.monthly:
        return today - dt.timedelta(days=config.telemetry_days - 1)
    months = today.year * 12 + today.month - 1 - (config.events_months - 1)
    return dt.date(months // 12, months % 12 + 1, 1)


def oldest_us(config: PartitionsConfig, table: PartitionedTable, now_us: int) -> int:
    """Return the oldest time that is within a table's retention; both in microseconds since the epoch."""
    return (horizon(config, table, day_of(now_us)) - _EPOCH).days * _DAY_US


class Partitions:
    """Knows which partitions exist and keeps them fit."""

    def __init__(
        self, db: Database, config: PartitionsConfig | None = None, *, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self._db = db
        self._config = config or PartitionsConfig()
        self._clock = clock
        self._known: dict[str, set[dt.date]] = {table.name: set() for table in TABLES}
        self._tasks = TaskGroup("storage.partitions")
        self.failure = ""
        """Why the last round of maintenance failed; empty if it did not."""

    async def start(self) -> None:
        """Make what is missing now, then keep it so in the background."""
        await self.maintain()
        self._tasks.spawn("maintenance", self._maintain_regularly())

    async def stop(self) -> None:
        """Stop the maintenance."""
        await self._tasks.stop()

    def oldest_us(self, table: PartitionedTable) -> int:
        """Return the oldest time of a table that is taken in: what is older would be dropped at once."""
        return oldest_us(self._config, table, self._clock.now_us())

    def newest_us(self) -> int:
        """Return the newest time that is taken in: a clock ahead of it is wrong."""
        return self._midnight_us() + (self._config.ahead_days + 1) * _DAY_US - 1

    def check(self, table: PartitionedTable, collected_us: int) -> None:
        """Raise Refused for a time that no partition is made for."""
        if collected_us < self.oldest_us(table):
            raise Refused(f"collected at {day_of(collected_us)}: older than the retention")
        if collected_us > self.newest_us():
            raise Refused("collected in the future: the collector's clock is wrong")

    async def ensure(self, table: PartitionedTable, days: Iterable[dt.date]) -> None:
        """Make the partitions that hold these days, where they don't exist. The caller has checked the bounds."""
        known = self._known[table.name]
        missing = {first for first, _ in map(table.period, days)} - known
        for first in sorted(missing):
            await self._create(table, first)
            known.add(first)

    @contextmanager
    def expected(self, *tables: PartitionedTable) -> Iterator[None]:
        """Write rows in here: a partition that someone removed is made again by the next ``ensure``.

        Raises PartitionMissing for it.
        """
        try:
            yield
        except StatementRejected as error:
            if not error.no_partition:
                raise
            for table in tables:
                self._known[table.name].clear()
            raise PartitionMissing(str(error)) from error

    async def maintain(self) -> None:
        """Make partitions ahead and drop those that are past their retention."""
        today = day_of(self._clock.now_us())
        for table in TABLES:
            self._known[table.name] = set(await self._existing(table))
            await self.ensure(
                table, (today + dt.timedelta(days=n) for n in range(-1, self._config.ahead_days + 1))
            )
            for first in sorted(self._known[table.name]):
                if table.period(first)[1] <= horizon(self._config, table, today):
                    await self._drop(table, first)
            metrics.PARTITIONS.labels(table=table.name).set(len(self._known[table.name]))

    async def _maintain_regularly(self) -> None:
        while True:
            await asyncio.sleep(self._config.interval_s)
            try:
                await self.maintain()
                await forget_removed(self._db)
                self.failure = ""
            except MtdError as error:
                metrics.MAINTENANCE_FAILURES.inc()
                self.failure = str(error)
                logger.error(
                    "partition maintenance failed, next try in %g s: %s", self._config.interval_s, error
                )

    async def _existing(self, table: PartitionedTable) -> list[dt.date]:
        async def read(tx: Transaction) -> list[dt.date]:
            await tx.execute(
                "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
                " WHERE i.inhparent = %s::regclass",
                (f"mtd.{table.name}",),
            )
            suffixes = [str(row[0]).removeprefix(f"{table.name}_") for row in tx.fetchall()]
            pattern = "%Y%m" if table.monthly else "%Y%m%d"
            return [dt.datetime.strptime(suffix, pattern).date() for suffix in suffixes if suffix.isdigit()]

        return await self._db.run("partitions.list", read)

    async def _create(self, table: PartitionedTable, first: dt.date) -> None:
        name, following = table.partition(first), table.period(first)[1]

        async def create(tx: Transaction) -> bool:
            await tx.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", (f"mtd.{name}",))
            await tx.execute("SELECT to_regclass(%s) IS NULL", (f"mtd.{name}",))
            row = tx.fetchone()
            if row is None or not row[0]:
                return False
            # Made aside and attached: that locks the parent against other DDL only, not against inserts.
            await tx.execute(
                f"CREATE TABLE mtd.{name} (LIKE mtd.{table.name} INCLUDING DEFAULTS INCLUDING STORAGE) {table.options}"
            )
            await tx.execute(
                f"ALTER TABLE mtd.{table.name} ATTACH PARTITION mtd.{name} FOR VALUES FROM (%s) TO (%s)",
                (_utc(first), _utc(following)),
            )
            return True

        if await self._db.run("partitions.create", create):
            metrics.PARTITIONS_CREATED.labels(table=table.name).inc()

    async def _drop(self, table: PartitionedTable, first: dt.date) -> None:
        name = table.partition(first)

        async def drop(tx: Transaction) -> None:
            # Waiting for the lock would make every insert wait behind us: rather come again.
            await tx.execute(f"SET LOCAL lock_timeout = {_LOCK_TIMEOUT_MS}")
            await tx.execute(f"DROP TABLE IF EXISTS mtd.{name}")

        await self._db.run("partitions.drop", drop)
        self._known[table.name].discard(first)
        metrics.PARTITIONS_DROPPED.labels(table=table.name).inc()
        logger.info("dropped partition %s: past its retention", name)

    def _midnight_us(self) -> int:
        now = self._clock.now_us()
        return now - now % _DAY_US


def _utc(day: dt.date) -> dt.datetime:
    return dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC)
