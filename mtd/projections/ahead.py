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
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

from mtd.core.clock import SYSTEM_CLOCK
from mtd.core.errors import MtdError, Retryable
from mtd.core.service import TaskGroup
from mtd.projections import metrics
from mtd.projections.ages import AGES
from mtd.projections.batching import NumberedEvent
from mtd.projections.errors import OutOfBounds
from mtd.projections.frames import FrameEncoder, TimeBounds
from mtd.projections.latest import LatestBatch, LatestProjection
from mtd.projections.portions import portions
from mtd.storage.stores.frames import upsert_latest

if TYPE_CHECKING:
    from mtd.eventlog.interfaces import LoggedBatch
    from mtd.projections.config import ProjectionsConfig
    from mtd.storage.pool import Database
    from mtd.storage.txn import Transaction

logger = logging.getLogger(__name__)

# Frames encoded between two turns of the loop: about a millisecond and a half.
_FRAMES_OF_A_SLICE = 64
_ROWS_AT_ONCE = 512
# PostgreSQL may just have gone away again.
_DEADLINE_S = 5.0


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
        self._latest = LatestProjection(TimeBounds(config.max_ahead_s))
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
        encoder = FrameEncoder()
        batch = self._latest.begin(self._log.log_id, encoder)
        while position < last:
            batches = await self._log.read(position, self._config.batch_events)
            if not batches:
                break
            for read in batches:
                _add_frames(batch, read)
            position = batches[-1].last_seq
            await asyncio.sleep(0)
        if batch.newest:
            await self._write(batch, encoder)
        self._position = position
        return len(batch.newest)

    async def _write(self, batch: LatestBatch, encoder: FrameEncoder) -> None:
        """Write frames and tell of them, but for those of layouts that PostgreSQL doesn't know: nobody could name their values."""
        for place, (seq, envelope) in enumerate(batch.newest, start=1):
            encoder.row(seq, envelope)
            if place % _FRAMES_OF_A_SLICE == 0:
                await asyncio.sleep(0)
        log_id = self._log.log_id

        async def write(tx: Transaction) -> Sequence[NumberedEvent]:
            chosen = list((await batch.choose(tx)).items())
            for first in range(0, len(chosen), _ROWS_AT_ONCE):
                some = chosen[first : first + _ROWS_AT_ONCE]
                rows = [encoder.row(seq, envelope) for _, (_, _, seq, envelope) in some]
                await upsert_latest(tx, log_id, rows, [group for (_, _, group), _ in some])
            AGES.written(((place, aged[1]) for place, aged in chosen), SYSTEM_CLOCK.now_us())
            return [(seq, envelope) for _, (_, _, seq, envelope) in chosen]

        shown = await self._db.run("projections.ahead", write, deadline_s=_DEADLINE_S, durable=False)
        metrics.AHEAD_FRAMES.inc(len(shown))
        for portion in portions(shown):
            self._on_shown(portion)
            await asyncio.sleep(0)


def _add_frames(batch: LatestBatch, read: LoggedBatch) -> None:
    for seq, envelope in read.numbered():
        if envelope.HasField("frame"):
            # What comes from the future is counted by the projections, when they come to it.
            with contextlib.suppress(OutOfBounds):
                batch.add(seq, envelope)
