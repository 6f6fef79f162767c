"""Each way to fail has its own outcome, and a reason that says what to do."""

from __future__ import annotations

import asyncio
import gc
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from twisted.internet import defer
from twisted.internet.testing import StringTransport

from mtd.lab.certificates import Authority
from mtd.model.device import Outcome, TlsMode
from mtd.sources.routeros_api import ConnectionTest, RouterOsApiConfig, RouterOsApiSource, test_connection
from mtd.sources.tcp.connect import connect_tcp, secure
from mtd.sources.tcp.protocol import OneConnection, Stream
from mtd.sources.tcp.reactor import default_reactor
from mtd.sources.tcp.tls import TlsClient, context_for
from mtd.testing import run_async
from tests.integration.sources.devices import QUICK, NamesKnown, device, failure_of
from tests.integration.sources.scripted_router import Peer, ScriptedRouter, packed, running, tag_of


def says(data: bytes, *, hang_up: bool = False) -> Callable[[Peer], Awaitable[None]]:
    """Return what a stranger does: say something, and then listen in silence or hang up."""

    async def first(peer: Peer) -> None:
        peer.writer.write(data)
        if not hang_up:
            await peer.reader.read()

    return first


def says_after_hearing(data: bytes) -> Callable[[Peer], Awaitable[None]]:
    async def first(peer: Peer) -> None:
        await peer.reader.read(1)
        peer.writer.write(data)
        await peer.reader.read()

    return first


async def outcome_of(router: ScriptedRouter, **settings: Any) -> tuple[Outcome, str, str]:
    """Return the outcome, the step that failed, and the reason."""
    async with running(router):
        result = await test_connection(device(router.port, **settings), config=QUICK)
    failed = [step.name for step in result.steps if not step.ok]
    return result.outcome, failed[0] if failed else "", result.reason


@pytest.mark.parametrize(
    ("first", "outcome", "hint"),
    [
        (says(b"SSH-2.0-OpenSSH_9.2\r\n"), Outcome.PROTOCOL_ERROR, "SSH server"),
        (says(b"220 mail ESMTP\r\n"), Outcome.PROTOCOL_ERROR, "mail or FTP"),
        (says_after_hearing(b"HTTP/1.1 400 Bad Request\r\n\r\n"), Outcome.PROTOCOL_ERROR, "web server"),
        (says_after_hearing(b"\x15\x03\x01\x00\x02\x02\x46"), Outcome.PROTOCOL_ERROR, "speaks TLS"),
        (says_after_hearing(bytes(range(7, 200))), Outcome.PROTOCOL_ERROR, "check that the host and port"),
        (says_after_hearing(b"\xf0\x40\x00\x00\x00!"), Outcome.PROTOCOL_ERROR, "1,073,741,824 bytes"),
        (says(b""), Outcome.TIMED_OUT, "API over TLS"),
        (says(b"", hang_up=True), Outcome.BUSY, "/ip/service"),
        (says_after_hearing(packed(b"!fatal", b"too many sessions")), Outcome.BUSY, "too many sessions"),
        (says_after_hearing(packed(b"!fatal", b"not logged in")), Outcome.LOGIN_FAILED, "not logged in"),
        (
            says_after_hearing(packed(b"!fatal", b"too many commands before login")),
            Outcome.BUSY,
            "too many commands before login",
        ),
        (says_after_hearing(packed(b"!fatal", b"login failure")), Outcome.LOGIN_FAILED, "allowed addresses"),
        (says_after_hearing(packed(b"!done", b"=ret=zz")), Outcome.PROTOCOL_ERROR, "challenge"),
    ],
)
def test_whoever_else_answers_is_named(
    first: Callable[[Peer], Awaitable[None]], outcome: Outcome, hint: str
) -> None:
    result, step, reason = run_async(outcome_of(ScriptedRouter(first=first), command_timeout_s=0.2))
    assert (result, step) == (outcome, "login")
    assert hint in reason


@pytest.mark.parametrize("challenge", [b"", b"0123456789abcdef"])
def test_a_wrong_password_is_told_by_both_logins(challenge: bytes) -> None:
    router = ScriptedRouter(challenge=challenge)
    result, step, reason = run_async(outcome_of(router, password="wrong"))
    assert (result, step) == (Outcome.LOGIN_FAILED, "login")
    assert "invalid user name or password" in reason
    assert "wrong" not in reason


def test_the_challenge_login_is_the_old_one() -> None:
    async def answers(peer: Peer, sentence: list[bytes]) -> None:
        peer.say(b"!re", b"=name=old", b"=version=6.42", b"=board-name=RB433", tag=tag_of(sentence))
        peer.say(b"!done", tag=tag_of(sentence))

    async def main() -> None:
        async with running(ScriptedRouter(answers, challenge=b"0123456789abcdef")) as router:
            result = await test_connection(device(router.port), config=QUICK)
            assert result.ok
            assert [step.name for step in result.steps] == ["resolve", "connect", "login", "read"]
            assert result.steps[2].detail == "challenge"
            assert (result.identity, result.board_name, result.routeros_version) == ("old", "RB433", "6.42")

    run_async(main())


def test_a_user_who_may_not_read_is_told() -> None:
    async def denies(peer: Peer, sentence: list[bytes]) -> None:
        peer.say(b"!trap", b"=message=not enough permissions (9)", tag=tag_of(sentence))
        peer.say(b"!done", tag=tag_of(sentence))

    result, step, reason = run_async(outcome_of(ScriptedRouter(denies)))
    assert (result, step) == (Outcome.NOT_PERMITTED, "read")
    assert "policies" in reason


def test_nobody_on_the_port() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, but not listening: nobody else can be there
        result = run_async(test_connection(device(taken.getsockname()[1]), config=QUICK))
    assert result.outcome is Outcome.REFUSED
    assert [(step.name, step.ok) for step in result.steps] == [("resolve", True), ("connect", False)]


def test_a_host_that_drops_packets() -> None:
    async def main() -> None:
        with socket.socket() as full, socket.socket() as one:
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            one.setblocking(False)
            one.connect_ex(full.getsockname())  # the queue is full: the kernel drops the next ones
            await asyncio.sleep(0)
            with socket.socket() as two:
                two.setblocking(False)
                two.connect_ex(full.getsockname())
                settings = device(full.getsockname()[1], connect_timeout_s=0.6)
                result = await test_connection(settings, config=QUICK)
        assert result.outcome is Outcome.UNREACHABLE
        assert "firewall" in result.reason

    run_async(main())


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a..b", "x" * 300, "with space", ""])
def test_a_name_that_is_none(host: str) -> None:
    result = run_async(test_connection(device(8728, host=host), config=QUICK))
    assert result.outcome is Outcome.NAME_NOT_FOUND
    assert [step.name for step in result.steps] == ["resolve"]


class SlowResolver:
    """A reactor whose resolver never answers."""

    def __init__(self) -> None:
        self.nameResolver = self

    def resolveHostName(self, receiver: object, host: str) -> None:
        """Begin, and never complete."""


def test_a_name_server_that_is_silent() -> None:
    to = device(8728, host="router.example", connect_timeout_s=0.1)
    result = run_async(test_connection(to, config=QUICK, reactor=SlowResolver()))
    assert result.outcome is Outcome.NAME_NOT_FOUND
    assert "gave no answer" in result.reason


def test_tls_to_a_plain_port() -> None:
    router = ScriptedRouter()
    settings = {"tls_mode": TlsMode.INSECURE, "connect_timeout_s": 0.4}
    result, step, reason = run_async(outcome_of(router, **settings))
    assert (result, step) == (Outcome.TLS_FAILED, "tls")
    assert "plain API" in reason
    # It never fell back to clear text.
    said = [word for peer in router.peers for sentence in peer.heard for word in sentence]
    assert not any(b"login" in word or b"secret" in word for word in said)


@pytest.mark.parametrize("mode", [TlsMode.VERIFY, TlsMode.PINNED, TlsMode.ANONYMOUS, TlsMode.INSECURE])
@pytest.mark.parametrize(
    "first",
    [says(b"SSH-2.0-x\r\n"), says(b"", hang_up=True), says_after_hearing(b"HTTP/1.1 400 Bad\r\n\r\n")],
)
def test_tls_that_fails_never_becomes_clear_text(
    mode: TlsMode, first: Callable[[Peer], Awaitable[None]]
) -> None:
    router = ScriptedRouter(first=first)
    result, step, _ = run_async(
        outcome_of(router, tls_mode=mode, tls_fingerprint="ab" * 32, connect_timeout_s=0.5)
    )
    assert (result, step) == (Outcome.TLS_FAILED, "tls")


def test_a_stranger_s_greeting_leaves_no_error_behind_that_nobody_takes() -> None:
    left: list[dict[str, Any]] = []

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: left.append(context))
        greeted = asyncio.Event()

        async def greets(peer: Peer) -> None:
            peer.writer.write(b"SSH-2.0-x\r\n")
            await greeted.wait()

        async with running(ScriptedRouter(first=greets)) as router:
            protocol, _ = await connect_tcp(["127.0.0.1"], router.port, default_reactor(), 1.0)
            while not protocol.early:
                await asyncio.sleep(0.001)
            client = TlsClient(TlsMode.INSECURE, "127.0.0.1", await context_for(TlsMode.INSECURE))
            failure = await failure_of(secure(protocol, client, 1.0))
            assert "SSH server" in failure.reason
            while protocol.lost is None:
                await asyncio.sleep(0.001)
            greeted.set()

    try:
        run_async(main())
        gc.collect()
        assert left == []
    finally:
        asyncio.get_event_loop().set_exception_handler(None)


def test_a_cancellation_in_the_turn_of_connecting_leaves_nothing_open() -> None:
    class Endpoint:
        """Connects, and is cancelled before whoever waits is told."""

        def __init__(self, *_: object, **__: object) -> None:
            pass

        def connect(self, factory: OneConnection) -> defer.Deferred[Stream]:
            protocol = factory.buildProtocol(None)
            protocol.makeConnection(transport)
            connected.append(protocol)
            outcome: defer.Deferred[Stream] = defer.Deferred()

            def connect_and_cancel() -> None:
                outcome.callback(protocol)
                task.cancel()

            asyncio.get_running_loop().call_soon(connect_and_cancel)
            return outcome

    class Transport(StringTransport):
        aborted = False

        def abortConnection(self) -> None:
            self.aborted = True

    transport, connected = Transport(), list[Stream]()
    task: asyncio.Task[Any]

    async def main() -> None:
        nonlocal task
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("mtd.sources.tcp.connect.TCP4ClientEndpoint", Endpoint)
            task = asyncio.ensure_future(connect_tcp(["127.0.0.1"], 1, default_reactor(), 1.0))
            with pytest.raises(asyncio.CancelledError):
                await task
        assert connected
        assert transport.aborted

    run_async(main())


@pytest.mark.parametrize("content", [None, b"", b"no certificate", b"-----BEGIN CERTIFICATE-----\nx"])
def test_authorities_that_cannot_be_read_are_told_with_the_settings_and_by_the_device(
    tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ValidationError, match=r"ca\.pem"):
        RouterOsApiConfig(tls_ca_file=str(path))

    async def main() -> ConnectionTest:
        # The file was there when the settings were read, and is damaged since.
        config = QUICK.model_copy(update={"tls_ca_file": str(path)})
        async with running(ScriptedRouter()) as router:
            return await test_connection(device(router.port, tls_mode=TlsMode.VERIFY), config=config)

    result = run_async(main())
    assert result.outcome is Outcome.TLS_FAILED
    assert str(path) in result.reason


def test_authorities_that_are_replaced_are_read_again(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"

    async def main() -> None:
        contexts = []
        for name in ("one", "two"):
            authority = tmp_path / name
            authority.mkdir()
            path.write_bytes(Authority(authority).ca_file.read_bytes())
            contexts += [await context_for(TlsMode.VERIFY, str(path)) for _ in range(2)]
        assert contexts[0] is contexts[1]
        assert contexts[2] is contexts[3]
        assert contexts[1] is not contexts[2]

    run_async(main())
    assert RouterOsApiConfig(tls_ca_file=str(path)).tls_ca_file == str(path)


def test_a_pin_without_a_fingerprint_is_refused_before_anything_is_sent() -> None:
    result, step, reason = run_async(outcome_of(ScriptedRouter(), tls_mode=TlsMode.PINNED))
    assert (result, step) == (Outcome.TLS_FAILED, "tls")
    assert "no fingerprint" in reason


def test_an_address_that_is_tried_in_vain_is_followed_by_the_next() -> None:
    async def main() -> None:
        async with running(ScriptedRouter()) as router:
            source = RouterOsApiSource(
                device(router.port, host="two.example"),
                config=QUICK,
                reactor=NamesKnown("127.0.0.77", "127.0.0.1"),
            )
            await source.connect()
            assert source.connected
            await source.close()

    run_async(main())
