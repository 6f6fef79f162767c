"""Devices, and a recorder that keeps what it is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from mtd.model.device import Device
from mtd.model.logs import LogEntry
from mtd.model.observation import StateChange
from mtd.pb.events.v1.envelope_pb2 import Envelope
from mtd.pb.events.v1.flows_pb2 import FlowBatch


def device(name: str, host: str, tenant: str = "t") -> Device:
    return Device(
        device_id=f"id-{name}", tenant_id=tenant, name=name, host=host, port=8728, username="u", password="p"
    )


@dataclass
class Told:
    """What the recorder was told: device, sender and lines, and changes."""

    lines: list[tuple[str, str, LogEntry]] = field(default_factory=list)
    batches: int = 0
    changes: list[tuple[str, StateChange]] = field(default_factory=list)
    moments: list[int | None] = field(default_factory=list)
    flows: list[tuple[str, FlowBatch]] = field(default_factory=list)
    takes: bool = True
    pressure: float = 0.0

    def record_lines(self, device: Device, sender: str, entries: Sequence[LogEntry]) -> bool:
        self.batches += 1
        if self.takes:
            self.lines += [(device.name, sender, entry) for entry in entries]
        return self.takes

    def record_flows(self, device: Device, event: Envelope) -> bool:
        if self.takes:
            self.flows.append((device.name, event.flow_batch))
        return self.takes

    def record_event(self, change: StateChange, device: Any = None, *, at_us: int | None = None) -> None:
        self.changes.append((device.name if device else "", change))
        self.moments.append(at_us)
