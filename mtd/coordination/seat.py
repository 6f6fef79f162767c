"""The seat of a process that polls, and has the hub within itself."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Collection, Mapping
from typing import TYPE_CHECKING, NoReturn

from zope.interface import implementer

from mtd.coordination import metrics
from mtd.coordination.interfaces import ISeat
from mtd.core.clock import LEASE_CLOCK, Clock
from mtd.core.errors import Bug, LeaseLost, MtdError, Retryable, Superseded
from mtd.core.service import TaskGroup
from mtd.model.assignment import AssignedDevice, Assignment

if TYPE_CHECKING:
    from mtd.coordination.config import CoordinationConfig
    from mtd.coordination.interfaces import ICoordination
    from mtd.model.assignment import CollectorFacts, Membership

logger = logging.getLogger(__name__)

_RETRY_S = 0.3
_LEAVE_S = 1.5
_NEVER = float("-inf")


@implementer(ISeat)
class LocalSeat:
    """See `ISeat`."""

    def __init__(
        self,
        coordination: ICoordination,
        facts: CollectorFacts,
        config: CoordinationConfig,
        clock: Clock = LEASE_CLOCK,
    ) -> None:
        self.collector_id = facts.collector_id
        self._failure = ""
        self._coordination = coordination
        self._facts = facts
        self._config = config
        self._clock = clock
        self._tasks = TaskGroup("seat")
        self._membership: Membership | None = None
        self._took_part = False
        self._good_until = _NEVER
        self._store_is_away = False  # and that is to end nothing
        self._told: Assignment | None = None  # the newest that the hub told
        self._held: dict[str, AssignedDevice] = {}  # what may be polled, and what wasn't let go yet
        self._let_go: dict[str, int] = {}  # what the hub hasn't been told yet
        self._changed = asyncio.Event()
        self._renewed = asyncio.Event()
        self._has_let_go = asyncio.Event()

    @property
    def failure(self) -> str:
        """Why nothing may be polled that others could poll; empty if it may, though a renewal failed."""
        return "" if self._clock.monotonic() < self._good_until else self._failure

    async def start(self) -> None:
        """See `ISeat`."""
        self._tasks.spawn("membership", self._take_part())

    async def stop(self) -> None:
        """See `ISeat`."""
        await self._tasks.stop()
        self._store_is_away = False
        self._good_until, membership, self._membership = _NEVER, self._membership, None
        self._held = {}
        if membership is None:
            return
        try:
            async with asyncio.timeout(_LEAVE_S):
                await self._coordination.leave(membership)
        except (MtdError, TimeoutError) as error:
            logger.info("others take over when the lease is over: %s", str(error) or "no answer in time")

    def may_poll(self, device_id: str) -> bool:
        """See `ISeat`."""
        held = self._held.get(device_id)
        return held is not None and (held.exclusive or self._is_good)

    @property
    def _is_good(self) -> bool:
        """Whether what others could poll may be polled here."""
        return self._clock.monotonic() < self._good_until or self._store_is_away

    def epoch_of(self, device_id: str) -> int:
        """See `ISeat`."""
        held = self._held.get(device_id)
        return 0 if held is None else held.epoch

    def leaving(self) -> Collection[str]:
        """See `ISeat`."""
        told = {} if self._told is None else self._told.devices
        return [device_id for device_id in self._held if device_id not in told]

    async def assignments(self) -> AsyncGenerator[Assignment, None]:
        """See `ISeat`."""
        self._changed.set()
        while True:
            await self._changed.wait()
            self._changed.clear()
            if self._told is not None:
                yield self._allowed(self._told)

    async def released(self, device_ids: Collection[str]) -> None:
        """See `ISeat`."""
        wanted = {} if self._told is None else self._told.devices
        for device_id in device_ids:
            if device_id in wanted:
                continue  # given back meanwhile, or as soon as the lease is good again
            held = self._held.pop(device_id, None)
            if held is not None:
                self._let_go[device_id] = held.epoch
        if self._let_go:
            self._has_let_go.set()

    # -- taking part -----------------------------------------------------------

    async def _take_part(self) -> None:
        while True:
            try:
                await self._join_and_stay()
            except Exception as error:
                # Whatever it was: who takes part no more has devices that nobody polls.
                logger.exception("taking part failed by an error of mtd")
                self._failed("can't take part", Bug(f"by an error of mtd: {error!r}"))
                self._lose(keeping_exclusive=True)  # others may have the rest when it takes part again
            await asyncio.sleep(_RETRY_S)

    async def _join_and_stay(self) -> NoReturn:
        while True:
            try:
                membership = await self._coordination.join(
                    self._facts,
                    resumes=self._took_part,
                    holds=[key for key, held in self._held.items() if held.exclusive],
                )
            except Superseded as error:
                self._failed("can't take part", error)
                self._lose()
                await asyncio.sleep(self._config.renew_s)
            except MtdError as error:
                self._failed("can't take part", error)
                await asyncio.sleep(_RETRY_S)
            else:
                self._took_part = True
                self._renewed_by(membership)
                await self._while_member(membership)

    async def _while_member(self, membership: Membership) -> None:
        """Return when the lease is lost."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._renew_regularly(membership))
                tasks.create_task(self._tell_when_over())
                tasks.create_task(self._tell_what_is_let_go(membership))
                tasks.create_task(self._follow(membership))
        except* LeaseLost as lost:
            error = next(one for one in lost.exceptions if isinstance(one, LeaseLost))
            metrics.LEASES_LOST.inc()
            self._failed("the lease was lost", error)
            self._lose(keeping_exclusive=lost.subgroup(Superseded) is None)

    async def _renew_regularly(self, membership: Membership) -> NoReturn:
        wait_s = self._config.renew_s
        while True:
            await asyncio.sleep(wait_s)
            began = self._clock.monotonic()
            try:
                membership = await self._coordination.renew(membership)
            except LeaseLost:
                raise
            except MtdError as error:
                self._store_is_away = self._config.poll_without_store and isinstance(error, Retryable)
                self._failed("the lease can't be renewed", error)
                wait_s = _RETRY_S  # the lease doesn't wait
            else:
                self._renewed_by(membership)
                wait_s = max(0.0, self._config.renew_s - (self._clock.monotonic() - began))

    def _renewed_by(self, membership: Membership) -> None:
        self._membership = membership
        self._good_until = membership.lease.good_until - self._config.margin_s
        self._store_is_away = False
        self._failure = ""
        self._renewed.set()

    async def _tell_when_over(self) -> NoReturn:
        """Take back what isn't exclusive when the lease is over, and give it again when it was renewed."""
        while True:
            left = self._good_until - self._clock.monotonic()
            if left > 0:
                await asyncio.sleep(left)
                continue
            metrics.LEASES_OVER.inc()
            if self._store_is_away:
                logger.warning("the lease is over: polling goes on, for nobody can ask who has it")
            else:
                logger.warning(
                    "the lease is over: what others could poll isn't polled here until it is renewed"
                )
            self._publish()
            self._renewed.clear()
            await self._renewed.wait()
            self._publish()

    async def _tell_what_is_let_go(self, membership: Membership) -> NoReturn:
        while True:
            await self._has_let_go.wait()
            self._has_let_go.clear()
            while told := dict(self._let_go):
                try:
                    await self._coordination.released(membership, told)
                except LeaseLost:
                    raise
                except MtdError as error:
                    logger.warning("the hub can't be told which devices were let go: %s", error)
                    await asyncio.sleep(_RETRY_S)
                    continue
                for device_id, epoch in told.items():
                    if self._let_go.get(device_id) == epoch:
                        del self._let_go[device_id]

    async def _follow(self, membership: Membership) -> NoReturn:
        """Take what the hub assigns."""
        while True:
            try:
                async with contextlib.aclosing(self._coordination.assignments(membership)) as assignments:
                    async for assignment in assignments:
                        self._take(assignment)
                        self._let_go_of_unknown(assignment.releasing)
                        await self._coordination.applied(membership, assignment.revision)
            except LeaseLost:
                raise
            except MtdError as error:
                logger.warning("what is to be polled can't be read: %s", error)
            await asyncio.sleep(_RETRY_S)

    def _take(self, assignment: Assignment) -> None:
        self._told = assignment
        # What isn't in it any more stays until it was let go: its last answers are recorded, under the lease.
        held = {
            device_id: AssignedDevice(one.device, one.epoch)
            for device_id, one in self._held.items()
            if device_id not in assignment.devices
        }
        held.update(assignment.devices)
        self._held = held
        for device_id in assignment.devices:
            self._let_go.pop(device_id, None)
        self._changed.set()

    def _let_go_of_unknown(self, releasing: Mapping[str, int]) -> None:
        """Let go of what was withdrawn before this process heard that it had it: others wait for that."""
        unknown = {key: epoch for key, epoch in releasing.items() if key not in self._held}
        if unknown:
            self._let_go |= unknown
            self._has_let_go.set()

    def _allowed(self, assignment: Assignment) -> Assignment:
        """Return what of an assignment may be polled at this moment."""
        if self._is_good:
            return assignment
        exclusive = {key: one for key, one in assignment.devices.items() if one.exclusive}
        return Assignment(assignment.revision, exclusive)

    def _publish(self) -> None:
        if self._told is not None:
            self._take(self._told)

    def _lose(self, *, keeping_exclusive: bool = False) -> None:
        """Let go at once of what others may have now."""
        self._good_until, self._store_is_away = _NEVER, False
        self._let_go = {}
        if self._told is not None:
            self._told = self._allowed(self._told) if keeping_exclusive else Assignment(self._told.revision)
            self._held = dict(self._told.devices)
        self._changed.set()

    def _failed(self, what: str, error: MtdError) -> None:
        failure = f"{what}: {error}"
        if failure != self._failure:
            logger.warning("%s", failure)
        self._failure = failure
