"""REST against the lab: the same rows as over the API, every transport, every fault."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from zope.interface.verify import verifyObject

from mtd.lab.scenario import Door, FaultKind, RouterSpec, Scenario, Tls
from mtd.lab.service import Lab
from mtd.model.command import Command
from mtd.model.device import Device, Outcome, RestSettings, TlsMode, Way
from mtd.sources.interfaces import ISource
from mtd.sources.rest import RestConfig, RestSource, metrics
from mtd.sources.routeros_api import RouterOsApiSource
from mtd.testing import run_async
from tests.integration.sources.devices import NamesKnown, failure_of, lab_device

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from mtd.lab.service import Endpoint

QUICK = RestConfig(close_timeout_s=0.2)
NAMES = Command("/interface/print", (".id", "name", "comment", "type", "running", "mtu"))
COUNTERS = Command("/interface/print", (".id", "rx-byte", "tx-byte"), ("type=ether",))
IDENTITY = Command("/system/identity/print", ("name",))
COUNT = Command("/interface/print", arguments=(("count-only", ""),))
EVERYTHING = (
    NAMES,
    IDENTITY,
    COUNT,
    Command("/system/resource/print", ("version", "board-name", "cpu-load")),
    Command("/ip/address/print", (".id", "address", "interface"), ("dynamic=true", "#!")),
    Command("/interface/print", ("name",), ("name=none",)),
    Command(
        "/interface/ethernet/monitor", ("name", "status", "rate"), (), (("numbers", "*1,*2"), ("once", ""))
    ),
    Command("/no/such/menu/print", ("name",)),
    Command("/interface/print", ("name",), (), (("colour", "blue"),)),
    Command("/ip/dhcp-server/lease/print", ("address",)),
)


@asynccontextmanager
async def lab(*routers: RouterSpec) -> AsyncIterator[tuple[Lab, list[Endpoint]]]:
    running = Lab(Scenario(router=list(routers)))
    try:
        yield running, await running.start()
    finally:
        await running.stop()


def spec(name: str = "r", **settings: Any) -> RouterSpec:
    return RouterSpec(name=name, **({"rest_port": 0} | settings))


def rest_device(endpoint: Endpoint, mode: TlsMode = TlsMode.OFF, **settings: Any) -> Device:
    rest = RestSettings(
        endpoint.rest_port, mode, settings.pop("fingerprint", endpoint.rest_fingerprint_sha256)
    )
    return lab_device(endpoint, rest=rest, **settings)


@asynccontextmanager
async def connected(to: Device, config: RestConfig = QUICK, **parts: Any) -> AsyncIterator[RestSource]:
    source = RestSource(to, config=config, **parts)
    await source.connect()
    try:
        yield source
    finally:
        await source.close()


def test_rows_and_refusals_are_those_of_the_api() -> None:
    async def main() -> None:
        async with lab(spec(interfaces=12, pppoe=3)) as (_, (endpoint,)):
            api = RouterOsApiSource(rest_device(endpoint))
            await api.connect()
            async with connected(rest_device(endpoint)) as source:
                assert source.way is Way.REST
                verifyObject(ISource, source)
                for ours, theirs in zip(await source.run(EVERYTHING), await api.run(EVERYTHING), strict=True):
                    asked = ours.command.proplist
                    wanted = [{key: row[key] for key in row if key in asked} for row in theirs.rows.dicts()]
                    assert ours.rows.dicts() == wanted, ours.command
                    assert ours.done == theirs.done
                    assert (ours.trap is None) == (theirs.trap is None)
                    if ours.trap is not None and theirs.trap is not None:
                        assert ours.trap.message == theirs.trap.message
                        assert ours.trap.no_such_command == theirs.trap.no_such_command
                    assert (ours.way, theirs.way) == (Way.REST, Way.API)
                assert ours.received_us > 0
                commands, sent, received = source.traffic
                assert commands == len(EVERYTHING) + 1  # and the login
                assert sent > 1000
                assert received > 2000
            await api.close()

    run_async(main())


def test_a_comment_in_any_code_page_keeps_its_bytes() -> None:
    async def main() -> None:
        async with lab(spec()) as (running, (endpoint,)):
            running.inject("r", FaultKind.RENAME, comment='caf\udce9 "\\\n')
            async with connected(rest_device(endpoint)) as source:
                (reply,) = await source.run([NAMES])
                assert reply.rows.column("comment")[0] == b'caf\xe9 "\\\n'

    run_async(main())


def test_what_rest_has_no_words_for_is_told_apart() -> None:
    async def main() -> None:
        async with lab(spec()) as (_, (endpoint,)), connected(rest_device(endpoint)) as source:
            listen, identity = await source.run([Command("/interface/listen"), IDENTITY])
            assert listen.trap is not None
            assert listen.trap.not_served
            assert identity.trap is None

    run_async(main())


_MODES = {
    Tls.OFF: TlsMode.OFF,
    Tls.CA: TlsMode.VERIFY,
    Tls.SELF_SIGNED: TlsMode.PINNED,
    Tls.ANONYMOUS: TlsMode.ANONYMOUS,
}
_WORKS = {
    *((offered, mode) for offered, mode in _MODES.items()),
    (Tls.CA, TlsMode.PINNED),
    (Tls.CA, TlsMode.INSECURE),
    (Tls.SELF_SIGNED, TlsMode.INSECURE),
}


@pytest.mark.parametrize(("offered", "mode"), list(itertools.product(Tls, TlsMode)))
def test_a_tls_mode_gets_what_it_asks_for_or_nothing(offered: Tls, mode: TlsMode) -> None:
    async def main() -> None:
        async with lab(spec(rest_tls=offered)) as (running, (endpoint,)):
            to = rest_device(endpoint, mode, connect_timeout_s=1.0, command_timeout_s=0.4)
            source = RestSource(to, config=QUICK, tls_ca_file=endpoint.ca_file)
            if (offered, mode) in _WORKS:
                await source.connect()
                (reply,) = await source.run([IDENTITY])
                assert reply.rows.column("name") == (b"r",)
            else:
                failure = await failure_of(source.connect())
                assert not source.connected
                if mode is TlsMode.OFF:
                    assert failure.outcome in (Outcome.PROTOCOL_ERROR, Outcome.TIMED_OUT, Outcome.BUSY)
                else:
                    assert failure.outcome is Outcome.TLS_FAILED
                # The password was never said to whoever is there.
                assert running.stats()["r"]["rest_requests"] == 0
            await source.close()

    run_async(main())


def test_a_certificate_that_is_not_the_pinned_one_is_refused() -> None:
    async def main() -> None:
        async with lab(spec(rest_tls=Tls.SELF_SIGNED)) as (running, (endpoint,)):
            source = RestSource(rest_device(endpoint, TlsMode.PINNED, fingerprint="ab" * 32), config=QUICK)
            failure = await failure_of(source.connect())
            assert failure.outcome is Outcome.TLS_FAILED
            assert "somebody is in between" in failure.reason
            assert running.stats()["r"]["rest_requests"] == 0

    run_async(main())


def test_a_trusted_certificate_for_another_name_is_refused() -> None:
    async def main() -> None:
        async with lab(spec(rest_tls=Tls.CA)) as (_, (endpoint,)):
            to = rest_device(endpoint, TlsMode.VERIFY, host="other.example")
            source = RestSource(
                to, config=QUICK, tls_ca_file=endpoint.ca_file, reactor=NamesKnown("127.0.0.1")
            )
            assert "not for other.example" in (await failure_of(source.connect())).reason

    run_async(main())


@pytest.mark.parametrize(
    ("settings", "hint"),
    [
        ({"version": "6.49.10"}, "it has no REST"),
        ({"version": "7.8"}, "without TLS since 7.9"),
    ],
)
def test_a_web_server_without_rest_is_named(settings: dict[str, Any], hint: str) -> None:
    async def main() -> None:
        async with lab(spec(**settings)) as (_, (endpoint,)):
            failure = await failure_of(RestSource(rest_device(endpoint), config=QUICK).connect())
            assert failure.outcome is Outcome.PROTOCOL_ERROR
            assert hint in failure.reason

    run_async(main())


@pytest.mark.parametrize(
    ("kind", "settings", "outcome"),
    [
        (FaultKind.LOGIN_REFUSED, {}, Outcome.LOGIN_FAILED),
        (FaultKind.REFUSED, {}, Outcome.REFUSED),
        (FaultKind.PLAINHTTP, {}, Outcome.PROTOCOL_ERROR),
        (FaultKind.BLACK_HOLE, {}, Outcome.TIMED_OUT),
        (FaultKind.BLACK_HOLE, {"accept": False}, Outcome.UNREACHABLE),
        (FaultKind.GARBAGE, {}, Outcome.PROTOCOL_ERROR),
        (FaultKind.FATAL, {}, Outcome.BUSY),
    ],
)
def test_a_fault_at_connecting_has_its_outcome(
    kind: FaultKind, settings: dict[str, Any], outcome: Outcome
) -> None:
    async def main() -> None:
        async with lab(spec()) as (running, (endpoint,)):
            running.inject("r", kind, doors=[Door.REST], **settings)
            to = rest_device(endpoint, connect_timeout_s=0.6, command_timeout_s=0.3)
            source = RestSource(to, config=QUICK)
            failure = await failure_of(source.connect())
            assert failure.outcome is outcome, failure.reason
            assert "lab-password" not in failure.reason
            api = RouterOsApiSource(to)
            await api.connect()  # the other door is open
            await api.close()
            running.clear("r")
            if kind is not FaultKind.BLACK_HOLE or settings:
                await source.connect()
                assert source.outcome is None
                await source.close()

    run_async(main())


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [
        (FaultKind.GARBAGE, Outcome.PROTOCOL_ERROR),
        (FaultKind.PLAINHTTP, None),
        (FaultKind.FATAL, Outcome.BUSY),
        (FaultKind.CUT, Outcome.BUSY),
        (FaultKind.REFUSED, Outcome.REFUSED),
        (FaultKind.REBOOT, Outcome.REFUSED),
        (FaultKind.LOGIN_REFUSED, Outcome.LOGIN_FAILED),
    ],
)
def test_a_fault_during_a_session_has_its_outcome(kind: FaultKind, outcome: Outcome | None) -> None:
    async def main() -> None:
        async with lab(spec()) as (running, (endpoint,)):
            source = RestSource(rest_device(endpoint), config=QUICK)
            await source.connect()
            await source.run([IDENTITY])
            running.inject("r", kind)
            if outcome is None:  # a proxy in front says no: an error of that command
                (reply,) = await source.run([IDENTITY])
                assert reply.trap is not None
                assert "400" in reply.trap.message
            else:
                failure = await failure_of(source.run([IDENTITY, NAMES]))
                assert failure.outcome is outcome, failure.reason
                assert not source.connected
                assert source.outcome is not None
            await source.close()

    run_async(main())


def test_a_menu_that_hangs_costs_its_own_answer_only() -> None:
    async def main() -> None:
        async with lab(spec()) as (running, (endpoint,)), connected(rest_device(endpoint)) as source:
            running.inject("r", FaultKind.MENU_SILENT, menu="/interface")
            for _ in range(2):
                before, hung, after = await source.run([IDENTITY, NAMES, IDENTITY], timeout_s=0.2)
                assert before.trap is after.trap is None
                assert hung.trap is not None
                assert hung.trap.timed_out
            running.clear("r")
            assert (await source.run([NAMES]))[0].rows.count == 30

    run_async(main())


def test_a_poll_of_menus_that_all_hang_ends_in_time_and_asks_no_more() -> None:
    async def main() -> None:
        async with lab(spec()) as (running, (endpoint,)), connected(rest_device(endpoint)) as source:
            running.inject("r", FaultKind.MENU_SILENT, menu="/interface")
            before = running.stats()["r"]["rest_requests"]
            replies = await source.run([NAMES] * 60, timeout_s=0.05)
            assert len(replies) == 60
            assert all(reply.trap is not None and reply.trap.timed_out for reply in replies)
            assert running.stats()["r"]["rest_requests"] - before < 60
            assert source.connected

    run_async(main())


def test_a_hanging_menu_holds_up_no_other_poll() -> None:
    async def main() -> None:
        async with lab(spec()) as (running, (endpoint,)), connected(rest_device(endpoint)) as source:
            running.inject("r", FaultKind.MENU_SILENT, menu="/interface")
            hung = asyncio.ensure_future(source.run([NAMES, NAMES], timeout_s=30.0))
            for _ in range(5):
                (reply,) = await source.run([IDENTITY], timeout_s=5.0)
                assert reply.trap is None
            assert not hung.done()
            hung.cancel()
            with pytest.raises(asyncio.CancelledError):
                await hung
            (reply,) = await source.run([IDENTITY], timeout_s=5.0)
            assert reply.trap is None

    run_async(main())


def test_a_user_without_rights_is_told_by_command() -> None:
    async def main() -> None:
        async with lab(spec()) as (running, (endpoint,)):
            running.inject("r", FaultKind.DENIED)
            async with connected(rest_device(endpoint)) as source:
                (reply,) = await source.run([NAMES])
                assert reply.trap is not None
                assert reply.trap.not_permitted

    run_async(main())


def test_ten_million_rows_are_refused_and_harm_nobody() -> None:
    async def main() -> None:
        async with (
            lab(spec("huge"), spec("well")) as (running, (huge, well)),
            connected(rest_device(well)) as other,
            connected(rest_device(huge, command_timeout_s=10.0)) as source,
        ):
            running.inject("huge", FaultKind.HUGE, rows=10_000_000)
            flooded = asyncio.ensure_future(source.run([NAMES, IDENTITY]))
            while not flooded.done():
                (reply,) = await other.run([IDENTITY], timeout_s=5.0)
                assert reply.trap is None
                await asyncio.sleep(0.01)
            for reply in await flooded:
                assert reply.trap is not None
                assert reply.trap.too_large
                assert reply.rows.count == 0
            running.clear("huge")
            assert (await source.run([NAMES]))[0].rows.count == 30

    run_async(main())


def test_no_more_connections_than_are_allowed() -> None:
    async def main() -> None:
        async with lab(spec()) as (running, (endpoint,)), connected(rest_device(endpoint)) as source:
            await asyncio.gather(*(source.run([IDENTITY, NAMES], timeout_s=5.0) for _ in range(20)))
            stats = running.stats()["r"]
            assert stats["connections"] <= QUICK.requests_at_once
            assert stats["rest_requests"] == 41

    run_async(main())


def test_an_idle_connection_that_the_router_closed_is_opened_again() -> None:
    async def main() -> None:
        async with lab(spec()) as (running, (endpoint,)), connected(rest_device(endpoint)) as source:
            for session in running.router("r").sessions_of([Door.REST]):
                session.transport.close()
            reopened = metrics.REOPENED._value.get()
            (reply,) = await source.run([IDENTITY])
            assert reply.rows.count == 1
            assert metrics.REOPENED._value.get() - reopened <= 1
            assert source.connected

    run_async(main())


def test_a_name_with_a_colon_is_told_before_it_is_tried() -> None:
    async def main() -> None:
        async with lab(spec()) as (_, (endpoint,)):
            failure = await failure_of(
                RestSource(rest_device(endpoint, username="a:b"), config=QUICK).connect()
            )
            assert failure.outcome is Outcome.LOGIN_FAILED
            assert "colon" in failure.reason

    run_async(main())
