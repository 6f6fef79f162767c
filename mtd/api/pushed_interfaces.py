"""What routers push, and who sends it, as the doors are told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from mtd.model.device import Device
from mtd.model.sighting import FoundBy


@dataclass(frozen=True, slots=True)
class Exporter:
    """What the datagrams of an address came to. ``devices``: all that can send from there."""

    address: str
    devices: Sequence[Device]
    counts: Mapping[str, int]

    @property
    def tenants(self) -> set[str]:
        """Whose devices these are."""
        return {device.tenant_id for device in self.devices}


@dataclass(frozen=True, slots=True)
class TooFast:
    """A device that sent more lines, or traps, than are taken in, and how many were dropped for that."""

    device: Device
    messages: int
    found_by: FoundBy


@dataclass(frozen=True, slots=True)
class UnknownSender:
    """A sender that is nobody's device. ``shared``: it is an address of several."""

    address: str
    name: str
    messages: int
    seen_us: int
    found_by: FoundBy
    shared: bool


class Pushed(Protocol):
    """What listens in this process, and what it knows of senders. From memory: asked for every few seconds."""

    @property
    def listening(self) -> Sequence[str]:
        """What is listened for: names of listeners."""

    def exporters(self) -> Sequence[Exporter]:
        """Return those that sent flows since mtd started."""

    def too_fast(self) -> Sequence[TooFast]:
        """Return devices of which lines or traps were dropped since mtd started, as they were too many."""

    def unknown_senders(self) -> Sequence[UnknownSender]:
        """Return senders that are nobody's device, those of each listener together, the newest first."""
