"""Tools on routers: runs what users asked for, a few at once, and tells how it goes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from typing import Any

from mtd.client import MtdClientError

from .bounds import MOST_MESSAGE, text_within
from .figures import Figures
from .port import Job, Progress, Store
from .tenant import Tenant
from .transcript import Transcript
from .worker import Worker

_logger = logging.getLogger(__name__)

MOST_AT_ONCE = 8
LOOK_EVERY_S = 5.0
# Beyond what was asked for: the login, and the router's own slowness.
_GRACE_S = 30.0
_ENDS_WITHIN_S = 5.0


class _Run:
    """A tool under way."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.transcript = Transcript(job.tool)
        self.told = -1
        self.unwanted = False
        self.task: asyncio.Task[None] | None = None

    def progress(self, state: str, error: str = "") -> Progress:
        return Progress(self.job.id, state, self.transcript.lines, text_within(error, MOST_MESSAGE))


class Diagnostics:
    """Takes runs that wait in Odoo. Whatever ends one, its end is written, and told."""

    def __init__(
        self, store: Store, odoo: Worker, figures: Figures, tenants: Mapping[int, Tenant], wake: asyncio.Event
    ) -> None:
        self._store, self._odoo, self._figures, self._tenants = store, odoo, figures, tenants
        self._wake = wake
        self._runs: dict[int, _Run] = {}
        self._unwritten: dict[int, Progress] = {}
        self._ended: dict[int, Progress] = {}
        self._writing = asyncio.Lock()

    def news(self) -> list[Progress]:
        """Return what is to be told of runs since the last time."""
        found = list(self._ended.values())
        self._ended.clear()
        for run in self._runs.values():
            if run.told != run.transcript.version:
                run.told = run.transcript.version
                found.append(run.progress("running"))
        return found

    def again(self, progress: Iterable[Progress]) -> None:
        """These could not be told."""
        for one in progress:
            run = self._runs.get(one.id)
            if one.state != "running":
                self._ended[one.id] = one
            elif run is not None:
                run.told = -1

    async def run(self) -> None:
        """Look for runs, and for those that shall end, until cancelled; then all of them end."""
        orphans = await self._odoo.call(self._store.fail_orphans)
        if orphans:
            self._figures.diagnostics.labels("failed").inc(orphans)
        try:
            while True:
                self._wake.clear()
                try:
                    await self._look()
                except Exception as error:  # whatever Odoo or its database says: what runs goes on
                    self._figures.failed("diagnostics")
                    _logger.warning("no diagnostics can be looked for, trying again: %s", error)
                try:
                    async with asyncio.timeout(LOOK_EVERY_S):
                        await self._wake.wait()
                except TimeoutError:
                    pass
        finally:
            await self._end_all()

    async def _look(self) -> None:
        await self._write_ends()
        if self._runs:
            await self._cancel(await self._odoo.call(self._store.cancelled_jobs, list(self._runs)))
        free = MOST_AT_ONCE - len(self._runs)
        for job in await self._odoo.call(self._store.claim_jobs, free) if free > 0 else ():
            self._start(job)

    def _start(self, job: Job) -> None:
        # It may have been cancelled and asked for anew before its first run came to its end.
        self._unwritten.pop(job.id, None)
        self._ended.pop(job.id, None)
        run = self._runs[job.id] = _Run(job)
        run.task = asyncio.create_task(self._follow(run))

    async def _cancel(self, job_ids: Iterable[int]) -> None:
        """End these. It is waited for, as one of them may be asked for anew already: its old end goes first."""
        tasks = []
        for run in filter(None, map(self._runs.get, job_ids)):
            if run.task is not None:
                run.unwanted = True
                run.task.cancel()
                tasks.append(run.task)
        if tasks:
            await asyncio.wait(tasks, timeout=_ENDS_WITHIN_S)

    async def _end_all(self) -> None:
        tasks = [run.task for run in self._runs.values() if run.task is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _follow(self, run: _Run) -> None:
        """Run the tool to its end, and write how it ended."""
        try:
            async with asyncio.timeout(run.job.seconds + _GRACE_S):
                await self._run_tool(run)
            end = run.progress("done")
        except MtdClientError as error:
            end = run.progress("failed", str(error))
        except TimeoutError:
            end = run.progress("failed", "mtd did not end it in time")
        except asyncio.CancelledError:
            if run.unwanted:
                end = run.progress("cancelled")
            else:
                end = run.progress("failed", "the bridge was stopped: run it again")
        except Exception as error:
            _logger.exception("diagnostic %s", run.job.id)
            end = run.progress("failed", f"the bridge could not run it: {error}")
        await self._finish(run, end)

    async def _run_tool(self, run: _Run) -> None:
        tenant = self._tenants.get(run.job.connection_id)
        if tenant is None:
            raise MtdClientError("the connection to mtd isn't set up", code="FAILED_PRECONDITION")
        if not tenant.is_proven:
            raise MtdClientError(
                f"it isn't sure whose tenant this is, so nothing is run ({tenant.error})",
                code="FAILED_PRECONDITION",
            )
        async with tenant.client.run(_call_of(run.job)) as parts:
            async for part in parts:
                run.transcript.take(part)

    async def _finish(self, run: _Run, end: Progress) -> None:
        self._figures.diagnostics.labels(end.state).inc()
        if self._runs.get(run.job.id) is not run:
            return  # it was asked for anew: that run has the word now
        self._runs.pop(run.job.id)
        self._unwritten[run.job.id] = end
        await self._write_ends()
        self._wake.set()  # there is room for the next one

    async def _write_ends(self) -> None:
        """Write how runs ended; what can't be written is tried again at the next look."""
        async with self._writing:  # the end of a run, and a look, may come together
            for end in list(self._unwritten.values()):
                try:
                    await self._odoo.call(self._store.finish_job, end)
                except Exception as error:  # whatever Odoo or its database says
                    self._figures.failed("finish_job")
                    _logger.warning("the end of diagnostic %s can't be written yet: %s", end.id, error)
                else:
                    self._unwritten.pop(end.id, None)
                    self._ended[end.id] = end


def _call_of(job: Job) -> Any:
    """Return the call of mtd for a run."""
    from mtd.client import tools

    if job.tool == "ping":
        return tools.ping(job.mtd_id, job.address, count=job.count, seconds=float(job.seconds))
    if job.tool == "traceroute":
        return tools.traceroute(job.mtd_id, job.address, count=job.count, seconds=float(job.seconds))
    return tools.torch(job.mtd_id, job.interface, seconds=float(job.seconds))
