"""A console without a network: a hub in memory, a clock that is set, and what viewers are sent."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from mtd.api.console.config import ConsoleConfig
from mtd.api.console.live import Live
from mtd.api.console.own import Process
from mtd.api.console.parts import ConsoleParts
from mtd.api.console.viewer import TICK_S, Viewer
from mtd.api.interfaces import ReadyCheck
from mtd.core.errors import NotFound
from mtd.model.device import DEFAULT_TENANT_ID, DeviceStatus
from mtd.model.layout import Layout, Series
from mtd.model.metric import Lane
from mtd.model.poller import Poller
from mtd.model.principal import CallerKind, Principal, Role
from mtd.queries.logs import LogFilter, LogLineView
from mtd.queries.records import DeviceDetail, FleetRow, HealthHistory, RangeAnswer, StoredEvent
from tests.unit.api.fakes import (
    FakeReadiness,
    FakeTelemetry,
    context,
    declared,
    device,
    frame,
    interfaces,
    numbered,
)

ROUTER = Layout.of(
    "t0",
    (
        Series("system.cpu.load_pct", "", Lane.GAUGE),
        Series("system.memory.free_bytes", "", Lane.GAUGE),
        Series("system.memory.total_bytes", "", Lane.GAUGE),
        Series("system.uptime_seconds", "", Lane.GAUGE),
        *(
            Series(metric, instance, lane)
            for instance in ("*1", "*2", "*3")
            for metric, lane in (
                ("iface.rx_bytes_total", Lane.COUNTER),
                ("iface.rx_bps", Lane.RATE),
                ("iface.tx_bps", Lane.RATE),
                ("iface.rx_errors_per_s", Lane.RATE),
            )
        ),
    ),
)
TYPES = {
    "*1": {"name": "ether1", "type": "ether"},
    "*2": {"name": "sfp1", "type": "ether"},
    "*3": {"name": "bridge", "type": "bridge"},
}
NAN = float("nan")
BOSS = Principal(CallerKind.LOCAL, "", DEFAULT_TENANT_ID, Role.SUPER_ADMIN)
VIEWER = Principal(CallerKind.USER, "vi", DEFAULT_TENANT_ID, Role.VIEWER)


class FakeClock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def now_us(self) -> int:
        return round(self.now * 1e6)


class FakeConsoleReads:
    """What PostgreSQL would say."""

    def __init__(self) -> None:
        self.rows: list[FleetRow] = []
        self.details: dict[str, DeviceDetail] = {}
        self.events: list[StoredEvent] = []
        self.answer = RangeAnswer((), 0)
        self.asked: list[tuple[Any, ...]] = []
        self.failures: list[Exception] = []
        self.reads = 0
        self.lines: list[LogLineView] = []

    async def fleet(self, tenant_id: str) -> Sequence[FleetRow]:
        self.reads += 1
        if self.failures:
            raise self.failures.pop(0)
        return list(self.rows)

    async def device(self, tenant_id: str, device_id: str) -> DeviceDetail:
        if device_id not in self.details:
            raise NotFound(f"there is no device {device_id!r}")
        return self.details[device_id]

    async def events_before(
        self, tenant_id: str, before: int | None, limit: int, device_id: str | None = None
    ) -> Sequence[StoredEvent]:
        self.asked.append((before, limit, device_id))
        if self.failures:
            raise self.failures.pop(0)
        return self.events[:limit]

    async def history(
        self,
        tenant_id: str,
        device_id: str,
        metrics: Sequence[str],
        start_us: int,
        end_us: int,
        max_points: int,
    ) -> RangeAnswer:
        self.asked.append((device_id, tuple(metrics), start_us, end_us, max_points))
        return self.answer

    async def log_lines(
        self, tenant_id: str, wanted: LogFilter, after: str, limit: int
    ) -> Sequence[LogLineView]:
        self.asked.append((wanted, after, limit))
        return self.lines[:limit]

    async def health(self, tenant_id: str, device_id: str, start_us: int, end_us: int) -> HealthHistory:
        self.asked.append((device_id, start_us, end_us))
        return HealthHistory(start_us, end_us, [], [])


def row(device_id: str = "d1", name: str = "r1", **changes: Any) -> FleetRow:
    values: dict[str, Any] = {
        "host": "192.0.2.1",
        "enabled": True,
        "status": DeviceStatus.UP,
        "reason": "polled in time",
        "since_us": 5,
        "version": "7.16",
        "board": "CHR",
        "identity": name,
        "labels": {},
        "interval_s": None,
    }
    return FleetRow(device_id, name, **(values | changes))


def process(*checks: ReadyCheck, statuses: Mapping[DeviceStatus, int] | None = None) -> Process:
    return Process(
        "1.2.3",
        "here",
        FakeReadiness(*checks),
        lambda tenant_id: statuses or Counter(),
        lambda: [],
        no_collectors,
    )


async def no_collectors(_tenant_id: str) -> Sequence[Poller]:
    return []


class Scene:
    """The live side of a console with some devices, d1, d2, ..., that are called r1, r2, ..."""

    def __init__(self, devices: int = 1, **settings: Any) -> None:
        self.clock = FakeClock()
        self.stored = FakeTelemetry()
        self.backend = FakeConsoleReads()
        self.api = context(self.stored)
        self.hub = self.api.hub
        self.intervals_s = {"t0": 1.0, "t1": 10.0}
        self.names = [f"d{number}" for number in range(1, devices + 1)]
        parts = ConsoleParts(
            self.hub, self.api.feeds, self.stored, self.backend, process(), lambda: self.intervals_s
        )
        self.live = Live(parts, ConsoleConfig(**settings), self.clock)
        self.world = self.live.world
        self.apply(self.names)
        self.hub.publish(numbered(declared(ROUTER)))
        for name in self.names:
            self.hub.publish(numbered(interfaces(TYPES, device_id=name)))

    def apply(self, names: Sequence[str], **changes: Any) -> None:
        self.hub.apply_devices([replace(device(name, f"r{name[1:]}"), **changes) for name in names])

    def poll(self, name: str = "d1", **values: Any) -> None:
        """Publish a frame of this moment."""
        given: dict[str, Any] = {
            "layout": ROUTER,
            "counters": (1, 2, 3),
            "gauges": (7.0, 256.0, 1024.0, 60.0),
            "rates": (100.0, 10.0, 0.0, 200.0, 20.0, 0.5, 300.0, 30.0, 9.0),
        }
        self.hub.publish(numbered(frame(self.clock.now_us(), device_id=name, **(given | values))))


class Screen:
    """A viewer, what it was sent, and whether it reads."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.full = False
        self.sent: list[tuple[float, dict[str, Any]]] = []
        self.viewer = Viewer(scene.world, self._take, lambda: self.full, whole=True)
        scene.live._viewers[self.viewer] = lambda reason: None

    def _take(self, text: str) -> None:
        assert not self.full, "nothing may be sent on a full connection"
        self.sent.append((self.scene.clock.now, json.loads(text)))

    def view(self, *devices: str, **wanted: Any) -> None:
        self.viewer.receive(json.dumps({"op": "view", "devices": devices} | wanted))

    def tick(self, seconds: float = TICK_S) -> list[dict[str, Any]]:
        """Let time pass and the viewer tick once; return what it was sent."""
        self.scene.clock.now += seconds
        before = len(self.sent)
        self.viewer.tick(self.scene.clock.now)
        return [message for _, message in self.sent[before:]]

    def of(self, kind: str) -> list[tuple[float, dict[str, Any]]]:
        return [(at, message) for at, message in self.sent if message["type"] == kind]
