"""Telling of what the event log lost to its disk: an event for each damage, written down before it counts as told."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from mtd.core.backoff import Backoff
from mtd.core.errors import MtdError
from mtd.core.service import TaskGroup
from mtd.eventlog.interfaces import Damage, ISalvages
from mtd.model.device import Severity
from mtd.model.observation import StateChange

if TYPE_CHECKING:
    from mtd.ingest.recorder import Recorder

logger = logging.getLogger(__name__)

DAMAGED = "collector.log.damaged"
_RETRY_S = (1.0, 30.0)


class DamageTeller:
    """Records an event for each damage of a log, once; over restarts, too. Does nothing for a log that has no disk."""

    def __init__(self, log: Any, recorder: Recorder, collector_id: str) -> None:
        self._log = log
        self._recorder = recorder
        self._collector_id = collector_id
        self._tasks = TaskGroup("app.log_damage")

    async def start(self) -> None:
        """Begin to tell. The log has to be open, and the recorder to run."""
        if ISalvages.providedBy(self._log):
            self._tasks.spawn("tell", self._tell(self._log))

    async def stop(self) -> None:
        """Tell no more: what isn't told yet is told after the next start."""
        await self._tasks.stop()

    async def _tell(self, log: Any) -> None:
        backoff = Backoff(*_RETRY_S)
        while True:
            try:
                damage = await log.untold_damage()
                for one in damage:
                    self._recorder.record_event(damaged(self._collector_id, one))
                await self._recorder.flush()
                await log.damage_told(damage)
                backoff.reset()
            except MtdError as error:
                logger.warning("damage of the event log can't be told yet: %s", error)
                await asyncio.sleep(backoff.next_delay())


async def go_on_behind(log: Any, positions: Iterable[int]) -> None:
    """See to it that a log gives no position anew that somebody knows: it may have lost its end. Raises LogUnavailable."""
    furthest = max(positions, default=0)
    salvages = ISalvages.providedBy(log)
    if salvages and furthest > log.stats().last_seq:
        await log.go_on_behind(furthest)


def damaged(collector_id: str, damage: Damage) -> StateChange:
    """Return that events of the log are lost."""
    found = dt.datetime.fromtimestamp(damage.found_us / 1e6, dt.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return StateChange(
        event_type=DAMAGED,
        severity=Severity.CRITICAL,
        entity_type="collector",
        entity_id=collector_id,
        entity_label=collector_id,
        field="log",
        old=str(damage.first_seq),
        new=str(damage.last_seq),
        message=f"events {damage.first_seq} to {damage.last_seq} of the log are damaged and set aside, "
        f"found at {found}: {damage.detail}",
    )
