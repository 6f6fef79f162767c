"""A recorder on the bench: before a log in memory, with a clock that tests move."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable, Sequence

from mtd.core.clock import SystemClock
from mtd.eventlog.memory import MemoryEventLog
from mtd.ingest import IngestConfig, Recorder
from mtd.model.device import Device, Severity
from mtd.model.events import payload_kind
from mtd.model.layout import Layout, Series
from mtd.model.metric import Lane
from mtd.model.observation import (
    FrameValues,
    Observation,
    ProbeFacts,
    StateChange,
)
from mtd.pb.events.v1.envelope_pb2 import Envelope
from tests.contract.loop import run

DEVICE = Device(
    device_id="10000000-0000-4000-8000-000000000001",
    tenant_id="20000000-0000-4000-8000-000000000001",
    name="core-1",
    host="192.0.2.1",
    port=8728,
    username="mtd",
    password="x",
)
OTHER = dataclasses.replace(DEVICE, device_id="10000000-0000-4000-8000-000000000002", name="edge-1")
CHANGE = StateChange(
    "interface.oper.changed", Severity.WARNING, "interface", "*1", "ether1", "running", "t", "f", "m"
)
FACTS = ProbeFacts("7.16", 7, "CHR", "x86_64", "r1", "", ())
QUICK = {"flush_interval_s": 0.01, "retry_first_s": 0.005, "retry_cap_s": 0.01, "stop_timeout_s": 1.0}


class ManualClock(SystemClock):
    """The machine's clocks, moved ahead by tests."""

    ahead_s = 0.0

    def now_us(self) -> int:
        return super().now_us() + round(self.ahead_s * 1e6)

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead_s


class Bench:
    """A recorder before a log in memory."""

    def __init__(self, **changes: float) -> None:
        self.clock = ManualClock()
        self.log = MemoryEventLog()
        self.recorder = Recorder(
            self.log, collector_id="edge-7", settings=IngestConfig(**(QUICK | changes)), clock=self.clock
        )

    async def events(self) -> list[Envelope]:
        await self.recorder.flush()
        return [event for batch in await self.log.read(0, 1_000_000) for event in batch.events]

    async def kinds(self) -> list[str]:
        return [payload_kind(event) for event in await self.events()]

    def frame(
        self, group: str = "t0", values: Sequence[int | None] = (1, 2), metric: str = "m"
    ) -> Observation:
        series = tuple(Series(f"{metric}.{n}", "*1", Lane.COUNTER) for n in range(len(values)))
        now = self.clock.now_us()
        return Observation(now, FrameValues(Layout.of(group, series), now, list(values), [], []))


def with_bench(body: Callable[[Bench], Awaitable[None]], **changes: float) -> None:
    async def main() -> None:
        bench = Bench(**changes)
        await bench.log.start()
        await bench.recorder.start()
        try:
            await body(bench)
        finally:
            bench.log.fail("")
            await bench.recorder.stop()
            await bench.log.stop()

    run(main())


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.005)
