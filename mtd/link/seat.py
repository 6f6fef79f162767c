"""The seat of an edge: what its hub tells it to poll, and what it may poll without its hub."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import AsyncGenerator, Collection, Iterable, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zope.interface import implementer

from mtd.coordination.interfaces import ISeat
from mtd.core.backoff import Backoff
from mtd.core.clock import LEASE_CLOCK, Clock
from mtd.core.errors import Bug, Forbidden, MtdError, Retryable, Superseded, Unauthenticated
from mtd.core.service import TaskGroup
from mtd.link.attachment import Attachment, GetReport, Who
from mtd.link.config import LinkConfig
from mtd.link.holding import Holding
from mtd.link.keeping import Keeping
from mtd.link.metrics import LINK_FAILURES, LINKED
from mtd.model.assignment import Assignment
from mtd.pb.collector.v1 import collector_link_service_pb2 as pb
from mtd.security.pseudonyms import Pseudonym

if TYPE_CHECKING:
    from mtd.link.interfaces import Dial, Handler
    from mtd.link.kept import KeptFile

logger = logging.getLogger(__name__)

_GOODBYE_S = 1.5
_KEPT_WITHIN_S = 5.0
_MOST_DEVICES = 200  # of one question for rows
_ROWS_S = 10.0  # polling waits for them
_MOST_UNTOLD, _UNTOLD_PAUSE_S = 3, 30.0
"""Who takes part and isn't told what to poll has devices that nobody polls: it stays away for longer than a lease."""
_STEADY_S = 10.0
"""A link that went on for so long was good: what ends it then is something new."""


@dataclass(frozen=True, slots=True)
class LinkState:
    """How the link is, for people. ``failure``: why there is none; empty while there is one."""

    linked: bool
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Edge:
    """Which collector this is. ``name``: what stands in events; ``enrolled_as``: the id in its certificate.

    ``log_id``: of the log that it writes to.
    """

    name: str
    enrolled_as: str
    version: str = ""
    log_id: str = ""


@implementer(ISeat)
class RemoteSeat:
    """See `ISeat`. Polls on without its hub what it holds exclusively, from its disk if need be.

    ``margin_s`` as in the settings of coordination.
    """

    def __init__(
        self,
        edge: Edge,
        dial: Dial,
        file: KeptFile,
        handler: Handler,
        report: GetReport,
        config: LinkConfig,
        *,
        margin_s: float,
        clock: Clock = LEASE_CLOCK,
    ) -> None:
        self.collector_id = edge.name
        self._dial = dial
        self._handler = handler
        self._report = report
        self._config = config
        self._clock = clock
        self._who = Who(str(uuid.uuid4()), edge.version, edge.log_id)
        self._holding = Holding(margin_s, clock)
        self._keeping = Keeping(file, self._holding, edge.enrolled_as)
        self._tasks = TaskGroup("link.seat")
        self._attachment: Attachment | None = None
        self._took_part = False
        self._refused_at: float | None = None
        self._listeners: set[asyncio.Event] = set()
        self._renewed = asyncio.Event()
        self._stopping = False
        self._untold = 0  # links in a row over which it took part, and wasn't told what to poll
        self.state = LinkState(linked=False, failure="it has not called a hub yet")

    async def start(self) -> None:
        """Hold what is on the disk, and call a hub from now on."""
        await self._keeping.restore()
        self._tasks.spawn("keep", self._keeping.run(self._kept))
        self._tasks.spawn("lease", self._tell_when_over())
        self._tasks.spawn("link", self._run())

    async def stop(self) -> None:
        """Take part no more. What is held exclusively stays this collector's: it will go on with it."""
        self._stopping = True
        attachment = self._attachment
        if attachment is not None and attachment.complete.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(_GOODBYE_S):
                    # While the disk names devices, they are polled when this edge is started again.
                    await self._keeping.wait(self._holding.version)
                    if not self._holding.has_exclusive:
                        await attachment.leave()
                        await attachment.ended.wait()
        await self._tasks.stop()
        self._holding.end_lease()
        LINKED.set(0)

    # -- ISeat ----------------------------------------------------------------

    async def assignments(self) -> AsyncGenerator[Assignment, None]:
        """Yield what is to be polled, at once if it is known, and whenever it changed."""
        changed = self._listen()
        try:
            while True:
                await changed.wait()
                changed.clear()
                if self._holding.known:
                    yield self._holding.allowed
        finally:
            self._listeners.discard(changed)

    def _listen(self) -> asyncio.Event:
        changed = asyncio.Event()
        changed.set()
        self._listeners.add(changed)
        return changed

    def may_poll(self, device_id: str) -> bool:
        """Whether a device may be polled at this moment."""
        return self._holding.may_poll(device_id)

    def epoch_of(self, device_id: str) -> int:
        """Return the epoch under which a device is polled."""
        return self._holding.epoch_of(device_id)

    def leaving(self) -> Collection[str]:
        """Return the devices that aren't assigned any more and weren't released yet."""
        return self._holding.leaving

    async def released(self, device_ids: Collection[str]) -> None:
        """Say that these are polled no more; once what is on the disk doesn't name them any more either."""
        if self._holding.release(device_ids):
            await self._tell_released()

    async def _tell_released(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_KEPT_WITHIN_S):
                await self._keeping.wait(self._holding.version)
        attachment = self._attachment
        if attachment is not None:
            await attachment.release()

    # -- what polling needs beside it -----------------------------------------

    def pseudonym_of(self, tenant_id: str) -> Pseudonym | None:
        """Return what replaces texts of a tenant that name people; None if they are kept."""
        return self._holding.pseudonym_of(tenant_id)

    async def known_rows(
        self, device_ids: Iterable[str], tables: Iterable[str]
    ) -> Mapping[str, Mapping[str, Mapping[str, Mapping[str, str]]]]:
        """Return device id -> table -> key -> fields, as the hub has them. Raises Retryable without a hub."""
        if not self.state.linked:
            raise Retryable("there is no link with a hub that would know the rows")
        found: dict[str, dict[str, dict[str, Mapping[str, str]]]] = {}
        wanted, names = list(device_ids), list(tables)
        for at in range(0, len(wanted), _MOST_DEVICES):
            request = pb.StreamKnownRowsRequest(device_ids=wanted[at : at + _MOST_DEVICES], tables=names)
            try:
                async with asyncio.timeout(_ROWS_S), aclosing(self._dial.known_rows(request)) as responses:
                    async for response in responses:
                        for row in response.rows:
                            table = found.setdefault(row.device_id, {}).setdefault(row.table_name, {})
                            table[row.row_key] = dict(row.fields)
            except TimeoutError:
                raise Retryable(f"the hub doesn't tell the rows within {_ROWS_S:g} s") from None
            except MtdError as error:
                raise Retryable(f"the hub doesn't tell the rows: {error}") from error
        return found

    @property
    def lease_left_s(self) -> float:
        """What is left of the lease, in seconds."""
        return self._holding.lease_left_s

    # -- the link ---------------------------------------------------------------

    async def _run(self) -> None:
        config = self._config
        backoff = Backoff(first_s=config.first_retry_s, cap_s=config.longest_retry_s)
        while not self._stopping:
            began = self._clock.monotonic()
            error: MtdError = Retryable("the hub ended the link")
            try:
                await self._attach()
            except MtdError as failed:
                error = failed
            except Exception as failed:
                logger.exception("the link of %s failed by an error of mtd", self.collector_id)
                error = Bug(f"by an error of mtd: {failed!r}")
            self._unlinked(error)
            if self._clock.monotonic() - began > _STEADY_S:
                backoff.reset()
            pause_s = backoff.next_delay()
            if self._untold >= _MOST_UNTOLD:
                pause_s = _UNTOLD_PAUSE_S
            if isinstance(error, Superseded):
                pause_s = config.superseded_pause_s
                self._keeping.disown()  # the other process may be of this machine, and keep the same file
                self._let_go(f"another process with the certificate of {self.collector_id} polls: {error}")
            elif isinstance(error, Unauthenticated | Forbidden):
                await self._refused(error)
            if not isinstance(error, Unauthenticated | Forbidden):
                self._refused_at = None  # what refused it before isn't all that the hub says
            await asyncio.sleep(pause_s)

    async def _attach(self) -> None:
        attachment = Attachment(
            self._who,
            self._holding,
            self._handler,
            self._report,
            (self._on_change, self._on_lease),
            self._config,
            self._clock,
        )
        self._attachment = attachment
        try:
            await attachment.run(self._dial, resumes=self._took_part)
        finally:
            self._attachment = None
            attachment.ended.set()
            told = attachment.complete.is_set()
            self._untold = 0 if told else self._untold + attachment.welcomed.is_set()

    def _on_change(self) -> None:
        attachment = self._attachment
        if attachment is not None and attachment.welcomed.is_set() and not self.state.linked:
            self._took_part, self._refused_at = True, None
            self.state = LinkState(linked=True)
            LINKED.set(1)
            logger.info("%s is linked with its hub", self.collector_id)
        if attachment is not None and attachment.complete.is_set():
            self._keeping.own()
            if self._holding.to_tell:
                self._tasks.spawn("released", self._tell_released())
        self._tell()

    def _on_lease(self) -> None:
        self._renewed.set()

    def _tell(self) -> None:
        self._keeping.wanted()
        self._publish()

    def _publish(self) -> None:
        for changed in self._listeners:
            changed.set()

    async def _tell_when_over(self) -> None:
        """Take back what needs a lease when that is over, and give it again when there is one."""
        while True:
            self._renewed.clear()
            if (left_s := self._holding.lease_left_s) > 0:
                await asyncio.sleep(left_s)
                continue
            if self._took_part:
                logger.warning(
                    "the lease of %s is over: what others could poll isn't polled here until a hub answers",
                    self.collector_id,
                )
                self._publish()
            while self._holding.lease_left_s <= 0:
                self._renewed.clear()
                await self._renewed.wait()
            self._publish()

    async def _kept(self, revision: int) -> None:
        attachment = self._attachment
        if attachment is not None:
            await attachment.applied(revision)

    def _unlinked(self, error: MtdError) -> None:
        LINK_FAILURES.labels(reason=_word_for(error)).inc()
        LINKED.set(0)
        log = logger.warning if self.state.linked or not self.state.failure else logger.info
        self.state = LinkState(linked=False, failure=str(error))
        log("%s has no link with its hub: %s", self.collector_id, error)
        self._dial.failed(error)

    async def _refused(self, error: MtdError) -> None:
        """Let go of everything once the hub has said for long enough that this collector isn't one of its own."""
        now = self._clock.monotonic()
        if self._refused_at is None:
            self._refused_at = now
            self._holding.end_lease()
            self._publish()
        if now - self._refused_at >= self._config.refused_grace_s and self._holding.held:
            self._let_go(f"the hub doesn't let {self.collector_id} in: {error}")
            await self._keeping.forget()

    def _let_go(self, why: str) -> None:
        logger.error("%s; it polls nothing any more", why)
        self._holding.let_go()
        self._tell()


def _word_for(error: MtdError) -> str:
    if isinstance(error, Superseded):
        return "superseded"
    if isinstance(error, Unauthenticated | Forbidden):
        return "refused"
    return type(error).__name__ if isinstance(error, Retryable) else "failed"
