"""The bridge's life: stand by, be the writer, stand by again, end."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from .door import Door, write_health
from .figures import Figures
from .port import Store
from .publisher import INTERVAL_S
from .session import Session, StaleCode
from .worker import Chores, Worker

_logger = logging.getLogger(__name__)

HEALTH_EVERY_S = 2.0
# Work that lasts longer is stuck: nothing but a new process helps. Chores wait for mtd, device by device.
STUCK_AFTER_S = 120.0
CHORES_STUCK_AFTER_S = 900.0
ENDS_WITHIN_S = 2.0
EXIT_STALE = 75


class Lock(Protocol):
    """The part of ``WriterLock`` that is needed here."""

    def start(self) -> None:
        """Begin to try."""

    def stop(self) -> None:
        """Give it up."""


MakeLock = Callable[..., Lock]


class Bridge:
    """One bridge. ``run`` returns the exit code of the process."""

    def __init__(
        self,
        store: Store,
        make_lock: MakeLock,
        *,
        make_client: Callable[[Mapping[str, Any]], Any],
        health_file: Path | None = None,
        http_port: int | None = None,
        interval_s: float = INTERVAL_S,
    ) -> None:
        self.figures = Figures()
        self._store, self._make_lock, self._make_client = store, make_lock, make_client
        self._health_file, self.http_port, self._interval_s = health_file, http_port, interval_s
        self._odoo, self._chores = Worker("odoo"), Chores()
        self._started = time.time()
        self._state, self._trouble = "starting", ""
        self._held, self._stopped = asyncio.Event(), asyncio.Event()
        self._lost = asyncio.Event()
        self._exit_code = 0
        self.session: Session | None = None

    async def run(self) -> int:
        """Work until stopped, or until only a new process helps."""
        loop = asyncio.get_running_loop()
        door = None
        if self.http_port is not None:
            door = Door(self.http_port, self.health, self.figures.exposition)
            self.http_port = door.port
        lock = self._make_lock(
            on_change=lambda held, trouble: loop.call_soon_threadsafe(self._on_lock, held, trouble),
            on_notify=lambda channel: loop.call_soon_threadsafe(self._on_notify, channel),
        )
        lock.start()
        self._state = "standby"
        watch = asyncio.create_task(self._watch())
        try:
            while not self._stopped.is_set():
                await self._until(self._held)
                if not self._stopped.is_set():
                    await self._work()
        finally:
            watch.cancel()
            await asyncio.to_thread(lock.stop)
            self._state = "stopped"
            await self._report()
            if door is not None:
                door.close()
            self._odoo.close()
            self._chores.close()
        return self._exit_code

    def stop(self) -> None:
        """End soon."""
        self._stopped.set()

    @property
    def is_stuck(self) -> bool:
        """Whether Odoo's work is under way still: threads can't be ended, only the process."""
        return self._odoo.busy_s > 0 or self._chores.busy_s > 0

    # -- being the writer ---------------------------------------------------------------

    async def _work(self) -> None:
        _logger.info("this bridge is the writer now")
        self._state = "active"
        self.session = Session(
            self._store,
            self.figures,
            self._odoo,
            self._chores,
            self._make_client,
            interval_s=self._interval_s,
        )
        work = asyncio.create_task(self.session.run())
        try:
            await self._until(self._lost, work)
        finally:
            work.cancel()
            # Nobody else begins before it ended; but a process that was told to end doesn't wait for long.
            await asyncio.wait([work], timeout=ENDS_WITHIN_S if self._stopped.is_set() else None)
            self.session = None
            self._state = "standby"
        if work.done() and not work.cancelled() and (error := work.exception()) is not None:
            self._explain(error)

    def _explain(self, error: BaseException) -> None:
        stale = isinstance(error, BaseExceptionGroup) and error.subgroup(StaleCode) is not None
        if stale:
            _logger.warning("the addon changed: this process ends, so that a new one reads it")
        else:
            _logger.error("the bridge failed: it ends, so that a new one begins", exc_info=error)
        self._exit_code = EXIT_STALE if stale else 1
        self.stop()

    async def _until(self, *events: asyncio.Event | asyncio.Task[None]) -> None:
        """Wait for any of these, or the end."""
        waits = [
            asyncio.create_task(one.wait())
            for one in (*events, self._stopped)
            if isinstance(one, asyncio.Event)
        ]
        tasks = [one for one in events if isinstance(one, asyncio.Task)]
        try:
            await asyncio.wait([*waits, *tasks], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waits:
                one.cancel()

    def _on_lock(self, held: bool, trouble: str) -> None:
        self._trouble = trouble
        if held:
            self._lost.clear()
            self._held.set()
        else:
            self._held.clear()
            self._lost.set()

    def _on_notify(self, channel: str) -> None:
        if self.session is not None:
            is_job = channel == "mikrotik_diagnostic"
            (self.session.jobs_changed if is_job else self.session.viewers_changed).set()

    # -- health ---------------------------------------------------------------------------

    def health(self) -> dict[str, Any]:
        """Return how the bridge is."""
        session = self.session
        problems = [
            {"id": one.id, "name": one.name, "connected": False, "viewed_devices": 0, "error": one.problem}
            for one in (session.problems.values() if session else ())
        ]
        return {
            "ok": self._state in ("active", "standby")
            and not self._trouble
            and self._odoo.busy_s < STUCK_AFTER_S / 2,
            "state": self._state,
            "trouble": self._trouble,
            "pid": os.getpid(),
            "time": round(time.time(), 3),
            "uptime_s": round(time.time() - self._started, 1),
            "odoo_busy_s": round(self._odoo.busy_s, 1),
            "chores_busy_s": round(self._chores.busy_s, 1),
            "connections": [
                *(one.health() for one in (session.tenants.values() if session else ())),
                *problems,
            ],
            **self.figures.summary(),
        }

    async def _watch(self) -> None:
        """Report now and then; end if Odoo's work is stuck."""
        while True:
            await self._report()
            if (stuck := self._stuck()) is not None:
                _logger.error(
                    "work in Odoo (%s) is stuck since %.0f s: the bridge ends, so that a new one begins",
                    stuck.name,
                    stuck.busy_s,
                )
                self._exit_code = 1
                self.stop()
                return
            await asyncio.sleep(HEALTH_EVERY_S)

    def _stuck(self) -> Worker | None:
        """Return a worker whose call lasts longer than any should."""
        limits = {self._odoo: STUCK_AFTER_S, **dict.fromkeys(self._chores.workers, CHORES_STUCK_AFTER_S)}
        return next((worker for worker, limit_s in limits.items() if worker.busy_s > limit_s), None)

    async def _report(self) -> None:
        if self._health_file is None:
            return
        try:
            await asyncio.to_thread(write_health, self._health_file, self.health())
        except OSError as error:
            self.figures.failed("health_file")
            _logger.warning("the health file can't be written: %s", error)
