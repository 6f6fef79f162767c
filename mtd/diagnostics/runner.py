"""Runs a tool on a router: its own session, its bounds, its place among the others, and its account."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mtd.core.callers import Callers
from mtd.core.clock import SYSTEM_CLOCK, Clock
from mtd.core.errors import MtdError, Refused
from mtd.diagnostics import audit, metrics
from mtd.diagnostics.errors import RouterRefused, ToolBusy
from mtd.diagnostics.limits import HourlyRuns, TenantLimit, no_limit
from mtd.diagnostics.performing import Performer, Performs, RunEnd
from mtd.diagnostics.record import Kept, document_of
from mtd.diagnostics.tools import ToolRow
from mtd.model.device import Device, Way
from mtd.sources.routeros_api.config import RouterOsApiConfig

if TYPE_CHECKING:
    from mtd.diagnostics.config import DiagnosticsConfig
    from mtd.diagnostics.plans import Plan, Wish
    from mtd.ingest.recorder import Recorder
    from mtd.model.principal import Principal

FindDevice = Callable[[str, str], Awaitable[Device]]
"""Return a tenant's device by name or id, with its password. Raises NotFound."""

Elsewhere = Callable[[Device], Awaitable[Performs | None]]
"""Return what runs tools on a device that isn't polled from here; None if this process does.

Raises Retryable where they can't be run, and says why.
"""


async def nowhere_else(_: Device) -> None:
    """All devices are this process's own."""


_STOP_S = 1.0


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

    def take(self, rows: Sequence[ToolRow]) -> None:
        """Take note of rows as they come."""
        self.kept.take(rows)
        self.rows += len(rows)
        metrics.ROWS.labels(tool=self.plan.tool.name).inc(len(rows))


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
        elsewhere: Elsewhere = nowhere_else,
    ) -> None:
        self._find = find
        self._recorder = recorder
        self._config = config
        self._clock = clock
        self._hourly = HourlyRuns(config, clock, tenant_limit)
        self._here = Performer(config, api_config, clock=clock, reactor=reactor)
        self._elsewhere = elsewhere
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
                performs = await self._elsewhere(found) or self._here
                async with aclosing(performs.run(plan, found, run.take)) as parts:
                    async for part in parts:
                        yield part

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
