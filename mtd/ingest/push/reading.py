"""From the bytes of a body to a batch: unpacked within bounds, read where it doesn't hold the loop."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import IO

import orjson

from mtd.core.errors import Retryable
from mtd.ingest.config import PushConfig
from mtd.ingest.push import metrics
from mtd.ingest.push.payload import read_payload
from mtd.ingest.push.rows import EventRow, Problem, PushBatch, SampleRow, TooLarge, Unreadable

logger = logging.getLogger(__name__)

WORKER = ("-m", "mtd.ingest.push.parser")
# The parser doesn't let go of the interpreter: so much takes it some milliseconds.
_IN_THREAD_BYTES = 256 * 1024
_STEP_BYTES = 64 * 1024
_THREADS = 4
_GZIP = 16 + zlib.MAX_WBITS
_ERRORS = {"Unreadable": Unreadable, "TooLarge": TooLarge}


def unpack(body: bytes, most: int) -> bytes:
    """Return what a gzip body holds. Raises TooLarge before more than ``most`` bytes are unpacked, and Unreadable."""
    parts: list[bytes] = []
    size = 0
    unpacker = zlib.decompressobj(_GZIP)
    try:
        for first in range(0, len(body), _STEP_BYTES):
            rest = body[first : first + _STEP_BYTES]
            while rest:
                if unpacker.eof:
                    unpacker = zlib.decompressobj(_GZIP)  # a further member
                part = unpacker.decompress(rest, min(_STEP_BYTES, most - size + 1))
                size += len(part)
                if size > most:
                    raise TooLarge(f"the body unpacks to more than {most:,} bytes: send it in parts")
                parts.append(part)
                rest = unpacker.unused_data if unpacker.eof else unpacker.unconsumed_tail
    except zlib.error as error:
        raise Unreadable(f"the body isn't gzip, as content-encoding says: {error}") from None
    if not unpacker.eof:
        raise Unreadable("the gzip body ends too early")
    return b"".join(parts)


class BodyReader:
    """Reads bodies: small ones in a thread, large ones in a process of its own."""

    def __init__(self, config: PushConfig) -> None:
        self._config = config
        self._parser = ParserProcess(config)
        # Of its own: who waits here for the process holds nobody else up.
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="mtd-ingest-body")

    async def stop(self) -> None:
        """End the process."""
        await asyncio.to_thread(self._parser.stop)
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def read(self, body: bytes, *, packed: bool) -> PushBatch:
        """Return the batch of a body. Raises Unreadable, TooLarge, and Retryable if no process is to be had."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._read, body, packed)

    def _read(self, body: bytes, packed: bool) -> PushBatch:
        if packed:
            body = unpack(body, self._config.max_unpacked_bytes)
        if len(body) <= _IN_THREAD_BYTES:
            return read_payload(body, self._config.max_values, self._config.max_events)
        return self._parser.parse(body)


class ParserProcess:
    """A process that reads one body after the other; started when it is needed first. Blocks: for threads."""

    def __init__(self, config: PushConfig) -> None:
        self._limits = {"max_values": config.max_values, "max_events": config.max_events}
        self._turn = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped = False

    def parse(self, body: bytes) -> PushBatch:
        """Return the batch of a body. Raises Unreadable, TooLarge, Retryable."""
        with self._turn:
            for attempt in (1, 2):
                try:
                    return self._ask(body)
                except (OSError, EOFError) as error:
                    self._end()
                    if attempt == 2 or self._stopped:
                        raise Retryable(f"the process that reads batches ended: {error}") from error
                    logger.warning("the process that reads batches ended, and is started again: %s", error)
        raise AssertionError

    def _ask(self, body: bytes) -> PushBatch:
        process = self._process
        if process is None:
            if self._stopped:
                raise OSError("mtd stops")
            metrics.PARSER_STARTS.inc()
            process = self._process = subprocess.Popen(  # noqa: S603 - our own module
                [sys.executable, *WORKER],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                start_new_session=True,
            )
        assert process.stdin is not None
        assert process.stdout is not None
        write_part(process.stdin, orjson.dumps(self._limits))
        write_part(process.stdin, body)
        process.stdin.flush()
        head = orjson.loads(read_part(process.stdout))
        if "error" in head:
            raise _ERRORS[head["error"]](head["text"])
        batch = PushBatch(
            bytes.fromhex(head["digest"]),
            head["batch_id"],
            head["group"],
            problems=[Problem(*one) for one in head["problems"]],
            warnings=head["warnings"],
        )
        # Each part small: reading one lets the loop have its turn before the next.
        while part := read_part(process.stdout):
            rows = orjson.loads(part)
            batch.samples += [SampleRow(*row) for row in rows["samples"]]
            batch.events += [EventRow(*row) for row in rows["events"]]
        return batch

    def stop(self) -> None:
        """End the process, at once."""
        self._stopped = True
        self._end()

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    try:
                        pipe.close()
                    except OSError:  # what it hasn't read is lost with it
                        continue


def write_part(pipe: IO[bytes], part: bytes) -> None:
    """Write some bytes, with their number in front."""
    pipe.write(len(part).to_bytes(4, "big"))
    pipe.write(part)


def read_part(pipe: IO[bytes]) -> bytes:
    """Read what `write_part` wrote. Raises EOFError."""
    size = int.from_bytes(_exactly(pipe, 4), "big")
    return _exactly(pipe, size)


def _exactly(pipe: IO[bytes], size: int) -> bytes:
    found = pipe.read(size)
    if len(found) < size:
        raise EOFError("the pipe was closed")
    return found
