"""What the console is made of, given by the application."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mtd.api.console.own import Process
from mtd.api.grpc.event_feed import EventFeeds
from mtd.api.grpc.stream_hub import StreamHub
from mtd.api.interfaces import ConsoleBackend, TelemetryBackend


@dataclass(frozen=True, slots=True)
class ConsoleParts:
    """The rest of the process, as far as the console looks at it."""

    hub: StreamHub
    feeds: EventFeeds
    telemetry: TelemetryBackend
    backend: ConsoleBackend
    process: Process
    intervals_s: Callable[[], Mapping[str, float]]
    """Seconds between polls by tier, of devices that have none of their own."""
