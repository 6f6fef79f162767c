"""How much of each device is taken in, and what is told of that which is too much."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mtd.core.limits import TokenBucket
from mtd.model.device import Severity
from mtd.model.observation import StateChange

if TYPE_CHECKING:
    from mtd.core.clock import Clock
    from mtd.model.device import Device

_BURST_S = 10.0
_TOLD_AGAIN_S = 60.0


class Paces:
    """The pace of each device, by its id: ``rate`` a second, ten seconds' worth at once."""

    def __init__(self, rate: float, clock: Clock) -> None:
        self._rate = rate
        self._clock = clock
        self._buckets: dict[str, TokenBucket] = {}

    def keep(self, device_ids: Container[str]) -> None:
        """Forget all others."""
        for gone in [one for one in self._buckets if one not in device_ids]:
            del self._buckets[gone]

    def has_room(self, device_id: str) -> bool:
        """Return whether one more is taken in."""
        bucket = self._buckets.get(device_id)
        if bucket is None:
            bucket = TokenBucket(self._rate, max(1.0, self._rate * _BURST_S), clock=self._clock)
            self._buckets[device_id] = bucket
        return bucket.take()


@dataclass(frozen=True, slots=True)
class Complaint:
    """What is told of a device that sends too much: an event's type, what it sends, and what to do about it."""

    event_type: str
    what: str
    advice: str


class Excess:
    """What devices sent beyond ``rate`` a second, which was dropped: counted, and told once a minute."""

    def __init__(self, rate: float, complaint: Complaint, clock: Clock) -> None:
        self._rate = rate
        self._complaint = complaint
        self._clock = clock
        self._devices: Mapping[str, Device] = {}
        self._untold: Counter[str] = Counter()
        self._in_all: Counter[str] = Counter()
        self._told_at = clock.monotonic()

    def apply(self, devices: Mapping[str, Device]) -> None:
        """Know these devices, by their ids, and no others."""
        self._devices = devices
        for gone in self._in_all.keys() - devices.keys():
            del self._in_all[gone]

    def add(self, device_id: str, count: int = 1) -> None:
        """Take note of what a device sent too much."""
        self._untold[device_id] += count
        self._in_all[device_id] += count

    @property
    def devices(self) -> Sequence[tuple[Device, int]]:
        """Devices that sent more than is taken in, and how much was dropped since it began."""
        known = self._devices
        return [(known[device_id], count) for device_id, count in self._in_all.items() if device_id in known]

    def due(self, *, now: bool = False) -> Iterator[tuple[Device, StateChange]]:
        """Yield once a minute what belongs on the timelines of devices: how much of what they sent was too much."""
        moment = self._clock.monotonic()
        if not self._untold or (moment - self._told_at < _TOLD_AGAIN_S and not now):
            return
        told, self._untold, self._told_at = self._untold, Counter(), moment
        for device_id, count in told.items():
            device = self._devices.get(device_id)
            if device is not None:
                yield device, self._change(device, count)

    def _change(self, device: Device, count: int) -> StateChange:
        told = self._complaint
        return StateChange(
            event_type=told.event_type,
            severity=Severity.WARNING,
            entity_type="device",
            entity_id=device.device_id,
            entity_label=device.name,
            field="dropped",
            old="",
            new=str(count),
            message=f"{device.name} sends more than {self._rate:g} {told.what} a second: {count} were dropped; {told.advice}",
        )
