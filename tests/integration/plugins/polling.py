"""Polls a lab router with eggs, as the daemon does, and keeps what came of it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from mtd.lab.scenario import RouterSpec, Scenario
from mtd.lab.service import Lab
from mtd.model.command import Reply
from mtd.model.metric import Tier
from mtd.model.observation import Observation, ProbeFacts, StateChange
from mtd.plugin import Collector
from mtd.plugin.config import ALL_LIVE, T0Config
from mtd.plugin.mapper import DeviceMapper
from mtd.sources.routeros_api import RouterOsApiSource
from mtd.testing.observations import values_of
from tests.integration.sources.devices import QUICK, lab_device

TIMEOUT_S = 20.0


@dataclass
class Polled:
    """A lab router, a session with it, and what its polls brought."""

    lab: Lab
    source: RouterOsApiSource
    mapper: DeviceMapper
    facts: ProbeFacts
    values: dict[str, float] = field(default_factory=dict)
    events: list[StateChange] = field(default_factory=list)
    tables: dict[str, dict[str, dict[str, str]]] = field(default_factory=dict)
    documents: dict[str, Any] = field(default_factory=dict)
    replies: list[Reply] = field(default_factory=list)

    async def probe(self) -> None:
        """Ask what the router can do."""
        self.facts = self.mapper.probe_facts(await self.source.run(self.mapper.probe_commands(), TIMEOUT_S))
        self.mapper.set_capabilities(self.facts)

    async def poll(self, *tiers: Tier) -> None:
        """Poll tiers, one after the other."""
        for tier in tiers:
            self.replies = await self.source.run(self.mapper.commands(tier), TIMEOUT_S)
            self.take(self.mapper.observe(tier, self.replies))

    def take(self, observation: Observation) -> None:
        """Keep what an observation says, as whoever reads the log would."""
        self.values |= values_of(observation.frame)
        self.events += observation.state_changes
        for change in observation.tables:
            table = self.tables.setdefault(change.table, {})
            if change.complete:
                table.clear()
            table |= {key: dict(row) for key, row in change.upserted.items()}
            for key in change.removed:
                table.pop(key, None)
        self.documents |= {document.kind: json.loads(document.content) for document in observation.documents}

    def events_of(self, *event_types: str) -> list[StateChange]:
        """Return the events of these types."""
        return [event for event in self.events if event.event_type in event_types]


@asynccontextmanager
async def polled(
    collectors: Sequence[Collector],
    *,
    epoch_us: int | None = None,
    t0: T0Config = ALL_LIVE,
    **router: Any,
) -> AsyncIterator[Polled]:
    """Run a lab with one router, connect and probe."""
    lab = Lab(Scenario(router=[RouterSpec.model_validate(router)]), epoch_us=epoch_us)
    (endpoint,) = await lab.start()
    device = lab_device(endpoint, command_timeout_s=TIMEOUT_S)
    source = RouterOsApiSource(device, config=QUICK)
    try:
        await source.connect()
        mapper = DeviceMapper(device, collectors, t0=t0)
        one = Polled(lab, source, mapper, ProbeFacts("", 0, "", "", "", "", ()))
        await one.probe()
        yield one
    finally:
        await source.close()
        await lab.stop()


def metric_of(series: str) -> str:
    """Return the key of a series' name."""
    return series.partition("[")[0]
