"""Partitions by hour, day and month: made ahead, made on demand, dropped in constant time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from mtd.core.clock import SYSTEM_CLOCK, Clock
from mtd.core.errors import MtdError, Refused
from mtd.core.service import TaskGroup
from mtd.storage import metrics
from mtd.storage.config import PartitionsConfig, RetentionConfig
from mtd.storage.dropping import Dropper
from mtd.storage.errors import PartitionMissing, StatementRejected
from mtd.storage.partitioned import (
    DAY_US,
    DEVICE_HEALTH,
    EVENT,
    FLOW_BLOCK,
    FLOW_SUM_1M,
    HOUR_US,
    LIST_CLASSES,
    LIST_PARTITIONS,
    LOCK,
    STANDARD,
    STANDING,
    TABLES,
    TELEMETRY_FRAME,
    Bounds,
    Known,
    PartitionedTable,
    Period,
    attach_partition,
    create_class,
    create_partition,
    made,
    to_bounds,
)
from mtd.storage.pool import Database
from mtd.storage.retention import Retention
from mtd.storage.stores.devices import forget_removed
from mtd.storage.stores.flows import forget_due
from mtd.storage.txn import Row, Transaction

__all__ = ["DEVICE_HEALTH", "EVENT", "TELEMETRY_FRAME", "Partitions"]

logger = logging.getLogger(__name__)

_CREATED_AT_ONCE = 16


class Partitions:
    """Knows which partitions exist and keeps them fit."""

    def __init__(
        self,
        db: Database,
        config: PartitionsConfig | None = None,
        retention: RetentionConfig | None = None,
        *,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._db = db
        self._config = config or PartitionsConfig()
        if retention is None and self._config.telemetry_days is not None:
            retention = RetentionConfig(raw_days=self._config.telemetry_days)
        self._retention = Retention(retention, self._config)
        self._dropper = Dropper(db, self._retention)
        self._clock = clock
        self._known: dict[str, Known] = {}
        self._tasks = TaskGroup("storage.partitions")
        self.making_failure = ""
        """Why the last round could not make partitions ahead; empty if it could."""
        self.dropping_failure = ""
        """Why what is past its retention isn't dropped, or what is kept without being configured; empty if all is well."""

    @property
    def failure(self) -> str:
        """Why the last round of maintenance failed; empty if it did not."""
        return self.making_failure or self.dropping_failure

    async def start(self) -> None:
        """Make what is missing now, then keep it so in the background."""
        await self.maintain()
        self._tasks.spawn("maintenance", self._maintain_regularly())

    async def stop(self) -> None:
        """Stop the maintenance."""
        await self._tasks.stop()

    def oldest_us(self, table: PartitionedTable) -> int:
        """Return the oldest time of a table that is taken in: what is older would be dropped at once."""
        return self._retention.oldest_us(table, self._clock.now_us())

    def newest_us(self) -> int:
        """Return the newest time that is taken in: a clock ahead of it is wrong."""
        now = self._clock.now_us()
        return now - now % DAY_US + (self._config.ahead_days + 1) * DAY_US - 1

    def check(self, table: PartitionedTable, collected_us: int) -> None:
        """Raise Refused for a time that no partition is made for."""
        if collected_us < self.oldest_us(table):
            raise Refused("collected in the past: older than the retention")
        if collected_us > self.newest_us():
            raise Refused("collected in the future: the collector's clock is wrong")

    async def ensure(
        self, table: PartitionedTable, times_us: Iterable[int], retention: str = STANDARD
    ) -> None:
        """Make the partitions that hold these times, where they don't exist. The caller has checked the bounds.

        Those of a class (``retention``) need its parent, which ``maintain`` makes.
        """
        parent = table.parent(retention)
        known = self._known.setdefault(parent, Known())
        missing = sorted({table.period.bounds(us)[0] for us in times_us if not known.holds(table, us)})
        if missing and not known.bounds:
            # Nothing is known: one of an older version may hold the time.
            known = self._known[parent] = Known(await self._existing(parent))
            missing = [us for us in missing if not known.holds(table, us)]
        for first in range(0, len(missing), _CREATED_AT_ONCE):
            for us in await self._create(table, missing[first : first + _CREATED_AT_ONCE], retention):
                known.add(made(table, us, retention))

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
                self._known.pop(table.name, None)
            raise PartitionMissing(str(error)) from error

    async def maintain(self) -> None:
        """Make partitions ahead and drop those that are past their retention.

        Raises what keeps partitions from being made; what keeps others from being
        dropped is in ``dropping_failure``, and comes again.
        """
        for table in TABLES:
            for retention in await self._classes(table):
                parent = table.parent(retention)
                self._known[parent] = Known(await self._existing(parent))
                if retention in self._retention.classes:
                    await self.ensure(table, self._ahead(table.period), retention)
        await self._drop_old()
        for table in TABLES:
            count = sum(len(one.bounds) for _, one in self._of(table))
            metrics.PARTITIONS.labels(table=table.name).set(count)

    async def _maintain_regularly(self) -> None:
        while True:
            await asyncio.sleep(self._config.interval_s)
            try:
                await self.maintain()
                await forget_removed(self._db)
                await self._forget_due()
                self.making_failure = ""
            except MtdError as error:
                self._note_failed(str(error))
            except Exception as error:
                logger.exception("partition maintenance failed in an unexpected way")
                self._note_failed(f"{type(error).__name__}: {error}")

    async def _forget_due(self) -> None:
        """Forget which flows should be summed up where nobody does it, a day after what they are made of is gone."""
        blocks_us, minutes_us = self.oldest_us(FLOW_BLOCK), self.oldest_us(FLOW_SUM_1M)
        await forget_due(self._db, blocks_us - DAY_US, minutes_us - DAY_US)

    def _note_failed(self, why: str) -> None:
        metrics.MAINTENANCE_FAILURES.labels(work="making").inc()
        self.making_failure = why
        logger.error("partition maintenance failed, next try in %g s: %s", self._config.interval_s, why)

    def _ahead(self, period: Period) -> Iterable[int]:
        """Return times whose partitions must be there; the last period as well: projecting lags behind polling."""
        now = self._clock.now_us()
        if period is Period.HOUR:
            return (now + n * HOUR_US for n in range(-1, self._config.ahead_hours + 1))
        return (now + n * DAY_US for n in range(-1, self._config.ahead_days + 1))

    async def _classes(self, table: PartitionedTable) -> Sequence[str]:
        """Return the classes of a table, made where they are new; those that are configured no more included."""
        if not table.classed:
            return (STANDARD,)
        rows = await self._fetch("classes", LIST_CLASSES, [table.name, f"mtd.{table.name}", table.name])
        existing = [str(name) for (name,) in rows]
        for retention in self._retention.classes:
            if retention not in existing:
                await self._fetch("class", create_class(table, retention))
        return tuple(dict.fromkeys([*self._retention.classes, *existing]))

    def _of(self, table: PartitionedTable) -> Iterator[tuple[str, Known]]:
        """Yield what is known of a table, by class."""
        for parent, known in list(self._known.items()):  # others ask for partitions meanwhile
            if parent == table.name:
                yield STANDARD, known
            elif table.classed and parent.startswith(f"{table.name}_"):
                yield parent.removeprefix(f"{table.name}_"), known

    async def _existing(self, parent: str) -> list[Bounds]:
        return to_bounds(await self._fetch("list", LIST_PARTITIONS, [f"mtd.{parent}"]))

    async def _fetch(self, name: str, sql: str, params: Sequence[object] | None = None) -> list[Row]:
        async def read(tx: Transaction) -> list[Row]:
            await tx.execute(sql, params)
            return tx.fetchall() if params is not None else []

        return await self._db.run(f"partitions.{name}", read)

    async def _create(self, table: PartitionedTable, times_us: Sequence[int], retention: str) -> list[int]:
        """Make partitions in one transaction; return the times of those that are there now."""

        async def create(tx: Transaction) -> int:
            new = 0
            for us in times_us:
                name = f"mtd.{table.partition(us, retention)}"
                await tx.execute(f"{LOCK}; {STANDING}", [name, name])
                exists, attached = tx.fetchone() or (False, False)
                if not exists:
                    await tx.execute(create_partition(table, us, retention))
                    new += 1
                elif not attached:
                    await tx.execute(attach_partition(table, us, retention))
            return new

        created = await self._db.run("partitions.create", create)
        metrics.PARTITIONS_CREATED.labels(table=table.name).inc(created)
        return list(times_us)

    async def _drop_old(self) -> None:
        self._dropper.begin()
        for table in TABLES:
            for retention, known in self._of(table):
                await self._dropper.drop(table, retention, known, self._clock.now_us())
        self.dropping_failure = self._dropper.failure or self._left_classes()

    def _left_classes(self) -> str:
        """Return what to do about classes that hold something and aren't configured any more."""
        left: dict[str, list[str]] = {}
        for table in TABLES:
            for retention, known in self._of(table):
                if known.bounds and retention not in self._retention.classes:
                    left.setdefault(retention, []).append(f"mtd.{table.parent(retention)}")
        return "; ".join(
            f"the retention class {name} is configured no more: {', '.join(tables)} are kept for as long as the longest"
            f" class; set [database.retention.classes.{name}] to say for how long, or drop these tables"
            for name, tables in left.items()
        )
