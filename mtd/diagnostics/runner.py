"""Runs a tool on a router: its own session, its bounds, its place among the others, and its account."""

from __future__ import annotations

import asyncio
import enum
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mtd.core.callers import Callers
from mtd.core.clock import SYSTEM_CLOCK, Clock
from mtd.core.errors import MtdError, Refused
from mtd.diagnostics import audit, metrics
from mtd.diagnostics.collector import CollectorTools
from mtd.diagnostics.errors import RouterRefused, ToolBusy
from mtd.diagnostics.limits import HourlyRuns, TenantLimit, no_limit
from mtd.diagnostics.record import Kept, document_of
from mtd.diagnostics.tools import ToolRow
from mtd.model.command import Command, Reply, Rows, Trap
from mtd.model.device import Device, Way
from mtd.sources.routeros_api.config import RouterOsApiConfig
from mtd.sources.routeros_api.opening import Tools, open_session, shared_patterns
from mtd.sources.steps import Steps
from mtd.sources.tcp.reactor import default_reactor

if TYPE_CHECKING:
    from mtd.diagnostics.config import DiagnosticsConfig
    from mtd.diagnostics.plans import Plan, Wish
    from mtd.ingest.recorder import Recorder
    from mtd.model.principal import Principal
    from mtd.sources.routeros_api.session import ApiSession

FindDevice = Callable[[str, str], Awaitable[Device]]
"""Return a tenant's device by name or id, with its password. Raises NotFound."""

# A router ends a run itself, a moment after the time that it was given; torch says nothing for two seconds.
_GRACE_S = 3.0
_STOP_S = 1.0


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


@dataclass(slots=True)
class _Run:
    """A run under way."""

    plan: Plan
    device: Device
    caller: Principal
    started: float
    started_us: int
    kept: Kept
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
        tool = self.plan.tool.name
        taken = rows[:room]
        self.waiting += taken
        self.kept.take(taken)
        self.rows += len(taken)
        metrics.ROWS.labels(tool=tool).inc(len(taken))
        metrics.ROWS_LEFT_OUT.labels(tool=tool).inc(len(rows[room:]))
        self.arrived.set()


class ToolRunner:
    """Runs tools, one at a time on a router, and so many in all. Used by all callers of the daemon."""

    def __init__(
        self,
        find: FindDevice,
        recorder: Recorder,
        config: DiagnosticsConfig,
        api_config: RouterOsApiConfig | None = None,
        *,
        clock: Clock = SYSTEM_CLOCK,
        reactor: Any = None,
        tenant_limit: TenantLimit = no_limit,
    ) -> None:
        self._find = find
        self._recorder = recorder
        self._config = config
        self._clock = clock
        self._hourly = HourlyRuns(config, clock, tenant_limit)
        self._collector = CollectorTools(config)
        self._tools = Tools(
            clock,
            api_config or RouterOsApiConfig(),
            shared_patterns(),
            reactor if reactor is not None else default_reactor(),
        )
        self._running: dict[str, tuple[str, str]] = {}  # tenant and tool by device id
        self._callers = Callers()

    def runs_within_hour(self, tenant_id: str) -> int:
        """Return how many runs a tenant has begun within the last hour: what its quota counts."""
        return self._hourly.of_tenant(tenant_id)

    async def stop(self) -> None:
        """End all runs, so that each is told on its timeline."""
        await self._callers.send_away(_STOP_S)

    async def run(
        self, tenant_id: str, device: str, wish: Wish, caller: Principal
    ) -> AsyncGenerator[Sequence[ToolRow] | RunEnd, None]:
        """Yield rows as they come, and at last the end. Close it to stop the tool.

        Raises Refused, NotFound, ToolBusy, QuotaExceeded, SessionFailed, RouterRefused, CollectorUnable.
        """
        plan = wish.plan(self._config)
        found = await self._find(tenant_id, device)
        if not plan.from_collector and Way.API not in found.ways:
            raise Refused(
                f"{found.name} isn't reached over the API, which tools need: allow it among its ways"
            )
        with self._callers.inside(), self._place(found, plan):
            await self._hourly.take(tenant_id, caller)
            kept = Kept(plan.tool.name, self._config.keep_rows)
            begun = _Run(plan, found, caller, self._clock.monotonic(), self._clock.now_us(), kept)
            with self._account(begun) as run:
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

    @contextmanager
    def _place(self, device: Device, plan: Plan) -> Iterator[None]:
        """Hold the router for one run."""
        busy = self._running.get(device.device_id)
        if busy is not None:
            raise ToolBusy(f"{device.name} runs {busy[1]} already")
        own = [tool for tenant_id, tool in self._running.values() if tenant_id == device.tenant_id]
        if len(own) >= self._config.max_tenant_runs:
            raise ToolBusy(f"{len(own)} tools of your tenant run already: {', '.join(own)}")
        if len(self._running) >= self._config.max_runs:
            # Not which: they may be another tenant's.
            raise ToolBusy(f"{len(self._running)} tools run already")
        self._running[device.device_id] = device.tenant_id, plan.tool.name
        metrics.RUNNING.set(len(self._running))
        try:
            yield
        finally:
            del self._running[device.device_id]
            metrics.RUNNING.set(len(self._running))

    @contextmanager
    def _account(self, run: _Run) -> Iterator[_Run]:
        """Put the run on the device's timeline, as it begins and as it ends, however it ends."""
        caller = f"{run.caller} at {run.caller.peer}" if run.caller.peer else str(run.caller)
        self._recorder.record_event(audit.started(run.plan, caller), run.device)
        result, detail = "failed", "mtd failed"
        try:
            yield run
            result, detail = "done", ""
        except (GeneratorExit, asyncio.CancelledError):
            result, detail = "cancelled", "the caller went away"
            raise
        except RouterRefused as refused:
            result, detail = "refused", str(refused)
            raise
        except MtdError as error:
            detail = str(error)
            raise
        finally:
            metrics.RUNS.labels(tool=run.plan.tool.name, result=result).inc()
            seconds = self._clock.monotonic() - run.started
            change = audit.ended(run.plan, caller, result, detail, run.rows, seconds)
            self._recorder.record_event(change, run.device)
            ended = (result, detail)
            document = document_of(run.plan, run.caller, run.started_us, seconds, ended, run.kept, run.rows)
            self._recorder.record_document(run.device, document)

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
