"""The newest values while a backlog is written: ``latest`` need not wait for history.

After an outage of PostgreSQL the projections have minutes to write, in order, and nobody
would see a live value until they are done. So the newest frames of the log are written to
``latest`` meanwhile, in front of everything that waits. No position moves, and that is why
it is harmless: a row of ``latest`` only ever gives way to a newer frame, so that it makes no
difference how often a frame is offered, or in which order. When the projections come to the
same frames, they find them there and write history only, each event once as ever.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from mtd.core.errors import MtdError, Retryable
from mtd.core.service import TaskGroup
from mtd.projections import metrics
from mtd.projections.batching import NumberedEvent
from mtd.projections.errors import OutOfBounds
from mtd.projections.frames import FrameEncoder, TimeBounds
from mtd.projections.latest import LayoutBook
from mtd.projections.portions import portions
from mtd.storage.stores.frames import FrameRow, upsert_latest

if TYPE_CHECKING:
    from mtd.pb.events.v1.envelope_pb2 import Envelope
    from mtd.projections.config import ProjectionsConfig
    from mtd.storage.pool import Database
    from mtd.storage.txn import Transaction

logger = logging.getLogger(__name__)

# Frames encoded between two turns of the loop: about a millisecond and a half.
_FRAMES_OF_A_SLICE = 64
_ROWS_AT_ONCE = 512
# PostgreSQL may just have gone away again.
_DEADLINE_S = 5.0

Key: TypeAlias = tuple[str, str, int]  # tenant, device, layout


class Ahead:
    """Writes the newest frames to ``latest`` while the projections are more than ``ahead_after_s`` behind.

    ``behind_s`` tells how far they are; ``on_shown`` is called with the frames that were written.
    """

    def __init__(
        self,
        log: Any,
        db: Database,
        behind_s: Callable[[], float],
        on_shown: Callable[[Sequence[NumberedEvent]], None],
        config: ProjectionsConfig,
    ) -> None:
        self._log = log
        self._db = db
        self._behind_s = behind_s
        self._on_shown = on_shown
        self._config = config
        self._bounds = TimeBounds(config.max_ahead_s)
        self._book = LayoutBook()
        self._tasks = TaskGroup("projections.ahead")
        self._position = 0

    async def start(self) -> None:
        """Begin to look how far behind the projections are."""
        self._tasks.spawn("follow", self._follow())

    async def stop(self) -> None:
        """End it. A transaction under way is given up, and nothing depends on it."""
        await self._tasks.stop()

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(self._config.ahead_interval_s)
            active = self._behind_s() >= self._config.ahead_after_s
            metrics.AHEAD_ACTIVE.set(active)
            if active:
                await self._guarded(self.show)

    async def _guarded(self, work: Callable[[], Awaitable[object]]) -> None:
        """Do it; whatever fails is left to the projections, which come to the same frames."""
        try:
            await work()
        except Retryable as error:
            logger.debug("the newest values can't be shown now: %s", error)
        except MtdError as error:
            metrics.AHEAD_FAILURES.inc()
            logger.warning("the newest values can't be shown before the backlog is written: %s", error)
        except Exception:
            metrics.AHEAD_FAILURES.inc()
            logger.exception("showing the newest values failed by an error of mtd")

    async def show(self) -> int:
        """Write what is newest in the log; return how many rows were offered.

        What is further back than ``ahead_events`` is left out: each router has a newer frame.
        """
        last = self._log.stats().last_seq
        position = max(self._position, last - self._config.ahead_events)
        newest: dict[Key, NumberedEvent] = {}
        while position < last:
            batches = await self._log.read(position, self._config.batch_events)
            if not batches:
                break
            for batch in batches:
                for seq, envelope in batch.numbered():
                    self._take(newest, seq, envelope)
            position = batches[-1].last_seq
            await asyncio.sleep(0)
        if newest:
            shown = await self._write(list(newest.values()))
            metrics.AHEAD_FRAMES.inc(len(shown))
            for some in portions(shown):
                self._on_shown(some)
                await asyncio.sleep(0)
        self._position = position
        return len(newest)

    def _take(self, newest: dict[Key, NumberedEvent], seq: int, envelope: Envelope) -> None:
        if not envelope.HasField("frame"):
            return
        key = (envelope.tenant_id, envelope.device_id, envelope.frame.layout_id)
        known = newest.get(key)
        if known is not None and known[1].collected_at_us >= envelope.collected_at_us:
            return
        try:
            self._bounds.check(envelope)
        except OutOfBounds:
            return  # the projections count it when they come to it
        newest[key] = (seq, envelope)

    async def _write(self, frames: Sequence[NumberedEvent]) -> Sequence[NumberedEvent]:
        """Write frames; return those whose layout PostgreSQL knows: who reads the others would not know what they say."""
        encoder = FrameEncoder()
        rows: list[FrameRow] = []
        for place, (seq, envelope) in enumerate(frames, start=1):
            rows.append(encoder.row(seq, envelope))
            if place % _FRAMES_OF_A_SLICE == 0:
                await asyncio.sleep(0)
        keys = {(row.tenant_id, row.layout_id) for row in rows}
        log_id = self._log.log_id

        async def write(tx: Transaction) -> Sequence[NumberedEvent]:
            groups = await self._book.resolve(tx, keys)
            chosen: dict[tuple[str, str, str], int] = {}  # two layouts of a poll group: the newer one
            for place, row in enumerate(rows):
                group = groups.get((row.tenant_id, row.layout_id))
                if group is None:
                    continue
                key = (row.tenant_id, row.device_id, group)
                if key not in chosen or rows[chosen[key]].collected_us < row.collected_us:
                    chosen[key] = place
            places = list(chosen.items())
            for first in range(0, len(places), _ROWS_AT_ONCE):
                some = places[first : first + _ROWS_AT_ONCE]
                await upsert_latest(
                    tx, log_id, [rows[place] for _, place in some], [group for (_, _, group), _ in some]
                )
            return [frames[place] for _, place in places]

        return await self._db.run("projections.ahead", write, deadline_s=_DEADLINE_S, durable=False)
