"""Ways that hang, that mtd makes a mistake with, and that move while they are in use."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import cast

import pytest

from mtd.model.device import Outcome, RestSettings, TlsMode, Way
from mtd.sources import way_metrics
from mtd.sources.errors import SessionFailed
from mtd.testing import run_async
from tests.unit.sources.scripted_ways import (
    DEVICE,
    LISTEN,
    NAMES,
    SOON,
    World,
    connected,
    refused,
    until,
    ways_of,
)


def test_a_way_that_stays_closed_holds_on_to_nothing() -> None:
    """An error that is raised again and again grows, and keeps all that was under way."""

    async def main() -> None:
        world = World(Way.API, Way.SNMP)
        world.unknown_to = {Way.REST: (LISTEN,)}
        async with connected(world) as source:
            for _ in range(3):
                await source.run([NAMES, LISTEN])
            failures = [path.failure for path in source._paths.values() if path.failure is not None]
            assert len(failures) == 2
            assert [failure.__traceback__ for failure in failures] == [None, None]

    run_async(main())


def test_a_mistake_in_one_way_keeps_no_other_from_being_tried(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        world = World()
        world.closed[Way.API] = cast("SessionFailed", ValueError("odd"))
        before = way_metrics.INTERNAL_ERRORS.labels(way=Way.API)._value.get()
        async with connected(world, retries=SOON) as source:
            assert source.way is Way.REST
            assert source.standing.fall is not None
            assert "internal error" in source.standing.fall.reason
            # And it is tried again as any other that is closed.
            await until(lambda: world.connects.count(Way.API) > 2)
            del world.closed[Way.API]
            await until(lambda: source.standing.serves is Way.API)
        assert way_metrics.INTERNAL_ERRORS.labels(way=Way.API)._value.get() >= before + 2

    run_async(main())
    assert "opening api to gw failed" in caplog.text


def test_a_port_that_the_router_told_of_while_the_way_was_in_use_is_used_next() -> None:
    async def main() -> None:
        device = replace(DEVICE, rest=RestSettings(0, TlsMode.VERIFY), snmp=None)
        source = World(Way.API).source(device)
        source.learn("www-ssl:443")
        await source.connect()
        assert source.way is Way.REST
        source.learn("www-ssl:8443")
        await source.connect()
        assert source.standing.states[1].detail == "port 8443, TLS verify"
        await source.close()

    run_async(main())


def test_a_port_that_is_told_of_while_the_old_one_is_opened_leaves_nothing_open() -> None:
    async def main() -> None:
        device = replace(DEVICE, ways=(Way.REST, Way.API), rest=RestSettings(0, TlsMode.VERIFY))
        world = World(Way.REST)
        source = world.source(device, SOON)
        source.learn("www-ssl:443")
        await source.connect()
        old = world.made[Way.REST]
        opening = asyncio.Event()
        gate = asyncio.Event()

        async def connect() -> None:
            opening.set()
            await gate.wait()
            old.connected = True

        old.connect = connect  # type: ignore[method-assign]
        await asyncio.wait_for(opening.wait(), 20)
        source.learn("www-ssl:8443")
        gate.set()
        del world.closed[Way.REST]
        await until(lambda: source.standing.serves is Way.REST)
        assert source.standing.states[0].detail == "port 8443, TLS verify"
        assert not old.connected
        await source.close()

    run_async(main())


def test_no_poll_waits_until_a_closed_helper_is_found_to_be_closed_still() -> None:
    async def main() -> None:
        world = World(Way.API, Way.SNMP)
        world.unknown_to = {Way.REST: (LISTEN,)}
        device = replace(DEVICE, ways=(Way.REST, Way.SNMP))
        async with connected(world, device, SOON) as source:
            await source.run([NAMES, LISTEN])
            helper, opening, opened = world.made[Way.SNMP], asyncio.Event(), asyncio.Event()

            async def connect() -> None:
                opening.set()
                await opened.wait()
                helper.connected = True

            helper.connect = connect  # type: ignore[method-assign]
            del world.closed[Way.SNMP]
            async with asyncio.timeout(20):
                while not opening.is_set():
                    assert await ways_of(source, NAMES, LISTEN) == [Way.REST, Way.REST]
                    await asyncio.sleep(0.002)
                assert await ways_of(source, NAMES, LISTEN) == [Way.REST, Way.REST]
                opened.set()
                while await ways_of(source, NAMES, LISTEN) != [Way.REST, Way.SNMP]:
                    await asyncio.sleep(0.002)

    run_async(main())


def test_what_a_helper_carried_before_it_broke_still_counts() -> None:
    async def main() -> None:
        world = World(Way.API)
        world.unknown_to = {Way.REST: (LISTEN,)}
        async with connected(world, replace(DEVICE, ways=(Way.REST, Way.SNMP)), SOON) as source:
            for _ in range(20):
                assert await ways_of(source, LISTEN) == [Way.SNMP]
            world.breaks[Way.SNMP] = refused(Way.SNMP)
            carried = source.traffic
            async with asyncio.timeout(20):
                while await ways_of(source, LISTEN) != [Way.SNMP]:
                    await asyncio.sleep(0.002)
            assert world.connects.count(Way.SNMP) == 2
            assert source.traffic > carried

    run_async(main())


def test_a_way_that_opens_and_then_hangs_does_not_take_the_device_down_each_time_it_is_tried() -> None:
    async def main() -> None:
        world = World()
        async with connected(world, retries=SOON) as source:
            raised = 0
            for _ in range(5):
                await until(lambda: source.standing.serves is Way.API)
                world.breaks[Way.API] = refused(Way.API, Outcome.TIMED_OUT)
                try:
                    assert await ways_of(source) == [Way.REST]
                except SessionFailed:
                    raised += 1
                    await source.connect()
            assert raised == 1

    run_async(main())


def test_a_way_that_is_in_use_again_at_once_is_not_closed_under_it() -> None:
    async def main() -> None:
        world = World(Way.SNMP)
        async with connected(world, replace(DEVICE, ways=(Way.SNMP, Way.API)), SOON) as source:
            assert source.way is Way.API
            api = source._paths[Way.API]
            api.begin_run()
            del world.closed[Way.SNMP]
            await until(lambda: source.standing.serves is Way.SNMP)
            await asyncio.sleep(0.01)
            api.end_run()
            api.begin_run()  # as one that helps
            await asyncio.sleep(0.01)
            assert world.made[Way.API].connected
            api.end_run()
            await until(lambda: not world.made[Way.API].connected)

    run_async(main())
