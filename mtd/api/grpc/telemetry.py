"""TelemetryService: values and events, live and stored."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any, cast

from mtd.api.access.current import tenant_id
from mtd.api.config import GrpcConfig
from mtd.api.grpc.convert import catalogue_message, event_message
from mtd.api.grpc.event_feed import EventFeeds, EventFilter
from mtd.api.grpc.globs import Globs
from mtd.api.grpc.health import health_message, span_asked
from mtd.api.grpc.inventory import named
from mtd.api.grpc.overview import (
    event_days_message,
    formed_page,
    newest_page,
    status_counts_message,
    token_of,
    top_by_of,
    top_message,
)
from mtd.api.grpc.ranges import range_bytes, resolution_of
from mtd.api.grpc.snapshots import (
    MAX_BYTES,
    before_asked,
    kind_asked,
    snapshots_message,
    versions_asked,
    versions_message,
)
from mtd.api.grpc.stream_hub import StreamHub
from mtd.api.grpc.tables import filter_of, key_in, page_message, rows_asked, tables_message
from mtd.api.grpc.types import Context
from mtd.api.interfaces import TelemetryBackend
from mtd.core.clock import SYSTEM_CLOCK
from mtd.core.errors import Refused
from mtd.model.catalogue import Catalogue
from mtd.model.device import Severity
from mtd.model.pb_enums import SEVERITY
from mtd.pb.telemetry.v1 import telemetry_service_pb2 as pb
from mtd.pb.telemetry.v1.telemetry_service_pb2_grpc import TelemetryServiceServicer
from mtd.queries.overview import MAX_PAGE
from mtd.queries.patterns import check_patterns

POSITION_KEY = "mtd-position"
STREAM_KEY = "mtd-stream"
RESUMED_KEY = "mtd-resumed"

DEFAULT_POINTS = 600
MAX_POINTS = 100_000
DEFAULT_PAGE = 1000
DEFAULT_TOP = 10
DEFAULT_DAYS = 30

# Answers with more points are made in a thread: these take some tenths of a millisecond.
POINTS_AT_ONCE = 10_000


class TelemetryServicer(TelemetryServiceServicer):
    """Reads for callers. Never causes a poll."""

    def __init__(
        self,
        backend: TelemetryBackend,
        catalogue: Catalogue,
        hub: StreamHub,
        feeds: EventFeeds,
        config: GrpcConfig,
    ) -> None:
        self._backend = backend
        self._catalogue = catalogue
        self._hub = hub
        self._feeds = feeds
        self._config = config

    async def StreamLatest(
        self, request: pb.StreamLatestRequest, context: Context
    ) -> AsyncIterator[pb.StreamLatestResponse]:
        """Stream the newest values as they come, at the reader's speed."""
        devices = self._patterns(request.selector.devices)
        wanted = self._patterns(request.selector.metrics)
        await _compiled(devices)
        await _compiled(wanted)
        with self._hub.open_stream(tenant_id(), devices, wanted, request.resume_token) as stream:
            # Nothing may be selected yet: the reader has to know that it was answered.
            resumed = "true" if stream.resumed else "false"
            await context.send_initial_metadata(((STREAM_KEY, "latest"), (RESUMED_KEY, resumed)))
            # Each step waits while the reader's window is full: that is what makes it skip.
            async for message in stream.messages():
                yield message

    async def QueryRange(self, request: pb.QueryRangeRequest, context: Context) -> pb.QueryRangeResponse:
        """Read stored values."""
        if request.start_us >= request.end_us:
            raise Refused(f"the range ends ({request.end_us}) before it starts ({request.start_us})")
        answer = await self._backend.query_range(
            tenant_id(),
            named(request.device),
            self._patterns(request.metrics),
            request.start_us,
            request.end_us,
            min(request.max_points or DEFAULT_POINTS, MAX_POINTS),
            resolution_of(request.resolution),
        )
        points = sum(len(series.times_us) for series in answer.series)
        self._check_size(points)
        # The door sends bytes as they are: no message is made of them.
        encoded: Any = (
            range_bytes(answer) if points <= POINTS_AT_ONCE else await asyncio.to_thread(range_bytes, answer)
        )
        return cast("pb.QueryRangeResponse", encoded)

    async def QueryHealth(self, request: pb.QueryHealthRequest, context: Context) -> pb.QueryHealthResponse:
        """Tell how a device was over a time."""
        start_us, end_us = span_asked(request, SYSTEM_CLOCK.now_us())
        found = await self._backend.health(tenant_id(), named(request.device), start_us, end_us)
        return health_message(found)

    async def QueryLatest(self, request: pb.QueryLatestRequest, context: Context) -> pb.QueryLatestResponse:
        """Read the newest values once."""
        page = await self._backend.newest(
            tenant_id(),
            self._patterns(request.selector.devices),
            self._patterns(request.selector.metrics),
            min(request.page_size or DEFAULT_PAGE, MAX_PAGE),
            token_of(request.page_token),
            formed_page,
        )
        encoded: Any = newest_page(page)
        return cast("pb.QueryLatestResponse", encoded)

    async def TopN(self, request: pb.TopNRequest, context: Context) -> pb.TopNResponse:
        """Rank interfaces."""
        by = top_by_of(request.by)
        found = await self._backend.top(
            tenant_id(),
            by,
            request.limit or DEFAULT_TOP,
            request.window_s,
            self._patterns(request.devices),
        )
        return top_message(by, found)

    async def StatusCounts(
        self, request: pb.StatusCountsRequest, context: Context
    ) -> pb.StatusCountsResponse:
        """Count devices by their status."""
        return status_counts_message(await self._backend.status_counts(tenant_id()))

    async def EventsPerDay(
        self, request: pb.EventsPerDayRequest, context: Context
    ) -> pb.EventsPerDayResponse:
        """Count events by day."""
        found = await self._backend.events_per_day(
            tenant_id(), request.days or DEFAULT_DAYS, self._patterns(request.devices)
        )
        return event_days_message(found)

    async def StreamEvents(
        self, request: pb.StreamEventsRequest, context: Context
    ) -> AsyncIterator[pb.StreamEventsResponse]:
        """Stream stored events, then new ones."""
        patterns = self._patterns(request.devices)
        wanted = EventFilter(
            tuple(patterns), await _compiled(patterns), SEVERITY.from_pb(request.min_severity, Severity.INFO)
        )
        after = max(request.after_position, 0)
        if request.only_new:
            async with asyncio.timeout(self._config.backend_deadline_s):
                after = await self._backend.event_position(tenant_id())
        # A reader of new events has to know where it began, to go on from there after a break.
        await context.send_initial_metadata(((POSITION_KEY, str(after)),))
        events = self._feeds.events(tenant_id(), wanted, after, until_now=request.until_now)
        async with aclosing(events):
            async for event in events:
                yield event_message(event)

    async def ListMetrics(self, request: pb.ListMetricsRequest, context: Context) -> pb.ListMetricsResponse:
        """List the catalogue."""
        return catalogue_message(self._catalogue, request.page_size, request.page_token)

    async def ListTables(self, request: pb.ListTablesRequest, context: Context) -> pb.ListTablesResponse:
        """List the current-state tables of a device."""
        tables = await self._backend.tables(tenant_id(), named(request.device))
        return tables_message(tables, request.page_size, request.page_token)

    async def ListTableRows(
        self, request: pb.ListTableRowsRequest, context: Context
    ) -> pb.ListTableRowsResponse:
        """List the rows of a current-state table."""
        page = await self._backend.table_rows(
            tenant_id(),
            named(request.device),
            request.table,
            filter_of(request),
            rows_asked(request),
            key_in(request.page_token),
        )
        return page_message(page)

    async def ListSnapshots(
        self, request: pb.ListSnapshotsRequest, context: Context
    ) -> pb.ListSnapshotsResponse:
        """List the documents of a device."""
        kinds = await self._backend.snapshots(tenant_id(), named(request.device))
        return snapshots_message(kinds, request.page_size, request.page_token)

    async def ListSnapshotVersions(
        self, request: pb.ListSnapshotVersionsRequest, context: Context
    ) -> pb.ListSnapshotVersionsResponse:
        """List the versions of a document."""
        asked = versions_asked(request)
        versions = await self._backend.snapshot_versions(
            tenant_id(),
            named(request.device),
            kind_asked(request),
            limit=asked,
            max_bytes=MAX_BYTES,
            before_us=before_asked(request),
        )
        return versions_message(versions, asked)

    def _patterns(self, given: Sequence[str]) -> list[str]:
        if len(given) > self._config.max_patterns:
            raise Refused(f"{len(given)} patterns are too many: {self._config.max_patterns} are allowed")
        patterns = list(given)
        check_patterns(patterns)
        return patterns

    def _check_size(self, points: int) -> None:
        if points > self._config.max_points_per_answer:
            raise Refused(
                f"the answer has {points} points, more than {self._config.max_points_per_answer}: "
                "ask for fewer series, a shorter range or fewer points per series"
            )


async def _compiled(patterns: Sequence[str]) -> Globs:
    """Compile patterns where it doesn't hold the loop. Whoever needs the same soon after finds them compiled."""
    return await asyncio.to_thread(Globs, patterns)
