"""The bridge and time: how often it speaks, and how long it waits for what doesn't end."""

from __future__ import annotations

import asyncio
import inspect
import json
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.unit.odoo_addon import bridge_kit as kit
from tests.unit.odoo_addon import fake_mtd
from tests.unit.odoo_addon.bridge_kit import FakeStore, until

service, publisher = kit.part("service"), kit.part("publisher")
BOTH = {7: ("a", ["plain", "full"])}
STUCK_S = 0.5
LONG_S = 300.0


@asynccontextmanager
async def polls(mtd: fake_mtd.FakeMtd, every_s: float) -> AsyncIterator[list[int]]:
    """Have new values again and again; gives how often there were some."""
    count = [0]

    async def poll() -> None:
        while True:
            await mtd.poll()
            count[0] += 1
            await asyncio.sleep(every_s)

    task = asyncio.create_task(poll())
    try:
        yield count
    finally:
        task.cancel()


# -- how often ---------------------------------------------------------------------


def test_a_second_lies_between_two_messages() -> None:
    assert publisher.INTERVAL_S == 1.0
    for kind in (service.Bridge, kit.part("session").Session, publisher.Publisher):
        assert inspect.signature(kind).parameters["interval_s"].default == 1.0


@kit.on_loop
async def test_five_polls_in_an_interval_are_one_message() -> None:
    interval_s = 0.2
    async with fake_mtd.mtd() as mtd, polls(mtd, interval_s / 5) as count:
        store = FakeStore({"target": mtd.address})
        started = time.monotonic()
        async with kit.bridge(store, interval_s=interval_s) as running:
            running.watch(BOTH)
            await until(lambda: running.sent(7) and running.sent(7)[-1]["groups"], "values")
            begun, before = len(running.sent(7)), count[0]
            await until(lambda: count[0] >= before + 25, "many polls")
            for kind in ("plain", "full"):
                sent = running.sent(7, kind)
                # Counted, not timed: however slow the machine is, there are never more than intervals went by.
                assert begun < len(sent) <= (time.monotonic() - started) / interval_s + 1
                seqs = [one["seq"] for one in sent]
                assert seqs == list(range(seqs[0], seqs[0] + len(sent)))
            # They tell of what came meanwhile: the last message has a newer value than the first.
            times = [one["groups"][0]["t_us"] for one in running.sent(7) if one["groups"]]
            assert times[-1] > times[0]


# -- how long ----------------------------------------------------------------------


def limits(patch: pytest.MonkeyPatch, *, odoo_s: float, chores_s: float) -> None:
    patch.setattr(service, "HEALTH_EVERY_S", 0.02)
    patch.setattr(service, "STUCK_AFTER_S", odoo_s)
    patch.setattr(service, "CHORES_STUCK_AFTER_S", chores_s)


async def looked_after(worker: Any, busy_s: float, file: Path) -> None:
    """Wait until the bridge looked at a worker that has been busy for so long."""
    await until(lambda: worker.busy_s > busy_s, "it lasts")
    for _ in range(2):  # it writes the file before it looks
        moment = time.time()
        await until(lambda moment=moment: json.loads(file.read_text())["time"] > moment, "it looked")


def holding(name: str, options: dict[str, Any] | None = None) -> FakeStore:
    store = FakeStore(options)
    store.held[name] = threading.Event()
    return store


async def ended(running: kit.Running) -> int:
    await until(lambda: running.bridge.health()["state"] == "stopped", "it ended")
    return int(running.bridge._exit_code)


@kit.on_loop
async def test_a_slow_chore_does_not_end_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    limits(monkeypatch, odoo_s=STUCK_S, chores_s=LONG_S)
    file = tmp_path / "health.json"
    async with fake_mtd.mtd() as mtd, polls(mtd, 0.02):
        store = holding("reconcile", {"target": mtd.address})
        async with kit.bridge(store, health_file=file) as running:
            running.watch(BOTH)
            await until(lambda: "reconcile" in store.calls, "it compares with mtd")
            await looked_after(running.bridge._chores, 2 * STUCK_S, file)
            health = running.bridge.health()
            assert (health["state"], health["ok"]) == ("active", True)
            sent = len(running.sent(7))
            await until(lambda: len(running.sent(7)) > sent, "values go on meanwhile")
            kit.let_go(store)
            await until(lambda: running.bridge._chores.busy_s == 0, "it is done")
            assert running.bridge.health()["state"] == "active"
            assert running.bridge._exit_code == 0


@kit.on_loop
async def test_a_chore_that_is_stuck_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    limits(monkeypatch, odoo_s=LONG_S, chores_s=STUCK_S)
    async with kit.bridge(holding("push_due", {"target": "127.0.0.1:1"})) as running:
        assert await ended(running) == 1


@kit.on_loop
async def test_stuck_work_in_odoo_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    limits(monkeypatch, odoo_s=STUCK_S, chores_s=LONG_S)
    store = holding("heartbeat", {"target": "127.0.0.1:1"})
    async with kit.bridge(store) as running:
        await until(lambda: "heartbeat" in store.calls, "it is at work")
        assert await ended(running) == 1
        assert running.bridge.is_stuck


def test_a_comparison_of_five_minutes_is_a_chore_and_no_work_in_odoo() -> None:
    assert service.STUCK_AFTER_S < LONG_S < service.CHORES_STUCK_AFTER_S
