"""The hub's end of a link, with edges that don't do as they should."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any
from unittest.mock import patch

import pytest

from mtd.api.link import desk as desk_module
from mtd.api.link.desk import LinkDesk, LinkLost, Pending, Superseding
from mtd.api.link.parts import EdgeState, LinkParts
from mtd.api.link.session import LinkSession
from mtd.core.clock import LEASE_CLOCK
from mtd.core.errors import Retryable, Superseded
from mtd.link.attachment import stamp_of
from mtd.link.config import LinkConfig
from mtd.model.device import DEFAULT_TENANT_ID
from mtd.model.principal import CallerKind, Principal
from mtd.pb.collector.v1 import collector_link_service_pb2 as pb
from mtd.testing.metrics import metric
from tests.integration.link.kit import Decided, until
from tests.unit.link.devices_made import exclusive, leased
from tests.unit.link.scripted_hub import looped

INSTANCE = "10000000-0000-4000-8000-000000000001"


class Hub:
    """A hub without a door."""

    def __init__(self, **config: Any) -> None:
        self.decided = Decided()
        self.desk = LinkDesk(10)
        self.states: list[EdgeState] = []

        async def nothing(*_: Any) -> Any:
            return ()

        async def store(state: EdgeState) -> None:
            self.states.append(state)

        self.parts = LinkParts(
            self.decided,
            self.desk,
            nothing,
            lambda _: b"k" * 32,
            nothing,
            lambda *_: None,
            store,
            LinkConfig(report_interval_s=0.01, **config),
            1.0,
            "1.0",
            LEASE_CLOCK,
        )

    def session(self, name: str = "edge-1") -> LinkSession:
        caller = Principal(
            CallerKind.COLLECTOR, name, DEFAULT_TENANT_ID, None, "ipv4:192.0.2.1:1", f"id-of-{name}"
        )
        return LinkSession(caller, frozenset({DEFAULT_TENANT_ID}), self.parts)


class Edge:
    """Says what the test wants."""

    def __init__(self) -> None:
        self._says: asyncio.Queue[pb.AttachRequest | None] = asyncio.Queue()
        self.read = 0

    def say(self, **message: Any) -> None:
        self._says.put_nowait(pb.AttachRequest(**message))

    def hello(self, **hello: Any) -> None:
        self.say(hello=pb.Hello(instance_id=INSTANCE, **hello))

    async def requests(self) -> AsyncIterator[pb.AttachRequest]:
        while (said := await self._says.get()) is not None:
            self.read += 1
            yield said


async def kinds(responses: Any, count: int) -> list[str | None]:
    return [(await anext(responses)).WhichOneof("message") for _ in range(count)]


@looped
async def test_who_doesnt_read_isnt_listened_to_any_more() -> None:
    hub, edge = Hub(part_devices=1), Edge()
    hub.decided.assign("edge-1", 1, *map(leased, range(1, 201)))
    session = hub.session()
    async with aclosing(session.responses(edge.requests())) as responses:
        edge.hello()
        assert await kinds(responses, 1) == ["welcome"]
        await until(lambda: len(session._out) >= 64)
        for number in range(500):
            edge.say(renew=pb.Renew(sequence=number))
        for _ in range(100):
            await asyncio.sleep(0)
        assert len(session._out) < 200
        assert edge.read < 200, "the rest waits where it costs nothing"
        # Once it reads, it is told all, and heard.
        parts = 0
        while parts < 200:
            parts += (await anext(responses)).WhichOneof("message") == "assignment"
        await until(lambda: edge.read == 501)


@looped
async def test_what_was_let_go_may_not_pile_up_without_end() -> None:
    hub, edge = Hub(), Edge()
    async with aclosing(hub.session().responses(edge.requests())) as responses:
        edge.hello()
        await kinds(responses, 1)
        hub.decided.is_away = True
        for number in range(100):
            edge.say(released=pb.Released(sequence=number, epochs={"a": number}))
        with pytest.raises(Retryable, match="say hello again"):
            await anext(responses)


@looped
async def test_what_was_withdrawn_before_the_edge_was_told_is_let_go_for_it() -> None:
    """And nothing else: what it may poll still, only it can say that it doesn't."""
    hub, edge = Hub(), Edge()
    one, two, three, four = (leased(number).device.device_id for number in range(1, 5))
    hub.decided.assign("edge-1", 1, leased(1, 5), releasing={two: 7})
    async with aclosing(hub.session().responses(edge.requests())) as responses:
        edge.hello(held=[pb.HeldDevice(device_id=two, epoch=7)])
        assert await kinds(responses, 2) == ["welcome", "assignment"]
        hub.decided.assign("edge-1", 2, releasing={one: 5, two: 7, three: 3})
        assert await kinds(responses, 1) == ["assignment"]
        await until(lambda: hub.decided.has_released == [("edge-1", {three: 3})])
        # Once it has said so, they are as unknown to it as any other.
        edge.say(released=pb.Released(sequence=1, epochs={one: 5, two: 6}))
        assert await kinds(responses, 1) == ["noted"]
        hub.decided.assign("edge-1", 3, leased(4), releasing={one: 9, two: 7})
        assert await kinds(responses, 1) == ["assignment"]
        await until(lambda: hub.decided.has_released[-1] == ("edge-1", {one: 9}))
    assert four not in {key for _, epochs in hub.decided.has_released for key in epochs}


@looped
async def test_what_is_told_again_isnt_let_go_by_what_was_said_before() -> None:
    """The edge said it before it heard that it is to poll the device: by now it polls it."""
    hub, edge = Hub(), Edge()
    one = leased(1).device.device_id
    hub.decided.assign("edge-1", 1, leased(1, 7))
    async with aclosing(hub.session().responses(edge.requests())) as responses:
        edge.hello(held=[pb.HeldDevice(device_id=one, epoch=7)])
        assert await kinds(responses, 2) == ["welcome", "assignment"]
        edge.say(released=pb.Released(sequence=1, epochs={one: 7}))
        assert await kinds(responses, 1) == ["noted"]
        hub.decided.assign("edge-1", 2, releasing={one: 7})
        assert await kinds(responses, 1) == ["assignment"]
        for _ in range(100):
            await asyncio.sleep(0)
        assert not any(epochs for _, epochs in hub.decided.has_released), "it is polled still"
        edge.say(released=pb.Released(sequence=2, epochs={one: 7}))
        assert await kinds(responses, 1) == ["noted"]
        assert hub.decided.has_released[-1] == ("edge-1", {one: 7})


@looped
async def test_what_couldnt_be_noted_before_it_was_told_again_isnt_noted_at_all() -> None:
    hub, edge = Hub(), Edge()
    one, two = (leased(number).device.device_id for number in (1, 2))
    session = hub.session()
    async with aclosing(session.responses(edge.requests())) as responses:
        edge.hello()
        await kinds(responses, 1)
        hub.decided.is_away = True
        edge.say(released=pb.Released(sequence=1, epochs={one: 7, two: 3}))
        await until(lambda: session._released)
        hub.decided.is_away = False
        hub.decided.assign("edge-1", 1, leased(1, 7))
        assert await kinds(responses, 2) == ["assignment", "noted"]
        assert hub.decided.has_released == [("edge-1", {two: 3})]


@looped
async def test_clocks_are_compared_by_half_of_the_way_to_and_fro() -> None:
    hub, edge = Hub(), Edge()
    session = hub.session()
    async with aclosing(session.responses(edge.requests())) as responses:
        edge.hello()
        await kinds(responses, 1)
        behind_us = LEASE_CLOCK.now_us() - 10_000_000
        edge.say(renew=pb.Renew(sequence=1, sent_at=stamp_of(behind_us), round_trip_s=4.0))
        renewed = (await anext(responses)).renewed
        assert renewed.clock_ahead_s == pytest.approx(-8.0, abs=1.0)
        assert renewed.lease_s == pytest.approx(60.0, abs=1.0)
        await until(lambda: hub.states and hub.states[-1].clock_ahead_s < -5)
        assert (hub.states[-1].name, hub.states[-1].collector_id) == ("edge-1", "id-of-edge-1")


@looped
async def test_numbers_that_an_edge_makes_up_harm_nobody() -> None:
    hub, edge = Hub(), Edge()
    async with aclosing(hub.session().responses(edge.requests())) as responses:
        edge.hello()
        await kinds(responses, 1)
        report = pb.CollectorReport(
            buffer_events=-(2**63), poll_errors=2**63 - 1, devices=2**31 - 1, pressure="x" * 1000
        )
        report.last_push_time.seconds = 2**40
        edge.say(renew=pb.Renew(sequence=1, report=report))
        assert await kinds(responses, 1) == ["renewed"]
        await until(lambda: hub.states and hub.states[-1].report.devices)
        told = hub.states[-1].report
        assert (told.buffer_events, told.pressure) == (0, "x" * 16)
        assert max(told.poll_errors, told.last_push_us) <= 2**62


@looped
async def test_what_was_let_go_is_noted_once_that_can_be() -> None:
    hub, edge = Hub(), Edge()
    async with aclosing(hub.session().responses(edge.requests())) as responses:
        edge.hello()
        await kinds(responses, 1)
        hub.decided.is_away = True
        edge.say(released=pb.Released(sequence=1, epochs={"a": 1}))
        edge.say(released=pb.Released(sequence=2, epochs={"b": 2}))
        edge.say(applied=pb.Applied(revision=5))
        edge.say(renew=pb.Renew(sequence=1))
        assert (await anext(responses)).renewed.lease_s == 0, "it can't be told"
        hub.decided.is_away = False
        assert await kinds(responses, 2) == ["noted", "noted"]
        assert hub.decided.has_applied == [("edge-1", 5)]
        assert hub.decided.has_released == [("edge-1", {"a": 1, "b": 2})]


@looped
async def test_a_newer_link_of_the_same_collector_ends_the_older() -> None:
    hub = Hub()
    first, second = Edge(), Edge()
    async with aclosing(hub.session().responses(first.requests())) as older:
        first.hello()
        await kinds(older, 1)
        session = hub.session()
        async with aclosing(session.responses(second.requests())) as newer:
            second.hello(resumes=True)
            await kinds(newer, 1)
            with pytest.raises(Superseding):
                await anext(older)
            assert hub.desk.links() == [session]
    assert hub.desk.links() == []


@looped
async def test_who_lost_its_place_is_told_so() -> None:
    hub, edge = Hub(), Edge()
    async with aclosing(hub.session().responses(edge.requests())) as responses:
        edge.hello()
        await kinds(responses, 1)
        other = pb.Hello(instance_id="10000000-0000-4000-8000-000000000002")
        facts, _, _ = hub.decided.joined[0]
        await hub.decided.join(type(facts)(facts.collector_id, "edge-1", other.instance_id, None))
        edge.say(renew=pb.Renew(sequence=1))
        with pytest.raises(Superseded):
            await anext(responses)


@looped
async def test_rows_beyond_what_was_asked_for_end_the_command() -> None:
    hub, edge = Hub(), Edge()
    hub.decided.assign("edge-1", 1, exclusive(1))
    session = hub.session()
    async with aclosing(session.responses(edge.requests())) as responses:
        edge.hello(capabilities=["tool:ping"])
        assert await kinds(responses, 2) == ["welcome", "assignment"]
        asked = hub.desk.ask(session, pb.Command(timeout_s=30, run_tool=pb.RunTool()), 2)
        getting = asyncio.ensure_future(anext(asked))
        command = (await anext(responses)).command
        rows = pb.ToolRows(rows=[pb.ToolRow()] * 3)
        edge.say(command=pb.CommandUpdate(command_id="nobody's", rows=rows))
        edge.say(command=pb.CommandUpdate(command_id=command.command_id, rows=rows))
        with pytest.raises(LinkLost, match="more rows"):
            await getting
        # One that nobody waits for any more is ended at the edge.
        asked = hub.desk.ask(session, pb.Command(timeout_s=0, run_tool=pb.RunTool()), 2)
        hub.desk._pending.clear()
        getting = asyncio.ensure_future(anext(asked))
        command = (await anext(responses)).command
        getting.cancel()
        await asyncio.gather(getting, return_exceptions=True)
        assert (await anext(responses)).cancel.command_id == command.command_id


def _counted(command: str, result: str) -> float:
    labels = {"command": command, "result": result}
    return metric("mtd_link_commands_total", **labels)


@looped
async def test_what_was_done_is_counted_as_done_and_not_cancelled() -> None:
    hub, edge = Hub(), Edge()
    session = hub.session()
    before = _counted("refresh_capabilities", "ok"), _counted("refresh_capabilities", "cancelled")
    async with aclosing(session.responses(edge.requests())) as responses:
        edge.hello()
        await kinds(responses, 1)
        work = pb.RefreshCapabilities(device_id="one")
        asking = asyncio.ensure_future(
            hub.desk.answer(session, pb.Command(timeout_s=30, refresh_capabilities=work))
        )
        command = (await anext(responses)).command
        done = pb.RefreshedCapabilities(log_id="log", log_seq=3)
        edge.say(command=pb.CommandUpdate(command_id=command.command_id, refreshed=done))
        assert (await asking).refreshed == done
        edge.say(renew=pb.Renew(sequence=1))
        assert await kinds(responses, 1) == ["renewed"], "nothing was cancelled"
    after = _counted("refresh_capabilities", "ok"), _counted("refresh_capabilities", "cancelled")
    assert after == (before[0] + 1, before[1])


@looped
async def test_who_is_slow_with_what_came_is_not_cancelled_but_told_that_it_is_late() -> None:
    hub, edge = Hub(), Edge()
    session = hub.session()
    async with aclosing(session.responses(edge.requests())) as responses:
        edge.hello()
        await kinds(responses, 1)
        rows = pb.ToolRows(rows=[pb.ToolRow()])

        async def answer() -> str:
            command = (await anext(responses)).command
            for _ in range(2):
                edge.say(command=pb.CommandUpdate(command_id=command.command_id, rows=rows))
            return command.command_id

        asked = hub.desk.ask(session, pb.Command(timeout_s=0, run_tool=pb.RunTool()), 2)
        answering = asyncio.ensure_future(answer())
        async with aclosing(asked):
            with patch.object(desk_module, "_GRACE_S", 1.0):
                assert (await anext(asked)).rows == rows
            await asyncio.sleep(1.2)  # as a caller does that reads slowly
            assert (await anext(asked)).rows == rows, "it came in time"
            with pytest.raises(Retryable, match="did not do it within"):
                await anext(asked)
        assert (await anext(responses)).cancel.command_id == await answering


def test_a_command_that_failed_has_what_came_before() -> None:
    pending = Pending(Hub().session(), 10)
    pending.take(pb.CommandUpdate(rows=pb.ToolRows()))
    pending.fail(Retryable("gone"))

    async def body() -> None:
        assert (await pending.next()).WhichOneof("update") == "rows"
        with pytest.raises(Retryable, match="gone"):
            await pending.next()

    looped(body)()
