"""One link of an edge with a hub, from hello to its end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from google.protobuf.timestamp_pb2 import Timestamp

from mtd.core.errors import Retryable
from mtd.core.queues import Policy, declare
from mtd.core.service import TaskGroup
from mtd.link.assignments import Hearing, OutOfStep
from mtd.link.devices import DeviceUnreadable
from mtd.link.errands import Errands
from mtd.link.kept import TenantKey
from mtd.link.metrics import CLOCK_AHEAD_SECONDS, DEVICES_UNREADABLE, LEASE_LEFT_SECONDS
from mtd.link.reports import report_message
from mtd.model.assignment import AssignedDevice
from mtd.model.collector_report import CollectorReport
from mtd.pb.collector.v1 import collector_link_service_pb2 as pb

if TYPE_CHECKING:
    from mtd.core.clock import Clock
    from mtd.link.config import LinkConfig
    from mtd.link.holding import Holding
    from mtd.link.interfaces import Dial, Handler

logger = logging.getLogger(__name__)

_WAITING_MESSAGES = 64
_LEAST_RENEW_S = 0.05
TO_HUB = declare(
    "link.to_hub",
    "messages",
    Policy.WAIT,
    "What an edge tells its hub and has not sent.",
    limited_by="64",
)
_FIRST_PATIENCE = 3
"""Times the usual patience, until it is welcomed, and then until all is told: both take longer than renewing."""

GetReport = Callable[[], Awaitable[CollectorReport]]


class HubSilent(Retryable):
    """The hub doesn't answer, or its answers don't arrive."""


@dataclass(frozen=True, slots=True)
class Who:
    """Who says hello."""

    instance_id: str
    version: str
    log_id: str


class Attachment:
    """Says hello, renews, takes what the hub tells into a `Holding`. Made anew for each stream.

    ``listeners`` are called when it is welcomed or something else is held; and with each lease.
    """

    def __init__(
        self,
        who: Who,
        holding: Holding,
        handler: Handler,
        report: GetReport,
        listeners: tuple[Callable[[], None], Callable[[], None]],
        config: LinkConfig,
        clock: Clock,
    ) -> None:
        self._who = who
        self._holding = holding
        self._handler = handler
        self._report = report
        self._changed, self._leased = listeners
        self._config = config
        self._clock = clock
        self._hearing = Hearing()
        self._out: asyncio.Queue[pb.AttachRequest | None] = asyncio.Queue(_WAITING_MESSAGES)
        TO_HUB.watch(self, lambda one: one._out.qsize(), lambda _: _WAITING_MESSAGES)
        self._asked: dict[int, float] = {}  # when what isn't answered was sent, by sequence; 0 is hello
        self._released: dict[int, Mapping[str, int]] = {}
        self._sequence = 0
        self._is_leaving = False
        self._round_trip_s = 0.0
        self._tasks = TaskGroup("link.attachment")
        self._errands = Errands(handler, config.max_commands, self._say_update, self._find)
        self._welcomed_at: float | None = None
        self.welcomed = asyncio.Event()
        self.complete = asyncio.Event()
        """Whether all that is to be polled was told."""
        self.ended = asyncio.Event()

    async def run(self, dial: Dial, *, resumes: bool) -> None:
        """Keep the link until it ends. Raises what `Dial` raises, HubSilent and OutOfStep."""
        await self._say_hello(resumes)
        reading = asyncio.ensure_future(self._read(dial))
        watching = asyncio.ensure_future(self._watch())
        try:
            await asyncio.wait((reading, watching), return_when=asyncio.FIRST_COMPLETED)
        finally:
            silent = not reading.done()
            for task in (reading, watching):
                task.cancel()
            await asyncio.gather(reading, watching, return_exceptions=True)
            await self._errands.stop()
            await self._tasks.stop()
            self._say_no_more()
        if silent:
            raise HubSilent(watching.result())
        await reading

    async def _read(self, dial: Dial) -> None:
        responses = dial.attach(self._requests())
        async with aclosing(responses):
            async for response in responses:
                await self._take(response)

    async def release(self) -> None:
        """Tell what was let go and isn't noted yet."""
        epochs = self._holding.to_tell
        # One at a time: what comes meanwhile is told with the next.
        if not epochs or self._released or not self.welcomed.is_set():
            return
        self._sequence += 1
        self._released[self._sequence] = epochs
        await self._say(released=pb.Released(sequence=self._sequence, epochs=epochs))

    async def applied(self, revision: int) -> None:
        """Tell by which revision is polled, and kept."""
        if self.complete.is_set():
            await self._say(applied=pb.Applied(revision=revision))

    async def leave(self) -> None:
        """Say good-bye: the hub ends the stream. What it tells meanwhile is another one's soon."""
        self._is_leaving = True
        await self._say(leave=pb.Leave())

    # -- saying ---------------------------------------------------------------

    async def _requests(self) -> AsyncIterator[pb.AttachRequest]:
        while (message := await self._out.get()) is not None:
            yield message

    def _say_no_more(self) -> None:
        """Let whoever sends our messages come to an end."""
        while not self._out.empty():
            self._out.get_nowait()
        self._out.put_nowait(None)

    async def _say(self, **message: object) -> None:
        await self._out.put(pb.AttachRequest(**message))  # type: ignore[arg-type]

    async def _say_update(self, update: pb.CommandUpdate) -> None:
        await self._say(command=update)

    async def _say_hello(self, resumes: bool) -> None:
        held = [
            pb.HeldDevice(device_id=device_id, epoch=one.epoch, exclusive=one.exclusive)
            for device_id, one in self._holding.held.items()
        ]
        # The hub tells by it what this edge can't have: it lets go of that itself.
        held += [
            pb.HeldDevice(device_id=device_id, epoch=epoch)
            for device_id, epoch in self._holding.leaving.items()
        ]
        self._asked[0] = self._clock.monotonic()
        await self._say(
            hello=pb.Hello(
                version=self._who.version,
                instance_id=self._who.instance_id,
                log_id=self._who.log_id,
                capabilities=self._handler.capabilities,
                held=held,
                resumes=resumes,
                applied_revision=self._holding.assignment.revision,
                sent_at=stamp_of(self._clock.now_us()),
            )
        )

    async def _renew(self, every_s: float) -> None:
        while True:
            await asyncio.sleep(every_s)
            report = await self._report_or_nothing()
            self._sequence += 1
            # Before it waits for its turn to be sent: a lease that is too short by that is none too long.
            self._asked[self._sequence] = self._clock.monotonic()
            await self._say(
                renew=pb.Renew(
                    sequence=self._sequence,
                    sent_at=stamp_of(self._clock.now_us()),
                    round_trip_s=self._round_trip_s,
                    report=report,
                )
            )
            LEASE_LEFT_SECONDS.set(self._holding.lease_left_s)

    async def _report_or_nothing(self) -> pb.CollectorReport:
        """Return how this collector is. Whatever is wrong with that, the lease has to be renewed."""
        try:
            return report_message(await self._report())
        except Exception:
            logger.exception("this collector can't say how it is")
            return report_message(CollectorReport())

    async def _watch(self) -> str:
        """Return when the hub has left something unanswered for too long, and how long that is."""
        patience_s = self._config.answer_timeout_s
        first_s = patience_s * _FIRST_PATIENCE
        while True:
            await asyncio.sleep(patience_s / 4)
            now = self._clock.monotonic()
            allowed_s = patience_s if self.welcomed.is_set() else first_s
            if now - min(self._asked.values(), default=now) > allowed_s:
                return f"the hub has not answered for {allowed_s:g} s"
            if (
                self._welcomed_at is not None
                and not self.complete.is_set()
                and now - self._welcomed_at > first_s
            ):
                return f"the hub has not told within {first_s:g} s what is to be polled"

    # -- hearing --------------------------------------------------------------

    async def _take(self, response: pb.AttachResponse) -> None:
        match response.WhichOneof("message"):
            case "welcome":
                await self._take_welcome(response.welcome)
            case "renewed":
                self._take_renewed(response.renewed)
            case "assignment":
                self._take_part(response)
            case "noted":
                self._holding.noted(self._released.pop(response.noted.sequence, {}))
                await self.release()
            case "command":
                await self._errands.take(response.command)
            case "cancel":
                self._errands.cancel(response.cancel.command_id)
            case _:
                pass  # a newer hub says more than this version understands

    async def _take_welcome(self, welcome: pb.Welcome) -> None:
        asked = self._asked.pop(0, None)
        if asked is None:
            raise OutOfStep("the hub welcomes for a second time")
        self._round_trip_s = self._clock.monotonic() - asked
        tenants = {}
        for message in welcome.tenants:
            try:
                tenants[message.tenant_id] = TenantKey.of(message)
            except DeviceUnreadable:
                DEVICES_UNREADABLE.inc()  # its devices are told apart, and why, when they come
        self._holding.take_tenants(tenants)
        self._holding.joined(welcome.lease_epoch, asked, welcome.lease_s)
        self._leased()
        self.welcomed.set()
        self._welcomed_at = self._clock.monotonic()
        self._changed()
        self._tasks.spawn("renew", self._renew(max(_LEAST_RENEW_S, welcome.renew_interval_s)))
        await self.release()

    def _take_renewed(self, renewed: pb.Renewed) -> None:
        asked = self._asked.pop(renewed.sequence, None)
        if asked is None:
            raise OutOfStep(f"the hub answers the renewal {renewed.sequence}, which wasn't asked for")
        # What was asked before and not answered by now won't be.
        self._asked = {number: at for number, at in self._asked.items() if number > renewed.sequence}
        self._round_trip_s = max(0.0, self._clock.monotonic() - asked - renewed.held_s)
        self._holding.leased(asked, renewed.lease_s)
        self._leased()
        CLOCK_AHEAD_SECONDS.set(renewed.clock_ahead_s)

    def _take_part(self, response: pb.AttachResponse) -> None:
        if self._is_leaving:
            return
        assignment = self._hearing.take(response.assignment)
        if assignment is not None:
            self._holding.take(assignment)
            self.complete.set()
            self._changed()

    def _find(self, device_id: str) -> AssignedDevice | None:
        return self._holding.held.get(device_id)


def stamp_of(microseconds: int) -> Timestamp:
    """Return a time as a message."""
    stamp = Timestamp()
    stamp.FromMicroseconds(microseconds)
    return stamp
