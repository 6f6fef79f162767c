"""One link of a hub with an edge, from its hello to its end."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Coroutine, Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mtd.api.link.parts import EdgeState, LinkParts
from mtd.core.errors import LeaseLost, MtdError, Refused, Retryable, Superseded
from mtd.core.queues import Policy, declare
from mtd.core.service import TaskGroup
from mtd.link import metrics
from mtd.link.assignments import Telling
from mtd.link.attachment import stamp_of
from mtd.link.reports import report_of
from mtd.model.assignment import AssignedDevice, Assignment, CollectorFacts, Membership
from mtd.model.collector_report import CollectorReport
from mtd.pb.collector.v1 import collector_link_service_pb2 as pb

if TYPE_CHECKING:
    from mtd.model.principal import Principal

logger = logging.getLogger(__name__)

_MOST_WAITING = 64
"""Messages that wait for an edge that doesn't read: more of what can wait isn't made, and nothing more is heard."""
_MOST_RELEASED = 100_000
_RETRY_S = 1.0
_MOST_CAPABILITIES = 64
_MOST_CHARACTERS = 128

TO_EDGES = declare(
    "link.to_edges",
    "messages",
    Policy.WAIT,
    "What edges are told and have not read. Nothing more is read of them meanwhile.",
    limited_by="64 for each link",
)


class LinkSession:
    """See `responses`. Used once."""

    def __init__(self, caller: Principal, tenants: frozenset[str], parts: LinkParts) -> None:
        self.collector_id = caller.caller_id
        self.name = caller.name
        self._caller = caller
        self._tenants = tenants
        self._parts = parts
        self._tasks = TaskGroup("api.link")
        self._hello = pb.Hello()
        self._membership: Membership | None = None
        self._telling = Telling(parts.config.part_devices)
        self._out: deque[pb.AttachResponse] = deque()
        TO_EDGES.watch(self, lambda one: len(one._out), lambda _: _MOST_WAITING)
        self._changed = asyncio.Event()  # something to send, or the end
        self._room = asyncio.Event()
        self._noting = asyncio.Event()
        self._renewal: tuple[pb.Renew, float, int] | None = None
        self._renewing = asyncio.Event()
        self._applied = 0
        self._released: dict[str, int] = {}
        self._assigned: Collection[str] = ()  # what it is told to poll, or is about to be
        self._known: dict[str, int] = {}  # epochs of what the edge may hold, or be letting go
        self._released_by: list[int] = []  # sequences that are answered when all of it is noted
        self._failure: Exception | None = None
        self._over = False
        self._state: EdgeState | None = None

    # -- as the desk knows it --------------------------------------------------

    @property
    def capabilities(self) -> frozenset[str]:
        """Return what the collector can do."""
        return frozenset(self._hello.capabilities)

    @property
    def told(self) -> Mapping[str, AssignedDevice]:
        """Return the devices that it was told to poll."""
        return self._telling.told

    def say(self, response: pb.AttachResponse) -> None:
        """Send something."""
        self._out.append(response)
        self._changed.set()

    def end(self, error: Exception) -> None:
        """End the link with an error; the first one counts."""
        if self._failure is None:
            self._failure = error
        self._wake()

    # -- the stream --------------------------------------------------------------

    async def responses(
        self, requests: AsyncIterator[pb.AttachRequest]
    ) -> AsyncGenerator[pb.AttachResponse, None]:
        """Yield what the edge is told, until it goes or the link fails. The membership ends by itself."""
        self._spawn("read", self._read(requests))
        try:
            while True:
                while self._out:
                    yield self._out.popleft()
                    self._room.set()
                if self._failure is not None:
                    raise self._failure
                if self._over:
                    return
                self._changed.clear()
                await self._changed.wait()
        finally:
            try:
                await self._tasks.stop()
            finally:
                self._parts.desk.drop(self)
            metrics.ENDED.labels(reason=_word_for(self._failure, over=self._over)).inc()

    def _spawn(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.spawn(name, self._until_failed(work))

    async def _until_failed(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except asyncio.CancelledError:
            raise
        except Superseded as error:
            self.end(error)
        except LeaseLost:
            self.end(Retryable("the lease ended: say hello again"))
        except Exception as error:  # raised where the stream is answered
            self.end(error)

    def _wake(self) -> None:
        for event in (self._changed, self._room):
            event.set()

    async def _wait_for_room(self) -> None:
        while len(self._out) >= _MOST_WAITING and self._failure is None:
            self._room.clear()
            await self._room.wait()

    # -- hearing -------------------------------------------------------------------

    async def _read(self, requests: AsyncIterator[pb.AttachRequest]) -> None:
        async for request in requests:
            await self._wait_for_room()
            if self._over:
                break
            kind = request.WhichOneof("message")
            if (kind == "hello") == (self._membership is not None):
                raise Refused("say hello once, and first")
            await self._take(kind, request)
        self._over = True
        self._wake()

    async def _take(self, kind: str | None, request: pb.AttachRequest) -> None:
        match kind:
            case "hello":
                await self._welcome(request.hello)
            case "renew":
                now = self._parts.clock
                # The newest only: what it asks for holds for those before it.
                self._renewal = request.renew, now.monotonic(), now.now_us()
                self._renewing.set()
            case "applied":
                self._applied = max(self._applied, request.applied.revision)
                self._noting.set()
            case "released":
                self._take_released(request.released)
            case "command":
                self._parts.desk.heard(self, request.command)
            case "leave":
                await self._leave()
            case _:
                pass  # a newer collector says more than this version understands

    def _take_released(self, released: pb.Released) -> None:
        for device_id, epoch in released.epochs.items():
            if device_id in self._assigned or device_id in self.told:
                continue  # said before it heard that it is to poll it, which it does by then
            if self._known.get(device_id, epoch + 1) <= epoch:
                del self._known[device_id]
            self._released[device_id] = epoch
        self._released_by.append(released.sequence)
        if max(len(self._released) / _MOST_RELEASED, len(self._released_by) / _MOST_WAITING) > 1:
            raise Retryable("what was released can't be noted for so long: say hello again")
        self._noting.set()

    async def _welcome(self, hello: pb.Hello) -> None:
        parts = self._parts
        _check(hello)
        # First: who takes part, and isn't told what to poll, has devices that nobody polls.
        parts.desk.check_room(self)
        asked, now_us = parts.clock.monotonic(), parts.clock.now_us()
        facts = CollectorFacts(self.collector_id, self.name, hello.instance_id, self._tenants, hello.version)
        holds = [one.device_id for one in hello.held if one.exclusive]
        membership = await parts.coordination.join(facts, resumes=hello.resumes, holds=holds)
        self._hello, self._membership = hello, membership
        self._known = {one.device_id: one.epoch for one in hello.held}
        parts.desk.add(self)
        tenants = [self._tenant(tenant_id) for tenant_id in sorted(self._tenants)]
        self.say(
            pb.AttachResponse(
                welcome=pb.Welcome(
                    collector_id=self.collector_id,
                    collector_name=self.name,
                    # Both reckoned by one clock: the edge asked before we did, so that its lease ends before ours.
                    lease_s=membership.lease.good_until - asked,
                    renew_interval_s=parts.renew_s,
                    hub_time=stamp_of(now_us),
                    hub_version=parts.version,
                    tenants=tenants,
                    lease_epoch=membership.lease.epoch,
                )
            )
        )
        self._note(CollectorReport(), _seconds_ahead(hello.sent_at, now_us, 0.0), now_us)
        logger.info("the collector %s is linked, version %s", self.name, hello.version or "unknown")
        self._spawn("assignments", self._tell_assignments())
        self._spawn("renewals", self._renew())
        self._spawn("notes", self._take_notes())
        self._spawn("reports", self._store_reports())

    def _tenant(self, tenant_id: str) -> pb.ServedTenant:
        key = self._parts.names_key(tenant_id)
        return pb.ServedTenant(tenant_id=tenant_id, pseudonym_key=key, names_kept=not key)

    async def _leave(self) -> None:
        if self._membership is not None:
            await self._parts.coordination.leave(self._membership)
        self._over = True
        self._wake()

    # -- leases ------------------------------------------------------------------

    async def _renew(self) -> None:
        parts = self._parts
        while True:
            await self._renewing.wait()
            self._renewing.clear()
            assert self._renewal is not None
            assert self._membership is not None
            renew, heard, heard_us = self._renewal
            asked = parts.clock.monotonic()
            try:
                self._membership = await parts.coordination.renew(self._membership)
                lease_s = self._membership.lease.good_until - asked
                metrics.RENEWALS.labels(result="ok").inc()
            except Retryable as error:
                # The edge knows then that we are there: it needn't look for another hub.
                lease_s = 0.0
                metrics.RENEWALS.labels(result="unavailable").inc()
                logger.warning("the lease of the collector %s can't be renewed now: %s", self.name, error)
            except LeaseLost:
                metrics.RENEWALS.labels(result="lost").inc()
                raise
            ahead_s = _seconds_ahead(renew.sent_at, heard_us, renew.round_trip_s)
            self._note(report_of(renew.report), ahead_s, heard_us)
            await self._wait_for_room()
            self.say(
                pb.AttachResponse(
                    renewed=pb.Renewed(
                        sequence=renew.sequence,
                        lease_s=lease_s,
                        hub_time=stamp_of(parts.clock.now_us()),
                        held_s=parts.clock.monotonic() - heard,
                        clock_ahead_s=ahead_s,
                    )
                )
            )

    async def _take_notes(self) -> None:
        """Have noted what the edge applied and released, as soon as that can be."""
        coordination = self._parts.coordination
        noted = 0
        while True:
            await self._noting.wait()
            self._noting.clear()
            assert self._membership is not None
            try:
                if self._applied > noted:
                    applied = self._applied
                    await coordination.applied(self._membership, applied)
                    noted = applied
                if self._released or self._released_by:
                    epochs, sequences = dict(self._released), list(self._released_by)
                    await coordination.released(self._membership, epochs)
                    self._forget(epochs, sequences)
            except Retryable as error:
                logger.warning("what the collector %s let go can't be noted now: %s", self.name, error)
                await asyncio.sleep(_RETRY_S)
                self._noting.set()

    def _forget(self, epochs: Mapping[str, int], sequences: list[int]) -> None:
        for device_id, epoch in epochs.items():
            if self._released.get(device_id) == epoch:
                del self._released[device_id]
        for sequence in sequences:
            self._released_by.remove(sequence)
            self.say(pb.AttachResponse(noted=pb.Noted(sequence=sequence)))

    # -- assignments ---------------------------------------------------------------

    async def _tell_assignments(self) -> None:
        while True:
            assert self._membership is not None
            try:
                changes = self._parts.coordination.assignments(self._membership)
                async with aclosing(changes):
                    async for assignment in changes:
                        await self._tell(self._allowed(assignment))
                        self._let_go_of_unknown(assignment.releasing)
            except Retryable as error:
                logger.warning("what the collector %s is to poll can't be read now: %s", self.name, error)
            await asyncio.sleep(_RETRY_S)

    def _let_go_of_unknown(self, releasing: Mapping[str, int]) -> None:
        """Note for the edge that it let go of what was withdrawn before it was told of it: others wait for that."""
        unknown = {key: epoch for key, epoch in releasing.items() if key not in self._known}
        if unknown:
            self._released |= unknown
            self._noting.set()

    async def _tell(self, assignment: Assignment) -> None:
        self._assigned = assignment.devices.keys()
        self._known |= {key: one.epoch for key, one in assignment.devices.items()}
        # They will be polled: what was said of them before isn't noted any later.
        for device_id in self._assigned & self._released.keys():
            del self._released[device_id]
        for part in self._telling.parts(assignment):
            self.say(pb.AttachResponse(assignment=part))
            metrics.PARTS.inc()
            await asyncio.sleep(0)  # a thousand devices take longer than others should wait
            await self._wait_for_room()

    def _allowed(self, assignment: Assignment) -> Assignment:
        """Return an assignment without devices of tenants that the collector doesn't serve, whoever put them there."""
        allowed = {
            device_id: one
            for device_id, one in assignment.devices.items()
            if one.device.tenant_id in self._tenants
        }
        if missing := len(assignment.devices) - len(allowed):
            metrics.WITHHELD.inc(missing)
            logger.error(
                "%d devices of tenants that the collector %s doesn't serve are withheld", missing, self.name
            )
        return replace(assignment, devices=allowed)

    # -- reports -----------------------------------------------------------------

    def _note(self, report: CollectorReport, ahead_s: float, seen_us: int) -> None:
        self._parts.saw(self.collector_id, self._caller.peer)
        self._state = EdgeState(
            self._caller.tenant_id,
            self.collector_id,
            self.name,
            self._hello.version,
            sorted(self.capabilities),
            report,
            ahead_s,
            seen_us,
        )

    async def _store_reports(self) -> None:
        while True:
            if self._state is not None:
                try:
                    await self._parts.store(self._state)
                except MtdError as error:
                    metrics.REPORTS_NOT_STORED.inc()
                    logger.info("what the collector %s reports can't be stored now: %s", self.name, error)
            await asyncio.sleep(self._parts.config.report_interval_s)


def _check(hello: pb.Hello) -> None:
    if len(hello.capabilities) > _MOST_CAPABILITIES:
        raise Refused(f"capabilities: at most {_MOST_CAPABILITIES} words")
    if len(hello.held) > _MOST_RELEASED:
        raise Refused(f"held: at most {_MOST_RELEASED} devices")
    for named, what in ((hello.instance_id, "instance_id"), *((one.device_id, "held") for one in hello.held)):
        try:
            uuid.UUID(named)
        except ValueError:
            raise Refused(f"{what}: {named[:50]!r} isn't a UUID") from None
    for text in (hello.version, hello.instance_id, hello.log_id, *hello.capabilities):
        if len(text) > _MOST_CHARACTERS or not text.isprintable():
            raise Refused(f"a word of hello has at most {_MOST_CHARACTERS} printable characters")


def _seconds_ahead(sent_at: Any, heard_us: int, round_trip_s: float) -> float:
    """Return how far the sender's clock is ahead: it said when it sent, which was half a round trip before."""
    sent_us = sent_at.seconds * 1_000_000 + sent_at.nanos // 1000
    return (sent_us - heard_us) / 1e6 + round_trip_s / 2 if sent_us else 0.0


def _word_for(failure: Exception | None, *, over: bool) -> str:
    if failure is None:
        return "left" if over else "gone"
    if isinstance(failure, Superseded):
        return "superseded"
    return (
        "retryable"
        if isinstance(failure, Retryable)
        else "refused"
        if isinstance(failure, Refused)
        else "failed"
    )
