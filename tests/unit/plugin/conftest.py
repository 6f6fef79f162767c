"""A small collector, and a device that it reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from mtd.model.device import Severity
from mtd.model.metric import Tier, Unit
from mtd.model.observation import Observation
from mtd.plugin import (
    Collector,
    Column,
    Counter,
    DerivedRate,
    Gauge,
    Labels,
    Menu,
    Probe,
    RowEvent,
    State,
    StateEvent,
    TableKind,
    columns,
)
from mtd.plugin.mapper import DeviceMapper
from mtd.testing.contract import FakeClock, make_device
from mtd.testing.replies import replies_from, reply

BYTES = Counter(
    field="byte",
    key="port.rx_bytes_total",
    unit=Unit.BYTES,
    description="Bytes.",
    since="1",
    rate=DerivedRate(
        key="port.rx_bps",
        unit=Unit.BITS_PER_SECOND,
        scale=8.0,
        description="Bits.",
        since="1",
        bounded_by_link=True,
    ),
)
FLAPS = Counter(field="flaps", key="port.flaps_total", unit=Unit.EVENTS, description="Flaps.", since="1")
LINK = State(
    field="up",
    key="port.state",
    description="Link.",
    since="1",
    states={"down": 0, "up": 1},
    words={"true": "up", "false": "down"},
    event=StateEvent(
        event_type="port.changed",
        entity_type="port",
        message="{label} is {new}",
        severities={"down": Severity.WARNING},
        expected_when=("off", "true"),
    ),
)
PORTS = Menu(
    name="ports",
    path="/port",
    kind=TableKind.METRICS,
    tier=Tier.T0,
    row_key=".id",
    scope="port",
    fields=(BYTES, FLAPS, LINK),
)
TABLE = Menu(
    name="table",
    path="/port",
    kind=TableKind.CURRENT_STATE,
    tier=Tier.T1,
    table="port",
    row_key=".id",
    scope="port",
    labels=Labels(),
    same_thing=lambda before, now: before.get("serial") == now.get("serial"),
    fields=(
        Column(
            field="name",
            event=StateEvent(event_type="port.renamed", entity_type="port", message="{old} > {new}"),
        ),
        *columns("comment", "serial"),
    ),
    appears=RowEvent(event_type="port.added", entity_type="port", message="{label} came"),
    vanishes=RowEvent(event_type="port.removed", entity_type="port", message="{label} went"),
)
SPEEDS = Menu(
    name="speeds",
    path="/port",
    command="monitor",
    kind=TableKind.METRICS,
    tier=Tier.T1,
    row_key="name",
    keyed_by_name=True,
    scope="port",
    numbers_of="table",
    arguments=(("once", ""),),
    fields=(
        Gauge(
            field="speed",
            key="port.speed_bps",
            unit=Unit.BITS_PER_SECOND,
            description="Speed.",
            since="1",
            is_link_speed=True,
        ),
    ),
)
SESSIONS = Menu(
    name="sessions",
    path="/session",
    kind=TableKind.COUNT_ONLY,
    tier=Tier.T2,
    requires="sessions",
    fields=(Gauge(field="count", key="session.active", unit=Unit.COUNT, description="Sessions.", since="1"),),
)
NOTE = Menu(
    name="note",
    path="/note",
    kind=TableKind.SNAPSHOT,
    tier=Tier.T3,
    table="note",
    fields=columns("text", "author"),
)
PORTS_EGG = Collector(
    name="ports",
    api=1,
    description="Ports.",
    menus=(PORTS, TABLE, SPEEDS, SESSIONS, NOTE),
    probes=(Probe(capability="sessions", path="/session"),),
)

Rows = Sequence[Mapping[str, Any]]


def port(number: int, **fields: Any) -> dict[str, Any]:
    return {".id": f"*{number}", "byte": 0, "flaps": 0, "up": True, "off": False} | fields


@dataclass
class Scene:
    """A device with its mapper; time is what the test says."""

    mapper: DeviceMapper
    clock: FakeClock
    uptime_s: float = 100_000.0
    menus: dict[str, Rows] = field(default_factory=lambda: {"/port/monitor": []})

    def poll(
        self, tier: Tier, at: float, *, late: bool = False, duration_s: float = 0.002, **menus: Rows
    ) -> Observation:
        """Answer a tier's commands from the menus (``port`` is ``/port/print``) and map the answers."""
        self.clock.at = at
        for name, rows in menus.items():
            self.menus[f"/{name.replace('_', '/')}" if "_" in name else f"/{name}/print"] = rows
        self.menus["/system/resource/print"] = [{"uptime": f"{self.uptime_s + at:.0f}s"}]
        answers = replies_from(self.mapper.commands(tier), self.menus, at=at, duration_s=duration_s)
        return self.mapper.observe(tier, answers, late=late)

    def refuse(self, tier: Tier, at: float, trap: str) -> Observation:
        """Answer all commands of a tier with a trap."""
        self.clock.at = at
        return self.mapper.observe(tier, [reply(c, at=at, trap=trap) for c in self.mapper.commands(tier)])

    def ports(self, at: float, *ports: Mapping[str, Any], **options: Any) -> Observation:
        """Poll the ports at T0."""
        return self.poll(Tier.T0, at, port=ports, **options)


@pytest.fixture
def make_scene() -> Callable[..., Scene]:
    """Return a maker of scenes: ``make_scene(collector, ..., naming=...)``."""

    def make(
        *collectors: Collector,
        capabilities: Any = None,
        mapper: Mapping[str, Any] | None = None,
        **device: Any,
    ) -> Scene:
        clock = FakeClock()
        made = DeviceMapper(
            make_device(**device), collectors or (PORTS_EGG,), capabilities, clock=clock, **(mapper or {})
        )
        return Scene(made, clock)

    return make


@pytest.fixture
def scene(make_scene: Callable[..., Scene]) -> Scene:
    return make_scene()
