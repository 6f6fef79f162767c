"""One minute or hour of one exporter, in one transaction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mtd.codec.blocks.planes import Damaged
from mtd.core.clock import Clock
from mtd.flowsums.hour import hour_of
from mtd.flowsums.minute import MinuteTally
from mtd.flowsums.tally import Amounts, Sums, TooMuch, Volume
from mtd.model.flows import DIMENSIONS
from mtd.storage.cold.connection import ColdConnection
from mtd.storage.cold.flows import (
    MINUTE_S,
    PARTS,
    SUMS,
    Bucket,
    SumRow,
    claim,
    has_parts,
    mark_hour,
    read_blocks,
    read_sums,
    replace_sums,
    settle,
)
from mtd.storage.cold.partitions import ColdPartitions
from mtd.storage.partitioned import PartitionedTable
from mtd.storage.retention import Retention


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What isn't in the sums, for good: by why, in words, and how many of it."""

    reason: str
    text: str
    count: int = 1


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a bucket. Not ``done``: it wasn't due any more, or somebody else is at it."""

    done: bool = False
    records: int = 0
    mismatches: int = 0
    left_out: Sequence[LeftOut] = ()


class TooLate(Exception):
    """What a bucket is made of isn't kept any more, or what it would become."""


class BucketSummer:
    """Sums buckets up on one connection."""

    def __init__(self, connection: ColdConnection, retention: Retention, clock: Clock) -> None:
        self._connection = connection
        self._retention = retention
        self._clock = clock
        self._partitions = ColdPartitions(connection)

    def forget(self) -> None:
        """Look again at what exists: partitions may have been dropped."""
        self._partitions.forget()

    def sum_up(self, bucket: Bucket) -> Outcome:
        """Store what a bucket adds up to in the place of what is stored, unless somebody else is at it.

        Raises Overtaken where the same again may succeed, Damaged for sums of minutes that can't be read, and what
        the database raises. What is stored, and that the bucket is due, is then as it was.
        """
        over = any(self._is_over(table, bucket) for table in (PARTS[bucket.seconds], SUMS[bucket.seconds]))
        if not over:
            # Outside of the transaction: it locks the parent against other DDL.
            self._partitions.ensure(SUMS[bucket.seconds], [bucket.start_us])
        with self._connection.transaction():
            if not claim(self._connection, bucket):
                return Outcome()
            work = _Work(self._connection, bucket)
            try:
                if over:
                    raise TooLate
                rows = work.rows()
            except TooLate:
                late = LeftOut("too_late", "it came when what it is made of, or becomes, isn't kept any more")
                return Outcome(done=settle(self._connection, bucket), left_out=(late,))
            except TooMuch as error:
                rows = []
                work.left_out.append(LeftOut("too_much", f"{error}: no sums are kept of it"))
            # Only from here on others wait for this.
            if not settle(self._connection, bucket):
                return Outcome()
            replace_sums(self._connection, bucket, rows)
            if bucket.seconds == MINUTE_S:
                mark_hour(self._connection, bucket)
        return Outcome(True, work.records, work.mismatches, work.left_out)

    def _is_over(self, table: PartitionedTable, bucket: Bucket) -> bool:
        return bucket.start_us < self._retention.oldest_us(table, self._clock.now_us())


class _Work:
    """Reads and sums up; a new one for each attempt."""

    def __init__(self, connection: ColdConnection, bucket: Bucket) -> None:
        self._connection = connection
        self._bucket = bucket
        self.records = self.mismatches = 0
        self.left_out: list[LeftOut] = []

    def rows(self) -> list[SumRow]:
        """Return what the bucket adds up to. Raises TooLate if nothing is left of what it is made of, and TooMuch."""
        found = self._minute() if self._bucket.seconds == MINUTE_S else self._hour()
        rows = [_row(name, sums) for name, sums in found]
        if not rows and not has_parts(self._connection, self._bucket):
            raise TooLate
        return rows

    def _minute(self) -> Iterator[tuple[str, Sums]]:
        tally = MinuteTally()
        unread, why = 0, ""
        for row in read_blocks(self._connection, self._bucket):
            told = Volume(row.estimated_octets, row.estimated_packets, row.records)
            try:
                self.mismatches += not tally.add(told, row.block)
            except Damaged as error:
                unread, why = unread + 1, str(error)
            self.records += row.records
        if unread:
            text = f"{unread} block(s) are in the total only, they can't be read: {why}"
            self.left_out.append(LeftOut("block", text, unread))
        return tally.sums()

    def _hour(self) -> Iterator[tuple[str, Sums]]:
        for name, dimension in DIMENSIONS.items():
            minutes = map(_sums, read_sums(self._connection, self._bucket, name))
            sums = hour_of(dimension, minutes)
            if sums is not None:
                yield name, sums


def _sums(row: SumRow) -> Sums:
    others = Volume(row.other_octets, row.other_packets, row.other_flows)
    return Sums(row.keys, Amounts(row.octets, row.packets, row.flows), row.other_keys, others)


def _row(dimension: str, sums: Sums) -> SumRow:
    amounts, others = sums.amounts, sums.others
    return SumRow(
        dimension,
        sums.keys,
        amounts.octets,
        amounts.packets,
        amounts.flows,
        sums.other_keys,
        others.octets,
        others.packets,
        others.flows,
    )
