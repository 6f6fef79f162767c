"""LogService: lines of routers' logs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from google.protobuf.timestamp_pb2 import Timestamp

from mtd.api.access.current import tenant_id
from mtd.api.grpc.server import ServicePart
from mtd.api.grpc.types import Context
from mtd.core.errors import Refused
from mtd.pb.logs.v1 import log_service_pb2 as pb
from mtd.pb.logs.v1.log_service_pb2_grpc import LogServiceServicer, add_LogServiceServicer_to_server
from mtd.queries.logs import LogFilter, LogLineView

DEFAULT_PAGE = 100
MAX_PAGE = 500
_LEAST_SEVERE = 7
_LATEST_S = 4_102_444_800


class LogBackend(Protocol):
    """Reads lines. See `LogQueries`."""

    async def page(
        self, tenant_id: str, wanted: LogFilter, *, after: str = "", limit: int = 100
    ) -> Sequence[LogLineView]:
        """Return lines, the newest first."""


def log_parts(backend: LogBackend) -> list[ServicePart]:
    """Return the service."""
    return [ServicePart(add_LogServiceServicer_to_server, LogServicer(backend))]


class LogServicer(LogServiceServicer):
    """Asks the backend for the caller's tenant."""

    def __init__(self, backend: LogBackend) -> None:
        self._backend = backend

    async def ListLogRecords(
        self, request: pb.ListLogRecordsRequest, context: Context
    ) -> pb.ListLogRecordsResponse:
        """Read a page of lines."""
        size = min(request.page_size or DEFAULT_PAGE, MAX_PAGE)
        found = await self._backend.page(
            tenant_id(), filter_of(request), after=request.page_token, limit=size + 1
        )
        page = found[:size]
        return pb.ListLogRecordsResponse(
            records=map(_message, page), next_page_token=page[-1].token if len(found) > size else ""
        )


def filter_of(request: pb.ListLogRecordsRequest) -> LogFilter:
    """Return what is asked for. Raises Refused."""
    severity = request.severity if request.HasField("severity") else None
    if severity is not None and severity > _LEAST_SEVERE:
        raise Refused(f"severity: {severity} is none; 0 is emergency, {_LEAST_SEVERE} debug")
    start_us = _us(request.start_time, "start_time") if request.HasField("start_time") else None
    end_us = _us(request.end_time, "end_time") if request.HasField("end_time") else None
    if start_us is not None and end_us is not None and start_us >= end_us:
        raise Refused("end_time: isn't after start_time")
    return LogFilter(
        devices=tuple(request.devices),
        event_types=tuple(request.event_types),
        topics=tuple(request.topics),
        severity=severity,
        contains=request.contains,
        start_us=start_us,
        end_us=end_us,
    )


def _us(time: Timestamp, name: str) -> int:
    if not 0 <= time.seconds < _LATEST_S:
        raise Refused(f"{name}: isn't between 1970 and 2100")
    return time.seconds * 1_000_000 + time.nanos // 1000


def _message(line: LogLineView) -> pb.LogRecord:
    return pb.LogRecord(
        receive_time=Timestamp(
            seconds=line.received_us // 1_000_000, nanos=line.received_us % 1_000_000 * 1000
        ),
        device_id=line.device_id,
        device=line.device,
        sender=line.sender,
        severity=line.severity,
        topics=line.topics,
        text=line.text,
        original=line.original,
        event_type=line.event_type,
        entity_type=line.entity_type,
        entity=line.entity,
        field=line.field,
        old_value=line.old,
        new_value=line.new,
        values=line.values,
        repeats=line.repeats,
    )
