"""Events of mtd, copied to Odoo: each once, whatever dies when."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Any, Protocol

from .backoff import Backoff
from .bounds import event_within
from .figures import Figures
from .port import PositionMoved, Store
from .worker import Worker

_logger = logging.getLogger(__name__)

MOST_WAITING = 500
MOST_AT_ONCE = 200
LINGER_S = 0.1
GIVE_UP_AFTER_S = 5.0


class Events(Protocol):
    """The part of ``AsyncMtdClient`` that is needed here."""

    def events(self, **arguments: Any) -> AsyncGenerator[Any, None]:
        """Yield events behind a position."""


class EventCopy:
    """Copies the events of one connection, in order, with the position in the same transaction.

    While Odoo takes none, at most ``MOST_WAITING`` wait here; the others wait with mtd.
    """

    def __init__(
        self,
        connection_id: int,
        severity: str,
        client: Events,
        store: Store,
        odoo: Worker,
        figures: Figures,
        on_event: Callable[[Any], None],
    ) -> None:
        self._connection_id, self._severity, self._client = connection_id, severity, client
        self._store, self._odoo, self._figures, self._on_event = store, odoo, figures, on_event
        self._behind = 0

    async def run(self) -> None:
        """Copy until it fails; raises what mtd says then. What was read is written before."""
        while True:
            try:
                await self._copy()
                return
            except PositionMoved:
                _logger.info(
                    "the events of connection %s are read from another position on", self._connection_id
                )

    async def _copy(self) -> None:
        self._behind = await self._odoo.call(self._store.event_position, self._connection_id)
        waiting: asyncio.Queue[Any] = asyncio.Queue(MOST_WAITING)
        writer = asyncio.create_task(self._write_all(waiting))
        reader = asyncio.create_task(self._read_all(self._behind, waiting))
        try:
            await asyncio.wait([reader, writer], return_when=asyncio.FIRST_COMPLETED)
            if not writer.done():
                written = asyncio.create_task(waiting.join())
                await asyncio.wait([written, writer], return_when=asyncio.FIRST_COMPLETED)
                written.cancel()
            if writer.done():
                await writer
            await reader
        finally:
            reader.cancel()
            writer.cancel()
            await asyncio.wait([reader, writer])

    async def _read_all(self, position: int, waiting: asyncio.Queue[Any]) -> None:
        stream = self._client.events(
            after_position=position, min_severity=self._severity, give_up_after_s=GIVE_UP_AFTER_S
        )
        self._figures.streams_opened.labels("events").inc()
        async with aclosing(stream):
            async for event in stream:
                kept = event_within(event)
                if kept is not event:
                    self._figures.was_cut("event")
                await waiting.put(kept)

    async def _write_all(self, waiting: asyncio.Queue[Any]) -> None:
        while True:
            events = [await waiting.get()]
            await asyncio.sleep(LINGER_S)  # what comes with it is written with it
            while len(events) < MOST_AT_ONCE and not waiting.empty():
                events.append(waiting.get_nowait())
            await self._write(events)
            for event in events:
                self._on_event(event)
                waiting.task_done()

    async def _write(self, events: Sequence[Any]) -> None:
        """Write these, and try again until it succeeds: without them no later ones may be written."""
        backoff = Backoff()
        while True:
            try:
                with self._figures.event_write.measure():
                    new = await self._odoo.call(
                        self._store.take_events, self._connection_id, events, self._behind
                    )
            except PositionMoved:
                raise
            except Exception as error:  # whatever Odoo or its database says
                self._figures.failed("event_write")
                _logger.warning("events can't be written to Odoo, trying again: %s", error)
                await asyncio.sleep(backoff.next_s())
            else:
                self._behind = max(self._behind, *(event.position for event in events))
                self._figures.events.inc(new)
                self._figures.events_known.inc(len(events) - new)
                return
