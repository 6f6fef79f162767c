"""Sessions of a lab's concentrator, all the way to PostgreSQL: who is there, what is written for it, and no name."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from mtd.ingest import Recorder
from mtd.lab.scenario import RouterSpec, Scenario
from mtd.lab.service import Lab
from mtd.model.device import DEFAULT_TENANT_ID
from mtd.model.metric import Tier
from mtd.model.observation import Observation
from mtd.plugin.manager import PluginManager
from mtd.scheduler.taking import Taking
from mtd.security.config import Personal, PrivacyConfig
from mtd.security.keyfile import MasterKey
from mtd.security.pseudonyms import Pseudonyms
from mtd.testing.observations import values_of
from mtd.testing.subscribers import COLLECTOR, TABLE
from tests.integration.projections.kit import World, in_world
from tests.integration.sources.devices import connected, lab_device

ROWS, CHURN_PCT, STEP_S = 1_200, 2.0, 0.5
KEY = MasterKey.of(bytes(32))
TABLES = "SELECT row_key, fields, seq FROM state_row WHERE table_name = %s"


class Reading:
    """The way of a table from a lab router into the database, read by read."""

    def __init__(self, world: World, lab: Lab, recorder: Recorder) -> None:
        self.world = world
        self.people = lab.world.router("bng").subscribers
        self.clock = lab.world.clock
        self.recorder = recorder
        self.taking: Taking | None = None

    async def settle(self) -> None:
        await self.recorder.flush()
        await self.world.project()

    def who_is_there(self, ids: set[str]) -> int:
        """Return the newest step at which exactly these sessions were there."""
        step = self.people.session_churn.step_ticks
        now = self.clock.now_tick() // step
        for back in range(20):
            if {one.id for one in self.people.sessions((now - back) * step)} == ids:
                return now - back
        raise AssertionError("no moment had these sessions")


@asynccontextmanager
async def recording(world: World) -> AsyncIterator[Recorder]:
    recorder = Recorder(world.log, collector_id="edge")
    await recorder.start()
    try:
        yield recorder
    finally:
        await recorder.stop()


@asynccontextmanager
async def running(scenario: Scenario) -> AsyncIterator[Lab]:
    lab = Lab(scenario)
    await lab.start()
    try:
        yield lab
    finally:
        await lab.stop()


@pytest.mark.parametrize(
    ("version", "subscribers"), [("7.16.2", Personal.HASHED), ("6.49.17", Personal.KEPT)]
)
def test_what_is_stored_is_who_is_there(postgres_dsn: str, version: str, subscribers: Personal) -> None:
    spec = RouterSpec(
        name="bng", version=version, interfaces=2, sessions=ROWS, churn_pct=CHURN_PCT, churn_every_s=STEP_S
    )
    pseudonym = Pseudonyms(KEY, PrivacyConfig(subscribers=subscribers)).of(DEFAULT_TENANT_ID)

    async def body(world: World) -> None:
        async with running(Scenario(router=[spec])) as lab, recording(world) as recorder:
            device = lab_device(lab.endpoints[0], command_timeout_s=20.0)
            mapper = PluginManager.of(COLLECTOR).mapper(device, pseudonym=pseudonym)
            taking = Taking(device, mapper, recorder)
            reading = Reading(world, lab, recorder)
            async with connected(device) as source:

                async def read() -> Observation:
                    replies = await source.run(mapper.commands(Tier.T1), 20.0)
                    observation = await taking.take(Tier.T1, replies, 0, late=False)
                    await reading.settle()
                    return observation

                await read()
                before = await world.ask(TABLES, TABLE)
                step = reading.who_is_there({key for key, _, _ in before})
                for _ in range(3):
                    await asyncio.sleep(STEP_S)  # so that some come and go
                    observation = await read()
                    after = await world.ask(TABLES, TABLE)
                    before, step = (
                        _check(reading, before, after, step, observation),
                        reading.who_is_there({key for key, _, _ in after}),
                    )
            await _check_names(world, reading, before, subscribers)

    in_world(postgres_dsn, body)


def _check(
    reading: Reading,
    before: list[tuple[str, dict[str, str], int]],
    after: list[tuple[str, dict[str, str], int]],
    step: int,
    observation: Observation,
) -> list[tuple[str, dict[str, str], int]]:
    """Hold what was written against who came and went."""
    churn = reading.people.session_churn
    now = reading.who_is_there({key for key, _, _ in after})
    moved = min(ROWS, churn.per_step * (now - step))
    newest = max(seq for _, _, seq in before)
    written = {key for key, _, seq in after if seq > newest}
    assert written == {key for key, _, _ in after} - {key for key, _, _ in before}
    assert len(written) == moved
    # What stayed is untouched, though its uptime went on.
    old = {key: (fields, seq) for key, fields, seq in before}
    assert all(old[key] == (fields, seq) for key, fields, seq in after if key not in written)
    values = values_of(observation.frame)
    assert values["bench.sessions"] == values["bench.sessions_by_service[pppoe]"] == ROWS
    if moved < ROWS:
        assert len(observation.state_changes) == 2 * moved
    return after


async def _check_names(
    world: World, reading: Reading, rows: list[tuple[str, dict[str, str], int]], subscribers: Personal
) -> None:
    step = reading.who_is_there({key for key, _, _ in rows})
    people = reading.people.sessions(step * reading.people.session_churn.step_ticks)
    names = {one.name for one in people}
    told = {fields["name"] for _, fields, _ in rows}
    (messages,) = await world.ask("SELECT string_agg(message, ' ') FROM event")
    if subscribers is Personal.KEPT:
        assert told == names
        assert "@isp.example is online" in messages[0]
    else:
        assert len(told) == len(names) == ROWS
        everything = " ".join([str(rows), messages[0]])
        assert "isp.example" not in everything
        assert all(name.startswith("~") for name in told)
        assert not any(one.caller_id in everything or one.address in everything for one in people)
