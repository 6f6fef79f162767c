"""Looking after the stream: retention, quota, consumers' positions, and what is kept beside the data."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mtd.eventlog import metrics
from mtd.eventlog.errors import LogDamaged
from mtd.eventlog.interfaces import Damage
from mtd.eventlog.jetstream.errors import NotDurable, StreamFull
from mtd.eventlog.jetstream.opening import identify, state_message

if TYPE_CHECKING:
    from mtd.eventlog.jetstream.parts import Parts

logger = logging.getLogger(__name__)

# Trimmed beyond what is needed, as a share of the quota: else each batch of a full log would purge for itself.
_SLACK = 0.02
# What goes, as a share of what is stored, when the servers have less room than the quota says.
_SQUEEZED = 0.05


class Keeper:
    """Works in the writer's task, between two batches. ``drain`` waits until all that was sent is confirmed."""

    def __init__(self, parts: Parts, drain: Callable[[], Awaitable[None]], copy: Path | None) -> None:
        self._parts = parts
        self._drain = drain
        self._copy = copy
        self._copying: asyncio.Future[None] | None = None
        self._copy_due = time.monotonic() + parts.settings.jetstream.index_interval_s
        self._saved_consumers = dict(parts.ledger.consumers)
        self._squeeze = False
        self.due = time.monotonic() + parts.settings.maintenance_interval_s

    def hurry(self) -> None:
        """Want to be called at once."""
        self.due = 0.0

    def squeeze(self) -> None:
        """The servers have no room, whatever the quota: let go soon what may go."""
        self._squeeze = True
        self.hurry()

    async def maintain(self) -> None:
        """Do what is due. Raises LogUnavailable, NotDurable among them."""
        parts = self._parts
        self.due = time.monotonic() + parts.settings.maintenance_interval_s
        await self.look()
        excess = self._excess(0)
        if self._squeeze:
            self._squeeze = False
            excess = max(excess, round(parts.ledger.stored_bytes * _SQUEEZED))
        await self._trim(parts.ledger.may_trim(self.slowest, self._old_us(), excess))
        if self.is_dirty:
            await self.save_state()
        if self._copy is not None and time.monotonic() >= self._copy_due:
            self._begin_copy()

    async def look(self) -> None:
        """Ask how the stream is, and judge it."""
        parts = self._parts
        info = await parts.stream.info()
        identify(info, parts.opened, parts.ledger)
        parts.info = info
        why = parts.durability.judge(info)
        metrics.DURABLE.set(0 if why else 1)
        if why and not parts.settings.jetstream.accept_unsynced:
            raise NotDurable(f"the stream is not durable: {why}")

    # -- state -----------------------------------------------------------------

    @property
    def is_dirty(self) -> bool:
        """Whether something isn't stored yet that batches don't tell."""
        ledger = self._parts.ledger
        return ledger.sources_changed or ledger.damage.changed or ledger.consumers != self._saved_consumers

    async def save_state(self, trimmed_through: int = 0) -> None:
        """Store what batches won't tell once they are trimmed."""
        parts = self._parts
        await self._drain()  # it has to hold all that stands before it
        consumers = dict(parts.ledger.consumers)
        head, body = state_message(parts.ledger, parts.uids.next(), parts.clock.now_us(), trimmed_through)
        await parts.chain.send(head, body)
        await self._drain()
        self._saved_consumers = consumers
        parts.ledger.sources_changed = parts.ledger.damage.changed = False

    # -- room ------------------------------------------------------------------

    @property
    def slowest(self) -> int:
        """Behind which position nobody needs anything."""
        ledger = self._parts.ledger
        return min(ledger.consumers.values(), default=ledger.last_seq)

    def _old_us(self) -> int:
        return self._parts.clock.now_us() - round(self._parts.settings.retention_s * 1e6)

    def _excess(self, wanted_bytes: int) -> int:
        parts = self._parts
        return parts.ledger.stored_bytes + parts.chain.stored_bytes + wanted_bytes - parts.settings.max_bytes

    async def make_room(self, wanted_bytes: int) -> bool:
        """Trim what may go if a batch needs it; return whether there is room for it."""
        if self._excess(wanted_bytes) <= 0:
            return True
        await self._drain()
        wanted = self._excess(wanted_bytes) + round(self._parts.settings.max_bytes * _SLACK)
        await self._trim(self._parts.ledger.may_trim(self.slowest, self._old_us(), wanted))
        return self._excess(wanted_bytes) <= 0

    def shortage(self) -> str:
        """Return in words why there is no room."""
        parts = self._parts
        consumers = parts.ledger.consumers
        slowest = min(consumers, key=consumers.__getitem__, default="")
        return (
            f"{parts.ledger.stored_bytes} of {parts.settings.max_bytes} bytes are used,"
            f" and consumer {slowest or '(none)'} still needs the oldest"
        )

    async def trim_before(self, before: int) -> int:
        """Trim on request, behind all consumers; return the oldest position retained."""
        ledger = self._parts.ledger
        await self._drain()
        through = min(self.slowest, before - 1)
        await self._trim(ledger.may_trim(through, 0, ledger.stored_bytes + 1))
        return ledger.trimmed_through + 1

    async def _trim(self, through: int) -> None:
        parts = self._parts
        if through <= parts.ledger.trimmed_through:
            return
        # First what the batches won't tell any more, and that they are gone; then they may go.
        try:
            await self.save_state(through)
        except StreamFull:
            # Not even for that is there room: what an older state tells of may go, and makes some.
            parts.chain.reset(parts.ledger.last_message, parts.ledger.last_seq)
            through = min(through, parts.ledger.covered)
            if through <= parts.ledger.trimmed_through:
                raise
        metrics.TRIMMED_EVENTS.inc(parts.ledger.trim(through))
        await parts.stream.purge(parts.ledger.first_needed)

    # -- damage ------------------------------------------------------------------

    async def set_aside(self, damaged: LogDamaged) -> int:
        """Give up a batch that can't be read; 1 if that is new."""
        ledger = self._parts.ledger
        now_us = self._parts.clock.now_us()
        if not ledger.set_aside(damaged.first_seq, damaged.last_seq, now_us, str(damaged)):
            return 0
        logger.error("the event log is damaged, and goes on without what is lost: %s", damaged)
        await self.save_state()
        return 1

    async def go_on_behind(self, position: int) -> int:
        """Give new events positions behind one; 1 if the log had lost its end."""
        parts = self._parts
        await self._drain()
        if not parts.ledger.go_on_behind(position, parts.clock.now_us()):
            return 0
        await self.save_state()
        parts.chain.reset(parts.ledger.last_message, parts.ledger.last_seq)
        return 1

    async def damage_told(self, damage: Sequence[Damage]) -> int:
        """Note that somebody was told, and store that."""
        self._parts.ledger.damage.told(damage)
        await self.save_state()
        return len(damage)

    # -- the copy of the books ---------------------------------------------------

    def _begin_copy(self) -> None:
        if self._copy is None or (self._copying is not None and not self._copying.done()):
            return
        self._copy_due = time.monotonic() + self._parts.settings.jetstream.index_interval_s
        self._parts.ledger.note_for_copy(self._parts.opened.created)
        self._copying = asyncio.ensure_future(self._keep_copy(self._copy))

    async def _keep_copy(self, path: Path) -> None:
        try:
            await asyncio.to_thread(self._parts.ledger.copy_to, path)
        except (OSError, sqlite3.Error) as error:
            metrics.MAINTENANCE_FAILURES.inc()
            logger.warning("what is known of the stream can't be kept in %s: %s", path, error)

    async def finish(self) -> None:
        """Keep a last copy."""
        if self._copying is not None:
            await self._copying
        self._begin_copy()
        if self._copying is not None:
            await self._copying
