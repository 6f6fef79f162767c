"""Old blocks become dense: a half of the bytes, and only mtd reads them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import groupby

import numpy as np

from mtd.codec.blocks import Block
from mtd.codec.blocks.block import DENSE
from mtd.compaction.encoding import Unfaithful, encode_series
from mtd.compaction.messages import Trouble
from mtd.compaction.sources import decoded
from mtd.core.clock import SYSTEM_CLOCK, Clock
from mtd.core.errors import Retryable
from mtd.model.metric import Lane
from mtd.storage.cold.blocks import BlockRow, read_axes, read_blocks, replace_blocks
from mtd.storage.cold.connection import ColdConnection
from mtd.storage.cold.upkeep import days_to_recode, series_to_recode, settle_recoded
from mtd.storage.partitioned import DAY_US, Bounds

logger = logging.getLogger(__name__)

_SERIES_AT_ONCE = 100


class Recoder:
    """Recodes whole days, oldest first; a finished one is marked by its comment.

    What can't be recoded is told of, and stays as it is: its day is tried again after the next start.
    """

    def __init__(
        self,
        connection: ColdConnection,
        after_days: int,
        say: Callable[[Trouble], None],
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._connection = connection
        self._after_days = after_days
        self._say = say
        self._unfinished: set[str] = set()
        self._clock = clock

    def is_old(self, hour_us: int) -> bool:
        """Whether blocks of an hour are to be dense."""
        return bool(self._after_days) and hour_us < self._before_us()

    def recode(self, pause: Callable[[], bool]) -> int:
        """Recode what is old enough; return how many blocks were written. ``pause`` tells whether to go on."""
        if not self._after_days:
            return 0
        recoded = 0
        for partition in days_to_recode(self._connection, self._before_us()):
            if partition.name in self._unfinished:
                continue
            for found in self._blocks(partition):
                recoded += found
                if not pause():
                    return recoded
            if partition.name not in self._unfinished:
                settle_recoded(self._connection, partition)
        return recoded

    def _before_us(self) -> int:
        now_us = self._clock.now_us()
        return now_us - now_us % DAY_US - self._after_days * DAY_US

    def _blocks(self, partition: Bounds) -> Iterator[int]:
        """Recode some series after another; yield how many blocks that were, at the beginning 0."""
        yield 0
        rows = series_to_recode(self._connection, partition)
        for (device_id, poll_group), found in groupby(rows, key=lambda row: row[:2]):
            lanes = {number: Lane(lane) for _, _, lane, number in found}
            numbers = list(lanes)
            for first in range(0, len(numbers), _SERIES_AT_ONCE):
                some = numbers[first : first + _SERIES_AT_ONCE]
                yield self._attempt(
                    device_id, poll_group, {number: lanes[number] for number in some}, partition
                )

    def _attempt(self, device_id: str, poll_group: str, lanes: Mapping[int, Lane], partition: Bounds) -> int:
        try:
            return self._recode(device_id, poll_group, lanes, partition)
        except Retryable:
            raise
        except Exception as error:
            if self._connection.broken:
                raise
            self._unfinished.add(partition.name)
            text = (
                f"blocks of device {device_id}, {poll_group} in {partition.name} can't be made dense:"
                f" {str(error) or type(error).__name__}"
            )
            logger.error("%s", text, exc_info=error)
            self._say(Trouble("dense", f"{text}; they stay readable, and are tried again when mtd starts"))
            return 0

    def _recode(self, device_id: str, poll_group: str, lanes: Mapping[int, Lane], partition: Bounds) -> int:
        since_us, until_us = partition.start_us, partition.end_us
        with self._connection.transaction():
            axes = read_axes(self._connection, device_id, [poll_group], since_us, until_us)
            polls = {row.hour_us: row.axis.polls for row in axes}
            rows = [
                BlockRow(
                    row.tenant_id,
                    row.series_id,
                    row.hour_us,
                    row.retention,
                    _dense(lanes[row.series_id], row.block, polls[row.hour_us]),
                )
                for row in read_blocks(self._connection, list(lanes), since_us, until_us)
                if row.block.form != DENSE
            ]
            return replace_blocks(self._connection, rows)


def _dense(lane: Lane, block: Block, polls: int) -> Block:
    bits, absent = decoded(lane, block, polls)
    recoded = encode_series(lane, bits, absent, dense=True)
    again, gone = decoded(lane, recoded, polls)
    if not np.array_equal(gone, absent) or ((again != bits) & ~absent).any():
        raise Unfaithful("a block doesn't read back as it was when it is made dense")
    return replace(recoded, withheld=block.withheld)
