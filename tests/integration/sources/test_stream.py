"""Commands that go on: rows as they come, ends, cancelling. Against a router whose every word the test decides."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from mtd.core.clock import SYSTEM_CLOCK
from mtd.model.command import Command, Rows
from mtd.model.device import Outcome
from mtd.sources.errors import SessionFailed
from mtd.sources.routeros_api import RouterOsApiConfig
from mtd.sources.routeros_api.opening import Tools, open_session, shared_patterns
from mtd.sources.routeros_api.session import ApiSession
from mtd.sources.steps import Steps
from mtd.sources.tcp.reactor import default_reactor
from mtd.testing import run_async
from tests.integration.sources.devices import device
from tests.integration.sources.scripted_router import Handler, Peer, ScriptedRouter, Sentence, running, tag_of

PING = Command("/ping", arguments=(("address", "192.0.2.1"),))


def run(handler: Handler, body: Callable[[ApiSession, ScriptedRouter], Awaitable[None]]) -> None:
    async def main() -> None:
        async with running(ScriptedRouter(handler)) as router:
            settings = RouterOsApiConfig(cancel_grace_s=5.0)
            tools = Tools(SYSTEM_CLOCK, settings, shared_patterns(), default_reactor())
            session = await open_session(device(router.port), tools, Steps(SYSTEM_CLOCK))
            try:
                await body(session, router)
            finally:
                await session.close()

    run_async(main())


async def endless(peer: Peer, sentence: Sentence) -> None:
    """Answer a ping with two rows, and go on until cancelled; answer all else at once."""
    tag = tag_of(sentence)
    if sentence[0] == b"/cancel":
        target = b".tag=" + next(word[5:] for word in sentence if word.startswith(b"=tag="))
        peer.say(b"!trap", b"=category=2", b"=message=interrupted", tag=target)
        peer.say(b"!done", tag=target)
    elif sentence[0] == b"/ping":
        for number in range(2):
            peer.say(b"!re", b"=seq=%d" % number, tag=tag)
        return
    peer.say(b"!done", tag=tag)


def test_rows_come_before_the_end() -> None:
    first = asyncio.Event()

    async def paused(peer: Peer, sentence: Sentence) -> None:
        tag = tag_of(sentence)
        peer.say(b"!re", b"=seq=0", tag=tag)
        await peer.writer.drain()
        await asyncio.wait_for(first.wait(), 20)  # the end is said when the row was seen
        peer.say(b"!re", b"=seq=1", tag=tag)
        peer.say(b"!done", b"=ret=2", tag=tag)

    async def body(session: ApiSession, _: ScriptedRouter) -> None:
        seen: list[bytes | None] = []

        def on_rows(rows: Rows) -> None:
            seen.extend(rows.column("seq"))
            first.set()

        reply = await session.stream(PING, 20.0, on_rows)
        assert seen == [b"0", b"1"]
        assert (reply.rows.count, reply.trap, reply.done) == (0, None, {"ret": b"2"})

    run(paused, body)


def test_a_deadline_cancels_the_command_and_leaves_the_session() -> None:
    async def body(session: ApiSession, router: ScriptedRouter) -> None:
        seen: list[Rows] = []
        reply = await session.stream(PING, 0.1, seen.append)
        assert sum(rows.count for rows in seen) == 2
        assert reply.trap is not None
        assert reply.trap.timed_out
        assert [sentence[0] for sentence in router.peers[0].heard[1:]] == [b"/ping", b"/cancel"]
        assert (await session.run([Command("/x/print")], 20.0))[0].trap is None

    run(endless, body)


def test_who_stops_listening_has_the_command_cancelled() -> None:
    async def body(session: ApiSession, router: ScriptedRouter) -> None:
        came = asyncio.Event()
        task = asyncio.ensure_future(session.stream(PING, 60.0, lambda _: came.set()))
        await asyncio.wait_for(came.wait(), 20)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        # What is asked next is answered after the router took the cancel.
        assert (await session.run([Command("/x/print")], 20.0))[0].trap is None
        assert [sentence[0] for sentence in router.peers[0].heard[1:3]] == [b"/ping", b"/cancel"]
        assert session.in_flight == 0

    run(endless, body)


def test_a_lost_session_is_told() -> None:
    async def vanish(peer: Peer, sentence: Sentence) -> None:
        await endless(peer, sentence)
        await peer.writer.drain()
        peer.writer.close()

    async def body(session: ApiSession, _: ScriptedRouter) -> None:
        with pytest.raises(SessionFailed) as caught:
            await session.stream(PING, 20.0, lambda _: None)
        assert caught.value.outcome is Outcome.BUSY

    run(vanish, body)
