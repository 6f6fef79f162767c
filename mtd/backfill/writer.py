"""One device's history into the tables of closed hours, a day in each transaction. Blocking."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from itertools import groupby

from mtd.backfill.encoding import STEPS_S, DayEncoder, EncodedDay
from mtd.backfill.fleet import SECONDS_POLLED, DevicePlan
from mtd.backfill.history import DeviceHistory, DeviceHour
from mtd.codec import rollups
from mtd.storage.cold.blocks import AxisRow, BlockRow, write_axes, write_blocks
from mtd.storage.cold.connection import ColdConnection
from mtd.storage.cold.rollups import RollupRow, write_rollups
from mtd.storage.cold.series import SeriesIds, SeriesKey
from mtd.storage.retention import RetentionClasses

_HOURS_PER_DAY = 24

Wrote = Callable[[int], None]
"""Called with how many points were written, after each transaction."""


class HistoryWriter:
    """Writes the history of one device. Partitions must exist; nothing may be stored of the hours written."""

    def __init__(
        self, connection: ColdConnection, plan: DevicePlan, classes: RetentionClasses, *, dense: bool = False
    ) -> None:
        self._connection = connection
        self._plan = plan
        self._encoder = DayEncoder(plan, dense=dense)
        keys = [
            SeriesKey(series.metric, series.instance, str(series.lane), SECONDS_POLLED)
            for series in self._encoder.series
        ]
        ids = SeriesIds().get_or_create(connection, plan.tenant_id, plan.device_id, keys)
        self._ids = [ids[key] for key in keys]
        self._classes = [classes.of(plan.tenant_id, key.metric) for key in keys]

    def write(
        self, history: DeviceHistory, first_hour: int, count: int, skipped: Collection[int], wrote: Wrote
    ) -> int:
        """Write hours from the next of a history on, but for those skipped; return the points."""
        points = 0
        hour = first_hour
        while hour < first_hour + count:
            # To the end of the day: rollups of a minute and more have a row for each day.
            length = min(_HOURS_PER_DAY - hour % _HOURS_PER_DAY, first_hour + count - hour)
            for is_skipped, run in groupby(history.hours(length), lambda one: one.hour in skipped):
                if is_skipped:
                    for one in run:
                        self._encoder.skip(one)
                else:
                    points += self._write_run(run, wrote)
            hour += length
        return points

    def _write_run(self, run: Iterable[DeviceHour], wrote: Wrote) -> int:
        day = self._encoder.encode(run)
        self._store(day)
        wrote(day.points)
        return day.points

    def _store(self, day: EncodedDay) -> None:
        plan, connection = self._plan, self._connection
        with connection.transaction():
            write_axes(
                connection,
                (
                    AxisRow(plan.tenant_id, plan.device_id, SECONDS_POLLED, hour_us, axis)
                    for hour_us, axis in day.axes
                ),
            )
            write_blocks(
                connection,
                (
                    BlockRow(plan.tenant_id, self._ids[place], hour_us, self._classes[place], block)
                    for hour_us, place, block in day.blocks
                ),
            )
            for step in STEPS_S:
                write_rollups(
                    connection,
                    step,
                    (
                        RollupRow(
                            plan.tenant_id,
                            self._ids[place],
                            found.start_s * 1_000_000,
                            len(found),
                            self._classes[place],
                            rollups.encode(found),
                        )
                        for step_s, place, found in day.rollups
                        if step_s == step
                    ),
                )
