"""The daemon's side: starts the worker, hears what it does, starts it again when it dies."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

from mtd.compaction import metrics
from mtd.compaction.messages import (
    HourDropped,
    Message,
    Progress,
    RoundDone,
    Trouble,
    UnitDone,
    UnitFailed,
    from_line,
)
from mtd.core.backoff import Backoff
from mtd.core.clock import SYSTEM_CLOCK, Clock
from mtd.core.errors import Bug
from mtd.core.worker_process import WorkerProcess
from mtd.storage.config import StorageConfig

logger = logging.getLogger(__name__)

WORKER = ("-m", "mtd.compaction.worker")


class CompactionService:
    """Runs the worker in a process of its own; nothing of it happens on the loop."""

    def __init__(
        self,
        dsn: str,
        settings: StorageConfig,
        *,
        worker: tuple[str, ...] = WORKER,
        clock: Clock = SYSTEM_CLOCK,
        backoff: Backoff | None = None,
    ) -> None:
        self._dsn = dsn
        self._settings = settings
        self._clock = clock
        # The unit under way may end; a killed one is rolled back and done again.
        self._process = WorkerProcess(
            "compaction",
            worker,
            self._job,
            self._hear,
            on_end=metrics.FAILURES.labels(what="worker").inc,
            clock=clock,
            backoff=backoff,
        )
        self._heard_at = 0.0
        self._database = ""
        self._stuck: dict[tuple[str, str, int], str] = {}
        self._late = ""

    @property
    def failure(self) -> str:
        """What an operator has to look at; empty if all is well."""
        if self._stuck:
            hours = len(self._stuck)
            return f"{hours} hour(s) can't be compacted, their frames are kept: {next(iter(self._stuck.values()))}"
        silent_s = self._clock.monotonic() - self._heard_at
        if self.pid is not None and silent_s > self._settings.compaction.late_alarm_s:
            return f"nothing was heard of its worker for {silent_s / 3600:.1f} h"
        return self._process.died or self._database or self._late

    @property
    def pid(self) -> int | None:
        """Process id of the worker, while there is one."""
        return self._process.pid

    async def start(self) -> None:
        """Start the worker in the background, unless the configuration says not to."""
        if self._settings.compaction.enabled:
            await self._process.start()

    async def stop(self) -> None:
        """Let the worker end what it is at, for a moment; then end it."""
        await self._process.stop()

    def _job(self) -> bytes:
        metrics.WORKER_STARTS.inc()
        self._heard_at = self._clock.monotonic()
        return json.dumps({"dsn": self._dsn, "settings": worker_settings(self._settings)}).encode() + b"\n"

    async def _hear(self, reader: asyncio.StreamReader) -> None:
        while line := await reader.readline():
            try:
                self._take(from_line(line))
            except Bug as error:
                metrics.FAILURES.labels(what="worker").inc()
                logger.error("%s", error)

    def _take(self, message: Message) -> None:
        self._heard_at = self._clock.monotonic()
        match message:
            case UnitDone():
                self._stuck.pop((message.device_id, message.poll_group, message.hour_us), None)
                _count_unit(message)
            case UnitFailed():
                self._note_failed(message)
            case RoundDone():
                self._note_round(message)
            case Progress():
                self._note_lag(message.lag_s)
            case HourDropped():
                metrics.HOURS_DROPPED.inc()
                logger.info("dropped partition %s: nothing is left in it", message.partition)
            case Trouble():
                metrics.FAILURES.labels(what=message.what).inc()
                logger.warning("compaction, %s: %s", message.what, message.reason)
                if message.what == "database":
                    self._database = f"no round: {message.reason}"

    def _note_failed(self, message: UnitFailed) -> None:
        metrics.FAILURES.labels(what=message.what).inc()
        text = f"device {message.device_id}, {message.poll_group}: {message.reason}"
        if message.what == "verification":
            metrics.VERIFICATION_FAILURES.inc()
        if message.what != "database":
            # Nothing but a change of mtd or of the data helps: said until it is done.
            self._stuck[message.device_id, message.poll_group, message.hour_us] = text
        logger.error("an hour wasn't compacted, its frames stay: %s", text)

    def _note_round(self, message: RoundDone) -> None:
        self._process.recovered()
        self._database = ""
        if not message.failed and not message.waiting:
            self._stuck.clear()  # whoever did them: a command, or their frames are gone
        self._note_lag(message.lag_s)
        metrics.UNKNOWN_FRAMES.set(message.unknown_frames)
        metrics.DAYS_MERGED.inc(message.days_merged)
        metrics.BLOCKS_RECODED.inc(message.recoded)
        if message.unknown:
            logger.warning(
                "%d frames of closed hours stay as they are, their layouts were never declared: %s",
                message.unknown_frames,
                ", ".join(message.unknown),
            )

    def _note_lag(self, lag_s: float) -> None:
        metrics.LAG_SECONDS.set(lag_s)
        late = lag_s > self._settings.compaction.late_alarm_s
        self._late = f"the oldest closed hour waits for {lag_s / 3600:.1f} h" if late else ""


def _count_unit(message: UnitDone) -> None:
    metrics.UNITS.labels(kind=message.kind).inc()
    metrics.FRAMES.inc(message.frames)
    metrics.REPEATED_FRAMES.inc(message.repeated)
    metrics.POINTS.inc(message.points)
    if message.left_out:
        metrics.LEFT_OUT.inc(message.left_out)
        logger.warning(
            "%d values of device %s, %s of an hour that began %d came after their retention: they are kept in"
            " rollups only, while those are",
            message.left_out,
            message.device_id,
            message.poll_group,
            message.hour_us // 1_000_000,
        )
    metrics.BYTES.inc(message.size)
    metrics.CPU_SECONDS.inc(message.cpu_s)
    if message.kind == "late":
        metrics.LATE_MERGES.inc()


def worker_settings(settings: StorageConfig) -> dict[str, Any]:
    """Return what the worker is told, as JSON. How to connect is told apart: it holds a password."""
    return settings.model_dump(mode="json", exclude={"dsn", "dsn_file", "door_dsn", "door_dsn_file"})
