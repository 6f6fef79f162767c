"""Rows of hours become rows of whole days, where a rollup has few buckets an hour: a row costs more than they do."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

from mtd.codec.rollups import decode, encode, joined
from mtd.compaction.messages import Trouble
from mtd.compaction.store import MERGED_STEPS_S, Unit
from mtd.core.clock import SYSTEM_CLOCK, Clock
from mtd.core.errors import Retryable
from mtd.storage.cold.connection import ColdConnection
from mtd.storage.cold.rollups import RollupRow, delete_rollups, read_rollups, write_rollups
from mtd.storage.cold.upkeep import all_numbers_of, days_in_hours
from mtd.storage.partitioned import DAY_US, HOUR_US

logger = logging.getLogger(__name__)

_AFTER_US = 2 * HOUR_US
"""How long after its end a day is merged: its last hour is compacted by then."""
_LOOK_BACK_DAYS = 31
"""How far back is looked, once, for days that an earlier process left: an edge may have been away for weeks."""
_SERIES_AT_ONCE = 500


class DayMerger:
    """Knows which days of which devices have rows of hours, and merges them.

    A day that can't be merged is told of, and left as it is until something of it is written again.
    """

    def __init__(
        self, connection: ColdConnection, say: Callable[[Trouble], None], clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self._connection = connection
        self._say = say
        self._clock = clock
        self._touched: dict[int, set[str]] | None = None

    def touch(self, unit: Unit) -> None:
        """Note an hour that was written."""
        self._days().setdefault(unit.hour_us - unit.hour_us % DAY_US, set()).add(unit.device_id)

    def merge(self, pause: Callable[[], bool]) -> int:
        """Merge what is due; return how many rows of days were written. ``pause`` tells whether to go on."""
        merged = 0
        days = self._days()
        for day_us in sorted(days):
            if self._clock.now_us() < day_us + DAY_US + _AFTER_US:
                continue
            for device_id in sorted(days[day_us]):
                if not pause():
                    return merged
                try:
                    merged += sum(self._merge(numbers, day_us) for numbers in self._series(device_id))
                except Exception as error:
                    if self._connection.broken:
                        raise
                    self._tell(device_id, day_us, error)
                    if isinstance(error, Retryable):
                        continue
                days[day_us].discard(device_id)
            if not days[day_us]:
                del days[day_us]
        return merged

    def _tell(self, device_id: str, day_us: int, error: Exception) -> None:
        day = dt.datetime.fromtimestamp(day_us // 1_000_000, dt.UTC).date()
        text = f"rollups of device {device_id}, {day} can't be merged: {str(error) or type(error).__name__}"
        if not isinstance(error, Retryable):
            logger.error("%s", text, exc_info=error)
            text += "; they stay rows of hours, and are tried again when one of them is written or mtd starts"
        self._say(Trouble("rollups", text))

    def _days(self) -> dict[int, set[str]]:
        """Return the touched days with their devices; at first, what an earlier process left."""
        if self._touched is None:
            now_us = self._clock.now_us()
            today_us = now_us - now_us % DAY_US
            found = days_in_hours(
                self._connection, MERGED_STEPS_S[0], today_us - _LOOK_BACK_DAYS * DAY_US, today_us
            )
            self._touched = {}
            for day_us, device_id in found:
                self._touched.setdefault(day_us, set()).add(device_id)
        return self._touched

    def _series(self, device_id: str) -> Iterator[Sequence[int]]:
        numbers = all_numbers_of(self._connection, device_id)
        for first in range(0, len(numbers), _SERIES_AT_ONCE):
            yield numbers[first : first + _SERIES_AT_ONCE]

    def _merge(self, numbers: Sequence[int], day_us: int) -> int:
        merged = 0
        with self._connection.transaction():
            for step in MERGED_STEPS_S:
                found = read_rollups(self._connection, step, numbers, day_us, day_us + DAY_US)
                runs = [list(rows) for _, rows in groupby(found, key=lambda row: row.series_id)]
                days = [_one_row(rows) for rows in runs if len(rows) > 1]
                if days:
                    ids = [row.series_id for row in days]
                    delete_rollups(self._connection, step, ids, day_us, day_us + DAY_US)
                    merged += write_rollups(self._connection, step, days)
        return merged


def _one_row(rows: Sequence[RollupRow]) -> RollupRow:
    """Return rows of one series as one; hours between them that have none are empty, what overlaps is the shorter row's."""
    whole = joined([decode(row.packed) for row in sorted(rows, key=lambda row: (-row.buckets, row.start_us))])
    return rows[0]._replace(start_us=whole.start_s * 1_000_000, buckets=len(whole), packed=encode(whole))
