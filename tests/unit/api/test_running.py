"""Calls end when what their callers showed does."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from mtd.api.access.running import RunningCalls
from mtd.core.errors import Unauthenticated
from mtd.model.device import DEFAULT_TENANT_ID
from mtd.model.principal import CallerKind, Principal
from mtd.testing import run_async

EDGE = Principal(CallerKind.COLLECTOR, "edge-1", DEFAULT_TENANT_ID, None, proof="certificate aa")


class Proofs:
    def __init__(self, running: RunningCalls) -> None:
        self.bad: set[str] = set()
        running.judge("certificate", lambda proof: proof not in self.bad)


def test_a_call_ends_with_its_proof_and_no_other_does() -> None:
    async def main() -> None:
        running = RunningCalls()
        proofs = Proofs(running)
        begun, ends = asyncio.Event(), []

        async def call(caller: Principal) -> None:
            try:
                async with running.serving(caller):
                    begun.set()
                    await asyncio.Event().wait()
            except Unauthenticated as error:
                ends.append(str(error))
                raise

        tasks = [
            asyncio.ensure_future(call(replace(EDGE, proof=f"certificate {name}")))
            for name in ("aa", "aa", "bb")
        ]
        await begun.wait()
        await asyncio.sleep(0)
        proofs.bad.add("certificate aa")
        assert running.look_again("certificate") == 2
        assert running.look_again("certificate") == 0
        for task in tasks[:2]:
            with pytest.raises(Unauthenticated, match="collector edge-1"):
                await task
        assert len(ends) == 2
        assert not tasks[2].done()
        tasks[2].cancel()
        await asyncio.wait([tasks[2]])
        assert tasks[2].cancelled()

    run_async(main())


def test_what_ended_before_the_call_began_isn_t_served() -> None:
    async def main() -> None:
        running = RunningCalls()
        Proofs(running).bad.add("certificate aa")
        with pytest.raises(Unauthenticated):
            async with running.serving(EDGE):
                pytest.fail("it was served")

    run_async(main())


def test_other_errors_and_deadlines_stay_what_they_are() -> None:
    async def main() -> None:
        running = RunningCalls()
        Proofs(running)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0), running.serving(EDGE):
                await asyncio.Event().wait()
        with pytest.raises(TimeoutError, match="its own"):
            async with running.serving(EDGE):
                raise TimeoutError("its own")
        with pytest.raises(ZeroDivisionError):
            async with running.serving(EDGE):
                raise ZeroDivisionError
        assert running.look_again("certificate") == 0

    run_async(main())


def test_callers_without_a_proof_are_served_by_themselves() -> None:
    async def main() -> None:
        running = RunningCalls()
        async with running.serving(replace(EDGE, proof="")):
            assert running.look_again("certificate") == 0
        async with running.serving(replace(EDGE, proof="token x")):  # of a kind that nobody judges
            pass

    run_async(main())
