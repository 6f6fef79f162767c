"""TelemetryService: values and events, live and stored."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any, cast

from mtd.api.config import GrpcConfig
from mtd.api.grpc.convert import catalogue_message, event_message, range_bytes, range_message
from mtd.api.grpc.event_feed import EventFeeds, EventFilter
from mtd.api.grpc.globs import Globs
from mtd.api.grpc.inventory import named
from mtd.api.grpc.stream_hub import StreamHub
from mtd.api.grpc.types import Context
from mtd.api.interfaces import TelemetryBackend
from mtd.core.errors import Refused
from mtd.model.catalogue import Catalogue
from mtd.model.device import Severity
from mtd.model.pb_enums import SEVERITY
from mtd.pb.telemetry.v1 import telemetry_service_pb2 as pb
from mtd.pb.telemetry.v1.telemetry_service_pb2_grpc import TelemetryServiceServicer

POSITION_KEY = "mtd-position"
STREAM_KEY = "mtd-stream"

DEFAULT_POINTS = 600
MAX_POINTS = 100_000

# Answers with more points are made in a thread.
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
        tenant_id: str,
    ) -> None:
        self._backend = backend
        self._catalogue = catalogue
        self._hub = hub
        self._feeds = feeds
        self._config = config
        self._tenant_id = tenant_id

    async def StreamLatest(
        self, request: pb.StreamLatestRequest, context: Context
    ) -> AsyncIterator[pb.StreamLatestResponse]:
        """Stream the newest values as they come, at the reader's speed."""
        devices = self._patterns(request.selector.devices)
        wanted = self._patterns(request.selector.metrics)
        with self._hub.open_stream(self._tenant_id, devices, wanted) as stream:
            # Nothing may be selected yet: the reader has to know that it was answered.
            await context.send_initial_metadata(((STREAM_KEY, "latest"),))
            # Each step waits while the reader's window is full: that is what makes it skip.
            async for message in stream.messages():
                yield message

    async def QueryRange(self, request: pb.QueryRangeRequest, context: Context) -> pb.QueryRangeResponse:
        """Read stored values."""
        if request.start_us >= request.end_us:
            raise Refused(f"the range ends ({request.end_us}) before it starts ({request.start_us})")
        answer = await self._backend.query_range(
            self._tenant_id,
            named(request.device),
            self._patterns(request.metrics),
            request.start_us,
            request.end_us,
            min(request.max_points or DEFAULT_POINTS, MAX_POINTS),
        )
        points = sum(len(series.times_us) for series in answer.series)
        self._check_size(points)
        if points <= POINTS_AT_ONCE:
            return range_message(answer)
        # A million points take a tenth of a second.
        encoded: Any = await asyncio.to_thread(range_bytes, answer)
        return cast("pb.QueryRangeResponse", encoded)

    async def StreamEvents(
        self, request: pb.StreamEventsRequest, context: Context
    ) -> AsyncIterator[pb.StreamEventsResponse]:
        """Stream stored events, then new ones."""
        patterns = self._patterns(request.devices)
        wanted = EventFilter(
            tuple(patterns), Globs(patterns), SEVERITY.from_pb(request.min_severity, Severity.INFO)
        )
        after = max(request.after_position, 0)
        if request.only_new:
            async with asyncio.timeout(self._config.backend_deadline_s):
                after = await self._backend.event_position(self._tenant_id)
        # A reader of new events has to know where it began, to go on from there after a break.
        await context.send_initial_metadata(((POSITION_KEY, str(after)),))
        events = self._feeds.events(self._tenant_id, wanted, after, until_now=request.until_now)
        async with aclosing(events):
            async for event in events:
                yield event_message(event)

    async def ListMetrics(self, request: pb.ListMetricsRequest, context: Context) -> pb.ListMetricsResponse:
        """List the catalogue."""
        return catalogue_message(self._catalogue)

    def _patterns(self, given: Sequence[str]) -> list[str]:
        if len(given) > self._config.max_patterns:
            raise Refused(f"{len(given)} patterns are too many: {self._config.max_patterns} are allowed")
        patterns = list(given)
        Globs(patterns)  # refuses what can't be used, before the database is asked
        return patterns

    def _check_size(self, points: int) -> None:
        if points > self._config.max_points_per_answer:
            raise Refused(
                f"the answer has {points} points, more than {self._config.max_points_per_answer}: "
                "ask for fewer series, a shorter range or fewer points per series"
            )
