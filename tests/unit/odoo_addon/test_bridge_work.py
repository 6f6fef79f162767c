"""The bridge at work, between an mtd that is a gRPC server and a store in memory."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from pathlib import Path
from typing import Any

from tests.unit.odoo_addon import bridge_kit as kit
from tests.unit.odoo_addon import fake_mtd
from tests.unit.odoo_addon.bridge_kit import FakeStore, until

port = kit.part("port")
ONE = {7: ("a", ["plain"])}
TWO = {7: ("a", ["plain"]), 8: ("b", ["plain", "full"])}


async def polling(mtd: fake_mtd.FakeMtd) -> None:
    """Have new values again and again."""
    while True:
        await mtd.poll()
        await asyncio.sleep(0.02)


@kit.on_loop
async def test_nothing_flows_while_nobody_looks() -> None:
    async with fake_mtd.mtd() as mtd:
        store = FakeStore({"target": mtd.address})
        async with kit.bridge(store) as running:
            await until(lambda: store.calls.count("viewed") > 1 and mtd.tokens, "the bridge looked")
            assert not mtd.opened
            assert not store.bus.rows
            running.watch(ONE)
            await until(lambda: running.sent(7), "values")
            running.watch({})
            await until(lambda: not mtd.latest, "the stream ended")
            await until(lambda: running.figure("viewed_devices") == 0, "nobody is looked at")
            sent = len(store.bus.rows)
            await mtd.poll()
            await until(lambda: store.calls.count("connections") > 20, "time went by")
            assert len(store.bus.rows) <= sent + 1
            assert running.figure("live_streams") == 0


@kit.on_loop
async def test_one_stream_for_all_and_values_go_on_when_others_are_looked_at() -> None:
    async with fake_mtd.mtd() as mtd:
        store = FakeStore({"target": mtd.address})
        async with kit.bridge(store) as running:
            poll = asyncio.create_task(polling(mtd))
            running.watch(ONE)
            await until(lambda: running.sent(7) and running.sent(7)[-1]["groups"], "values of the first")
            running.watch(TWO)
            await until(lambda: running.sent(8, "full") and running.sent(8)[-1]["groups"], "values of both")
            await until(lambda: list(mtd.latest.values()) == [{"a", "b"}], "one stream for both")
            assert not running.sent(7, "full")
            seqs = [one["seq"] for one in running.sent(7)]
            assert seqs == sorted(set(seqs))
            times = [one["groups"][0]["t_us"] for one in running.sent(7) if one["groups"]]
            assert times == sorted(times)
            poll.cancel()


@kit.on_loop
async def test_a_silent_router_is_told_from_a_dead_bridge() -> None:
    async with fake_mtd.mtd() as mtd:
        store = FakeStore({"target": mtd.address})
        async with kit.bridge(store) as running:
            running.watch(ONE)
            await until(lambda: running.sent(7) and running.sent(7)[-1]["groups"], "values")
            last = running.sent(7)[-1]
            again = await until(
                lambda: next(
                    (one for one in running.sent(7) if one["now_us"] > last["now_us"] + 1.5e6), None
                ),
                "a sign of life",
            )
            assert again["groups"] == last["groups"]


@kit.on_loop
async def test_a_device_that_mtd_does_not_know_yet_is_told_as_it_is() -> None:
    async with fake_mtd.mtd() as mtd:
        store = FakeStore({"target": mtd.address})
        async with kit.bridge(store) as running:
            running.watch({7: ("", ["plain"])})
            (first, *_) = await until(lambda: running.sent(7), "a message")
            assert first["groups"] == []
            assert not mtd.opened


@kit.on_loop
async def test_a_slow_odoo_makes_ticks_skip_and_nothing_queues_up() -> None:
    async with fake_mtd.mtd() as mtd:
        store = FakeStore({"target": mtd.address})
        async with kit.bridge(store) as running:
            poll = asyncio.create_task(polling(mtd))
            running.watch(ONE)
            await until(lambda: running.sent(7) and running.sent(7)[-1]["groups"], "values")
            store.open.clear()
            skipped = running.figure("ticks_skipped_total")
            await until(lambda: running.figure("ticks_skipped_total") > skipped + 10, "ticks were skipped")
            sent, newest = len(running.sent(7)), mtd._t_us
            store.open.set()
            await until(lambda: running.sent(7)[-1]["groups"][0]["t_us"] >= newest, "the newest came")
            assert len(running.sent(7)) <= sent + 5
            poll.cancel()


@kit.on_loop
async def test_a_dead_database_costs_ticks_only() -> None:
    async with fake_mtd.mtd() as mtd:
        store = FakeStore({"target": mtd.address})
        async with kit.bridge(store) as running:
            poll = asyncio.create_task(polling(mtd))
            running.watch(ONE)
            await until(lambda: running.sent(7), "values")
            store.fails = {"publish", "viewed", "connections", "take_events", "refresh"}
            await until(lambda: running.figure("publish_failures_total") > 2, "ticks failed")
            await until(lambda: running.figure("failures_total", what="connections") > 0, "it is counted")
            await mtd.happen(3)
            await until(lambda: running.figure("failures_total", what="event_write") > 0, "events wait")
            sent = len(running.sent(7))
            store.fails = set()
            await until(lambda: len(running.sent(7)) > sent, "values go on")
            await until(lambda: len(store.rows) == 3, "no event was lost")
            poll.cancel()


@kit.on_loop
async def test_a_restart_of_mtd_is_survived() -> None:
    async with fake_mtd.mtd() as mtd:
        store = FakeStore({"target": mtd.address})
        async with kit.bridge(store) as running:
            poll = asyncio.create_task(polling(mtd))
            running.watch(ONE)
            await mtd.happen(5)
            await until(lambda: len(store.rows) == 5 and running.sent(7), "values and events")
            await mtd.stop()
            await mtd.happen(5)
            await until(lambda: not running.sent(7)[-1]["connected"], "it is told that mtd is away", 30)
            await mtd.start(mtd.address)
            t_us = mtd._t_us
            await until(lambda: running.sent(7)[-1]["connected"], "mtd is back", 30)
            await until(lambda: running.sent(7)[-1]["groups"][0]["t_us"] > t_us, "values go on")
            await until(lambda: len(store.rows) == 10, "events go on", 30)
            assert [event.position for event in store.rows] == list(range(1, 11))
            poll.cancel()


@kit.on_loop
async def test_events_come_once_whatever_fails() -> None:
    async with fake_mtd.mtd() as mtd:
        store = FakeStore({"target": mtd.address})
        async with kit.bridge(store) as running:
            for round_ in range(1, 6):
                store.fails = {"take_events"} if round_ % 2 else set()
                await mtd.happen(300)
                await until(lambda: store.calls.count("take_events") > 2, "it was tried")
                if round_ == 3:
                    await mtd.restart()
            store.fails = set()
            await until(lambda: len(store.rows) == 1500, "all events", 40)
            assert [event.position for event in store.rows] == list(range(1, 1501))
            assert running.figure("events_total") == 1500
            assert running.bridge.health()["event_write_s"]["of"] > 0


@kit.on_loop
async def test_with_another_token_it_begins_anew() -> None:
    async with fake_mtd.mtd() as mtd:
        store = FakeStore({"target": mtd.address, "token": "first"})
        async with kit.bridge(store) as running:
            running.watch(ONE)
            await until(lambda: "Bearer first" in mtd.tokens, "the first token")
            before = running.bridge.session.tenants[1]
            store.options["token"] = "second"
            running.watch(TWO)
            await until(lambda: mtd.tokens[-1] == "Bearer second", "the second token")
            assert running.bridge.session.tenants[1] is not before


@kit.on_loop
async def test_changed_settings_begin_anew() -> None:
    async with fake_mtd.mtd() as mtd, fake_mtd.mtd() as other:
        store = FakeStore({"target": mtd.address})
        async with kit.bridge(store) as running:
            running.watch(ONE)
            await until(lambda: mtd.latest, "a stream")
            store.options["target"] = other.address
            await until(lambda: other.latest and not mtd.latest, "the stream is with the other")


@kit.on_loop
async def test_files_that_cant_be_read_are_told(tmp_path: Path) -> None:
    store = FakeStore({"target": "127.0.0.1:1", "ca_file": str(tmp_path / "missing.pem")})
    async with kit.bridge(store) as running:
        told = await until(lambda: running.bridge.health()["connections"], "the connection is told")
        assert "missing.pem" in told[0]["error"]
        assert running.figure("failures_total", what="client") > 0


@kit.on_loop
async def test_a_standby_writes_nothing_and_takes_over() -> None:
    async with fake_mtd.mtd() as mtd:
        store = FakeStore({"target": mtd.address})
        async with kit.bridge(store) as running:
            running.watch(ONE)
            await until(lambda: running.sent(7), "values")
            running.lock.change(False, "terminating connection due to administrator command")
            await until(lambda: running.bridge.health()["state"] == "standby", "it stands by")
            await until(lambda: not mtd.latest, "its stream ended")
            assert not running.bridge.health()["ok"]
            sent = len(store.bus.rows)
            await mtd.poll()
            await asyncio.sleep(0)
            assert len(store.bus.rows) == sent
            running.lock.change(True, "")
            await until(lambda: len(store.bus.rows) > sent, "it writes again")
            assert running.bridge.health()["ok"]


@kit.on_loop
async def test_a_changed_addon_ends_the_process() -> None:
    store = FakeStore({"target": "127.0.0.1:1"})
    async with kit.bridge(store) as running:
        await until(lambda: running.bridge.health()["state"] == "active", "it is the writer")
        store.current = False
        await until(lambda: running.bridge.health()["state"] == "stopped", "it ended")
        assert running.bridge._exit_code == kit.part("service").EXIT_STALE


@kit.on_loop
async def test_it_ends_soon_even_when_odoo_hangs() -> None:
    async with fake_mtd.mtd() as mtd:
        store = FakeStore({"target": mtd.address})
        async with kit.bridge(store) as running:
            running.watch(ONE)
            await until(lambda: running.sent(7), "values")
            store.open.clear()
            await until(lambda: running.figure("ticks_skipped_total") > 2, "Odoo hangs")
            running.bridge.stop()
            await until(lambda: running.bridge.health()["state"] == "stopped", "it ended", 3.0)
            assert running.bridge.is_stuck
            assert running.lock.stopped


def job(number: int = 3, count: int = 3) -> Any:
    return port.Job(number, 1, "a", "ping", "192.0.2.1", "", count, 10)


@kit.on_loop
async def test_a_tool_is_run_and_told() -> None:
    async with fake_mtd.mtd() as mtd:
        store = FakeStore({"target": mtd.address})
        async with kit.bridge(store) as running:
            await until(lambda: mtd.tokens, "the connection is there")
            store.jobs = [job()]
            running.lock.notify("mikrotik_diagnostic")
            (end,) = await until(lambda: store.finished, "it ended")
            assert (end.state, end.error) == ("done", "")
            assert end.lines[0] == "seq=0  192.0.2.1  time=1.5 ms"
            assert end.lines[-1] == "finished after 1.0 s"
            await until(lambda: end.payload() in running.sent(3, "output"), "it was told")


@kit.on_loop
async def test_a_tool_that_is_cancelled_ends_on_the_router_too() -> None:
    async with fake_mtd.mtd() as mtd:
        store = FakeStore({"target": mtd.address})
        async with kit.bridge(store) as running:
            await until(lambda: mtd.tokens, "the connection is there")
            store.jobs = [job(count=99)]
            running.lock.notify("mikrotik_diagnostic")
            await until(lambda: running.sent(3, "output"), "its first lines")
            store.cancelled.add(3)
            running.lock.notify("mikrotik_diagnostic")
            (end,) = await until(lambda: store.finished, "it ended")
            assert end.state == "cancelled"
            await until(lambda: mtd.pings_cancelled, "the router was told")


@kit.on_loop
async def test_tools_end_with_the_bridge() -> None:
    async with fake_mtd.mtd() as mtd:
        store = FakeStore({"target": mtd.address})
        async with kit.bridge(store) as running:
            await until(lambda: mtd.tokens, "the connection is there")
            store.jobs = [job(count=99)]
            running.lock.notify("mikrotik_diagnostic")
            await until(lambda: running.sent(3, "output"), "its first lines")
        (end,) = store.finished
        assert end.state == "failed"
        assert "run it again" in end.error


@kit.on_loop
async def test_a_tool_without_a_connection_says_so() -> None:
    store = FakeStore()
    store.jobs = [job()]
    async with kit.bridge(store):
        (end,) = await until(lambda: store.finished, "it ended")
        assert end.state == "failed"
        assert "isn't set up" in end.error


@kit.on_loop
async def test_health_and_metrics_are_read_from_outside(tmp_path: Path) -> None:
    file = tmp_path / "health.json"
    async with fake_mtd.mtd() as mtd:
        store = FakeStore({"target": mtd.address})
        async with kit.bridge(store, health_file=file, http_port=0) as running:
            running.watch(TWO)
            await until(lambda: running.sent(8), "values")
            told = await until(
                lambda: (found := json.loads(file.read_text()))["viewed_devices"] == 2 and found, "the file"
            )
            assert told["state"] == "active"
            assert told["connections"][0]["connected"]
            number = running.bridge.http_port

            def read(path: str) -> str:
                with urllib.request.urlopen(f"http://127.0.0.1:{number}{path}") as answer:
                    return str(answer.read().decode())

            assert json.loads(await asyncio.to_thread(read, "/healthz"))["ok"] is True
            metrics = await asyncio.to_thread(read, "/metrics")
            for name in ("frame_age", "publish", "event_write"):
                assert f"mtd_bridge_{name}_seconds_count" in metrics
    assert json.loads(file.read_text())["state"] == "stopped"


@kit.on_loop
async def test_what_is_missing_is_said_in_words() -> None:
    check = kit.part("check")
    async with fake_mtd.mtd() as mtd:
        found = await check.check_connections(
            [
                port.Connection(1, "Good", {"target": mtd.address}, tenant_id=kit.TENANT_ID),
                port.Connection(2, "Away", {"target": "127.0.0.1:1"}),
                port.Connection(3, "Empty", problem="it has no token"),
            ],
            lambda given: kit.AsyncMtdClient(**given),
        )
        assert [ok for ok, _ in found] == [True, False, False]
        assert "can't reach mtd at 127.0.0.1:1" in found[1][1]
        assert found[2][1] == "Empty: it has no token"
    ((ok, text),) = await check.check_connections([], lambda given: None)
    assert not ok
    assert "add one" in text
