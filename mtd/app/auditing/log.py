"""The audit log: taken in at once, written in groups, kept in files while PostgreSQL is away."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mtd.app.auditing import metrics
from mtd.app.auditing.coalescing import Coalescer
from mtd.app.auditing.config import AuditConfig
from mtd.app.auditing.spool import FOLDER, Spool
from mtd.core.clock import SYSTEM_CLOCK, Clock
from mtd.core.errors import MtdError, Retryable
from mtd.core.queues import Policy, declare
from mtd.core.service import TaskGroup
from mtd.model.audit import AuditEntry
from mtd.security.audit_chain import Deed, clean
from mtd.storage.stores.audit_log import AuditStore

logger = logging.getLogger("mtd.audit")

ENTRIES = declare(
    "audit.entries",
    "entries",
    Policy.REFUSE,
    "Entries of the audit log that wait to be written, to PostgreSQL or to a file. What is to be audited isn't done meanwhile.",
    limited_by="audit.max_waiting",
    counted_by="mtd_audit_lost_total",
)
_AT_ONCE = 200
_RETRY_S = 1.0
_LOOK_S = 30.0
_TICK_S = 1.0
_MIB = 1024 * 1024


class AuditUnavailable(Retryable):
    """An entry of the audit log can't be written now."""

    hint = "PostgreSQL is away and the disk of the data folder takes nothing: see /readyz and the log"


@dataclass(frozen=True, slots=True)
class _Waiting:
    deed: Deed
    done: asyncio.Future[None]


class AuditLog:
    """See `Auditor`. Between ``start`` and ``stop`` one task writes, so that the order is that of `record`.

    Policy of its queue: what doesn't fit in is refused, counted, and stands in the log of the process; `ready`
    refuses deeds before that.
    """

    def __init__(
        self,
        store: AuditStore,
        data_dir: Path,
        config: AuditConfig | None = None,
        *,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._store = store
        self._config = config or AuditConfig()
        self._clock = clock
        self._spool = Spool(data_dir / FOLDER, self._config.spool_max_mb * _MIB)
        self._coalescer = Coalescer(self._config.coalesce_s, clock)
        self._waiting: deque[_Waiting] = deque()
        ENTRIES.watch(self, lambda one: len(one._waiting), lambda one: one._config.max_waiting)
        self._wake = asyncio.Event()
        self._tasks = TaskGroup("app.audit")
        self._turn = asyncio.Lock()  # of what is in files, and of whether something is
        self._kept = asyncio.Event()
        self._behind = False
        self.failure = ""
        """Why entries aren't in PostgreSQL; empty if they are. What is told as durable is, in any case."""
        self._stuck = ""
        self._ended = False

    async def start(self) -> None:
        """Begin to write; first what was left in files."""
        self._behind = await asyncio.to_thread(self._spool.look) > 0
        self._tasks.spawn("write", self._run())
        self._tasks.spawn("follow", self._follow())
        self._wake.set()

    async def stop(self) -> None:
        """Write all that was taken in, to PostgreSQL or to a file."""
        try:
            await self._tasks.stop()
            self._take_counted(at_once=True)
            while self._waiting and await self._write():
                pass
        finally:  # also if the time for stopping is over
            self._leave()

    def _leave(self) -> None:
        """Put what is left into a file. On the loop: nothing else goes on any more."""
        self._ended = True
        try:
            if self._waiting:
                self._spool.append([one.deed for one in self._waiting])
            self._waiting.clear()
            self._spool.close()
        except MtdError as error:
            while self._waiting:
                self._lose(self._waiting.popleft(), str(error))

    def ready(self) -> None:
        """Raise AuditUnavailable while nothing can be written: what is to be audited must not be done then."""
        if self._stuck:
            raise AuditUnavailable(f"the audit log can't be written: {self._stuck}")
        if len(self._waiting) >= self._config.max_waiting:
            raise AuditUnavailable(f"{len(self._waiting)} entries of the audit log wait to be written")

    def record(self, entry: AuditEntry) -> Awaitable[None]:
        """Take an entry; it is durable when what is returned is done, whether or not anybody waits for it.

        Refusals that are alike are counted: those are done at once, and durable when their time is over.
        """
        entry = clean(entry)
        metrics.ENTRIES.labels(outcome=entry.outcome).inc()
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if Coalescer.concerns(entry) and not self._coalescer.admit(entry):
            metrics.COALESCED.inc()
            done.set_result(None)
            self._wake.set()
            return done
        logger.info("%s %s by %s %s from %s: %s", *map(_one_line, _told(entry)))
        self._take(entry, done)
        # A caller that is cancelled while it waits takes nothing from the log.
        written = asyncio.shield(done)
        written.add_done_callback(_looked_at)
        return written

    def _take(self, entry: AuditEntry, done: asyncio.Future[None] | None = None) -> None:
        done = done or asyncio.get_running_loop().create_future()
        done.add_done_callback(_looked_at)  # nobody may be waiting for it
        waiting = _Waiting(Deed(entry, self._clock.now_us()), done)
        if self._ended:
            self._lose(waiting, "the process ends")
            return
        if len(self._waiting) >= self._config.max_waiting:
            self._lose(waiting, "too many wait")
            return
        self._waiting.append(waiting)
        metrics.WAITING.set(len(self._waiting))
        self._wake.set()

    def _take_counted(self, *, at_once: bool = False) -> None:
        for entry in self._coalescer.due(at_once=at_once):
            self._take(entry)

    def _lose(self, waiting: _Waiting, why: str) -> None:
        metrics.LOST.inc()
        logger.error("not in the audit log (%s): %r", why, waiting.deed)
        if not waiting.done.done():
            waiting.done.set_exception(AuditUnavailable(f"the audit log could not be written: {why}"))

    async def _run(self) -> None:
        wrote = True
        while True:
            pause_s = _TICK_S if self._coalescer.waiting or not wrote else None
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._wake.wait()
            self._wake.clear()
            self._take_counted()
            wrote = True
            while self._waiting and wrote:
                wrote = await self._write()
            if not wrote:
                await asyncio.sleep(_RETRY_S)

    async def _write(self) -> bool:
        """Write the next group; false if it could be written nowhere, and stays where it is."""
        group = [self._waiting[index] for index in range(min(_AT_ONCE, len(self._waiting)))]
        deeds = [one.deed for one in group]
        started = self._clock.monotonic()
        async with self._turn:
            # Behind what is in files comes what follows: the order stays.
            stored = not self._behind and await self._store_now(deeds)
            if not stored and not await self._keep(deeds):
                return False
        self._stuck = ""
        metrics.WRITE_SECONDS.observe(self._clock.monotonic() - started)
        for one in group:
            self._waiting.popleft()
            if not one.done.done():
                one.done.set_result(None)
        metrics.WAITING.set(len(self._waiting))
        return True

    async def _store_now(self, deeds: Sequence[Deed]) -> bool:
        try:
            await self._store.append(deeds, deadline_s=self._config.store_timeout_s)
        except MtdError as error:
            self._tell(str(error))
            return False
        metrics.STORED.inc(len(deeds))
        self._tell("")
        return True

    async def _keep(self, deeds: Sequence[Deed]) -> bool:
        try:
            # Not given up half-way: two must not write at once.
            await _finished(asyncio.to_thread(self._spool.append, deeds))
        except MtdError as error:
            if not self._stuck:
                logger.error("entries of the audit log can be written nowhere: %s", error)
            self._stuck = str(error)
            return False
        self._behind = True
        self._kept.set()
        return True

    async def _follow(self) -> None:
        """Give PostgreSQL what is in files, whenever something is."""
        while True:
            try:
                caught_up = await self._catch_up()
            except OSError as error:
                self._tell(f"files of the audit log can't be read: {error}")
                caught_up = False
            if not caught_up:
                await asyncio.sleep(_RETRY_S)
            elif not self._behind:
                self._kept.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK_S):  # for what commands have left
                        await self._kept.wait()

    async def _catch_up(self) -> bool:
        """Give PostgreSQL the oldest file; false if it doesn't take it. What comes meanwhile goes to the next file."""
        async with self._turn:
            await _finished(asyncio.to_thread(self._spool.close))
            segments = await asyncio.to_thread(self._spool.segments)
            if not segments:
                self._behind = False
                return True
        deeds = await asyncio.to_thread(self._spool.read, segments[0])
        for first in range(0, len(deeds), _AT_ONCE):
            if not await self._store_now(deeds[first : first + _AT_ONCE]):
                return False
        async with self._turn:
            await _finished(asyncio.to_thread(self._spool.remove, segments[0]))
            self._stuck = ""
            self._behind = self._behind and bool(await asyncio.to_thread(self._spool.segments))
        return True

    def _tell(self, failure: str) -> None:
        if failure and not self.failure:
            logger.warning("the audit log is kept in files until PostgreSQL takes it: %s", failure)
        elif self.failure and not failure:
            logger.info("PostgreSQL takes the audit log again")
        self.failure = failure


async def _finished(work: Awaitable[None]) -> None:
    """Wait for a thread to its end, even if we are cancelled meanwhile."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


def _told(entry: AuditEntry) -> tuple[str, ...]:
    return (entry.action, entry.target, entry.caller_kind, entry.caller, entry.peer, entry.outcome)


def _one_line(text: str) -> str:
    # What callers say must not look like lines of ours.
    return (
        text
        if text.isprintable()
        else "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)
    )


def _looked_at(done: asyncio.Future[None]) -> None:
    if not done.cancelled():
        done.exception()
