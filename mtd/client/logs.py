"""Lines of routers' logs: give what a function here returns to a client.

lines = client.ask(logs.page(devices=["core-1"], event_types=["interface.*"]))
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from google.protobuf.timestamp_pb2 import Timestamp

from mtd.client.requests import Call
from mtd.pb.logs.v1 import log_service_pb2 as pb

LOGS = "logs"

SEVERITIES = ("emergency", "alert", "critical", "error", "warning", "notice", "info", "debug")
"""Of syslog, the worst first: their places are their numbers."""


@dataclass(frozen=True, slots=True)
class LogRecord:
    """One line, and what is known of it; see ``LogRecord`` in the protocol. ``severity`` is empty if none was told."""

    time: dt.datetime
    device_id: str
    device: str
    sender: str
    severity: str
    topics: Sequence[str]
    text: str
    original: str
    event_type: str
    entity_type: str
    entity: str
    field: str
    old: str
    new: str
    values: Mapping[str, str]
    repeats: int


@dataclass(frozen=True, slots=True)
class LogRecords:
    """A page of lines, the newest first; an empty token ends the list."""

    records: Sequence[LogRecord]
    next_page_token: str


def page(
    *,
    devices: Sequence[str] = (),
    event_types: Sequence[str] = (),
    topics: Sequence[str] = (),
    severity: str = "",
    contains: str = "",
    start: dt.datetime | None = None,
    end: dt.datetime | None = None,
    page_size: int = 0,
    page_token: str = "",
) -> Call[LogRecords]:
    """Build ListLogRecords. ``severity``: the least severe."""
    request = pb.ListLogRecordsRequest(
        devices=devices,
        event_types=event_types,
        topics=topics,
        severity=SEVERITIES.index(severity) if severity else None,
        contains=contains,
        start_time=_timestamp(start),
        end_time=_timestamp(end),
        page_size=page_size,
        page_token=page_token,
    )
    return Call(
        LOGS,
        "ListLogRecords",
        request,
        lambda answer: LogRecords(tuple(map(_record, answer.records)), answer.next_page_token),
    )


def _timestamp(time: dt.datetime | None) -> Timestamp | None:
    if time is None:
        return None
    made = Timestamp()
    made.FromDatetime(time)
    return made


def _record(one: pb.LogRecord) -> LogRecord:
    return LogRecord(
        time=one.receive_time.ToDatetime(dt.UTC),
        device_id=one.device_id,
        device=one.device,
        sender=one.sender,
        severity=SEVERITIES[one.severity] if one.HasField("severity") else "",
        topics=tuple(one.topics),
        text=one.text,
        original=one.original,
        event_type=one.event_type,
        entity_type=one.entity_type,
        entity=one.entity,
        field=one.field,
        old=one.old_value,
        new=one.new_value,
        values=dict(one.values),
        repeats=one.repeats,
    )
