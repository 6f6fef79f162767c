"""How many traps of each device are taken in, and what is told of those that are too many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
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
    """The pace of each device: ``rate`` a second, ten seconds' worth at once."""

    def __init__(self, rate: float, clock: Clock) -> None:
        self._rate = rate
        self._clock = clock
        self._devices: Mapping[str, Device] = {}
        self._buckets: dict[str, TokenBucket] = {}
        self._untold: Counter[str] = Counter()
        self._in_all: Counter[str] = Counter()
        self._told_at = clock.monotonic()

    def apply(self, devices: Mapping[str, Device]) -> None:
        """Know these devices, by their ids, and no others."""
        self._devices = devices
        for gone in self._buckets.keys() - devices.keys():
            del self._buckets[gone]
            self._in_all.pop(gone, None)

    @property
    def too_fast(self) -> Sequence[tuple[Device, int]]:
        """Devices that sent more than is taken in, and how much was dropped since it began."""
        known = self._devices
        return [(known[device_id], count) for device_id, count in self._in_all.items() if device_id in known]

    def has_room(self, device: Device) -> bool:
        """Return whether one more is taken in; if not, it is counted here."""
        bucket = self._buckets.get(device.device_id)
        if bucket is None:
            bucket = TokenBucket(self._rate, max(1.0, self._rate * _BURST_S), clock=self._clock)
            self._buckets[device.device_id] = bucket
        if bucket.take():
            return True
        self._untold[device.device_id] += 1
        self._in_all[device.device_id] += 1
        return False

    def due(self, *, now: bool = False) -> Iterator[tuple[Device, StateChange]]:
        """Yield once a minute what belongs on the timelines of devices: how many of their traps were too many."""
        moment = self._clock.monotonic()
        if not self._untold or (moment - self._told_at < _TOLD_AGAIN_S and not now):
            return
        told, self._untold, self._told_at = self._untold, Counter(), moment
        for device_id, traps in told.items():
            device = self._devices.get(device_id)
            if device is not None:
                yield device, self._change(device, traps)

    def _change(self, device: Device, traps: int) -> StateChange:
        return StateChange(
            event_type="snmp.traps.dropped",
            severity=Severity.WARNING,
            entity_type="device",
            entity_id=device.device_id,
            entity_label=device.name,
            field="dropped",
            old="",
            new=str(traps),
            message=f"{device.name} sends more than {self._rate:g} SNMP traps a second: {traps} were dropped; "
            "have it send fewer (trap-generators, trap-interfaces), or raise traps.traps_per_s",
        )
