"""Values of one device over time: from frames, blocks and rollups, whichever answers best."""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable, Sequence

from mtd.core.clock import SYSTEM_CLOCK, Clock
from mtd.core.errors import Refused
from mtd.model.device import DEFAULT_TENANT_ID
from mtd.queries.config import QueriesConfig
from mtd.queries.history.axes import AxisCache
from mtd.queries.history.keeping import Keeping
from mtd.queries.history.reader import Question, RangeReader
from mtd.queries.limits import TenantLimits
from mtd.queries.records import RangeAnswer
from mtd.queries.resolution import Resolution
from mtd.storage.config import RetentionConfig
from mtd.storage.partitioned import DAY_US
from mtd.storage.readers import Readers

DEFAULT_POINTS = 600
MAX_POINTS = 100_000

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)
# A day within what a datetime holds: hours and buckets reach beyond a range.
_FIRST_US = (dt.datetime(1, 1, 3, tzinfo=dt.UTC) - _EPOCH) // _MICROSECOND
_LAST_US = (dt.datetime(9999, 12, 30, tzinfo=dt.UTC) - _EPOCH) // _MICROSECOND


ShownDays = Callable[[str], Awaitable[int | None]]
"""Tells how many days of its past a tenant is shown, by its id; None: all that is stored."""


async def _all_days(tenant_id: str) -> int | None:
    return None


class RangeQueries:
    """Reads ``telemetry_frame``, ``telemetry_block`` and the rollups, in threads."""

    def __init__(
        self,
        readers: Readers,
        config: QueriesConfig | None = None,
        *,
        limits: TenantLimits | None = None,
        retention: RetentionConfig | None = None,
        shown_days: ShownDays = _all_days,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._readers = readers
        self._config = config or QueriesConfig()
        self._limits = limits or TenantLimits(self._config)
        self._keeping = Keeping(retention)
        self._shown_days = shown_days
        self._clock = clock
        self._axes = AxisCache()

    async def query_range(
        self,
        device: str,
        patterns: Sequence[str],
        start_us: int,
        end_us: int,
        max_points: int = DEFAULT_POINTS,
        *,
        resolution: Resolution = Resolution.AUTO,
        tenant_id: str = DEFAULT_TENANT_ID,
    ) -> RangeAnswer:
        """Return points of a device's series over [start, end).

        ``device``: name or id. ``patterns``: catalogue keys or full keys with
        wildcards; all series if empty. Where a series has more than
        ``max_points``, and always over more than a day, come buckets; they are
        whole, so that the first may begin before the start and the last end
        after the end. What is older than the days that a tenant is shown isn't there.
        Raises NotFound, Refused, and TooManyQueries.
        """
        if start_us >= end_us:
            raise Refused("the range is empty: its start isn't before its end")
        if start_us < _FIRST_US or end_us > _LAST_US:
            raise Refused("start and end must be microseconds since 1970, of the years 1 to 9999")
        start_us = await self._shown(tenant_id, start_us, end_us)
        points = min(max_points or DEFAULT_POINTS, MAX_POINTS)
        question = Question(tenant_id, device, patterns, start_us, end_us, points, resolution)
        reader = RangeReader(self._config, self._keeping, self._axes, self._clock.now_us())
        async with self._limits.turn(tenant_id):
            return await self._readers.run(
                "queries.range", lambda conn: reader.answer(conn, question), tenant=tenant_id
            )

    async def _shown(self, tenant_id: str, start_us: int, end_us: int) -> int:
        """Return where what a tenant is shown of a range begins. Raises Refused if it is shown nothing of it."""
        days = await self._shown_days(tenant_id)
        if days is None:
            return start_us
        now_us = self._clock.now_us()
        oldest_us = (
            now_us - now_us % DAY_US - (days - 1) * DAY_US
        )  # as what is dropped: days count with today
        if end_us <= oldest_us:
            raise Refused(
                f"the range is older than the {days} days that this tenant's quota of retention_days allows"
            )
        return max(start_us, oldest_us)
