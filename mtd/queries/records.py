"""What the queries return."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from mtd.model.device import DeviceStatus, Severity
from mtd.model.evidence import Source
from mtd.model.layout import Layout
from mtd.model.metric import Lane, Tier
from mtd.model.selection import EVERYTHING
from mtd.model.ways import WayState
from mtd.queries.resolution import Resolution
from mtd.storage.stores.device_settings import DeviceSettings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class DeviceView:
    """A device of the inventory with what was learned about it.

    ``last_seen_us``: when it last answered a poll, None if never.
    ``capabilities``: name and detail of those present, ``absent_capabilities`` of
    those that it said it hasn't. ``ways``: the best first.
    """

    device_id: str
    tenant_id: str
    settings: DeviceSettings
    revision: int
    created_us: int
    updated_us: int
    status: DeviceStatus = DeviceStatus.UNKNOWN
    status_reason: str = ""
    status_since_us: int | None = None
    last_seen_us: int | None = None
    routeros_version: str = ""
    board_name: str = ""
    identity: str = ""
    capabilities: Mapping[str, str] = field(default_factory=dict)
    absent_capabilities: Mapping[str, str] = field(default_factory=dict)
    routeros_major: int = 0
    ways: Sequence[WayState] = ()


@dataclass(frozen=True, slots=True)
class LatestFrame:
    """The newest frame of a poll group of a device. Absent: None among counters, NaN among the others."""

    tenant_id: str
    device_id: str
    layout: Layout
    collected_us: int
    received_us: int
    counters: Sequence[int | None]
    gauges: Sequence[float]
    rates: Sequence[float]


@dataclass(frozen=True, slots=True)
class InstanceName:
    """How a router names one of its things: a row of a current-state table. ``type``: of an interface."""

    tenant_id: str
    device_id: str
    table: str
    key: str
    name: str
    comment: str
    type: str = ""


Ints: TypeAlias = "Sequence[int] | NDArray[np.int64]"
Floats: TypeAlias = "Sequence[float] | NDArray[np.float64]"


@dataclass(frozen=True, slots=True, eq=False)
class SeriesPoints:
    """Points of one series. ``counters`` are exact; the other lanes come as ``values``.

    In buckets, ``values`` are means and ``counters`` the last ones; of the other
    lanes there are ``minimum``, ``maximum`` and ``p95`` as well, of counters
    their ``increases``; ``counts`` tells how many values each bucket is of.
    """

    metric: str
    instance: str
    lane: Lane
    label: str
    key: str
    unit: str
    times_us: Ints
    values: Floats = ()
    counters: Ints = ()
    minimum: Floats = ()
    maximum: Floats = ()
    p95: Floats = ()
    increases: Ints = ()
    counts: Ints = ()


@dataclass(frozen=True, slots=True)
class RangeAnswer:
    """Series with at least one point; ``bucket_us`` is 0 if the points are as stored."""

    series: Sequence[SeriesPoints]
    bucket_us: int
    resolution: Resolution = Resolution.RAW


@dataclass(frozen=True, slots=True)
class LatestValue:
    """The newest value of a series. ``exact`` is that of a counter, None for all else."""

    device_id: str
    device_name: str
    metric: str
    instance: str
    lane: Lane
    label: str
    key: str
    unit: str
    collected_us: int
    value: float
    exact: int | None


@dataclass(frozen=True, slots=True)
class TopEntry:
    """An interface in a ranking. ``most`` is the largest part of a window; 0 without one."""

    device_id: str
    device_name: str
    instance: str
    label: str
    value: float
    most: float = 0.0


@dataclass(frozen=True, slots=True)
class StatusCount:
    """How many devices have a status."""

    status: DeviceStatus
    devices: int


@dataclass(frozen=True, slots=True)
class EventDay:
    """Events of one UTC day, by severity. ``day`` reads 2026-11-26."""

    day: str
    info: int
    warning: int
    critical: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """Who saw what an event tells, and when. ``log_id``, ``seq`` and ``part`` name what it is read from.

    ``source`` is None for one of a kind that a newer mtd has brought.
    """

    source: Source | None
    collected_us: int
    after_first_us: int
    log_id: str
    seq: int
    part: int
    message: str


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """One event as operators read it. ``device_id`` is empty if it is about the collector.

    ``evidences``: the first first; none where nobody else can tell the same. ``replaces``: positions at which it was told
    before it had all of them.
    """

    position: int
    collected_us: int
    device_id: str
    device_name: str
    event_type: str
    severity: Severity
    entity_type: str
    entity_id: str
    entity_label: str
    field: str
    old: str
    new: str
    message: str
    evidences: Sequence[Evidence] = ()
    replaces: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class MetricRecord:
    """An entry of the stored catalogue. ``states``: name by number."""

    key: str
    unit: str
    kind: str
    tier: str
    scope: str
    description: str
    since: str
    collector: str
    expected_min: float | None
    expected_max: float | None
    states: Mapping[int, str]


@dataclass(frozen=True, slots=True)
class FleetRow:
    """A device as a list of all of them shows it."""

    device_id: str
    name: str
    host: str
    enabled: bool
    status: DeviceStatus
    reason: str
    since_us: int | None
    version: str
    board: str
    identity: str
    labels: Mapping[str, str]
    interval_s: float | None
    """Between polls of what moves; None if the device has none of its own."""


@dataclass(frozen=True, slots=True)
class CapabilityRow:
    """What a device can do or can't."""

    name: str
    present: bool
    detail: str


@dataclass(frozen=True, slots=True)
class InterfaceRow:
    """An interface as its router describes it; fields of its ethernet port are called ``ethernet.…``.

    ``tier`` is where its counters are read, ``reason`` why, ``why`` that in words, and ``chosen_us`` since when.
    """

    id: str
    name: str
    comment: str
    label: str
    type: str
    changed_us: int
    fields: Mapping[str, str]
    tier: str = Tier.T0
    reason: str = EVERYTHING
    why: str = ""
    chosen_us: int | None = None


@dataclass(frozen=True, slots=True)
class DeviceDetail:
    """A device with all that is known of it."""

    view: DeviceView
    serial_number: str
    architecture: str
    capabilities: Sequence[CapabilityRow]
    interfaces: Sequence[InterfaceRow]


@dataclass(frozen=True, slots=True)
class HealthSegment:
    """A time over which a device was the same."""

    from_us: int
    to_us: int
    status: DeviceStatus
    reason: str


@dataclass(frozen=True, slots=True)
class HealthOutcome:
    """A poll that failed, or the first that succeeded again."""

    at_us: int
    outcome: str
    status: DeviceStatus
    reason: str
    poll_group: str
    consecutive_failures: int
    polls_missed: int
    retry_in_s: float


@dataclass(frozen=True, slots=True)
class HealthHistory:
    """How a device was over time: segments without gaps, and the newest outcomes, newest first."""

    start_us: int
    end_us: int
    segments: Sequence[HealthSegment]
    outcomes: Sequence[HealthOutcome]
