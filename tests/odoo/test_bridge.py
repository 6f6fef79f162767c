"""The bridge as a process, between a real Odoo and an mtd that has as much as a test wants."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

from mtd.testing.odoo.server import Bridge, Odoo
from tests.e2e.kit import wait_for
from tests.unit.odoo_addon.fake_mtd import FakeMtd

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

EVENTS = 6000
TAB = "00000000-0000-4000-8000-000000000001"
_SET_UP = """
connection = env["mikrotik.connection"].create({"target": target, "token": "a token"})
connection._line()  # whose tenant it is has to be known before the company has a device that mtd doesn't list
device = env["mikrotik.device"].with_context(mtd_pulled=True).create(
    {"name": "core", "host": "192.0.2.1", "mtd_id": "a", "sync_state": "synced"}
)
result = device.id
env.cr.commit()
"""
_WATCH = """
env["mikrotik.device"].browse(device).with_user(env.ref("base.user_admin")).live_watch(tab)
env.cr.execute("UPDATE mikrotik_viewing SET until = until + interval '1 hour'")
env.cr.commit()
result = True
"""


class Mtd:
    """A fake mtd on a loop of its own, as a daemon would be."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.fake = self.do(self._begin())

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    async def _begin(self) -> FakeMtd:
        fake = FakeMtd()
        await fake.start()
        self._polls = asyncio.create_task(self._poll(fake))
        return fake

    @staticmethod
    async def _poll(fake: FakeMtd) -> None:
        while True:
            await fake.poll()
            await asyncio.sleep(0.2)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._polls.cancel)
        self.do(self.fake.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)


@pytest.fixture
def mtd() -> Iterator[Mtd]:
    made = Mtd()
    try:
        yield made
    finally:
        made.close()


class Scene:
    """A database with a connection and a device, and its bridges."""

    def __init__(self, odoo: Odoo, database: str, mtd: Mtd) -> None:
        self.odoo, self.database = odoo, database
        self.device = odoo.shell(database, _SET_UP, target=mtd.fake.address).result
        self.bridges: list[Bridge] = []

    def bridge(self) -> Bridge:
        made = Bridge(self.odoo, self.database, f"{self.database}-bridge-{len(self.bridges)}")
        self.bridges.append(made)
        made.start()
        return made

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        return self.odoo.postgres.sql(self.database, statement)

    def watch(self) -> None:
        self.odoo.shell(self.database, _WATCH, device=self.device, tab=TAB)

    def newest(self) -> int:
        """Return the number of the newest message on the bus."""
        (found,) = self.sql("SELECT coalesce(max(id), 0) FROM bus_bus WHERE channel LIKE '%mikrotik.device%'")
        return int(found[0])

    def moments(self) -> dict[str, list[int]]:
        """Return when the messages on the bus were composed, by channel: that is a device and a kind."""
        rows = self.sql(
            "SELECT channel, (message::json -> 'payload' ->> 'now_us')::int8 AS now_us FROM bus_bus"
            " WHERE channel LIKE '%mikrotik.device%' ORDER BY now_us"
        )
        found: dict[str, list[int]] = {}
        for channel, now_us in rows:
            found.setdefault(channel, []).append(now_us)
        return found

    def wait_for_messages(self, what: str) -> None:
        """Wait until values go on: two more messages than there are now."""
        newest = self.newest()
        wait_for(lambda: self.newest() > newest + 1, what, 60)


@pytest.fixture
def scene(odoo: Odoo, addon_template: str, new_database: Callable[[str], str], mtd: Mtd) -> Iterator[Scene]:
    made = Scene(odoo, new_database(addon_template), mtd)
    try:
        yield made
    finally:
        for bridge in made.bridges:
            bridge.stop()


def kill(bridge: Bridge) -> None:
    assert bridge.process is not None
    bridge.process.kill()


def is_active(bridge: Bridge) -> bool:
    return bridge.metric("mtd_bridge_active") == 1


def test_events_come_once_over_kills(scene: Scene, mtd: Mtd) -> None:
    def copied() -> int:
        return int(scene.sql("SELECT count(*) FROM mikrotik_event")[0][0])

    mtd.do(mtd.fake.happen(EVENTS, now=True))
    for share in (0.1, 0.4, 0.7):
        bridge = scene.bridge()
        wait_for(lambda share=share: copied() >= share * EVENTS, f"{share:.0%} of the events", 60)
        kill(bridge)
    scene.bridge()
    wait_for(lambda: copied() >= EVENTS, "all events", 60)
    ((first, last, different, position),) = scene.sql(
        "SELECT min(position), max(position), count(DISTINCT position),"
        " (SELECT event_position FROM mikrotik_connection) FROM mikrotik_event"
    )
    assert (first, last, different, position) == (1, EVENTS, EVENTS, str(EVENTS))
    assert copied() == EVENTS


def test_values_flow_only_while_somebody_looks_and_at_most_once_a_second(scene: Scene, mtd: Mtd) -> None:
    bridge = scene.bridge()
    wait_for(lambda: bridge.metric("mtd_bridge_streams_opened_total") > 0, "events are followed")
    assert scene.newest() == 0
    assert not mtd.fake.latest
    scene.watch()
    scene.wait_for_messages("values flow")
    assert len(mtd.fake.latest) == 1
    wait_for(lambda: min(map(len, scene.moments().values())) >= 6, "values go on", 60)
    for channel, times_us in scene.moments().items():
        gaps_s = [(later - earlier) / 1e6 for earlier, later in itertools.pairwise(times_us)]
        # A tick begins a second after the one before; the time of its message is read a moment later.
        assert min(gaps_s) >= 0.7, channel
        assert len(gaps_s) <= sum(gaps_s) + 0.3, channel
    scene.sql("DELETE FROM mikrotik_viewing")
    wait_for(lambda: not mtd.fake.latest, "the stream ends")
    # The fake has no lists to compare with.
    assert bridge.complaints(r".*, reconcile: .*UNIMPLEMENTED") == []


def test_a_second_bridge_takes_over_and_the_first_ends_soon(scene: Scene, mtd: Mtd) -> None:
    scene.watch()
    first = scene.bridge()
    wait_for(lambda: is_active(first), "the first is the writer")
    second, third = scene.bridge(), scene.bridge()
    scene.wait_for_messages("values flow")
    assert not is_active(second)
    assert not is_active(third)
    kill(first)
    wait_for(lambda: is_active(second) != is_active(third), "one of the others is the writer")
    scene.wait_for_messages("values go on")
    writer, other = (second, third) if is_active(second) else (third, second)
    scene.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted AND classid <> 0"
    )
    wait_for(lambda: is_active(writer) != is_active(other), "one of them is the writer")
    scene.wait_for_messages("values go on after a lost session")
    for bridge in (second, third):
        assert bridge.stop() < 3.0


def test_one_that_is_stopped_is_replaced_and_stands_by_when_it_goes_on(scene: Scene, mtd: Mtd) -> None:
    scene.watch()
    first = scene.bridge()
    wait_for(lambda: is_active(first), "the first is the writer")
    second = scene.bridge()
    assert first.process is not None
    os.kill(first.process.pid, signal.SIGSTOP)
    try:
        wait_for(lambda: is_active(second), "the second is the writer", 30)
        scene.wait_for_messages("values go on")
    finally:
        os.kill(first.process.pid, signal.SIGCONT)
    wait_for(lambda: first.is_well() and not is_active(first), "the first stands by")
    assert is_active(second)
    scene.wait_for_messages("values go on")


def test_restarts_are_survived(scene: Scene, mtd: Mtd) -> None:
    scene.watch()
    bridge = scene.bridge()
    scene.wait_for_messages("values flow")

    scene.odoo.postgres.stop()
    wait_for(lambda: not bridge.is_well(), "it is told that PostgreSQL is away")
    scene.odoo.postgres.start()
    wait_for(lambda: is_active(bridge), "it is the writer again", 60)
    scene.watch()  # nobody's rows outlive a crash of PostgreSQL
    scene.wait_for_messages("values go on after PostgreSQL")

    mtd.do(mtd.fake.stop())
    mtd.do(mtd.fake.happen(5, now=True))
    scene.wait_for_messages("signs of life while mtd is away")
    mtd.do(mtd.fake.start(mtd.fake.address))
    wait_for(lambda: mtd.fake.latest, "the stream is back", 60)
    wait_for(lambda: scene.sql("SELECT count(*) FROM mikrotik_event") == [(5,)], "events are back", 60)


def test_an_upgrade_ends_it_and_a_new_one_has_it(scene: Scene, mtd: Mtd) -> None:
    bridge = scene.bridge()
    seen = "SELECT count(*) FROM mikrotik_connection WHERE bridge_seen_at IS NOT NULL"
    wait_for(lambda: scene.sql(seen) == [(1,)], "it is the writer, and knows which version it is")
    scene.sql("SELECT nextval('base_registry_signaling')")  # as Odoo does when an addon was installed
    wait_for(lambda: "Reloading the model registry" in bridge.log.text(), "it reads the models anew")
    assert bridge.is_well()
    scene.sql("UPDATE ir_module_module SET latest_version = '17.0.99' WHERE name = 'mikrotik_monitoring'")
    wait_for(lambda: not bridge.is_well(), "it ends")
    scene.watch()
    scene.bridge()
    scene.wait_for_messages("values flow from a new one")
