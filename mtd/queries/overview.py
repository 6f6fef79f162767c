"""Questions about all devices of a tenant: rankings, counts, the newest values. Answers are kept some seconds."""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import TypeVar

from mtd.core.clock import SYSTEM_CLOCK, Clock
from mtd.core.errors import Refused
from mtd.model.device import DEFAULT_TENANT_ID, DeviceStatus
from mtd.queries.cache import Aged, AnswerCache
from mtd.queries.config import QueriesConfig
from mtd.queries.counts import read_event_days, read_status_counts
from mtd.queries.limits import TenantLimits
from mtd.queries.newest import NewestPage, Token, read_newest
from mtd.queries.records import EventDay, StatusCount, TopEntry
from mtd.queries.top import TopBy, read_top_latest
from mtd.queries.top_window import WindowQuestion, read_top_window
from mtd.storage.pool import Database
from mtd.storage.readers import Readers

MAX_TOP = 1000
MIN_WINDOW_S = 10
MAX_WINDOW_S = 30 * 86_400
MAX_DAYS = 731
MAX_PAGE = 10_000

T = TypeVar("T")

# Windows up to so many seconds are rounded up to a multiple: nearly the same questions have one answer.
_ROUNDED_S = ((1800, 10), (86_400, 300), (MAX_WINDOW_S, 3600))


class OverviewQueries:
    """Reads what a wall of screens asks for again and again."""

    def __init__(
        self,
        db: Database,
        readers: Readers,
        config: QueriesConfig | None = None,
        *,
        limits: TenantLimits | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._db = db
        self._readers = readers
        self._config = config or QueriesConfig()
        self._limits = limits or TenantLimits(self._config)
        self._clock = clock
        self._cache = AnswerCache(self._config.max_cached, clock)

    async def newest(
        self,
        devices: Sequence[str],
        metrics: Sequence[str],
        page_size: int,
        after: Token | None,
        form: Callable[[NewestPage], T],
        *,
        tenant_id: str = DEFAULT_TENANT_ID,
    ) -> Aged[T]:
        """Return the newest values of series, by device name and key, at most ``page_size`` behind a token.

        In the form that ``form`` gives them, in a thread; it is kept in that form.
        """
        size = _within("page_size", page_size, MAX_PAGE)
        asked = ("newest", form, tuple(devices), tuple(metrics), size, after)

        async def read() -> T:
            return await self._readers.run(
                "queries.newest",
                lambda conn: form(read_newest(conn, tenant_id, devices, metrics, size, after)),
                tenant=tenant_id,
            )

        return await self._get(tenant_id, asked, self._config.latest_cache_s, read)

    async def top(
        self,
        by: TopBy,
        limit: int,
        window_s: int = 0,
        devices: Sequence[str] = (),
        *,
        tenant_id: str = DEFAULT_TENANT_ID,
    ) -> Aged[Sequence[TopEntry]]:
        """Return interfaces, the highest first: by their newest values, or by the mean over a window until now."""
        most = _within("limit", limit, MAX_TOP)
        if window_s and not MIN_WINDOW_S <= window_s <= MAX_WINDOW_S:
            raise Refused(
                f"window_s is {window_s}: name 0 for the newest values, or {MIN_WINDOW_S} to {MAX_WINDOW_S}"
            )
        window_s = _rounded(window_s)
        asked = ("top", by, most, window_s, tuple(devices))
        if not window_s:
            return await self._get(
                tenant_id,
                asked,
                self._config.latest_cache_s,
                lambda: read_top_latest(self._db, tenant_id, by, most, devices),
            )

        async def read() -> Sequence[TopEntry]:
            # The time is that of the reading, which may have waited for its turn.
            question = WindowQuestion(tenant_id, by, most, window_s, tuple(devices), self._clock.now_us())
            return await self._readers.run(
                "queries.top",
                lambda conn: read_top_window(conn, question, self._config.max_scanned_points),
                tenant=tenant_id,
            )

        return await self._get(tenant_id, asked, self._config.history_cache_s, read)

    async def status_counts(self, *, tenant_id: str = DEFAULT_TENANT_ID) -> Aged[Sequence[StatusCount]]:
        """Return how many devices have each status."""

        async def read() -> Sequence[StatusCount]:
            counts = await read_status_counts(self._db, tenant_id)
            return [StatusCount(status, counts.get(status, 0)) for status in DeviceStatus]

        return await self._get(tenant_id, "status", self._config.counts_cache_s, read)

    async def events_per_day(
        self, days: int, devices: Sequence[str] = (), *, tenant_id: str = DEFAULT_TENANT_ID
    ) -> Aged[Sequence[EventDay]]:
        """Return the events of the last days, today included, the oldest first."""
        count = _within("days", days, MAX_DAYS)
        today = dt.datetime.fromtimestamp(self._clock.now_us() / 1e6, dt.UTC).date()
        return await self._get(
            tenant_id,
            ("days", count, today, tuple(devices)),
            self._config.history_cache_s,
            lambda: read_event_days(self._db, tenant_id, today, count, devices),
        )

    async def _get(
        self, tenant_id: str, asked: Hashable, keep_s: float, read: Callable[[], Awaitable[T]]
    ) -> Aged[T]:
        """Return the kept answer, or wait for a turn of the tenant and read it. Raises TooManyQueries."""

        async def in_turn() -> T:
            async with self._limits.turn(tenant_id):
                return await read()

        return await self._cache.get(tenant_id, asked, keep_s, in_turn)


def _rounded(window_s: int) -> int:
    multiple = next(multiple for most, multiple in _ROUNDED_S if window_s <= most)
    return -(-window_s // multiple) * multiple


def _within(name: str, given: int, most: int) -> int:
    if not 1 <= given <= most:
        raise Refused(f"{name} is {given}: name 1 to {most}")
    return given
