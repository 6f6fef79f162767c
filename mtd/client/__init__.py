"""Client of the daemon, for programs: synchronous and asyncio.

Takes in words and numbers, gives out dataclasses; streams resume by
themselves. Knows the protocol and nothing else of mtd. Importing it creates no
channel and doesn't import gRPC: it may be imported before a process forks, and
used after.
"""

from __future__ import annotations

from mtd.client import audit, credential_sets, discovery, ingest, places, tools
from mtd.client.aio import AsyncMtdClient
from mtd.client.errors import MtdClientError
from mtd.client.health import HealthHistory, HealthSegment
from mtd.client.live import LiveFrame, LiveLayout, LiveSeries, Sample
from mtd.client.overview import EventDay, EventDays, LatestPage, LatestValue, Ranking, StatusCounts, TopEntry
from mtd.client.polled import PolledTier, PollNow
from mtd.client.ranges import RangeResult, TimeSeries
from mtd.client.requests import Settings
from mtd.client.slices import Slice
from mtd.client.snapshots import SnapshotInfo, SnapshotVersion
from mtd.client.state import TableInfo, TablePage, TableRow
from mtd.client.sync import MtdClient
from mtd.client.values import Catalogue, ConnectionTest, Device, Event, Evidence, Metric, TestStep

DEFAULT_TARGET = "127.0.0.1:50051"

__all__ = [
    "DEFAULT_TARGET",
    "AsyncMtdClient",
    "Catalogue",
    "ConnectionTest",
    "Device",
    "Event",
    "EventDay",
    "EventDays",
    "Evidence",
    "HealthHistory",
    "HealthSegment",
    "LatestPage",
    "LatestValue",
    "LiveFrame",
    "LiveLayout",
    "LiveSeries",
    "Metric",
    "MtdClient",
    "MtdClientError",
    "PollNow",
    "PolledTier",
    "RangeResult",
    "Ranking",
    "Sample",
    "Settings",
    "Slice",
    "SnapshotInfo",
    "SnapshotVersion",
    "StatusCounts",
    "TableInfo",
    "TablePage",
    "TableRow",
    "TestStep",
    "TimeSeries",
    "TopEntry",
    "audit",
    "credential_sets",
    "discovery",
    "ingest",
    "places",
    "tools",
]
