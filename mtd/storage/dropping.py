"""Dropping what is past its retention, without making anyone wait for longer than a moment."""

from __future__ import annotations

import datetime as dt
import logging
from collections import Counter

from mtd.core.errors import MtdError, Retryable
from mtd.storage import metrics
from mtd.storage.errors import StorageUnavailable
from mtd.storage.partitioned import LOCK, WATCHED, Bounds, Known, PartitionedTable
from mtd.storage.pool import Database
from mtd.storage.retention import Retention
from mtd.storage.txn import Broken, Transaction

logger = logging.getLogger(__name__)

# While a DROP waits for a reader, everybody else waits behind it.
_LOCK_TIMEOUT_MS = 200
_OLD_S = 1.0
_DEADLINE_S = 10.0
_PATIENT_ROUNDS = 3
"""Rounds in which a table is refused, one after another, before it is told: some reader is always there."""


class Dropper:
    """Drops partitions, each in a transaction of its own; a table whose lock isn't to be had waits for the next round."""

    def __init__(self, db: Database, retention: Retention) -> None:
        self._db = db
        self._retention = retention
        self._refused: Counter[str] = Counter()
        self._overdue = 0
        self.failure = ""
        """Why something wasn't dropped for some rounds; empty if nothing was in the way."""

    def begin(self) -> None:
        """Begin a round."""
        self.failure, self._overdue = "", 0

    async def drop(self, table: PartitionedTable, retention: str, known: Known, now_us: int) -> None:
        """Drop the partitions of a table, or of one of its classes, that are past their retention."""
        local = dt.datetime.fromtimestamp(now_us / 1e6).astimezone()
        oldest_us = self._retention.oldest_us(table, now_us, retention)
        parent = table.parent(retention)
        past = [one for one in sorted(known.bounds.values()) if one.end_us <= oldest_us]
        due = [one for one in past if self._retention.may_drop(one.end_us, oldest_us, local)]
        self._overdue += len(past)
        refused: list[tuple[str, MtdError]] = []
        for one in due:
            try:
                await self._db.run("partitions.drop", _Drop(parent, one), deadline_s=_DEADLINE_S)
            except MtdError as error:
                refused.append((one.name, error))
                if isinstance(error, Retryable) and not isinstance(error, _Watched):
                    break  # somebody waited for us: not again for the next one
                continue
            known.remove(one.name)
            self._overdue -= 1
            metrics.PARTITIONS_DROPPED.labels(table=table.name).inc()
            logger.info("dropped partition %s: past its retention", one.name)
        self._refused[parent] = self._refused[parent] + 1 if refused else 0
        for name, why in refused:
            self._note_refused(name, why, often=self._refused[parent] >= _PATIENT_ROUNDS)
        metrics.PARTITIONS_OVERDUE.set(self._overdue)

    def _note_refused(self, name: str, error: MtdError, *, often: bool) -> None:
        if isinstance(error, Retryable) and not often:
            logger.info("%s can't be dropped right now: %s", name, error)
            return
        metrics.MAINTENANCE_FAILURES.labels(work="dropping").inc()
        self.failure = self.failure or f"{name} is past its retention and can't be dropped: {error}"
        logger.error("%s can't be dropped, next try later: %s", name, error)


class _Watched(StorageUnavailable):
    """Somebody reads for long: no attempt was made."""


class _Drop:
    """The transaction that drops a partition. Raises StorageUnavailable where somebody reads."""

    def __init__(self, parent: str, one: Bounds) -> None:
        self._parent, self._name = f"mtd.{parent}", f"mtd.{one.name}"

    async def __call__(self, tx: Transaction) -> None:
        await tx.execute(WATCHED, [self._parent, self._name, _OLD_S])
        if tx.fetchone() is not None:
            raise _Watched(
                "a transaction looks at it that is open for long, or of a role that mtd's may not watch (pg_monitor)"
            )
        await tx.execute(f"SET LOCAL lock_timeout = {_LOCK_TIMEOUT_MS}")
        try:
            await tx.execute(f"{LOCK}; DROP TABLE IF EXISTS {self._name}", [self._name])
        except Broken as error:
            raise StorageUnavailable(str(error)) from error  # not again at once: everybody would wait again
