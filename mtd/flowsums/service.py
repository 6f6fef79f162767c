"""The daemon's side: starts the worker once something is due, hears what it does, starts it again when it dies."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import logging
from collections.abc import Awaitable, Callable

from mtd.core.backoff import Backoff
from mtd.core.clock import SYSTEM_CLOCK, Clock
from mtd.core.errors import Bug, MtdError
from mtd.core.service import TaskGroup
from mtd.core.worker_process import WorkerProcess
from mtd.flowsums import metrics
from mtd.flowsums.messages import BucketFailed, Message, RoundDone, Trouble, from_line
from mtd.storage.config import StorageConfig

logger = logging.getLogger(__name__)

WORKER = ("-m", "mtd.flowsums.worker")


class FlowSumsService:
    """Runs the worker in a process of its own; nothing of it happens on the loop.

    ``is_due``: whether anything is to be summed up. Where nobody sends flows, no worker is started.
    """

    def __init__(
        self,
        dsn: str,
        settings: StorageConfig,
        is_due: Callable[[], Awaitable[bool]],
        *,
        worker: tuple[str, ...] = WORKER,
        clock: Clock = SYSTEM_CLOCK,
        backoff: Backoff | None = None,
    ) -> None:
        self._dsn = dsn
        self._settings = settings
        self._config = settings.flow_sums
        self._is_due = is_due
        self._clock = clock
        self._tasks = TaskGroup("flowsums")
        # What it is at may end; a killed one is rolled back and done again.
        self._process = WorkerProcess(
            "flow sums",
            worker,
            self._job,
            self._hear,
            on_end=metrics.FAILURES.labels(reason="worker").inc,
            clock=clock,
            backoff=backoff,
        )
        self._heard_at = 0.0
        self._trouble = self._failing = self._late = ""

    @property
    def failure(self) -> str:
        """What an operator has to look at; empty if all is well."""
        silent_s = self._clock.monotonic() - self._heard_at
        if self.pid is not None and silent_s > self._config.late_alarm_s:
            return f"nothing was heard of its worker for {silent_s / 60:.0f} min"
        return self._process.died or self._trouble or self._failing or self._late

    @property
    def pid(self) -> int | None:
        """Process id of the worker, while there is one."""
        return self._process.pid

    async def start(self) -> None:
        """Start the worker once it is needed, unless the configuration says not to."""
        if self._config.enabled:
            self._tasks.spawn("needed", self._start_when_needed())

    async def stop(self) -> None:
        """Let the worker end what it is at, for a moment; then end it."""
        await self._tasks.stop()
        await self._process.stop()

    async def _start_when_needed(self) -> None:
        while True:
            try:
                if await self._is_due():
                    break
                self._trouble = ""
            except MtdError as error:
                if not self._trouble:
                    logger.warning("flow sums: nobody knows what is due: %s", error)
                self._trouble = f"nobody knows what is due: {error}"
            await asyncio.sleep(self._config.interval_s)
        await self._process.start()

    def _job(self) -> bytes:
        metrics.WORKER_STARTS.inc()
        self._heard_at = self._clock.monotonic()
        # How to connect is told apart: it holds a password.
        settings = self._settings.model_dump(mode="json", include={"flow_sums", "retention"})
        return json.dumps({"dsn": self._dsn, "settings": settings}).encode() + b"\n"

    async def _hear(self, reader: asyncio.StreamReader) -> None:
        while line := await reader.readline():
            try:
                self._take(from_line(line))
            except Bug as error:
                metrics.FAILURES.labels(reason="worker").inc()
                logger.error("%s", error)

    def _take(self, message: Message) -> None:
        self._heard_at = self._clock.monotonic()
        match message:
            case BucketFailed():
                self._note_failed(message)
            case RoundDone():
                self._note_round(message)
            case Trouble():
                metrics.FAILURES.labels(reason="database").inc()
                logger.warning("flow sums: %s", message.text)
                self._trouble = f"no round: {message.text}"

    def _note_failed(self, message: BucketFailed) -> None:
        metrics.FAILURES.labels(reason=message.reason).inc(message.count)
        what = "minute" if message.seconds == 60 else "hour"
        began = dt.datetime.fromtimestamp(message.start_us // 1_000_000, dt.UTC)
        text = f"device {message.device_id}, {what} of {began:%Y-%m-%d %H:%M} UTC: {message.text}"
        if message.again:
            self._failing = text
        logger.log(
            logging.ERROR if message.again else logging.WARNING, "flow sums, %s: %s", message.reason, text
        )

    def _note_round(self, message: RoundDone) -> None:
        self._process.recovered()
        self._trouble = ""
        if not message.failing:
            self._failing = ""
        metrics.BUCKETS.labels(kind="minute").inc(message.minutes)
        metrics.BUCKETS.labels(kind="hour").inc(message.hours)
        metrics.RECORDS.inc(message.records)
        metrics.MISMATCHES.inc(message.mismatches)
        metrics.CPU_SECONDS.inc(message.cpu_s)
        metrics.LAG_SECONDS.set(message.lag_s)
        late = message.lag_s > self._config.late_alarm_s
        self._late = f"the oldest minute waits for {message.lag_s / 60:.0f} min" if late else ""
