"""Runs a tool, on a session of its own with the router or from this machine, within its bounds. Keeps no account."""

from __future__ import annotations

import asyncio
import enum
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from mtd.core.clock import SYSTEM_CLOCK, Clock
from mtd.core.errors import Refused
from mtd.diagnostics import metrics
from mtd.diagnostics.collector import CollectorTools
from mtd.diagnostics.errors import RouterRefused
from mtd.diagnostics.tools import ToolRow
from mtd.model.command import Command, Reply, Rows, Trap
from mtd.model.device import Device
from mtd.sources.routeros_api.config import RouterOsApiConfig
from mtd.sources.routeros_api.opening import Tools, open_session, shared_patterns
from mtd.sources.steps import Steps
from mtd.sources.tcp.reactor import default_reactor

if TYPE_CHECKING:
    from mtd.diagnostics.config import DiagnosticsConfig
    from mtd.diagnostics.plans import Plan
    from mtd.sources.routeros_api.session import ApiSession

# A router ends a run itself, a moment after the time that it was given; torch says nothing for two seconds.
_GRACE_S = 3.0


class EndReason(enum.StrEnum):
    """Why a run ended, if it did as it should."""

    FINISHED = "finished"
    TIME = "time"
    ROWS = "rows"


@dataclass(frozen=True, slots=True)
class RunEnd:
    """The end of a run."""

    reason: EndReason
    rows: int
    seconds: float


Taken = Callable[[Sequence[ToolRow]], None]
"""Hears of rows as they come, whoever reads them when."""


class Performs(Protocol):
    """Runs tools."""

    def run(
        self, plan: Plan, device: Device, taken: Taken
    ) -> AsyncGenerator[Sequence[ToolRow] | RunEnd, None]:
        """Yield rows as they come, and at last the end. Close it to stop the tool.

        Raises Refused, ToolForbidden, SessionFailed, RouterRefused, CollectorUnable.
        """


@dataclass(slots=True)
class _Run:
    """A run under way."""

    plan: Plan
    device: Device
    taken: Taken
    rows: int = 0
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    waiting: list[ToolRow] = field(default_factory=list)

    @property
    def full(self) -> bool:
        """Whether it has brought all it may."""
        return self.rows >= self.plan.rows

    def take(self, rows: Rows) -> None:
        """Take rows of a router as they come."""
        self.add(self.plan.tool.read(rows))

    def add(self, rows: Sequence[ToolRow]) -> None:
        """Add rows: bounded by those of the plan, whoever reads how slowly."""
        room = self.plan.rows - self.rows
        taken = rows[:room]
        self.waiting += taken
        self.rows += len(taken)
        self.taken(taken)
        metrics.ROWS_LEFT_OUT.labels(tool=self.plan.tool.name).inc(len(rows[room:]))
        self.arrived.set()


class Performer:
    """See `Performs`."""

    def __init__(
        self,
        config: DiagnosticsConfig,
        api_config: RouterOsApiConfig | None = None,
        *,
        clock: Clock = SYSTEM_CLOCK,
        reactor: Any = None,
    ) -> None:
        self._clock = clock
        self._collector = CollectorTools(config)
        self._tools = Tools(
            clock,
            api_config or RouterOsApiConfig(),
            shared_patterns(),
            reactor if reactor is not None else default_reactor(),
        )

    async def run(
        self, plan: Plan, device: Device, taken: Taken
    ) -> AsyncGenerator[Sequence[ToolRow] | RunEnd, None]:
        """Yield rows as they come, and at last the end."""
        run = _Run(plan, device, taken)
        parts = self._rows(run, self._collect(run)) if plan.from_collector else self._on_router(run)
        async with aclosing(parts):
            async for part in parts:
                yield part

    async def _on_router(self, run: _Run) -> AsyncGenerator[Sequence[ToolRow] | RunEnd, None]:
        session = await open_session(run.device, self._tools, Steps(self._clock))
        try:
            await self._check_interface(session, run)
            async with aclosing(self._rows(run, self._ask(session, run))) as parts:
                async for part in parts:
                    yield part
        finally:
            await session.close()

    async def _check_interface(self, session: ApiSession, run: _Run) -> None:
        """Raise Refused if the router has no such interface: it would say so less plainly, or run all the same."""
        name = run.plan.interface
        if not name:
            return
        look = Command("/interface/print", ("name",), (f"name={name}",), max_rows=2)
        (reply,) = await session.run((look,), run.device.command_timeout_s)
        if reply.trap is not None:
            raise _refused(run, reply.trap, "read")
        if not reply.rows.count:
            raise Refused(f"{run.device.name} has no interface {name!r}")

    async def _ask(self, session: ApiSession, run: _Run) -> EndReason:
        """Have the router run it; return why it ended."""
        began = self._clock.monotonic()
        plan = run.plan
        patience_s = plan.seconds + (_GRACE_S if plan.lasting else 0.0)
        reply = await session.stream(plan.command, patience_s, run.take)
        return _reason(run, reply, self._clock.monotonic() - began)

    async def _collect(self, run: _Run) -> EndReason:
        """Run it here; return why it ended."""
        try:
            async with (
                asyncio.timeout(run.plan.seconds),
                aclosing(self._collector.rows(run.plan, run.device)) as found,
            ):
                async for rows in found:
                    run.add(rows)
                    if run.full:
                        return EndReason.ROWS
        except TimeoutError:
            return EndReason.TIME
        return EndReason.FINISHED

    async def _rows(
        self, run: _Run, work: Coroutine[Any, Any, EndReason]
    ) -> AsyncGenerator[Sequence[ToolRow] | RunEnd, None]:
        began = self._clock.monotonic()
        working = asyncio.ensure_future(work)
        working.add_done_callback(lambda _: run.arrived.set())
        try:
            while not working.done() and not run.full:
                await run.arrived.wait()
                run.arrived.clear()
                if run.waiting:
                    rows, run.waiting = run.waiting, []
                    yield rows
            reason = await working if working.done() else EndReason.ROWS
        finally:
            if not working.done():
                working.cancel()  # which cancels the command on the router
                await asyncio.gather(working, return_exceptions=True)
        if run.waiting:
            yield run.waiting
        yield RunEnd(reason, run.rows, self._clock.monotonic() - began)


def _reason(run: _Run, reply: Reply, seconds: float) -> EndReason:
    """Return why a run ended. Raises RouterRefused if the router didn't run it."""
    trap = reply.trap
    if run.full or (trap is not None and trap.too_large):
        return EndReason.ROWS
    if trap is None:
        over = run.plan.lasting and seconds > run.plan.seconds - 0.5
        return EndReason.TIME if over else EndReason.FINISHED
    if trap.timed_out:
        return EndReason.TIME
    raise _refused(run, trap, run.plan.tool.policy)


def _refused(run: _Run, trap: Trap, policy: str) -> RouterRefused:
    words = trap.message or "no reason given"
    if trap.not_permitted:
        hint = f"give the group of user {run.device.username!r} the policy '{policy}' (/user/group)"
    elif "device-mode" in words:
        hint = "allow it on the router itself (/system/device-mode), which asks for a button or a power cycle"
    elif trap.no_such_command:
        hint = "its version, or its packages, don't have the tool"
    else:
        hint = "see the arguments"
    return RouterRefused(f"{run.device.name} doesn't run {run.plan.tool.name}: {words}; {hint}")
