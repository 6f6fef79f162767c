"""A session against a router whose every word the test decides."""

from __future__ import annotations

import asyncio

import pytest
from zope.interface.verify import verifyObject

from mtd.model.command import Command, Trap
from mtd.model.device import Outcome
from mtd.sources.interfaces import ISource
from mtd.sources.routeros_api import RouterOsApiConfig, RouterOsApiSource
from mtd.sources.routeros_api.session import _Run
from mtd.testing import run_async
from mtd.testing.metrics import metric
from tests.integration.sources.devices import QUICK, connected, device, failure_of
from tests.integration.sources.scripted_router import (
    Handler,
    Peer,
    ScriptedRouter,
    Sentence,
    attribute,
    packed,
    running,
    tag_of,
)

ECHO = [Command(f"/menu{number}/print", ("name",)) for number in range(12)]


async def echo(peer: Peer, sentence: Sentence) -> None:
    """Answer with one row: the path."""
    peer.say(b"!re", b"=name=" + sentence[0], tag=tag_of(sentence))
    peer.say(b"!done", tag=tag_of(sentence))


class FixedClock:
    """A clock that counts its readings."""

    def __init__(self) -> None:
        self.readings = 0

    def now_us(self) -> int:
        return 1_000_000 + self.readings

    def monotonic(self) -> float:
        self.readings += 1
        return float(self.readings)


def test_it_is_a_source() -> None:
    verifyObject(ISource, RouterOsApiSource(device(1)))


def test_what_the_socket_does_not_take_at_once_is_sent_in_order_all_the_same() -> None:
    long = [Command(f"/menu{n}/print", arguments=(("x", f"{n}" * 8_000),)) for n in range(10, 22)]

    async def main() -> None:
        async with running(ScriptedRouter(echo)) as router, connected(device(router.port)) as source:
            # Nearly 200 kB, more than one send takes, and then a little more, which must not overtake it.
            asked = asyncio.gather(source.run(long), source.run(ECHO))
            replies, echoes = await asked
            assert [reply.rows.column("name") for reply in replies] == [(c.path.encode(),) for c in long]
            assert [reply.command for reply in echoes] == ECHO
            heard = router.peers[0].heard[1:]
            assert [sentence[0] for sentence in heard] == [c.path.encode() for c in (*long, *ECHO)]
            assert all(
                attribute(sentence, b"x") == b"%d" % n * 8_000
                for n, sentence in zip(range(10, 22), heard, strict=False)
            )

    run_async(main())


def test_many_commands_go_out_at_once_and_come_back_in_order() -> None:
    async def reversed_order(peer: Peer, sentence: Sentence) -> None:
        # Nothing is answered until all is heard: it was sent at once. Then the last comes first.
        if len(peer.heard) == 1 + len(ECHO):
            for heard in reversed(peer.heard[1:]):
                await echo(peer, heard)

    async def main() -> None:
        async with (
            running(ScriptedRouter(reversed_order)) as router,
            connected(device(router.port)) as source,
        ):
            replies = await source.run(ECHO)
            assert [reply.command for reply in replies] == ECHO
            assert [reply.rows.column("name") for reply in replies] == [(c.path.encode(),) for c in ECHO]
            assert source.connected
            assert source.outcome is None

    run_async(main())


def test_a_router_is_given_no_more_at_once_than_it_may_have_in_flight() -> None:
    most = 0

    async def counting(peer: Peer, sentence: Sentence) -> None:
        nonlocal most
        # Answered one turn later: what is in flight by then was sent together.
        most = max(most, len(peer.heard))
        await asyncio.sleep(0)
        await echo(peer, sentence)

    async def main() -> None:
        config = RouterOsApiConfig(commands_in_flight=5)
        async with (
            running(ScriptedRouter(counting)) as router,
            connected(device(router.port), config) as source,
        ):
            assert len(await source.run(ECHO)) == len(ECHO)
            sizes = [len(reply) for reply in [await source.run([])]]
            assert sizes == [0]

    run_async(main())


def test_replies_carry_the_time_of_their_first_byte() -> None:
    async def main() -> None:
        clock = FixedClock()
        async with (
            running(ScriptedRouter(echo)) as router,
            connected(device(router.port), clock=clock) as source,
        ):
            before = clock.readings
            (reply,) = await source.run(ECHO[:1])
            assert before < reply.received_at <= clock.readings
            assert reply.received_us > 1_000_000
            assert reply.duration_s > 0

    run_async(main())


def test_a_trap_fails_its_command_only() -> None:
    async def handler(peer: Peer, sentence: Sentence) -> None:
        if sentence[0] == b"/menu1/print":
            peer.say(b"!trap", b"=category=0", b"=message=no such command prefix", tag=tag_of(sentence))
            peer.say(b"!done", tag=tag_of(sentence))
        else:
            await echo(peer, sentence)

    async def main() -> None:
        async with running(ScriptedRouter(handler)) as router, connected(device(router.port)) as source:
            one, two, three = await source.run(ECHO[:3])
            assert one.trap is None
            assert three.trap is None
            assert two.trap == Trap("no such command prefix", 0)
            assert two.trap.no_such_command

    run_async(main())


async def honours_cancel(peer: Peer, sentence: Sentence) -> None:
    """Leave /slow unanswered until it is cancelled; answer the rest."""
    if sentence[0] == b"/cancel":
        target = attribute(sentence, b"tag") or b""
        peer.say(b"!trap", b"=category=2", b"=message=interrupted", tag=b".tag=" + target)
        peer.say(b"!done", tag=tag_of(sentence))
        peer.say(b"!done", tag=b".tag=" + target)
    elif sentence[0] == b"/slow":
        peer.say(b"!re", b"=name=partial", tag=tag_of(sentence))
    else:
        await echo(peer, sentence)


def test_a_command_at_its_deadline_is_cancelled_and_the_session_goes_on() -> None:
    async def main() -> None:
        async with (
            running(ScriptedRouter(honours_cancel)) as router,
            connected(device(router.port)) as source,
        ):
            fast, slow = await source.run([ECHO[0], Command("/slow")], timeout_s=0.1)
            assert fast.trap is None
            assert slow.trap is not None
            assert slow.trap.timed_out
            assert slow.rows.count == 0
            (again,) = await source.run(ECHO[:1])
            assert again.trap is None

    run_async(main())


@pytest.mark.parametrize(("max_rows", "rows", "cancelled"), [(50_000, 6, 0), (50_000, 2, 1), (5_000, 6, 1)])
def test_a_large_table_may_take_longer_as_long_as_it_comes(max_rows: int, rows: int, cancelled: int) -> None:
    """Of a command that promised to be short the deadline is the deadline."""

    async def handler(peer: Peer, sentence: Sentence) -> None:
        if sentence[0] == b"/cancel":
            return await honours_cancel(peer, sentence)
        for number in range(rows):
            peer.say(b"!re", b"=.id=*%d" % number, tag=tag_of(sentence))
            await peer.writer.drain()
            await asyncio.sleep(0.05)
        if rows > 2:
            peer.say(b"!done", tag=tag_of(sentence))
        return None

    async def main() -> None:
        async with running(ScriptedRouter(handler)) as router, connected(device(router.port)) as source:
            before = metric("mtd_source_cancelled_total", cause="deadline")
            (reply,) = await source.run([Command("/slow", max_rows=max_rows)], timeout_s=0.2)
            assert metric("mtd_source_cancelled_total", cause="deadline") - before == cancelled
            assert reply.rows.count == (rows if rows > 2 else 0)
            assert (reply.trap is not None) is (rows == 2)
            assert source.connected

    run_async(main())


@pytest.mark.parametrize("trap", [[b"=message=interrupted"], [b"=category=5", b"=message=failure"], []])
def test_whatever_ends_a_cancelled_command_is_its_deadline(trap: list[bytes]) -> None:
    async def handler(peer: Peer, sentence: Sentence) -> None:
        if sentence[0] == b"/cancel":
            target = b".tag=" + (attribute(sentence, b"tag") or b"")
            peer.say(b"!trap", *trap, tag=target)
            peer.say(b"!done", tag=target)

    async def main() -> None:
        async with running(ScriptedRouter(handler)) as router, connected(device(router.port)) as source:
            (slow,) = await source.run([Command("/slow")], timeout_s=0.1)
            assert slow.trap is not None
            assert slow.trap.timed_out
            assert source.connected

    run_async(main())


def test_an_answer_in_the_turn_of_its_deadline_is_an_answer() -> None:
    async def main() -> None:
        async with running(ScriptedRouter(echo)) as router, connected(device(router.port)) as source:
            waiting = asyncio.ensure_future(source.run(ECHO[:1], timeout_s=0.1))
            await asyncio.sleep(0.05)
            assert waiting.done(), "the answer is there"
            session = source._session
            assert session is not None
            loop = asyncio.get_running_loop()
            run = _Run(loop.create_future(), [None], 0, 0.0, 0.1, [b"1"])
            cancelled = metric("mtd_source_cancelled_total", cause="deadline")
            session._deadline(run)
            session._give_up(run)
            assert run.timer is None
            assert metric("mtd_source_cancelled_total", cause="deadline") == cancelled
            assert source.connected
            assert (await source.run(ECHO[:1]))[0].trap is None

    run_async(main())


def test_a_caller_that_gives_up_leaves_no_command_behind() -> None:
    async def silent(peer: Peer, sentence: Sentence) -> None:
        """Never answer."""

    async def main(handler: Handler, *, survives: bool) -> None:
        async with running(ScriptedRouter(handler)) as router, connected(device(router.port)) as source:
            task = asyncio.ensure_future(source.run([Command("/slow")], timeout_s=5.0))
            while len(router.peers[0].heard) < 2:
                await asyncio.sleep(0.001)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            session = source._session
            assert session is not None
            while session.in_flight:
                await asyncio.sleep(0.01)
            assert source.connected is survives
            if survives:
                await asyncio.sleep(QUICK.cancel_grace_s)
                assert source.connected

    run_async(main(honours_cancel, survives=True))
    run_async(main(silent, survives=False))


def test_a_close_that_is_cancelled_twice_still_cuts_the_connection() -> None:
    async def main() -> None:
        async with (
            running(ScriptedRouter(honours_cancel)) as router,
            connected(device(router.port)) as source,
        ):
            session = source._session
            assert session is not None
            cut: list[str] = []
            session._protocol.lose = lambda: None  # type: ignore[method-assign]  # a peer that doesn't end it
            abort = session._protocol.abort
            session._protocol.abort = lambda: (cut.append("cut"), abort())[1]  # type: ignore[method-assign]
            closing = asyncio.ensure_future(session.close())
            await asyncio.sleep(0)
            closing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await closing
            assert cut == ["cut"]

    run_async(main())


def test_a_flood_that_answers_nothing_ends_the_session() -> None:
    async def floods(peer: Peer, sentence: Sentence) -> None:
        peer.writer.write(packed(b"!re", b".tag=stray", b"=name=x") * 5000)
        await echo(peer, sentence)

    async def main() -> None:
        async with running(ScriptedRouter(floods)) as router:
            source = RouterOsApiSource(device(router.port), config=QUICK)
            await source.connect()
            failure = await failure_of(source.run(ECHO[:1]))
            assert failure.outcome is Outcome.PROTOCOL_ERROR
            assert "answer nothing" in failure.reason
            await source.close()

    run_async(main())


def test_a_router_that_ignores_the_cancel_is_dropped() -> None:
    async def silent(peer: Peer, sentence: Sentence) -> None:
        if sentence[0] == b"/menu0/print":
            await echo(peer, sentence)

    async def main() -> None:
        async with running(ScriptedRouter(silent)) as router:
            source = RouterOsApiSource(device(router.port), config=QUICK)
            await source.connect()
            before = metric("mtd_source_failures_total", outcome="timed_out")
            failure = await failure_of(source.run(ECHO, timeout_s=0.1))
            assert failure.outcome is Outcome.TIMED_OUT
            assert "/menu1/print" in failure.reason
            assert not source.connected
            assert (await failure_of(source.run(ECHO[:1]))).outcome is Outcome.TIMED_OUT
            assert [words[0] for words in router.peers[0].heard].count(b"/cancel") == len(ECHO) - 1
            assert metric("mtd_source_failures_total", outcome="timed_out") == before + 1
            # Told to, it connects again.
            await source.connect()
            assert source.connected
            assert source.outcome is None
            await source.close()

    run_async(main())


def rows_of(count: int, tag: bytes) -> bytes:
    return packed(b"!re", tag, b"=name=x") * count


def test_a_reply_over_its_rows_is_cancelled_and_the_session_goes_on() -> None:
    async def handler(peer: Peer, sentence: Sentence) -> None:
        if sentence[0] == b"/big":
            peer.writer.write(rows_of(500, tag_of(sentence)))
        else:
            await honours_cancel(peer, sentence)

    async def main() -> None:
        async with running(ScriptedRouter(handler)) as router, connected(device(router.port)) as source:
            big, other = await source.run([Command("/big", max_rows=100), ECHO[0]])
            assert big.trap is not None
            assert big.trap.too_large
            assert "over 100 rows" in big.trap.message
            assert big.rows.count == 0
            assert other.rows.count == 1
            assert (await source.run(ECHO[:1]))[0].trap is None

    run_async(main())


def test_a_flood_that_ignores_the_cancel_is_cut_and_others_are_served() -> None:
    sent = 0

    async def flood(peer: Peer, sentence: Sentence) -> None:
        nonlocal sent
        block = rows_of(2000, tag_of(sentence))
        while sent < 10_000_000:
            peer.writer.write(block)
            await peer.writer.drain()
            sent += 2000

    async def main() -> None:
        async with (
            running(ScriptedRouter(flood)) as hostile,
            running(ScriptedRouter(echo)) as kind,
            connected(device(kind.port)) as other,
        ):
            source = RouterOsApiSource(device(hostile.port, command_timeout_s=5.0), config=QUICK)
            await source.connect()
            flooded = asyncio.ensure_future(failure_of(source.run([Command("/flood")])))
            slowest = 0.0
            while not flooded.done():
                (reply,) = await other.run(ECHO[:1], timeout_s=2.0)
                slowest = max(slowest, reply.duration_s)
            failure = await flooded
            assert failure.outcome is Outcome.REPLY_TOO_LARGE
            assert "over 10,000 rows" in failure.reason
            assert slowest < 0.5
            await source.close()

    run_async(main())
    # Cut after its rows, what may still come after the cancel, and what the sockets hold.
    assert sent < 2_000_000


def test_a_cancelled_caller_leaves_the_session_usable() -> None:
    async def main() -> None:
        async with (
            running(ScriptedRouter(honours_cancel)) as router,
            connected(device(router.port)) as source,
        ):
            task = asyncio.ensure_future(source.run([Command("/slow")], timeout_s=5.0))
            while len(router.peers[0].heard) < 2:
                await asyncio.sleep(0.01)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert task.cancelled()
            assert (await source.run(ECHO[:1]))[0].trap is None
            assert b"/cancel" in [words[0] for words in router.peers[0].heard]

    run_async(main())


def test_every_command_in_flight_hears_of_a_lost_session() -> None:
    async def hang_up(peer: Peer, sentence: Sentence) -> None:
        if sentence[0] == b"/menu1/print":
            peer.writer.close()

    async def main() -> None:
        async with running(ScriptedRouter(hang_up)) as router:
            source = RouterOsApiSource(device(router.port), config=QUICK)
            await source.connect()
            failures = await asyncio.gather(
                failure_of(source.run(ECHO[:1])), failure_of(source.run(ECHO[1:2]))
            )
            assert [failure.outcome for failure in failures] == [Outcome.BUSY] * 2
            assert not source.connected

    run_async(main())


def test_a_session_lost_while_idle_is_noticed() -> None:
    async def main() -> None:
        async with running(ScriptedRouter(echo)) as router:
            source = RouterOsApiSource(device(router.port), config=QUICK)
            await source.connect()
            router.peers[0].writer.close()
            while source.connected:
                await asyncio.sleep(0.01)
            assert source.outcome is not None
            assert source.outcome.outcome is Outcome.BUSY
            assert (await failure_of(source.run(ECHO[:1]))).outcome is Outcome.BUSY
            await source.close()

    run_async(main())


def test_running_before_connecting_is_told() -> None:
    async def main() -> None:
        failure = await failure_of(RouterOsApiSource(device(1)).run(ECHO[:1]))
        assert failure.outcome is Outcome.UNREACHABLE

    run_async(main())


def test_closing_is_bounded_even_if_the_router_reads_nothing() -> None:
    async def main() -> None:
        async with (
            running(ScriptedRouter(honours_cancel)) as router,
            connected(device(router.port)) as source,
        ):
            loop = asyncio.get_running_loop()
            task = asyncio.ensure_future(failure_of(source.run([Command("/slow")], timeout_s=5.0)))
            await asyncio.sleep(0)
            started = loop.time()
            await source.close()
            await source.close()
            assert loop.time() - started < 1.0
            assert (await task).outcome is Outcome.BUSY

    run_async(main())


def test_sessions_rows_and_bytes_are_counted() -> None:
    async def main() -> None:
        async with running(ScriptedRouter(echo)) as router:
            names = ("commands_total", "rows_total", "received_bytes_total", "sent_bytes_total", "sessions")
            before = [metric(f"mtd_source_{name}") for name in names]
            async with connected(device(router.port)) as source:
                await source.run(ECHO)
                after = [metric(f"mtd_source_{name}") for name in names]
            commands, rows, received, sent, sessions = (b - a for a, b in zip(before, after, strict=True))
            assert (commands, rows, sessions) == (len(ECHO) + 1, len(ECHO), 1)
            assert received > 300
            assert sent > 300
            # Of a session that ended as well: nothing may be lost on the way to the router's account.
            assert source.traffic == (commands, sent, received)
            assert metric("mtd_source_sessions") == before[-1]

    run_async(main())
