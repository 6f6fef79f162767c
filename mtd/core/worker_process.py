"""A program of ours in a process of its own: started, heard, started again when it dies, and ended with us.

The other side, for programs that wait and compute without a loop, is ``mtd.core.worker_main``. One that hangs
without dying shows no sign of life (``mtd.core.pulse``): it is killed, and started again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import subprocess
import sys
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import IO

from mtd.core.backoff import Backoff
from mtd.core.clock import SYSTEM_CLOCK, Clock
from mtd.core.errors import MtdError, Retryable
from mtd.core.metrics import WORKER_SILENCES
from mtd.core.pulse import Pulse
from mtd.core.service import TaskGroup

logger = logging.getLogger(__name__)

Hear = Callable[[asyncio.StreamReader], Awaitable[None]]
"""Reads what a worker writes to its standard output, until that ends. What it raises ends the worker."""

_LINE_BYTES = 1024 * 1024
_LAST_WORDS = 5
_END_S = 5.0
_STEADY_S = 60.0
_MOST_UNREAD_BYTES = 64 * 1024 * 1024
_LOOKS = 6  # at its pulse, until it is taken as hung


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a worker is waited for, in seconds.

    ``stop_s``: to end what it is at. ``silence_s``: for a sign of life (see ``mtd.core.pulse``), before it is killed
    and started again; a busy machine takes some seconds to start one. 0: it doesn't show any.
    """

    stop_s: float = 1.0
    silence_s: float = 60.0


def _nothing() -> None:
    """Do nothing."""


class WorkerProcess:
    """Keeps ``python PROGRAM`` running; nothing of it happens on the loop.

    ``job`` is asked at each start for what the worker reads first from its standard input, which stays open: the
    worker ends when that does. ``hear`` is called at each start. What the worker writes to standard error is
    logged. ``fds`` are descriptors that it inherits. ``on_end`` is called after each end that nobody asked for.
    """

    def __init__(
        self,
        name: str,
        program: Sequence[str],
        job: Callable[[], bytes],
        hear: Hear,
        *,
        fds: Sequence[int] = (),
        patience: Patience = Patience(),
        on_end: Callable[[], None] = _nothing,
        clock: Clock = SYSTEM_CLOCK,
        backoff: Backoff | None = None,
    ) -> None:
        self._name = name
        self._program = tuple(program)
        self._job = job
        self._hear = hear
        self._fds = tuple(fds)
        self._patience = patience
        self._on_end = on_end
        self._pulse: Pulse | None = None
        self._clock = clock
        self._backoff = backoff or Backoff(first_s=1.0, cap_s=60.0)
        self._tasks = TaskGroup(name)
        self._process: subprocess.Popen[bytes] | None = None
        self._input: asyncio.WriteTransport | None = None
        self._stopping = asyncio.Event()
        self._ended = asyncio.Event()
        self.died = ""
        """Why it ended the last time, for an operator; empty once ``recovered`` was called."""

    @property
    def pid(self) -> int | None:
        """Process id of the worker, while there is one."""
        return None if self._process is None else self._process.pid

    def recovered(self) -> None:
        """Forget why it ended: it has shown that all is well again."""
        self.died = ""

    async def start(self) -> None:
        """Start the worker in the background."""
        self._pulse = Pulse() if self._patience.silence_s else None
        self._tasks.spawn("worker", self._keep_running())

    async def stop(self) -> None:
        """Let the worker end what it is at, for a moment; then end it."""
        self._stopping.set()
        if self._input is not None:
            self._input.close()
            try:
                async with asyncio.timeout(self._patience.stop_s):
                    await self._ended.wait()
            except TimeoutError:
                logger.info(
                    "the %s worker is in the middle of something; it is done again at the next start",
                    self._name,
                )
        await self._tasks.stop()
        if self._pulse is not None:
            self._pulse.close()
            self._pulse = None

    def write(self, data: bytes) -> None:
        """Tell the worker something more; without one that is lost, as the next one asks for its ``job``."""
        if self._input is None or self._input.is_closing():
            return
        self._input.write(data)
        if self._input.get_write_buffer_size() > _MOST_UNREAD_BYTES and self._process is not None:
            logger.error("the %s worker doesn't read what it is told: it is ended", self._name)
            self._process.kill()

    async def _keep_running(self) -> None:
        while not self._stopping.is_set():
            began = self._clock.monotonic()
            words = await self._run_guarded()
            if self._stopping.is_set():
                return
            if self._clock.monotonic() - began > _STEADY_S:
                self._backoff.reset()
            delay = self._backoff.next_delay()
            self.died = f"its worker ended: {words}"
            self._on_end()
            logger.error("the %s worker ended, next start in %.1f s: %s", self._name, delay, words)
            await asyncio.sleep(delay)

    async def _run_guarded(self) -> str:
        try:
            return await self._run_once()
        except (OSError, ValueError, MtdError) as error:  # no process to be had, or what makes no sense
            return str(error)
        except Exception as error:
            logger.exception("what the %s worker said can't be taken in", self._name)
            return f"{type(error).__name__}: {error}"

    async def _run_once(self) -> str:
        """Run the worker until it ends; return its last words."""
        launching = asyncio.ensure_future(asyncio.to_thread(self._launch))
        try:
            process = await asyncio.shield(launching)
        except asyncio.CancelledError:
            await self._bury(await launching)  # a thread can't be cancelled
            raise
        self._ended.clear()
        words: deque[str] = deque(maxlen=_LAST_WORDS)
        transports: list[asyncio.ReadTransport] = []
        hearing: list[asyncio.Future[None]] = []
        hears: tuple[Hear, Hear] = (self._hear, lambda reader: self._hear_trouble(reader, words))
        try:
            self._input = await _writer(process.stdin)
            # On its standard input: arguments and environment of a process can be read by others.
            self._input.write(self._job())
            self._process = process
            for pipe, hear in zip((process.stdout, process.stderr), hears, strict=True):
                reader, transport = await _reader(pipe)
                transports.append(transport)
                hearing.append(asyncio.ensure_future(hear(reader)))
            if await self._hear_to_end(hearing, process):
                words.append(
                    f"it showed no sign of life for {self._patience.silence_s:.0f} s, and was killed"
                )
            # Both of its ends are closed: it is over, or about to be.
            code = await asyncio.to_thread(process.wait, _END_S)
            return "; ".join(words) or f"without a word, exit code {code}"
        except subprocess.TimeoutExpired:
            return "it closed its output, but went on"
        finally:
            for task in hearing:
                task.cancel()
            for transport in transports:
                transport.close()
            _give_up(self._input)
            self._input = None
            await self._bury(process)

    async def _hear_to_end(
        self, hearing: Sequence[asyncio.Future[None]], process: subprocess.Popen[bytes]
    ) -> bool:
        """Hear the worker to its end; return whether it had to be killed for that, since it hung."""
        heard = asyncio.ensure_future(asyncio.wait(hearing, return_when=asyncio.FIRST_EXCEPTION))
        silent = asyncio.ensure_future(self._wait_for_silence())
        try:
            await asyncio.wait((heard, silent), return_when=asyncio.FIRST_COMPLETED)
            hung = not heard.done()
            if hung:
                await self._kill_hung(process)
                await heard  # what it had written before
        finally:
            heard.cancel()
            silent.cancel()
        for task in hearing:
            if task.done():
                task.result()
        return hung

    async def _kill_hung(self, process: subprocess.Popen[bytes]) -> None:
        WORKER_SILENCES.labels(worker=self._name).inc()
        logger.error(
            "the %s worker (process %d) showed no sign of life for %.0f s: it is killed and started again. If that "
            "happens again, look for a machine without free memory or CPU, or a disk that doesn't answer",
            self._name,
            process.pid,
            self._patience.silence_s,
        )
        process.kill()
        try:
            await asyncio.to_thread(process.wait, _END_S)
        except subprocess.TimeoutExpired:
            raise Retryable("it hangs and can't be killed: look for a disk that doesn't answer") from None

    async def _wait_for_silence(self) -> None:
        """Return once the worker has shown no sign of life for too long."""
        pulse = self._pulse
        if pulse is None:
            await asyncio.get_running_loop().create_future()  # nobody looks
            return
        seen, silent = pulse.beats, 0
        while silent < _LOOKS:
            await asyncio.sleep(self._patience.silence_s / _LOOKS)
            # Looks are counted, and not time: where this process was held up, that isn't the worker's silence.
            before, seen = seen, pulse.beats
            silent = silent + 1 if seen == before else 0

    def _launch(self) -> subprocess.Popen[bytes]:
        """Start the process. In a thread, and by subprocess: it doesn't fork, which gRPC's threads wouldn't survive."""
        return subprocess.Popen(  # noqa: S603 - it is a module of ours
            [sys.executable, *self._program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            pass_fds=self._fds if self._pulse is None else (*self._fds, self._pulse.fd),
            env=None if self._pulse is None else self._pulse.environment(),
        )

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

    async def _hear_trouble(self, reader: asyncio.StreamReader, words: deque[str]) -> None:
        while line := await reader.readline():
            text = line.decode(errors="replace").rstrip()
            words.append(text)
            logger.warning("%s worker: %s", self._name, text)


async def _reader(pipe: IO[bytes] | None) -> tuple[asyncio.StreamReader, asyncio.ReadTransport]:
    reader = asyncio.StreamReader(limit=_LINE_BYTES)
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
    return reader, transport


async def _writer(pipe: IO[bytes] | None) -> asyncio.WriteTransport:
    transport, _ = await asyncio.get_running_loop().connect_write_pipe(asyncio.BaseProtocol, pipe)
    return transport


def _give_up(transport: asyncio.WriteTransport | None) -> None:
    """Close a pipe with what is still to be written: ``close`` would wait for a process that reads no more."""
    if transport is not None and (not transport.is_closing() or transport.get_write_buffer_size()):
        transport.abort()
