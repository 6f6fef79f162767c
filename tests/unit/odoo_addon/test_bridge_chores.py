"""What waits for mtd, company by company: one whose mtd hangs holds up nobody else."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from tests.unit.odoo_addon import bridge_kit as kit
from tests.unit.odoo_addon import fake_mtd
from tests.unit.odoo_addon.bridge_kit import FakeStore, until
from tests.unit.odoo_addon.test_bridge_messages import event

worker = kit.part("worker")
CHORES = {"reconcile", "push_due", "take_facts"}


def holding(name: str, mtd: fake_mtd.FakeMtd, companies: list[int]) -> FakeStore:
    """Return a store in which a chore of company 1 lasts until it is let go."""
    store = FakeStore({"target": mtd.address})
    store.held[name] = threading.Event()
    store.companies = companies
    return store


@pytest.mark.parametrize("chore", ["reconcile", "push_due"])
@kit.on_loop
async def test_a_company_whose_mtd_hangs_holds_up_itself_only(chore: str) -> None:
    async with fake_mtd.mtd() as mtd:
        store = holding(chore, mtd, [1, 2])
        async with kit.bridge(store) as running:
            await until(lambda: chore in store.of[1], "it hangs")
            pushed = store.of[2].count("push_due")
            await until(lambda: store.of[2].count("push_due") > pushed + 2, "the other's pushes go on")
            for tenant in running.bridge.session.tenants.values():
                tenant._on_event(event(1, event_type="device.status_changed", device_id="a"))
            await until(lambda: set(store.of[2]) == CHORES, "all chores of the other go on")
            assert store.of[1][-1] == chore, "one chore at a time"
            told = {one["id"]: one["chores_busy_s"] for one in running.bridge.health()["connections"]}
            assert running.bridge._chores.busy_s > 0
            assert told.keys() == {1, 2}
            kit.let_go(store)
            await until(lambda: set(store.of[1]) == CHORES, "its own go on, too")


@kit.on_loop
async def test_a_chore_is_not_done_twice_at_once_though_settings_change() -> None:
    async with fake_mtd.mtd() as mtd, fake_mtd.mtd() as other:
        store = holding("reconcile", mtd, [1])
        async with kit.bridge(store) as running:
            await until(lambda: "reconcile" in store.of[1], "it hangs")
            before = running.bridge.session.tenants[1]
            store.options["target"] = other.address
            await until(lambda: running.bridge.session.tenants.get(1) not in (None, before), "it began anew")
            await until(lambda: other.tokens, "the new one is at work")
            assert store.of[1].count("reconcile") == 1
            kit.let_go(store)
            await until(lambda: store.of[1].count("reconcile") == 2, "now it is its turn")
            assert len(running.bridge._chores.workers) == 1


@kit.on_loop
async def test_what_is_stuck_is_known_though_its_company_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    service = kit.part("service")
    async with fake_mtd.mtd() as mtd:
        store = holding("reconcile", mtd, [1, 2])
        async with kit.bridge(store) as running:
            await until(lambda: "reconcile" in store.of[1], "it hangs")
            store.companies = [2]
            await until(lambda: list(running.bridge.session.tenants) == [2], "it ended")
            assert running.bridge.is_stuck
            monkeypatch.setattr(service, "HEALTH_EVERY_S", 0.02)
            monkeypatch.setattr(service, "CHORES_STUCK_AFTER_S", 0.1)
            await until(lambda: running.bridge.health()["state"] == "stopped", "the bridge ended")
            assert running.bridge._exit_code == 1


@kit.on_loop
async def test_a_worker_ends_with_its_company() -> None:
    chores = worker.Chores()
    one, two = chores.begin(1), chores.begin(2)
    hangs = threading.Event()
    call = asyncio.create_task(one.call(hangs.wait, 30))
    await until(lambda: one.busy_s > 0, "it hangs")
    call.cancel()
    chores.end(2)
    chores.end(1)
    assert chores.workers == (one,)
    with pytest.raises(RuntimeError):
        await two.call(int)
    hangs.set()
    await until(lambda: one.is_idle, "it is done")
    chores.begin(3)
    chores.end(3)
    assert chores.workers == ()
    assert chores.busy_s == 0


@kit.on_loop
async def test_the_bridge_keeps_no_worker_of_a_company_that_left() -> None:
    async with fake_mtd.mtd() as mtd:
        store = FakeStore({"target": mtd.address})
        store.companies = [1, 2]
        async with kit.bridge(store) as running:
            await until(lambda: CHORES - {"take_facts"} <= set(store.of[1]), "it is at work")
            store.companies = [2]
            await until(lambda: len(running.bridge._chores.workers) == 1, "its worker has ended")
            pushed = store.of[2].count("push_due")
            await until(lambda: store.of[2].count("push_due") > pushed, "the other goes on")


@kit.on_loop
async def test_only_so_many_work_at_once_and_each_company_once() -> None:
    chores = worker.Chores()
    go, begun = threading.Event(), []

    def chore(number: int) -> None:
        begun.append(number)
        go.wait(30)

    async def both(number: int) -> None:
        mine: Any = chores.begin(number)
        await asyncio.gather(mine.call(chore, number), mine.call(chore, number))

    calls = asyncio.gather(*(both(number) for number in range(worker.CHORES_AT_ONCE + 3)))
    await until(lambda: len(begun) == worker.CHORES_AT_ONCE, "the first ones")
    assert sorted(begun) == list(range(worker.CHORES_AT_ONCE))
    go.set()
    await calls
    assert len(begun) == 2 * (worker.CHORES_AT_ONCE + 3)
    chores.close()
