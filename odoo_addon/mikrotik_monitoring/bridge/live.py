"""One stream of live values for all viewed devices of a connection."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from typing import Any, Protocol

from mtd.client import MtdClientError

from .backoff import Backoff
from .figures import Figures
from .shown import METRICS

_logger = logging.getLogger(__name__)

DEBOUNCE_S = 0.25
# A set of devices without any value never speaks: the stream before it isn't kept for longer than this.
SPEAKS_WITHIN_S = 3.0
# Then the failure is told; a stream is opened again within the client until then.
GIVE_UP_AFTER_S = 5.0


class Frames(Protocol):
    """The part of ``AsyncMtdClient`` that is needed here."""

    def watch_frames(self, **arguments: Any) -> AsyncGenerator[Any, None]:
        """Yield the newest frames, then new ones as they come."""


class LiveStream:
    """Keeps one StreamLatest open for the devices that are wanted; none if none is.

    When others are wanted a new one is opened, and the old one is read until the new one has spoken: so no value
    is missed. ``on_frame`` may get the same frame of both.
    """

    def __init__(
        self,
        client: Frames,
        figures: Figures,
        *,
        on_frame: Callable[[Any], None],
        on_gone: Callable[[str], None],
    ) -> None:
        self._client, self._figures = client, figures
        self._on_frame, self._on_gone = on_frame, on_gone
        self._wanted: frozenset[str] = frozenset()
        self._changed = asyncio.Event()
        self._reading: frozenset[str] = frozenset()
        self._task: asyncio.Task[None] | None = None
        self.error: MtdClientError | None = None
        """Why no values come at the moment."""

    def want(self, devices: frozenset[str]) -> None:
        """Say whose values are wanted, by the ids of mtd."""
        if devices != self._wanted:
            self._wanted = devices
            self._changed.set()

    async def run(self) -> None:
        """Keep the stream as it is wanted, until cancelled."""
        try:
            while True:
                await self._changed.wait()
                await asyncio.sleep(DEBOUNCE_S)
                self._changed.clear()
                if self._wanted != self._reading:
                    await self._turn()
        finally:
            await _end(self._task)

    async def _turn(self) -> None:
        before, self._task, self._reading = self._task, None, self._wanted
        try:
            if self._reading:
                spoken = asyncio.Event()
                self._task = asyncio.create_task(self._read(self._reading, spoken))
                if before is not None:
                    with suppress(TimeoutError):
                        await asyncio.wait_for(spoken.wait(), SPEAKS_WITHIN_S)
            else:
                self.error = None
        finally:
            await _end(before)

    async def _read(self, devices: frozenset[str], spoken: asyncio.Event) -> None:
        backoff = Backoff()
        while True:
            try:
                await self._read_once(devices, spoken, backoff)
                return
            except MtdClientError as error:
                self._failed(error)
            except Exception as error:  # whatever mtd sent: the next stream may be read
                _logger.debug("live values can't be read", exc_info=True)
                self._failed(MtdClientError(f"live values can't be read: {error!r}", code="INTERNAL"))
            spoken.set()  # it has nothing to say: nobody waits for it
            await asyncio.sleep(backoff.next_s())

    def _failed(self, error: MtdClientError) -> None:
        self._figures.failed("live")
        if self.error is None or str(self.error) != str(error):
            _logger.warning("no live values: %s", error)
        self.error = error

    async def _read_once(self, devices: frozenset[str], spoken: asyncio.Event, backoff: Backoff) -> None:
        frames = self._client.watch_frames(
            devices=sorted(devices),
            metrics=METRICS,
            give_up_after_s=GIVE_UP_AFTER_S,
            on_gone=lambda device: self._gone(device, devices),
        )
        self._figures.streams_opened.labels("live").inc()
        self._figures.live_streams.inc()
        try:
            async with aclosing(frames):
                async for frame in frames:
                    self._on_frame(frame)
                    self.error = None
                    backoff.reset()
                    spoken.set()
        finally:
            self._figures.live_streams.dec()

    def _gone(self, device: str, devices: frozenset[str]) -> None:
        """A stream that is replaced may still say so of what the new one shows."""
        if devices == self._reading:
            self._on_gone(device)


async def _end(task: asyncio.Task[None] | None) -> None:
    if task is not None:
        task.cancel()
        await asyncio.wait([task])
