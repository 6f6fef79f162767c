"""Reports of collectors as messages, and back."""

from __future__ import annotations

from mtd.model.collector_report import CollectorReport
from mtd.pb.collector.v1 import collector_link_service_pb2 as pb

_WORD_CHARACTERS = 16
_MOST = 2**62


def report_message(report: CollectorReport) -> pb.CollectorReport:
    """Return the message of a report."""
    message = pb.CollectorReport(
        buffer_events=report.buffer_events,
        buffer_bytes=report.buffer_bytes,
        pressure=report.pressure,
        devices=report.devices,
        poll_errors=report.poll_errors,
        memory_bytes=report.memory_bytes,
        clock_synchronized=report.clock_synchronised,
    )
    if report.oldest_unsent_us:
        message.oldest_unsent_time.FromMicroseconds(report.oldest_unsent_us)
    if report.last_push_us:
        message.last_push_time.FromMicroseconds(report.last_push_us)
    return message


def report_of(message: pb.CollectorReport) -> CollectorReport:
    """Return the report of a message, whatever numbers it holds."""
    pressure = message.pressure[:_WORD_CHARACTERS]
    return CollectorReport(
        buffer_events=_count(message.buffer_events),
        buffer_bytes=_count(message.buffer_bytes),
        oldest_unsent_us=_us(message, "oldest_unsent_time"),
        last_push_us=_us(message, "last_push_time"),
        pressure=pressure if pressure.isprintable() and pressure else "none",
        devices=min(_count(message.devices), 2**31 - 1),
        poll_errors=_count(message.poll_errors),
        memory_bytes=_count(message.memory_bytes),
        clock_synchronised=message.clock_synchronized if message.HasField("clock_synchronized") else None,
    )


def _count(number: int) -> int:
    return max(0, min(number, _MOST))


def _us(message: pb.CollectorReport, field: str) -> int:
    if not message.HasField(field):
        return 0
    stamp = getattr(message, field)
    return _count(stamp.seconds * 1_000_000 + stamp.nanos // 1000)
