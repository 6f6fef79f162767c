"""Which way serves, when it falls, and how it comes back."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from zope.interface.verify import verifyObject

from mtd.model.device import (
    Outcome,
    RestSettings,
    TlsMode,
    Way,
)
from mtd.model.ways import Standing as Stands
from mtd.sources.errors import SessionFailed
from mtd.sources.interfaces import IDeviceSource
from mtd.sources.ways import WaysSource, told_port
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


def test_the_best_way_that_opens_serves_and_says_why_no_better_does() -> None:
    async def main() -> None:
        async with connected(World()) as source:
            verifyObject(IDeviceSource, source)
            assert source.way is Way.API
            assert source.standing.fall is None
            assert [state.standing for state in source.standing.states] == [
                Stands.SERVES,
                Stands.STANDBY,
                Stands.STANDBY,
            ]
        async with connected(World(Way.API, Way.REST)) as source:
            assert source.way is Way.SNMP
            assert await ways_of(source) == [Way.SNMP]
            fall = source.standing.fall
            assert fall is not None
            assert (fall.way, fall.outcome, fall.reason) == (
                Way.API,
                Outcome.REFUSED,
                "api refuses connections",
            )
            api, rest, snmp = source.standing.states
            assert api.detail == "refused: api refuses connections"
            assert rest.standing is Stands.CLOSED
            assert snmp.detail == "port 161, version 2c"
            assert "hidden" not in repr(source.standing)

    run_async(main())


def test_without_any_way_the_failure_tells_of_all() -> None:
    async def main() -> None:
        source = World(*Way).source()
        with pytest.raises(SessionFailed) as caught:
            await source.connect()
        assert caught.value.outcome is Outcome.REFUSED
        assert caught.value.reason == (
            "API: api refuses connections; REST: rest refuses connections; SNMP: snmp refuses connections"
        )
        assert source.standing.serves is None
        assert not source.connected
        with pytest.raises(SessionFailed, match="api refuses"):
            await source.run([NAMES])

    run_async(main())


def test_one_way_alone_fails_as_it_always_did() -> None:
    async def main() -> None:
        source = World(Way.API).source(replace(DEVICE, rest=RestSettings(), snmp=None))
        with pytest.raises(SessionFailed) as caught:
            await source.connect()
        assert caught.value.reason == "api refuses connections"
        assert [state.standing for state in source.standing.states] == [
            Stands.CLOSED,
            Stands.UNUSED,
            Stands.UNUSED,
        ]

    run_async(main())


def test_settings_say_which_ways_and_in_which_order() -> None:
    async def main() -> None:
        world = World()
        async with connected(world, replace(DEVICE, ways=(Way.SNMP, Way.API))) as source:
            assert source.way is Way.SNMP
            assert Way.REST not in world.made
        nothing = replace(DEVICE, ways=(Way.REST,), rest=RestSettings())
        with pytest.raises(SessionFailed, match="no way can be tried"):
            await World().source(nothing).connect()

    run_async(main())


def test_a_host_that_has_no_address_is_looked_for_once() -> None:
    async def main() -> None:
        world = World()
        world.closed[Way.API] = refused(Way.API, Outcome.NAME_NOT_FOUND)
        with pytest.raises(SessionFailed):
            await world.source().connect()
        assert world.connects == [Way.API]

    run_async(main())


def test_a_way_that_breaks_is_replaced_within_the_poll_and_once_for_all_tiers() -> None:
    async def main() -> None:
        world = World()
        async with connected(world) as source:
            world.closed[Way.API] = refused(Way.API, Outcome.BUSY)
            assert await asyncio.gather(*(ways_of(source) for _ in range(5))) == [[Way.REST]] * 5
            assert world.connects == [Way.API, Way.REST]
            assert source.standing.serves is Way.REST
            assert source.standing.fall is not None
            assert source.standing.fall.outcome is Outcome.BUSY
            # A run that begins while another looks for a way waits for it.
            world.closed[Way.REST] = refused(Way.REST, Outcome.UNREACHABLE)
            first = asyncio.ensure_future(ways_of(source))
            await until(lambda: Way.SNMP in world.connects)
            assert await ways_of(source) == [Way.SNMP]
            assert await first == [Way.SNMP]

    run_async(main())


@pytest.mark.parametrize("outcome", [Outcome.TIMED_OUT, Outcome.REPLY_TOO_LARGE, Outcome.PROTOCOL_ERROR])
def test_what_says_nothing_of_the_way_is_raised(outcome: Outcome) -> None:
    async def main() -> None:
        world = World()
        async with connected(world) as source:
            world.breaks[Way.API] = refused(Way.API, outcome)
            with pytest.raises(SessionFailed):
                await source.run([NAMES])
            await source.connect()
            assert source.way is Way.API

    run_async(main())


def test_a_way_that_opens_and_breaks_again_and_again_is_tried_last() -> None:
    async def main() -> None:
        world = World()
        async with connected(world) as source:
            world.breaks[Way.API] = refused(Way.API, Outcome.TIMED_OUT)
            with pytest.raises(SessionFailed):
                await source.run([NAMES])
            await source.connect()
            assert source.way is Way.API
            world.breaks[Way.API] = refused(Way.API, Outcome.TIMED_OUT)
            assert await ways_of(source) == [Way.REST]
            await source.connect()
            assert source.way is Way.REST
            assert source.standing.fall is not None

    run_async(main())


def test_when_no_other_way_opens_the_loss_is_what_is_told() -> None:
    async def main() -> None:
        world = World(Way.REST, Way.SNMP)
        async with connected(world) as source:
            world.closed[Way.API] = refused(Way.API, Outcome.BUSY)
            with pytest.raises(SessionFailed) as caught:
                await source.run([NAMES])
            assert caught.value.outcome is Outcome.BUSY
            assert source.outcome is caught.value
            assert source.standing.serves is None

    run_async(main())


def test_a_better_way_takes_over_when_it_opens_and_lets_the_other_finish() -> None:
    async def main() -> None:
        world = World(Way.API)
        async with connected(world, retries=SOON) as source:
            assert source.way is Way.REST
            held = world.held[Way.REST] = asyncio.Event()
            under_way = asyncio.ensure_future(ways_of(source))
            await asyncio.sleep(0)
            del world.closed[Way.API]
            await until(lambda: source.standing.serves is Way.API)
            assert source.standing.fall is None
            assert await ways_of(source) == [Way.API]
            assert world.made[Way.REST].connected  # somebody still waits for its answer
            held.set()
            assert await under_way == [Way.REST]
            await until(lambda: not world.made[Way.REST].connected)
            assert source.traffic == (2, 20, 200)

    run_async(main())


def test_what_a_way_has_no_words_for_is_asked_of_the_next() -> None:
    async def main() -> None:
        world = World(Way.API)
        world.unknown_to = {Way.REST: (LISTEN,)}
        async with connected(world) as source:
            assert await ways_of(source, NAMES, LISTEN, NAMES) == [Way.REST, Way.SNMP, Way.REST]
            assert source.standing.serves is Way.REST
            world.unknown_to[Way.SNMP] = (LISTEN,)
            (reply,) = await source.run([LISTEN])
            assert reply.trap is not None
            assert reply.trap.not_served
            # A helper that breaks costs its own answers only, and isn't tried at each poll.
            world.closed[Way.SNMP] = refused(Way.SNMP)
            for _ in range(3):
                names, listen = await source.run([NAMES, LISTEN])
                assert names.trap is None
                assert listen.trap is not None
            assert world.connects.count(Way.SNMP) == 1

    run_async(main())


def test_rest_is_found_by_what_the_router_says() -> None:
    async def main() -> None:
        device = replace(DEVICE, rest=RestSettings(0, TlsMode.VERIFY), snmp=None)
        world = World()
        async with connected(world, device) as source:
            assert Way.REST not in world.made
            source.learn("www:80")  # not as safe as the settings ask
            assert Way.REST not in world.made
            assert "www:80" in source.standing.states[1].detail
            source.learn("www:80 www-ssl:8443")
            assert world.made[Way.REST].device.rest.port == 8443
            assert source.standing.states[1].standing is Stands.STANDBY
            assert source.standing.states[1].told == "www:80 www-ssl:8443"
            world.closed[Way.API] = refused(Way.API, Outcome.BUSY)
            assert await ways_of(source) == [Way.REST]

    run_async(main())


@pytest.mark.parametrize(
    ("told", "mode", "port"),
    [
        ("www:80 www-ssl:443", TlsMode.VERIFY, 443),
        ("www:8080", TlsMode.OFF, 8080),
        ("www:80", TlsMode.INSECURE, 0),
        ("www-ssl:443", TlsMode.OFF, 0),
        ("www and www-ssl are off", TlsMode.OFF, 0),
        ("no such right", TlsMode.OFF, 0),
        ("www:x www-ssl:99999", TlsMode.PINNED, 0),
        ("", TlsMode.OFF, 0),
    ],
)
def test_the_port_is_that_of_the_service_that_is_as_safe_as_asked(
    told: str, mode: TlsMode, port: int
) -> None:
    assert told_port(told, mode) == port


def test_what_it_stands_for_is_one_object_until_it_changes() -> None:
    async def main() -> None:
        world = World()
        async with connected(world) as source:
            standing = source.standing
            await source.run([NAMES])
            assert source.standing is standing
            world.closed[Way.API] = refused(Way.API, Outcome.BUSY)
            await source.run([NAMES])
            assert source.standing is not standing

    run_async(main())


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sets(st.sampled_from(list(Way))), min_size=1, max_size=6))
def test_whatever_opens_and_closes_the_best_open_way_serves_in_the_end(doors: list[set[Way]]) -> None:
    async def poll(source: WaysSource) -> list[Way]:
        """Poll as a device's loop does: a session that is lost is opened anew."""
        try:
            if not source.connected:
                await source.connect()
            return await ways_of(source)
        except SessionFailed:
            await source.close()
            return []

    async def main() -> None:
        world = World()
        source = world.source(retries=SOON)
        for opened in doors:
            world.closed = {way: refused(way, Outcome.BUSY) for way in Way if way not in opened}
            best = next((way for way in Way if way in opened), None)
            async with asyncio.timeout(20):
                while await poll(source) != ([] if best is None else [best]):
                    await asyncio.sleep(0.002)
            assert source.standing.serves is best
        await source.close()
        assert not any(way.connected for way in world.made.values())

    run_async(main())
