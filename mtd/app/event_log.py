"""The event log that a configuration names: made for the daemon, and looked at from outside."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from mtd.eventlog.config import Backend
from mtd.eventlog.interfaces import LoggedBatch, LogReport, LogStats, Progress
from mtd.eventlog.sqlite.log import SqliteEventLog
from mtd.eventlog.sqlite.reader import DiskReader
from mtd.eventlog.sqlite.verify import file_stats, verify_file

if TYPE_CHECKING:
    from mtd.app.config import Settings
    from mtd.eventlog.config import EventLogConfig
    from mtd.eventlog.jetstream.log import JetStreamEventLog

T = TypeVar("T")

ReadBatches = Callable[[int, int], list[LoggedBatch]]


def log_config(settings: Settings) -> EventLogConfig:
    """Return the log's settings with its path below the data folder."""
    return settings.event_log.model_copy(update={"path": settings.event_log_path})


def on_jetstream(settings: Settings) -> bool:
    """Whether the log is a stream."""
    return settings.event_log.backend is Backend.JETSTREAM


def _name(settings: Settings) -> str:
    from mtd.eventlog.jetstream.stream import log_name

    return log_name(settings.event_log, settings.daemon.collector_id)


def make_log(settings: Settings) -> SqliteEventLog | JetStreamEventLog:
    """Return the log, not started. Raises Misconfigured."""
    if not on_jetstream(settings):
        return SqliteEventLog(log_config(settings))
    # Imported only where it is used: others need no NATS.
    from mtd.eventlog.jetstream.log import JetStreamEventLog

    return JetStreamEventLog(log_config(settings), _name(settings))


def log_place(settings: Settings) -> str:
    """Return where the log is, for people."""
    return f"the stream of {_name(settings)}" if on_jetstream(settings) else str(settings.event_log_path)


def log_stats(settings: Settings) -> LogStats:
    """Return the state of the log, without changing anything; the daemon may be running. Blocks.

    Raises NotFound if there is none, Misconfigured, and LogUnavailable.
    """
    if not on_jetstream(settings):
        return file_stats(settings.event_log_path)
    from mtd.eventlog.jetstream.verify import stream_stats

    with _loop() as run:
        return run(stream_stats(log_config(settings), _name(settings)))


def verify_log(settings: Settings, progress: Progress | None = None) -> LogReport:
    """Examine all that the log retains; the daemon may be running. Blocks. Raises as ``log_stats`` does."""
    if not on_jetstream(settings):
        return verify_file(settings.event_log_path, progress)
    from mtd.eventlog.jetstream.verify import verify_stream

    with _loop() as run:
        return run(verify_stream(log_config(settings), _name(settings), progress))


@contextmanager
def log_reader(settings: Settings) -> Iterator[ReadBatches]:
    """Give what reads batches behind a position, at most so many events. Blocks."""
    config = log_config(settings)
    if not on_jetstream(settings):
        reader = DiskReader(config.path, config.busy_timeout_s, config.read_bytes)
        try:
            yield reader.read
        finally:
            reader.close()
        return
    from mtd.eventlog.jetstream.verify import BatchReader, looking

    stack = AsyncExitStack()
    with _loop() as run:
        looked = run(stack.enter_async_context(looking(config, _name(settings))))
        batches = BatchReader(looked, config)
        try:
            yield lambda after, limit: run(batches.read(after, limit))
        finally:
            batches.close()
            run(stack.aclose())


@contextmanager
def _loop() -> Iterator[Callable[[Coroutine[Any, Any, T]], T]]:
    """Give what runs coroutines on a loop in a thread of its own: the caller's may be running."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="mtd-log-loop", daemon=True)
    thread.start()
    try:
        yield lambda coroutine: asyncio.run_coroutine_threadsafe(coroutine, loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
