"""What is known of the logs of collectors: what of each is stored, what is on its way."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from mtd.core import tracing
from mtd.core.clock import SYSTEM_CLOCK, Clock
from mtd.core.errors import Conflict, QuotaExceeded, Refused, Retryable
from mtd.core.limits import TokenBucket
from mtd.eventlog.errors import LogUnavailable, SourceStored
from mtd.eventlog.interfaces import AppendResult, Source
from mtd.ingest.config import AppendConfig
from mtd.ingest.copying import metrics
from mtd.ingest.copying.check import Speaker
from mtd.ingest.push.inventory import KnownDevices
from mtd.ingest.push.limits import Rates
from mtd.model.ranges import SeqRanges, Span
from mtd.storage.stores.ingest_logs import IngestLogStore

if TYPE_CHECKING:
    from mtd.ingest.copying.stream import CopyStream
    from mtd.pb.events.v1.envelope_pb2 import Envelope

logger = logging.getLogger(__name__)

_RETRY_S = 30.0
# Lines about events that are left out: of a device that was removed, each batch has some.
_COMPLAINTS_PER_S, _COMPLAINTS_AT_ONCE = 0.2, 5.0

_AROUND_BYTES = 1024

MOST_STREAMS = 8
"""Streams of one collector: it has two, and others are to find room as well."""

MOST_RANGES = 1000
"""Ranges of one log, which each transaction writes anew: its gaps are what its collector lost before a hub had it."""

Durable: TypeAlias = "asyncio.Future[None]"


class TakenOver(Conflict):
    """A newer stream carries the same lane of the same log, or another hub takes the log."""


class HubStops(Retryable):
    """This hub stops."""

    hint = "call again, or another hub on the same database"


class CopiedLog:
    """One log of a collector, as long as a stream carries it.

    ``taken`` is what need not come (again): stored, or on its way to be. What is on its way
    has a future, whose result is there when it is durable.
    """

    def __init__(self, log_id: str, taken: SeqRanges, projected: SeqRanges) -> None:
        self.log_id = log_id
        self.id_bytes = uuid.UUID(log_id).bytes
        self.taken = taken
        self.projected = projected
        self.lanes: dict[str, CopyStream] = {}
        self.under_way: dict[Durable, Span] = {}
        self.outdated = False

    def stored(self) -> SeqRanges:
        """Return what is durable: what is taken, but for what is on its way."""
        found = SeqRanges(self.taken)
        for span in self.under_way.values():
            found.remove(*span)
        return found

    def check_gaps(self, first: int, last: int) -> None:
        """Raise Refused if these positions would leave one gap too many: each is kept for good."""
        if len(self.taken) >= MOST_RANGES and not self.taken.overlaps(first - 1, last + 1):
            raise Refused(
                f"{len(self.taken)} ranges of the log {self.log_id} are here, with gaps between them:"
                " send what is missing, or begin a new log"
            )

    def claim(self, first: int, last: int) -> tuple[list[Durable], list[Durable]]:
        """Take what of some positions isn't taken yet; return that, and what is under way of the rest."""
        others = [done for done, (low, high) in self.under_way.items() if low <= last and high >= first]
        claimed: list[Durable] = []
        for span in self.taken.missing(first, last):
            self.taken.add(*span)
            done: Durable = asyncio.get_running_loop().create_future()
            done.add_done_callback(_look_at)
            self.under_way[done] = span
            claimed.append(done)
        return claimed, others

    def settle(self, done: Durable, error: BaseException | None) -> None:
        """What was claimed is durable, or will not be: then it has to come again."""
        span = self.under_way.pop(done, None)
        if span is None:
            return
        if error is None:
            done.set_result(None)
            return
        self.taken.remove(*span)
        done.set_exception(error if isinstance(error, Exception) else Retryable("the stream before ended"))


def _look_at(done: Durable) -> None:
    """See what became of it: the stream that waited may be gone."""
    if not done.cancelled():
        done.exception()


class CopyDoor:
    """Opens streams, and appends what they bring."""

    def __init__(
        self,
        log: Any,
        logs: IngestLogStore,
        devices: KnownDevices,
        rates: Rates,
        config: AppendConfig,
        clock: Clock = SYSTEM_CLOCK,
        turn: Callable[[str], Awaitable[None]] | None = None,
    ) -> None:
        self._log = log
        self._turn = turn
        self._logs = logs
        self.devices = devices
        self._rates = rates
        self.config = config
        self.clock = clock
        self._known: dict[str, CopiedLog] = {}
        self._opening: dict[str, asyncio.Lock] = {}
        self._streams = 0
        self._appending: set[Durable] = set()
        self._stops = False
        self.complaints = TokenBucket(_COMPLAINTS_PER_S, _COMPLAINTS_AT_ONCE, clock=clock)

    @property
    def message_bytes(self) -> int:
        """The largest message that a stream takes: the largest batch, and what stands around it."""
        return self.config.max_batch_bytes + _AROUND_BYTES

    async def open(self, stream: CopyStream, log_id: str, lane: str, speaker: Speaker) -> CopiedLog:
        """Begin to take a lane of a log; who carried it is ended. Raises Forbidden, Refused, Retryable.

        ``log_id`` as `checked_id` returns it.
        """
        if self._stops:
            raise HubStops("this hub stops: it takes no more")
        lock = self._opening.setdefault(log_id, asyncio.Lock())
        try:
            async with lock:
                copied = await self._known_log(log_id, speaker)
        finally:
            if log_id not in self._known and not lock.locked():
                self._opening.pop(log_id, None)
        before = copied.lanes.get(lane)
        if before is None:
            self._refuse_too_many(speaker)
        if before is not None and before is not stream:
            metrics.ENDED.inc()
            before.end(TakenOver(f"a newer stream carries the lane {lane} of this log"))
        copied.lanes[lane] = stream
        self._streams += before is None
        metrics.STREAMS.labels(lane=lane).inc(before is None)
        return copied

    def _refuse_too_many(self, speaker: Speaker) -> None:
        """Raise QuotaExceeded for a stream more than there may be."""
        if self._streams >= self.config.max_streams:
            raise QuotaExceeded(f"{self._streams} streams are open already", retry_after_s=_RETRY_S)
        streams = (one for copied in self._known.values() for one in copied.lanes.values())
        own = sum(one.speaker.caller_id == speaker.caller_id for one in streams)
        if speaker.tenants is not None and own >= MOST_STREAMS:  # who may speak for all is the operator
            raise QuotaExceeded(f"{own} streams of this collector are open already", retry_after_s=_RETRY_S)

    async def _known_log(self, log_id: str, speaker: Speaker) -> CopiedLog:
        await self._logs.claim(log_id, speaker.tenant_id, speaker.caller_id)
        copied = self._known.get(log_id)
        if copied is not None and not copied.outdated:
            return copied
        if copied is not None and copied.under_way:
            # Whatever comes of it has to be known before it is asked what is stored.
            await asyncio.wait(tuple(copied.under_way))
        projected = (await self._logs.projected(log_id)).projected
        taken = SeqRanges(projected)
        taken.update(await self._log.stored_from(log_id))
        copied = self._known[log_id] = CopiedLog(log_id, taken, projected)
        return copied

    def close(self, stream: CopyStream, copied: CopiedLog, lane: str) -> None:
        """A stream has ended."""
        if copied.lanes.get(lane) is not stream:
            return
        del copied.lanes[lane]
        self._streams -= 1
        metrics.STREAMS.labels(lane=lane).dec()
        self._forget_if_idle(copied)

    def _forget_if_idle(self, copied: CopiedLog) -> None:
        if not copied.lanes and not copied.under_way and self._known.get(copied.log_id) is copied:
            del self._known[copied.log_id]
            self._opening.pop(copied.log_id, None)

    def append(self, copied: CopiedLog, done: Durable, envelopes: Sequence[Envelope]) -> None:
        """Append what was claimed."""
        source = Source(copied.log_id, *copied.under_way[done])
        appends = tracing.each("append", envelopes, {"mtd.source_log_id": copied.log_id})
        appends.hand_on(envelopes)
        appending: asyncio.Future[AppendResult] = asyncio.ensure_future(
            self._log.append(envelopes, source=source)
        )
        self._appending.add(done)
        appending.add_done_callback(lambda _: self._appended(copied, done, appending, appends))

    def _appended(
        self,
        copied: CopiedLog,
        done: Durable,
        appended: asyncio.Future[AppendResult],
        appends: tracing.Group,
    ) -> None:
        self._appending.discard(done)
        error = LogUnavailable("the append was given up") if appended.cancelled() else appended.exception()
        appends.end("" if error is None else type(error).__name__)
        if isinstance(error, SourceStored):
            # Somebody appended it behind our back: what is stored is looked up anew.
            copied.outdated = True
            error = Retryable(f"the log {copied.log_id} has to be opened again: {error}")
            for stream in tuple(copied.lanes.values()):
                stream.end(error)
        copied.settle(done, error)
        self._forget_if_idle(copied)

    def give_up(self, copied: CopiedLog, done: Durable, error: BaseException) -> None:
        """Nothing will be appended of what was claimed, unless it is on its way already."""
        if done not in self._appending:
            copied.settle(done, error)
            self._forget_if_idle(copied)

    async def wait_for_rate(self, speaker: Speaker, points: Iterable[tuple[str, int]]) -> None:
        """Wait until the tenants of these values may send them. Raises QuotaExceeded if they never may."""
        for tenant_id, count in points:
            while True:
                try:
                    await self._rates.take_values(
                        tenant_id,
                        speaker.caller_id or speaker.name,
                        count,
                        caller_rate=self.config.values_per_s,
                    )
                except QuotaExceeded as error:
                    if error.retry_after_s <= 0:
                        raise
                    metrics.WAITED.inc(error.retry_after_s)
                    await asyncio.sleep(error.retry_after_s)
                else:
                    break

    async def wait_for_turn(self, lane: str) -> None:
        """Wait while nothing more of a lane can be taken in: what isn't read stays in the collector's log."""
        if self._turn is not None:
            await self._turn(lane)

    def drain(self) -> None:
        """End all streams, and take no others: what wasn't acknowledged goes to another hub, or here after the start."""
        self._stops = True
        for copied in tuple(self._known.values()):
            for stream in tuple(copied.lanes.values()):
                stream.end(HubStops("this hub stops"))

    async def look_at_projected(self, copied: CopiedLog) -> None:
        """Look up what of a log is in the database, unless all that was taken is.

        If the collector has opened its log at another hub since, that one takes it, and the streams here end.
        What both have is projected once.
        """
        if copied.projected == copied.taken:
            return
        standing = await self._logs.projected(copied.log_id)
        copied.projected = standing.projected
        if not standing.is_ours:
            for stream in tuple(copied.lanes.values()):
                metrics.ENDED.inc()
                stream.end(TakenOver(f"another hub takes the log {copied.log_id}"))


def checked_id(log_id: str) -> str:
    """Return the id of a log in its usual form. Raises Refused."""
    try:
        return str(uuid.UUID(log_id))
    except ValueError:
        raise Refused(f"log_id {log_id[:50]!r} isn't a UUID") from None
