"""The capability probe of one device: once after a connect, each some hours, and when asked for."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NoReturn

from mtd.model.command import Command, Reply
from mtd.model.device import Outcome
from mtd.model.ways import REST_FACT
from mtd.scheduler.rest import Rest
from mtd.sources.errors import SessionFailed

if TYPE_CHECKING:
    from mtd.model.device import Device
    from mtd.model.observation import ProbeFacts
    from mtd.plugin.mapper import DeviceMapper
    from mtd.scheduler.parts import Parts
    from mtd.sources.interfaces import IDeviceSource

# A device that reconnects quickly isn't probed again: nothing can have changed.
_PROBE_AGAIN_AFTER_S = 60.0

Ask = Callable[[Sequence[Command], float, Mapping[Command, tuple[str, ...]]], Awaitable[list[Reply]]]
"""Runs commands within a timeout in seconds, for owners."""


class Prober:
    """Finds out what a device is and can do."""

    def __init__(self, device: Device, parts: Parts, source: IDeviceSource, mapper: DeviceMapper) -> None:
        self.tried = asyncio.Event()
        """Set when the probe was tried in this session, or isn't due."""
        self._device = device
        self._parts = parts
        self._source = source
        self._mapper = mapper
        self._rest = Rest(parts.rng)
        self._last_probed: float | None = None
        self._probed_in_part = False  # by a way that can't tell all
        self._wanted = asyncio.Event()
        self._waiters: list[asyncio.Future[ProbeFacts]] = []

    def session_began(self) -> None:
        """Take note that what waits for the probe has to wait again."""
        self.tried.clear()

    def session_ended(self) -> None:
        """Tell those who wait for a probe that none will come."""
        for waiter in self._take_waiters():
            waiter.set_exception(SessionFailed(Outcome.BUSY, "the session ended before the probe did"))

    def way_changed(self) -> None:
        """Probe again if the way before couldn't tell all."""
        if self._probed_in_part:
            self._probed_in_part = False
            self.want()

    def want(self) -> None:
        """Probe soon."""
        self._wanted.set()

    async def probe_soon(self) -> ProbeFacts:
        """Probe now, and return what was found. SessionFailed if the device doesn't answer."""
        waiter: asyncio.Future[ProbeFacts] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        self.want()
        try:
            # One probe may be under way already: the answer comes from the next.
            return await asyncio.wait_for(waiter, self._timeout_s() * 2)
        except TimeoutError:
            raise SessionFailed(Outcome.TIMED_OUT, f"{self._device.name} didn't answer the probe") from None

    async def run(self, ask: Ask, hung: Callable[[float], bool]) -> NoReturn:
        """Probe through a session. ``hung`` tells whether live polls were answered since a moment."""
        if self._is_due():
            await self._probe(ask, hung)
        self.tried.set()
        while True:
            with contextlib.suppress(TimeoutError):  # then the regular time has come
                # Not wait_for: in Python 3.11 it loses a cancellation that comes together with what it waits for.
                async with asyncio.timeout(self._parts.settings.probe_interval_s):
                    await self._wanted.wait()
            self._wanted.clear()
            await self._probe(ask, hung)

    def _is_due(self) -> bool:
        now = self._parts.clock.monotonic()
        if now < self._rest.until:
            return False
        return self._last_probed is None or now - self._last_probed > _PROBE_AGAIN_AFTER_S

    async def _probe(self, ask: Ask, hung: Callable[[float], bool]) -> None:
        started = self._parts.clock.monotonic()
        try:
            replies = await ask(self._mapper.probe_commands(), self._timeout_s(), {})
        except SessionFailed:
            if hung(started):
                # It is polled without: every menu's own answer will tell whether it is there.
                self._rest.hung(self._parts.clock.monotonic())
            raise
        facts = self._mapper.probe_facts(replies)
        if any(reply.trap is not None and reply.trap.not_served for reply in replies):
            # Who it is may be told by any way; what it can do is as it was, and asked when a better way opens.
            facts = replace(facts, capabilities=())
            self._probed_in_part = True
        else:
            self._mapper.set_capabilities(facts)
            self._source.learn(next((f.detail for f in facts.capabilities if f.name == REST_FACT), ""))
            self._last_probed = self._parts.clock.monotonic()
        self._rest.answered()
        self._parts.recorder.record_probe(self._device, facts)
        for waiter in self._take_waiters():
            waiter.set_result(facts)

    def _take_waiters(self) -> list[asyncio.Future[ProbeFacts]]:
        waiters, self._waiters = self._waiters, []
        return [waiter for waiter in waiters if not waiter.done()]

    def _timeout_s(self) -> float:
        return self._device.command_timeout_s * 2
