"""Collectors that come, go, and are cut off: every device is polled by one, soon again, and never by two."""

from __future__ import annotations

import asyncio

import pytest

from mtd.core.errors import LeaseLost
from mtd.model.device import DEFAULT_TENANT_ID
from mtd.storage.config import StorageConfig
from mtd.storage.errors import StorageUnavailable
from mtd.storage.pool import Database
from mtd.storage.stores.assignments import AssignmentStore
from mtd.storage.txn import Transaction
from mtd.testing import run_async
from tests.integration.coordination.kit import SLOW, World, until, with_world


def test_one_takes_all_two_share_and_who_is_left_takes_over(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        await world.add_devices(24)
        a = await world.process("a").start()
        await until(lambda: world.counts() == {"a": 24}, "the only one polls all")
        assert a.assignment is not None
        assert all(one.exclusive for one in a.assignment.devices.values())
        b = await world.process("b").start()
        await until(lambda: sum(world.counts().values()) == 24 and len(b.polls) > 2, "they share")
        await world.settled()
        assert not any(one.exclusive for one in a.assignment.devices.values())
        await until(lambda: a.coordinator.standing.active, "the first one decides")
        epochs = {key: b.seat.epoch_of(key) for key in b.polls}
        await a.kill()
        await until(lambda: world.counts() == {"b": 24}, "the other one takes over, the deciding, too")
        assert b.coordinator.standing.active
        assert {key: b.seat.epoch_of(key) for key in epochs} == epochs
        await until(
            lambda: any(one.collector_id == "a" for decision in b.decisions for one in decision.went),
            "that is told",
        )
        moved = [move for decision in b.decisions for move in decision.moves if move.old == "a"]
        assert {move.reason for move in moved} == {"offline"}
        await world.process("a").start()
        await until(lambda: world.counts().keys() == {"a", "b"}, "it is back")
        await until(lambda: sum(world.counts().values()) == 24, "all are polled")

    run_async(with_world(postgres_dsn, body), 60)


def test_what_was_withdrawn_before_it_was_told_goes_to_others(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        await world.add_devices(1)
        a = await world.process("a").start(coordinates=False)
        await until(lambda: a.assignment is not None, "it takes part")
        # It was assigned and withdrawn between two looks of its collector.
        await world.run(
            "INSERT INTO device_assignment (tenant_id, device_id, collector_id, epoch, granted_epoch, state, hold,"
            " revision, reason) SELECT tenant_id, device_id, 'a', 7, 7, 'releasing', 'lease', 1, '' FROM device"
        )
        await world.run("NOTIFY mtd_coordination, 'assigned'")
        async with asyncio.timeout(15):
            while await world.run("SELECT state FROM device_assignment") != [("free",)]:
                await asyncio.sleep(0.01)

    run_async(with_world(postgres_dsn, body), 60)


def test_a_stop_hands_over_at_once(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        await world.add_devices(10)
        a = await world.process("a").start()
        b = await world.process("b").start()
        await until(lambda: sum(world.counts().values()) == 10 and len(world.counts()) == 2, "they share")
        await a.stop()
        world.processes.remove(a)
        await until(lambda: len(b.polls) == 10, "the other has all, long before a lease is over")

    run_async(with_world(postgres_dsn, body, config=SLOW), 60)


def test_who_is_cut_off_stops_before_others_begin(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        await world.add_devices(12)
        a = await world.process("a").start()
        b = await world.process("b").start()
        await until(lambda: sum(world.counts().values()) == 12 and len(world.counts()) == 2, "they share")
        await world.settled()
        a.cut.is_cut = True
        await until(lambda: not a.polls, "it stops")
        await until(lambda: len(b.polls) == 12, "the other takes over")
        a.cut.is_cut = False
        await until(lambda: len(a.polls) > 2 and sum(world.counts().values()) == 12, "it is back")

    run_async(with_world(postgres_dsn, body), 60)


def test_who_is_alone_polls_on_without_the_database_and_keeps_its_devices(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        await world.add_devices(6)
        edge = await world.process("edge", edge=True).start(coordinates=False)
        hub = await world.process("hub").start(polls=False)
        await until(lambda: len(edge.polls) == 6, "the edge polls all")
        edge.cut.is_cut = True
        await until(
            lambda: any(one.collector_id == "edge" for made in hub.decisions for one in made.went),
            "the hub hears nothing of it",
        )
        assert len(edge.polls) == 6
        b = await world.process("b").start()
        await until(lambda: hub.coordinator.standing.held == {"edge": 6}, "they wait for it")
        assert not b.polls
        edge.cut.is_cut = False
        await until(lambda: len(b.polls) > 0 and sum(world.counts().values()) == 6, "it is back, and shares")
        await world.settled()
        edge.cut.is_cut = True
        await until(lambda: len(b.polls) == 6, "now others may have them")
        assert not edge.polls

    run_async(with_world(postgres_dsn, body), 60)


def test_an_operator_may_say_that_it_is_gone_for_good(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        await world.add_devices(5)
        edge = await world.process("edge", edge=True).start()
        await until(lambda: len(edge.polls) == 5, "the edge polls all")
        await edge.kill()
        b = await world.process("b").start()
        await until(lambda: b.coordinator.standing.held == {"edge": 5}, "they wait for it")
        assert await AssignmentStore(world.database).release_all("edge") == 5
        await until(lambda: len(b.polls) == 5, "another one has them")

    run_async(with_world(postgres_dsn, body), 60)


def test_a_new_start_supersedes_the_one_before(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        await world.add_devices(3)
        await world.process("hub").start(polls=False)
        old = await world.process("a").start(coordinates=False)
        await until(lambda: len(old.polls) == 3, "it polls all")
        old.look = lambda: None  # type: ignore[method-assign]  # both poll for a moment, as one collector
        old._note(set())
        new = await world.process("a").start(coordinates=False)
        await until(lambda: len(new.polls) == 3, "the new one polls all")
        await until(lambda: not any(old.seat.may_poll(key) for key in new.polls), "the old one lets go")
        await until(lambda: "another process" in old.seat.failure, "and knows why")
        assert len(new.polls) == 3
        await new.kill()
        await until(lambda: old.seat.failure == "", "it takes part again when the other is gone")

    run_async(with_world(postgres_dsn, body), 60)


def test_devices_that_come_change_and_go(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        a = await world.process("a").start()
        await world.add_devices(2)
        await until(lambda: len(a.polls) == 2, "new ones are polled")
        await world.run("DELETE FROM device WHERE device_id = %s", next(iter(a.polls)))
        await until(lambda: len(a.polls) == 1, "one was removed")
        assert await world.run("SELECT count(*) FROM device_assignment") == [(1,)]
        b = await world.process("b").start()
        await world.run("UPDATE device SET collector = 'b'")
        await until(lambda: len(b.polls) == 1 and not a.polls, "it is pinned")
        await world.run(
            "INSERT INTO collector_setting (tenant_id, collector_id, draining) VALUES (%s, 'b', true)",
            DEFAULT_TENANT_ID,
        )
        await until(lambda: len(a.polls) == 1 and not b.polls, "b is drained")

    run_async(with_world(postgres_dsn, body), 60)


def test_an_older_coordinator_writes_nothing(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        store = AssignmentStore(world.database)
        old = await store.begin_term("old")
        picture = await store.picture()
        new = await store.begin_term("new")
        with pytest.raises(LeaseLost, match="another coordinator"):
            await store.commit(old, picture, [], [])
        await store.commit(new, picture, [], [])

    run_async(with_world(postgres_dsn, body), 60)


def test_who_decides_begins_anew_when_another_took_its_term(postgres_dsn: str) -> None:
    """Another one had the lease, waited for PostgreSQL until it was lost, and raised the term all the same."""

    async def body(world: World) -> None:
        await world.add_devices(1)
        a = await world.process("a").start()
        await until(lambda: len(a.polls) == 1, "it decides")
        await AssignmentStore(world.database).begin_term("late")
        await world.add_devices(1)
        await until(lambda: len(a.polls) == 2, "it decides again")

    run_async(with_world(postgres_dsn, body), 60)


def test_a_term_that_cant_be_begun_in_time_isnt_begun(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        store = AssignmentStore(world.database)
        before = await store.begin_term("old")

        async def late(tx: Transaction) -> None:
            await tx.execute("SELECT 1 FROM coordination FOR UPDATE")
            with pytest.raises(StorageUnavailable, match=r"0\.2 s"):
                await store.begin_term("late", 0.2)

        await world.database.run("test.late", late)
        assert await store.begin_term("new") == before + 1

    run_async(with_world(postgres_dsn, body), 60)


def test_two_poll_what_is_redundant_under_one_epoch(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        await world.add_devices(4)
        await world.run("UPDATE device SET redundancy = 2")
        a = await world.process("a").start()
        await until(lambda: len(a.polls) == 4, "the only one polls all")
        b = await world.process("b").start()
        await until(lambda: len(a.polls) == len(b.polls) == 4, "both poll all")
        await until(
            lambda: all(a.seat.epoch_of(key) == b.seat.epoch_of(key) for key in a.polls), "under one epoch"
        )
        before = {key: b.seat.epoch_of(key) for key in b.polls}
        c = await world.process("c").start()
        await world.settled()
        await a.kill()
        await until(lambda: len(b.polls) + len(c.polls) == 8, "another one joins in")
        await until(
            lambda: all(b.seat.epoch_of(key) == c.seat.epoch_of(key) > before[key] for key in b.polls),
            "under a newer epoch",
        )
        await world.run("UPDATE device SET redundancy = NULL")
        await until(lambda: len(b.polls) + len(c.polls) == 4, "one polls each again")
        assert world.ledger.doubles  # as was wanted
        world.ledger.doubles.clear()

    run_async(with_world(postgres_dsn, body), 60)


def test_who_is_held_up_in_a_decision_holds_up_nobody(postgres_dsn: str) -> None:
    """As by SIGSTOP in the middle of a transaction: the server ends it, and with it its locks."""

    async def body(world: World) -> None:
        await world.add_devices(3)
        held = Database.for_writing(postgres_dsn, StorageConfig(idle_transaction_timeout_s=0.5))
        locked = asyncio.Event()

        async def decide(tx: Transaction) -> None:
            if locked.is_set():
                return  # it is tried again, after the server ended it
            await tx.execute("SELECT 1 FROM coordination FOR UPDATE")
            locked.set()
            await asyncio.sleep(3600)

        deciding = asyncio.create_task(held.run("test.held", decide, deadline_s=60))
        await locked.wait()
        a = await world.process("a").start()
        await until(lambda: len(a.polls) == 3, "the others decide")
        deciding.cancel()
        await asyncio.gather(deciding, return_exceptions=True)
        await held.stop()

    run_async(with_world(postgres_dsn, body), 60)
