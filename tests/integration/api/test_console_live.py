"""The console's live channel: on a real port, with a real WebSocket client."""

from __future__ import annotations

import asyncio
import gc
import json
import weakref
from collections.abc import Iterator
from typing import Any

import pytest
import websockets

from mtd.api.console import live
from mtd.api.console import socket as console_socket
from mtd.testing import run_async
from mtd.testing.metrics import metric
from tests.integration.api.desk import DEVICES, next_of, opened, raw, until, wanted
from tests.unit.api.console.kit import row
from tests.unit.api.fakes import event, link_change, numbered


@pytest.fixture
def no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_collector")
def test_a_console_that_left_is_gone_without_the_garbage_collector() -> None:
    async def main() -> None:
        async with opened() as desk:
            left: list[weakref.ref[Any]] = []
            async with desk.connect() as socket:
                await next_of(socket, "fleet")
                desk.poll()
                await socket.send(wanted(*DEVICES, detail=DEVICES[0], events="all"))
                await next_of(socket, "detail")
                for viewer, bye in desk.live._viewers.items():
                    channel: Any = bye.__self__  # type: ignore[attr-defined]
                    left += map(weakref.ref, (viewer, channel, channel._connection, channel._request))
                del viewer, bye, channel
            assert len(left) == 4
            await until(lambda: not desk.live._viewers)
            await until(lambda: all(one() is None for one in left))

    run_async(main())


def test_the_list_and_values_as_they_come() -> None:
    async def main() -> None:
        async with opened() as desk, desk.connect() as socket:
            assert json.loads(await socket.recv())["type"] == "hello"
            fleet = await next_of(socket, "fleet")
            assert fleet["complete"]
            assert len(fleet["devices"]) == len(DEVICES)
            desk.poll()
            await socket.send(wanted(*DEVICES[:3], detail=DEVICES[0]))
            values = await next_of(socket, "values")
            assert set(values["devices"]) == set(DEVICES[1:3])
            detail = await next_of(socket, "detail")
            assert set(detail["devices"]) == {DEVICES[0]}
            assert detail["updates"][0]["counters"] == [1, 2, 3]
            desk.poll(DEVICES[1], load=8.0)
            assert (await next_of(socket, "values"))["devices"][DEVICES[1]]["cpu_pct"] == 8.0
            desk.backend.rows = desk.backend.rows[1:]
            desk.live.changed()
            gone = await next_of(socket, "fleet")
            assert (gone["complete"], gone["gone"]) == (False, DEVICES[:1])

    run_async(main())


def test_a_long_list_does_not_wait_for_ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with opened() as desk:
            desk.backend.rows = [row(one, "n" * 100_000) for one in DEVICES]  # a list of 5 MB
            async with desk.connect(close_timeout=0.1) as socket:  # the rest of the list is not read
                await next_of(socket, "fleet")
            monkeypatch.setattr(console_socket, "TICK_S", 3600.0)
            async with asyncio.timeout(30), desk.connect() as socket:
                found = []
                more = True
                while more:
                    text = await socket.recv()
                    assert len(text) < 300_000
                    message = json.loads(text)
                    found += message.get("devices", [])
                    more = message["type"] != "fleet" or "more" in message
                assert [one["id"] for one in found] == DEVICES

    run_async(main())


def test_events_as_they_are_committed() -> None:
    async def main() -> None:
        async with opened() as desk:
            desk.stored.events = [event(1)]
            async with desk.connect() as socket:
                await socket.send(wanted(events="all"))
                await until(lambda: any(viewer.view.events == "all" for viewer in desk.live._viewers))
                await until(lambda: desk.live.world.events.position == 1)
                desk.stored.events.append(event(2))
                desk.hub.publish(numbered(link_change(5)))
                told = await next_of(socket, "events")
                assert [one["position"] for one in told["events"]] == [2]

    run_async(main())


def test_the_state_of_mtd_while_it_is_asked_for() -> None:
    async def main() -> None:
        async with opened() as desk, desk.connect() as socket:
            await socket.send(json.dumps({"op": "view", "self": True}))
            told = await next_of(socket, "self")
            assert {"figures", "routers", "checks", "devices"} <= set(told)

    run_async(main())


def test_nonsense_is_answered_and_the_channel_stays() -> None:
    async def main() -> None:
        async with opened() as desk, desk.connect() as socket:
            await socket.send("nonsense")
            assert (await next_of(socket, "error"))["hint"]
            await socket.send(b"\x00\x01")
            assert "bytes" in (await next_of(socket, "error"))["error"]
            desk.poll(DEVICES[0])
            await socket.send(wanted(DEVICES[0]))
            assert await next_of(socket, "values")

    run_async(main())


def test_an_error_of_ours_ends_one_console_and_is_counted(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        async with opened() as desk, desk.connect() as socket, desk.connect() as other:
            await next_of(socket, "fleet")
            await next_of(other, "fleet")
            before = metric("mtd_console_connections_dropped_total", reason="error")
            broken = next(iter(desk.live._viewers))
            monkeypatch.setattr(broken, "_shared", lambda: 1 / 0)
            await until(lambda: len(desk.live._viewers) == 1)
            assert metric("mtd_console_connections_dropped_total", reason="error") == before + 1
            assert "ZeroDivisionError" in caplog.text

    run_async(main())


def test_what_fails_to_follow_is_followed_again(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "FAILURE_PAUSE_S", 0.01)

    async def main() -> None:
        async with opened() as desk:
            desk.backend.failures = [ZeroDivisionError("a bug")]
            before = metric("mtd_console_read_failures_total", what="fleet")
            async with desk.connect() as socket:
                desk.live.changed()
                await until(lambda: metric("mtd_console_read_failures_total", what="fleet") == before + 1)
                desk.live.changed()
                assert (await next_of(socket, "fleet"))["complete"]

    run_async(main())


def test_stop_says_bye() -> None:
    async def main() -> None:
        async with opened() as desk, desk.connect() as socket:
            await next_of(socket, "hello")
            await desk.worlds.stop("the daemon stops")
            assert (await next_of(socket, "bye"))["reason"] == "the daemon stops"
            with pytest.raises(websockets.ConnectionClosed):
                await socket.recv()
            assert socket.close_code == 1001
            with pytest.raises(websockets.InvalidStatus):
                await desk.connect()

    run_async(main())


def test_a_silent_channel_outlives_the_timeout_of_requests() -> None:
    async def main() -> None:
        async with opened(http={"idle_timeout_s": 0.2}, ping_s=0.1) as desk, desk.connect() as socket:
            await next_of(socket, "fleet")
            heard = desk.live.world.clock.monotonic()
            await until(lambda: desk.live.world.clock.monotonic() > heard + 0.8)
            desk.poll(DEVICES[0])
            await socket.send(wanted(DEVICES[0]))
            assert await next_of(socket, "values")

    run_async(main())


def test_who_answers_no_ping_is_cut_off() -> None:
    async def main() -> None:
        async with opened(ping_s=0.1, timeout_s=0.5) as desk:
            before = metric("mtd_console_connections_dropped_total", reason="silent")
            _, writer = await raw(desk)  # the channel is open: its viewer is there, or was cut off already
            await until(
                lambda: metric("mtd_console_connections_dropped_total", reason="silent") == before + 1
            )
            await until(lambda: not desk.live._viewers)
            writer.close()

    run_async(main())


def test_a_message_without_end_is_cut_off() -> None:
    async def main() -> None:
        async with opened(max_message_bytes=1024) as desk:
            before = metric("mtd_console_connections_dropped_total", reason="flood")
            async with desk.connect() as socket:
                await next_of(socket, "hello")
                await socket.send("x" * 5000)
                with pytest.raises(websockets.ConnectionClosed):
                    await next_of(socket, "never")
            await until(lambda: not desk.live._viewers)
            assert metric("mtd_console_connections_dropped_total", reason="flood") == before + 1

    run_async(main())


def test_a_console_that_does_not_read_costs_its_marks() -> None:
    """Its connection fills up; from then on nothing is made or kept for it, and others don't notice."""

    async def main() -> None:
        async with opened() as desk:
            desk.backend.rows = [row(one, "n" * 100_000) for one in DEVICES]  # a list of 5 MB
            _, writer = await raw(desk)
            await until(lambda: len(desk.live._viewers) == 1)
            (stuck,) = desk.live._viewers
            stuck.receive(wanted(*DEVICES, detail=DEVICES[0], rank=True))
            await until(stuck._full)
            sent = metric("mtd_console_messages_total")
            for load in range(20):
                desk.poll(load=float(load))
                stuck.tick(desk.live.world.clock.monotonic() + load)
            assert metric("mtd_console_messages_total") == sent
            assert len(stuck._changed) <= len(DEVICES)
            assert len(stuck._groups) <= 1
            async with desk.connect() as socket:
                await socket.send(wanted(DEVICES[0]))
                assert (await next_of(socket, "values"))["devices"][DEVICES[0]]["cpu_pct"] == 19.0
            writer.close()

    run_async(main())
