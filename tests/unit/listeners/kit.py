"""Devices, and a recorder that keeps what it is told."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from mtd.model.device import Device
from mtd.model.events import Origin
from mtd.model.logs import LogEntry, log_event
from mtd.model.observation import StateChange
from mtd.pb.events.v1.envelope_pb2 import Envelope
from mtd.pb.events.v1.flows_pb2 import FlowBatch
from mtd.pb.events.v1.logs_pb2 import LogLine


def device(name: str, host: str, tenant: str = "t") -> Device:
    return Device(
        device_id=f"id-{name}", tenant_id=tenant, name=name, host=host, port=8728, username="u", password="p"
    )


@dataclass
class Told:
    """What the recorder was told: device, sender and lines, and changes. ``stored``: lines as the log has them."""

    lines: list[tuple[str, str, LogEntry]] = field(default_factory=list)
    stored: list[tuple[str, str, LogLine]] = field(default_factory=list)
    batches: int = 0
    changes: list[tuple[str, StateChange]] = field(default_factory=list)
    moments: list[int] = field(default_factory=list)
    flows: list[tuple[str, FlowBatch]] = field(default_factory=list)
    takes: bool = True
    pressure: float = 0.0
    durable: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.durable.set()

    def record_lines(self, device: Device, sender: str, entries: Sequence[LogEntry]) -> bool:
        self.batches += 1
        if self.takes:
            self.lines += [(device.name, sender, entry) for entry in entries]
            self._store(device, log_event(Origin("t", "c", device.device_id), sender, entries, 0))
        return self.takes

    def record_pushed(self, device: Device, event: Envelope) -> bool:
        if self.takes and event.HasField("flow_batch"):
            self.flows.append((device.name, event.flow_batch))
        elif self.takes:
            assert event.received_at_us
            self._store(device, event)
        return self.takes

    def _store(self, device: Device, event: Envelope) -> None:
        assert event.device_id == device.device_id
        batch = event.log_batch
        self.stored += [(device.name, batch.sender, line) for line in batch.lines]

    def record_event(self, change: StateChange, device: Any = None) -> None:
        self.changes.append((device.name if device else "", change))

    def record_pushed_event(self, device: Device, change: StateChange, at_us: int) -> bool:
        if self.takes:
            self.changes.append((device.name, change))
            self.moments.append(at_us)
        return self.takes

    async def flush(self) -> None:
        await self.durable.wait()
