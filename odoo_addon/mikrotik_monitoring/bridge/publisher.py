"""Ticks: once a second what changed goes to Odoo's bus, all in one transaction."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from .compose import compose
from .diagnostics import Diagnostics
from .figures import Figures
from .port import Message, Progress, Store, Viewed
from .tenant import Tenant
from .worker import Worker

_logger = logging.getLogger(__name__)

INTERVAL_S = 1.0
# A device without news is sent all the same, so that a silent router isn't taken for a dead bridge.
ALIVE_EVERY_S = 2.0
_SLACK_S = 0.2


@dataclass(slots=True)
class _Sent:
    """What was sent of a device last."""

    seq: int
    version: int = -1
    at: float = -ALIVE_EVERY_S


class Publisher:
    """Composes and publishes.

    While one tick is being written the next ones are left out, and counted: what they would have told is in
    the one after.
    """

    def __init__(
        self,
        store: Store,
        odoo: Worker,
        figures: Figures,
        tenants: Mapping[int, Tenant],
        diagnostics: Diagnostics,
        *,
        interval_s: float = INTERVAL_S,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store, self._odoo, self._figures = store, odoo, figures
        self._tenants, self._diagnostics = tenants, diagnostics
        self._interval_s, self._clock = interval_s, clock
        self._viewed: Sequence[Viewed] = ()
        self._sent: dict[int, _Sent] = {}
        self._writing: asyncio.Task[None] | None = None

    def view(self, viewed: Sequence[Viewed]) -> None:
        """Send these devices to their viewers, and no others."""
        self._viewed = viewed
        wanted = {one.device_id for one in viewed}
        self._sent = {device_id: sent for device_id, sent in self._sent.items() if device_id in wanted}

    async def run(self) -> None:
        """Tick until cancelled. A tick never begins sooner than an interval after the one before."""
        try:
            while True:
                started = time.monotonic()
                self.tick()
                await asyncio.sleep(max(0.0, started + self._interval_s - time.monotonic()))
        finally:
            if self._writing is not None:
                self._writing.cancel()

    def tick(self) -> None:
        """Begin to write what is to be told, unless the tick before is still being written."""
        if self._writing is not None and not self._writing.done():
            self._figures.ticks_skipped.inc()
            return
        now = time.monotonic()
        due = [one for one in self._viewed if self._is_due(one, now)]
        messages = [message for one in due for message in self._composed(one, now)]
        progress = self._diagnostics.news()
        if messages or progress:
            self._writing = asyncio.create_task(self._write(messages, progress))

    def _is_due(self, one: Viewed, now: float) -> bool:
        tenant = self._tenants.get(one.connection_id)
        state = tenant.states.get(one.device_id) if tenant else None
        if state is None:
            return False
        sent = self._sent.get(one.device_id)
        return sent is None or sent.version != state.version or now - sent.at >= ALIVE_EVERY_S - _SLACK_S

    def _composed(self, one: Viewed, now: float) -> Sequence[Message]:
        """Return the messages of a device; of one that can't be told, none: the others are told all the same."""
        try:
            return list(self._messages(one, now))
        except Exception as error:  # whatever mtd said of it
            self._figures.failed("compose")
            _logger.warning(
                "device %s can't be told: %r",
                one.device_id,
                error,
                exc_info=_logger.isEnabledFor(logging.DEBUG),
            )
            return ()

    def _messages(self, one: Viewed, now: float) -> Iterable[Message]:
        tenant = self._tenants[one.connection_id]
        state = tenant.states[one.device_id]
        # It goes on growing over restarts of the bridge: at most one a second is added.
        sent = self._sent.setdefault(one.device_id, _Sent(seq=int(self._clock())))
        sent.seq, sent.version, sent.at = sent.seq + 1, state.version, now
        now_us = round((self._clock() + tenant.skew.s) * 1_000_000)  # mtd's: so are the times of values
        for kind in sorted(one.kinds):
            payload = compose(state, kind, seq=sent.seq, now_us=now_us, connected=tenant.connected)
            self._figures.interfaces_left_out.inc(payload["more"])
            yield Message(one.device_id, kind, payload)

    async def _write(self, messages: Sequence[Message], progress: Sequence[Progress]) -> None:
        try:
            with self._figures.publish.measure():
                await self._odoo.call(self._store.publish, messages, progress)
        except Exception as error:  # whatever Odoo or its database says: the next tick has it all
            self._figures.publish_failures.inc()
            self._figures.failed("publish")
            self._diagnostics.again(progress)
            for message in messages:
                if message.device_id in self._sent:
                    self._sent[message.device_id].version = -1
            _logger.warning("live values can't be published, the next ones come in a second: %s", error)
        else:
            self._figures.ticks.inc()
            for message in messages:
                self._figures.messages.labels(message.kind).inc()
