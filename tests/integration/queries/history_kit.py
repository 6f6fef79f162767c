"""A device with hours of history, some of them compacted, and what a patient person would compute of it."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from mtd.compaction.store import Unit, UnitStore
from mtd.compaction.unit import UnitCompactor
from mtd.model.labels import LabelSource
from mtd.model.layout import Layout, Series
from mtd.model.metric import Kind, Lane, Metric, Tier
from mtd.model.metric import Unit as MetricUnit
from mtd.security.keyfile import MasterKey
from mtd.security.vault import Vault
from mtd.storage.cold.connection import ColdConnection
from mtd.storage.stores.catalogue import CatalogueStore
from mtd.storage.stores.device_settings import DeviceSettings
from mtd.storage.stores.devices import DeviceStore
from tests.integration.projections.kit import TENANT, World, declare, frame, now_us

SECOND = 1_000_000
HOUR = 3600 * SECOND
INTERVAL_S = 5.0
GAP_MS = 3 * 5000

RX, RX_BPS, LOAD = "iface.rx_bytes_total", "iface.rx_bps", "system.cpu.load_pct"
METRICS = [
    Metric(RX, MetricUnit.BYTES, Kind.COUNTER, Tier.T0, "Bytes received.", "1", scope="iface"),
    Metric(
        RX_BPS, MetricUnit.BITS_PER_SECOND, Kind.RATE, Tier.T0, "Received.", "1", scope="iface", rate_of=RX, rate_scale=8.0
    ),
    Metric(LOAD, MetricUnit.PERCENT, Kind.GAUGE, Tier.T0, "Load.", "1"),
]  # fmt: skip
LAYOUT = Layout.of(
    "t0",
    (Series(RX, "*1", Lane.COUNTER), Series(LOAD, "", Lane.GAUGE), Series(RX_BPS, "*1", Lane.RATE)),
)
MOVED = Layout.of("t1", (Series(LOAD, "", Lane.GAUGE),))

Poll = tuple[int, int | None, float]
"""Microseconds, the counter, the gauge (NaN: absent)."""
Bucket = tuple[int, Sequence[float]]


@dataclass
class Past:
    """What was polled of the device, and the ids under which it is stored."""

    device_id: str
    first_us: int
    polls: list[Poll] = field(default_factory=list)
    withheld: set[int] = field(default_factory=set)
    """Milliseconds at which the daemon told no rate although the counter gives one."""

    def counters(self) -> list[tuple[int, int]]:
        """Return the counter's points, in milliseconds."""
        return sorted((us // 1000, counter) for us, counter, _ in self.polls if counter is not None)

    def gauges(self) -> list[tuple[int, float]]:
        """Return the gauge's points, in milliseconds."""
        return sorted((us // 1000, gauge) for us, _, gauge in self.polls if not math.isnan(gauge))

    def rates(self) -> list[tuple[int, float]]:
        """Return the rates, in bits per second."""
        points = self.counters()
        return [
            (ms, 8000.0 * (value - old) / (ms - before))
            for (before, old), (ms, value) in zip(points, points[1:], strict=False)
            if value >= old and 0 < ms - before <= GAP_MS and ms not in self.withheld
        ]


async def past_of(
    world: World, hours: float, seed: int = 1, *, jumps: Collection[int] = (), withhold: Collection[int] = ()
) -> Past:
    """Make a device, and its polls from the start of an hour until some minutes ago.

    At some polls the counter jumps as no link can, at others there is no baseline: no rate is told of these.
    """
    store = DeviceStore(world.db, Vault([MasterKey.of(bytes(32))]).sealer)
    created = await store.create(DeviceSettings(name="core-1", host="192.0.2.1", username="mtd"), "secret")
    await CatalogueStore(world.db).put(
        "1+test", [(metric, "test") for metric in METRICS], labels=[LabelSource("iface", "interface")]
    )
    end_us = now_us() - 60 * SECOND
    past = Past(created.device_id, end_us // HOUR * HOUR - int(hours) * HOUR)
    past.polls = polls_between(past.first_us, end_us, random.Random(seed))
    for place in jumps:
        past.polls[place:] = [
            (us, None if counter is None else counter + 10**15, gauge)
            for us, counter, gauge in past.polls[place:]
        ]
    past.withheld = {past.polls[place][0] // 1000 for place in (*jumps, *withhold)}
    await world.project(declare(LAYOUT), declare(MOVED))
    await store_polls(world, past, past.polls)
    return past


def polls_between(first_us: int, end_us: int, dice: random.Random) -> list[Poll]:
    """Return polls with jitter, resets, absences and an outage."""
    polls: list[Poll] = []
    counter, at = 2**60 + 1, first_us + 1_234_000
    while at < end_us:
        counter += dice.choice((0, 1, 1500, 10**9))
        if dice.random() < 0.002:
            counter = dice.randrange(1000)
        gauge = math.nan if dice.random() < 0.05 else dice.choice((dice.randrange(100), dice.random() * 100))
        polls.append((at, None if dice.random() < 0.02 else counter, float(gauge)))
        at += int(INTERVAL_S * SECOND) + dice.randrange(-200, 200) * 1000
        if dice.random() < 0.001:
            at += 17 * 60 * SECOND
    return polls


async def store_polls(world: World, past: Past, polls: Iterable[Poll], layout: Layout = LAYOUT) -> None:
    """Project polls as frames, with the rates that the daemon would have derived."""
    rates = dict(past.rates())
    events = []
    for us, counter, gauge in polls:
        lanes: dict[str, Any] = (
            {"counters": [counter], "gauges": [gauge], "rates": [rates.get(us // 1000, math.nan)]}
            if layout is LAYOUT
            else {"counters": [], "gauges": [gauge], "rates": []}
        )
        events.append(frame(us, device=past.device_id, layout=layout, low_confidence=(), **lanes))
    await world.project(*events)


async def compact(
    world: World,
    past: Past,
    hours: Iterable[int],
    *,
    dense: bool = False,
    group: str = "t0",
    layouts: Sequence[Layout] = (LAYOUT, MOVED),
) -> None:
    """Compact hours of the past, counted from its first."""

    def work() -> None:
        with ColdConnection(world.dsn) as connection:
            store = UnitStore(connection)
            compactor = UnitCompactor(store)
            known = store.layouts([(TENANT, layout.layout_id) for layout in layouts])
            for hour in hours:
                unit = Unit(past.device_id, group, past.first_us + hour * HOUR)
                store.prepare(unit, TENANT, [one for one in known.values() if one.poll_group == group])
                assert compactor.compact(unit, dense=dense) is not None

    await asyncio.to_thread(work)


# -- what is expected ------------------------------------------------------------


def p95(values: Sequence[float]) -> float:
    """Return the nearest rank."""
    return sorted(values)[math.ceil(len(values) * 95 / 100) - 1]


def buckets(points: Iterable[tuple[int, float]], width_us: int) -> dict[int, list[float]]:
    """Return the values of each bucket, by its start in microseconds."""
    found: dict[int, list[float]] = {}
    for ms, value in points:
        found.setdefault(ms * 1000 // width_us * width_us, []).append(value)
    return found


def wide_p95(
    points: Iterable[tuple[int, float]], step_us: int, width_us: int, weights: dict[int, int]
) -> dict[int, float]:
    """Return the nearest rank among the parts of each bucket, each weighted by its count."""
    parts: dict[int, list[tuple[float, int]]] = {}
    for start, values in buckets(points, step_us).items():
        parts.setdefault(start // width_us * width_us, []).append((p95(values), weights[start]))
    found = {}
    for start, ranked in parts.items():
        ranked.sort()
        rank = math.ceil(sum(count for _, count in ranked) * 95 / 100)
        for value, count in ranked:
            rank -= count
            if rank <= 0:
                found[start] = value
                break
    return found


def increases(points: Sequence[tuple[int, int]], width_us: int) -> dict[int, int]:
    """Return the growth of each bucket across resets, each of which the poll after it tells; nothing dips."""
    found: dict[int, int] = {}
    before = points[0][1] if points else 0
    fallen = 0
    for ms, value in points:
        start = ms * 1000 // width_us * width_us
        found[start] = found.get(start, 0) + fallen + max(value - before, 0)
        fallen = value if value < before else 0
        before = value
    return found


def close(one: float, other: float) -> bool:
    """Return whether two numbers are equal but for the rounding of rates to a float32."""
    return math.isclose(one, other, rel_tol=2e-6, abs_tol=1e-9)
