"""What callers ask about the flows of their tenant."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from mtd.core.clock import SYSTEM_CLOCK, Clock
from mtd.core.errors import NotFound, Refused
from mtd.queries.config import QueriesConfig
from mtd.queries.flows.comparing import RX, TX, compared, counted, read_by_flows
from mtd.queries.flows.ranking import read_filtered_top, read_series, read_top
from mtd.queries.flows.reading import Scope
from mtd.queries.flows.records import (
    ComparedInterface,
    Comparison,
    SearchPage,
    SearchQuestion,
    SeriesAnswer,
    SeriesQuestion,
    TopAnswer,
    TopQuestion,
)
from mtd.queries.flows.search import read_page
from mtd.queries.flows.spans import Kept, spans_of
from mtd.queries.history.selecting import device_id_of
from mtd.queries.limits import TenantLimits
from mtd.queries.ranges import RangeQueries, ShownDays
from mtd.queries.resolution import Resolution
from mtd.storage.cold.connection import ColdConnection
from mtd.storage.config import RetentionConfig
from mtd.storage.partitioned import DAY_US, HOUR_US
from mtd.storage.readers import Readers

T = TypeVar("T")

MAX_NAMES = 100
MAX_ROWS = 1000
MAX_SERIES = 20
MAX_STEPS = 2500
MAX_WINDOW_S = 3600
MAX_COMPARED = 100
_MINUTE_S, _DAY_S = 60, 86_400
_FIVE_MINUTES_US = 300_000_000


async def _all_days(tenant_id: str) -> int | None:
    return None


class FlowQueries:
    """Reads ``flow_block`` and the sums of flows, in threads.

    ``ranges``: what reads the counters of interfaces; it has to share the ``limits``.
    """

    def __init__(
        self,
        readers: Readers,
        ranges: RangeQueries,
        config: QueriesConfig | None = None,
        *,
        limits: TenantLimits | None = None,
        retention: RetentionConfig | None = None,
        shown_days: ShownDays = _all_days,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._readers = readers
        self._ranges = ranges
        self._most_keys = (config or QueriesConfig()).max_scanned_points
        self._limits = limits or TenantLimits(config or QueriesConfig())
        self._retention = retention or RetentionConfig()
        self._shown_days = shown_days
        self._clock = clock

    async def top(self, tenant_id: str, asked: TopQuestion) -> TopAnswer:
        """Return the largest of a range. Raises NotFound, Refused and TooManyQueries."""
        _refuse_more(asked.devices, "devices", MAX_NAMES)
        _refuse_outside("limit", asked.limit, 1, MAX_ROWS)
        start_us, end_us = await self._shown(tenant_id, asked.start_us, asked.end_us)
        kept = self._kept()
        filtered = asked.where.narrows

        def read(conn: ColdConnection) -> TopAnswer:
            spans = spans_of(start_us, end_us, kept)
            scope = Scope(tenant_id, _ids(conn, tenant_id, asked.devices), spans)
            if filtered:
                return read_filtered_top(conn, asked, scope, kept)
            return read_top(conn, asked, scope, self._most_keys)

        return await self._read("queries.flows_top", tenant_id, read)

    async def series(self, tenant_id: str, asked: SeriesQuestion) -> SeriesAnswer:
        """Return the largest of a range over time. Raises NotFound, Refused and TooManyQueries."""
        _refuse_more(asked.devices, "devices", MAX_NAMES)
        _refuse_outside("limit", asked.limit, 1, MAX_SERIES)
        if asked.step_s % _MINUTE_S or not _MINUTE_S <= asked.step_s <= _DAY_S:
            raise Refused(f"step_s: {asked.step_s} isn't a number of whole minutes, from 60 to 86400 seconds")
        start_us, end_us = await self._shown(tenant_id, asked.start_us, asked.end_us)
        spans = spans_of(start_us, end_us, self._kept(), asked.step_s * 1_000_000)
        steps = (spans.end_us - spans.start_us) // (asked.step_s * 1_000_000)
        if steps > MAX_STEPS:
            raise Refused(
                f"step_s: the range has {steps} such steps, more than {MAX_STEPS}: ask for longer ones"
            )

        def read(conn: ColdConnection) -> SeriesAnswer:
            scope = Scope(tenant_id, _ids(conn, tenant_id, asked.devices), spans)
            return read_series(conn, asked, scope, self._most_keys)

        return await self._read("queries.flows_series", tenant_id, read)

    async def search(
        self, tenant_id: str, asked: SearchQuestion, *, after: str = "", limit: int = 100
    ) -> SearchPage:
        """Return records, the newest first, at most ``limit`` behind a token. Raises NotFound, Refused and TooManyQueries."""
        _refuse_more(asked.devices, "devices", MAX_NAMES)
        if asked.address is None and asked.port is None:
            raise Refused("address, port: say at least one of both")
        _refuse_outside("window_s", asked.window_s, 0, MAX_WINDOW_S)
        if asked.last_ms * 1000 < self._kept().records_us:
            raise Refused(
                f"time: flow records are kept for {self._retention.flows_days} days"
                " (database.retention.flows_days); of what is older there are sums only"
            )
        start_us, _ = await self._shown(tenant_id, asked.first_ms * 1000, asked.last_ms * 1000 + 1000)
        asked = replace(asked, not_before_ms=start_us // 1000)
        return await self._read(
            "queries.flows_search",
            tenant_id,
            lambda conn: read_page(
                conn, tenant_id, asked, _ids(conn, tenant_id, asked.devices), after, limit
            ),
        )

    async def compare(
        self, tenant_id: str, start_us: int, end_us: int, devices: Sequence[str] = ()
    ) -> Comparison:
        """Return interfaces by flows and by their own counters. Raises NotFound, Refused and TooManyQueries.

        Over more than a day the range is widened to multiples of five minutes, as the counters are rolled up.
        """
        _refuse_more(devices, "devices", MAX_COMPARED)
        start_us, end_us = await self._shown(tenant_id, start_us, end_us)
        if end_us - start_us > DAY_US:
            start_us, end_us = (
                start_us // _FIVE_MINUTES_US * _FIVE_MINUTES_US,
                -(-end_us // _FIVE_MINUTES_US) * _FIVE_MINUTES_US,
            )
        spans = spans_of(start_us, end_us, self._kept())
        resolution = (
            Resolution.FIVE_MINUTES if spans.end_us - spans.start_us > DAY_US + HOUR_US else Resolution.MINUTE
        )
        flows = await self._read(
            "queries.flows_interfaces",
            tenant_id,
            lambda conn: read_by_flows(
                conn, Scope(tenant_id, _ids(conn, tenant_id, devices), spans), self._most_keys
            ),
        )
        if len(flows.devices) > MAX_COMPARED:
            raise Refused(
                f"devices: {len(flows.devices)} told of flows in that time, more than {MAX_COMPARED}:"
                " name those that you want to compare"
            )
        found: list[ComparedInterface] = []
        left_out = 0
        for device_id, _ in sorted(flows.devices.items(), key=lambda one: (one[1], one[0])):
            counters = await self._counted(tenant_id, device_id, spans.start_us, spans.end_us, resolution)
            some, more = compared(flows, device_id, counters)
            found += some
            left_out += more
        return Comparison(found, left_out, spans.start_us, spans.end_us)

    async def _counted(
        self, tenant_id: str, device_id: str, start_us: int, end_us: int, resolution: Resolution
    ) -> dict[int, dict[str, int]]:
        """Return what interfaces counted. Outside of a turn: each of these takes one of its own."""
        try:
            answer = await self._ranges.query_range(
                device_id, [RX, TX], start_us, end_us, 1, resolution=resolution, tenant_id=tenant_id
            )
        except NotFound:  # it isn't in the inventory any more: its flows are there all the same
            return {}
        return counted(answer.series)

    def _kept(self) -> Kept:
        return Kept.of(self._retention, self._clock.now_us())

    async def _shown(self, tenant_id: str, start_us: int, end_us: int) -> tuple[int, int]:
        """Return what a tenant is shown of a range. Raises Refused if that is nothing."""
        if start_us >= end_us:
            raise Refused("the range is empty: its start isn't before its end")
        days = await self._shown_days(tenant_id)
        if days is None:
            return start_us, end_us
        oldest_us = self._clock.now_us() // DAY_US * DAY_US - (days - 1) * DAY_US
        if end_us <= oldest_us:
            raise Refused(
                f"the range is older than the {days} days that this tenant's quota of retention_days allows"
            )
        return max(start_us, oldest_us), end_us

    async def _read(self, name: str, tenant_id: str, body: Callable[[ColdConnection], T]) -> T:
        async with self._limits.turn(tenant_id):
            return await self._readers.run(name, body, tenant=tenant_id)


def _ids(conn: ColdConnection, tenant_id: str, devices: Sequence[str]) -> list[str]:
    return [device_id_of(conn, tenant_id, device) for device in devices]


def _refuse_more(given: Sequence[str], name: str, most: int) -> None:
    if len(given) > most:
        raise Refused(f"{name}: {len(given)} are more than {most}")


def _refuse_outside(name: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise Refused(f"{name}: {value} isn't from {least} to {most}")
