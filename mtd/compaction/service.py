"""The daemon's side: starts the worker, hears what it does, starts it again when it dies."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import subprocess
import sys
from collections import deque
from typing import IO, Any

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
from mtd.core.service import TaskGroup
from mtd.storage.config import StorageConfig

logger = logging.getLogger(__name__)

WORKER = ("-m", "mtd.compaction.worker")
# The unit under way may end; a killed one is rolled back and done again.
_STOP_S = 1.0
_LINE_BYTES = 1024 * 1024
_LAST_WORDS = 5
_END_S = 5.0
_STEADY_S = 60.0


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
        self._worker = worker
        self._clock = clock
        self._backoff = backoff or Backoff(first_s=1.0, cap_s=60.0)
        self._tasks = TaskGroup("compaction")
        self._process: subprocess.Popen[bytes] | None = None
        self._stopping = asyncio.Event()
        self._ended = asyncio.Event()
        self._listening: list[asyncio.Future[None]] = []
        self._heard_at = 0.0
        self._died = ""
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
        return self._died or self._database or self._late

    @property
    def pid(self) -> int | None:
        """Process id of the worker, while there is one."""
        return None if self._process is None else self._process.pid

    async def start(self) -> None:
        """Start the worker in the background, unless the configuration says not to."""
        if self._settings.compaction.enabled:
            self._tasks.spawn("worker", self._keep_running())

    async def stop(self) -> None:
        """Let the worker end what it is at, for a moment; then end it."""
        process = self._process
        self._stopping.set()
        if process is not None and process.stdin is not None:
            process.stdin.close()
            try:
                async with asyncio.timeout(_STOP_S):
                    await self._ended.wait()
            except TimeoutError:
                logger.info(
                    "the compaction worker is in the middle of something; it is done again at the next start"
                )
        await self._tasks.stop()

    async def _keep_running(self) -> None:
        while not self._stopping.is_set():
            began = self._clock.monotonic()
            try:
                words = await self._run_once()
            except (OSError, ValueError) as error:  # no process to be had, or a line that never ends
                words = str(error)
            if self._stopping.is_set():
                return
            if self._clock.monotonic() - began > _STEADY_S:
                self._backoff.reset()
            delay = self._backoff.next_delay()
            self._died = f"its worker ended: {words}"
            metrics.FAILURES.labels(what="worker").inc()
            logger.error("the compaction worker ended, next start in %.1f s: %s", delay, words)
            await asyncio.sleep(delay)

    async def _run_once(self) -> str:
        """Run the worker until it ends; return its last words."""
        metrics.WORKER_STARTS.inc()
        launching = asyncio.ensure_future(asyncio.to_thread(self._launch))
        try:
            process = await asyncio.shield(launching)
        except asyncio.CancelledError:
            await self._bury(await launching)  # a thread can't be cancelled
            raise
        self._process, self._heard_at = process, self._clock.monotonic()
        self._ended.clear()
        words: deque[str] = deque(maxlen=_LAST_WORDS)
        transports: list[asyncio.ReadTransport] = []
        try:
            for pipe, hear in ((process.stdout, self._hear), (process.stderr, self._hear_trouble)):
                assert pipe is not None
                reader, transport = await _reader(pipe)
                transports.append(transport)
                self._listening.append(asyncio.ensure_future(hear(reader, words)))
            await asyncio.gather(*self._listening)
            # Both of its ends are closed: it is over, or about to be.
            code = await asyncio.to_thread(process.wait, _END_S)
            return "; ".join(words) or f"without a word, exit code {code}"
        except subprocess.TimeoutExpired:
            return "it closed its output, but went on"
        finally:
            for listening in self._listening:
                listening.cancel()
            self._listening.clear()
            for transport in transports:
                transport.close()
            await self._bury(process)

    def _launch(self) -> subprocess.Popen[bytes]:
        """Start the process. In a thread, and by subprocess: it doesn't fork, which gRPC's threads wouldn't survive."""
        settings = worker_settings(self._settings)
        process = subprocess.Popen(  # noqa: S603 - it is a module of ours
            [sys.executable, *self._worker],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
        )
        assert process.stdin is not None
        # On its standard input: arguments and environment of a process can be read by others.
        with contextlib.suppress(BrokenPipeError):  # it ended already, and says why on standard error
            process.stdin.write(json.dumps({"dsn": self._dsn, "settings": settings}).encode() + b"\n")
        return process

    async def _bury(self, process: subprocess.Popen[bytes]) -> None:
        self._process = None
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
        if process.poll() is None:
            process.kill()
            # At once, as a rule; one that waits for a broken disk can't be killed, and must not hold up the loop.
            with contextlib.suppress(subprocess.TimeoutExpired):
                await asyncio.to_thread(process.wait, _END_S)
        self._ended.set()

    async def _hear(self, reader: asyncio.StreamReader, _words: deque[str]) -> None:
        while line := await reader.readline():
            try:
                self._take(from_line(line))
            except Bug as error:
                metrics.FAILURES.labels(what="worker").inc()
                logger.error("%s", error)

    @staticmethod
    async def _hear_trouble(reader: asyncio.StreamReader, words: deque[str]) -> None:
        while line := await reader.readline():
            text = line.decode(errors="replace").rstrip()
            words.append(text)
            logger.warning("compaction worker: %s", text)

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
        self._died = self._database = ""
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


async def _reader(pipe: IO[bytes]) -> tuple[asyncio.StreamReader, asyncio.ReadTransport]:
    reader = asyncio.StreamReader(limit=_LINE_BYTES)
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
    return reader, transport


def worker_settings(settings: StorageConfig) -> dict[str, Any]:
    """Return what the worker is told, as JSON. How to connect is told apart: it holds a password."""
    return settings.model_dump(mode="json", exclude={"dsn", "dsn_file", "door_dsn", "door_dsn_file"})
