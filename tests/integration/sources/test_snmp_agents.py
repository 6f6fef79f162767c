"""Agents that are slow, deaf, confused or wrong; and that no wait, no table and no answer is without bounds."""

from __future__ import annotations

import asyncio
import random
import socket
from dataclasses import replace

import pytest
from zope.interface.verify import verifyObject

from mtd.core.clock import SYSTEM_CLOCK
from mtd.lab.snmp.wire import GENERAL_ERROR, NULL, TOO_BIG, Kind, Message, Tag, Value
from mtd.model.command import Command, Reply
from mtd.model.device import Outcome, SnmpSettings, SnmpVersion, Way
from mtd.sources.interfaces import ISource
from mtd.sources.snmp import SnmpConfig, SnmpSource, metrics
from mtd.testing import run_async
from tests.integration.sources.devices import device, failure_of
from tests.integration.sources.scripted_agent import (
    QUICK,
    ROUTEROS,
    TABLES,
    ScriptedAgent,
    agent,
    answer,
    asked,
    interface,
    snmp_device,
)

NOT_DYNAMIC = ("dynamic=true", "#!")
BYTES = Command("/interface/print", (".id", "rx-byte", "running"), NOT_DYNAMIC)
UPTIME = Command("/system/resource/print", ("uptime",))
PORTS = {**interface(1, "ether1", 100), **interface(2, "ether2", 200)}


def told(reply: Reply) -> dict[str, bytes]:
    assert reply.trap is None, reply.trap
    return {row[".id"].decode(): row["rx-byte"] for row in reply.rows.dicts()}


def test_it_is_a_source() -> None:
    source = SnmpSource(snmp_device(1), TABLES)
    assert verifyObject(ISource, source)
    assert source.way is Way.SNMP


def test_a_device_is_read() -> None:
    async def main() -> None:
        async with agent(PORTS) as scripted, asked(snmp_device(scripted.port)) as source:
            assert source.connected
            ports, uptime, other = await source.run(
                [BYTES, UPTIME, Command("/ip/route/print", ("dst-address",))]
            )
            assert told(ports) == {"*1": b"100", "*2": b"200"}
            assert ports.rows.column("running") == (b"true", b"true")
            assert uptime.rows.column("uptime") == (b"20m34s",)
            assert {reply.way for reply in (ports, uptime, other)} == {Way.SNMP}
            assert other.trap is not None
            assert other.trap.not_served
            commands, sent, received = source.traffic
            assert commands == 2
            assert sent > 100
            assert received > 100
        assert not source.connected
        assert source.traffic == (commands, sent, received)

    run_async(main())


def test_what_is_not_served_asks_nobody() -> None:
    async def main() -> None:
        async with agent(PORTS) as scripted, asked(snmp_device(scripted.port)) as source:
            before = len(scripted.requests)
            replies = await source.run([Command("/ip/route/print"), Command("/interface/print", ("colour",))])
            assert all(reply.trap is not None and reply.trap.not_served for reply in replies)
            assert len(scripted.requests) == before

    run_async(main())


def test_requests_that_get_lost_are_sent_again() -> None:
    async def main() -> None:
        lost = iter([True, False] * 50)

        def handler(request: Message) -> Message | None:
            return None if next(lost) else answer(request, scripted.objects)

        async with agent(PORTS, handler) as scripted, asked(snmp_device(scripted.port)) as source:
            [ports] = await source.run([BYTES])
            assert told(ports) == {"*1": b"100", "*2": b"200"}

    run_async(main())


def test_the_moment_of_the_counters_is_when_they_came_though_a_later_answer_gets_lost() -> None:
    """Or the next rate would be told over too short a time, and be twice what it is."""
    octets = (1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 6)
    ports = {
        oid: value for index in range(1, 31) for oid, value in interface(index, f"ether{index}", 1).items()
    }

    async def main() -> None:
        deaf = False

        def handler(request: Message) -> Message | None:
            nonlocal deaf
            if deaf and not any(oid[: len(octets)] == octets for oid, _ in request.pairs):
                deaf = False
                return None
            return answer(request, scripted.objects)

        config = SnmpConfig(repeat_after_s=0.5)
        async with agent(ports, handler) as scripted, asked(snmp_device(scripted.port), config) as source:
            await source.run([BYTES])  # the rows are known then
            deaf = True
            [reply] = await source.run([BYTES])
            assert not deaf
            assert reply.rows.count == 30
            ended = SYSTEM_CLOCK.monotonic()
            assert ended - reply.received_at >= 0.5  # all of what was waited for

    run_async(main())


def test_a_walk_that_never_ends_is_over_at_its_deadline() -> None:
    """The agent always answers at once: the deadline comes in the same turn of the loop as an answer."""
    enough = 20_000

    async def main() -> None:
        asked_for = 0

        def handler(request: Message) -> Message | None:
            nonlocal asked_for
            if request.kind is not Kind.GET_BULK:
                return answer(request, scripted.objects)
            asked_for += 24
            if asked_for > enough:
                return answer(request, {})
            rows = range(asked_for, asked_for + 24)
            pairs = tuple(
                ((1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 1, 1, row), Value(Tag.OCTETS, b"x")) for row in rows
            )
            return replace(request, kind=Kind.RESPONSE, status=0, index=0, pairs=pairs)

        async with (
            agent({}, handler) as scripted,
            asked(snmp_device(scripted.port, command_timeout_s=0.05)) as source,
        ):
            for _ in range(5):
                asked_for = 0
                [reply] = await source.run([BYTES])
                assert reply.trap is not None
                assert reply.trap.timed_out
                assert asked_for < enough

    run_async(main())


def test_an_agent_that_falls_silent_has_a_reason_that_says_what_nobody_knows() -> None:
    async def main() -> None:
        async with (
            agent(PORTS) as scripted,
            asked(snmp_device(scripted.port, command_timeout_s=0.3)) as source,
        ):
            scripted.handler = lambda _: None
            failure = await failure_of(source.run([BYTES, UPTIME]))
            assert failure.outcome is Outcome.TIMED_OUT
            assert "can't be told whether" in failure.reason
            assert "wrong one gets no answer" in failure.reason
            assert not source.connected
            assert source.outcome is not None

    run_async(main())


def test_one_table_that_hangs_does_not_take_the_others_with_it() -> None:
    async def main() -> None:
        def handler(request: Message) -> Message | None:
            return None if request.kind is Kind.GET_BULK else answer(request, scripted.objects)

        async with (
            agent(PORTS, handler) as scripted,
            asked(snmp_device(scripted.port, command_timeout_s=0.5)) as source,
        ):
            ports, uptime = await source.run([BYTES, UPTIME])
            assert ports.trap is not None
            assert ports.trap.timed_out
            assert uptime.trap is None
            assert source.connected

    run_async(main())


@pytest.mark.parametrize("status", [TOO_BIG, GENERAL_ERROR])
def test_a_request_that_is_too_much_is_asked_in_halves(status: int) -> None:
    async def main() -> None:
        def handler(request: Message) -> Message:
            if request.kind is Kind.GET and len(request.pairs) > 4:
                return replace(request, kind=Kind.RESPONSE, status=status, index=0)
            return answer(request, scripted.objects)

        async with agent(PORTS, handler) as scripted, asked(snmp_device(scripted.port)) as source:
            [ports] = await source.run([BYTES])
            assert told(ports) == {"*1": b"100", "*2": b"200"}

    run_async(main())


def test_one_object_that_the_agent_fails_at_is_absent_and_all_others_are_told() -> None:
    async def main() -> None:
        bad = (1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 6, 2)

        def handler(request: Message) -> Message:
            if request.kind is Kind.GET and bad in [oid for oid, _ in request.pairs]:
                return replace(request, kind=Kind.RESPONSE, status=GENERAL_ERROR, index=1)
            return answer(request, scripted.objects)

        before = metrics.REFUSED._value.get()
        async with agent(PORTS, handler) as scripted, asked(snmp_device(scripted.port)) as source:
            [ports] = await source.run([BYTES])
            assert ports.rows.column("rx-byte") == (b"100", None)
        assert metrics.REFUSED._value.get() == before + 1

    run_async(main())


def test_an_answer_that_does_not_fit_is_asked_for_in_parts() -> None:
    async def main() -> None:
        names = {}
        for index in range(1, 40):
            names |= interface(index, f"{index:03}" + "x" * 250, index)

        async with agent(names) as scripted, asked(snmp_device(scripted.port)) as source:
            [ports] = await source.run([BYTES])
            assert told(ports) == {f"*{index:X}": b"%d" % index for index in range(1, 40)}

    run_async(main())


def test_a_walk_that_turns_in_circles_ends() -> None:
    async def main() -> None:
        names = (1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 1)

        def handler(request: Message) -> Message:
            if request.kind is Kind.GET_BULK:
                pairs = [((*names, index), Value(Tag.OCTETS, b"ether%d" % index)) for index in (1, 2)]
                return replace(request, kind=Kind.RESPONSE, status=0, index=0, pairs=tuple(pairs))
            return answer(request, scripted.objects)

        before = metrics.NOT_INCREASING._value.get()
        async with agent(PORTS, handler) as scripted, asked(snmp_device(scripted.port)) as source:
            [ports] = await source.run([BYTES])
            assert told(ports) == {"*1": b"100", "*2": b"200"}
        assert metrics.NOT_INCREASING._value.get() == before + 1

    run_async(main())


def test_rows_are_found_by_a_walk_and_then_asked_for_by_name() -> None:
    async def main() -> None:
        sessions = {}
        for number in range(60):
            sessions |= interface(100 + number, f"<l2tp-user{number}>", number)
            sessions |= interface(0xF00000 + number, f"<pppoe-user{number}>", number)
        async with agent(PORTS | sessions) as scripted, asked(snmp_device(scripted.port)) as source:
            [first] = await source.run([BYTES])
            bulk = [request for request in scripted.requests if request.kind is Kind.GET_BULK]
            gets = [request for request in scripted.requests if request.kind is Kind.GET]
            [second] = await source.run([BYTES])
            assert told(first) == told(second) == {"*1": b"100", "*2": b"200"}
            # Interfaces of sessions are looked at to be left out, and cost nothing more; most not even that.
            assert {oid[-1] for request in gets for oid, _ in request.pairs} == {0, 1, 2}
            assert 1 < len(bulk) <= 4
            assert scripted.asked(Kind.GET_BULK) == len(bulk)

    run_async(main())


def test_rows_that_the_command_names_need_no_walk() -> None:
    async def main() -> None:
        chosen = replace(BYTES, queries=(".id=*2", ".id=*9", "#|"))
        async with agent(PORTS) as scripted, asked(snmp_device(scripted.port)) as source:
            [ports] = await source.run([chosen])
            assert told(ports) == {"*2": b"200"}
            assert scripted.asked(Kind.GET_BULK) == 0

    run_async(main())


def test_a_row_that_is_gone_or_renamed_is_noticed_at_once_and_a_new_one_soon() -> None:
    async def main() -> None:
        async with agent(PORTS) as scripted, asked(snmp_device(scripted.port)) as source:
            await source.run([BYTES])
            for oid in interface(1, "ether1"):
                del scripted.objects[oid]
            scripted.objects |= interface(3, "ether3", 300)
            [ports] = await source.run([BYTES])
            assert told(ports) == {"*2": b"200"}
            [ports] = await source.run([BYTES])
            assert told(ports) == {"*2": b"200", "*3": b"300"}
            scripted.objects |= interface(2, "<l2tp-joe>", 5) | interface(4, "ether4", 400)
            [ports] = await source.run([BYTES])
            assert told(ports) == {"*3": b"300"}
            [ports] = await source.run([BYTES])
            assert told(ports) == {"*3": b"300", "*4": b"400"}

    run_async(main())


def test_a_walk_that_the_agent_breaks_off_loses_no_row_that_was_known() -> None:
    async def main() -> None:
        broken = False

        def handler(request: Message) -> Message:
            if broken and request.kind is Kind.GET_BULK:
                pairs = ((request.pairs[0][0], NULL),)
                return replace(request, kind=Kind.RESPONSE, status=GENERAL_ERROR, index=1, pairs=pairs)
            return answer(request, scripted.objects)

        config = QUICK.model_copy(update={"rows_known_for_s": 0.0})
        async with agent(PORTS, handler) as scripted, asked(snmp_device(scripted.port), config) as source:
            await source.run([BYTES])
            broken = True
            [ports] = await source.run([BYTES])
            assert told(ports) == {"*1": b"100", "*2": b"200"}

    run_async(main())


def test_tables_over_the_limits_are_not_read() -> None:
    async def main() -> None:
        many = {}
        for index in range(1, 51):
            many |= interface(index, f"ether{index}")
        async with agent(many) as scripted:
            async with asked(snmp_device(scripted.port)) as source:
                rows, size, fine = await source.run(
                    [replace(BYTES, max_rows=49), replace(BYTES, max_bytes=50), replace(BYTES, max_rows=50)]
                )
                assert rows.trap is not None
                assert rows.trap.too_large
                assert size.trap is not None
                assert size.trap.too_large
                assert fine.rows.count == 50
            config = QUICK.model_copy(update={"walk_rows": 30})
            async with asked(snmp_device(scripted.port), config) as source:
                [walked] = await source.run([BYTES])
                assert walked.trap is not None
                assert walked.trap.too_large

    run_async(main())


def test_few_requests_are_under_way_at_once() -> None:
    async def main() -> None:
        under_way = most = 0
        loop = asyncio.get_running_loop()

        def handler(request: Message) -> None:
            nonlocal under_way, most
            under_way += 1
            most = max(most, under_way)
            address = scripted.address
            loop.call_later(0.01, finish, answer(request, scripted.objects), address)

        def finish(message: Message, address: object) -> None:
            nonlocal under_way
            under_way -= 1
            assert scripted.transport is not None
            scripted.transport.sendto(message.encode(), address)  # type: ignore[arg-type]

        many = {}
        for index in range(1, 101):
            many |= interface(index, f"ether{index}")
        config = SnmpConfig(requests_in_flight=3, repeat_after_s=5.0)
        async with agent(many) as scripted, asked(snmp_device(scripted.port), config) as source:
            scripted.handler = handler
            await source.run([BYTES, UPTIME])
        assert most == 3

    run_async(main())


@pytest.mark.parametrize(
    "noise", [b"\x00", b"HTTP/1.1 400 Bad Request\r\n\r\n", random.Random(0).randbytes(400)]
)
def test_what_is_no_snmp_is_told_so(noise: bytes) -> None:
    async def main() -> None:
        async with agent(PORTS, lambda _: noise) as scripted:
            failure = await failure_of(SnmpSource(snmp_device(scripted.port), TABLES, config=QUICK).connect())
            assert failure.outcome is Outcome.PROTOCOL_ERROR
            assert "isn't SNMP" in failure.reason

        async with agent(PORTS) as scripted, asked(snmp_device(scripted.port)) as source:
            scripted.handler = lambda _: noise
            failure = await failure_of(source.run([BYTES]))
            assert failure.outcome is Outcome.PROTOCOL_ERROR

    run_async(main())


def test_another_maker_s_agent_is_told_so() -> None:
    async def main() -> None:
        async with agent(PORTS) as scripted:
            scripted.objects[1, 3, 6, 1, 2, 1, 1, 2, 0] = Value(Tag.OID, (1, 3, 6, 1, 4, 1, 14988, 2))
            failure = await failure_of(SnmpSource(snmp_device(scripted.port), TABLES, config=QUICK).connect())
            assert failure.outcome is Outcome.PROTOCOL_ERROR
            assert "1.3.6.1.4.1.14988.2" in failure.reason

    run_async(main())


def test_a_closed_port_is_told_by_the_device() -> None:
    async def main() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        failure = await failure_of(SnmpSource(snmp_device(port), TABLES, config=QUICK).connect())
        assert failure.outcome is Outcome.REFUSED
        assert "/snmp set enabled=yes" in failure.reason

    run_async(main())


def test_a_wrong_community_is_silence_and_the_reason_says_so() -> None:
    async def main() -> None:
        def handler(request: Message) -> Message | None:
            return answer(request, ROUTEROS) if request.community == b"right" else None

        async with agent(PORTS, handler) as scripted:
            wrong = snmp_device(scripted.port, "wrong", connect_timeout_s=0.5)
            failure = await failure_of(SnmpSource(wrong, TABLES, config=QUICK).connect())
            assert failure.outcome is Outcome.TIMED_OUT
            assert "community" in failure.reason
            assert "wrong" not in failure.reason.replace("a wrong one gets no answer", "")

    run_async(main())


def test_a_device_without_settings_is_not_asked() -> None:
    async def main() -> None:
        failure = await failure_of(SnmpSource(device(1), TABLES, config=QUICK).connect())
        assert failure.outcome is Outcome.REFUSED
        assert "settings for SNMP" in failure.reason

    run_async(main())


def test_closing_ends_what_is_under_way() -> None:
    async def main() -> None:
        async with (
            agent(PORTS) as scripted,
            asked(snmp_device(scripted.port, command_timeout_s=30.0)) as source,
        ):
            scripted.handler = lambda _: None
            running = asyncio.ensure_future(failure_of(source.run([BYTES])))
            while scripted.requests[-1].kind is not Kind.GET_BULK:
                await asyncio.sleep(0.01)
            await source.close()
            failure = await running
            assert failure.outcome is Outcome.BUSY

    run_async(main())


def test_secrets_are_in_no_text() -> None:
    settings = SnmpSettings(
        SnmpVersion.V3, username="joe", auth_password="hush-hush", priv_password="secret-1"
    )
    assert "hush" not in repr(settings)
    assert "secret-1" not in repr(snmp_device(1, snmp=settings))
    assert ScriptedAgent.__doc__
