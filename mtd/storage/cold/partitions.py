"""Partitions from a worker: made on demand, and hot ones that were detached put to their end. Blocking."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from mtd.storage.cold.connection import ColdConnection, timestamp
from mtd.storage.cold.upkeep import partition_name
from mtd.storage.partitioned import (
    RETIRED,
    STANDARD,
    STANDING,
    TELEMETRY_FRAME,
    Bounds,
    Known,
    PartitionedTable,
    attach_partition,
    bounds_of,
    create_class,
    create_partition,
    made,
)

logger = logging.getLogger(__name__)


class ColdPartitions:
    """Does on one connection what ``mtd.storage.partitions.Partitions`` does on the reactor."""

    def __init__(self, connection: ColdConnection) -> None:
        self._connection = connection
        self._known: dict[str, Known] = {}

    def ensure(self, table: PartitionedTable, times_us: Iterable[int], retention: str = STANDARD) -> None:
        """Make the partitions that hold these times, where they don't exist.

        Outside of the transaction that writes to them: it locks the parent against other DDL.
        """
        parent = table.parent(retention)
        known = self._known.get(parent)
        if known is None:
            if table.classed:
                self._connection.execute(create_class(table, retention))
            known = self._known[parent] = Known(bounds_of(self._connection.fetch, table, retention))
        for start in sorted({table.period.bounds(us)[0] for us in times_us}):
            if not known.holds(table, start):
                self._create(table, start, retention)
                known.add(made(table, start, retention))

    def forget(self) -> None:
        """Look at what exists again: somebody dropped a partition."""
        self._known.clear()

    def _create(self, table: PartitionedTable, us: int, retention: str) -> None:
        name = f"mtd.{table.partition(us, retention)}"
        # The lock first: what the transaction sees is as it is when it begins.
        with partition_name(self._connection, table.partition(us, retention)), self._connection.transaction():
            ((exists, attached),) = self._connection.fetch(STANDING, [name])
            if not exists:
                for statement in create_partition(table, us, retention).split(";"):
                    self._connection.execute(statement)
            elif not attached:
                self._connection.execute(attach_partition(table, us, retention))

    def empty_frames(self, before_us: int) -> list[Bounds]:
        """Return the partitions of frames that end at or before a time and hold no row."""
        return [
            one
            for one in bounds_of(self._connection.fetch, TELEMETRY_FRAME)
            if one.end_us <= before_us and not self._has_rows(one)
        ]

    def retired(self) -> list[str]:
        """Return the tables that ``detach_frames`` left."""
        rows = self._connection.fetch(
            "SELECT relname FROM pg_class WHERE relnamespace = 'mtd'::regnamespace AND relkind = 'r'"
            " AND relname ~ %s ORDER BY 1",
            [rf"^{TELEMETRY_FRAME.name}_\d{{8}}(\d\d)?{RETIRED}$"],
        )
        return [str(name) for (name,) in rows]

    def finish_retiring(self) -> list[str]:
        """Put back what is in detached partitions of frames, and drop them; return what they were called.

        To be called when no other worker retires any.
        """
        found = self.retired()
        for name in found:
            self._bring_back(name)
        return [name.removesuffix(RETIRED) for name in found]

    def _bring_back(self, name: str) -> None:
        """Insert the rows of a detached table into telemetry_frame again and drop it, all or nothing."""
        self._known.pop(TELEMETRY_FRAME.name, None)
        # Nobody writes to it any more.
        times = self._connection.fetch(
            f"SELECT DISTINCT mtd.to_us(date_bin('1 hour', ts_collected, 'epoch')) FROM mtd.{name}"
        )
        self.ensure(TELEMETRY_FRAME, [us for (us,) in times])
        with self._connection.transaction():
            count = self._connection.execute(f"INSERT INTO mtd.telemetry_frame SELECT * FROM mtd.{name}")
            self._connection.execute(f"DROP TABLE mtd.{name}")
        if count:
            logger.info("%d frames came into %s while it was retired: they are kept", count, name)

    def _has_rows(self, one: Bounds) -> bool:
        # Of the parent: somebody else may drop the partition meanwhile.
        return bool(
            self._connection.fetch(
                "SELECT FROM mtd.telemetry_frame WHERE ts_collected >= %s AND ts_collected < %s LIMIT 1",
                [timestamp(one.start_us), timestamp(one.end_us)],
            )
        )
