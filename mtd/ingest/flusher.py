"""From the buffer to the log: in batches, in order, again until it succeeds."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import uuid
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from mtd.core import tracing
from mtd.core.backoff import Backoff
from mtd.core.errors import Refused, Retryable
from mtd.core.metrics import TASK_FAILURES
from mtd.ingest import metrics

if TYPE_CHECKING:
    from mtd.eventlog.interfaces import IEventLog
    from mtd.ingest.buffer import Buffer, Entry
    from mtd.ingest.config import IngestConfig
    from mtd.ingest.incidents import Incidents
    from mtd.pb.events.v1.envelope_pb2 import Envelope

logger = logging.getLogger(__name__)

# An outage is over, and told of, when this much of the buffer is free again: telling takes room too.
_CALM_FILL = 0.5


class Flusher:
    """Takes entries from a buffer and appends them to a log.

    One batch is under way at a time, which keeps the order. A batch that fails
    is tried again under the same id, so that it is stored once even if the
    first attempt reached the disk after all. ``lost`` is told what the log will
    never take.
    """

    def __init__(
        self,
        log: IEventLog,
        buffer: Buffer,
        settings: IngestConfig,
        incidents: Incidents,
        lost: Callable[[Sequence[Entry], str], None],
    ) -> None:
        self._log = log
        self._buffer = buffer
        self._settings = settings
        self._incidents = incidents
        self._lost = lost
        self._filled = asyncio.Event()
        self._hurry = asyncio.Event()
        self._settled = asyncio.Event()

    def notice(self) -> None:
        """Note that something was added to the buffer."""
        self._filled.set()
        if self._is_much():
            self._hurry.set()

    def _is_much(self) -> bool:
        return (
            self._buffer.events >= self._settings.flush_events
            or self._buffer.size >= self._settings.flush_bytes
        )

    async def run(self) -> None:
        """Append what is buffered every ``flush_interval_s``, or when it is much. Until cancelled."""
        while True:
            await self._filled.wait()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._hurry.wait(), self._settings.flush_interval_s)
            self._filled.clear()
            self._hurry.clear()
            while entries := self._buffer.take(self._settings.flush_events, self._settings.flush_bytes):
                appended = await self._append_traced(entries)
                self._settle(entries)
                if appended and self._buffer.fill < _CALM_FILL:
                    self._incidents.append_succeeded()
                if not self._is_much():
                    break
            if self._buffer.events:
                self._filled.set()

    async def flush(self) -> None:
        """Return when all that was recorded before is durable, or was given up."""
        last_ticket = self._buffer.last_ticket
        while (oldest := self._buffer.oldest_ticket) is not None and oldest <= last_ticket:
            self._filled.set()
            self._hurry.set()
            await self._settled.wait()

    def _settle(self, entries: Sequence[Entry]) -> None:
        self._buffer.settle(entries)
        metrics.BUFFERED_EVENTS.set(self._buffer.events)
        metrics.BUFFERED_BYTES.set(self._buffer.size)
        metrics.PRESSURE.set(self._buffer.fill)
        # Who waits holds the old event; who comes later gets the new one.
        self._settled.set()
        self._settled = asyncio.Event()

    async def _append_traced(self, entries: Sequence[Entry]) -> bool:
        """Append entries as a step of the traces that their events belong to. See ``_append``."""
        if not tracing.is_on():
            return await self._append(entries)
        envelopes = [envelope for entry in entries for envelope in entry.envelopes]
        with tracing.each("append", envelopes, {"mtd.events": len(envelopes)}) as appends:
            # Before they are appended: from then on they belong to all readers.
            appends.hand_on(envelopes)
            return await self._append(entries)

    async def _append(self, entries: Sequence[Entry]) -> bool:
        """Append entries as one batch, however long it takes; or one by one if the log refuses that.

        Returns whether anything was appended.
        """
        envelopes = [envelope for entry in entries for envelope in entry.envelopes]
        batch_id = uuid.uuid4().bytes
        backoff = Backoff(self._settings.retry_first_s, self._settings.retry_cap_s)
        while True:
            try:
                await self._append_once(envelopes, batch_id)
            except Refused as error:
                logger.error("the log refuses a batch of %d events: %s", len(envelopes), error)
                if len(entries) == 1:
                    self._lost(entries, "refused")
                    return False
                return any([await self._append([entry]) for entry in entries])
            except Retryable as error:
                self._incidents.append_failed(error, self._buffer.events)
            except Exception as error:
                # An error of ours must not end the flow of events: loud, counted, and again.
                TASK_FAILURES.labels(task="ingest").inc()
                logger.exception("appending to the log failed by an error of mtd")
                self._incidents.append_failed(error, self._buffer.events)
            else:
                metrics.FLUSHED_EVENTS.observe(len(envelopes))
                return True
            metrics.PRESSURE.set(self._buffer.fill)
            await asyncio.sleep(backoff.next_delay())

    async def _append_once(self, envelopes: Sequence[Envelope], batch_id: bytes) -> None:
        """Append a batch. While the log doesn't answer there is an outage, and nothing to do but wait."""
        patience_s, waited_s = self._settings.append_patience_s, 0.0
        appending = asyncio.ensure_future(self._log.append(envelopes, batch_id))
        try:
            while not (await asyncio.wait({appending}, timeout=patience_s))[0]:
                waited_s += patience_s
                reason = f"stalled: the log has not answered for {waited_s:.0f} s"
                self._incidents.append_hindered(reason, self._buffer.events)
                metrics.PRESSURE.set(self._buffer.fill)
        finally:
            appending.cancel()
        await appending
