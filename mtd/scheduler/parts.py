"""What the loops of all devices work with."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mtd.model.metric import Tier

if TYPE_CHECKING:
    from mtd.core.clock import Clock
    from mtd.core.limits import Gate
    from mtd.ingest.recorder import Recorder
    from mtd.model.device import Device
    from mtd.plugin.mapper import DeviceMapper
    from mtd.scheduler.config import SchedulerConfig
    from mtd.scheduler.first_readings import FirstReadings
    from mtd.sources.interfaces import IDeviceSource

Tables = Mapping[str, Mapping[str, Mapping[str, str]]]
"""Current-state tables of a device as they were last seen: table -> row key -> fields."""

LoadTables = Callable[[Iterable[str]], Awaitable[Mapping[str, Tables]]]
"""Returns the tables of devices, by the devices' ids."""


Pace = Callable[[Tier], int]
"""Returns how many times as long the interval of a tier is now; 0: it isn't to be polled."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What a device loop works with, the same for all devices."""

    settings: SchedulerConfig
    clock: Clock
    recorder: Recorder
    make_source: Callable[[Device], IDeviceSource]
    make_mapper: Callable[[Device], DeviceMapper]
    load_tables: LoadTables
    fresh_gate: Gate
    retry_gate: Gate
    first_readings: FirstReadings
    may_poll: Callable[[str], bool] = lambda _: True
    """Whether a device may be polled at this moment: another collector may have it soon."""
    pace: Pace | None = None
    """How many times as long the intervals of tiers are at the moment; None: by the recorder's buffer alone."""
    rng: random.Random = field(default_factory=random.Random)
