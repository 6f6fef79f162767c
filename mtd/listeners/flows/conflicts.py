"""Exporters whose templates are given other layouts again and again: two of them behind one address, or a forger."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mtd.model.device import Severity
from mtd.model.observation import StateChange

if TYPE_CHECKING:
    from mtd.core.clock import Clock
    from mtd.model.device import Device

MOST_AN_HOUR = 6
"""More changes than somebody makes who tries what an exporter should send."""

_HOUR_S = 3600.0
_ADVICE = (
    "look whether something else sends from that address (NAT, a second process), and let only exporters reach the ports of "
    "flows"
)


@dataclass(slots=True)
class _Hour:
    began_s: float
    count: int = 0
    told: bool = False


class Conflicts:
    """Counts them by address, an hour at a time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._hours: dict[str, _Hour] = {}

    def note(self, address: str, count: int) -> str:
        """Take note of conflicts; return what is to be told of them, once an hour; empty: nothing."""
        if not count:
            return ""
        now = self._clock.monotonic()
        hour = self._hours.get(address)
        if hour is None or now - hour.began_s > _HOUR_S:
            hour = self._hours[address] = _Hour(now)
        hour.count += count
        if hour.told or hour.count <= MOST_AN_HOUR:
            return ""
        hour.told = True
        return (
            f"templates of flows from {address} were given other layouts {hour.count} times within an hour, records may be "
            f"misread: {_ADVICE}"
        )


def conflict_of(device: Device, message: str) -> StateChange:
    """Return what belongs on the timeline of an exporter's device."""
    return StateChange(
        event_type="flows.template.conflict",
        severity=Severity.WARNING,
        entity_type="device",
        entity_id=device.device_id,
        entity_label=device.name,
        field="template",
        old="",
        new="",
        message=message,
    )
