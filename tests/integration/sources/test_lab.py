"""The source against the lab: every version, login, transport and fault."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from mtd.lab.scenario import FaultKind, RouterSpec, Scenario, Tls
from mtd.lab.service import Lab
from mtd.model.command import Command
from mtd.model.device import Outcome, TlsMode
from mtd.sources.errors import SessionFailed
from mtd.sources.routeros_api import RouterOsApiConfig, RouterOsApiSource, test_connection
from mtd.sources.routeros_api.opening import shared_patterns
from mtd.testing import run_async
from tests.integration.sources.devices import QUICK, NamesKnown, connected, failure_of, lab_device

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from mtd.lab.service import Endpoint

COUNTERS = Command(
    "/interface/print",
    (
        *(".id", "running", "disabled", "rx-byte", "tx-byte", "rx-packet", "tx-packet"),
        *("rx-error", "tx-error", "rx-drop", "tx-drop", "tx-queue-drop", "link-downs"),
    ),
    ("dynamic=true", "#!"),
)
NAMES = Command("/interface/print", (".id", "name", "comment", "type"))
IDENTITY = Command("/system/identity/print", ("name",))
VERSIONS = ("6.42.12", "6.49.10", "7.16.2", "7.18.2")


@asynccontextmanager
async def lab(*routers: RouterSpec) -> AsyncIterator[tuple[Lab, list[Endpoint]]]:
    """Run a lab with these routers."""
    running = Lab(Scenario(router=list(routers)))
    try:
        yield running, await running.start()
    finally:
        await running.stop()


def spec(name: str = "r", **settings: Any) -> RouterSpec:
    return RouterSpec(name=name, **settings)


@pytest.mark.parametrize("version", VERSIONS)
def test_every_version_is_logged_in_to_and_read(version: str) -> None:
    async def main() -> None:
        async with lab(spec(version=version, interfaces=30)) as (_, (endpoint,)):
            to = lab_device(endpoint)
            result = await test_connection(to, config=QUICK)
            assert result.ok, result.reason
            assert result.identity == "r"
            assert result.routeros_version.startswith(version)
            assert result.steps[2].detail == ("challenge" if version.startswith("6.42") else "plain")
            async with connected(to) as source:
                counters, names, nothing = await source.run(
                    [COUNTERS, NAMES, Command("/interface/print", ("name",), ("name=none",))]
                )
                assert counters.trap is None
                assert counters.rows.count == names.rows.count == 30
                assert counters.rows.column(".id")[0] == b"*1"
                assert all((value or b"").isdigit() for value in counters.rows.column("rx-byte"))
                assert nothing.rows.count == 0
                assert nothing.trap is None

    run_async(main())


def test_counters_are_the_lab_s_truth_and_come_by_pattern() -> None:
    async def main() -> None:
        async with (
            lab(spec(interfaces=30)) as (running, (endpoint,)),
            connected(lab_device(endpoint)) as source,
        ):
            await source.run([COUNTERS])
            from mtd.sources.routeros_api import metrics

            slow = metrics.SLOW_ROWS._value.get()
            (reply,) = await source.run([COUNTERS])
            assert metrics.SLOW_ROWS._value.get() == slow
            assert reply.rows.count == 30
            assert running.stats()["r"]

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
        async with lab(spec(tls=offered)) as (_, (endpoint,)):
            config = QUICK.model_copy(update={"tls_ca_file": endpoint.ca_file})
            to = lab_device(
                endpoint,
                tls_mode=mode,
                tls_fingerprint=endpoint.fingerprint_sha256,
                connect_timeout_s=1.0,
                command_timeout_s=0.4,
            )
            result = await test_connection(to, config=config)
            if (offered, mode) in _WORKS:
                assert result.ok, result.reason
                if offered in (Tls.CA, Tls.SELF_SIGNED):
                    assert result.tls_fingerprint == endpoint.fingerprint_sha256
            elif mode is TlsMode.OFF:
                assert result.outcome in (Outcome.PROTOCOL_ERROR, Outcome.TIMED_OUT, Outcome.BUSY)
                assert "TLS" in result.reason
            else:
                assert result.outcome is Outcome.TLS_FAILED
                assert [step.name for step in result.steps if not step.ok] == ["tls"]

    run_async(main())


def test_a_certificate_that_is_not_the_pinned_one_is_refused_and_shown() -> None:
    async def main() -> None:
        async with lab(spec(tls=Tls.SELF_SIGNED)) as (_, (endpoint,)):
            pinned = ":".join(["AB"] * 32)
            to = lab_device(endpoint, tls_mode=TlsMode.PINNED, tls_fingerprint=pinned)
            result = await test_connection(to, config=QUICK)
            assert result.outcome is Outcome.TLS_FAILED
            assert result.tls_fingerprint == endpoint.fingerprint_sha256
            assert "somebody is in between" in result.reason
            # As people copy it: upper case, with colons.
            copied = ":".join(endpoint.fingerprint_sha256[at : at + 2].upper() for at in range(0, 64, 2))
            to = lab_device(endpoint, tls_mode=TlsMode.PINNED, tls_fingerprint=copied)
            assert (await test_connection(to, config=QUICK)).ok

    run_async(main())


def test_an_untrusted_certificate_s_fingerprint_is_shown_for_pinning() -> None:
    async def main() -> None:
        async with lab(spec(tls=Tls.SELF_SIGNED)) as (_, (endpoint,)):
            to = lab_device(endpoint, tls_mode=TlsMode.VERIFY)
            result = await test_connection(to, config=QUICK)
            assert result.outcome is Outcome.TLS_FAILED
            assert result.tls_fingerprint == endpoint.fingerprint_sha256
            assert "trusted authority" in result.reason

    run_async(main())


def test_a_trusted_certificate_for_another_name_is_refused() -> None:
    async def main() -> None:
        async with lab(spec(tls=Tls.CA)) as (_, (endpoint,)):
            config = QUICK.model_copy(update={"tls_ca_file": endpoint.ca_file})
            to = lab_device(endpoint, tls_mode=TlsMode.VERIFY, host="other.example")
            result = await test_connection(to, config=config, reactor=NamesKnown("127.0.0.1"))
            assert result.outcome is Outcome.TLS_FAILED
            assert "not for other.example" in result.reason
            assert result.tls_fingerprint == endpoint.fingerprint_sha256

    run_async(main())


@pytest.mark.parametrize(
    ("kind", "settings", "outcome"),
    [
        (FaultKind.BLACK_HOLE, {}, Outcome.TIMED_OUT),
        (FaultKind.HALF_OPEN, {}, Outcome.TIMED_OUT),
        (FaultKind.GARBAGE, {}, Outcome.PROTOCOL_ERROR),
        (FaultKind.HUGELENGTH, {}, Outcome.PROTOCOL_ERROR),
        (FaultKind.PLAINHTTP, {}, Outcome.PROTOCOL_ERROR),
        (FaultKind.FATAL, {}, Outcome.BUSY),
        (FaultKind.CUT, {}, Outcome.BUSY),
        (FaultKind.REFUSED, {}, Outcome.BUSY),
        (FaultKind.REBOOT, {}, Outcome.BUSY),
        (FaultKind.SLOW, {"delay_s": 5.0}, Outcome.TIMED_OUT),
    ],
)
def test_a_fault_during_a_session_has_its_outcome_and_leaves_others_alone(
    kind: FaultKind, settings: dict[str, Any], outcome: Outcome
) -> None:
    async def main() -> None:
        async with (
            lab(spec("sick"), spec("well")) as (running, (sick, well)),
            connected(lab_device(well)) as other,
        ):
            source = RouterOsApiSource(lab_device(sick), config=QUICK)
            await source.connect()
            await source.run([IDENTITY])
            running.inject("sick", kind, **settings)
            failed = asyncio.ensure_future(failure_of(source.run([IDENTITY, COUNTERS], timeout_s=0.3)))
            slowest = 0.0
            while not failed.done():
                (reply,) = await other.run([IDENTITY])
                slowest = max(slowest, reply.duration_s)
                await asyncio.sleep(0.02)
            failure = await failed
            assert failure.outcome is outcome, failure.reason
            assert not source.connected
            assert slowest < 0.25
            await source.close()

    run_async(main())


@pytest.mark.parametrize("bare", [False, True])
@pytest.mark.parametrize("version", ["6.49.10", "7.16.2"])
def test_a_menu_that_hangs_costs_its_own_answer_only(version: str, bare: bool) -> None:
    async def main() -> None:
        async with (
            lab(spec(version=version)) as (running, (endpoint,)),
            connected(lab_device(endpoint)) as source,
        ):
            running.inject("r", FaultKind.MENU_SILENT, menu="/interface")
            if bare:
                running.inject("r", FaultKind.NO_CATEGORY)
            for _ in range(3):
                identity, counters = await source.run([IDENTITY, COUNTERS], timeout_s=0.1)
                assert identity.trap is None
                assert counters.trap is not None
                assert counters.trap.timed_out, counters.trap
                assert source.connected
            assert running.stats()["r"]["logins"] == 1
            running.clear("r")
            assert (await source.run([COUNTERS]))[0].rows.count == 30

    run_async(main())


def test_a_probe_that_hangs_counts_as_timed_out_and_not_as_refused() -> None:
    async def main() -> None:
        async with (
            lab(spec()) as (running, (endpoint,)),
            connected(lab_device(endpoint)) as source,
        ):
            running.inject("r", FaultKind.MENU_SILENT, menu="/interface", only_counts=True)
            probe = Command("/interface/print", arguments=(("count-only", ""),))
            counted, read = await source.run([probe, COUNTERS], timeout_s=0.1)
            assert counted.trap is not None
            assert counted.trap.timed_out
            assert not counted.trap.no_such_command
            assert read.rows.count == 30

    run_async(main())


def test_rows_without_end_that_answer_nothing_end_the_session_and_harm_nobody() -> None:
    async def main() -> None:
        async with (
            lab(spec("stray"), spec("well")) as (running, (stray, well)),
            connected(lab_device(well)) as other,
        ):
            source = RouterOsApiSource(lab_device(stray), config=QUICK)
            await source.connect()
            running.inject("stray", FaultKind.STRAY_TAGS)
            # The answer itself may still come before the flood.
            with contextlib.suppress(SessionFailed):
                await source.run([IDENTITY])
            slowest = 0.0
            while source.connected:
                (reply,) = await other.run([IDENTITY])
                slowest = max(slowest, reply.duration_s)
            assert source.outcome is not None
            assert source.outcome.outcome is Outcome.PROTOCOL_ERROR
            assert "answer nothing" in source.outcome.reason
            assert slowest < 0.25
            await source.close()

    run_async(main())


def test_a_router_that_heeds_no_cancel_is_dropped() -> None:
    async def main() -> None:
        async with lab(spec()) as (running, (endpoint,)):
            source = RouterOsApiSource(lab_device(endpoint), config=QUICK)
            await source.connect()
            running.inject("r", FaultKind.MENU_SILENT, menu="/interface")
            running.inject("r", FaultKind.IGNORE_CANCEL)
            failure = await failure_of(source.run([IDENTITY, COUNTERS], timeout_s=0.1))
            assert failure.outcome is Outcome.TIMED_OUT
            assert "/interface/print" in failure.reason
            assert "/system/identity" not in failure.reason
            assert not source.connected

    run_async(main())


@pytest.mark.parametrize(
    ("kind", "settings", "outcome"),
    [
        (FaultKind.LOGIN_REFUSED, {}, Outcome.LOGIN_FAILED),
        (FaultKind.DENIED, {}, Outcome.NOT_PERMITTED),
        (FaultKind.REFUSED, {}, Outcome.REFUSED),
        (FaultKind.PLAINHTTP, {}, Outcome.PROTOCOL_ERROR),
        (FaultKind.BLACK_HOLE, {}, Outcome.TIMED_OUT),
        (FaultKind.BLACK_HOLE, {"accept": False}, Outcome.UNREACHABLE),
        (FaultKind.GARBAGE, {}, Outcome.PROTOCOL_ERROR),
        (FaultKind.FATAL, {}, Outcome.BUSY),
    ],
)
@pytest.mark.parametrize("version", ["6.42.12", "7.16.2"])
def test_a_fault_at_connecting_has_its_outcome(
    kind: FaultKind, settings: dict[str, Any], outcome: Outcome, version: str
) -> None:
    async def main() -> None:
        async with lab(spec(version=version)) as (running, (endpoint,)):
            running.inject("r", kind, **settings)
            to = lab_device(endpoint, connect_timeout_s=0.6, command_timeout_s=0.3)
            result = await test_connection(to, config=QUICK)
            assert result.outcome is outcome, result.reason
            running.clear("r")
            if kind is not FaultKind.BLACK_HOLE or settings:
                assert (await test_connection(lab_device(endpoint), config=QUICK)).ok

    run_async(main())


def test_ten_million_rows_harm_nobody() -> None:
    async def main() -> None:
        async with (
            lab(spec("huge"), spec("well")) as (running, (huge, well)),
            connected(lab_device(well)) as other,
        ):
            running.inject("huge", FaultKind.HUGE, rows=10_000_000)
            source = RouterOsApiSource(lab_device(huge, command_timeout_s=5.0), config=RouterOsApiConfig())
            await source.connect()
            flooded = asyncio.ensure_future(source.run([COUNTERS]))
            slowest = 0.0
            while not flooded.done():
                (reply,) = await other.run([IDENTITY], timeout_s=2.0)
                slowest = max(slowest, reply.duration_s)
                await asyncio.sleep(0.01)
            # The lab honours /cancel: the reply is refused, the session stays.
            (reply,) = await flooded
            assert reply.trap is not None
            assert reply.trap.too_large
            assert source.connected
            running.clear("huge")
            assert (await source.run([COUNTERS]))[0].rows.count == 30
            assert slowest < 0.5
            await source.close()

    run_async(main())


def test_sessions_share_what_they_learned() -> None:
    async def main() -> None:
        routers = [spec(f"r{number}", interfaces=12) for number in range(6)]
        async with lab(*routers) as (_, endpoints):
            patterns = shared_patterns()
            for endpoint in endpoints:
                async with connected(lab_device(endpoint), patterns=patterns) as source:
                    await source.run([COUNTERS])
            draft = patterns.book(COUNTERS).best()
            assert draft is not None
            assert draft.pattern is not None

    run_async(main())
