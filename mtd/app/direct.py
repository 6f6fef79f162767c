"""Polling one router without log, database or daemon (X-36): what ``mtd poll`` prints."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass

from mtd.core.clock import SYSTEM_CLOCK, Clock
from mtd.model.command import Reply
from mtd.model.device import Device
from mtd.model.metric import DEFAULT_INTERVAL_S, Kind, Lane, Metric, Tier, full_key
from mtd.model.observation import Document, FrameValues, Observation, ProbeFacts, StateChange, TableChange
from mtd.model.values import integer
from mtd.plugin.manager import PluginManager
from mtd.plugin.mapper import DeviceMapper
from mtd.scheduler.pacing import Pacer
from mtd.sources.routeros_api.source import RouterOsApiSource

_NAMES_EVERY = 10


@dataclass(frozen=True, slots=True)
class Reading:
    """One value, as people read it."""

    key: str  # "iface.ether1.rx_bps"
    metric: str  # "iface.rx_bps"
    label: str  # "ether1"
    unit: str
    value: float | int
    state: str = ""  # what a state's number means


@dataclass(frozen=True, slots=True)
class Asked:
    """One command of a poll, how many rows it brought, and why the router refused it, if it did."""

    command: str
    rows: int
    refused: str = ""


@dataclass(frozen=True, slots=True)
class DirectPoll:
    """What one poll brought. ``collected_us`` is microseconds since the epoch.

    Of tables and documents only what changed; at the first poll that is all.
    """

    collected_us: int
    duration_s: float
    readings: list[Reading]
    changes: list[StateChange]
    tables: Sequence[TableChange] = ()
    documents: Sequence[Document] = ()
    asked: Sequence[Asked] = ()


class DirectPoller:
    """One session with one router; ``polls`` yields what a tier brings each ``interval_s`` until it is closed."""

    def __init__(
        self,
        device: Device,
        manager: PluginManager,
        interval_s: float = 1.0,
        *,
        tier: Tier = Tier.T0,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._source = RouterOsApiSource(device)
        self._interval_s = interval_s
        self._tier = tier
        self._clock = clock
        # The mapper has to know: after a gap of several intervals it gives no rates.
        intervals_s = {**DEFAULT_INTERVAL_S, tier: interval_s}
        if tier is Tier.T0:
            intervals_s[Tier.T1] = interval_s * _NAMES_EVERY
        # Of one collector all tables are read first; those of all would cost the router too much.
        first = (Tier.T3, Tier.T2, Tier.T1) if len(manager.collectors) == 1 else (Tier.T1, Tier.T2)
        self._first = [other for other in first if other is not tier]
        self._early: list[StateChange] = []
        self._mapper = manager.mapper(device, intervals_s=intervals_s, clock=clock)
        self._catalogue = manager.catalogue
        self._timeout_s = device.command_timeout_s

    async def open(self) -> ProbeFacts:
        """Connect and probe. Raises SessionFailed, which says what to do."""
        await self._source.connect()
        facts = self._mapper.probe_facts(
            await self._source.run(self._mapper.probe_commands(), self._timeout_s)
        )
        self._mapper.set_capabilities(facts)
        # Names and link speeds come with the slower tiers; without them rates can't be judged, and monitors
        # aren't told of which things.
        for tier in self._first:
            observation, _ = await self._observe(tier)
            self._early += observation.state_changes
        return facts

    async def polls(self) -> AsyncIterator[DirectPoll]:
        """Yield a poll each interval. Names are read again every ten live polls; what changed there comes along."""
        pacer = Pacer(self._interval_s, self._clock.monotonic())
        number = 0
        while True:
            number += 1
            changes, self._early = self._early, []
            if self._tier is Tier.T0 and number % _NAMES_EVERY == 0:
                changes += (await self._observe(Tier.T1))[0].state_changes
            started = self._clock.monotonic()
            observation, replies = await self._observe(self._tier)
            duration = self._clock.monotonic() - started
            changes += observation.state_changes
            frame = observation.frame
            readings = [] if frame is None else readings_of(frame, self._mapper, self._catalogue.metrics)
            yield DirectPoll(
                observation.collected_us,
                duration,
                readings,
                changes,
                observation.tables,
                observation.documents,
                [asked_of(reply) for reply in replies],
            )
            pacer.advance(self._clock.monotonic())
            await asyncio.sleep(max(0.0, pacer.next_due - self._clock.monotonic()))

    async def close(self) -> None:
        """End the session."""
        await self._source.close()

    async def _observe(self, tier: Tier) -> tuple[Observation, list[Reply]]:
        commands = self._mapper.commands(tier)
        replies = await self._source.run(commands, self._timeout_s) if commands else []
        return self._mapper.observe(tier, replies), replies


def asked_of(reply: Reply) -> Asked:
    """Return what to tell of a reply; where the router only counts, its rows are what it counted."""
    counted = integer(reply.done.get("ret"))
    rows = reply.rows.count if counted is None else counted
    return Asked(reply.command.path, rows, reply.trap.message if reply.trap is not None else "")


def readings_of(frame: FrameValues, mapper: DeviceMapper, metrics: Mapping[str, Metric]) -> list[Reading]:
    """Return the values of a frame that are there, with their keys as people read them."""
    lanes: dict[Lane, Sequence[float | int | None]] = {
        Lane.COUNTER: frame.counters,
        Lane.GAUGE: frame.gauges,
        Lane.RATE: frame.rates,
    }
    readings = []
    for lane, values in lanes.items():
        for series, value in zip(frame.layout.lane(lane), values, strict=True):
            if value is None or math.isnan(value):
                continue
            metric = metrics[series.metric]
            label = mapper.things.label(metric.scope, series.instance) if series.instance else ""
            key = full_key(series.metric, metric.scope, label)
            states = {number: name for name, number in metric.states.items()}
            state = states.get(int(value), "") if metric.kind is Kind.STATE else ""
            readings.append(Reading(key, series.metric, label, metric.unit, value, state))
    return readings
